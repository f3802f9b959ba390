/* SPDX-License-Identifier: MIT */
/*
 * source.h: the database a command reads, and the part of it that is asked
 * for: what all reading commands share.
 *
 *	proflite CMD [--run ID] [--process ID] [--thread ID] [DB] [OPERAND...]
 */
#ifndef PL_TOOLS_SOURCE_H
#define PL_TOOLS_SOURCE_H

#include "cmd.h"
#include "store/store.h"

#include <stdbool.h>

/* Zero-initialise. */
struct pl_source {
	const char *db;			/* NULL: PL_STORE_DEFAULT_DB */
	struct pl_select select;
	pl_found_fn *found;		/* of pending recordings, or NULL */
	void *found_ctx;
	bool may_be_absent; /* while processes record for it */
	bool needs_costs;		/* say so where a call's is not known,
					   as for select.compensated */
};

/* Rows for a command's table of options. */
#define PL_SOURCE_OPTIONS                                                     \
	{ "run", 0, "ID", "the run (default: the latest; see proflite runs)" }, \
	{ "process", 0, "ID", "one process of it (default: all)" },           \
	{ "thread", 0, "ID", "one thread of it (default: all)" },             \
	{ "compensated", 0, NULL, "times without the profiler's own cost" },  \
	{ "raw", 0, NULL, "times as they were measured (default)" }

/* Take the option @name if it is one of those above.  1: taken; 0: it is
 * another; -1: its argument is wrong, which has been complained of. */
int pl_source_option(struct pl_source *source, const struct pl_cmd *cmd,
		     const char *name, const char *arg);

/*
 * Is this operand a database?  Yes if there is such a file, or if it looks
 * like the name of one: it ends in ".db" or has a "/" in it.  Otherwise it is
 * whatever else the command takes.
 */
bool pl_source_is_db(const char *operand);

/* A line on standard error when calls or recordings of a run are missing; run
 * 0: the latest. */
void pl_source_note_remarks(const struct pl_cmd *cmd, struct pl_store *store,
			    int64_t run_id);

/* Complain of a recording that pl_store_ingest_pending has found, if it could
 * not be read, or not whole. */
void pl_source_warn(const struct pl_cmd *cmd, const char *path,
		    enum pl_found what, const struct pl_error *e);

/* The one operand of a command that takes no other: *@db, NULL without it.
 * PL_GO_ON, or an exit status after complaining. */
int pl_source_operand(const struct pl_opts *o, const char **db);

/*
 * Open for reading, after whatever is left over beside the database of
 * processes that are gone has been written into it.  Trouble with that is a
 * warning, for what is there can be read all the same.  0, or an exit status
 * after complaining; with `may_be_absent` perhaps 0 and *@store NULL.
 */
int pl_source_open(const struct pl_source *source, const struct pl_cmd *cmd,
		   struct pl_store **store);

#endif
