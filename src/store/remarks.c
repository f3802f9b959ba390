/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "store/db.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/*
 * What is to be said of a run besides its figures, a row for each: a query for
 * a number, not 0, and a text of at most one line or NULL; and the sentence for
 * one and for many, with the number before it and the text behind it.
 */
static const struct {
	const char *sql, *one, *many;
} remarks[] = {
	{ "SELECT sum(n_lost), NULL FROM threads t "
	  "JOIN processes p ON p.id = t.process_id WHERE run_id = ?",
	  "call is missing, for there was no room for it",
	  "calls are missing, for there was no room for them" },
	{ "SELECT sum(n_unmatched), NULL FROM threads t "
	  "JOIN processes p ON p.id = t.process_id WHERE run_id = ?",
	  "call ended whose beginning was not recorded",
	  "calls ended whose beginning was not recorded" },
	{ "SELECT count(*), damage FROM processes WHERE run_id = ? "
	  "AND damage IS NOT NULL",
	  "recording is not whole", "recordings are not whole" },
};

static int add_remark(struct pl_store *store, int64_t run, size_t i,
		      char *text, size_t size, struct pl_error *err)
{
	size_t used = strlen(text);
	sqlite3_stmt *stmt;
	int64_t n;
	int rc = pl_db_prepare(store, &stmt, remarks[i].sql, err);

	if (rc)
		return rc;
	pl_db_bind(stmt, "i", run);
	rc = pl_db_row(store, stmt, err);
	n = rc > 0 ? sqlite3_column_int64(stmt, 0) : 0;
	if (n > 0) {
		const char *more = pl_db_text(stmt, 1);

		snprintf(text + used, size - used, "%s%" PRId64 " %s%s%s",
			 used ? "; " : "", n,
			 n == 1 ? remarks[i].one : remarks[i].many,
			 *more ? ": " : "", more);
	}
	sqlite3_finalize(stmt);
	return rc < 0 ? rc : 0;
}

static int latest_run(struct pl_store *store, int64_t *run,
		      struct pl_error *err)
{
	sqlite3_stmt *stmt;
	int rc = pl_db_prepare(store, &stmt, "SELECT max(id) FROM runs", err);

	if (!rc)
		rc = pl_db_value(store, stmt, run, err);
	sqlite3_finalize(stmt);
	return rc;
}

int pl_store_remarks(struct pl_store *store, int64_t *run, char *text,
		     size_t size, struct pl_error *err)
{
	int rc = *run ? 0 : latest_run(store, run, err);

	*text = '\0';
	for (size_t i = 0; !rc && i < sizeof(remarks) / sizeof(*remarks); i++)
		rc = add_remark(store, *run, i, text, size, err);
	return rc;
}
