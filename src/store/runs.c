/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "store/db.h"

#include <stdlib.h>
#include <string.h>

/* A run is called after the process that began it. */
static const char runs_sql[] =
	"SELECT r.id, r.uuid, r.label, r.started_ns, "
	"ifnull((SELECT max(ended_ns) FROM processes WHERE run_id = r.id), "
	"r.started_ns), "
	"(SELECT count(*) FROM processes WHERE run_id = r.id), "
	"(SELECT ifnull(sum(n_threads), 0) FROM processes q JOIN threads "
	"ON process_id = q.id WHERE run_id = r.id), "
	"(SELECT total(n_calls) FROM processes q JOIN threads "
	"ON process_id = q.id WHERE run_id = r.id AND counted), "
	"p.command, p.cwd, p.host, p.end_reason, p.end_status, p.clock, "
	"p.builtins, p.all_calls, r.source = 'import' "
	"FROM runs r LEFT JOIN processes p ON p.id = (SELECT id FROM processes "
	"WHERE run_id = r.id ORDER BY started_ns, id LIMIT 1) ORDER BY r.id";

/* The constant that equals @name. */
static const char *end_name(const char *name)
{
	for (int end = PL_END_RUNNING; end <= PL_END_KILLED; end++)
		if (!strcmp(name, pl_end_name(end)))
			return pl_end_name(end);
	return "";
}

static bool read_run(sqlite3_stmt *stmt, struct pl_run *r)
{
	const char *uuid = pl_db_text(stmt, 1);
	bool known = sqlite3_column_type(stmt, 12) != SQLITE_NULL;

	memset(r, 0, sizeof(*r));
	r->id = sqlite3_column_int64(stmt, 0);
	strncpy(r->uuid, uuid, sizeof(r->uuid) - 1);
	r->started_ns = sqlite3_column_int64(stmt, 3);
	r->ended_ns = sqlite3_column_int64(stmt, 4);
	r->n_processes = sqlite3_column_int64(stmt, 5);
	r->n_threads = sqlite3_column_int64(stmt, 6);
	r->n_calls = (uint64_t)sqlite3_column_int64(stmt, 7);
	r->end = end_name(pl_db_text(stmt, 11));
	r->end_status = known ? sqlite3_column_int(stmt, 12) : -1;
	r->builtins = sqlite3_column_int(stmt, 14);
	r->all_calls = sqlite3_column_int(stmt, 15);
	r->imported = sqlite3_column_int(stmt, 16);
	return pl_db_text_dup(stmt, 2, &r->label) &&
	       pl_db_text_dup(stmt, 8, &r->command) &&
	       pl_db_text_dup(stmt, 9, &r->cwd) &&
	       pl_db_text_dup(stmt, 10, &r->host) &&
	       pl_db_text_dup(stmt, 13, &r->clock);
}

int pl_store_runs(struct pl_store *store, struct pl_run **runs, size_t *n,
		  struct pl_error *err)
{
	size_t capacity = 0;
	sqlite3_stmt *stmt;
	int rc = pl_db_prepare(store, &stmt, runs_sql, err);

	*runs = NULL;
	*n = 0;
	if (rc)
		return rc;
	while ((rc = pl_db_row(store, stmt, err)) > 0) {
		if (*n == capacity) {
			void *p;

			capacity = capacity ? capacity * 2 : 16;
			p = realloc(*runs, capacity * sizeof(**runs));
			if (!p) {
				rc = pl_fail(err, PL_ERR_NOMEM, "no memory");
				break;
			}
			*runs = p;
		}
		if (!read_run(stmt, &(*runs)[(*n)++])) {
			rc = pl_fail(err, PL_ERR_NOMEM, "no memory");
			break;
		}
	}
	sqlite3_finalize(stmt);
	if (rc) {
		pl_runs_free(*runs, *n);
		*runs = NULL;
		*n = 0;
	}
	return rc;
}

void pl_runs_free(struct pl_run *runs, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(runs[i].label);
		free(runs[i].command);
		free(runs[i].cwd);
		free(runs[i].host);
		free(runs[i].clock);
	}
	free(runs);
}
