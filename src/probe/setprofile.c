/* SPDX-License-Identifier: MIT */
/*
 * setprofile.c: events by PyEval_SetProfile, CPython 3.9 to 3.11.
 *
 * The hook belongs to a thread state.  To cover all threads it is put on every
 * one that exists, and on a new one as soon as the call that made it returns:
 * _thread.start_new_thread gives the new thread its state before it starts it
 * and does not release the GIL, so the creator's C_RETURN event comes before
 * the new thread's first instruction.  No event tells of a state that is made
 * by a call from C, or for a thread of C; under the preload we see the thread
 * put it away, before it waits for the GIL.
 *
 * A hook that no session needs any longer takes itself off at its next event:
 * what is on another thread may by then be somebody else's.
 *
 * There is one hook a thread.  If somebody else's is there when ours comes
 * (cProfile's, a function given to sys.setprofile), ours passes every event on
 * to it, and puts it back in the end.  If theirs comes later, or goes, ours is
 * gone; the call that does it is an event that we see, and as soon as it is
 * over we look again.  That works by a pending call, which only the main thread
 * has.
 */
#include <config.h>

#include "probe/probe.h"

#include "core/recorder_inline.h"
#include "probe/sysprofile.h"

#include <pthread.h>
#include <string.h>

/* PyMethodDefs after whose return there is a new thread state. */
static uint64_t thread_starters[2];
static bool all_threads_on;

static int on_event(PyObject *obj, PyObject *frame, int what, PyObject *arg);

/* -------------------------------------------------------------- the hook -- */

/*
 * Somebody else's hook, which ours passes events on to.  One a thread.  While
 * its object stands in the thread state, that holds it: it has to go when the
 * program sets another one, and not later.
 */
static __thread struct {
	pl_tracefunc func;
	PyObject *obj;
	bool is_owned;
} theirs;

/* c_profilefunc in PyThreadState, by words; c_profileobj is two further. */
static size_t func_word;

/* What says whether there is a hook or a trace function: in 3.9 an int in the
 * word before it; from 3.10 on that word points to it, and in 3.11 it is a
 * byte. */
static void set_tracing(PyThreadState *ts, bool on)
{
	void **word = (void **)ts + func_word - 1;

	if (pl_py.version == 0x030b)
		*(uint8_t *)*word = on ? 255 : 0;
	else
		*(int *)(pl_py.version == 0x0309 ? word : *word) = on;
}

/*
 * What _PyEval_SetProfile does, but for its audit event: the program has set
 * nothing, and a hook of sys.addaudithook might refuse.  The owner that was
 * there is the caller's.
 */
static PyObject *write_hook(PyThreadState *ts, pl_tracefunc func,
			    PyObject *owner)
{
	void **words = (void **)ts + func_word;
	PyObject *old = words[2];

	Py_XINCREF(owner);
	*(pl_tracefunc *)words = func;
	words[2] = owner;
	set_tracing(ts, func || words[1]);	/* c_tracefunc */
	return old;
}

/* Where it lies differs from version to version: set that of a thread state
 * which no thread uses, and look. */
static void find_func_word(void)
{
	PyThreadState *ts = PyThreadState_New(PyInterpreterState_Get());
	void *const *words = (void *const *)ts;

	if (!ts)
		return;
	pl_py.set_profile_thread(ts, on_event, NULL);
	for (size_t i = 1; i < 24 && !func_word; i++)
		if (words[i] == (void *)on_event)
			func_word = i;
	pl_py.set_profile_thread(ts, NULL, NULL);
	PyThreadState_Clear(ts);
	PyThreadState_Delete(ts);
}

static pl_tracefunc hook_func(PyThreadState *ts)
{
	return func_word ? ((const pl_tracefunc *)ts)[func_word] : NULL;
}

/* Last of all the old owner is let go: it may set the hook itself as it goes. */
static void set_hook(pl_tracefunc func, PyObject *owner)
{
	PyObject *type, *value, *traceback;

	PyErr_Fetch(&type, &value, &traceback);
	if (theirs.obj && !theirs.is_owned) {
		Py_INCREF(theirs.obj);
		theirs.is_owned = true;
	}
	if (func_word)
		Py_XDECREF(write_hook(PyThreadState_Get(), func, owner));
	else
		pl_py.set_profile(func, owner);
	PyErr_Restore(type, value, traceback);
}

static void forget_theirs(void)
{
	PyObject *obj = theirs.is_owned ? theirs.obj : NULL;

	theirs.func = NULL;
	theirs.obj = NULL;
	theirs.is_owned = false;
	Py_XDECREF(obj);
}

/* On this thread ours comes first; @owner is what sys.getprofile() shows, NULL
 * for whoever else is there. */
static void take_hook(PyObject *owner)
{
	PyThreadState *ts = PyThreadState_Get();
	pl_tracefunc func = hook_func(ts);

	if (func && func != on_event) {
		forget_theirs();
		theirs.func = func;
		theirs.obj = ((PyObject *const *)ts)[func_word + 2];
	}
	if (!owner)
		owner = pl_probe_owner();
	if (!owner)
		owner = theirs.obj;
	if (func && owner == ((PyObject *const *)ts)[func_word + 2])
		((pl_tracefunc *)ts)[func_word] = on_event;
	else
		set_hook(on_event, owner);
}

static void give_hook_back(void)
{
	pl_tracefunc func = theirs.func;
	PyObject *obj = theirs.obj;

	Py_XINCREF(obj);
	forget_theirs();
	set_hook(func, obj);
	Py_XDECREF(obj);
}

static void install_everywhere(void)
{
	PyInterpreterState *interp = PyInterpreterState_Get();

	for (PyThreadState *ts = pl_py.thread_head(interp); ts;
	     ts = pl_py.thread_next(ts))
		if (func_word && !hook_func(ts))
			write_hook(ts, on_event, NULL);
}

/* Where the interpreter keeps a thread's state for it. */
static pthread_key_t state_key;
static bool have_state_key;

/* The thread's state, where we have seen it. */
static __thread PyThreadState *own_state;

static void find_state_key(void)
{
	own_state = PyGILState_GetThisThreadState();
	for (pthread_key_t key = 0; own_state && key < 1024; key++) {
		if (pthread_getspecific(key) != own_state)
			continue;
		state_key = key;
		have_state_key = true;
		return;
	}
}

/*
 * The state is new, and nobody but its thread, which is just here, knows it: so
 * the hook is written into it, as what Python has for that wants the GIL.  A
 * forked child may get another key for its one thread.
 */
static void thread_keeps(unsigned int key, const void *value)
{
	PyThreadState *ts = (PyThreadState *)value;

	if (!have_state_key || !func_word ||
	    !__atomic_load_n(&all_threads_on, __ATOMIC_RELAXED))
		return;
	if (ts == own_state && pthread_getspecific(state_key) != ts)
		state_key = key;
	if (key != state_key || hook_func(ts))
		return;
	own_state = ts;
	write_hook(ts, on_event, NULL);
}

/* The call of what is about to change the hook; its end goes to the new one. */
static uint64_t changing;

/* Somebody has put a hook in the place of ours, or has taken it away. */
static void regain_hook(void)
{
	PyThreadState *ts = PyThreadState_Get();

	if (hook_func(ts)) {
		take_hook(((PyObject *const *)ts)[func_word + 2]);
	} else {
		forget_theirs();
		set_hook(on_event, pl_probe_owner());
	}
}

/* The end of the call that has set their function is not for it. */
static __thread bool is_unannounced;

static void profile_was_set(PyObject *function, bool is_first)
{
	(void)function;
	if (!func_word || hook_func(PyThreadState_Get()) == on_event)
		return;
	regain_hook();
	is_unannounced = is_first;
}

static bool is_for_them(int what, PyObject *arg)
{
	bool is_end = what == PL_TRACE_C_RETURN && is_unannounced &&
		      PyCFunction_Check(arg) &&
		      pl_sysprofile_is((uint64_t)(uintptr_t)
				       ((struct pl_cfunction *)arg)->ml);

	is_unannounced = false;
	return !is_end;
}

/* In the main thread, between two instructions. */
static int look_again(void *unused)
{
	pl_tracefunc func = hook_func(PyThreadState_Get());

	(void)unused;
	if (!pl_tls_first() || func == on_event)
		return 0;
	for (struct pl_recorder *r = pl_tls.first; r;
	     r = (struct pl_recorder *)(uintptr_t)r->more)
		if (((struct pl_node *)(uintptr_t)r->cur)->key == changing)
			pl_leave(r, changing, PL_FRAME_C);
	regain_hook();
	return 0;
}

/* cProfile's enable and disable.  Others of that name do no harm. */
static bool changes_hook(const PyMethodDef *ml)
{
	static const char *const names[] = { "enable", "disable" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (*ml->ml_name == *names[i] &&
		    !strcmp(ml->ml_name, names[i]))
			return true;
	return false;
}

static bool starts_threads(const PyMethodDef *ml)
{
	uint64_t key = (uint64_t)(uintptr_t)ml;

	return key == thread_starters[0] || key == thread_starters[1];
}

/*
 * The key of a function whose call and end have to be looked at is odd.  The
 * short path looks for even ones, and does not enter such a call.
 */
static uint64_t c_key(const PyMethodDef *ml)
{
	return (uint64_t)(uintptr_t)ml |
	       (changes_hook(ml) || starts_threads(ml));
}

/*
 * Their function may fail, and then takes the hook off: that is theirs to do,
 * but ours stays.
 */
static int pass_on(PyObject *frame, int what, PyObject *arg)
{
	int rc = theirs.func(theirs.obj, frame, what, arg);

	if (rc) {
		forget_theirs();
		set_hook(on_event, pl_probe_owner());
	}
	return rc;
}

/* ------------------------------------------------------------- events -- */

/* Whether a CALL event enters @code, a generator's, in the middle. */
static int is_resumed(PyObject *frame, PyObject *code)
{
	return pl_code_is_generator(code) &&
	       pl_frame_lasti(frame) > pl_code_entry(code);
}

static void enter_frame(struct pl_recorder *r, PyObject *frame, PyObject *code)
{
	struct pl_node *n = pl_child(r, (uint64_t)(uintptr_t)code);

	if (pl_unlikely(!n))
		n = pl_probe_code(r, code);
	pl_push(r, n, is_resumed(frame, code), pl_activation(frame));
}

/*
 * 3.11 does not announce all that it leaves:
 *
 *	a call whose first instruction a signal's handler interrupts by raising
 *	a generator that throw() wakes by ending what it delegates to
 *	(yield from, await)
 *
 * The frame tells such an end from that of another activation of the same
 * function, further down.
 */
static void leave_frame(struct pl_recorder *r, PyObject *frame)
{
	pl_leave_activation(r, (uint64_t)(uintptr_t)pl_frame_code(frame),
			    pl_activation(frame));
}

/* A call of a C function is told by the frame that makes it: one at a time. */
static uint32_t c_activation(PyObject *frame)
{
	return pl_activation(frame) | PL_FRAME_C;
}

static void enter_c(struct pl_recorder *r, PyObject *frame, PyObject *func,
		    uint64_t key)
{
	struct pl_node *n = pl_child(r, key);

	if (pl_unlikely(!n))
		n = pl_probe_cfunction(r, func, key);
	pl_push(r, n, 0, c_activation(frame) | (key & 1 ? PL_FRAME_SLOW : 0));
}

static void frame_event(PyObject *frame, int what)
{
	for (struct pl_recorder *r = pl_tls.first; r;
	     r = (struct pl_recorder *)(uintptr_t)r->more)
		if (what == PL_TRACE_CALL && pl_begins(r))
			enter_frame(r, frame, pl_frame_code(frame));
		else if (what == PL_TRACE_RETURN && pl_has_begun(r))
			leave_frame(r, frame);
}

static void c_event(PyObject *frame, int what, PyObject *func)
{
	const PyMethodDef *ml = ((struct pl_cfunction *)func)->ml;
	uint64_t key = c_key(ml);

	for (struct pl_recorder *r = pl_tls.first; r;
	     r = (struct pl_recorder *)(uintptr_t)r->more)
		if (!(r->flags & PL_RECORDER_BUILTINS) || !pl_has_begun(r))
			continue;
		else if (what == PL_TRACE_C_CALL)
			enter_c(r, frame, func, key);
		else
			pl_leave_activation(r, key, c_activation(frame));
	if (what == PL_TRACE_C_RETURN && all_threads_on && starts_threads(ml))
		install_everywhere();
}

static __attribute__((noinline)) int on_event_long(PyObject *frame, int what,
						   PyObject *arg)
{
	bool of_c = what >= PL_TRACE_C_CALL && PyCFunction_Check(arg);
	int rc = 0;

	if (!pl_tls_first())
		;
	else if (what < PL_TRACE_C_CALL)
		frame_event(frame, what);
	else if (of_c)
		c_event(frame, what, arg);
	if (pl_unlikely(theirs.func != NULL) && is_for_them(what, arg))
		rc = pass_on(frame, what, arg);
	if (pl_unlikely(!pl_tls.first)) {
		give_hook_back();
	} else if (of_c && what == PL_TRACE_C_CALL &&
		   changes_hook(((struct pl_cfunction *)arg)->ml)) {
		/* Last: Python code run before would make the pending call. */
		changing = c_key(((struct pl_cfunction *)arg)->ml);
		(void)Py_AddPendingCall(look_again, NULL);
	}
	return rc;
}

/* A generator's frame takes the long path: it may be entered in the middle. */
static inline bool enter_frame_short(struct pl_recorder *r, PyObject *frame)
{
	PyObject *code = pl_frame_code(frame);

	return pl_likely(!pl_code_is_generator(code)) &&
	       pl_enter_short(r, (uint64_t)(uintptr_t)code, 0,
			      pl_activation(frame));
}

static inline bool enter_c_short(struct pl_recorder *r, PyObject *frame,
				 PyObject *func)
{
	if (pl_unlikely(Py_TYPE(func) != &PyCFunction_Type ||
			!(r->flags & PL_RECORDER_BUILTINS)))
		return false;
	return pl_enter_short(r, (uint64_t)(uintptr_t)
			      ((struct pl_cfunction *)func)->ml,
			      0, c_activation(frame));
}

static int on_event(PyObject *obj, PyObject *frame, int what, PyObject *arg)
{
	struct pl_recorder *r = pl_tls_only();
	bool done = false;

	(void)obj;
	if (pl_unlikely(!r || theirs.func))
		return on_event_long(frame, what, arg);
	switch (what) {
	case PL_TRACE_CALL:
		done = enter_frame_short(r, frame);
		break;
	case PL_TRACE_RETURN:
		done = pl_leave_activation_short(r, pl_activation(frame));
		break;
	case PL_TRACE_C_CALL:
		done = enter_c_short(r, frame, arg);
		break;
	case PL_TRACE_C_RETURN:
	case PL_TRACE_C_EXCEPTION:
		done = pl_leave_activation_short(r, c_activation(frame));
		break;
	}
	return pl_likely(done) ? 0 : on_event_long(frame, what, arg);
}

/* -------------------------------------------------------- registration -- */

static void find_thread_starters(void)
{
	static const char *const names[] = { "start_new_thread", "start_new" };
	PyObject *type, *value, *traceback, *module;

	PyErr_Fetch(&type, &value, &traceback);
	module = PyImport_ImportModule("_thread");
	for (size_t i = 0; module && i < 2; i++) {
		PyObject *f = PyObject_GetAttrString(module, names[i]);

		if (f && PyCFunction_Check(f))
			thread_starters[i] = (uint64_t)(uintptr_t)
				((struct pl_cfunction *)f)->ml;
		Py_XDECREF(f);
	}
	Py_XDECREF(module);
	PyErr_Clear();
	PyErr_Restore(type, value, traceback);
}

static int attach(bool all_threads, bool c_calls, PyObject *owner,
		  struct pl_error *err)
{
	(void)c_calls, (void)err;
	if (!func_word && pl_py.set_profile_thread)
		find_func_word();
	take_hook(owner);
	if (all_threads) {
		if (!have_state_key)
			find_state_key();
		find_thread_starters();
		all_threads_on = true;
		install_everywhere();
	}
	return 0;
}

static void detach(bool all_threads, PyObject *owner)
{
	(void)owner;
	if (all_threads)
		all_threads_on = false;
	if (!func_word || hook_func(PyThreadState_Get()) == on_event)
		give_hook_back();
}

static void forget(void)
{
	all_threads_on = false;
}

const struct pl_probe_ops pl_probe_setprofile = {
	.name = "PyEval_SetProfile",
	.attach = attach,
	.detach = detach,
	.forget = forget,
	.thread_keeps = thread_keeps,
	.profile_was_set = profile_was_set,
};
