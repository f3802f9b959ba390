/* SPDX-License-Identifier: MIT */
/*
 * chrome.c: the trace of a browser, for Perfetto and chrome://tracing.
 *
 * "Trace Event Format": complete events ("X"), microseconds.  It is no
 * timeline: each path is one slice as long as all calls on it together took,
 * callees stand in it one behind the other in the order of their first call,
 * and every thread begins at 0.  Calls, self time and the shortest and longest
 * call are a slice's arguments.
 */
#include <config.h>

#include "export/escape.h"
#include "export/exporter.h"
#include "export/stacks.h"

#include <inttypes.h>
#include <stdlib.h>

static void put_us(FILE *out, const char *key, int64_t ns)
{
	fprintf(out, ",\"%s\":%" PRId64 ".%03" PRId64, key, ns / 1000,
		ns % 1000);
}

static void put_node(FILE *out, const struct pl_tree_node *t, const char *name,
		     int64_t at, const struct pl_thread *thread)
{
	fprintf(out, ",\n{\"ph\":\"X\",\"pid\":%u,\"tid\":%u,\"name\":\"%s\"",
		thread->pid, thread->tid, name);
	put_us(out, "ts", at);
	put_us(out, "dur", t->total_ns);
	fprintf(out, ",\"args\":{\"calls\":%" PRIu64 ",\"self_ns\":%" PRId64,
		t->calls + t->resumes, t->self_ns);
	if (t->min_ns >= 0)
		fprintf(out, ",\"min_ns\":%" PRId64 ",\"max_ns\":%" PRId64,
			t->min_ns, t->max_ns);
	fputs("}}", out);
}

/* @at[i]: where node i begins, and then, where its next callee does. */
static int write_tree(FILE *out, const struct pl_stacks *s,
		      const struct pl_frames *frames)
{
	int64_t *at = calloc(s->tree.n + (size_t)1, sizeof(*at));

	if (!at)
		return PL_ERR_NOMEM;
	for (uint32_t i = 1; i < s->tree.n; i++) {
		const struct pl_tree_node *t = &s->tree.nodes[i];

		at[i] = at[t->parent];
		at[t->parent] = pl_add_ns(at[t->parent], t->total_ns);
		put_node(out, t, frames->names[t->func], at[i], s->thread);
	}
	free(at);
	return 0;
}

/* The name of a process or a thread. */
static void put_name(FILE *out, const char *what, const struct pl_thread *t,
		     const char *name, bool first)
{
	fprintf(out, "%s\n{\"ph\":\"M\",\"pid\":%u,\"tid\":%u,\"name\":\"%s\","
		"\"args\":{\"name\":", first ? "" : ",", t->pid, t->tid, what);
	pl_json_put(out, name);
	fputs("}}", out);
}

static int write_thread(FILE *out, const struct pl_stacks *s,
			const struct pl_frames *frames)
{
	char *name = pl_stacks_thread_name(s->thread);
	int rc;

	if (!name)
		return PL_ERR_NOMEM;
	put_name(out, "process_name", s->thread,
		 s->process->command ? s->process->command : "python",
		 s->at == 1);
	put_name(out, "thread_name", s->thread, name, false);
	rc = write_tree(out, s, frames);
	free(name);
	return rc;
}

static int write_chrome(struct pl_store *store, const struct pl_select *sel,
			const struct pl_export_options *options, FILE *out,
			struct pl_error *err)
{
	struct pl_frames frames = { 0 };
	struct pl_stacks s;
	int rc = pl_stacks_open(&s, store, sel, options->max_depth, err);

	if (!rc)
		pl_stacks_bound(&s, options, PL_BOUND_LIGHT);
	if (!rc)
		rc = pl_frames_init(&frames, &s.profile, pl_escape_json, err);
	fputs("{\"displayTimeUnit\":\"ns\",\"otherData\":{\"exporter\":"
	      "\"proflite " PACKAGE_VERSION "\"},\"traceEvents\":[", out);
	while (!rc && (rc = pl_stacks_next(&s, err)) > 0) {
		rc = write_thread(out, &s, &frames);
		if (rc)
			pl_fail(err, rc, "out of memory");
	}
	fputs("\n]}\n", out);
	pl_frames_release(&frames);
	pl_stacks_close(&s);
	return rc;
}

const struct pl_exporter pl_export_chrome = {
	.name = "chrome",
	.suffix = ".trace.json",
	.summary = "the tree as a trace: Perfetto, chrome://tracing",
	.write = write_chrome,
};
