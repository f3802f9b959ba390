/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "store/db.h"

/*
 * The pid may have been several processes of the run: one program after
 * another (exec), or, in a long run, one process after another.  The one that
 * was waited for is the last that began.  A status it gave itself stands; of
 * one that is gone with no word we know better how.  One that was stopped may
 * have been killed after that.
 */
static const char status_sql[] =
	"UPDATE processes SET end_status = ?3, end_reason = CASE "
	"WHEN ?4 THEN 'signal' "
	"WHEN end_reason IN ('running', 'killed') THEN '_exit' "
	"ELSE end_reason END "
	"WHERE id = (SELECT p.id FROM processes p JOIN runs r "
	"ON r.id = p.run_id WHERE r.uuid = ?1 AND p.pid = ?2 "
	"ORDER BY p.started_ns DESC, p.id DESC LIMIT 1) "
	"AND end_status IS NULL AND end_reason <> 'exec' "
	"AND (end_reason <> 'stopped' OR ?4)";

int pl_store_set_status(struct pl_store *store, const char *run_uuid,
			uint32_t pid, bool by_signal, int status,
			struct pl_error *err)
{
	sqlite3_stmt *stmt;
	int rc = pl_db_prepare(store, &stmt, status_sql, err);

	if (rc)
		return rc;
	pl_db_bind(stmt, "siii", run_uuid, (int64_t)pid, (int64_t)status,
		   (int64_t)by_signal);
	rc = pl_db_run(store, stmt, err);
	sqlite3_finalize(stmt);
	return rc;
}
