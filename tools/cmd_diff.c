/* SPDX-License-Identifier: MIT */
/*
 * diff: what became slower, faster, new, or is gone?  And: is that allowed?
 *
 *	A  run 1 of app.db: python3 app.py
 *	B  run 2 of app.db: python3 app.py
 *
 *	 tottime A  tottime B     change          ncalls A  ncalls B
 *	  2.103 ms   3.214 ms  +1.111 ms   +53%       1000      1500  slower  parse
 *
 *	failed: ncalls > +0%
 *	  parse  app.py:20  ncalls 1000 -> 1500 (+500, +50%)
 */
#include <config.h>

#include "cmd.h"
#include "compare.h"
#include "gate.h"
#include "names.h"
#include "records.h"
#include "sides.h"
#include "source.h"
#include "table.h"
#include "term.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_LINES 20
/* Offending rows of one expression that are printed. */
#define MOST_OFFENDERS 50

enum { OPT_FAIL_IF, OPT_ONLY, OPT_BASE, OPT_PATHS, OPT_SORT, OPT_LINES,
       OPT_STRIP, OPT_QUIET, OPT_OUTPUT };

static const struct pl_opt options[] = {
	[OPT_FAIL_IF] = { "fail-if", 0, "EXPR",
			  "exit 1 if it holds of a function; may be repeated" },
	[OPT_ONLY] = { "only", 0, "RE", "only functions that match" },
	[OPT_BASE] = { "base", 0, "LABEL", "A is the runs labelled LABEL" },
	[OPT_PATHS] = { "paths", 0, NULL, "compare call paths" },
	[OPT_SORT] = { "sort", 's', "METRIC",
		       "by the change of ncalls, primcalls, tottime, cumtime" },
	[OPT_LINES] = { "lines", 'n', "N", "print N rows at most, 0 for all" },
	[OPT_STRIP] = { "strip-dirs", 0, NULL,
			"file names without their folders" },
	[OPT_QUIET] = { "quiet", 'q', NULL, "print only what --fail-if finds" },
	[OPT_OUTPUT] = { "output", 'o', "FORMAT", "text, json or csv" },
	{ NULL, 0, NULL, NULL },
};

struct args {
	struct pl_compare_options compare;
	struct pl_pattern *only;
	const char *only_text;
	struct pl_gate **gates;
	size_t n_gates;
	const char *base;
	enum pl_metric_id sort;
	int64_t lines;			/* -1: not said */
	bool quiet;
	enum pl_records_format format;
	char **operands;
	int n_operands;
};

/* A row that has changed, and by how much. */
struct ranked {
	uint32_t key;
	bool is_noise;
	double weight;
};

/* The rows that matter most; what a table of twenty lines leaves out is counted
 * and not sorted. */
struct ranking {
	struct ranked *rows;
	uint32_t n, capacity;
	uint32_t wanted;
	uint32_t n_all;
};

struct view {
	const struct args *a;
	const struct pl_cmd *cmd;
	struct pl_side side[2];
	struct pl_comparison c;
	struct ranking changed;
	struct pl_term term;
	bool failed;
};

static int no_memory(const struct pl_cmd *cmd)
{
	return pl_complain(cmd, PL_EXIT_FAILED, "out of memory");
}

/* --------------------------------------------------------------- figures -- */

static const char *what(const struct pl_compare_row *row, enum pl_metric_id m)
{
	const struct pl_change *n = &row->changes[PL_NCALLS];
	const struct pl_change *c = &row->changes[m];

	if (!n->a_high && n->b_low > 0)
		return "new";
	if (!n->b_high && n->a_low > 0)
		return "gone";
	if (pl_change_is_noise(c))
		return "noise";
	if (c->a == c->b)
		return n->a == n->b ? "" : "calls";
	if (!pl_metrics[m].is_time)
		return c->b > c->a ? "more" : "fewer";
	return c->b > c->a ? "slower" : "faster";
}

/* 1.234 ms, -5 ns, 12 */
static void format_value(char buf[32], const struct pl_metric *m, double value,
			 bool sign)
{
	static const struct { const char *name; double ns; } units[] = {
		{ "s", 1e9 }, { "ms", 1e6 }, { "us", 1e3 }, { "ns", 1 },
	};
	const char *plus = sign && value > 0 ? "+" : "";
	size_t i = 0;

	if (!m->is_time) {
		snprintf(buf, 32, "%s%.10g", plus, value);
		return;
	}
	while (i < 3 && fabs(value) < units[i].ns)
		i++;
	snprintf(buf, 32, "%s%.*f %s", plus, i < 3 ? 3 : 0,
		 value / units[i].ns, units[i].name);
}

static void format_percent(char buf[32], const struct pl_change *c)
{
	double part = c->a > 0 ? 100 * (c->b - c->a) / c->a : INFINITY;

	if (c->a == c->b)
		strcpy(buf, "");
	else if (isinf(part))
		strcpy(buf, "new");
	else
		snprintf(buf, 32, "%+.1f%%", part);
}

/* ------------------------------------------------------------------ rows -- */

static int by_weight(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;

	if (x->is_noise != y->is_noise)
		return x->is_noise ? 1 : -1;
	if (x->weight != y->weight)
		return x->weight > y->weight ? -1 : 1;
	return x->key < y->key ? -1 : x->key > y->key;
}

/* Of at most @n_rows the first @wanted. */
static int ranking_init(struct ranking *r, uint32_t n_rows, uint32_t wanted)
{
	*r = (struct ranking){
		.wanted = wanted,
		.capacity = wanted < n_rows / 2 ? 2 * wanted : n_rows,
	};
	r->rows = malloc(((size_t)r->capacity + 1) * sizeof(*r->rows));
	return r->rows ? 0 : PL_ERR_NOMEM;
}

static void ranking_sort(struct ranking *r)
{
	qsort(r->rows, r->n, sizeof(*r->rows), by_weight);
	if (r->n > r->wanted)
		r->n = r->wanted;
}

static void ranking_add(struct ranking *r, uint32_t key,
			const struct pl_change *c)
{
	const struct ranked row = { key, pl_change_is_noise(c),
				    fabs(c->b - c->a) };

	r->n_all++;
	if (r->n == r->capacity)
		ranking_sort(r);
	/* Those up to wanted are in order once some were left out. */
	if (r->n_all > r->capacity &&
	    by_weight(&r->rows[r->wanted - 1], &row) < 0)
		return;
	r->rows[r->n++] = row;
}

/* In what is printed of it: of a caller whose callee is slower that is not so,
 * unless cumtime is asked for. */
static bool differs(const struct view *v, const struct pl_compare_row *row)
{
	for (int m = 0; m < PL_N_METRICS; m++)
		if ((v->a->format || m == (int)v->a->sort || m == PL_NCALLS) &&
		    row->changes[m].a != row->changes[m].b)
			return true;
	return false;
}

/* How many rows are printed at most. */
static uint32_t n_wanted(const struct args *a)
{
	if (a->lines < 0 && !a->format)
		return DEFAULT_LINES;
	return a->lines > 0 && a->lines < UINT32_MAX ? (uint32_t)a->lines
						     : UINT32_MAX;
}

/* The rows that differ, what matters most first. */
static int rank(struct view *v)
{
	struct pl_compare_row row;

	if (ranking_init(&v->changed, v->c.n_keys, n_wanted(v->a)))
		return no_memory(v->cmd);
	for (uint32_t key = 0; key < v->c.n_keys; key++)
		if (pl_compare_row(&v->c, key, &row) && differs(v, &row))
			ranking_add(&v->changed, key, &row.changes[v->a->sort]);
	ranking_sort(&v->changed);
	return PL_GO_ON;
}

/* ------------------------------------------------------------------ text -- */

static void put_side(const struct view *v, int i)
{
	const struct pl_side *s = &v->side[i];
	const char *command = s->runs[0]->command;
	const char *label = s->runs[0]->label;
	size_t left = v->term.width;
	char *line;

	if (asprintf(&line, "%c  %zu run%s of %s, %s%" PRId64 "%s%s%s: %s",
		     "AB"[i], s->n, s->n == 1 ? "" : "s", s->db,
		     s->n == 1 ? "number " : "the last number ",
		     s->runs[s->n - 1]->id, label ? ", labelled \"" : "",
		     label ? label : "", label ? "\"" : "",
		     command ? command : "?") < 0)
		return;
	pl_term_put(&v->term, stdout, line, &left);
	putchar('\n');
	free(line);
}

static void put_total(const struct view *v)
{
	static const enum pl_metric_id shown[] = { PL_TOTTIME, PL_NCALLS };

	for (size_t i = 0; i < 2; i++) {
		const struct pl_metric *m = &pl_metrics[shown[i]];
		const struct pl_change *c = &v->c.total.changes[shown[i]];
		char a[32], b[32], change[32], percent[32];

		format_value(a, m, c->a, false);
		format_value(b, m, c->b, false);
		format_value(change, m, c->b - c->a, true);
		format_percent(percent, c);
		printf("   %-8s %s -> %s", m->name, a, b);
		if (c->a != c->b)
			printf(" (%s, %s)%s", change, percent,
			       pl_change_is_noise(c) ? ", noise" : "");
		putchar('\n');
	}
}

static const struct pl_table_column columns[PL_N_METRICS][8] = {
#define COLUMNS(name)                                                         \
	{ { name " A", true }, { name " B", true }, { "change", true },       \
	  { "%", true }, { "ncalls A", true }, { "ncalls B", true },          \
	  { "", false }, { "function", false } }
	[PL_NCALLS] = COLUMNS("ncalls"),
	[PL_PRIMCALLS] = COLUMNS("primcalls"),
	[PL_TOTTIME] = COLUMNS("tottime"),
	[PL_CUMTIME] = COLUMNS("cumtime"),
#undef COLUMNS
};

/* What the figures leave of a line, and no less than a name needs. */
#define FIGURES_WIDTH 76
#define LEAST_NAME 30

/* A path is cut at its beginning, for its end says what it is. */
static const char *cut_path(const char *name, size_t most)
{
	size_t len = strlen(name);
	const char *cut = len > most ? strstr(name + len - most, " > ") : NULL;

	return cut ? cut + 3 : name;
}

static char *full_name(const struct view *v, uint32_t key,
		       const struct pl_compare_row *row)
{
	size_t left = v->term.width > FIGURES_WIDTH + LEAST_NAME ?
		      v->term.width - FIGURES_WIDTH : LEAST_NAME, size;
	char *name = pl_compare_name(&v->c, key), *place, *text = NULL;
	FILE *f = name ? open_memstream(&text, &size) : NULL;
	const char *shown = name;

	if (f) {
		if (v->a->compare.paths && v->term.width)
			shown = cut_path(name, left - 6);
		if (shown != name)
			pl_term_put(&v->term, f, "... > ", &left);
		pl_term_put(&v->term, f, shown, &left);
		if (row->line &&
		    asprintf(&place, "  %s:%d", row->file, row->line) >= 0) {
			pl_term_put(&v->term, f, place, &left);
			free(place);
		}
		fclose(f);
	}
	free(name);
	return text;
}

static void add_row(const struct view *v, struct pl_table *t, uint32_t key)
{
	const struct pl_metric *m = &pl_metrics[v->a->sort];
	const struct pl_change *c, *n;
	struct pl_compare_row row;
	char text[32], *name;

	pl_compare_row(&v->c, key, &row);
	c = &row.changes[v->a->sort];
	n = &row.changes[PL_NCALLS];
	format_value(text, m, c->a, false);
	pl_table_add(t, "%s", text);
	format_value(text, m, c->b, false);
	pl_table_add(t, "%s", text);
	format_value(text, m, c->b - c->a, true);
	pl_table_add(t, "%s", text);
	format_percent(text, c);
	pl_table_add(t, "%s", text);
	pl_table_add(t, "%.10g", n->a);
	pl_table_add(t, "%.10g", n->b);
	pl_table_add(t, "%s", what(&row, v->a->sort));
	name = full_name(v, key, &row);
	pl_table_add(t, "%s", name ? name : "?");
	free(name);
}

static int put_table(const struct view *v)
{
	struct pl_table t = { .columns = columns[v->a->sort], .n_columns = 8 };
	uint32_t left = v->changed.n_all - v->changed.n;
	int rc;

	for (uint32_t i = 0; i < v->changed.n; i++)
		add_row(v, &t, v->changed.rows[i].key);
	putchar('\n');
	rc = pl_table_print(&t, &v->term);
	pl_table_release(&t);
	if (!v->changed.n_all)
		puts("nothing differs");
	if (left)
		printf("%" PRIu32 " more differ%s: -n 0 shows all\n", left,
		       left == 1 ? "s" : "");
	return rc ? no_memory(v->cmd) : PL_GO_ON;
}

/* ----------------------------------------------------------------- gates -- */

/* The row of key n_keys is all of them together. */
static bool get_row(const struct view *v, uint32_t key,
		    struct pl_compare_row *row)
{
	if (key < v->c.n_keys)
		return pl_compare_row(&v->c, key, row);
	*row = v->c.total;
	return true;
}

static void put_offender(const struct view *v, const struct pl_gate *gate,
			 uint32_t key)
{
	enum pl_metric_id id = pl_gate_metric(gate);
	const struct pl_metric *m = &pl_metrics[id];
	char a[32], b[32], change[32], percent[32];
	const struct pl_change *c;
	struct pl_compare_row row;
	char *name;

	get_row(v, key, &row);
	c = &row.changes[id];
	name = key == v->c.n_keys ? strdup("(all together)")
				  : full_name(v, key, &row);
	format_value(a, m, c->a, false);
	format_value(b, m, c->b, false);
	format_value(change, m, c->b - c->a, true);
	format_percent(percent, c);
	printf("  %s  %s %s -> %s (%s%s%s)\n", name ? name : "?", m->name, a,
	       b, change, *percent ? ", " : "", percent);
	free(name);
}

/* Those of whom it holds, the totals among them. */
static int find_offenders(const struct view *v, const struct pl_gate *gate,
			  struct ranking *found)
{
	enum pl_metric_id m = pl_gate_metric(gate);
	struct pl_compare_row row;

	if (ranking_init(found, v->c.n_keys + 1, MOST_OFFENDERS))
		return no_memory(v->cmd);
	for (uint32_t key = 0; key <= v->c.n_keys; key++)
		if (get_row(v, key, &row) && pl_gate_holds(gate, row.changes))
			ranking_add(found, key, &row.changes[m]);
	ranking_sort(found);
	return PL_GO_ON;
}

static int judge(struct view *v, const struct pl_gate *gate)
{
	struct ranking found;
	int rc = find_offenders(v, gate, &found);

	if (rc != PL_GO_ON)
		return rc;
	if (found.n)
		v->failed = true;
	if (!v->a->format && (found.n || !v->a->quiet))
		printf("%s%s%s: %s%s\n", v->a->quiet ? "" : "\n",
		       pl_term_color(&v->term, found.n ? PL_RED : PL_GREEN),
		       found.n ? "failed" : "passed", pl_gate_text(gate),
		       pl_term_color(&v->term, PL_PLAIN));
	for (uint32_t i = 0; i < found.n && !v->a->format; i++)
		put_offender(v, gate, found.rows[i].key);
	if (found.n < found.n_all && !v->a->format)
		printf("  and %" PRIu32 " more\n", found.n_all - found.n);
	free(found.rows);
	return PL_GO_ON;
}

static int judge_all(struct view *v)
{
	int rc = PL_GO_ON;

	for (size_t i = 0; i < v->a->n_gates && rc == PL_GO_ON; i++)
		rc = judge(v, v->a->gates[i]);
	return rc;
}

static int print_text(struct view *v)
{
	int rc = PL_GO_ON;

	pl_term_look(&v->term);
	if (!v->a->quiet) {
		pl_term_page();
		put_side(v, 0);
		put_side(v, 1);
		put_total(v);
		rc = put_table(v);
	}
	return rc == PL_GO_ON ? judge_all(v) : rc;
}

/* --------------------------------------------------------------- records -- */

static const char *const record_columns[] = {
	"what", "function", "filename", "line", "failed",
#define METRIC(name) name "_a", name "_a_low", name "_a_high", name "_b",     \
	name "_b_low", name "_b_high"
	METRIC("ncalls"), METRIC("primcalls"), METRIC("tottime_ns"),
	METRIC("cumtime_ns"), NULL,
#undef METRIC
};

static const char *failing(const struct view *v,
			   const struct pl_compare_row *row)
{
	for (size_t i = 0; i < v->a->n_gates; i++)
		if (pl_gate_holds(v->a->gates[i], row->changes))
			return pl_gate_text(v->a->gates[i]);
	return NULL;
}

static void put_record(const struct view *v, struct pl_records *r, uint32_t key)
{
	struct pl_compare_row row;
	char *name = NULL;

	if (!get_row(v, key, &row) ||
	    (v->a->quiet && !failing(v, &row)))
		return;
	if (key < v->c.n_keys)
		name = pl_compare_name(&v->c, key);
	pl_records_text(r, what(&row, v->a->sort));
	pl_records_text(r, name);
	pl_records_text(r, key < v->c.n_keys ? row.file : NULL);
	pl_records_int(r, row.line);
	pl_records_text(r, failing(v, &row));
	for (int m = 0; m < PL_N_METRICS; m++) {
		const struct pl_change *c = &row.changes[m];
		const double all[] = { c->a, c->a_low, c->a_high,
				       c->b, c->b_low, c->b_high };

		for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
			pl_records_real(r, all[i]);
	}
	free(name);
}

static int print_records(struct view *v)
{
	struct pl_records r;
	int rc = judge_all(v);

	if (rc != PL_GO_ON)
		return rc;
	pl_records_begin(&r, stdout, v->a->format, record_columns);
	put_record(v, &r, v->c.n_keys);
	for (uint32_t i = 0; i < v->changed.n; i++)
		put_record(v, &r, v->changed.rows[i].key);
	pl_records_end(&r);
	return PL_GO_ON;
}

/* ----------------------------------------------------------- the command -- */

static int take_metric(const struct pl_cmd *cmd, const char *arg,
		       enum pl_metric_id *metric)
{
	int m = pl_metric_find(arg, strlen(arg));

	if (m < 0)
		return pl_complain(cmd, PL_EXIT_USAGE, "--sort=%s: want "
				   "ncalls, primcalls, tottime or cumtime",
				   arg);
	*metric = m;
	return PL_GO_ON;
}

static int take_gate(struct args *a, const struct pl_cmd *cmd, const char *arg)
{
	struct pl_error err;
	int rc = pl_gate_parse(&a->gates[a->n_gates], arg, &err);

	if (rc)
		return pl_complain(cmd, rc == PL_ERR_ARG ? PL_EXIT_USAGE
							 : PL_EXIT_FAILED,
				   "--fail-if: %s", err.text);
	a->n_gates++;
	return PL_GO_ON;
}

static int take_option(struct args *a, const struct pl_cmd *cmd, int opt,
		       const char *arg)
{
	switch (opt) {
	case OPT_FAIL_IF:
		return take_gate(a, cmd, arg);
	case OPT_ONLY:
		a->only_text = arg;
		return pl_match_compile(cmd, "only", arg, &a->only);
	case OPT_SORT:
		return take_metric(cmd, arg, &a->sort);
	case OPT_LINES:
		return pl_opts_lines(cmd, arg, &a->lines);
	case OPT_OUTPUT:
		if (pl_records_parse(arg, &a->format))
			break;
		return pl_complain(cmd, PL_EXIT_USAGE, "--output=%s: want "
				   "text, json or csv", arg);
	case OPT_BASE:
		a->base = arg;
		break;
	case OPT_PATHS:
		a->compare.paths = true;
		break;
	case OPT_STRIP:
		a->compare.strip_dirs = true;
		break;
	case OPT_QUIET:
		a->quiet = true;
		break;
	}
	return PL_GO_ON;
}

static int parse(struct args *a, const struct pl_cmd *cmd, int argc,
		 char **argv)
{
	struct pl_opts o;
	int opt, rc;

	a->gates = calloc((size_t)argc + 1, sizeof(*a->gates));
	if (!a->gates)
		return no_memory(cmd);
	pl_opts_init(&o, cmd, argc, argv);
	while ((opt = pl_opts_next(&o)) >= 0) {
		rc = take_option(a, cmd, opt, o.arg);
		if (rc != PL_GO_ON)
			return rc;
	}
	if (opt != PL_OPT_END)
		return pl_opts_stop(&o, opt);
	a->compare.only = a->only;
	a->operands = argv;
	a->n_operands = o.n_operands;
	return PL_GO_ON;
}

/* One operand: a database, whose last two runs are compared, or with --base
 * the side B. */
static int open_one(struct view *v, const char *operand)
{
	char *db = NULL;
	const char *runs = NULL;
	int rc = PL_GO_ON;

	if (operand && pl_side_split(operand, &db, &runs))
		return no_memory(v->cmd);
	if (v->a->base) {
		rc = pl_side_open_label(&v->side[0], v->cmd, db, v->a->base);
		if (rc == PL_GO_ON)
			rc = pl_side_open(&v->side[1], v->cmd, db, runs);
	} else if (runs) {
		rc = pl_complain(v->cmd, PL_EXIT_USAGE, "\"%s\" is one side: "
				 "what is it to be compared with?", operand);
	} else {
		for (int i = 0; i < 2 && rc == PL_GO_ON; i++)
			rc = pl_side_open_recent(&v->side[i], v->cmd, db,
						 1 - (size_t)i);
	}
	free(db);
	return rc;
}

/* Two sides; one that names no database is of that of the other, or of @of. */
static int open_two(struct view *v, const char *of, char **operands)
{
	char *dbs[2] = { NULL, NULL };
	const char *runs[2] = { NULL, NULL };
	int rc = PL_GO_ON;

	for (int i = 0; i < 2; i++)
		if (pl_side_split(operands[i], &dbs[i], &runs[i]))
			rc = no_memory(v->cmd);
	/* Behind a database "feature/x" is a label, if there is no such one. */
	for (int i = 0; i < 2 && of; i++)
		if (dbs[i] && access(dbs[i], F_OK)) {
			free(dbs[i]);
			dbs[i] = NULL;
			runs[i] = operands[i];
		}
	for (int i = 0; i < 2 && rc == PL_GO_ON; i++) {
		const char *db = dbs[i] ? dbs[i] : of ? of : dbs[1 - i];

		rc = pl_side_open(&v->side[i], v->cmd, db, runs[i]);
	}
	free(dbs[0]);
	free(dbs[1]);
	return rc;
}

static int open_sides(struct view *v)
{
	const struct args *a = v->a;

	if (a->n_operands < 2)
		return open_one(v, a->n_operands ? a->operands[0] : NULL);
	if (a->base)
		return pl_complain(v->cmd, PL_EXIT_USAGE, "--base is one side "
				   "and there may be one operand, B: what is "
				   "%s?", a->operands[1]);
	if (a->n_operands == 2)
		return open_two(v, NULL, a->operands);
	if (a->n_operands == 3 && pl_source_is_db(a->operands[0]))
		return open_two(v, a->operands[0], a->operands + 1);
	return pl_complain(v->cmd, PL_EXIT_USAGE, "two sides are compared: "
			   "what is %s?", a->operands[2]);
}

/* A run whose clock is another than that of the first one, or NULL. */
static const struct pl_run *find_other_clock(const struct view *v)
{
	const char *clock = v->side[0].runs[0]->clock;

	for (int i = 0; i < 2; i++)
		for (size_t k = 0; k < v->side[i].n; k++) {
			const struct pl_run *r = v->side[i].runs[k];

			if (clock && r->clock && strcmp(clock, r->clock))
				return r;
		}
	return NULL;
}

static bool have_same_calls(const struct view *v)
{
	const struct pl_run *first = v->side[0].runs[0];

	for (int i = 0; i < 2; i++)
		for (size_t k = 0; k < v->side[i].n; k++) {
			const struct pl_run *r = v->side[i].runs[k];

			if (r->builtins != first->builtins ||
			    r->all_calls != first->all_calls)
				return false;
		}
	return true;
}

/* Readings of a clock against seconds: such a gate would pass, or fail, for no
 * reason of the program's. */
static int check_clocks(const struct view *v)
{
	const struct pl_run *other = find_other_clock(v);

	for (size_t i = 0; other && i < v->a->n_gates; i++)
		if (pl_gate_has_times(v->a->gates[i]))
			return pl_complain(v->cmd, PL_EXIT_FAILED,
					   "--fail-if: \"%s\" is about times, "
					   "and they were taken with different "
					   "clocks, %s and %s: record both "
					   "sides with one",
					   pl_gate_text(v->a->gates[i]),
					   v->side[0].runs[0]->clock,
					   other->clock);
	return PL_GO_ON;
}

static void add_notes(const struct view *v)
{
	const struct pl_run *other = find_other_clock(v);

	if (other)
		pl_complain(v->cmd, 0,
			    "note: times of different clocks, %s "
			    "and %s, do not compare",
			    v->side[0].runs[0]->clock, other->clock);
	if (!have_same_calls(v))
		pl_complain(v->cmd, 0,
			    "note: not all runs were recorded with "
			    "the same --no-builtins and --all-calls: what is "
			    "new or gone may be what was not recorded");
	for (size_t i = 0; i < sizeof(v->side) / sizeof(*v->side); i++)
		for (size_t k = 0; k < v->side[i].n; k++)
			pl_source_note_remarks(v->cmd, v->side[i].store,
					       v->side[i].runs[k]->id);
	if (v->c.folded)
		pl_complain(v->cmd, 0, "note: a run came to its max_nodes: "
			    "ncalls and tottime are exact, cumtime of "
			    "recursive functions may be too high");
}

static int compare(struct view *v)
{
	const struct args *a = v->a;
	struct pl_error err;
	int rc = open_sides(v);

	if (rc == PL_GO_ON)
		rc = check_clocks(v);
	if (rc != PL_GO_ON)
		return rc;
	rc = pl_compare(&v->c, &v->side[0], &v->side[1], &a->compare, &err);
	if (rc)
		return pl_complain(v->cmd, PL_EXIT_FAILED, "%s", err.text);
	/* A gate that looks at nothing would pass for ever. */
	if (v->c.none_match)
		return pl_complain(v->cmd, PL_EXIT_FAILED, "--only=%s: no "
				   "function of these runs matches: proflite "
				   "report prints their names", a->only_text);
	add_notes(v); /* before there is a pager */
	rc = rank(v);
	if (rc == PL_GO_ON)
		rc = a->format ? print_records(v) : print_text(v);
	if (rc != PL_GO_ON)
		return rc;
	return v->failed ? PL_EXIT_FAILED : PL_EXIT_OK;
}

static int run(const struct pl_cmd *cmd, int argc, char **argv)
{
	struct args a = { .lines = -1, .sort = PL_TOTTIME };
	struct view v = { .a = &a, .cmd = cmd };
	int status = parse(&a, cmd, argc, argv);

	if (status == PL_GO_ON)
		status = compare(&v);
	free(v.changed.rows);
	pl_comparison_release(&v.c);
	pl_side_release(&v.side[0]);
	pl_side_release(&v.side[1]);
	for (size_t i = 0; i < a.n_gates; i++)
		pl_gate_free(a.gates[i]);
	free(a.gates);
	pl_pattern_free(a.only);
	return status;
}

static void more_help(FILE *f)
{
	fputs("A, B: DB, DB:RUNS or RUNS; RUNS: 7 or 3,5 or 3-7, all, or a "
	      "label.\n"
	      "  DB alone is its latest run, and if that one has a label, all "
	      "that have it.\n"
	      "  One DB and nothing else: its last two runs.\n"
	      "With several runs the figures are medians, and a change is "
	      "noise when the\n"
	      "ranges of the two sides overlap.\n\n"
	      "EXPR, such as 'ncalls > +0%' or 'tottime > +10% and > 5ms':\n"
	      "  ncalls, primcalls, tottime, cumtime; > >= < <= == !=; and, "
	      "or;\n"
	      "  a number with + or - is the change, one without is the value "
	      "in B;\n"
	      "  units: % ns us ms s\n", f);
}

const struct pl_cmd pl_cmd_diff = {
	.name = "diff",
	.summary = "compare runs; fail a build on what became worse",
	.synopsis = "[OPTION]... [A] [B]",
	.options = options,
	.more = more_help,
	.run = run,
};
