/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "store/ingest.h"

#include <string.h>

static const char *const kinds[] = {
	[PL_FUNC_PYTHON] = "python",
	[PL_FUNC_C] = "c",
	[PL_FUNC_OTHER] = "other",
	[PL_FUNC_SPECIAL] = "special",
};

const char *pl_kind_name(unsigned kind)
{
	return kinds[kind < sizeof(kinds) / sizeof(*kinds) ? kind
							   : PL_FUNC_OTHER];
}

enum pl_func_kind pl_kind_parse(const char *name)
{
	for (unsigned i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (!strcmp(name, kinds[i]))
			return i;
	return PL_FUNC_OTHER;
}

/* Where names are damaged, two functions may have become one. */
#define ADD_UP " ON CONFLICT DO UPDATE SET calls = calls + excluded.calls, " \
	"resumes = resumes + excluded.resumes, " \
	"primitive = primitive + excluded.primitive, " \
	"self_ns = self_ns + excluded.self_ns, " \
	"cum_ns = cum_ns + excluded.cum_ns, " \
	"comp_self_ns = comp_self_ns + excluded.comp_self_ns, " \
	"comp_cum_ns = comp_cum_ns + excluded.comp_cum_ns, " \
	"min_ns = min(ifnull(min_ns, excluded.min_ns), " \
	"ifnull(excluded.min_ns, min_ns)), " \
	"max_ns = max(ifnull(max_ns, excluded.max_ns), " \
	"ifnull(excluded.max_ns, max_ns))"

int pl_rows_init(struct pl_rows *rows, struct pl_store *store,
		 struct pl_error *err)
{
	const struct {
		sqlite3_stmt **stmt;
		const char *sql;
	} all[] = {
		{ &rows->find_func, "SELECT id FROM functions WHERE "
		  "filename = ? AND line = ? AND name = ? AND kind = ?" },
		{ &rows->add_func, "INSERT INTO functions (filename, line, "
		  "name, kind, qualname, module) VALUES (?, ?, ?, ?, ?, ?)" },
		{ &rows->add_figures, "INSERT INTO function_stats VALUES "
		  "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)" ADD_UP },
		{ &rows->add_edge, "INSERT INTO call_stats VALUES "
		  "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)" ADD_UP },
	};

	memset(rows, 0, sizeof(*rows));
	rows->store = store;
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		int rc = pl_db_prepare(store, all[i].stmt, all[i].sql, err);

		if (rc) {
			pl_rows_release(rows);
			return rc;
		}
	}
	return 0;
}

void pl_rows_release(struct pl_rows *rows)
{
	sqlite3_finalize(rows->find_func);
	sqlite3_finalize(rows->add_func);
	sqlite3_finalize(rows->add_figures);
	sqlite3_finalize(rows->add_edge);
	memset(rows, 0, sizeof(*rows));
}

int pl_rows_func(struct pl_rows *rows, const struct pl_rows_func *f,
		 int64_t *id, struct pl_error *err)
{
	const char *kind = pl_kind_name(f->kind);
	int rc;

	*id = 0;
	pl_db_bind(rows->find_func, "TiTs", f->file, f->file_len,
		   (int64_t)f->line, f->name, f->name_len, kind);
	rc = pl_db_value(rows->store, rows->find_func, id, err);
	if (rc || *id)
		return rc;
	pl_db_bind(rows->add_func, "TiTstt", f->file, f->file_len,
		   (int64_t)f->line, f->name, f->name_len, kind, f->qualname,
		   f->qualname_len, f->module, f->module_len);
	rc = pl_db_run(rows->store, rows->add_func, err);
	*id = sqlite3_last_insert_rowid(rows->store->db);
	return rc;
}

static int run_figures(struct pl_rows *rows, sqlite3_stmt *stmt, int at,
		       const struct pl_figures *f,
		       const struct pl_figures *comp, struct pl_error *err)
{
	sqlite3_bind_int64(stmt, at, pl_db_integer(f->calls));
	sqlite3_bind_int64(stmt, at + 1, pl_db_integer(f->resumes));
	sqlite3_bind_int64(stmt, at + 2, pl_db_integer(f->primitive));
	sqlite3_bind_int64(stmt, at + 3, f->self_ns);
	sqlite3_bind_int64(stmt, at + 4, f->cum_ns);
	if (f->min_ns < 0) {
		sqlite3_bind_null(stmt, at + 5);
		sqlite3_bind_null(stmt, at + 6);
	} else {
		sqlite3_bind_int64(stmt, at + 5, f->min_ns);
		sqlite3_bind_int64(stmt, at + 6, f->max_ns);
	}
	if (comp) {
		sqlite3_bind_int64(stmt, at + 7, comp->self_ns);
		sqlite3_bind_int64(stmt, at + 8, comp->cum_ns);
	} else {
		sqlite3_bind_null(stmt, at + 7);
		sqlite3_bind_null(stmt, at + 8);
	}
	return pl_db_run(rows->store, stmt, err);
}

int pl_rows_figures(struct pl_rows *rows, int64_t thread, int64_t func,
		    const struct pl_figures *f, const struct pl_figures *comp,
		    struct pl_error *err)
{
	pl_db_bind(rows->add_figures, "ii", thread, func);
	return run_figures(rows, rows->add_figures, 3, f, comp, err);
}

int pl_rows_edge(struct pl_rows *rows, int64_t thread, int64_t caller,
		 int64_t callee, const struct pl_figures *f,
		 const struct pl_figures *comp, struct pl_error *err)
{
	pl_db_bind(rows->add_edge, "iii", thread, caller, callee);
	return run_figures(rows, rows->add_edge, 4, f, comp, err);
}

int pl_rows_run(struct pl_store *store, const char *uuid, const char *label,
		size_t label_len, int64_t started_ns, const char *source,
		int64_t *id, struct pl_error *err)
{
	/* Its processes arrive in any order, so whichever is first makes it. */
	static const char sql[] =
		"INSERT INTO runs (uuid, label, started_ns, source) "
		"VALUES (?, ?, ?, ?) ON CONFLICT (uuid) DO UPDATE SET "
		"label = ifnull(label, excluded.label), "
		"started_ns = min(started_ns, excluded.started_ns) "
		"RETURNING id";
	sqlite3_stmt *stmt;
	int rc = pl_db_prepare(store, &stmt, sql, err);

	if (rc)
		return rc;
	pl_db_bind(stmt, "stis", uuid, label, label_len, started_ns, source);
	rc = pl_db_value(store, stmt, id, err);
	sqlite3_finalize(stmt);
	return rc;
}
