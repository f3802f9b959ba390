/* SPDX-License-Identifier: MIT */
/*
 * merge.c: take the runs of another database in.
 *
 * Runs and processes are known by their uuids, so what is here already is left
 * alone, and a process that was still running when it was merged before gives
 * way to its later state.  Row ids are given anew: functions by their names,
 * nodes all by the same distance, for they are in one row.
 */
#include <config.h>

#include "store/ingest.h"
#include "store/schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct merge {
	struct pl_store *to;
	struct pl_error *err;
	struct pl_merge_result *result;
	bool has_functions;		/* the table merged_functions is made */
	int64_t from_process, process, run;
	int64_t last_run;		/* counted last */
	char uuid[33];			/* of the process, as it is here */
};

/* Prepare, bind and run @sql, whose parameters are numbers; its first value,
 * if it has one, goes to *@value (which may be NULL). */
static int run(struct merge *m, const char *sql, const char *letters,
	       int64_t a, int64_t b, int64_t c, int64_t d, int64_t *value)
{
	int64_t ignored;
	sqlite3_stmt *stmt;
	int rc = pl_db_prepare(m->to, &stmt, sql, m->err);

	if (rc)
		return rc;
	pl_db_bind(stmt, letters, a, b, c, d);
	rc = pl_db_value(m->to, stmt, value ? value : &ignored, m->err);
	sqlite3_finalize(stmt);
	return rc;
}

/* ------------------------------------------------------------- functions -- */

static int map_functions(struct merge *m)
{
	if (m->has_functions)
		return 0;
	m->has_functions = true;
	return pl_db_exec(m->to,
		"INSERT OR IGNORE INTO main.functions (kind, filename, line, "
		"name, qualname, module) SELECT kind, filename, line, name, "
		"qualname, module FROM source.functions;"
		"CREATE TEMP TABLE merged_functions "
		"(id INTEGER PRIMARY KEY, here INTEGER);"
		"INSERT INTO merged_functions SELECT s.id, m.id "
		"FROM source.functions s JOIN main.functions m "
		"USING (filename, line, name, kind)", m->err);
}

/* --------------------------------------------------------------- threads -- */

static const char add_thread_sql[] =
	"INSERT INTO main.threads (process_id, n_threads, tid, name, is_scope, "
	"scope_id, scope, interpreter, counted, started_ns, duration_ns, "
	"first_node, last_node, n_calls, n_unmatched, n_lost, folded) "
	"SELECT ?1, n_threads, tid, name, is_scope, scope_id, scope, "
	"interpreter, counted, started_ns, duration_ns, first_node + ?2, "
	"last_node + ?2, n_calls, n_unmatched, n_lost, folded "
	"FROM source.threads "
	"WHERE id = ?3 RETURNING id";

static const char add_nodes_sql[] =
	"INSERT INTO main.nodes SELECT n.id + ?1, ?2, parent_id + ?1, "
	"last_id + ?1, f.here, flags, calls, resumes, total_ns, self_ns, "
	"min_ns, max_ns FROM source.threads t JOIN source.nodes n "
	"ON n.id BETWEEN t.first_node AND t.last_node "
	"LEFT JOIN merged_functions f ON f.id = n.function_id "
	"WHERE t.id = ?3 ORDER BY n.id";

static const char add_figures_sql[] =
	"INSERT INTO main.function_stats SELECT ?1, f.here, calls, resumes, "
	"primitive, self_ns, cum_ns, min_ns, max_ns, comp_self_ns, comp_cum_ns "
	"FROM source.function_stats s JOIN merged_functions f "
	"ON f.id = s.function_id WHERE thread_id = ?2";

static const char add_edges_sql[] =
	"INSERT INTO main.call_stats SELECT ?1, f.here, g.here, calls, "
	"resumes, primitive, self_ns, cum_ns, min_ns, max_ns, comp_self_ns, "
	"comp_cum_ns "
	"FROM source.call_stats s JOIN merged_functions f "
	"ON f.id = s.caller_id JOIN merged_functions g ON g.id = s.callee_id "
	"WHERE thread_id = ?2";

static int add_thread(struct merge *m, int64_t from, int64_t first)
{
	int64_t next = 1, thread = 0, distance;
	int rc = run(m, "SELECT max(id) + 1 FROM main.nodes", "", 0, 0, 0, 0,
		     &next);

	distance = next - first;
	if (!rc)
		rc = run(m, add_thread_sql, "iii", m->process, distance, from,
			 0, &thread);
	if (!rc)
		rc = run(m, add_nodes_sql, "iii", distance, thread, from, 0,
			 NULL);
	if (!rc)
		m->result->n_nodes +=
			(uint64_t)sqlite3_changes64(m->to->db);
	if (!rc)
		rc = run(m, add_figures_sql, "ii", thread, from, 0, 0, NULL);
	if (!rc)
		rc = run(m, add_edges_sql, "ii", thread, from, 0, 0, NULL);
	return rc;
}

static int add_threads(struct merge *m)
{
	sqlite3_stmt *stmt;
	int rc = pl_db_prepare(m->to, &stmt, "SELECT id, ifnull(first_node, 0) "
			       "FROM source.threads WHERE process_id = ? "
			       "ORDER BY id", m->err);

	if (rc)
		return rc;
	pl_db_bind(stmt, "i", m->from_process);
	while ((rc = pl_db_row(m->to, stmt, m->err)) > 0) {
		rc = add_thread(m, sqlite3_column_int64(stmt, 0),
				sqlite3_column_int64(stmt, 1));
		if (rc)
			break;
	}
	sqlite3_finalize(stmt);
	return rc;
}

/* ------------------------------------------------------------- processes -- */

#define COLUMNS                                                               \
	"parent_uuid, pid, ppid, started_ns, ended_ns, end_reason, "    \
	"end_status, argv, command, cwd, exe, host, python, git, clock, "     \
	"ns_per_tick, last_tick, builtins, all_calls, forked, max_nodes, "    \
	"more_functions, "                                                    \
	"cost_py_in_ns, cost_py_out_ns, cost_c_in_ns, cost_c_out_ns, "        \
	"cost_error_ns, damage"

static int add_process_row(struct merge *m)
{
	sqlite3_stmt *stmt;
	int rc = pl_db_prepare(m->to, &stmt, "INSERT INTO main.processes "
			       "(id, run_id, uuid, " COLUMNS ") "
			       "SELECT nullif(?1, 0), ?2, ?3, " COLUMNS
			       " FROM source.processes WHERE id = ?4 "
			       "RETURNING id", m->err);

	if (rc)
		return rc;
	pl_db_bind(stmt, "iisi", m->process, m->run, m->uuid,
		   m->from_process);
	rc = pl_db_value(m->to, stmt, &m->process, m->err);
	sqlite3_finalize(stmt);
	return rc;
}

static int add_process(struct merge *m)
{
	int rc = map_functions(m);

	if (!rc && m->process)
		rc = pl_ingest_delete(m->to, m->process, m->err);
	if (!rc)
		rc = add_process_row(m);
	if (!rc)
		rc = add_threads(m);
	if (!rc)
		rc = pl_ingest_settle(m->to, m->run, m->err);
	m->result->n_processes++;
	m->result->n_runs += m->run != m->last_run;
	m->last_run = m->run;
	return rc;
}

/* Step to the row of the process @from stands at; see find_process of
 * ingest.c. */
static int step_to_it(struct merge *m, sqlite3_stmt *from, sqlite3_stmt *stmt)
{
	int64_t pid = sqlite3_column_int64(from, 8);
	int64_t started_ns = sqlite3_column_int64(from, 9);
	int rc;

	for (int i = 0;; i++) {
		pl_db_bind(stmt, "s", m->uuid);
		rc = pl_db_row(m->to, stmt, m->err);
		if (rc <= 0 || i || (sqlite3_column_int64(stmt, 3) == pid &&
				     sqlite3_column_int64(stmt, 4) ==
					     started_ns))
			return rc;
		sqlite3_reset(stmt);
		pl_ingest_other_uuid(m->uuid, pid, started_ns);
	}
}

/* Is the process @from stands at here already, as late as there? */
static int find_process(struct merge *m, sqlite3_stmt *from, bool *stays)
{
	int rank = pl_ingest_rank(pl_db_text(from, 2)), old_rank;
	int64_t tick = sqlite3_column_int64(from, 3);
	sqlite3_stmt *stmt;
	int rc = pl_db_prepare(m->to, &stmt, "SELECT id, end_reason, last_tick, "
			       "pid, started_ns FROM main.processes "
			       "WHERE uuid = ?", m->err);

	*stays = false;
	m->process = 0;
	if (rc)
		return rc;
	snprintf(m->uuid, sizeof(m->uuid), "%s", pl_db_text(from, 1));
	rc = step_to_it(m, from, stmt);
	if (rc > 0) {
		m->process = sqlite3_column_int64(stmt, 0);
		old_rank = pl_ingest_rank(pl_db_text(stmt, 1));
		*stays = rank < old_rank ||
			 (rank == old_rank &&
			  sqlite3_column_int64(stmt, 2) >= tick);
		rc = 0;
	}
	sqlite3_finalize(stmt);
	return rc;
}

/* Columns of the row: id, uuid, end_reason, last_tick of the process; uuid,
 * label, started_ns, source of its run; its pid and started_ns. */
static int take_process(struct merge *m, sqlite3_stmt *from)
{
	size_t label_len = (size_t)sqlite3_column_bytes(from, 5);
	bool stays;
	int rc = find_process(m, from, &stays);

	if (rc)
		return rc;
	if (stays) {
		m->result->n_already++;
		return 0;
	}
	m->from_process = sqlite3_column_int64(from, 0);
	rc = pl_rows_run(m->to, pl_db_text(from, 4), pl_db_text(from, 5),
			 label_len, sqlite3_column_int64(from, 6),
			 pl_db_text(from, 7), &m->run, m->err);
	return rc ? rc : add_process(m);
}

/* By uuid: a parent may have come with another database, and row ids differ. */
static int link_families(struct merge *m)
{
	return pl_db_exec(m->to,
		"UPDATE main.processes AS c SET parent_id = ifnull("
		"(SELECT p.id FROM main.processes p "
		"WHERE p.uuid = c.parent_uuid AND p.run_id = c.run_id), "
		"(SELECT p.id FROM source.processes sc "
		"JOIN source.processes sp ON sp.id = sc.parent_id "
		"JOIN main.processes p ON p.uuid = sp.uuid "
		"WHERE sc.uuid = c.uuid)) WHERE parent_id IS NULL", m->err);
}

static int take_all(struct merge *m)
{
	static const char sql[] =
		"SELECT p.id, p.uuid, p.end_reason, p.last_tick, r.uuid, "
		"r.label, r.started_ns, r.source, p.pid, p.started_ns "
		"FROM source.processes p "
		"JOIN source.runs r ON r.id = p.run_id "
		"ORDER BY r.id, p.started_ns, p.id";
	sqlite3_stmt *stmt;
	int rc = pl_db_prepare(m->to, &stmt, sql, m->err);

	if (rc)
		return rc;
	while ((rc = pl_db_row(m->to, stmt, m->err)) > 0) {
		rc = take_process(m, stmt);
		if (rc)
			break;
	}
	sqlite3_finalize(stmt);
	if (!rc && m->result->n_processes)
		rc = link_families(m);
	if (!rc && m->has_functions)
		rc = pl_db_exec(m->to, "DROP TABLE temp.merged_functions",
				m->err);
	return rc;
}

static int attach(struct merge *m, const char *path)
{
	sqlite3_stmt *stmt;
	int rc = pl_guard_add(m->to->guard, path, m->err);

	if (!rc)
		rc = pl_db_prepare(m->to, &stmt, "ATTACH ? AS source", m->err);
	if (rc)
		return rc;
	pl_db_bind(stmt, "s", pl_guard_name(m->to->guard, 1));
	rc = pl_db_run(m->to, stmt, m->err);
	sqlite3_finalize(stmt);
	return rc;
}

int pl_store_merge(struct pl_store *to, const char *from,
		   struct pl_merge_result *result, struct pl_error *err)
{
	struct merge m = { .to = to, .err = err, .result = result };
	struct pl_error ignored;
	int rc = attach(&m, from);

	memset(result, 0, sizeof(*result));
	if (rc) {
		pl_guard_remove(to->guard);
		return rc;
	}
	/* Not IMMEDIATE, which would lock the source as well. */
	rc = pl_db_exec(to, "BEGIN; UPDATE main.runs SET id = id WHERE 0", err);
	if (!rc)
		rc = pl_schema_check(to, "source", from, err);
	rc = pl_db_end(to, rc ? rc : take_all(&m), err);
	/* Without memory it stays, and SQLite keeps its file open. */
	if (!pl_db_exec(to, "DETACH source", &ignored))
		pl_guard_remove(to->guard);
	return rc;
}
