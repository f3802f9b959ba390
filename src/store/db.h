/* SPDX-License-Identifier: MIT */
/*
 * db.h: what the files of this folder share: the handle, and short forms for
 * statements.  Nobody outside includes it, nor sqlite3.h.
 *
 * The database is kept in SQLite's rollback mode.  A write-ahead log would let
 * readers in during a write, but a reader of one needs to write beside the
 * database (read-only folders, other users), a process that is killed leaves
 * two more files behind, and a log the size of the data is written first and
 * copied after.  What we do is one transaction that appends, for which the
 * rollback journal is next to nothing: new pages need no way back.
 *
 * synchronous is EXTRA for writers: the recording is deleted once its
 * transaction has committed, and with less the deletion could reach the disk
 * before that of the journal does; then a power failure would roll back what
 * exists nowhere else.
 */
#ifndef PL_STORE_DB_H
#define PL_STORE_DB_H

#include "store/guard.h"
#include "store/store.h"

#include <sqlite3.h>

#define PL_STORE_APPLICATION_ID 0x504c4654	/* "PLFT" */
#define PL_STORE_VERSION 3

struct pl_store {
	sqlite3 *db;
	struct pl_guard *guard;		/* over the files that SQLite opens */
	char *path;			/* as it was given, for sentences */
	int busy_ms;
	int64_t busy_until;		/* CLOCK_MONOTONIC, ns */
	uint64_t random;		/* state, never 0 */
};

/* The sentence of SQLite's last error; returns the code for it. */
int pl_db_fail(struct pl_store *store, struct pl_error *err);

/* One or more statements without results. */
int pl_db_exec(struct pl_store *store, const char *sql, struct pl_error *err);

/* IMMEDIATE: whoever else wants to write waits from here on.  pl_db_end
 * commits when @rc is 0, else it rolls back; returns @rc or why the commit
 * failed. */
int pl_db_begin(struct pl_store *store, struct pl_error *err);
int pl_db_end(struct pl_store *store, int rc, struct pl_error *err);

/* One statement; *@stmt is NULL on failure. */
int pl_db_prepare(struct pl_store *store, sqlite3_stmt **stmt, const char *sql,
		  struct pl_error *err);

/*
 * Bind parameters 1, 2, ... by a letter each:
 *
 *	i	int64_t			r	double
 *	u	uint64_t, cut to the range of an INTEGER
 *	n	int64_t, NULL when negative
 *	s	const char *, NULL when NULL
 *	t	const char *, size_t; NULL when the length is 0, and each NUL
 *		character as \x00 (base/text.h)
 *	T	the same, never NULL
 *	b	the same as a BLOB
 *
 * Text is borrowed until the next bind or reset.
 */
void pl_db_bind(sqlite3_stmt *stmt, const char *letters, ...);

/* Run a statement that has no results, and reset it. */
int pl_db_run(struct pl_store *store, sqlite3_stmt *stmt, struct pl_error *err);

/* Step to the next row: 1, 0 at the end, or a negative enum pl_err. */
int pl_db_row(struct pl_store *store, sqlite3_stmt *stmt, struct pl_error *err);

/* The first column of the first row of a statement, which is reset; *@value
 * stays as it is when there is none or it is NULL. */
int pl_db_value(struct pl_store *store, sqlite3_stmt *stmt, int64_t *value,
		struct pl_error *err);

/* Text of a column, "" for NULL; borrowed until the next step. */
const char *pl_db_text(sqlite3_stmt *stmt, int column);

/* The same, malloc'ed; NULL for NULL.  False without memory. */
bool pl_db_text_dup(sqlite3_stmt *stmt, int column, char **text);

static inline int64_t pl_db_integer(uint64_t u)
{
	return u < INT64_MAX ? (int64_t)u : INT64_MAX;
}

#endif
