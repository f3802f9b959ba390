/* SPDX-License-Identifier: MIT */
/*
 * session.h: one recording in the making, and which threads feed it.
 *
 * The process-wide session (LD_PRELOAD, proflite.start) covers every thread
 * and writes a file.  Every Profile object has a session of its own, in
 * private memory, that covers the thread that enabled it or all of them.  Any
 * number of sessions run at once; each has its own trees, so they can begin
 * and end in any order without disturbing one another:
 *
 *	thread 1   pl_tls ──► recorder (process) ──more──► recorder (Profile a)
 *	thread 2   pl_tls ──► recorder (process)
 *	thread 3   pl_tls ──► recorder (process) ──more──► recorder (Profile b)
 *
 *	          start                       stop
 *	  IDLE ──────────► ON ◄──────────────────────► IDLE     (any number)
 *	                    │ finish
 *	                    ▼
 *	                   DONE          the recording is complete and closed
 *
 * When a thread ends, its recorder goes to the list `ended`.  Once a session
 * has max_threads recorders, a new thread takes over the one that ended last,
 * so that a program may start threads for ever.
 *
 * `pl_epoch` says that the set of sessions that cover all threads has changed;
 * a thread whose copy is older brings its list up to date at its next event,
 * under the registry's lock.  That is the only thing a thread's hot path
 * reads that another thread writes.
 *
 * Lock order: registry, then a recording's own.
 */
#ifndef PL_CORE_SESSION_H
#define PL_CORE_SESSION_H

#include "base/err.h"
#include "core/notice.h"
#include "core/options.h"
#include "core/recorder.h"

#include <stdbool.h>

enum pl_session_state { PL_SESSION_IDLE, PL_SESSION_ON, PL_SESSION_DONE };

/* The open call path at a fork, to be carried into the child. */
struct pl_carry {
	struct pl_carried {
		uint64_t key;
		uint32_t func;		/* of the parent's recording */
		uint32_t flags;
	} *calls;
	size_t n, capacity;
};

struct pl_session {
	struct pl_recording rec;	/* valid unless fork_pending */
	struct pl_options options;
	enum pl_session_state state;
	bool is_scope;			/* a Profile's, not the process's */
	bool all_threads;
	bool no_subcalls;
	bool is_collected;		/* proflite record knows of it */
	bool fork_pending;		/* in a child that had no event yet */
	uint32_t scope_id, scope;	/* of recorders made from now on */

	/* PL_CLOCK_CALLABLE: nanoseconds, or any integer unit */
	uint64_t (*timer)(void *ctx);
	void *timer_ctx;
	/* Whether the calling thread is where this session records; NULL:
	 * everywhere.  Asked when no call is open. */
	bool (*inside)(void *ctx);
	void *inside_ctx;
	/* Wait until no other thread is in the middle of an event; NULL where
	 * a lock of the interpreter's sees to that. */
	void (*quiesce)(void);
	/* Where to say that something went wrong in a child. */
	void (*complain)(const struct pl_error *err);

	bool is_elsewhere;		/* the recording is in a fallback folder */

	struct pl_recorder_priv *recorders; /* in use, newest first */
	struct pl_recorder_priv *ended;	/* last ended first */
	uint32_t n_recorders;		/* of both lists */
	struct pl_carry carry;
	void *probe;			/* the probe's own, see probe.c */
	struct pl_session *next;	/* in the registry */
};

/* A thread's view.  Initial-exec: one instruction to reach. */
struct pl_tls {
	uint32_t epoch;
	bool registered;		/* its end will be told */
	struct pl_recorder *first;	/* chained by ->more */
	struct pl_recorder *only;	/* the first, if there is no other and
					 * it reads the counter; or NULL */
	void (*chore)(void);		/* see pl_tls_at_next_event; or NULL */
};

extern __thread struct pl_tls pl_tls
	__attribute__((tls_model("initial-exec")));
extern uint32_t pl_epoch;

/* Bring the calling thread's list up to date. */
void pl_tls_sync(struct pl_tls *tls);

/* Call @chore once, at the calling thread's next event. */
void pl_tls_at_next_event(void (*chore)(void));

/* The calling thread's recorders, none of them of a session that has ended. */
static inline struct pl_recorder *pl_tls_first(void)
{
	if (__builtin_expect(pl_tls.epoch != __atomic_load_n(&pl_epoch,
							     __ATOMIC_RELAXED),
			     0))
		pl_tls_sync(&pl_tls);
	return pl_tls.first;
}

/* The same without a lock, as far as it is known: NULL when the list is not up
 * to date, and may name recorders that are gone. */
static inline struct pl_recorder *pl_tls_known(void)
{
	return pl_tls.epoch == __atomic_load_n(&pl_epoch, __ATOMIC_RELAXED) ?
		       pl_tls.first :
		       NULL;
}

/*
 * The calling thread's one recorder, when nothing stands in the way of the
 * short path; NULL when pl_tls_first() is to be asked.
 */
static inline struct pl_recorder *pl_tls_only(void)
{
	if (__builtin_expect(pl_tls.epoch != __atomic_load_n(&pl_epoch,
							     __ATOMIC_RELAXED),
			     0))
		return NULL;
	return pl_tls.only;
}

/*
 * Open the recording file of the process-wide session: beside the database
 * of @s->options.out, else in a fallback folder, else in private memory
 * (then @err, with rc 0, holds a sentence to be shown).  @uuid: this
 * recording's, or NULL for a new one.
 */
int pl_session_open_process(struct pl_session *s, const uint8_t uuid[16],
			    struct pl_error *err);

/* Open a private recording for a Profile. */
int pl_session_open_private(struct pl_session *s, enum pl_clock_kind clock,
			    struct pl_error *err);

/* Tell proflite record; false when it has not heard it. */
bool pl_session_tell(const struct pl_session *s, enum pl_notice_kind kind);

/*
 * Write a recording of the database @db into the fallback folder, where the
 * next command finds it; *@path is its name.  For when its own folder is gone.
 */
int pl_session_keep(const char *db, const void *recording, size_t bytes,
		    char *path, size_t size, struct pl_error *err);

/* Begin and end recording on this thread, or on all.  Idempotent. */
int pl_session_start(struct pl_session *s, struct pl_error *err);
void pl_session_stop(struct pl_session *s);

/* Close calls that an event under way when the session stopped has left. */
void pl_session_unwind(struct pl_session *s);

/* Record C functions or not, from here on. */
void pl_session_builtins(struct pl_session *s, bool builtins);

/* While the session is off: end its recorders, so that the next start makes
 * new ones, with the flags that the session has by then. */
void pl_session_split(struct pl_session *s);

/* The same; what is recorded next is a scope of its own, of that label. */
void pl_session_scope(struct pl_session *s, const char *text, size_t len);

/* Label a private recording's run, and make that @run, which others are in,
 * too; NULL: it stays a run of its own. */
void pl_session_join(struct pl_session *s, const uint8_t run[16],
		     const char *label, size_t len);

/*
 * End the session for good: mark how the process ended, make the header final.
 * Idempotent; the first @end wins.  Does not unmap: readers may follow.
 */
void pl_session_finish(struct pl_session *s, enum pl_end end, int status);

/* The same in a signal's handler that ends the process: it may have interrupted
 * whoever holds the lock, and does without. */
void pl_session_finish_now(struct pl_session *s, enum pl_end end, int status);

/* Unmap and free everything.  Not while any thread may still be recording. */
void pl_session_close(struct pl_session *s);

/* pl_recording_trim, for every session. */
void pl_session_trim_all(void);

/* Bytes of the recording that are valid, for readers of its memory. */
size_t pl_session_bytes(const struct pl_session *s);

/*
 * What @r takes, where its session records a part of a thread's calls only: a
 * call that begins inside of it, and what that calls until it returns.
 */
static inline bool pl_has_begun(const struct pl_recorder *r)
{
	return __builtin_expect(!(r->flags & PL_RECORDER_WITHIN), 1) ||
	       r->sp > r->stack + sizeof(struct pl_frame);
}

static inline bool pl_begins(const struct pl_recorder *r)
{
	const struct pl_session *s;

	if (pl_has_begun(r))
		return true;
	s = ((const struct pl_recorder_priv *)(uintptr_t)r->priv)->session;
	return s->inside(s->inside_ctx);
}

/* The calling thread's recorder in @s, or NULL. */
struct pl_recorder *pl_session_recorder(struct pl_session *s);

/* Where a child's parent= digits stand in the environment, to be overwritten
 * after a fork; NULL for nowhere. */
extern char *pl_session_parent_digits;

#endif
