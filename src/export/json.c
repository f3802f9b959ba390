/* SPDX-License-Identifier: MIT */
/*
 * json.c: all that the database has of a run, for programs.
 *
 *	{"proflite": 1, "run": 3, "started_ns": ...,
 *	 "functions": [{"file": ..., "line": ..., "name": ..., ...}, ...],
 *	 "calls": [{"caller": 0, "callee": 4, ...}, ...],
 *	 "processes": [{"id": ..., "pid": ..., "command": ...}, ...],
 *	 "threads": [{"id": ..., "process": ..., "nodes": [[...], ...]}, ...],
 *	 "node_columns": ["parent", "function", ...]}
 *
 * Functions are named by their place in the list, nodes by theirs in the
 * thread's, in preorder; the first is the root, which has no function (null).
 * The words are those of doc/schema.md, the figures are as they stand there.
 */
#include <config.h>

#include "export/escape.h"
#include "export/exporter.h"

#include <inttypes.h>
#include <stdlib.h>

static const char *const kinds[] = {
	[PL_FUNC_PYTHON] = "python",
	[PL_FUNC_C] = "c",
	[PL_FUNC_OTHER] = "other",
	[PL_FUNC_SPECIAL] = "special",
};

static void put_text(FILE *out, const char *key, const char *text)
{
	fprintf(out, ",\"%s\":", key);
	pl_json_put(out, text);
}

static void put_figures(FILE *out, const struct pl_figures *f)
{
	fprintf(out, ",\"calls\":%" PRIu64 ",\"resumes\":%" PRIu64
		",\"primitive\":%" PRIu64 ",\"self_ns\":%" PRId64
		",\"cum_ns\":%" PRId64, f->calls, f->resumes, f->primitive,
		f->self_ns, f->cum_ns);
	if (f->min_ns < 0)
		fputs(",\"min_ns\":null,\"max_ns\":null", out);
	else
		fprintf(out, ",\"min_ns\":%" PRId64 ",\"max_ns\":%" PRId64,
			f->min_ns, f->max_ns);
}

static void put_functions(FILE *out, const struct pl_profile *p)
{
	fputs(",\n\"functions\":[", out);
	for (uint32_t i = 0; i < p->n_funcs; i++) {
		const struct pl_pfunc *f = &p->funcs[i];

		fputs(i ? ",\n{" : "\n{", out);
		fprintf(out, "\"kind\":\"%s\",\"line\":%d", kinds[f->kind],
			f->line);
		put_text(out, "filename", f->file);
		put_text(out, "name", f->name);
		put_text(out, "qualname", f->qualname);
		put_text(out, "module", f->module);
		put_figures(out, &f->f);
		putc('}', out);
	}
	fputs("],\n\"calls\":[", out);
	for (uint32_t i = 0; i < p->n_edges; i++) {
		const struct pl_pedge *e = &p->edges[i];

		fprintf(out, "%s{\"caller\":%" PRIu32 ",\"callee\":%" PRIu32,
			i ? ",\n" : "\n", e->caller, e->callee);
		put_figures(out, &e->f);
		putc('}', out);
	}
	putc(']', out);
}

static void put_processes(FILE *out, const struct pl_process *processes,
			  size_t n)
{
	fputs(",\n\"processes\":[", out);
	for (size_t i = 0; i < n; i++) {
		const struct pl_process *p = &processes[i];

		fprintf(out, "%s{\"id\":%" PRId64 ",\"parent\":", i ? ",\n" :
			"\n", p->id);
		fprintf(out, p->parent_id ? "%" PRId64 : "null", p->parent_id);
		fprintf(out, ",\"pid\":%u,\"ppid\":%u,\"started_ns\":%" PRId64
			",\"ended_ns\":%" PRId64, p->pid, p->ppid,
			p->started_ns, p->ended_ns);
		put_text(out, "clock", p->clock);
		put_text(out, "command", p->command);
		put_text(out, "cwd", p->cwd);
		put_text(out, "host", p->host);
		put_text(out, "python", p->python);
		put_text(out, "git", p->git);
		putc('}', out);
	}
	putc(']', out);
}

static void put_node(FILE *out, const struct pl_tree_node *t, uint32_t i,
		     uint32_t n_funcs)
{
	fputs(i ? ",\n[" : "\n[", out);
	fprintf(out, i ? "%" PRIu32 "," : "null,", t->parent);
	fprintf(out, t->func < n_funcs ? "%" PRIu32 "," : "null,", t->func);
	fprintf(out, "%" PRIu32 ",%" PRIu64 ",%" PRIu64 ",%" PRId64 ",%" PRId64,
		t->flags, t->calls, t->resumes, t->total_ns, t->self_ns);
	if (t->min_ns < 0)
		fputs(",null,null]", out);
	else
		fprintf(out, ",%" PRId64 ",%" PRId64 "]", t->min_ns, t->max_ns);
}

static void put_thread(FILE *out, const struct pl_thread *t,
		       const struct pl_tree *tree, uint32_t n_funcs, bool first)
{
	fprintf(out, "%s{\"id\":%" PRId64 ",\"process\":%" PRId64 ",\"tid\":%u"
		",\"counted\":%s,\"duration_ns\":%" PRId64 ",\"n_calls\":%"
		PRIu64, first ? "\n" : ",\n", t->id, t->process_id, t->tid,
		t->counted ? "true" : "false", t->duration_ns, t->n_calls);
	put_text(out, "name", t->name);
	put_text(out, "scope", t->scope);
	fputs(",\"nodes\":[", out);
	for (uint32_t i = 0; i < tree->n; i++)
		put_node(out, &tree->nodes[i], i, n_funcs);
	fputs("]}", out);
}

static int put_threads(struct pl_store *store, const struct pl_profile *p,
		       const struct pl_thread *threads, size_t n, FILE *out,
		       struct pl_error *err)
{
	struct pl_tree tree = { 0 };
	int rc = 0;

	fputs(",\n\"node_columns\":[\"parent\",\"function\",\"flags\","
	      "\"calls\",\"resumes\",\"total_ns\",\"self_ns\",\"min_ns\","
	      "\"max_ns\"],\n\"threads\":[", out);
	for (size_t i = 0; !rc && i < n; i++) {
		rc = pl_store_load_tree(store, &threads[i], p, &tree, err);
		if (!rc)
			put_thread(out, &threads[i], &tree, p->n_funcs, !i);
	}
	putc(']', out);
	pl_tree_release(&tree);
	return rc;
}

static int write_json(struct pl_store *store, const struct pl_select *sel,
		      const struct pl_export_options *options, FILE *out,
		      struct pl_error *err)
{
	struct pl_process *processes = NULL;
	struct pl_thread *threads = NULL;
	struct pl_select all = *sel;
	size_t n_processes = 0, n_threads = 0;
	struct pl_profile p;
	int rc = pl_store_load(store, sel, true, &p, err);

	(void)options;
	if (rc)
		return rc;
	all.run_id = p.run_id;
	rc = pl_store_processes(store, p.run_id, &processes, &n_processes,
				err);
	if (!rc)
		rc = pl_store_threads(store, &all, &threads, &n_threads, err);
	if (!rc) {
		fprintf(out, "{\"proflite\":1,\"run\":%" PRId64
			",\"started_ns\":%" PRId64, p.run_id, p.started_ns);
		put_functions(out, &p);
		put_processes(out, processes, n_processes);
		rc = put_threads(store, &p, threads, n_threads, out, err);
		fputs("}\n", out);
	}
	pl_processes_free(processes, n_processes);
	pl_threads_free(threads, n_threads);
	pl_profile_release(&p);
	return rc;
}

const struct pl_exporter pl_export_json = {
	.name = "json",
	.suffix = ".json",
	.summary = "all there is: functions, calls, threads, trees",
	.write = write_json,
};
