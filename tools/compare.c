/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "compare.h"

#include "export/labels.h"
#include "export/paths.h"
#include "export/stacks.h"
#include "names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Figures are kept by run and key: figures[run][key * PL_N_METRICS + metric].
 * A key is a function, or a path of them; both are found by numbers that grow
 * as runs are read, so every run's array is as long as was known then.
 */
struct pl_compare_private {
	const struct pl_compare_options *options;
	struct pl_error *err;
	struct pl_labels labels;	/* of both sides; their texts are ours */
	int *lines;			/* by label */
	bool *matches;			/* by label: --only */
	uint32_t n_labels;		/* of lines and matches */
	struct pl_paths paths;

	double **figures;		/* by run: those of A, those of B */
	uint32_t *n_keys;		/* by run */
	size_t n_runs, n_a;
	double *values;			/* of one figure, by run */
	double all[PL_N_METRICS];	/* of all functions, in B */
};

static int no_memory(struct pl_error *err)
{
	return pl_fail(err, PL_ERR_NOMEM, "out of memory");
}

/* ----------------------------------------------------- names of functions -- */

/* "<method x of <Foo object at 0x7f12>>": without what no two runs share. */
static void strip_addresses(char *name)
{
	static const char mark[] = " at 0x";
	char *p = name;

	while ((p = strstr(p, mark))) {
		char *end = p + sizeof(mark) - 1;

		end += strspn(end, "0123456789abcdefABCDEF");
		memmove(p, end, strlen(end) + 1);
	}
}

/* Takes @file and @name, which stay only if the label is a new one. */
static int add_label(struct pl_compare_private *p, char *file, char *name,
		     uint32_t *number)
{
	const struct pl_label label = { .file = file, .name = name };
	uint32_t before = p->labels.n;
	int rc = file && name ?
			 pl_labels_add(&p->labels, label, number, p->err) :
			 no_memory(p->err);

	if (rc || p->labels.n == before) {
		free(file);
		free(name);
	}
	return rc;
}

static int label_func(struct pl_compare_private *p, const struct pl_pfunc *f,
		      const char *cwd, uint32_t *number)
{
	const char *file = pl_short_file(f->file, cwd);
	const char *slash = strrchr(file, '/');
	char *name = pl_func_name(f);

	if (p->options->strip_dirs && slash && slash[1])
		file = slash + 1;
	if (name)
		strip_addresses(name);
	return add_label(p, strdup(file), name, number);
}

static int make_room(struct pl_compare_private *p)
{
	uint32_t n = p->labels.capacity;
	bool *matches;
	int *lines;

	if (n <= p->n_labels)
		return 0;
	lines = realloc(p->lines, n * sizeof(*lines));
	if (!lines)
		return no_memory(p->err);
	p->lines = lines;
	matches = realloc(p->matches, n * sizeof(*matches));
	if (!matches)
		return no_memory(p->err);
	p->matches = matches;
	memset(lines + p->n_labels, 0, (n - p->n_labels) * sizeof(*lines));
	memset(matches + p->n_labels, 0, (n - p->n_labels) * sizeof(*matches));
	p->n_labels = n;
	return 0;
}

/* numbers[i]: the label of function i, and then of those of stacks.h. */
static int number_funcs(struct pl_compare_private *p,
			const struct pl_profile *prof, const char *cwd,
			const uint8_t *chosen, uint32_t *numbers)
{
	for (uint32_t i = 0; i < prof->n_funcs + PL_STACKS_EXTRA; i++) {
		bool extra = i >= prof->n_funcs;
		const char *name =
			extra ? pl_stacks_extra[i - prof->n_funcs] : NULL;
		int rc = extra ? add_label(p, strdup("~"), strdup(name),
					   &numbers[i]) :
				 label_func(p, &prof->funcs[i], cwd,
					    &numbers[i]);

		if (!rc)
			rc = make_room(p);
		if (rc)
			return rc;
		p->lines[numbers[i]] = extra ? 0 : prof->funcs[i].line;
		p->matches[numbers[i]] |= !p->options->only ||
					  (!extra && chosen[i]);
	}
	return 0;
}

/* ------------------------------------------------------------- one run -- */

static int new_run(struct pl_compare_private *p, uint32_t n_keys, double **out)
{
	*out = calloc(((size_t)n_keys + 1) * PL_N_METRICS, sizeof(**out));
	if (!*out)
		return no_memory(p->err);
	p->figures[p->n_runs] = *out;
	p->n_keys[p->n_runs++] = n_keys;
	return 0;
}

static int add_functions(struct pl_compare_private *p,
			 const struct pl_profile *prof, const uint32_t *numbers)
{
	double *figures;
	int rc = new_run(p, p->labels.n, &figures);

	for (uint32_t i = 0; !rc && i < prof->n_funcs; i++) {
		const struct pl_figures *f = &prof->funcs[i].f;
		double *to = figures + (size_t)numbers[i] * PL_N_METRICS;

		to[PL_NCALLS] += (double)(f->calls + f->resumes);
		to[PL_PRIMCALLS] += (double)f->primitive;
		to[PL_TOTTIME] += (double)f->self_ns;
		to[PL_CUMTIME] += (double)f->cum_ns;
	}
	return rc;
}

/* The paths that are known stay, with the figures of this run alone. */
static void clear_paths(struct pl_paths *paths)
{
	for (uint32_t i = 0; i < paths->n; i++) {
		paths->paths[i].calls = paths->paths[i].primitive = 0;
		paths->paths[i].self_ns = paths->paths[i].total_ns = 0;
	}
}

static int add_paths(struct pl_compare_private *p, struct pl_stacks *s,
		     const uint32_t *numbers)
{
	double *figures;
	int rc;

	rc = pl_paths_reserve(&p->paths, p->labels.n, p->err);
	if (rc)
		return rc;
	clear_paths(&p->paths);
	p->paths.rename = numbers;
	while ((rc = pl_stacks_next(s, p->err)) > 0) {
		rc = pl_paths_add(&p->paths, 0, &s->tree, p->err);
		if (rc)
			return rc;
	}
	if (!rc)
		rc = new_run(p, p->paths.n, &figures);
	if (rc)
		return rc;
	pl_paths_add_up(&p->paths);
	for (uint32_t i = 1; i < p->paths.n; i++) {
		const struct pl_path *path = &p->paths.paths[i];
		double *to = figures + (size_t)i * PL_N_METRICS;

		to[PL_NCALLS] = (double)path->calls;
		to[PL_PRIMCALLS] = (double)path->primitive;
		to[PL_TOTTIME] = (double)path->self_ns;
		to[PL_CUMTIME] = (double)path->total_ns;
	}
	return 0;
}

static int choose(struct pl_compare_private *p, const struct pl_profile *prof,
		  uint8_t **chosen)
{
	int64_t n;

	*chosen = NULL;
	if (!p->options->only)
		return 0;
	*chosen = calloc((size_t)prof->n_funcs + 1, 1);
	if (!*chosen)
		return no_memory(p->err);
	n = pl_match_funcs(p->options->only, prof, 1, *chosen, p->err);
	return n < 0 ? (int)n : 0;
}

static int add_loaded(struct pl_compare_private *p, struct pl_stacks *s,
		      const struct pl_profile *prof, const char *cwd)
{
	uint32_t *numbers = calloc((size_t)prof->n_funcs + PL_STACKS_EXTRA,
				   sizeof(*numbers));
	uint8_t *chosen;
	int rc = choose(p, prof, &chosen);

	if (!rc && !numbers)
		rc = no_memory(p->err);
	if (!rc)
		rc = number_funcs(p, prof, cwd, chosen, numbers);
	if (!rc)
		rc = s ? add_paths(p, s, numbers)
		       : add_functions(p, prof, numbers);
	free(numbers);
	free(chosen);
	return rc;
}

static int add_run(struct pl_compare_private *p, const struct pl_side *side,
		   const struct pl_run *run, bool *folded)
{
	struct pl_select select = { .run_id = run->id };
	struct pl_profile prof;
	struct pl_stacks s;
	int rc;

	if (p->options->paths) {
		rc = pl_stacks_open(&s, side->store, &select, 0, p->err);
		if (!rc)
			rc = add_loaded(p, &s, &s.profile, run->cwd);
		*folded |= s.profile.folded;
		pl_stacks_close(&s);
		return rc;
	}
	rc = pl_store_load(side->store, &select, false, &prof, p->err);
	if (rc)
		return rc;
	*folded |= prof.folded;
	rc = add_loaded(p, NULL, &prof, run->cwd);
	pl_profile_release(&prof);
	return rc;
}

/* ------------------------------------------------------------ both sides -- */

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void summarize(double *values, size_t n, double *median, double *low,
		      double *high)
{
	/* One run a side is what most compare, and the call costs as much as
	 * all the rest here. */
	if (n > 1)
		qsort(values, n, sizeof(*values), by_value);
	*low = values[0];
	*high = values[n - 1];
	*median = n % 2 ? values[n / 2]
			: (values[n / 2 - 1] + values[n / 2]) / 2;
}

/* Of the figure that p->values has. */
static void make_change(const struct pl_compare_private *p, struct pl_change *c)
{
	summarize(p->values, p->n_a, &c->a, &c->a_low, &c->a_high);
	summarize(p->values + p->n_a, p->n_runs - p->n_a, &c->b, &c->b_low,
		  &c->b_high);
}

static uint32_t label_of(const struct pl_compare_private *p, uint32_t key)
{
	return p->options->paths ? p->paths.paths[key].func : key;
}

bool pl_compare_row(const struct pl_comparison *c, uint32_t key,
		    struct pl_compare_row *row)
{
	const struct pl_compare_private *p = c->priv;
	uint32_t label = label_of(p, key);
	bool is_there = false;

	/* The root of all paths is no function. */
	if (label >= p->labels.n || !p->matches[label])
		return false;
	for (int m = 0; m < PL_N_METRICS; m++) {
		for (size_t r = 0; r < p->n_runs; r++) {
			p->values[r] = key < p->n_keys[r] ?
				p->figures[r][(size_t)key * PL_N_METRICS +
					      (size_t)m] : 0;
			is_there |= p->values[r] != 0;
		}
		make_change(p, &row->changes[m]);
		row->changes[m].all = p->all[m];
		row->changes[m].is_all = false;
	}
	row->file = p->labels.labels[label].file;
	row->line = p->lines[label];
	return is_there;
}

/* Sums by run of the keys that are chosen, or of all. */
static void add_up(const struct pl_compare_private *p, bool all, int metric)
{
	/* Times of callees are in those of callers. */
	size_t m = metric == PL_CUMTIME ? PL_TOTTIME : (size_t)metric;

	for (size_t r = 0; r < p->n_runs; r++) {
		p->values[r] = 0;
		for (uint32_t key = 0; key < p->n_keys[r]; key++) {
			uint32_t label = label_of(p, key);

			if (label < p->labels.n && (all || p->matches[label]))
				p->values[r] += p->figures[r]
					[(size_t)key * PL_N_METRICS + m];
		}
	}
}

static void add_totals(struct pl_comparison *c)
{
	struct pl_compare_private *p = c->priv;

	for (int m = 0; m < PL_N_METRICS; m++) {
		struct pl_change *change = &c->total.changes[m];

		add_up(p, true, m);
		make_change(p, change);
		p->all[m] = change->b;
		if (p->options->only) {
			add_up(p, false, m);
			make_change(p, change);
		}
		change->all = p->all[m];
		change->is_all = !p->options->only;
	}
	c->total.file = "~";
}

char *pl_compare_name(const struct pl_comparison *c, uint32_t key)
{
	const struct pl_compare_private *p = c->priv;
	const struct pl_path *paths = p->paths.paths;
	char *text, *to;
	size_t size = 1;

	if (!p->options->paths)
		return strdup(p->labels.labels[key].name);
	for (uint32_t i = key; i; i = paths[i].parent)
		size += strlen(p->labels.labels[paths[i].func].name) + 3;
	text = malloc(size);
	if (!text)
		return NULL;
	/* From its end, for that is where paths are climbed from. */
	to = text + size - 1;
	*to = '\0';
	for (uint32_t i = key; i; i = paths[i].parent) {
		const char *name = p->labels.labels[paths[i].func].name;

		to = memcpy(to - strlen(name), name, strlen(name));
		if (paths[i].parent)
			to = memcpy(to - 3, " > ", 3);
	}
	return memmove(text, to, strlen(to) + 1);
}

static int add_side(struct pl_comparison *c, const struct pl_side *side)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < side->n; i++)
		rc = add_run(c->priv, side, side->runs[i], &c->folded);
	return rc;
}

static int prepare(struct pl_compare_private *p, size_t n_runs)
{
	p->figures = calloc(n_runs, sizeof(*p->figures));
	p->n_keys = calloc(n_runs, sizeof(*p->n_keys));
	p->values = calloc(n_runs, sizeof(*p->values));
	if (!p->figures || !p->n_keys || !p->values)
		return no_memory(p->err);
	p->paths.fold = true;
	return p->options->paths ? pl_paths_init(&p->paths, 0, p->err) : 0;
}

int pl_compare(struct pl_comparison *c, const struct pl_side *a,
	       const struct pl_side *b,
	       const struct pl_compare_options *options, struct pl_error *err)
{
	struct pl_compare_private *p = calloc(1, sizeof(*p));
	int rc;

	memset(c, 0, sizeof(*c));
	if (!p)
		return no_memory(err);
	c->priv = p;
	p->options = options;
	p->err = err;
	p->n_a = a->n;
	rc = prepare(p, a->n + b->n);
	if (!rc)
		rc = add_side(c, a);
	if (!rc)
		rc = add_side(c, b);
	if (rc)
		return rc;
	c->n_keys = options->paths ? p->paths.n : p->labels.n;
	c->none_match = options->only != NULL;
	for (uint32_t i = 0; i < p->labels.n && c->none_match; i++)
		c->none_match = !p->matches[i];
	add_totals(c);
	return 0;
}

void pl_comparison_release(struct pl_comparison *c)
{
	struct pl_compare_private *p = c->priv;

	if (!p)
		return;
	for (size_t r = 0; r < p->n_runs; r++)
		free(p->figures[r]);
	for (uint32_t i = 0; i < p->labels.n; i++) {
		free((char *)p->labels.labels[i].file);
		free((char *)p->labels.labels[i].name);
	}
	free(p->figures);
	free(p->n_keys);
	free(p->values);
	free(p->lines);
	free(p->matches);
	pl_labels_release(&p->labels);
	pl_paths_release(&p->paths);
	free(p);
	memset(c, 0, sizeof(*c));
}
