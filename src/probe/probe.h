/* SPDX-License-Identifier: MIT */
/*
 * probe.h: the interpreter's events, turned into enter and leave.
 *
 *	event			sys.monitoring (3.12+)	PyEval_SetProfile
 *	----------------------	-----------------------	-----------------
 *	enter, a call		PY_START		CALL
 *	enter, in the middle	PY_RESUME, PY_THROW	CALL (by f_lasti)
 *	leave			PY_RETURN, PY_YIELD,	RETURN
 *				PY_UNWIND
 *	enter a C function	CALL			C_CALL
 *	leave a C function	C_RETURN, C_RAISE	C_RETURN, C_EXCEPTION
 *
 * sys.monitoring watches an interpreter, all of its threads at once;
 * PyEval_SetProfile one thread.  With sys.monitoring a tool id nobody has
 * claimed is used, so cProfile, coverage and a debugger run beside us.
 *
 * What identifies a callee (its key) is the address of its code object or of
 * its PyMethodDef: two bound methods of one definition are one function, as
 * in cProfile, and nothing is bound or allocated to find out.
 *
 * All functions here need the GIL, or a thread state where there is none.
 * There, beginning and ending are guarded by a lock that lets others run while
 * it is waited for; what an event shares with other threads, by one that is
 * held for a few instructions without Python code.
 */
#ifndef PL_PROBE_PROBE_H
#define PL_PROBE_PROBE_H

#include "core/session.h"
#include "probe/pyapi.h"

/* One way of getting events. */
struct pl_probe_ops {
	const char *name;
	/* Events for this interpreter (and, for a per-thread back end, for
	 * this thread, or for all of them).  @owner is what sys.getprofile()
	 * shows, or NULL. */
	int (*attach)(bool all_threads, bool c_calls, PyObject *owner,
		      struct pl_error *err);
	/* No session needs events of this interpreter (of this thread).
	 * @owner is that of the session that has ended. */
	void (*detach)(bool all_threads, PyObject *owner);
	/* The interpreter, not the main one, is going away; may be NULL. */
	void (*leave)(void);
	/* All are gone: forget their objects. */
	void (*forget)(void);
	/* Wait until no thread is inside of an event.  Only asked for where
	 * there is no GIL; may be NULL. */
	void (*quiesce)(void);
	/* See pl_probe_thread_keeps; may be NULL. */
	void (*thread_keeps)(unsigned int key, const void *value);
	/* See pl_probe_profile_was_set. */
	void (*profile_was_set)(PyObject *function, bool is_first);
};

extern const struct pl_probe_ops pl_probe_monitoring;
extern const struct pl_probe_ops pl_probe_setprofile;

/*
 * A session begins or ends: attach what it needs, detach what none needs.  One
 * for single threads may begin on several, one after the other; it ends on all
 * at once.  @owner, a Profile or NULL, is borrowed until the session has ended.
 */
int pl_probe_begin(struct pl_session *s, PyObject *owner,
		   struct pl_error *err);
void pl_probe_end(struct pl_session *s);

/* Is any session on, in any thread? */
bool pl_probe_is_on(void);

/* The Profile that was last made of those that are on in this thread: borrowed,
 * NULL when there is none. */
PyObject *pl_probe_owner(void);

/*
 * Inside of an event Python code may run: a repr, a Profile's timer.  Between
 * these two no recording is unmapped, whatever that code does to its Profile.
 */
void pl_probe_hold(void);
void pl_probe_unhold(void);

/* End @s and free it and all that is its, once nothing is held. */
void pl_probe_dispose(struct pl_session *s);

/* The current interpreter, a new one, joins the process-wide session. */
int pl_probe_join_interpreter(struct pl_error *err);
/* The current interpreter, not the main one, ends: let go of its objects. */
void pl_probe_leave_interpreter(void);
void pl_probe_forget(void);

/* @s is about to be closed, and the interpreter whose objects it keeps may be
 * gone: they are not let go of. */
void pl_probe_abandon(struct pl_session *s);

/* What interpreters share.  Held for a few instructions, without Python code. */
void pl_probe_lock(void);
void pl_probe_unlock(void);

/*
 * The calling thread keeps @value under the pthread key @key.  If it is a
 * thread state that Python has just made, events of it are wanted.  Needs no
 * GIL: the thread has none yet.
 */
void pl_probe_thread_keeps(unsigned int key, const void *value);

/*
 * The calling thread, which has recorders, has just set @function by
 * sys.setprofile, and that call has yet to end.  @is_first: there was none
 * before, and so the end is not for it.
 */
void pl_probe_profile_was_set(PyObject *function, bool is_first);

/* First sight of a callable in a recorder: name it, make its node.  Keep the
 * pending exception.  Never NULL. */
struct pl_node *pl_probe_code(struct pl_recorder *r, PyObject *code);
struct pl_node *pl_probe_cfunction(struct pl_recorder *r, PyObject *func,
				   uint64_t key);
struct pl_node *pl_probe_methoddescr(struct pl_recorder *r, PyObject *descr,
				     PyObject *self);
struct pl_node *pl_probe_other(struct pl_recorder *r, PyObject *callable,
			       uint64_t key);

/* The function of a key seen before, or 0. */
uint32_t pl_probe_func(struct pl_recorder *r, uint64_t key);

/*
 * Code objects seen are kept alive, so that no other one takes their address:
 * the first of each function as long as the session, others as long as the
 * program has them, or not at all (see struct pl_options, max_functions).  The @i-th (borrowed), in order of first sight, and its
 * function; NULL behind the last.  Several may be one function.
 */
PyObject *pl_probe_object(struct pl_session *s, size_t i, uint32_t *func);

/*
 * The key of a callable that is neither a Python nor a C function: its own
 * address if it has a name (classes, slot wrappers, numpy's ufuncs, Cython's
 * functions), else one for all of its type (partial, objects with __call__).
 */
uint64_t pl_key_other(PyObject *callable);

#endif
