/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Long enough for another process to finish its transaction; a report is not
 * worth a longer wait, for the rest comes with the next one. */
#define INGEST_BUSY_MS 1000
#define READ_BUSY_MS 5000

static int take_id(const struct pl_cmd *cmd, const char *name, const char *arg,
		   int64_t *id)
{
	char *end;

	errno = 0;
	*id = strtoll(arg, &end, 10);
	if (*arg >= '1' && *arg <= '9' && !*end && !errno)
		return 1;
	pl_complain(cmd, 0, "--%s=%s: want a number from 1 on, as in the "
		    "first column of proflite runs", name, arg);
	return -1;
}

int pl_source_option(struct pl_source *source, const struct pl_cmd *cmd,
		     const char *name, const char *arg)
{
	if (!strcmp(name, "run"))
		return take_id(cmd, name, arg, &source->select.run_id);
	if (!strcmp(name, "process"))
		return take_id(cmd, name, arg, &source->select.process_id);
	if (!strcmp(name, "thread"))
		return take_id(cmd, name, arg, &source->select.thread_id);
	if (strcmp(name, "compensated") && strcmp(name, "raw"))
		return 0;
	source->select.compensated = *name == 'c';
	return 1;
}

bool pl_source_is_db(const char *operand)
{
	size_t len = strlen(operand);
	struct stat st;

	if (strchr(operand, '/') ||
	    (len > 3 && !strcmp(operand + len - 3, ".db")))
		return true;
	return !stat(operand, &st) && !S_ISDIR(st.st_mode);
}

int pl_source_operand(const struct pl_opts *o, const char **db)
{
	*db = o->n_operands ? o->argv[0] : NULL;
	if (o->n_operands < 2)
		return PL_GO_ON;
	return pl_complain(o->cmd, PL_EXIT_USAGE,
			   "one database at a time: what is %s?", o->argv[1]);
}

void pl_source_warn(const struct pl_cmd *cmd, const char *path,
		    enum pl_found what, const struct pl_error *e)
{
	if (what == PL_FOUND_BAD)
		pl_complain(cmd, 0, "warning: %s is left out: %s", path,
			    e->text);
	else if (what == PL_FOUND_INGESTED && e)
		pl_complain(cmd, 0,
			    "warning: %s is in the database as far as "
			    "it could be read: %s",
			    path, e->text);
}

struct warn {
	const struct pl_source *source;
	const struct pl_cmd *cmd;
	int n_alive; /* processes that record for it */
};

static void found(void *ctx, const char *path, enum pl_found what,
		  const struct pl_recfile *rf, const struct pl_error *e)
{
	struct warn *w = ctx;

	pl_source_warn(w->cmd, path, what, e);
	w->n_alive += what == PL_FOUND_ALIVE;
	if (w->source->found)
		w->source->found(w->source->found_ctx, path, what, rf, e);
}

static int absent(const struct pl_source *source, const struct pl_cmd *cmd,
		  int n_alive)
{
	if (n_alive)
		return pl_complain(cmd, PL_EXIT_FAILED,
				   "%s is not there yet: "
				   "%d process%s still recorded for it (see "
				   "proflite live)",
				   source->db ? source->db :
						PL_STORE_DEFAULT_DB,
				   n_alive, n_alive == 1 ? " is" : "es are");
	if (source->db)
		return pl_complain(cmd, PL_EXIT_FAILED,
				   "%s: there is no such database (what else "
				   "has a / in it, or ends in .db, can follow "
				   "the database's name)", source->db);
	return pl_complain(cmd, PL_EXIT_FAILED,
			   "there is no %s in this folder: name a database, "
			   "or make one with proflite record COMMAND",
			   PL_STORE_DEFAULT_DB);
}

/* Of imported runs, and where others watched too, it was not measured. */
static void note_raw(const struct pl_source *source, const struct pl_cmd *cmd,
		     struct pl_store *store)
{
	struct pl_thread *threads;
	struct pl_error err;
	size_t n, n_raw = 0;

	if (pl_store_threads(store, &source->select, &threads, &n, &err))
		return;			/* whoever loads will say it */
	for (size_t i = 0; i < n; i++)
		n_raw += !threads[i].has_costs;
	if (n_raw)
		pl_complain(cmd, 0, "note: the times of %s threads of run %lld "
			    "are raw: what a call costs was not measured there",
			    n_raw == n ? "all" : "some",
			    (long long)threads[0].run_id);
	pl_threads_free(threads, n);
}

void pl_source_note_remarks(const struct pl_cmd *cmd, struct pl_store *store,
			    int64_t run_id)
{
	struct pl_error err;
	char text[512];

	if (!pl_store_remarks(store, &run_id, text, sizeof(text), &err) &&
	    *text)
		pl_complain(cmd, 0, "note: run %lld: %s", (long long)run_id,
			    text);
}

int pl_source_open(const struct pl_source *source, const struct pl_cmd *cmd,
		   struct pl_store **store)
{
	const char *db = source->db ? source->db : PL_STORE_DEFAULT_DB;
	struct warn w = { source, cmd, 0 };
	struct pl_error err;
	int rc;

	*store = NULL;
	if (!*db)
		return pl_complain(
			cmd, PL_EXIT_USAGE,
			"\"\" is no database's "
			"name: want one such as " PL_STORE_DEFAULT_DB);
	rc = pl_store_ingest_pending(db, INGEST_BUSY_MS, found, &w, &err);
	if (rc < 0 && rc != PL_ERR_NOENT && rc != PL_ERR_FORMAT)
		pl_complain(cmd, 0, "warning: what was recorded last is not "
			    "in yet: %s", err.text);
	rc = pl_store_open(store, db, PL_STORE_READ, READ_BUSY_MS, &err);
	if (!rc && (source->select.compensated || source->needs_costs))
		note_raw(source, cmd, *store);
	if (!rc || (rc == PL_ERR_NOENT && source->may_be_absent && w.n_alive))
		return 0;
	if (rc == PL_ERR_NOENT)
		return absent(source, cmd, w.n_alive);
	return pl_complain(cmd, PL_EXIT_FAILED, "%s", err.text);
}
