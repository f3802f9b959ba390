/* SPDX-License-Identifier: MIT */
/*
 * tree: which calls led there?  The call tree, heaviest first.
 *
 *	 total     self ms      calls
 *	100.0%      0.1          1     main  app.py:3
 *	 80.2%      1.0         20     ├─ load  app.py:10
 *	 75.0%      0.5         20     │  {built-in method io.open}
 *	 19.1%     19.1       1000     └─ parse  app.py:20
 *
 * An only callee stands under its caller, without a step to the right, as perf
 * draws it: a path of sixty calls through an import fits on the screen so.
 */
#include <config.h>

#include "cmd.h"
#include "export/paths.h"
#include "export/stacks.h"
#include "names.h"
#include "progress.h"
#include "records.h"
#include "source.h"
#include "term.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Unless it is a terminal, which gets a screen full. */
#define DEFAULT_LINES 40
#define DEFAULT_PERCENT 0.5

enum { OPT_LINES, OPT_PERCENT, OPT_DEPTH, OPT_FOCUS, OPT_IGNORE, OPT_UNFOLD,
       OPT_TOGETHER, OPT_OUTPUT };

static const struct pl_opt options[] = {
	[OPT_LINES] = { "lines", 'n', "N", "the N heaviest paths, 0 for all" },
	[OPT_PERCENT] = { "min-percent", 0, "P",
			  "only paths that take P percent of the time" },
	[OPT_DEPTH] = { "depth", 0, "N", "only paths of up to N calls" },
	[OPT_FOCUS] = { "focus", 0, "RE",
			"only paths with a function that matches" },
	[OPT_IGNORE] = { "ignore", 0, "RE",
			 "no paths with a function that matches" },
	[OPT_UNFOLD] = { "unfold", 0, NULL, "do not fold recursion" },
	[OPT_TOGETHER] = { "together", 0, NULL,
			   "add the threads up into one tree" },
	[OPT_OUTPUT] = { "output", 'o', "FORMAT", "text, json or csv" },
	PL_SOURCE_OPTIONS,
	{ NULL, 0, NULL, NULL },
};

struct args {
	struct pl_source source;
	int64_t lines, depth;		/* -1: not said */
	double percent;			/* -1: not said */
	struct pl_pattern *focus, *ignore;
	bool unfold, together;
	enum pl_records_format format;
};

/* ------------------------------------------------------------- the tree -- */

struct view {
	const struct args *a;
	struct pl_stacks stacks;
	struct pl_paths paths;
	uint8_t *choice;		/* by function, or NULL */
	bool *shown;			/* by path */
	char **tops;			/* names of the threads */
	double total;			/* of the run, ns */
	uint64_t calls;
};

static int no_memory(struct pl_error *err)
{
	return pl_fail(err, PL_ERR_NOMEM, "out of memory");
}

/* Threads are functions behind all others. */
static uint32_t n_numbered(const struct view *v)
{
	return v->stacks.profile.n_funcs + PL_STACKS_EXTRA;
}

static int choose(struct view *v, struct pl_error *err)
{
	const struct pl_profile *p = &v->stacks.profile;
	int64_t n = 0;

	if (!v->a->focus && !v->a->ignore)
		return 0;
	v->choice = calloc(n_numbered(v), 1);
	if (!v->choice)
		return no_memory(err);
	if (v->a->focus)
		n = pl_match_funcs(v->a->focus, p, PL_PATH_FOCUS, v->choice,
				   err);
	if (n >= 0 && v->a->ignore)
		n = pl_match_funcs(v->a->ignore, p, PL_PATH_IGNORE, v->choice,
				   err);
	return n < 0 ? (int)n : 0;
}

static int add_thread(struct view *v, struct pl_error *err)
{
	uint32_t under = 0;

	if (!v->a->together) {
		char *name = pl_stacks_thread_name(v->stacks.thread);

		under = pl_paths_child(&v->paths, 0, n_numbered(v) +
				       (uint32_t)v->stacks.at - 1);
		v->tops[v->stacks.at - 1] = name;
		if (under == PL_PATH_NONE || !name)
			return no_memory(err);
	}
	return pl_paths_add(&v->paths, under, &v->stacks.tree, err);
}

static int load(struct view *v, struct pl_store *store, struct pl_error *err)
{
	int rc = pl_stacks_open(&v->stacks, store, &v->a->source.select, 0,
				err);

	if (!rc)
		rc = choose(v, err);
	if (rc)
		return rc;
	for (uint32_t i = 0; i < v->stacks.profile.n_funcs; i++) {
		const struct pl_figures *f = &v->stacks.profile.funcs[i].f;

		v->total += (double)f->self_ns;
		v->calls += f->calls + f->resumes;
	}
	v->paths.fold = !v->a->unfold;
	v->paths.has_focus = v->a->focus != NULL;
	v->paths.choice = v->choice;
	v->tops = calloc(v->stacks.n_wanted + 1, sizeof(*v->tops));
	if (!v->tops)
		return no_memory(err);
	rc = pl_paths_init(&v->paths, n_numbered(v), err);
	while (!rc && (rc = pl_stacks_next(&v->stacks, err)) > 0)
		rc = add_thread(v, err);
	pl_paths_add_up(&v->paths);
	return rc;
}

static void release(struct view *v)
{
	for (size_t i = 0; v->tops && i < v->stacks.n_wanted; i++)
		free(v->tops[i]);
	free(v->tops);
	free(v->choice);
	free(v->shown);
	pl_paths_release(&v->paths);
	pl_stacks_close(&v->stacks);
}

static double percent(const struct view *v, int64_t ns)
{
	return v->total > 0 ? 100 * (double)ns / v->total : 0;
}

/* ------------------------------------------------------- which are shown -- */

/* Paths whose callers are shown, the heaviest on top. */
struct heap {
	uint32_t *paths;
	uint32_t n;
};

static bool is_heavier(const struct view *v, uint32_t a, uint32_t b)
{
	const struct pl_path *x = &v->paths.paths[a], *y = &v->paths.paths[b];

	return x->total_ns != y->total_ns ? x->total_ns > y->total_ns : a < b;
}

static void heap_push(const struct view *v, struct heap *h, uint32_t path)
{
	uint32_t i = h->n++;

	for (; i && is_heavier(v, path, h->paths[(i - 1) / 2]); i = (i - 1) / 2)
		h->paths[i] = h->paths[(i - 1) / 2];
	h->paths[i] = path;
}

static uint32_t heap_pop(const struct view *v, struct heap *h)
{
	uint32_t top = h->paths[0], last = h->paths[--h->n], i = 0, k;

	for (; (k = 2 * i + 1) < h->n; i = k) {
		if (k + 1 < h->n &&
		    is_heavier(v, h->paths[k + 1], h->paths[k]))
			k++;
		if (is_heavier(v, last, h->paths[k]))
			break;
		h->paths[i] = h->paths[k];
	}
	h->paths[i] = last;
	return top;
}

static double least_percent(const struct view *v)
{
	if (v->a->percent >= 0)
		return v->a->percent;
	return v->a->format ? 0 : DEFAULT_PERCENT;
}

/* All that are heavy enough: a path comes after its caller. */
static uint32_t show_all(struct view *v, uint32_t deepest)
{
	double least = least_percent(v);
	uint32_t n = 1;

	v->shown[0] = true;
	for (uint32_t i = 1; i < v->paths.n; i++) {
		const struct pl_path *p = &v->paths.paths[i];

		v->shown[i] = v->shown[p->parent] && p->depth <= deepest &&
			      percent(v, p->total_ns) >= least;
		n += v->shown[i];
	}
	return n;
}

/*
 * The heaviest paths make a tree, for no path is heavier than its caller's.
 * Returns how many are left out.
 */
static int show(struct view *v, int64_t most, uint32_t *left_out,
		struct pl_error *err)
{
	double least = least_percent(v);
	uint32_t deepest = v->a->depth < 0 || v->a->depth > UINT32_MAX / 2 ?
			   UINT32_MAX : (uint32_t)v->a->depth +
					!v->a->together;
	struct heap h = { NULL, 0 };
	uint32_t n = 0;

	v->shown = calloc(v->paths.n, sizeof(*v->shown));
	if (!v->shown)
		return no_memory(err);
	if (!most) {
		*left_out = v->paths.n - show_all(v, deepest);
		return 0;
	}
	h.paths = malloc(v->paths.n * sizeof(*h.paths));
	if (!h.paths)
		return no_memory(err);
	heap_push(v, &h, 0);
	while (h.n && n <= most) {
		uint32_t at = heap_pop(v, &h);
		const struct pl_path *p = &v->paths.paths[at];

		v->shown[at] = true;
		n++;
		for (uint32_t i = p->first; i != PL_PATH_NONE;
		     i = v->paths.paths[i].next)
			if (p->depth < deepest &&
			    percent(v, v->paths.paths[i].total_ns) >= least)
				heap_push(v, &h, i);
	}
	free(h.paths);
	*left_out = v->paths.n - n;
	return 0;
}

/* ------------------------------------------------------------- walking -- */

/* A path to be printed: how far to the right, and how it hangs there. */
struct step {
	uint32_t path;
	uint32_t level;			/* forks above it */
	bool is_branch, is_last;
};

struct walk {
	struct step *steps;		/* a stack */
	size_t n, capacity;
	uint32_t *callees;		/* of one path */
	uint32_t n_callees, callees_capacity;
};

static int compare_callees(const void *a, const void *b, void *view)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return is_heavier(view, x, y) ? -1 : 1;
}

static int gather(struct view *v, struct walk *w, uint32_t path)
{
	w->n_callees = 0;
	for (uint32_t i = v->paths.paths[path].first; i != PL_PATH_NONE;
	     i = v->paths.paths[i].next) {
		if (!v->shown[i])
			continue;
		if (w->n_callees == w->callees_capacity) {
			uint32_t n = 2 * w->n_callees + 64;
			void *p = realloc(w->callees, n * sizeof(*w->callees));

			if (!p)
				return PL_ERR_NOMEM;
			w->callees = p;
			w->callees_capacity = n;
		}
		w->callees[w->n_callees++] = i;
	}
	if (w->n_callees > 1)
		qsort_r(w->callees, w->n_callees, sizeof(*w->callees),
			compare_callees, v);
	return 0;
}

/* Push what is below @from, so that the heaviest is on top. */
static int push(struct view *v, struct walk *w, const struct step *from)
{
	bool fork;

	if (gather(v, w, from->path))
		return PL_ERR_NOMEM;
	if (w->n + w->n_callees > w->capacity) {
		size_t n = 2 * (w->n + w->n_callees) + 64;
		void *p = realloc(w->steps, n * sizeof(*w->steps));

		if (!p)
			return PL_ERR_NOMEM;
		w->steps = p;
		w->capacity = n;
	}
	/* Threads, and functions that nobody calls, hang on nothing. */
	fork = from->path && w->n_callees > 1;
	for (uint32_t i = w->n_callees; i-- > 0;)
		w->steps[w->n++] = (struct step){
			w->callees[i], from->level + fork, fork,
			i + 1 == w->n_callees };
	return 0;
}

typedef void put_fn(void *ctx, const struct view *v, const struct step *s);

static int walk(struct view *v, put_fn *put, void *ctx, struct pl_error *err)
{
	struct step root = { 0 };
	struct walk w = { 0 };
	int rc = push(v, &w, &root);

	while (!rc && w.n) {
		struct step s = w.steps[--w.n];

		put(ctx, v, &s);
		rc = push(v, &w, &s);
	}
	free(w.steps);
	free(w.callees);
	return rc ? no_memory(err) : 0;
}

/* ------------------------------------------------------------------ text -- */

/* Forks that are drawn: what is further to the right has their number in front
 * instead, or a deep tree would take the square of its depth. */
#define MOST_LEVELS 60

struct text {
	struct pl_term term;
	const struct pl_unit *unit;
	bool *more;			/* by level: another branch follows */
	size_t n_more;
};

static void put_lines(struct text *t, const struct step *s, size_t *left)
{
	static const char *const drawn[2][4] = {
		{ "  ", "| ", "|-", "`-" }, { "  ", "│ ", "├─", "└─" },
	};
	const char *const *set = drawn[t->term.utf8];
	uint32_t level = s->level, from = 1;
	char number[32];

	if (level >= t->n_more) {
		size_t n = 2 * (size_t)level + 64;
		void *p = realloc(t->more, n * sizeof(*t->more));

		if (!p)
			return;
		t->more = p;
		t->n_more = n;
	}
	if (level > MOST_LEVELS) {
		from = level - MOST_LEVELS;
		snprintf(number, sizeof(number), "(+%" PRIu32 ") ", from);
		pl_term_put(&t->term, stdout, number, left);
	}
	for (uint32_t i = from; i < level + !s->is_branch; i++)
		pl_term_put(&t->term, stdout, set[t->more[i]], left);
	if (s->is_branch) {
		t->more[level] = !s->is_last;
		pl_term_put(&t->term, stdout, set[2 + s->is_last], left);
	}
	if (level)
		pl_term_put(&t->term, stdout, " ", left);
}

static void put_name(struct text *t, const struct view *v, uint32_t func,
		     size_t *left)
{
	const struct pl_profile *p = &v->stacks.profile;
	const char *cwd = v->stacks.n_processes ? v->stacks.processes[0].cwd
						: NULL;
	const struct pl_pfunc *f;
	char *name;

	if (func >= p->n_funcs) {
		uint32_t i = func - p->n_funcs;

		pl_term_put(&t->term, stdout, i < PL_STACKS_EXTRA ?
			    pl_stacks_extra[i] : v->tops[i - PL_STACKS_EXTRA],
			    left);
		return;
	}
	f = &p->funcs[func];
	name = pl_func_name(f);
	if (name)
		pl_func_write(&t->term, stdout, name, f->file, f->line, cwd,
			      left);
	free(name);
}

/* Columns that the figures take. */
#define FIGURES_WIDTH 46

static void put_text(void *ctx, const struct view *v, const struct step *s)
{
	const struct pl_path *p = &v->paths.paths[s->path];
	double part = percent(v, p->total_ns);
	struct text *t = ctx;
	size_t left = t->term.width > FIGURES_WIDTH ?
		      t->term.width - FIGURES_WIDTH : 1;
	char calls[48] = "";

	if (p->calls && p->calls == p->primitive)
		snprintf(calls, sizeof(calls), "%" PRIu64, p->calls);
	else if (p->calls)
		snprintf(calls, sizeof(calls), "%" PRIu64 "/%" PRIu64,
			 p->calls, p->primitive);
	printf("%s%5.1f%%%s %10.3f %10.3f %15s  ",
	       pl_term_color(&t->term, pl_heat(part)), part,
	       pl_term_color(&t->term, PL_PLAIN),
	       (double)p->total_ns / t->unit->ns, (double)p->self_ns / t->unit->ns, calls);
	put_lines(t, s, &left);
	put_name(t, v, p->func, &left);
	putchar('\n');
}

static void put_head(const struct text *t, const struct view *v)
{
	const struct pl_stacks *s = &v->stacks;

	pl_run_write(&t->term, stdout, s->profile.run_id, v->total, v->calls,
		     s->n_processes ? s->processes[0].command : NULL);
	printf("\n%s%6s %7s %2s %7s %2s %15s%s\n",
	       pl_term_color(&t->term, PL_BOLD), "total", "total",
	       t->unit->name, "self", t->unit->name, "calls",
	       pl_term_color(&t->term, PL_PLAIN));
}

static void put_foot(const struct view *v, uint32_t left_out)
{
	if (v->choice && !v->paths.paths[0].total_ns) {
		puts("\nno call path is like that");
		return;
	}
	if (v->choice)
		printf("\n%.1f%% of the time is on the paths chosen\n",
		       percent(v, v->paths.paths[0].total_ns));
	if (left_out)
		printf("\n%" PRIu32 " lighter call path%s left out: "
		       "-n 0 --min-percent 0 shows all\n", left_out,
		       left_out == 1 ? " is" : "s are");
}

static int print_text(struct view *v, struct pl_error *err)
{
	struct text t = { 0 };
	uint32_t left_out;
	int64_t lines = v->a->lines;
	int rc;

	/* Who says what is too light wants all that is not. */
	pl_term_look(&t.term);
	if (lines < 0 && (v->a->percent >= 0 || v->a->depth >= 0))
		lines = 0;
	else if (lines < 0)
		lines = t.term.height ? (int64_t)t.term.height - 6
				      : DEFAULT_LINES;
	rc = show(v, lines, &left_out, err);
	if (rc)
		return rc;
	t.unit = pl_unit_for(v->total);
	pl_term_page();
	put_head(&t, v);
	rc = walk(v, put_text, &t, err);
	put_foot(v, left_out);
	free(t.more);
	return rc;
}

/* --------------------------------------------------------------- records -- */

static const char *const columns[] = {
	"path", "caller", "depth", "ncalls", "primcalls", "self_ns",
	"total_ns", "percent", "function", "filename", "line", NULL,
};

static void put_record(void *ctx, const struct view *v, const struct step *s)
{
	const struct pl_profile *prof = &v->stacks.profile;
	const struct pl_path *p = &v->paths.paths[s->path];
	const struct pl_pfunc *f = p->func < prof->n_funcs ?
				   &prof->funcs[p->func] : NULL;
	uint32_t extra = p->func - prof->n_funcs;
	char *name = f ? pl_func_name(f) : strdup(extra < PL_STACKS_EXTRA ?
		     pl_stacks_extra[extra] : v->tops[extra - PL_STACKS_EXTRA]);
	struct pl_records *r = ctx;

	pl_records_int(r, s->path);
	pl_records_int(r, p->parent);
	pl_records_int(r, p->depth);
	pl_records_int(r, (int64_t)p->calls);
	pl_records_int(r, (int64_t)p->primitive);
	pl_records_int(r, p->self_ns);
	pl_records_int(r, p->total_ns);
	pl_records_real(r, percent(v, p->total_ns));
	pl_records_text(r, name);
	pl_records_text(r, f ? f->file : NULL);
	pl_records_int(r, f ? f->line : 0);
	free(name);
}

/* How far it is, on the terminal, unless the records go there themselves. */
static FILE *records_stream(void)
{
	return isatty(STDOUT_FILENO) ? stdout :
	       pl_progress_open(stdout, "proflite tree");
}

static int print_records(struct view *v, struct pl_error *err)
{
	struct pl_records r;
	uint32_t left_out;
	FILE *out;
	int rc = show(v, v->a->lines < 0 ? 0 : v->a->lines, &left_out, err);

	if (rc)
		return rc;
	out = records_stream();
	pl_records_begin(&r, out, v->a->format, columns);
	rc = walk(v, put_record, &r, err);
	pl_records_end(&r);
	pl_progress_close(out, stdout);
	return rc;
}

/* ------------------------------------------------------------ the command -- */

static int take_option(struct args *a, const struct pl_cmd *cmd, int opt,
		       const char *arg)
{
	int rc = PL_GO_ON;

	switch (opt) {
	case OPT_LINES:
		return pl_opts_lines(cmd, arg, &a->lines);
	case OPT_DEPTH:
		if (pl_opts_whole(arg, &a->depth))
			return rc;
		return pl_complain(cmd, PL_EXIT_USAGE,
				   "--depth=%s: want a "
				   "whole number",
				   arg);
	case OPT_PERCENT:
		if (pl_opts_number(arg, &a->percent) && a->percent <= 100)
			return rc;
		return pl_complain(cmd, PL_EXIT_USAGE,
				   "--min-percent=%s: want "
				   "a number from 0 to 100",
				   arg);
	case OPT_FOCUS:
		return pl_match_compile(cmd, "focus", arg, &a->focus);
	case OPT_IGNORE:
		return pl_match_compile(cmd, "ignore", arg, &a->ignore);
	case OPT_UNFOLD:
		a->unfold = true;
		return rc;
	case OPT_TOGETHER:
		a->together = true;
		return rc;
	case OPT_OUTPUT:
		if (pl_records_parse(arg, &a->format))
			return rc;
		return pl_complain(cmd, PL_EXIT_USAGE, "--output=%s: want "
				   "text, json or csv", arg);
	}
	return pl_source_option(&a->source, cmd, options[opt].name, arg) < 0 ?
	       PL_EXIT_USAGE : rc;
}

static int parse(struct args *a, const struct pl_cmd *cmd, int argc,
		 char **argv)
{
	struct pl_opts o;
	int opt, rc;

	pl_opts_init(&o, cmd, argc, argv);
	while ((opt = pl_opts_next(&o)) >= 0) {
		rc = take_option(a, cmd, opt, o.arg);
		if (rc != PL_GO_ON)
			return rc;
	}
	if (opt != PL_OPT_END)
		return pl_opts_stop(&o, opt);
	return pl_source_operand(&o, &a->source.db);
}

static int print_tree(const struct args *a, const struct pl_cmd *cmd)
{
	struct view v = { .a = a };
	struct pl_store *store;
	struct pl_error err;
	int rc = pl_source_open(&a->source, cmd, &store);

	if (rc)
		return rc;
	pl_source_note_remarks(cmd, store, a->source.select.run_id);
	rc = load(&v, store, &err);
	pl_store_close(store);
	if (!rc)
		rc = a->format ? print_records(&v, &err)
			       : print_text(&v, &err);
	release(&v);
	return rc ? pl_complain(cmd, PL_EXIT_FAILED, "%s", err.text) : 0;
}

static int run(const struct pl_cmd *cmd, int argc, char **argv)
{
	struct args a = { .lines = -1, .depth = -1, .percent = -1 };
	int status = parse(&a, cmd, argc, argv);

	if (status == PL_GO_ON)
		status = print_tree(&a, cmd);
	pl_pattern_free(a.focus);
	pl_pattern_free(a.ignore);
	return status;
}

const struct pl_cmd pl_cmd_tree = {
	.name = "tree",
	.summary = "print the tree of calls, the heaviest first",
	.synopsis = "[OPTION]... [DB]",
	.options = options,
	.run = run,
};
