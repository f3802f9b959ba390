/* SPDX-License-Identifier: MIT */
/* record: run a command and profile every Python process it starts. */
#include <config.h>

#include "cause.h"
#include "cmd.h"
#include "collect.h"
#include "core/options.h"
#include "core/uuid.h"
#include "launch.h"
#include "outdb.h"
#include "report.h"
#include "settings.h"
#include "source.h"
#include "store/store.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Others may be writing the same database; nobody waits for us by now. */
#define INGEST_BUSY_MS 10000

/* As env(1), nohup(1) and the shells have it. */
enum { EXIT_CANNOT_RUN = 126, EXIT_NOT_FOUND = 127 };

static const struct pl_opt options[] = {
	PL_SETTINGS_OPTIONS,
	{ "report", 0, NULL, "print the report at the end" },
	{ NULL, 0, NULL, NULL },
};

struct recording {
	const struct pl_cmd *cmd;
	struct pl_options options;
	struct pl_launched child;
	struct pl_collect *collect;
	bool report;
	int64_t run_id;			/* 0: nothing was recorded */
};

/* ----------------------------------------------------- before the start -- */

static int parse(struct recording *r, int argc, char **argv, char ***command)
{
	struct pl_opts o;
	int opt, rc;

	pl_opts_init(&o, r->cmd, argc, argv);
	while ((opt = pl_opts_next(&o)) >= 0) {
		const char *name = options[opt].name;

		if (!strcmp(name, "report")) {
			r->report = true;
			continue;
		}
		rc = pl_settings_option(&r->options, r->cmd, name, o.arg);
		if (rc != PL_GO_ON)
			return rc;
	}
	if (opt != PL_OPT_END)
		return pl_opts_stop(&o, opt);
	if (!o.n_operands)
		return pl_complain(r->cmd, PL_EXIT_USAGE, "which command?  "
				   "Such as: proflite record python3 app.py");
	*command = argv;
	return PL_GO_ON;
}

/* ---------------------------------------------------------- the command -- */

static void started(void *ctx)
{
	const struct recording *r = ctx;

	pl_collect_start(r->collect);
}

static void pause_(void *ctx, int begin)
{
	const struct recording *r = ctx;

	pl_collect_pause(r->collect, begin);
}

static int launch(struct recording *r, char **command)
{
	char library[PATH_MAX], text[3 * sizeof(r->options.out)];
	struct pl_launch l = { .library = library, .options = text,
			       .argv = command, .started = started,
			       .pause = pause_, .ctx = r };
	struct pl_error err;

	if (pl_launch_find_library(library, sizeof(library), &err))
		return pl_complain(r->cmd, PL_EXIT_FAILED, "%s", err.text);
	if (pl_options_format(&r->options, text, sizeof(text)) >= sizeof(text))
		return pl_complain(r->cmd, PL_EXIT_FAILED,
				   "the settings are too long");
	r->collect = pl_collect_new(r->cmd, &r->options);
	if (!r->collect)
		return pl_complain(r->cmd, PL_EXIT_FAILED, "out of memory");
	if (pl_launch_run(&l, &r->child, &err))
		return pl_complain(r->cmd, PL_EXIT_FAILED, "%s", err.text);
	if (!r->child.exec_errno)
		return PL_GO_ON;
	return pl_complain(r->cmd,
			   r->child.exec_errno == ENOENT ? EXIT_NOT_FOUND
							 : EXIT_CANNOT_RUN,
			   "%s: %s", command[0],
			   strerror(r->child.exec_errno));
}

/* -------------------------------------------------------- after the end -- */

/* The row of our run, by its uuid. */
static int find_run(struct recording *r, struct pl_store *store,
		    const char *uuid, struct pl_error *err)
{
	struct pl_run *runs;
	size_t n;
	int rc = pl_store_runs(store, &runs, &n, err);

	if (rc)
		return rc;
	for (size_t i = 0; i < n; i++)
		if (!strcmp(runs[i].uuid, uuid))
			r->run_id = runs[i].id;
	pl_runs_free(runs, n);
	return 0;
}

/* A process cannot say with what status it ends, nor that it was killed. */
static int complete_run(struct recording *r, bool lost, struct pl_error *err)
{
	int status = r->child.wait_status;
	bool by_signal = WIFSIGNALED(status);
	struct pl_store *store;
	char uuid[33];
	int rc;

	/* None is there unless something was recorded. */
	if (access(r->options.out, F_OK))
		return 0;
	rc = pl_store_open(&store, r->options.out, PL_STORE_WRITE,
			   INGEST_BUSY_MS, err);
	if (rc)
		return rc;
	pl_uuid_format(r->options.run, uuid);
	rc = find_run(r, store, uuid, err);
	if (!rc && r->run_id)
		rc = pl_store_set_status(store, uuid, (uint32_t)r->child.pid,
					 by_signal,
					 by_signal ? WTERMSIG(status)
						   : WEXITSTATUS(status),
					 err);
	if (!rc && r->run_id && lost && !r->report)
		pl_source_note_remarks(r->cmd, store, r->run_id);
	pl_store_close(store);
	return rc;
}

/* Nothing has arrived, or not all of it: say why. */
static void explain(const struct recording *r, const struct pl_collected *c,
		    const char *command)
{
	char cause[PATH_MAX + 128];

	if (c->n_failed)
		pl_complain(r->cmd, 0, "%s: %s (pid %u%s)",
			    r->run_id ? "not all was recorded"
				      : "nothing was recorded",
			    c->why, c->pid,
			    c->n_failed > 1 ? " and others" : "");
	else if (!r->run_id && !c->n_begun && !c->alive)
		pl_complain(r->cmd, 0, "nothing was recorded: %s",
			    pl_cause_of_nothing(command, cause,
						sizeof(cause)));
	else if (!r->run_id && !c->alive && !c->lost)
		pl_complain(r->cmd, 0, "nothing was recorded: the recordings "
			    "of %u process%s are gone", c->n_begun,
			    c->n_begun == 1 ? "" : "es");
}

/* Bring in what was recorded.  False: not all of it has arrived. */
static bool collect(struct recording *r, const char *command)
{
	struct pl_collected c = { 0 };
	struct pl_error err;
	int rc = pl_collect_finish(r->collect, &c, &err);

	if (rc >= 0)
		rc = complete_run(r, c.lost, &err);
	if (rc < 0) {
		pl_complain(r->cmd, 0, "%s (what was recorded stays beside "
			    "the database, for the next proflite command)",
			    err.text);
		return false;
	}
	explain(r, &c, command);
	return !c.lost && !c.n_failed &&
	       (r->run_id || c.alive || !c.n_begun);
}

static int run(const struct pl_cmd *cmd, int argc, char **argv)
{
	static struct recording r;
	char **command = NULL;
	bool is_whole;
	int status;

	r.cmd = cmd;
	pl_options_init(&r.options);
	pl_uuid_make(r.options.run);
	pl_store_trust_run(r.options.run);
	r.options.collected = true;
	status = parse(&r, argc, argv, &command);
	if (status < 0)
		status = pl_outdb_prepare(cmd, &r.options);
	if (status < 0)
		status = launch(&r, command);
	if (status >= 0)
		return status;
	is_whole = collect(&r, command[0]);
	if (r.report && r.run_id) {
		struct pl_source source = { .db = r.options.out };

		source.select.run_id = r.run_id;
		pl_report_default(cmd, &source);
	}
	pl_collect_free(r.collect);
	status = pl_launch_end_like(&r.child);
	/* A script must not take a part for the whole. */
	return status || is_whole ? status : PL_EXIT_FAILED;
}

const struct pl_cmd pl_cmd_record = {
	.name = "record",
	.summary = "run a command and profile the Python in it",
	.synopsis = "[OPTION]... [--] COMMAND [ARGUMENT]...",
	.options = options,
	.stops_at_operand = true,
	.run = run,
};
