/* SPDX-License-Identifier: MIT */
/* record: run a command and profile every Python process it starts. */
#include <config.h>

#include "cmd.h"
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
	bool report;
	int64_t run_id;			/* 0: nothing was recorded */
	bool alive;			/* some process of it still records */
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

static int launch(struct recording *r, char **command)
{
	char library[PATH_MAX], text[3 * sizeof(r->options.out)];
	struct pl_launch l = { .library = library, .options = text,
			       .argv = command };
	struct pl_error err;

	if (pl_launch_find_library(library, sizeof(library), &err))
		return pl_complain(r->cmd, PL_EXIT_FAILED, "%s", err.text);
	if (pl_options_format(&r->options, text, sizeof(text)) >= sizeof(text))
		return pl_complain(r->cmd, PL_EXIT_FAILED,
				   "the settings are too long");
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

static void found(void *ctx, const char *path, enum pl_found what,
		  const struct pl_recfile *rf, const struct pl_error *e)
{
	struct recording *r = ctx;

	pl_source_warn(r->cmd, path, what, e);
	if (what == PL_FOUND_ALIVE && rf &&
	    !memcmp(rf->header.run_uuid, r->options.run, 16))
		r->alive = true;
}

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
static int complete_run(struct recording *r, struct pl_error *err)
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
	pl_store_close(store);
	return rc;
}

/* Bring in what the processes could not write themselves. */
static void collect(struct recording *r, const char *command)
{
	struct pl_error err;
	int rc = pl_store_ingest_pending(r->options.out, INGEST_BUSY_MS, found,
					 r, &err);

	if (rc >= 0)
		rc = complete_run(r, &err);
	if (rc < 0)
		pl_complain(r->cmd, 0, "%s (what was recorded stays beside "
			    "the database, for the next proflite command)",
			    err.text);
	else if (!r->run_id && !r->alive)
		pl_complain(r->cmd, 0, "nothing was recorded: %s ran no "
			    "Python, or one that takes no LD_PRELOAD",
			    command);
}

static int run(const struct pl_cmd *cmd, int argc, char **argv)
{
	static struct recording r;
	char **command = NULL;
	int status;

	r.cmd = cmd;
	pl_options_init(&r.options);
	pl_uuid_make(r.options.run);
	r.options.collected = true;
	status = parse(&r, argc, argv, &command);
	if (status < 0)
		status = pl_outdb_prepare(cmd, &r.options);
	if (status < 0)
		status = launch(&r, command);
	if (status >= 0)
		return status;
	collect(&r, command[0]);
	if (r.report && r.run_id) {
		struct pl_source source = { .db = r.options.out };

		source.select.run_id = r.run_id;
		pl_report_default(cmd, &source);
	}
	return pl_launch_end_like(&r.child);
}

const struct pl_cmd pl_cmd_record = {
	.name = "record",
	.summary = "run a command and profile the Python in it",
	.synopsis = "[OPTION]... [--] COMMAND [ARGUMENT]...",
	.options = options,
	.stops_at_operand = true,
	.run = run,
};
