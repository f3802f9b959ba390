/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "pstats_text.h"

#include "export/stats.h"
#include "export/wtf8.h"
#include "pytext.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static int no_memory(struct pl_error *err)
{
	return pl_fail(err, PL_ERR_NOMEM, "out of memory");
}

/* ------------------------------------------------------------- the rows -- */

/* func_std_string() */
static char *std_name(const struct pl_label *label)
{
	size_t n = strlen(label->name);
	char *raw = NULL, *name;
	int rc;

	if (label->line || strcmp(label->file, "~"))
		rc = asprintf(&raw, "%s:%d(%s)", label->file, label->line,
			      label->name);
	else if (n > 1 && label->name[0] == '<' && label->name[n - 1] == '>')
		rc = asprintf(&raw, "{%.*s}", (int)(n - 2), label->name + 1);
	else
		rc = asprintf(&raw, "%s", label->name);
	if (rc < 0)
		return NULL;
	if (pl_wtf8_is_valid(raw, strlen(raw)))
		return raw;
	name = pl_pytext_clean(raw);
	free(raw);
	return name;
}

/* get_top_level_stats(): before strip_dirs, which leaves the sums alone. */
static void add_totals(struct pl_text_view *v)
{
	for (uint32_t i = 0; i < v->stats.n_items; i++) {
		const struct pl_stat_figures f =
			pl_stat_figures_of(&v->stats, &v->stats.stats[i]);

		v->total_calls += f.nc;
		v->prim_calls += f.cc;
		v->total_tt += f.tt;
	}
}

const char *pl_text_view_name(const struct pl_text_view *v, uint32_t row)
{
	char **name = &v->names[row];

	if (!*name) {
		*name = std_name(&v->stats.stats[row].label);
		if (*name && v->options->tame)
			pl_pytext_tame(*name);
	}
	return *name ? *name : "";
}

static void forget_name(struct pl_text_view *v, uint32_t row)
{
	free(v->names[row]);
	v->names[row] = NULL;
}

static size_t widest(const struct pl_text_view *v, const uint32_t *list, uint32_t n)
{
	size_t width = 0;

	for (uint32_t i = 0; i < n; i++) {
		size_t w = pl_wtf8_length(pl_text_view_name(v, list[i]));

		width = w > width ? w : width;
	}
	return width;
}

static int name_rows(struct pl_text_view *v, struct pl_error *err)
{
	uint32_t n = v->stats.n;

	v->names = calloc((size_t)n + 1, sizeof(*v->names));
	v->list = calloc((size_t)n + 1, sizeof(*v->list));
	if (!v->names || !v->list)
		return no_memory(err);
	for (uint32_t i = 0; i < n; i++)
		v->list[i] = i;
	v->n_list = v->stats.n_items;
	return 0;
}

static void order_rows(struct pl_text_view *v);

int pl_text_view_init(struct pl_text_view *v, const struct pl_profile *profile,
		      const struct pl_text_options *options,
		      struct pl_error *err)
{
	int rc;

	memset(v, 0, sizeof(*v));
	v->options = options;
	rc = pl_stats_init(&v->stats, profile, err);
	if (rc)
		return rc;
	add_totals(v);
	if (options->strip_dirs)
		rc = pl_stats_strip_dirs(&v->stats, err);
	if (!rc)
		rc = name_rows(v, err);
	if (!rc)
		order_rows(v);
	return rc;
}

void pl_text_view_release(struct pl_text_view *v)
{
	for (uint32_t i = 0; v->names && i < v->stats.n; i++)
		free(v->names[i]);
	free(v->names);
	free(v->list);
	pl_stats_release(&v->stats);
}

/* ---------------------------------------------------------------- order -- */

#define THREE_WAY(a, b) (((a) > (b)) - ((a) < (b)))

static int compare_field(const struct pl_text_view *v, enum pl_sort_field field,
			 uint32_t a, uint32_t b)
{
	const struct pl_stat *l = &v->stats.stats[a], *r = &v->stats.stats[b];
	const struct pl_stat_figures x = pl_stat_figures_of(&v->stats, l);
	const struct pl_stat_figures y = pl_stat_figures_of(&v->stats, r);

	switch (field) {
	case PL_SORT_CC:
		return THREE_WAY(x.cc, y.cc);
	case PL_SORT_NC:
		return THREE_WAY(x.nc, y.nc);
	case PL_SORT_TT:
		return THREE_WAY(x.tt, y.tt);
	case PL_SORT_CT:
		return THREE_WAY(x.ct, y.ct);
	case PL_SORT_FILE:
		return strcmp(l->label.file, r->label.file);
	case PL_SORT_LINE:
		return THREE_WAY(l->label.line, r->label.line);
	case PL_SORT_NAME:
		return strcmp(l->label.name, r->label.name);
	case PL_SORT_STDNAME:
		return strcmp(pl_text_view_name(v, a), pl_text_view_name(v, b));
	}
	return 0;
}

/* TupleComp.compare(); rows that are equal keep the order of the profile, for
 * Python's sort is stable. */
static int compare_rows(const void *left, const void *right, void *context)
{
	const struct pl_text_view *v = context;
	const uint32_t a = *(const uint32_t *)left;
	const uint32_t b = *(const uint32_t *)right;

	for (size_t k = 0; k < v->options->n_keys; k++) {
		const struct pl_sort_key *key = v->options->keys[k];

		for (size_t i = 0; i < key->n_steps; i++) {
			int c = compare_field(v, key->steps[i].field, a, b);

			if (c)
				return c * key->steps[i].direction;
		}
	}
	return THREE_WAY(a, b);
}

static void order_rows(struct pl_text_view *v)
{
	if (!v->options->n_keys)
		return;			/* reverse_order() does nothing then */
	qsort_r(v->list, v->n_list, sizeof(*v->list), compare_rows, v);
	for (uint32_t i = 0; v->options->reverse && i < v->n_list / 2; i++) {
		uint32_t *other = &v->list[v->n_list - 1 - i];
		uint32_t row = v->list[i];

		v->list[i] = *other;
		*other = row;
	}
}

static void print_order(FILE *out, const struct pl_text_view *v)
{
	const char *connector = "   Ordered by: ";

	if (!v->options->n_keys)
		fputs("   Random listing order was used", out);
	for (size_t k = 0; k < v->options->n_keys; k++) {
		fprintf(out, "%s%s", connector, v->options->keys[k]->title);
		connector = ", ";
	}
	putc('\n', out);
}

/* --------------------------------------------------------- restrictions -- */

static int keep_matching(struct pl_text_view *v, const struct pl_restriction *r,
			 struct pl_error *err)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < v->n_list; i++) {
		const char *name = pl_text_view_name(v, v->list[i]);
		int found = pl_pattern_search(r->pattern, name, strlen(name));

		if (found < 0)
			return pl_fail(err, PL_ERR_FULL,
				       "the search for \"%s\" takes too long",
				       r->text);
		if (found)
			v->list[kept++] = v->list[i];
		else
			forget_name(v, v->list[i]);
	}
	v->n_list = kept;
	return 0;
}

/* "<%r>" of the restriction. */
static int print_restriction(FILE *out, const struct pl_restriction *r,
			     struct pl_error *err)
{
	char number[32], *repr;

	switch (r->kind) {
	case PL_RESTRICT_COUNT:
		fprintf(out, "<%" PRId64 ">", r->count);
		return 0;
	case PL_RESTRICT_FRACTION:
		pl_pyfloat_repr(r->fraction, number);
		fprintf(out, "<%s>", number);
		return 0;
	case PL_RESTRICT_REGEX:
		repr = pl_pytext_repr(r->text);
		if (!repr)
			return no_memory(err);
		putc('<', out);
		if (!r->pattern)
			fputs("Invalid regular expression ", out);
		pl_pytext_put(out, repr);
		putc('>', out);
		free(repr);
	}
	return 0;
}

/* eval_print_amount() */
static int restrict_rows(FILE *out, struct pl_text_view *v,
			 const struct pl_restriction *r, struct pl_error *err)
{
	uint32_t before = v->n_list;
	int rc = 0;

	if (r->kind == PL_RESTRICT_REGEX && r->pattern)
		rc = keep_matching(v, r, err);
	else if (r->kind == PL_RESTRICT_FRACTION && r->fraction >= 0.0 &&
		 r->fraction < 1.0)
		v->n_list = (uint32_t)((double)before * r->fraction + .5);
	else if (r->kind == PL_RESTRICT_COUNT && r->count >= 0 &&
		 r->count < before)
		v->n_list = (uint32_t)r->count;
	if (rc)
		return rc;
	if (r->kind == PL_RESTRICT_REGEX && !r->pattern)
		fputs("   ", out);
	else if (v->n_list != before)
		fprintf(out, "   List reduced from %u to %u due to "
			"restriction ", before, v->n_list);
	else
		return 0;
	rc = print_restriction(out, r, err);
	putc('\n', out);
	return rc;
}

/* get_print_list(): nothing is printed of a list that became empty. */
int pl_text_view_select(struct pl_text_view *v, FILE *out,
			struct pl_error *err)
{
	char *head = NULL;
	size_t size;
	FILE *f = open_memstream(&head, &size);
	int rc = 0;

	if (!f)
		return no_memory(err);
	print_order(f, v);
	for (size_t i = 0; i < v->options->n_restrictions && !rc; i++)
		rc = restrict_rows(f, v, &v->options->restrictions[i], err);
	if (fclose(f) && !rc)
		rc = no_memory(err);
	if (!rc && v->n_list && out) {
		fwrite(head, 1, size, out);
		putc('\n', out);
	}
	free(head);
	/* The table of columns has its own names. */
	if (out)
		v->name_width = widest(v, v->list, v->n_list);
	for (uint32_t i = 0; !rc && out && i < v->n_list; i++)
		if (!v->names[v->list[i]])
			rc = no_memory(err);
	return rc;
}

/* -------------------------------------------------------------- columns -- */

#define CELL 64

/* One column of print_stats: how wide, and what stands in it. */
struct column {
	const char *title;
	int width;
	void (*cell)(char buf[CELL], const struct pl_stat_figures *f);
};

/* "5/1" when some of the calls were recursive. */
static void cell_calls(char buf[CELL], const struct pl_stat_figures *f)
{
	int n = snprintf(buf, CELL, "%" PRIu64, f->nc);

	if (f->nc != f->cc)
		snprintf(buf + n, CELL - (size_t)n, "/%" PRIu64, f->cc);
}

/* f8() */
static void put_seconds(char buf[CELL], double seconds)
{
	snprintf(buf, CELL, "%8.3f", seconds);
}

static void cell_tottime(char buf[CELL], const struct pl_stat_figures *f)
{
	put_seconds(buf, f->tt);
}

static void cell_tottime_percall(char buf[CELL],
				 const struct pl_stat_figures *f)
{
	buf[0] = '\0';
	if (f->nc)
		put_seconds(buf, f->tt / (double)f->nc);
}

static void cell_cumtime(char buf[CELL], const struct pl_stat_figures *f)
{
	put_seconds(buf, f->ct);
}

static void cell_cumtime_percall(char buf[CELL],
				 const struct pl_stat_figures *f)
{
	buf[0] = '\0';
	if (f->cc)
		put_seconds(buf, f->ct / (double)f->cc);
}

static const struct column columns[] = {
	{ "ncalls", 9, cell_calls },
	{ "tottime", 8, cell_tottime },
	{ "percall", 8, cell_tottime_percall },
	{ "cumtime", 8, cell_cumtime },
	{ "percall", 8, cell_cumtime_percall },
};

#define N_COLUMNS (sizeof(columns) / sizeof(*columns))

static void print_row(FILE *out, const struct pl_text_view *v, uint32_t row)
{
	const struct pl_stat_figures f =
		pl_stat_figures_of(&v->stats, &v->stats.stats[row]);
	char cell[CELL];

	for (size_t i = 0; i < N_COLUMNS; i++) {
		columns[i].cell(cell, &f);
		fprintf(out, "%*s ", columns[i].width, cell);
	}
	pl_pytext_put(out, pl_text_view_name(v, row));
	putc('\n', out);
}

static void print_summary(FILE *out, const struct pl_text_view *v)
{
	fprintf(out, "         %" PRIu64 " function calls ", v->total_calls);
	if (v->total_calls != v->prim_calls)
		fprintf(out, "(%" PRIu64 " primitive calls) ", v->prim_calls);
	fprintf(out, "in %.3f seconds\n\n", v->total_tt);
}

static void print_rows(FILE *out, const struct pl_text_view *v)
{
	for (size_t i = 0; i < N_COLUMNS; i++)
		fprintf(out, "%*s ", columns[i].width, columns[i].title);
	fputs("filename:lineno(function)\n", out);
	for (uint32_t i = 0; i < v->n_list; i++)
		print_row(out, v, v->list[i]);
}

/* -------------------------------------------------- callers and callees -- */

static int compare_calls(const void *left, const void *right, void *context)
{
	const struct pl_text_view *v = context;
	const struct pl_text_call *l = left, *r = right;

	return pl_label_compare(&v->stats.stats[l->other].label,
				&v->stats.stats[r->other].label);
}

/* calc_callees(), or the callers as they are, in one form: counting sort. */
static void group_calls(const struct pl_text_view *v, struct pl_text_calls *c,
			bool callees)
{
	const struct pl_stats *s = &v->stats;

	for (int round = 0; round < 2; round++) {
		for (uint32_t i = 0; i < s->n; i++) {
			const struct pl_stat *stat = &s->stats[i];

			for (uint32_t k = 0; k < stat->n_callers; k++) {
				const struct pl_stat_caller *e =
					&s->callers[stat->first_caller + k];
				uint32_t row = callees ? e->caller : i;
				uint32_t other = callees ? i : e->caller;

				if (!round)
					c->first[row + 1]++;
				else
					c->calls[--c->first[row + 1]] =
						(struct pl_text_call){
							other,
							e->figures };
			}
		}
		for (uint32_t i = 0; !round && i < s->n; i++)
			c->first[i + 1] += c->first[i];
	}
	/* Filling from the end has moved first[row + 1] to first[row]. */
	memmove(c->first, c->first + 1, s->n * sizeof(*c->first));
	c->first[s->n] = s->n_callers;
}

int pl_text_view_calls(const struct pl_text_view *v, bool callees,
		       struct pl_text_calls *c, struct pl_error *err)
{
	c->calls = calloc((size_t)v->stats.n_callers + 1, sizeof(*c->calls));
	c->first = calloc((size_t)v->stats.n + 2, sizeof(*c->first));
	if (!c->calls || !c->first) {
		pl_text_calls_release(c);
		return no_memory(err);
	}
	group_calls(v, c, callees);
	return 0;
}

void pl_text_calls_release(struct pl_text_calls *c)
{
	free(c->calls);
	free(c->first);
	memset(c, 0, sizeof(*c));
}

static void print_call(FILE *out, const struct pl_text_view *v,
		       const struct pl_text_call *call, size_t name_size,
		       bool first)
{
	const struct pl_stat_figures f =
		pl_stat_caller_figures(&v->stats, call->figures);
	char cell[CELL], tt[CELL], ct[CELL];

	cell_calls(cell, &f);
	put_seconds(tt, f.tt);
	put_seconds(ct, f.ct);
	if (!first)
		fprintf(out, "%*s", (int)name_size + 1, "");
	fprintf(out, "%*s %s %s  ", first ? 7 : 9, cell, tt, ct);
	pl_pytext_put(out, pl_text_view_name(v, call->other));
	putc('\n', out);
}

static void print_call_row(FILE *out, const struct pl_text_view *v,
			   const struct pl_text_calls *c, uint32_t row,
			   size_t name_size, const char *arrow)
{
	struct pl_text_call *calls = c->calls + c->first[row];
	uint32_t n = c->first[row + 1] - c->first[row];

	pl_pytext_put_left(out, pl_text_view_name(v, row), name_size);
	fprintf(out, "%s ", arrow);
	if (!n)
		putc('\n', out);
	/* Labels are unique, so the sort need not be stable. */
	qsort_r(calls, n, sizeof(*calls), compare_calls, (void *)v);
	for (uint32_t i = 0; i < n; i++)
		print_call(out, v, &calls[i], name_size, !i);
}

static int print_calls(FILE *out, const struct pl_text_view *v, struct pl_error *err)
{
	bool callees = v->options->form == PL_TEXT_CALLEES;
	size_t name_size = v->name_width + 2;
	struct pl_text_calls c;
	int rc = pl_text_view_calls(v, callees, &c, err);

	if (rc)
		return rc;
	pl_pytext_put_left(out, "Function ", name_size);
	fputs(callees ? "called...\n" : "was called by...\n", out);
	/* pstats looks at the first dictionary of callers that has any. */
	if (v->stats.n_callers)
		fprintf(out, "%*s    ncalls  tottime  cumtime\n",
			(int)name_size, "");
	for (uint32_t i = 0; i < v->n_list; i++)
		print_call_row(out, v, &c, v->list[i], name_size,
			       callees ? "->" : "<-");
	pl_text_calls_release(&c);
	return 0;
}

/* ------------------------------------------------------------------------ */

int pl_pstats_text_print(FILE *out, const struct pl_profile *profile,
			 const struct pl_text_options *options,
			 struct pl_text_result *result, struct pl_error *err)
{
	struct pl_text_view v;
	int rc = pl_text_view_init(&v, profile, options, err);

	if (rc)
		goto out;
	if (options->form == PL_TEXT_STATS)
		print_summary(out, &v);
	rc = pl_text_view_select(&v, out, err);
	if (rc || !v.n_list)
		goto out;
	if (options->form == PL_TEXT_STATS)
		print_rows(out, &v);
	else
		rc = print_calls(out, &v, err);
	fputs("\n\n", out);
out:
	if (result) {
		result->n_printed = v.n_list;
		result->n_all = v.stats.n_items;
	}
	pl_text_view_release(&v);
	return rc;
}
