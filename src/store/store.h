/* SPDX-License-Identifier: MIT */
/*
 * store.h: profiles in SQLite.  The only folder that knows SQL.
 *
 *	recording ──pl_store_ingest──► database ──pl_store_load──► pl_profile
 *
 * A database holds many runs; a run, the processes of one `proflite record`
 * (or of one preloaded process and its children); a process, its threads; a
 * thread, one calling-context tree.  Figures per function and per pair are
 * written once, with the tree, so that a report never walks the nodes.
 *
 * A handle is for one thread.  Functions return 0 or a negative enum pl_err
 * and fill `err` with one sentence that names the file.
 */
#ifndef PL_STORE_STORE_H
#define PL_STORE_STORE_H

#include "base/err.h"
#include "core/format.h"
#include "core/recfile.h"
#include "core/tree.h"

#include <stdbool.h>
#include <stdint.h>

#define PL_STORE_DEFAULT_DB "proflite.db"

struct pl_store;			/* an open database */

enum pl_store_mode {
	PL_STORE_READ,			/* must exist and be ours */
	PL_STORE_WRITE,			/* created when absent */
};

/*
 * Open @path.  Refuses, with PL_ERR_FORMAT: what is no database, another
 * application's (application_id), a newer version's (user_version), and for
 * reading one that is still empty; with PL_ERR_NOENT what is absent
 * (PL_STORE_READ); PL_ERR_BUSY when locked for longer than @busy_ms;
 * PL_ERR_OWNER what is another user's (base/owner.h, guard.h).  An older version
 * of ours is migrated when writing.  Files it creates have mode 0600.
 */
int pl_store_open(struct pl_store **store, const char *path,
		  enum pl_store_mode mode, int busy_ms, struct pl_error *err);
void pl_store_close(struct pl_store *store);

/* How ingest ended. */
struct pl_ingest_result {
	int64_t run_id;
	int64_t process_id;
	uint64_t n_nodes;		/* written */
	bool already;			/* was there: nothing changed */
	char damage[160];		/* "" or what was left out */
};

/*
 * Write the recording @rf in one transaction, or as a part of the caller's.  Known by its uuid: one that is
 * there already in the same or a later state is left alone, one that was
 * ingested while it lived (or saved, and went on) is replaced.  @end says how
 * the process ended when the recording does not (PL_END_KILLED for one found
 * dead), with @end_status a signal or exit status, -1 unknown.
 */
int pl_store_ingest(struct pl_store *store, const struct pl_recfile *rf,
		    enum pl_end end, int end_status,
		    struct pl_ingest_result *result, struct pl_error *err);

/*
 * Many recordings in few transactions, for each costs several syncs of the
 * disk: a batch commits when it is told to, or when it has held the database
 * for a while.  A recording's file is deleted once it is in for sure.
 */
struct pl_batch;

/* The database is opened, or made, for the first recording.  NULL: no memory.
 */
struct pl_batch *pl_batch_new(const char *db, int busy_ms);

/*
 * As pl_store_ingest, of a process that is gone.  The file @fd is @name in the
 * folder @folder (a descriptor that stays open, or AT_FDCWD).  After an error
 * of the one recording (PL_ERR_FORMAT, PL_ERR_NOMEM, PL_ERR_ARG) the batch goes
 * on without it.
 */
int pl_batch_add(struct pl_batch *batch, const struct pl_recfile *rf,
		 int folder, const char *name, int fd,
		 struct pl_ingest_result *result, struct pl_error *err);
int pl_batch_commit(struct pl_batch *batch, struct pl_error *err);
/* Open its database, if that is not done yet; @store is the batch's. */
int pl_batch_store(struct pl_batch *batch, struct pl_store **store,
		   struct pl_error *err);

/* What is not committed stays in its files. */
void pl_batch_free(struct pl_batch *batch);

/*
 * Ingest every recording that lies beside @db_path (DB.*.plrec) or in a
 * fallback folder for it, and whose process is gone, in batches; delete each
 * one after its transaction has committed.  @found, when not NULL, is told of each
 * one: ingested (@e says what was left out, when it was damaged), alive, or not
 * readable (then @e says why).  Returns the
 * number ingested, or a negative enum pl_err if the database can't be opened.
 * Harmless when two processes do it at once.  Makes no database when there is
 * nothing to put into it.
 */
enum pl_found { PL_FOUND_INGESTED, PL_FOUND_ALIVE, PL_FOUND_BAD };
typedef void pl_found_fn(void *ctx, const char *path, enum pl_found what,
			 const struct pl_recfile *rf, const struct pl_error *e);
int pl_store_ingest_pending(const char *db_path, int busy_ms,
			    pl_found_fn *found, void *ctx,
			    struct pl_error *err);

/*
 * Accept recordings of the run @run, which stays the caller's, whoever they
 * belong to: it is the run that this program began, and a process of it may
 * have become another user.  Root also looks into the fallback folders of other
 * users, and accepts there what belongs to a run of the database, if nobody else
 * can read that.
 */
void pl_store_trust_run(const uint8_t run[16]);

/* The process's own finish: open, ingest, delete the recording on success (also
 * when somebody else was faster). */
int pl_store_finish(const char *rec_path, const char *db_path, int busy_ms,
		    struct pl_error *err);

/*
 * What wait() told about process @pid of the run @run_uuid (32 digits), once
 * its recording is in: @status is its exit status, or the signal that ended
 * it.  Nothing changes when there is no such process, or it knew by itself.
 */
int pl_store_set_status(struct pl_store *store, const char *run_uuid,
			uint32_t pid, bool by_signal, int status,
			struct pl_error *err);

struct pl_merge_result {
	int64_t n_runs, n_processes;	/* taken in */
	int64_t n_already;		/* processes that were here */
	uint64_t n_nodes;
};

/*
 * Take in what the database @from has, in one transaction.  Processes are known
 * by their uuids: those that are here, as late as they are there, are left
 * alone.  @from is one that pl_store_open opens.
 */
int pl_store_merge(struct pl_store *to, const char *from,
		   struct pl_merge_result *result, struct pl_error *err);

/* ------------------------------------------------------------ reading -- */

/* Which part of a database a report is about; zero = all of the latest run. */
struct pl_select {
	int64_t run_id;			/* 0 = the latest */
	int64_t process_id;		/* 0 = all of the run */
	int64_t thread_id;		/* row id, 0 = all */
	bool compensated;		/* times without the profiler's cost,
					   where that is known */
};

struct pl_times {
	int64_t self_ns, cum_ns;
};

struct pl_both_times {
	struct pl_times raw, comp;
};

/*
 * A function of a loaded profile.  Text is owned by the profile.  Figures have
 * the times that were asked for, raw or compensated; @other has the other ones,
 * which are equal where the cost is not known.  There may be millions: keep it
 * small.
 */
struct pl_pfunc {
	int64_t id;			/* row of `functions`; 0: none yet */
	const char *file;		/* "~" for C functions, as in pstats */
	const char *name;
	const char *qualname, *module;	/* or NULL */
	int line;
	enum pl_func_kind kind : 8;
	bool only_calls;		/* no figures, it is but in a pair */
	struct pl_figures f;
	struct pl_times other;
};

/* One function called by another: indices of a profile's funcs. */
struct pl_pedge {
	uint32_t caller, callee;
	struct pl_figures f;
	struct pl_times other;
};

/* One run, or a part of it, added up over its threads: what pstats knows. */
struct pl_profile {
	/* Those with an entry, or with time (see struct pl_aggregate), and
	 * those that call one, by id. */
	struct pl_pfunc *funcs;
	uint32_t n_funcs;
	struct pl_pedge *edges;		/* by caller, then callee */
	uint32_t n_edges;
	int64_t run_id;
	int64_t started_ns;		/* CLOCK_REALTIME of the run's start */
	bool folded;			/* cumtime of some rows is inexact */
	bool more_functions;		/* some rows stand for others, too */
	bool compensated;		/* times are, as was asked for */
	void *text;			/* private: arena of the strings */
};

/* PL_ERR_NOENT names what was asked for and is not there. */
int pl_store_load(struct pl_store *store, const struct pl_select *sel,
		  bool with_edges, struct pl_profile *out,
		  struct pl_error *err);
void pl_profile_release(struct pl_profile *profile);

/*
 * Write another profiler's figures as a run of its own: one process, one
 * thread, no nodes.  @profile's caller fills in funcs, edges and started_ns
 * (0: now).  @argv: arguments joined by NUL bytes, or NULL.
 */
int pl_store_import(struct pl_store *store, const struct pl_profile *profile,
		    const char *label, const char *argv, size_t argv_len,
		    struct pl_ingest_result *result, struct pl_error *err);

/* One tree of a run. */
struct pl_thread {
	int64_t id, process_id, run_id;
	uint32_t pid, tid;		/* 0: not known */
	char *name, *scope;		/* or NULL */
	bool counted;			/* part of the run's sums */
	bool folded;
	bool more_functions;		/* of its process */
	bool has_costs;			/* of its events: it can be compensated */
	uint32_t n_nodes;		/* 0: imported */
	int64_t duration_ns;
	uint64_t n_calls;
};

/* The threads that @sel selects, also those that are not counted, by id. */
int pl_store_threads(struct pl_store *store, const struct pl_select *sel,
		     struct pl_thread **threads, size_t *n,
		     struct pl_error *err);
void pl_threads_free(struct pl_thread *threads, size_t n);

/* The tree of a thread.  Its `func` are indices of @profile's funcs, which
 * must have been loaded from a selection with this thread in it. */
int pl_store_load_tree(struct pl_store *store, const struct pl_thread *thread,
		       const struct pl_profile *profile, struct pl_tree *tree,
		       struct pl_error *err);

/* ------------------------------------------------ reading: processes -- */

/* One process of a run.  Text may be NULL: not known. */
struct pl_process {
	int64_t id, run_id;
	int64_t parent_id;		/* 0: none that is in the run */
	uint32_t pid, ppid;		/* 0: not known */
	int64_t started_ns, ended_ns;	/* CLOCK_REALTIME */
	char *clock;			/* "wall", "cpu", "step", "callable" */
	char *command, *cwd, *host, *python, *git;
	char *exe;			/* program file */
	bool imported;
};

/* Those of run @run_id, the first that began first. */
int pl_store_processes(struct pl_store *store, int64_t run_id,
		       struct pl_process **processes, size_t *n,
		       struct pl_error *err);
void pl_processes_free(struct pl_process *processes, size_t n);

struct pl_run {
	int64_t id;
	char uuid[33];
	char *label;			/* or NULL */
	char *command;			/* of its first process, for a shell */
	char *cwd, *host;
	int64_t started_ns, ended_ns;
	int64_t n_processes, n_threads;
	uint64_t n_calls;
	const char *end;		/* of its first process: "exit", … */
	int end_status;			/* -1: not known */
	char *clock; /* of its first process, or NULL */
	bool builtins, all_calls; /* the same */
	bool imported;
};

/* By id, which is the order of arrival. */
int pl_store_runs(struct pl_store *store, struct pl_run **runs, size_t *n,
		  struct pl_error *err);
void pl_runs_free(struct pl_run *runs, size_t n);

/*
 * What is missing or doubtful in run *@run (0: the latest, whose number is put
 * there), as sentences on one line; "" for nothing.
 */
int pl_store_remarks(struct pl_store *store, int64_t *run, char *text,
		     size_t size, struct pl_error *err);

/* Name of an enum pl_end as stored: "exit", "_exit", "exec", "killed", … */
const char *pl_end_name(enum pl_end end);

#endif
