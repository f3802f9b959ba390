/* SPDX-License-Identifier: MIT */
/*
 * collapsed.c: a line for each path, as flamegraph.pl reads them.
 *
 *	<module> (app.py:1);main (app.py:4);work (app.py:9) 1200000
 *
 * https://github.com/brendangregg/FlameGraph.  The number is the nanoseconds
 * that the last function of the path took itself; paths that took none are not
 * there.  With more than one thread a path begins with the thread.  Lost in
 * translation: calls, and which of two functions with one label it was.
 */
#include <config.h>

#include "export/escape.h"
#include "export/exporter.h"
#include "export/stacks.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* The path to the node at hand, and how long it was at each depth. */
struct path {
	char *text;
	size_t len, size;
	size_t *lengths;
	uint32_t depth, n_lengths;
};

static bool escape(FILE *out, char c)
{
	if (c == ';') {
		putc(':', out);
		return true;
	}
	return pl_escape_line(out, c);
}

static int make_room(struct path *p, size_t n)
{
	void *grown;

	if (p->size - p->len < n + 2) {
		p->size = 2 * (p->len + n + 256);
		grown = realloc(p->text, p->size);
		if (!grown)
			return PL_ERR_NOMEM;
		p->text = grown;
	}
	if (p->depth + 1 >= p->n_lengths) {
		p->n_lengths = p->n_lengths ? 2 * p->n_lengths : 256;
		grown = realloc(p->lengths,
				p->n_lengths * sizeof(*p->lengths));
		if (!grown)
			return PL_ERR_NOMEM;
		p->lengths = grown;
	}
	return 0;
}

static int push(struct path *p, const char *name)
{
	size_t n = strlen(name);

	if (make_room(p, n))
		return PL_ERR_NOMEM;
	p->lengths[p->depth++] = p->len;
	if (p->len)
		p->text[p->len++] = ';';
	memcpy(p->text + p->len, name, n);
	p->len += n;
	return 0;
}

static void pop(struct path *p)
{
	p->len = p->lengths[--p->depth];
}

static int write_tree(struct path *p, const struct pl_tree *tree,
		      const struct pl_frames *frames, FILE *out)
{
	uint32_t open = 0;

	for (uint32_t i = 1; i < tree->n; i++) {
		const struct pl_tree_node *t = &tree->nodes[i];

		for (; open != t->parent; open = tree->nodes[open].parent)
			pop(p);
		if (push(p, frames->names[t->func]))
			return PL_ERR_NOMEM;
		open = i;
		if (!t->self_ns)
			continue;
		fwrite(p->text, 1, p->len, out);
		fprintf(out, " %" PRId64 "\n", t->self_ns);
	}
	return 0;
}

/* Escaped, malloc'ed. */
static char *thread_frame(const struct pl_thread *thread)
{
	char *name = pl_stacks_thread_name(thread), *text = NULL;
	size_t size;
	FILE *f = name ? open_memstream(&text, &size) : NULL;

	if (f) {
		pl_escape_put(f, name, escape);
		fclose(f);
	}
	free(name);
	return text;
}

static int write_thread(struct path *p, struct pl_stacks *s,
			const struct pl_frames *frames, FILE *out)
{
	char *thread;
	int rc = 0;

	p->len = p->depth = 0;
	if (s->n_wanted > 1) {
		thread = thread_frame(s->thread);
		rc = thread ? push(p, thread) : PL_ERR_NOMEM;
		free(thread);
	}
	return rc ? rc : write_tree(p, &s->tree, frames, out);
}

static int write_collapsed(struct pl_store *store, const struct pl_select *sel,
			   const struct pl_export_options *options, FILE *out,
			   struct pl_error *err)
{
	struct pl_frames frames = { 0 };
	struct path path = { 0 };
	struct pl_stacks s;
	int rc = pl_stacks_open(&s, store, sel, options->max_depth, err);

	if (!rc)
		pl_stacks_bound(&s, options, PL_BOUND_DEPTH | PL_BOUND_LIGHT);
	if (!rc)
		rc = pl_frames_init(&frames, &s.profile, escape, err);
	while (!rc && (rc = pl_stacks_next(&s, err)) > 0) {
		rc = write_thread(&path, &s, &frames, out);
		if (rc)
			pl_fail(err, rc, "out of memory");
	}
	free(path.text);
	free(path.lengths);
	pl_frames_release(&frames);
	pl_stacks_close(&s);
	return rc;
}

const struct pl_exporter pl_export_collapsed = {
	.name = "collapsed",
	.suffix = ".folded",
	.summary = "a line a path: for flamegraph.pl, inferno, ...",
	.write = write_collapsed,
};
