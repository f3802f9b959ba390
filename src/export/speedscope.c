/* SPDX-License-Identifier: MIT */
/*
 * speedscope.c: the file format of speedscope.app.
 *
 * https://github.com/jlfwong/speedscope/wiki/Importing-from-custom-sources;
 * the schema is https://www.speedscope.app/file-format-schema.json.  Two
 * profiles for each thread: one in which a path is as wide as its time, and one
 * in which it is as wide as its calls.  Both are "evented": each path opens
 * and closes once, so the file grows with the paths and not with their
 * lengths; the order in which paths stand is that of their first call.  Lost
 * in translation: min and max.
 */
#include <config.h>

#include "export/escape.h"
#include "export/exporter.h"
#include "export/stacks.h"

#include <inttypes.h>
#include <stdlib.h>

typedef uint64_t weigh_fn(const struct pl_tree_node *t);

static uint64_t weigh_time(const struct pl_tree_node *t)
{
	return (uint64_t)t->self_ns;
}

static uint64_t weigh_calls(const struct pl_tree_node *t)
{
	return t->calls + t->resumes;
}

static const struct kind {
	const char *name, *unit;
	weigh_fn *weigh;
} kinds[] = {
	{ "time", "nanoseconds", weigh_time },
	{ "calls", "none", weigh_calls },
};

#define N_KINDS (sizeof(kinds) / sizeof(*kinds))

static void put_event(FILE *out, char type, uint32_t frame, uint64_t at,
		      bool first)
{
	fprintf(out, "%s{\"type\":\"%c\",\"frame\":%" PRIu32 ",\"at\":%"
		PRIu64 "}", first ? "" : ",\n", type, frame, at);
}

/* Returns where it ends.  A path's own part stands before its callees. */
static uint64_t write_events(FILE *out, const struct pl_tree *tree,
			     weigh_fn *weigh)
{
	const struct pl_tree_node *nodes = tree->nodes;
	uint32_t open = 0;
	uint64_t at = 0;

	for (uint32_t i = 1; i < tree->n; i++) {
		for (; open != nodes[i].parent; open = nodes[open].parent)
			put_event(out, 'C', nodes[open].func, at, false);
		put_event(out, 'O', nodes[i].func, at, i == 1);
		at += weigh(&nodes[i]);
		open = i;
	}
	for (; open; open = nodes[open].parent)
		put_event(out, 'C', nodes[open].func, at, false);
	return at;
}

static int write_thread(FILE *out, const struct pl_stacks *s)
{
	char *name = pl_stacks_thread_name(s->thread);

	if (!name)
		return PL_ERR_NOMEM;
	for (size_t k = 0; k < N_KINDS; k++) {
		uint64_t end;

		fputs(s->at > 1 || k ? ",\n" : "\n", out);
		fprintf(out, "{\"type\":\"evented\",\"name\":\"%s: ",
			kinds[k].name);
		pl_escape_put(out, name, pl_escape_json);
		fprintf(out, "\",\"unit\":\"%s\",\"startValue\":0,"
			"\"events\":[\n", kinds[k].unit);
		end = write_events(out, &s->tree, kinds[k].weigh);
		fprintf(out, "],\"endValue\":%" PRIu64 "}", end);
	}
	free(name);
	return 0;
}

static void write_frames(FILE *out, const struct pl_profile *p)
{
	fputs("\"shared\":{\"frames\":[\n", out);
	for (uint32_t i = 0; i < p->n_funcs; i++) {
		const struct pl_pfunc *f = &p->funcs[i];

		fputs("{\"name\":\"", out);
		pl_name_put(out, f, pl_escape_json);
		putc('"', out);
		if (f->kind == PL_FUNC_PYTHON) {
			fputs(",\"file\":", out);
			pl_json_put(out, f->file);
			fprintf(out, ",\"line\":%d", f->line);
		}
		fputs("},\n", out);
	}
	for (int i = 0; i < PL_STACKS_EXTRA; i++)
		fprintf(out, "{\"name\":\"%s\"}%s\n", pl_stacks_extra[i],
			i + 1 < PL_STACKS_EXTRA ? "," : "");
	fputs("]}", out);
}

static int write_speedscope(struct pl_store *store, const struct pl_select *sel,
			    const struct pl_export_options *options, FILE *out,
			    struct pl_error *err)
{
	struct pl_stacks s;
	int rc = pl_stacks_open(&s, store, sel, options->max_depth, err);

	if (!rc) {
		pl_stacks_bound(&s, options, PL_BOUND_LIGHT);
		fputs("{\"$schema\":\"https://www.speedscope.app/"
		      "file-format-schema.json\",\n"
		      "\"exporter\":\"proflite " PACKAGE_VERSION "\",\n"
		      "\"name\":", out);
		pl_json_put(out, s.n_processes && s.processes[0].command ?
			    s.processes[0].command : "proflite");
		fputs(",\n", out);
		write_frames(out, &s.profile);
		fputs(",\n\"profiles\":[", out);
	}
	while (!rc && (rc = pl_stacks_next(&s, err)) > 0) {
		rc = write_thread(out, &s);
		if (rc)
			pl_fail(err, rc, "out of memory");
	}
	fputs("]}\n", out);
	pl_stacks_close(&s);
	return rc;
}

const struct pl_exporter pl_export_speedscope = {
	.name = "speedscope",
	.suffix = ".speedscope.json",
	.summary = "for speedscope.app: time and calls of each thread",
	.write = write_speedscope,
};
