/* SPDX-License-Identifier: MIT */
/* runs: what is in this database? */
#include <config.h>

#include "cmd.h"
#include "records.h"
#include "source.h"
#include "table.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const struct pl_opt options[] = {
	{ "output", 'o', "FORMAT", "text, json or csv" },
	{ NULL, 0, NULL, NULL },
};

static const struct pl_table_column columns[] = {
	{ "run", true },	     { "started", false }, { "seconds", true },
	{ "processes", true }, { "threads", true },	 { "calls", true },
	{ "ended", false },    { "command", false },
};

#define N_COLUMNS (sizeof(columns) / sizeof(*columns))

static void add_time(struct pl_table *t, int64_t ns)
{
	time_t seconds = (time_t)(ns / 1000000000);
	struct tm tm;
	char text[64];

	if (!localtime_r(&seconds, &tm) ||
	    !strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm))
		strcpy(text, "?");
	pl_table_add(t, "%s", text);
}

/* "exit 0", "signal 9 (Killed)", "exec" */
static void add_end(struct pl_table *t, const char *end, int status)
{
	const char *name = end ? end : "?";

	if (status >= 0 && !strcmp(name, pl_end_name(PL_END_SIGNAL)))
		pl_table_add(t, "%s %d (%s)", name, status, strsignal(status));
	else if (status >= 0)
		pl_table_add(t, "%s %d", name, status);
	else
		pl_table_add(t, "%s", name);
}

static void add_run(struct pl_table *t, const struct pl_run *r)
{
	const char *label = r->label ? r->label : "";
	const char *command = r->command ? r->command : "";

	pl_table_add(t, "%" PRId64, r->id);
	add_time(t, r->started_ns);
	pl_table_add(t, "%.3f",
		     (double)pl_sub_ns(r->ended_ns, r->started_ns) * 1e-9);
	pl_table_add(t, "%" PRId64, r->n_processes);
	pl_table_add(t, "%" PRId64, r->n_threads);
	pl_table_add(t, "%" PRIu64, r->n_calls);
	/* Of an imported profile nobody knows what ran, nor how it ended. */
	if (r->imported && !r->command && r->end_status < 0)
		pl_table_add(t, "imported");
	else
		add_end(t, r->end, r->end_status);
	pl_table_add(t, "%s%s%s", label, *label && *command ? ": " : "",
		     command);
}

/* A process that is still recording, as far as its recording tells. */
static void add_living(void *ctx, const char *path, enum pl_found what,
		       const struct pl_recfile *rf, const struct pl_error *e)
{
	struct pl_table *t = ctx;
	size_t len = 0;
	const char *argv;
	char *command;
	int64_t ns;

	(void)path;
	(void)e;
	if (what != PL_FOUND_ALIVE || !rf)
		return;
	argv = pl_recfile_str(rf, rf->header.argv, &len);
	command = malloc(len + 1);
	if (!command)
		return;
	for (size_t i = 0; i < len; i++)
		command[i] = argv[i] ? argv[i] : ' ';
	command[len] = '\0';
	pl_table_add(t, "-");
	add_time(t, rf->header.start.real_ns);
	ns = pl_recfile_ns(rf, rf->latest_ticks - rf->header.start.ticks);
	pl_table_add(t, "%.3f", (double)ns * 1e-9);
	pl_table_add(t, "1");
	pl_table_add(t, "%" PRIu32, rf->n_recorders);
	pl_table_add(t, "-");
	pl_table_add(t, "recording (pid %" PRIu32 ")", rf->header.pid);
	pl_table_add(t, "%s", command);
	free(command);
}

static int print_table(const struct pl_run *runs, size_t n,
		       const struct pl_table *living)
{
	struct pl_table all = { .columns = columns, .n_columns = N_COLUMNS };
	struct pl_term term;
	int rc;

	for (size_t i = 0; i < n; i++)
		add_run(&all, &runs[i]);
	for (size_t i = 0; i < living->n_cells; i++)
		pl_table_add(&all, "%s", living->cells[i]);
	pl_term_look(&term);
	pl_term_page();
	rc = pl_table_print(&all, &term);
	pl_table_release(&all);
	return rc;
}

static void print_records(const struct pl_run *runs, size_t n,
			  enum pl_records_format format)
{
	static const char *const names[] = {
		"run",	     "label",	"uuid",	   "started_ns", "ended_ns",
		"processes", "threads", "ncalls",  "end",	 "status",
		"host",	     "cwd",	"command", NULL,
	};
	struct pl_records r;

	pl_records_begin(&r, stdout, format, names);
	for (size_t i = 0; i < n; i++) {
		pl_records_int(&r, runs[i].id);
		pl_records_text(&r, runs[i].label);
		pl_records_text(&r, runs[i].uuid);
		pl_records_int(&r, runs[i].started_ns);
		pl_records_int(&r, runs[i].ended_ns);
		pl_records_int(&r, runs[i].n_processes);
		pl_records_int(&r, runs[i].n_threads);
		pl_records_int(&r, (int64_t)runs[i].n_calls);
		pl_records_text(&r, runs[i].end);
		/* Not known: no number. */
		pl_records_real(
			&r, runs[i].end_status < 0 ? NAN : runs[i].end_status);
		pl_records_text(&r, runs[i].host);
		pl_records_text(&r, runs[i].cwd);
		pl_records_text(&r, runs[i].command);
	}
	pl_records_end(&r);
}

static int print_runs(const struct pl_cmd *cmd, const char *db,
		      enum pl_records_format format)
{
	struct pl_table living = { .columns = columns, .n_columns = N_COLUMNS };
	struct pl_source source = { .db = db,
				    .may_be_absent = true,
				    .found = add_living,
				    .found_ctx = &living };
	struct pl_run *runs = NULL;
	struct pl_store *store;
	struct pl_error err;
	size_t n = 0;
	int rc = pl_source_open(&source, cmd, &store);

	if (!rc) {
		rc = store ? pl_store_runs(store, &runs, &n, &err) : 0;
		for (size_t i = 0; !rc && i < n; i++)
			pl_source_note_remarks(cmd, store, runs[i].id);
		pl_store_close(store);
		if (rc)
			rc = pl_complain(cmd, PL_EXIT_FAILED, "%s", err.text);
		else if (format)
			print_records(runs, n, format);
		else if (print_table(runs, n, &living))
			rc = pl_complain(cmd, PL_EXIT_FAILED, "out of memory");
		pl_runs_free(runs, n);
	}
	pl_table_release(&living);
	return rc;
}

static int run(const struct pl_cmd *cmd, int argc, char **argv)
{
	enum pl_records_format format = PL_RECORDS_NONE;
	struct pl_opts o;
	const char *db;
	int opt, rc;

	pl_opts_init(&o, cmd, argc, argv);
	while ((opt = pl_opts_next(&o)) >= 0)
		if (!pl_records_parse(o.arg, &format))
			return pl_complain(cmd, PL_EXIT_USAGE,
					   "--output=%s: "
					   "want text, json or csv",
					   o.arg);
	if (opt != PL_OPT_END)
		return pl_opts_stop(&o, opt);
	rc = pl_source_operand(&o, &db);
	return rc == PL_GO_ON ? print_runs(cmd, db, format) : rc;
}

const struct pl_cmd pl_cmd_runs = {
	.name = "runs",
	.summary = "list the runs of a database",
	.synopsis = "[OPTION]... [DB]",
	.options = options,
	.run = run,
};
