/* SPDX-License-Identifier: MIT */
/*
 * html.c: a page to look at, in one file that needs no network.
 *
 * The page is in html/ (page.html, page.css, page.js), and in here since the
 * build; a profile is put into it in two parts:
 *
 *	data	JSON: functions, threads, processes
 *	nodes	the trees in preorder, for each node
 *			how many calls to go back from the node before
 *			function, calls, self time
 *			shortest activation + 1, or 0 for none;
 *			and if not none, how much longer the longest is
 *		as numbers of seven bits a byte, least first; gzip, base64
 *
 * The functions and trees of a run to compare with come behind the others.
 *
 * A function's first line is quoted from its source, if that is a Python file
 * which can be read and has not changed since the run.
 */
#include <config.h>

#include "export/base64.h"
#include "export/escape.h"
#include "export/exporter.h"
#include "export/gzip.h"
#include "export/html_page.h"
#include "export/places.h"
#include "export/sources.h"
#include "export/stacks.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct page {
	FILE *out;
	struct pl_stacks s;
	struct pl_stacks *base;		/* the run to compare with, or NULL */
	struct pl_error *err;
};

/* Inside of a <script>, which ends at the first "</script". */
static bool escape(FILE *out, char c)
{
	if (c != '<')
		return pl_escape_json(out, c);
	fputs("\\u003c", out);
	return true;
}

static void put_text(FILE *out, const char *key, const char *text)
{
	if (!text)
		return;
	fprintf(out, ",\"%s\":\"", key);
	pl_escape_put(out, text, escape);
	putc('"', out);
}

/* ------------------------------------------------------------------ data -- */

static void put_function(struct page *p, const struct pl_pfunc *f,
			 const char *cwd, const char *source, bool first)
{
	fputs(first ? "\n{\"name\":\"" : ",\n{\"name\":\"", p->out);
	pl_name_put(p->out, f, escape);
	putc('"', p->out);
	if (strcmp(f->file, "~")) {
		const char *brief = pl_short_file(f->file, cwd);

		put_text(p->out, "file", f->file);
		fprintf(p->out, ",\"line\":%d", f->line);
		if (brief != f->file)
			put_text(p->out, "short", brief);
	}
	put_text(p->out, "source", source);
	putc('}', p->out);
}

static int put_functions_of(struct page *p, const struct pl_stacks *s,
			    bool first)
{
	const char *cwd = s->n_processes ? s->processes[0].cwd : NULL;
	const struct pl_profile *profile = &s->profile;
	char **sources;
	int rc = pl_sources_read(profile, pl_stacks_ended_ns(s), &sources,
				 p->err);

	if (rc)
		return rc;
	for (uint32_t i = 0; i < profile->n_funcs; i++, first = false)
		put_function(p, &profile->funcs[i], cwd, sources[i], first);
	for (uint32_t i = 0; i < PL_STACKS_EXTRA; i++, first = false)
		fprintf(p->out, "%s{\"name\":\"%s\"}", first ? "\n" : ",\n",
			pl_stacks_extra[i]);
	pl_sources_free(sources, profile->n_funcs);
	return 0;
}

static int put_functions(struct page *p)
{
	int rc;

	fputs(",\n\"functions\":[", p->out);
	rc = put_functions_of(p, &p->s, true);
	if (!rc && p->base)
		rc = put_functions_of(p, p->base, false);
	putc(']', p->out);
	return rc;
}

static int put_threads(struct page *p)
{
	fputs(",\n\"threads\":[", p->out);
	for (size_t i = 0; i < p->s.n_wanted; i++) {
		const struct pl_thread *t = &p->s.threads[i];
		char *name = pl_stacks_thread_name(t);

		if (!name)
			return pl_fail(p->err, PL_ERR_NOMEM, "out of memory");
		fprintf(p->out, "%s{\"id\":%" PRId64 ",\"process\":%" PRId64,
			i ? ",\n" : "\n", t->id, t->process_id);
		put_text(p->out, "name", name);
		putc('}', p->out);
		free(name);
	}
	putc(']', p->out);
	return 0;
}

static void put_processes(struct page *p)
{
	fputs(",\n\"processes\":[", p->out);
	for (size_t i = 0; i < p->s.n_processes; i++) {
		const struct pl_process *process = &p->s.processes[i];

		fprintf(p->out, "%s{\"id\":%" PRId64 ",\"pid\":%u",
			i ? ",\n" : "\n", process->id, process->pid);
		put_text(p->out, "command", process->command);
		putc('}', p->out);
	}
	putc(']', p->out);
}

static void put_started(struct page *p)
{
	time_t seconds = (time_t)(p->s.profile.started_ns / 1000000000);
	struct tm tm;
	char text[64];

	if (gmtime_r(&seconds, &tm) &&
	    strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &tm))
		put_text(p->out, "started", text);
}

static void put_run(struct page *p)
{
	const struct pl_process *first = p->s.n_processes ? p->s.processes
							  : NULL;
	const char *command = first && first->command ? first->command
						      : "proflite";
	char *title;

	fprintf(p->out, "{\"run\":%" PRId64 ",\"folded\":%s",
		p->s.profile.run_id, p->s.profile.folded ? "true" : "false");
	if (asprintf(&title, "run %" PRId64 ": %s", p->s.profile.run_id,
		     command) >= 0) {
		put_text(p->out, "title", title);
		free(title);
	}
	put_started(p);
	if (p->base)
		fprintf(p->out, ",\"base\":{\"threads\":%zu,\"title\":\"run %"
			PRId64 "\"}", p->base->n_wanted,
			p->base->profile.run_id);
	if (first) {
		put_text(p->out, "clock", first->clock);
		put_text(p->out, "host", first->host);
		put_text(p->out, "python", first->python);
	}
}

static int put_data(struct page *p)
{
	int rc;

	put_run(p);
	put_processes(p);
	rc = put_threads(p);
	if (!rc)
		rc = put_functions(p);
	putc('}', p->out);
	return rc;
}

/* ----------------------------------------------------------------- nodes -- */

/* Numbers on their way into the compressor. */
struct numbers {
	struct pl_gzip *gzip;
	uint8_t bytes[4096];
	size_t n;
};

static void flush(struct numbers *to)
{
	pl_gzip_write(to->gzip, to->bytes, to->n);
	to->n = 0;
}

static void put_number(struct numbers *to, uint64_t value)
{
	if (sizeof(to->bytes) - to->n < 10)
		flush(to);
	for (; value > 127; value >>= 7)
		to->bytes[to->n++] = (uint8_t)(value | 128);
	to->bytes[to->n++] = (uint8_t)value;
}

/* @first: the number of function 0. */
static void put_tree(struct numbers *to, const struct pl_tree *tree,
		     uint32_t first)
{
	uint32_t open = 0;

	put_number(to, tree->n ? tree->n - 1 : 0);
	for (uint32_t i = 1; i < tree->n; i++) {
		const struct pl_tree_node *t = &tree->nodes[i];
		uint32_t up = 0;

		for (; open != t->parent; open = tree->nodes[open].parent)
			up++;
		open = i;
		put_number(to, up);
		put_number(to, first + t->func);
		put_number(to, t->calls + t->resumes);
		put_number(to, (uint64_t)t->self_ns);
		if (t->min_ns < 0 || t->max_ns < t->min_ns) {
			put_number(to, 0);
			continue;
		}
		put_number(to, (uint64_t)t->min_ns + 1);
		put_number(to, (uint64_t)(t->max_ns - t->min_ns));
	}
}

static int put_trees(struct page *p, struct numbers *to, struct pl_stacks *s,
		     uint32_t first)
{
	int rc;

	while ((rc = pl_stacks_next(s, p->err)) > 0)
		put_tree(to, &s->tree, first);
	return rc;
}

static int put_nodes(struct page *p)
{
	FILE *base64 = pl_base64_open(p->out);
	struct numbers to = { 0 };
	int rc;

	if (!base64)
		return pl_fail(p->err, PL_ERR_NOMEM, "out of memory");
	rc = pl_gzip_open(&to.gzip, base64, p->err);
	if (!rc)
		rc = put_trees(p, &to, &p->s, 0);
	if (!rc && p->base)
		rc = put_trees(p, &to, p->base,
			       p->s.profile.n_funcs + PL_STACKS_EXTRA);
	if (to.gzip)
		flush(&to);
	pl_gzip_close(to.gzip);
	fclose(base64);
	return rc;
}

/* ------------------------------------------------------------- the whole -- */

/* The page has a line for each part. */
static const struct part {
	const char *line;
	int (*put)(struct page *p);
} parts[] = {
	{ "@DATA@\n", put_data },
	{ "@NODES@\n", put_nodes },
};

static int write_page(struct page *p)
{
	const char *at = pl_html_page, *end;
	int rc = 0;

	for (size_t i = 0; !rc && i < sizeof(parts) / sizeof(*parts); i++) {
		end = strstr(at, parts[i].line);
		fwrite(at, 1, (size_t)(end - at), p->out);
		at = end + strlen(parts[i].line);
		rc = parts[i].put(p);
		putc('\n', p->out);
	}
	fputs(at, p->out);
	return rc;
}

static int write_html(struct pl_store *store, const struct pl_select *sel,
		      const struct pl_export_options *options, FILE *out,
		      struct pl_error *err)
{
	struct page p = { .out = out, .err = err };
	struct pl_stacks base = { 0 };
	int rc = pl_stacks_open(&p.s, store, sel, options->max_depth, err);

	if (!rc && options->base.run_id) {
		p.base = &base;
		rc = pl_stacks_open(&base, store, &options->base,
				    options->max_depth, err);
	}
	if (!rc)
		rc = write_page(&p);
	pl_stacks_close(&base);
	pl_stacks_close(&p.s);
	return rc;
}

const struct pl_exporter pl_export_html = {
	.name = "html",
	.suffix = ".html",
	.summary = "a page with flame graph and tables, in one file",
	.compares = true,
	.write = write_html,
};
