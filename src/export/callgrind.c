/* SPDX-License-Identifier: MIT */
/*
 * callgrind.c: for callgrind_annotate and kcachegrind.
 *
 * https://valgrind.org/docs/manual/cl-format.html.  A graph of functions and
 * of who called whom how often, added up over the threads.  Lost in
 * translation: paths, threads, minimum and maximum; and where in a function a
 * call stands, for which its first line does.
 */
#include <config.h>

#include "export/escape.h"
#include "export/exporter.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* A name stands for itself once, and for its number from then on. */
struct names {
	uint32_t *files;		/* by function: number of its file */
	bool *file_seen, *func_seen;	/* by number */
};

static void put_file(FILE *out, const struct pl_profile *p, struct names *n,
		     const char *key, uint32_t func)
{
	uint32_t file = n->files[func];

	fprintf(out, "%s=(%" PRIu32 ")", key, file + 1);
	if (!n->file_seen[file]) {
		putc(' ', out);
		pl_escape_put(out, p->funcs[func].file, pl_escape_line);
	}
	n->file_seen[file] = true;
	putc('\n', out);
}

/* With the line: functions of one name in one file would be one to it. */
static void put_func(FILE *out, const struct pl_profile *p, struct names *n,
		     const char *key, uint32_t func)
{
	const struct pl_pfunc *f = &p->funcs[func];

	fprintf(out, "%s=(%" PRIu32 ")", key, func + 1);
	if (!n->func_seen[func]) {
		putc(' ', out);
		pl_name_put(out, f, pl_escape_line);
		if (f->line)
			fprintf(out, ":%d", f->line);
	}
	n->func_seen[func] = true;
	putc('\n', out);
}

static int line_of(const struct pl_pfunc *f)
{
	return f->line > 0 ? f->line : 0;
}

static uint64_t entries(const struct pl_figures *f)
{
	return f->calls + f->resumes;
}

static void write_profile(FILE *out, const struct pl_profile *p,
			  struct names *n)
{
	uint32_t at = 0; /* pairs come by their caller */

	for (uint32_t i = 0; i < p->n_funcs; i++) {
		const struct pl_pfunc *f = &p->funcs[i];

		putc('\n', out);
		put_file(out, p, n, "fl", i);
		put_func(out, p, n, "fn", i);
		fprintf(out, "%d %" PRId64 "\n", line_of(f), f->f.self_ns);
		for (; at < p->n_edges && p->edges[at].caller == i; at++) {
			const struct pl_pedge *e = &p->edges[at];

			put_file(out, p, n, "cfi", e->callee);
			put_func(out, p, n, "cfn", e->callee);
			fprintf(out, "calls=%" PRIu64 " %d\n%d %" PRId64 "\n",
				entries(&e->f), line_of(&p->funcs[e->callee]),
				line_of(f), e->f.cum_ns);
		}
	}
}

static void write_header(FILE *out, const struct pl_profile *p,
			 const char *command)
{
	int64_t total = 0;

	for (uint32_t i = 0; i < p->n_funcs; i++)
		total = pl_add_ns(total, p->funcs[i].f.self_ns);
	fputs("# callgrind format\n"
	      "version: 1\n"
	      "creator: proflite " PACKAGE_VERSION "\n", out);
	if (command) {
		fputs("cmd: ", out);
		pl_escape_put(out, command, pl_escape_line);
		putc('\n', out);
	}
	fprintf(out, "positions: line\n"
		"event: ns : Nanoseconds\n"
		"events: ns\n"
		"summary: %" PRId64 "\n", total);
}

static int by_file(const void *a, const void *b, void *funcs)
{
	const struct pl_pfunc *f = funcs;

	return strcmp(f[*(const uint32_t *)a].file,
		      f[*(const uint32_t *)b].file);
}

/* Equal files get one number. */
static int number_files(struct names *n, const struct pl_profile *p)
{
	uint32_t *order = calloc(p->n_funcs + (size_t)1, sizeof(*order));
	uint32_t file = 0;

	if (!order)
		return PL_ERR_NOMEM;
	for (uint32_t i = 0; i < p->n_funcs; i++)
		order[i] = i;
	qsort_r(order, p->n_funcs, sizeof(*order), by_file, p->funcs);
	for (uint32_t i = 0; i < p->n_funcs; i++) {
		if (i && by_file(&order[i - 1], &order[i], p->funcs))
			file++;
		n->files[order[i]] = file;
	}
	free(order);
	return 0;
}

static int write_loaded(FILE *out, const struct pl_profile *p,
			const char *command, struct pl_error *err)
{
	size_t n_funcs = p->n_funcs + (size_t)1;
	struct names n = {
		.files = calloc(n_funcs, sizeof(*n.files)),
		.file_seen = calloc(n_funcs, sizeof(*n.file_seen)),
		.func_seen = calloc(n_funcs, sizeof(*n.func_seen)),
	};
	int rc = n.files && n.file_seen && n.func_seen ? number_files(&n, p)
						       : PL_ERR_NOMEM;

	if (rc) {
		pl_fail(err, rc, "out of memory");
	} else {
		write_header(out, p, command);
		write_profile(out, p, &n);
	}
	free(n.files);
	free(n.file_seen);
	free(n.func_seen);
	return rc;
}

static int write_callgrind(struct pl_store *store, const struct pl_select *sel,
			   const struct pl_export_options *options, FILE *out,
			   struct pl_error *err)
{
	struct pl_process *processes = NULL;
	struct pl_profile profile;
	size_t n = 0;
	int rc = pl_store_load(store, sel, true, &profile, err);

	(void)options;
	if (rc)
		return rc;
	rc = pl_store_processes(store, profile.run_id, &processes, &n, err);
	if (!rc)
		rc = write_loaded(out, &profile,
				  n ? processes[0].command : NULL, err);
	pl_processes_free(processes, n);
	pl_profile_release(&profile);
	return rc;
}

const struct pl_exporter pl_export_callgrind = {
	.name = "callgrind",
	.suffix = ".callgrind",
	.summary = "the call graph: kcachegrind, callgrind_annotate",
	.write = write_callgrind,
};
