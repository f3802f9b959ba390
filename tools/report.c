/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "report.h"

#include "columns.h"
#include "pytext.h"
#include "records.h"
#include "term.h"

#include <stdlib.h>
#include <string.h>

/* What the command line says. */
struct args {
	struct pl_source source;
	struct pl_text_options text;
	const struct pl_sort_key **keys;
	struct pl_restriction *restrictions;
	struct pl_pattern **patterns; /* those of restrictions, owned */
	char **texts; /* the same */
	struct pl_columns columns;
	enum pl_records_format format;
	struct pl_term term;
	int64_t lines; /* of -n, or -1 */
	bool is_default; /* nothing said how much to print */
	int status; /* of invalid expressions */
	bool pages; /* a pager, if it is a terminal */
};

static void args_release(struct args *a)
{
	for (size_t i = 0; a->patterns && i < a->text.n_restrictions; i++) {
		pl_pattern_free(a->patterns[i]);
		free(a->texts[i]);
	}
	free(a->restrictions);
	free(a->patterns);
	free(a->texts);
	free(a->keys);
}

/* @n: no more sort keys and restrictions than so many.  PL_GO_ON, or an exit
 * status. */
static int args_init(struct args *a, const struct pl_cmd *cmd,
		     enum pl_text_form form, size_t n)
{
	memset(a, 0, sizeof(*a));
	a->lines = -1;
	a->text.form = form;
	a->keys = calloc(n + 2, sizeof(*a->keys));
	a->restrictions = calloc(n + 2, sizeof(*a->restrictions));
	a->patterns = calloc(n + 2, sizeof(*a->patterns));
	a->texts = calloc(n + 2, sizeof(*a->texts));
	a->text.keys = a->keys;
	a->text.restrictions = a->restrictions;
	if (a->keys && a->restrictions && a->patterns && a->texts)
		return PL_GO_ON;
	return pl_complain(cmd, PL_EXIT_FAILED, "out of memory");
}

/* 1: taken, -1: complained of. */
static int take_option(struct args *a, const struct pl_cmd *cmd,
		       const char *name, const char *arg)
{
	struct pl_error err;
	int rc = 1;

	if (!strcmp(name, "sort")) {
		const struct pl_sort_key *key = pl_sort_key_find(arg, &err);

		if (key)
			a->keys[a->text.n_keys++] = key;
		else
			rc = pl_complain(cmd, -1, "%s", err.text);
	} else if (!strcmp(name, "lines")) {
		if (pl_opts_lines(cmd, arg, &a->lines) != PL_GO_ON)
			rc = -1;
	} else if (!strcmp(name, "reverse")) {
		a->text.reverse = true;
	} else if (!strcmp(name, "strip-dirs")) {
		a->text.strip_dirs = true;
	} else if (!strcmp(name, "callers")) {
		a->text.form = PL_TEXT_CALLERS;
	} else if (!strcmp(name, "callees")) {
		a->text.form = PL_TEXT_CALLEES;
	} else if (!strcmp(name, "columns")) {
		if (pl_columns_parse(&a->columns, arg, &err))
			rc = pl_complain(cmd, -1, "--columns=%s: %s", arg,
					 err.text);
		a->source.needs_costs = pl_columns_need_costs(&a->columns);
	} else if (!strcmp(name, "output")) {
		if (!pl_records_parse(arg, &a->format))
			rc = pl_complain(cmd, -1,
					 "--output=%s: want text, "
					 "json or csv",
					 arg);
	} else {
		rc = pl_source_option(&a->source, cmd, name, arg);
	}
	return rc;
}

/* A whole number: digits, with a sign or not. */
static bool is_count(const char *s, int64_t *count)
{
	const char *digits = s + (*s == '-' || *s == '+');

	if (!*digits || digits[strspn(digits, "0123456789")])
		return false;
	*count = strtoll(s, NULL, 10); /* too large: the largest */
	return true;
}

/* A number with a point or an exponent.  strtod alone would take "inf", "nan"
 * and "0x10", which may be names. */
static bool is_fraction(const char *s, double *fraction)
{
	const char *p = s + (*s == '-' || *s == '+');
	char *end;

	if ((*p < '0' || *p > '9') && (*p != '.' || p[1] < '0' || p[1] > '9'))
		return false;
	if (s[strspn(s, "+-.0123456789eE")])
		return false;
	*fraction = strtod(s, &end);
	return !*end;
}

/* As the browser in pstats (python -m pstats) tells them apart: an int, else a
 * float, else a regular expression. */
static int add_restriction(struct args *a, const struct pl_cmd *cmd,
			   const char *word)
{
	struct pl_restriction *r = &a->restrictions[a->text.n_restrictions];
	struct pl_error err;
	int rc;

	if (is_count(word, &r->count)) {
		r->kind = PL_RESTRICT_COUNT;
	} else if (is_fraction(word, &r->fraction)) {
		r->kind = PL_RESTRICT_FRACTION;
	} else {
		char *text = pl_pytext_from_bytes(word);

		if (!text)
			return pl_complain(cmd, PL_EXIT_FAILED,
					   "out of memory");
		r->kind = PL_RESTRICT_REGEX;
		r->text = a->texts[a->text.n_restrictions] = text;
		rc = pl_pattern_new(&a->patterns[a->text.n_restrictions], text,
				    &err);
		r->pattern = a->patterns[a->text.n_restrictions];
		/* The table is printed as pstats prints it, which says so in
		 * a line of it; scripts shall see it too. */
		if (rc)
			a->status = pl_complain(cmd, PL_EXIT_USAGE, "%s: %s",
						word, err.text);
	}
	a->text.n_restrictions++;
	return PL_GO_ON;
}

static int take_operands(struct args *a, const struct pl_cmd *cmd, int n,
			 char **words)
{
	int i = 0, rc = PL_GO_ON;

	if (n && pl_source_is_db(words[0]))
		a->source.db = words[i++];
	for (; i < n && rc < 0; i++)
		rc = add_restriction(a, cmd, words[i]);
	return rc;
}

/* pstats' table, and not one of our own? */
static bool is_pstats(const struct args *a)
{
	if (a->format || a->columns.n || a->columns.all)
		return false;
	return a->columns.pstats || !a->term.width;
}

/* A screen full, without head and foot. */
static int64_t usual_lines(const struct args *a)
{
	if (a->format)
		return 0;
	if (is_pstats(a) || a->text.form != PL_TEXT_STATS)
		return PL_REPORT_TOP;
	return a->term.height ? (int64_t)a->term.height - 6 : PL_REPORT_TOP;
}

/* What is left open by the command line. */
static void fill_in(struct args *a)
{
	struct pl_restriction *r = &a->restrictions[a->text.n_restrictions];

	if (!a->text.n_keys)
		a->keys[a->text.n_keys++] = pl_sort_key_find("time", NULL);
	pl_term_look(&a->term);
	a->text.tame = a->term.height && !a->format;
	a->is_default = !a->text.n_restrictions && a->lines < 0;
	if (a->is_default)
		a->lines = usual_lines(a);
	if (a->lines > 0) {
		r->kind = PL_RESTRICT_COUNT;
		r->count = a->lines;
		a->text.n_restrictions++;
	}
}

/* @what: the limit that the run came to, and what that means. */
static void note_limit(const struct pl_cmd *cmd,
		       const struct pl_profile *profile, const char *what)
{
	pl_complain(cmd, 0, "note: run %lld came to its %s",
		    (long long)profile->run_id, what);
}

static void note_limits(const struct pl_cmd *cmd,
			const struct pl_profile *profile)
{
	if (profile->folded)
		note_limit(cmd, profile,
			   "max_nodes: ncalls and tottime are exact, cumtime of "
			   "recursive functions may be too high");
	if (profile->more_functions)
		note_limit(cmd, profile,
			   "max_functions: functions seen after that are "
			   "counted together, as (more functions) of their "
			   "file");
}

/* What the table cannot say in pstats' words. */
static void add_rest(const struct args *a, const struct pl_text_result *result)
{
	uint32_t left_out = result->n_all - result->n_printed;

	if (a->is_default && left_out && !a->format)
		printf("%s%u more function%s left out: -n 0 shows all\n",
		       is_pstats(a) ? "" : "\n", left_out,
		       left_out == 1 ? " is" : "s are");
}

static int print_columns(const struct args *a, const struct pl_profile *profile,
			 const struct pl_process *first,
			 struct pl_text_result *result, struct pl_error *err)
{
	const struct pl_columns_view view = {
		.profile = profile,
		.text = &a->text,
		.columns = &a->columns,
		.command = first ? first->command : NULL,
		.cwd = first ? first->cwd : NULL,
	};

	return a->format ? pl_columns_records(&view, a->format, err)
			 : pl_columns_print(&view, &a->term, result, err);
}

static int print_loaded(const struct args *a, const struct pl_cmd *cmd,
			struct pl_store *store,
			const struct pl_profile *profile)
{
	struct pl_text_result result = { 0 };
	struct pl_process *processes = NULL;
	struct pl_error err;
	size_t n = 0;
	int rc;

	/* The pager has the terminal then. */
	note_limits(cmd, profile);
	pl_source_note_remarks(cmd, store, profile->run_id);
	if (a->pages)
		pl_term_page();
	if (is_pstats(a)) {
		rc = pl_pstats_text_print(stdout, profile, &a->text, &result,
					  &err);
	} else {
		rc = pl_store_processes(store, profile->run_id, &processes, &n,
					&err);
		if (!rc)
			rc = print_columns(a, profile, n ? processes : NULL,
					   &result, &err);
		pl_processes_free(processes, n);
	}
	if (rc)
		return pl_complain(cmd, PL_EXIT_FAILED, "%s", err.text);
	add_rest(a, &result);
	return 0;
}

static int print_selected(const struct args *a, const struct pl_cmd *cmd)
{
	struct pl_profile profile;
	struct pl_store *store;
	struct pl_error err;
	int rc;

	if (a->status && !is_pstats(a))
		return a->status; /* pstats alone would go on */
	rc = pl_source_open(&a->source, cmd, &store);
	if (rc)
		return rc;
	rc = pl_store_load(store, &a->source.select,
			   a->text.form != PL_TEXT_STATS, &profile, &err);
	if (rc) {
		rc = pl_complain(cmd, PL_EXIT_FAILED, "%s", err.text);
	} else {
		rc = print_loaded(a, cmd, store, &profile);
		pl_profile_release(&profile);
	}
	pl_store_close(store);
	return rc ? rc : a->status;
}

static int parse(struct args *a, const struct pl_cmd *cmd, int argc,
		 char **argv)
{
	struct pl_opts o;
	int opt;

	pl_opts_init(&o, cmd, argc, argv);
	while ((opt = pl_opts_next(&o)) >= 0)
		if (take_option(a, cmd, cmd->options[opt].name, o.arg) < 0)
			return PL_EXIT_USAGE;
	if (opt != PL_OPT_END)
		return pl_opts_stop(&o, opt);
	return take_operands(a, cmd, o.n_operands, argv);
}

int pl_report_main(const struct pl_cmd *cmd, enum pl_text_form form, int argc,
		   char **argv)
{
	struct args a;
	int status = args_init(&a, cmd, form, (size_t)argc);

	if (status < 0)
		status = parse(&a, cmd, argc, argv);
	if (status < 0) {
		fill_in(&a);
		a.pages = !a.format;
		status = print_selected(&a, cmd);
	}
	args_release(&a);
	return status;
}

int pl_report_default(const struct pl_cmd *cmd, const struct pl_source *source)
{
	struct args a;
	int status = args_init(&a, cmd, PL_TEXT_STATS, 0);

	if (status < 0) {
		a.source = *source;
		fill_in(&a);
		status = print_selected(&a, cmd);
	}
	args_release(&a);
	return status;
}

void pl_report_more_help(FILE *f)
{
	fputs("KEY: a name, or an unambiguous beginning of it:\n", f);
	for (size_t i = 0; i < pl_n_sort_keys; i++) {
		const struct pl_sort_key *key = &pl_sort_keys[i];

		fprintf(f, "  %-12s %s%s%s%s\n", key->name, key->title,
			key->number ? " (also: " : "",
			key->number ? key->number : "", key->number ? ")" : "");
	}
	fputs("\nRESTRICTION, applied in turn, as pstats does:\n"
	      "  20           the first 20 functions\n"
	      "  .1           the first tenth\n"
	      "  json         those whose \"file:line(name)\" matches this "
	      "regular expression\n\n"
	      "Without a RESTRICTION or -n: the first ",
	      f);
	fprintf(f, "%d, on a terminal a screen full.\n", PL_REPORT_TOP);
	pl_columns_help(f);
}
