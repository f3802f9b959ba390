/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "store/db.h"

#include <stdlib.h>
#include <string.h>

static const char processes_sql[] =
	"SELECT p.id, p.run_id, ifnull(parent_id, 0), ifnull(pid, 0), "
	"ifnull(ppid, 0), p.started_ns, ended_ns, clock, command, cwd, host, "
	"python, git, source = 'import', exe FROM processes p "
	"JOIN runs r ON r.id = p.run_id WHERE p.run_id = ? "
	"ORDER BY p.started_ns, p.id";

static bool read_process(sqlite3_stmt *stmt, struct pl_process *p)
{
	char **const texts[] = { &p->clock, &p->command, &p->cwd, &p->host,
				 &p->python, &p->git };

	memset(p, 0, sizeof(*p));
	p->id = sqlite3_column_int64(stmt, 0);
	p->run_id = sqlite3_column_int64(stmt, 1);
	p->parent_id = sqlite3_column_int64(stmt, 2);
	p->pid = (uint32_t)sqlite3_column_int64(stmt, 3);
	p->ppid = (uint32_t)sqlite3_column_int64(stmt, 4);
	p->started_ns = sqlite3_column_int64(stmt, 5);
	p->ended_ns = sqlite3_column_int64(stmt, 6);
	p->imported = sqlite3_column_int(stmt, 13);
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		if (!pl_db_text_dup(stmt, 7 + (int)i, texts[i]))
			return false;
	return pl_db_text_dup(stmt, 14, &p->exe);
}

int pl_store_processes(struct pl_store *store, int64_t run_id,
		       struct pl_process **processes, size_t *n,
		       struct pl_error *err)
{
	size_t capacity = 0;
	sqlite3_stmt *stmt;
	int rc = pl_db_prepare(store, &stmt, processes_sql, err);

	*processes = NULL;
	*n = 0;
	if (rc)
		return rc;
	pl_db_bind(stmt, "i", run_id);
	while ((rc = pl_db_row(store, stmt, err)) > 0) {
		if (*n == capacity) {
			void *p;

			capacity = capacity ? capacity * 2 : 16;
			p = realloc(*processes,
				    capacity * sizeof(**processes));
			if (!p) {
				rc = pl_fail(err, PL_ERR_NOMEM, "no memory");
				break;
			}
			*processes = p;
		}
		if (!read_process(stmt, &(*processes)[(*n)++])) {
			rc = pl_fail(err, PL_ERR_NOMEM, "no memory");
			break;
		}
	}
	sqlite3_finalize(stmt);
	if (rc) {
		pl_processes_free(*processes, *n);
		*processes = NULL;
		*n = 0;
	}
	return rc;
}

void pl_processes_free(struct pl_process *processes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct pl_process *p = &processes[i];

		free(p->clock);
		free(p->command);
		free(p->cwd);
		free(p->host);
		free(p->python);
		free(p->git);
		free(p->exe);
	}
	free(processes);
}
