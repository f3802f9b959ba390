/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "store/ingest.h"

#include "core/clock.h"
#include "core/uuid.h"
#include "store/command.h"

#include <stdlib.h>
#include <string.h>

struct import {
	struct pl_store *store;
	const struct pl_profile *profile;
	struct pl_error *err;
	struct pl_rows rows;
	char uuid[33];
	int64_t started_ns, run, process, thread;
	int64_t *funcs;			/* index -> row id */
};

static int add_process(struct import *im, const char *argv, size_t len)
{
	char *command = len ? pl_command_quote(argv, len) : NULL;
	sqlite3_stmt *stmt;
	int rc = pl_db_prepare(im->store, &stmt, "INSERT INTO processes "
			       "(run_id, uuid, started_ns, ended_ns, "
			       "end_reason, argv, command, clock, ns_per_tick, "
			       "last_tick, builtins, all_calls, forked, "
			       "more_functions) VALUES (?, ?, ?, ?, 'exit', ?, "
			       "?, 'wall', 1, 0, 1, 0, 0, 0) RETURNING id",
			       im->err);

	if (!rc && len && !command)
		rc = pl_fail(im->err, PL_ERR_NOMEM, "no memory");
	if (!rc) {
		pl_db_bind(stmt, "isiibs", im->run, im->uuid, im->started_ns,
			   im->started_ns, argv, len, command);
		rc = pl_db_value(im->store, stmt, &im->process, im->err);
	}
	sqlite3_finalize(stmt);
	free(command);
	return rc;
}

static int add_thread(struct import *im)
{
	uint64_t n_calls = 0;
	sqlite3_stmt *stmt;
	int rc = pl_db_prepare(im->store, &stmt, "INSERT INTO threads "
			       "(process_id, n_threads, is_scope, interpreter, "
			       "counted, duration_ns, n_calls, n_unmatched, "
			       "n_lost, folded) VALUES (?, 1, 0, 0, 1, 0, ?, "
			       "0, 0, 0) RETURNING id", im->err);

	if (rc)
		return rc;
	for (uint32_t i = 0; i < im->profile->n_funcs; i++)
		n_calls += im->profile->funcs[i].f.calls +
			   im->profile->funcs[i].f.resumes;
	pl_db_bind(stmt, "iu", im->process, n_calls);
	rc = pl_db_value(im->store, stmt, &im->thread, im->err);
	sqlite3_finalize(stmt);
	return rc;
}

static size_t length(const char *text)
{
	return text ? strlen(text) : 0;
}

static int add_funcs(struct import *im)
{
	int rc = 0;

	for (uint32_t i = 0; !rc && i < im->profile->n_funcs; i++) {
		const struct pl_pfunc *f = &im->profile->funcs[i];
		const struct pl_rows_func d = {
			.file = f->file, .file_len = strlen(f->file),
			.name = f->name, .name_len = strlen(f->name),
			.qualname = f->qualname,
			.qualname_len = length(f->qualname),
			.module = f->module, .module_len = length(f->module),
			.line = f->line, .kind = f->kind,
		};

		rc = pl_rows_func(&im->rows, &d, &im->funcs[i], im->err);
		if (!rc && !f->only_calls)
			rc = pl_rows_figures(&im->rows, im->thread,
					     im->funcs[i], &f->f, NULL, im->err);
	}
	return rc;
}

static int add_all(struct import *im, const char *label, const char *argv,
		   size_t argv_len)
{
	int rc = pl_rows_init(&im->rows, im->store, im->err);

	if (!rc)
		rc = pl_rows_run(im->store, im->uuid, label, length(label),
				 im->started_ns, "import", &im->run, im->err);
	if (!rc)
		rc = add_process(im, argv, argv_len);
	if (!rc)
		rc = add_thread(im);
	if (!rc)
		rc = add_funcs(im);
	for (uint32_t i = 0; !rc && i < im->profile->n_edges; i++) {
		const struct pl_pedge *e = &im->profile->edges[i];

		rc = pl_rows_edge(&im->rows, im->thread, im->funcs[e->caller],
				  im->funcs[e->callee], &e->f, NULL,
				  im->err);
	}
	return rc;
}

int pl_store_import(struct pl_store *store, const struct pl_profile *profile,
		    const char *label, const char *argv, size_t argv_len,
		    struct pl_ingest_result *result, struct pl_error *err)
{
	struct import im = { .store = store, .profile = profile, .err = err };
	uint8_t uuid[16];
	int rc;

	memset(result, 0, sizeof(*result));
	pl_uuid_make(uuid);
	pl_uuid_format(uuid, im.uuid);
	im.started_ns = profile->started_ns ? profile->started_ns
					    : pl_clock_ns(CLOCK_REALTIME);
	im.funcs = calloc((size_t)profile->n_funcs + 1, sizeof(*im.funcs));
	if (!im.funcs)
		return pl_fail(err, PL_ERR_NOMEM, "no memory");
	rc = pl_db_begin(store, err);
	if (!rc) {
		rc = add_all(&im, label, argv, argv_len);
		pl_rows_release(&im.rows);
		rc = pl_db_end(store, rc, err);
	}
	free(im.funcs);
	result->run_id = im.run;
	result->process_id = im.process;
	return rc;
}
