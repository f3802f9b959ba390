/* SPDX-License-Identifier: MIT */
/*
 * engine.h: the process-wide session, from its start to the database.
 *
 *	preload stub ──dlsym──┐
 *	C API (libproflite) ──┼──► engine ──► session, probe
 *	import proflite ──────┘        └────► _store.so, opened at finish only
 *
 * The store is opened late and with RTLD_LOCAL: the host may bring a SQLite of
 * its own, and whichever comes first under that name would serve both.
 *
 * There is one process-wide session at a time.  All functions need the GIL but
 * where said otherwise.
 */
#ifndef PL_PROBE_ENGINE_H
#define PL_PROBE_ENGINE_H

#include "core/session.h"

/*
 * Start, or go on after a stop.  @options is ignored when a session is there
 * already.
 */
int pl_engine_start(const struct pl_options *options, struct pl_error *err);

/* What PROFLITE_OPTIONS says, where the stub is loaded; else the defaults. */
void pl_engine_base_options(struct pl_options *options);

/* Stop recording; what is recorded stays open until finish. */
void pl_engine_stop(void);

/*
 * Start and end a recording at the request of another process.  PL_ERR_BUSY
 * when there is one; PL_ERR_NOENT when none was begun so.  After the end
 * nothing of it is left in this process.
 */
int pl_engine_attach(const struct pl_options *options, struct pl_error *err);
int pl_engine_detach(struct pl_error *err);

/* Write what has been recorded so far into @db (NULL: that of out=). */
int pl_engine_save(const char *db, struct pl_error *err);

/* Write a Profile's recording into @db. */
int pl_engine_save_session(struct pl_session *s, const char *db,
			   struct pl_error *err);

/*
 * The end of it, for whatever reason: idempotent, needs no Python and no GIL.
 * @ingest: write the database now, if the options allow it; without it the
 * recording stays for the next command.
 */
void pl_engine_finish(enum pl_end end, int status, bool ingest);

bool pl_engine_is_on(void);

/* The session of the process, or NULL. */
struct pl_session *pl_engine_session(void);

/* One line on stderr, "proflite: ...". */
void pl_engine_complain(const struct pl_error *err);

#endif
