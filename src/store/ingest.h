/* SPDX-License-Identifier: MIT */
/*
 * ingest.h: the rows that a recording and an imported profile have in common.
 */
#ifndef PL_STORE_INGEST_H
#define PL_STORE_INGEST_H

#include "store/db.h"

/* Prepared INSERTs for the aggregates, and the look-up of functions. */
struct pl_rows {
	struct pl_store *store;
	sqlite3_stmt *find_func, *add_func, *add_figures, *add_edge;
};

int pl_rows_init(struct pl_rows *rows, struct pl_store *store,
		 struct pl_error *err);
void pl_rows_release(struct pl_rows *rows);

struct pl_rows_func {
	const char *file, *name, *qualname, *module;
	size_t file_len, name_len, qualname_len, module_len;
	int line;
	unsigned kind;			/* enum pl_func_kind */
};

/* Row id of a function, made when it is new. */
int pl_rows_func(struct pl_rows *rows, const struct pl_rows_func *f,
		 int64_t *id, struct pl_error *err);

/* @comp: the same, compensated, of which only times are looked at; or NULL. */
int pl_rows_figures(struct pl_rows *rows, int64_t thread, int64_t func,
		    const struct pl_figures *f, const struct pl_figures *comp,
		    struct pl_error *err);
int pl_rows_edge(struct pl_rows *rows, int64_t thread, int64_t caller,
		 int64_t callee, const struct pl_figures *f,
		 const struct pl_figures *comp, struct pl_error *err);

/* Row id of the run @uuid (32 digits), made or brought up to date. */
int pl_rows_run(struct pl_store *store, const char *uuid, const char *label,
		size_t label_len, int64_t started_ns, const char *source,
		int64_t *id, struct pl_error *err);

/*
 * How much a state of a process has to say, by how it ended: 0 it was running,
 * 1 it may have gone on, 2 that is the end.
 */
int pl_ingest_rank(const char *end);
/* The uuid for a process when another one has @uuid already. */
void pl_ingest_other_uuid(char uuid[33], int64_t pid, int64_t started_ns);
/* Delete a process and all that belongs to it. */
int pl_ingest_delete(struct pl_store *store, int64_t process,
		     struct pl_error *err);
/* Which threads of the run count: see threads.counted. */
int pl_ingest_settle(struct pl_store *store, int64_t run,
		     struct pl_error *err);

/* "python", "c", ... and back; what is unknown is "other". */
const char *pl_kind_name(unsigned kind);
enum pl_func_kind pl_kind_parse(const char *name);

#endif
