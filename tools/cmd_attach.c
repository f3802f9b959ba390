/* SPDX-License-Identifier: MIT */
/* attach: record what a running process does, for a while. */
#include <config.h>

#include "attached.h"
#include "cmd.h"
#include "core/attach.h"
#include "core/clock.h"
#include "core/options.h"
#include "core/uuid.h"
#include "outdb.h"
#include "settings.h"
#include "store/store.h"
#include "target.h"

#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define INGEST_BUSY_MS 10000
#define ANSWER_SECONDS 10.0
#define LOOK_NS 100000000

static const struct pl_opt options[] = {
	{"duration", 'd', "SECONDS", "end after so long (default: at Ctrl-C)"},
	PL_SETTINGS_OPTIONS,
	{"timeout", 't', "SECONDS",
	 "give up when it does not answer (default: 10)"},
	{NULL, 0, NULL, NULL},
};

struct attachment {
	const struct pl_cmd *cmd;
	struct pl_options options;
	struct pl_target target;
	double duration, timeout; /* duration 0: until a signal */
	struct pl_attached recording;
	bool found; /* some recording of the run */
};

/* ---------------------------------------------------------- the words -- */

static int take_seconds(const struct pl_cmd *cmd, const char *name,
			const char *arg, double *seconds)
{
	if (pl_opts_number(arg, seconds) && *seconds > 0 && *seconds <= 1e6)
		return PL_GO_ON;
	return pl_complain(cmd, PL_EXIT_USAGE,
			   "--%s=%s: want seconds, more "
			   "than 0",
			   name, arg);
}

static int take_option(struct attachment *a, const char *name,
		       const char *arg)
{
	if (!strcmp(name, "duration"))
		return take_seconds(a->cmd, name, arg, &a->duration);
	if (!strcmp(name, "timeout"))
		return take_seconds(a->cmd, name, arg, &a->timeout);
	return pl_settings_option(&a->options, a->cmd, name, arg);
}

static int take_pid(struct attachment *a, const char *word)
{
	char *end;
	long pid = strtol(word, &end, 10);

	if (*word < '1' || *word > '9' || *end || pid > INT_MAX)
		return pl_complain(a->cmd, PL_EXIT_USAGE,
				   "%s: want the number "
				   "of a process",
				   word);
	a->target.pid = (pid_t)pid;
	return PL_GO_ON;
}

static int parse(struct attachment *a, int argc, char **argv)
{
	struct pl_opts o;
	int opt, rc;

	pl_opts_init(&o, a->cmd, argc, argv);
	while ((opt = pl_opts_next(&o)) >= 0) {
		rc = take_option(a, options[opt].name, o.arg);
		if (rc != PL_GO_ON)
			return rc;
	}
	if (opt != PL_OPT_END)
		return pl_opts_stop(&o, opt);
	if (o.n_operands != 1)
		return pl_complain(a->cmd, PL_EXIT_USAGE,
				   "which process?  "
				   "Such as: proflite attach -d 10 1234");
	return take_pid(a, argv[0]);
}

/* ---------------------------------------------------------- attached -- */

static sigset_t signals_that_end(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	return set;
}

static double now(void)
{
	return (double)pl_clock_ns(CLOCK_MONOTONIC) * 1e-9;
}

/* Until the time is over, we are told to end, or it has ended. */
static void wait_for_end(const struct attachment *a)
{
	const struct timespec look = {0, LOOK_NS};
	sigset_t set = signals_that_end();
	double end = now() + a->duration, left;
	struct timespec ts = look;

	while (pl_target_is_alive(&a->target)) {
		left = end - now();
		if (a->duration > 0 && left <= 0)
			return;
		ts.tv_nsec = a->duration > 0 && left * 1e9 < LOOK_NS
				     ? (long)(left * 1e9)
				     : LOOK_NS;
		if (sigtimedwait(&set, NULL, &ts) > 0)
			return;
	}
}

static int start(struct attachment *a, struct pl_error *err)
{
	char text[PL_ATTACH_REQUEST_MAX] = PL_ATTACH_START;
	size_t n = strlen(text);

	if (pl_options_format(&a->options, text + n, sizeof(text) - n) >=
	    sizeof(text) - n)
		return pl_fail(err, PL_ERR_ARG, "the settings are too long");
	return pl_target_request(&a->target, text, a->timeout, err);
}

/* One that has ended meanwhile needs no stop. */
static int stop(struct attachment *a)
{
	struct pl_error err;
	int rc =
		pl_target_request(&a->target, PL_ATTACH_STOP, a->timeout, &err);

	if (!rc || !pl_target_is_alive(&a->target))
		return PL_EXIT_OK;
	return pl_complain(a->cmd, PL_EXIT_FAILED,
			   "%s (it is still being "
			   "recorded)",
			   err.text);
}

static void found(void *ctx, const char *path, enum pl_found what,
		  const struct pl_recfile *rf, const struct pl_error *e)
{
	struct attachment *a = ctx;

	if (what == PL_FOUND_BAD)
		pl_complain(a->cmd, 0, "%s is left out: %s", path, e->text);
	else if (rf && !memcmp(rf->header.run_uuid, a->options.run, 16))
		a->found = true;
}

/* The process's own recording first, wherever it is; then those beside the
 * database, such as those of its children. */
static int collect(struct attachment *a)
{
	struct pl_error err;
	int rc = pl_attached_ingest(&a->recording, &a->target, a->options.out,
				    INGEST_BUSY_MS, &err);

	a->found = rc > 0;
	if (rc >= 0)
		rc = pl_store_ingest_pending(a->options.out, INGEST_BUSY_MS,
					     found, a, &err);
	if (rc < 0)
		return pl_complain(
			a->cmd, PL_EXIT_FAILED,
			"%s (what was recorded stays in %s, for the next "
			"proflite command)",
			err.text,
			*a->recording.path ? a->recording.path
					   : "the database's folder");
	if (!a->found)
		return pl_complain(a->cmd, PL_EXIT_FAILED,
				   "nothing is left of "
				   "what process %d recorded",
				   (int)a->target.pid);
	return PL_EXIT_OK;
}

/* All that is known of another process stands there. */
static int check_proc(const struct pl_cmd *cmd)
{
	if (!access("/proc/self/stat", R_OK))
		return PL_GO_ON;
	return pl_complain(cmd, PL_EXIT_FAILED, "/proc is not mounted here: "
			   "attach cannot look at another process without it");
}

static int run(const struct pl_cmd *cmd, int argc, char **argv)
{
	static struct attachment a;
	sigset_t set = signals_that_end();
	struct pl_error err;
	int status, failed;

	a.cmd = cmd;
	a.timeout = ANSWER_SECONDS;
	pl_options_init(&a.options);
	pl_uuid_make(a.options.run);
	/* The process may be another user's. */
	pl_store_trust_run(a.options.run);
	/* The process is not held up by a database. */
	a.options.ingest = false;
	a.options.collected = true;
	status = parse(&a, argc, argv);
	if (status == PL_GO_ON)
		status = check_proc(cmd);
	if (status == PL_GO_ON && pl_target_find(&a.target, a.target.pid, &err))
		status = pl_complain(cmd, PL_EXIT_FAILED, "%s", err.text);
	if (status == PL_GO_ON)
		status = pl_outdb_prepare(cmd, &a.options);
	if (status != PL_GO_ON)
		return status;
	/* From here on nothing is left half done. */
	sigprocmask(SIG_BLOCK, &set, NULL);
	if (start(&a, &err))
		return pl_complain(cmd, PL_EXIT_FAILED, "%s", err.text);
	pl_complain(cmd, 0,
		    a.duration > 0 ? "recording process %d"
				   : "recording process %d until Ctrl-C",
		    (int)a.target.pid);
	pl_attached_find(&a.recording, &a.target, a.options.run);
	wait_for_end(&a);
	status = stop(&a);
	failed = collect(&a);
	pl_attached_release(&a.recording);
	pl_target_release(&a.target);
	return status ? status : failed;
}

const struct pl_cmd pl_cmd_attach = {
	.name = "attach",
	.summary = "record a running process for a while",
	.synopsis = "[OPTION]... PID",
	.options = options,
	.run = run,
};
