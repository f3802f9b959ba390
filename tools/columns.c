/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "columns.h"

#include "names.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum kind { COUNT, CALLS, SELF, TOTAL, PER_CALL, PERCENT };

/* What shows a column that was not named: a table of functions, one of callers
 * or callees, "all".  Records have every one. */
enum { BY_NAME = 0, OF_FUNCS = 1, OF_CALLS = 2, OF_ALL = 4, ALWAYS = 7 };

/* @of: what a percentage is a part of. */
struct pl_column {
	const char *name; /* as said, and in records */
	const char *title; /* on a terminal; a unit follows it */
	enum kind kind;
	int usual; /* on a terminal, when it is not named */
	double (*value)(const struct pl_stat_figures *f,
			const struct pl_stat_figures *of);
	const char *help;
};

#define VALUE(name, expression)                                                \
	static double name(const struct pl_stat_figures *f,                    \
			   const struct pl_stat_figures *of)                   \
	{                                                                      \
		(void)of;                                                      \
		return expression;                                             \
	}

static double part(double of, double all)
{
	return all > 0 ? 100 * of / all : 0;
}

/* No activation has ended: no number. */
static double or_nan(int64_t ns)
{
	return ns < 0 ? NAN : (double)ns;
}

static double per(int64_t ns, uint64_t n)
{
	return n ? (double)ns / (double)n : NAN;
}

VALUE(get_percent, part((double)f->self_ns, (double)of->self_ns))
VALUE(get_self, (double)f->self_ns)
VALUE(get_per_call, per(f->self_ns, f->nc))
VALUE(get_cum_percent, part((double)f->cum_ns, (double)of->cum_ns))
VALUE(get_cum, (double)f->cum_ns)
VALUE(get_mean, per(f->cum_ns, f->cc))
VALUE(get_min, or_nan(f->min_ns))
VALUE(get_max, or_nan(f->max_ns))
VALUE(get_calls, (double)f->nc)
VALUE(get_primitive, (double)f->cc)
VALUE(get_resumes, (double)f->resumes)
VALUE(get_raw_self, (double)f->both.raw.self_ns)
VALUE(get_raw_cum, (double)f->both.raw.cum_ns)
VALUE(get_comp_self, (double)f->both.comp.self_ns)
VALUE(get_comp_cum, (double)f->both.comp.cum_ns)

/* The last four say twice what is there, so they are asked for: with them "all"
 * would be 190 characters wide. */
static const struct pl_column table[] = {
	{ "cumpercent", "total", PERCENT, OF_CALLS | OF_ALL, get_cum_percent,
	 "share of all time, with callees" },
	{ "percent", "self", PERCENT, OF_FUNCS | OF_ALL, get_percent,
	 "share of all internal time" },
	{ "tottime", "self", SELF, ALWAYS, get_self,
	 "internal time: without callees" },
	{ "percall", "self/call", PER_CALL, OF_ALL, get_per_call,
	 "tottime of a call" },
	{ "cumtime", "total", TOTAL, ALWAYS, get_cum,
	 "cumulative time: with callees" },
	{ "mean", "mean", PER_CALL, OF_ALL, get_mean,
	 "cumtime of a call that is not recursive" },
	{ "min", "min", PER_CALL, OF_ALL, get_min,
	 "the shortest time from a call, or resume, to its end" },
	{ "max", "max", PER_CALL, OF_ALL, get_max, "the longest one" },
	{ "ncalls", "calls", CALLS, ALWAYS, get_calls,
	 "calls/those not recursive, if these are fewer" },
	{ "primcalls", "primitive", COUNT, OF_ALL, get_primitive,
	 "calls that are not recursive" },
	{ "resumes", "resumes", COUNT, OF_ALL, get_resumes,
	 "those of ncalls that go on with a generator or coroutine" },
	{ "raw_tottime", "raw self", SELF, BY_NAME, get_raw_self,
	 "tottime as it was measured" },
	{ "comp_tottime", "comp self", SELF, BY_NAME, get_comp_self,
	 "tottime without the profiler's own cost" },
	{ "raw_cumtime", "raw total", TOTAL, BY_NAME, get_raw_cum,
	 "cumtime as it was measured" },
	{ "comp_cumtime", "comp total", TOTAL, BY_NAME, get_comp_cum,
	 "cumtime without the profiler's own cost" },
};

#define N_TABLE (sizeof(table) / sizeof(*table))
_Static_assert(N_TABLE <= PL_COLUMNS_MOST, "each may be named");

static const struct pl_column *find(const char *name, size_t n)
{
	for (size_t i = 0; i < N_TABLE; i++)
		if (strlen(table[i].name) == n &&
		    !memcmp(table[i].name, name, n))
			return &table[i];
	return NULL;
}

static int unknown(const char *name, size_t n, struct pl_error *err)
{
	char names[200] = "";

	for (size_t i = 0; i < N_TABLE; i++) {
		strcat(names, table[i].name);
		strcat(names, ", ");
	}
	return pl_fail(err, PL_ERR_ARG,
		       "unknown column \"%.*s\": want some of "
		       "%sor all, or pstats",
		       (int)n, name, names);
}

int pl_columns_parse(struct pl_columns *c, const char *arg,
		     struct pl_error *err)
{
	size_t n;

	memset(c, 0, sizeof(*c));
	c->pstats = !strcmp(arg, "pstats");
	c->all = !strcmp(arg, "all");
	if (c->pstats || c->all)
		return 0;
	for (;; arg += n + 1) {
		const struct pl_column *column;

		n = strcspn(arg, ",");
		column = find(arg, n);
		if (!column)
			return unknown(arg, n, err);
		for (size_t i = 0; i < c->n; i++)
			if (c->list[i] == column)
				return pl_fail(err, PL_ERR_ARG,
					       "%s is there twice",
					       column->name);
		c->list[c->n++] = column;
		if (!arg[n])
			return 0;
	}
}

bool pl_columns_need_costs(const struct pl_columns *c)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->list[i]->value == get_comp_self ||
		    c->list[i]->value == get_comp_cum)
			return true;
	return false;
}

void pl_columns_help(FILE *f)
{
	fputs("\nCOLUMNS: \"pstats\", \"all\" (without raw_ and comp_), or "
	      "some of these, with\ncommas between them:\n",
	      f);
	for (size_t i = 0; i < N_TABLE; i++)
		fprintf(f, "  %-12s %s\n", table[i].name, table[i].help);
}

/* Those that are shown: what was named, or else all, or the usual. */
static struct pl_columns chosen(const struct pl_columns *said, bool records,
				enum pl_text_form form)
{
	int by = said->all		 ? OF_ALL
		 : form == PL_TEXT_STATS ? OF_FUNCS
					 : OF_CALLS;
	struct pl_columns c = *said;

	for (size_t i = 0; !said->n && i < N_TABLE; i++)
		if (records || table[i].usual & by)
			c.list[c.n++] = &table[i];
	return c;
}

/* ------------------------------------------------------------- the rows -- */

struct rows {
	struct pl_text_view view;
	struct pl_text_calls calls; /* of callers and callees */
	struct pl_stat_figures all; /* the whole run */
	const struct pl_columns_view *how;
	struct pl_columns columns;
	bool has_calls;
};

static struct pl_stat_figures figures_of(const struct rows *r, uint32_t row)
{
	return pl_stat_figures_of(&r->view.stats, &r->view.stats.stats[row]);
}

static struct pl_stat_figures call_figures(const struct rows *r,
					   const struct pl_text_call *call)
{
	return pl_stat_caller_figures(&r->view.stats, call->figures);
}

static int rows_init(struct rows *r, const struct pl_columns_view *how,
		     bool records, struct pl_error *err)
{
	const struct pl_text_options *text = how->text;
	int rc;

	memset(r, 0, sizeof(*r));
	r->how = how;
	r->columns = chosen(how->columns, records, text->form);
	r->has_calls = text->form != PL_TEXT_STATS;
	rc = pl_text_view_init(&r->view, how->profile, text, err);
	if (!rc)
		rc = pl_text_view_select(&r->view, NULL, err);
	if (!rc && r->has_calls)
		rc = pl_text_view_calls(&r->view, text->form == PL_TEXT_CALLEES,
					&r->calls, err);
	for (uint32_t i = 0; !rc && i < r->view.stats.n_items; i++)
		r->all.self_ns = pl_add_ns(r->all.self_ns,
					   figures_of(r, i).self_ns);
	r->all.cum_ns = r->all.self_ns; /* of all threads together */
	return rc;
}

static void rows_release(struct rows *r)
{
	pl_text_calls_release(&r->calls);
	pl_text_view_release(&r->view);
}

static uint32_t n_calls(const struct rows *r, uint32_t row)
{
	return r->calls.first[row + 1] - r->calls.first[row];
}

/* The call that takes longest first. */
static int compare_calls(const void *left, const void *right, void *context)
{
	const struct pl_text_call *l = left, *r = right;
	const struct pl_text_view *v = context;
	int64_t x = pl_stat_caller_figures(&v->stats, l->figures).cum_ns;
	int64_t y = pl_stat_caller_figures(&v->stats, r->figures).cum_ns;

	if (x != y)
		return x > y ? -1 : 1;
	return pl_label_compare(&v->stats.stats[l->other].label,
				&v->stats.stats[r->other].label);
}

static const struct pl_text_call *calls_of(const struct rows *r, uint32_t row)
{
	struct pl_text_call *calls = r->calls.calls + r->calls.first[row];

	qsort_r(calls, n_calls(r, row), sizeof(*calls), compare_calls,
		(void *)&r->view);
	return calls;
}

static const char *name_of(const struct pl_stat *s)
{
	return s->qualname ? s->qualname : s->label.name;
}

/* ------------------------------------------------------------------ text -- */

#define CELL_WIDTH 10
#define CALLS_WIDTH 13

struct text {
	const struct rows *rows;
	const struct pl_term *term;
	const struct pl_unit *units[PL_COLUMNS_MOST];
};

static bool is_time(const struct pl_column *c)
{
	return c->kind == SELF || c->kind == TOTAL || c->kind == PER_CALL;
}

static int width_of(const struct pl_column *c)
{
	int title = (int)strlen(c->title) + (is_time(c) ? 3 : 0);

	return c->kind == CALLS	    ? CALLS_WIDTH
	       : c->kind == PERCENT ? 6
	       : title > CELL_WIDTH ? title
				    : CELL_WIDTH;
}

static void note_largest(const struct text *t, struct pl_stat_figures f,
			 double largest[PL_COLUMNS_MOST])
{
	const struct pl_columns *c = &t->rows->columns;

	for (size_t i = 0; i < c->n; i++) {
		double value = c->list[i]->value(&f, &f);

		if (is_time(c->list[i]) && value > largest[i])
			largest[i] = value;
	}
}

/* What decides a column's unit.  Those of one kind stand beside each other to
 * be compared; single calls differ more than sums: a finer unit, and more
 * digits. */
static double scale_of(const struct pl_columns *c, size_t i,
		       const double largest[PL_COLUMNS_MOST])
{
	enum kind kind = c->list[i]->kind;
	double scale = largest[i];

	if (kind == PER_CALL)
		return scale / 1000;
	for (size_t k = 0; k < c->n; k++)
		if (c->list[k]->kind == kind && largest[k] > scale)
			scale = largest[k];
	return scale;
}

/* One unit a column, or numbers could not be compared at a glance. */
static void choose_units(struct text *t)
{
	const struct pl_text_view *v = &t->rows->view;
	double largest[PL_COLUMNS_MOST] = { 0 };

	for (uint32_t i = 0; i < v->n_list; i++) {
		uint32_t row = v->list[i];
		const struct pl_text_call *calls;

		if (!t->rows->has_calls) {
			note_largest(t, figures_of(t->rows, row), largest);
			continue;
		}
		calls = t->rows->calls.calls + t->rows->calls.first[row];
		for (uint32_t k = 0; k < n_calls(t->rows, row); k++)
			note_largest(t, call_figures(t->rows, &calls[k]),
				     largest);
	}
	for (size_t i = 0; i < t->rows->columns.n; i++)
		t->units[i] =
			pl_unit_for(scale_of(&t->rows->columns, i, largest));
}

static void put_head(const struct text *t)
{
	const struct pl_columns_view *how = t->rows->how;

	pl_run_write(t->term, stdout, how->profile->run_id,
		     (double)t->rows->all.self_ns, t->rows->view.total_calls,
		     how->command);
	putchar('\n');
}

static void put_titles(const struct text *t)
{
	static const char *const last[] = {
		[PL_TEXT_STATS] = "function",
		[PL_TEXT_CALLERS] = "called by",
		[PL_TEXT_CALLEES] = "calls",
	};
	const struct pl_columns *c = &t->rows->columns;

	fputs(pl_term_color(t->term, PL_BOLD), stdout);
	for (size_t i = 0; i < c->n; i++) {
		const struct pl_column *column = c->list[i];
		char title[32];

		snprintf(title, sizeof(title), "%s%s%s", column->title,
			 is_time(column) ? " " : "",
			 is_time(column) ? t->units[i]->name : "");
		printf("%*s ", width_of(column), title);
	}
	printf(" %s%s\n", last[t->rows->how->text->form],
	       pl_term_color(t->term, PL_PLAIN));
}

static void put_cell(const struct text *t, size_t i,
		     const struct pl_stat_figures *f,
		     const struct pl_stat_figures *of)
{
	const struct pl_column *c = t->rows->columns.list[i];
	double value = c->value(f, of);
	int width = width_of(c);
	char cell[48] = "";

	if (c->kind == PERCENT) {
		printf("%s%*.1f%%%s ", pl_term_color(t->term, pl_heat(value)),
		       width - 1, value, pl_term_color(t->term, PL_PLAIN));
		return;
	}
	if (is_time(c) && !isnan(value))
		snprintf(cell, sizeof(cell), "%.3f", value / t->units[i]->ns);
	else if (c->kind == CALLS && f->nc != f->cc)
		snprintf(cell, sizeof(cell), "%" PRIu64 "/%" PRIu64, f->nc,
			 f->cc);
	else if (!is_time(c))
		snprintf(cell, sizeof(cell), "%.0f", value);
	printf("%*s ", width, cell);
}

static void put_row(const struct text *t, const struct pl_stat *s,
		    const struct pl_stat_figures f,
		    const struct pl_stat_figures *of)
{
	size_t used = 1, left;

	for (size_t i = 0; i < t->rows->columns.n; i++) {
		put_cell(t, i, &f, of);
		used += (size_t)width_of(t->rows->columns.list[i]) + 1;
	}
	putchar(' ');
	left = t->term->width > used + 16 ? t->term->width - used : 16;
	pl_func_write(t->term, stdout, name_of(s), s->label.file,
		      s->label.line, t->rows->how->cwd, &left);
	putchar('\n');
}

static void put_group(const struct text *t, uint32_t row)
{
	const struct pl_text_view *v = &t->rows->view;
	const struct pl_stat *s = &v->stats.stats[row];
	const struct pl_text_call *calls = calls_of(t->rows, row);
	const struct pl_stat_figures of = figures_of(t->rows, row);
	size_t left = t->term->width;

	fputs(pl_term_color(t->term, PL_BOLD), stdout);
	pl_func_write(t->term, stdout, name_of(s), s->label.file,
		      s->label.line, t->rows->how->cwd, &left);
	printf("%s\n", pl_term_color(t->term, PL_PLAIN));
	for (uint32_t i = 0; i < n_calls(t->rows, row); i++)
		put_row(t, &v->stats.stats[calls[i].other],
			call_figures(t->rows, &calls[i]), &of);
	if (!n_calls(t->rows, row))
		puts("  none");
	putchar('\n');
}

int pl_columns_print(const struct pl_columns_view *how,
		     const struct pl_term *term, struct pl_text_result *result,
		     struct pl_error *err)
{
	struct rows r;
	struct text t = {.rows = &r, .term = term};
	int rc = rows_init(&r, how, false, err);

	if (rc)
		goto out;
	choose_units(&t);
	put_head(&t);
	if (r.view.n_list)
		put_titles(&t);
	for (uint32_t i = 0; i < r.view.n_list; i++) {
		const struct pl_stat *s = &r.view.stats.stats[r.view.list[i]];

		if (r.has_calls)
			put_group(&t, r.view.list[i]);
		else
			put_row(&t, s, figures_of(&r, r.view.list[i]), &r.all);
	}
	result->n_printed = r.view.n_list;
	result->n_all = r.view.stats.n_items;
out:
	rows_release(&r);
	return rc;
}

/* --------------------------------------------------------------- records -- */

static void put_label(struct pl_records *to, const struct pl_stat *s)
{
	char *name = pl_name_shown(name_of(s), s->label.file);

	pl_records_text(to, name);
	free(name);
	pl_records_text(to, s->label.file);
	pl_records_int(to, s->label.line);
}

static void put_values(struct pl_records *to, const struct rows *r,
		       const struct pl_stat_figures f,
		       const struct pl_stat_figures *of)
{
	for (size_t i = 0; i < r->columns.n; i++) {
		const struct pl_column *c = r->columns.list[i];
		double value = c->value(&f, of);

		if (value == rint(value) && c->kind != PERCENT)
			pl_records_int(to, (int64_t)value);
		else
			pl_records_real(to, value);
	}
}

/* Times in records are nanoseconds and say so: comp_self_ns. */
static void name_column(const struct pl_column *c, char name[24])
{
	const char *stem = strchr(c->name, '_');
	int prefix = stem ? (int)(stem + 1 - c->name) : 0;

	snprintf(name, 24, "%.*s%s%s", prefix, c->name,
		 c->kind == SELF    ? "self"
		 : c->kind == TOTAL ? "total"
				    : c->name,
		 is_time(c) ? "_ns" : "");
}

static void name_columns(const struct rows *r, char (*names)[24],
			 const char **columns)
{
	static const char *const ends[][3] = {
		[PL_TEXT_CALLERS] = { "caller", "caller_filename",
				     "caller_line" },
		[PL_TEXT_CALLEES] = { "callee", "callee_filename",
				     "callee_line" },
	};
	size_t n = 0;

	for (size_t i = 0; i < r->columns.n; i++) {
		name_column(r->columns.list[i], names[i]);
		columns[n++] = names[i];
	}
	columns[n++] = "function";
	columns[n++] = "filename";
	columns[n++] = "line";
	for (size_t i = 0; r->has_calls && i < 3; i++)
		columns[n++] = ends[r->how->text->form][i];
	columns[n] = NULL;
}

static void put_records(struct pl_records *to, const struct rows *r)
{
	const struct pl_stat *stats = r->view.stats.stats;

	for (uint32_t i = 0; i < r->view.n_list; i++) {
		uint32_t row = r->view.list[i];
		const struct pl_stat *s = &stats[row];
		const struct pl_stat_figures of = figures_of(r, row);
		const struct pl_text_call *calls;

		if (!r->has_calls) {
			put_values(to, r, of, &r->all);
			put_label(to, s);
			continue;
		}
		calls = calls_of(r, row);
		for (uint32_t k = 0; k < n_calls(r, row); k++) {
			put_values(to, r, call_figures(r, &calls[k]), &of);
			put_label(to, s);
			put_label(to, &stats[calls[k].other]);
		}
	}
}

int pl_columns_records(const struct pl_columns_view *how,
		       enum pl_records_format format, struct pl_error *err)
{
	const char *columns[PL_COLUMNS_MOST + 7];
	char names[PL_COLUMNS_MOST][24];
	struct pl_records to;
	struct rows r;
	int rc = rows_init(&r, how, true, err);

	if (!rc) {
		name_columns(&r, names, columns);
		pl_records_begin(&to, stdout, format, columns);
		put_records(&to, &r);
		pl_records_end(&to);
	}
	rows_release(&r);
	return rc;
}
