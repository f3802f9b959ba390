/* SPDX-License-Identifier: MIT */
/*
 * monitoring.c: events by sys.monitoring (PEP 669), CPython 3.12 and newer.
 *
 * A callback is an object of a type of ours with a vectorcall slot: one call
 * layer less than a builtin function.  It never fails, never returns DISABLE
 * (which can lose the C_RETURN that belongs to a CALL), and returns None,
 * which is immortal in these versions.
 *
 * What a CALL event names is not always what is called: 3.12 and 3.13 show a
 * bound method as it is at CALL, and its function at C_RETURN.  So a bound
 * method of a C function counts as that function at CALL already.
 */
#include <config.h>

#include "probe/probe.h"

#include "base/hash.h"
#include "core/recorder_inline.h"
#include "probe/sysprofile.h"

#include <stddef.h>
#include <string.h>

#ifndef Py_TPFLAGS_HAVE_VECTORCALL	/* limited API: since 3.12 */
#define Py_TPFLAGS_HAVE_VECTORCALL (1UL << 11)
#endif

struct callback {
	PyObject ob_base;
	pl_vectorcall vectorcall;
};

/* sys.monitoring.MISSING: a CALL without arguments. */
static PyObject *missing;

/* ------------------------------------------------------------- events -- */

static inline struct pl_recorder *next_recorder(struct pl_recorder *r)
{
	return (struct pl_recorder *)(uintptr_t)r->more;
}

static __attribute__((noinline, cold)) void
enter_new_code(struct pl_recorder *r, PyObject *const *args, int resumed)
{
	struct pl_node *n = pl_probe_code(r, args[0]);

	pl_push(r, n, resumed,
		pl_new_flags(n, (uint64_t)(uintptr_t)args[0]));
}

/* Each callback has a short path, see recorder_inline.h, and a long one. */
#define LONG_PATH static __attribute__((noinline, cold)) PyObject *

LONG_PATH enter_code_long(PyObject *const *args, int resumed)
{
	uint64_t key = (uint64_t)(uintptr_t)args[0];

	for (struct pl_recorder *r = pl_tls_first(); r;
	     r = next_recorder(r)) {
		struct pl_node *n;

		if (!pl_begins(r))
			continue;
		n = pl_child(r, key);
		if (pl_unlikely(!n))
			enter_new_code(r, args, resumed);
		else
			pl_push(r, n, resumed, 0);
	}
	return Py_None;
}

/* Neither the child hit last nor the one behind it. */
static __attribute__((noinline)) PyObject *
enter_other_code(struct pl_recorder *r, PyObject *const *args, int resumed)
{
	uint64_t key = (uint64_t)(uintptr_t)args[0];
	struct pl_node *n = pl_child_slow(r, key);

	if (pl_unlikely(!n))
		enter_new_code(r, args, resumed);
	else
		pl_push(r, n, resumed, 0);
	return Py_None;
}

static inline PyObject *enter_code(PyObject *const *args, int resumed)
{
	struct pl_recorder *r = pl_tls_only();

	if (pl_unlikely(!r))
		return enter_code_long(args, resumed);
	if (pl_likely(pl_enter_short(r, (uint64_t)(uintptr_t)args[0], resumed,
				     0)))
		return Py_None;
	return enter_other_code(r, args, resumed);
}

static PyObject *on_start(PyObject *self, PyObject *const *args, size_t n,
			  PyObject *kw)
{
	(void)self, (void)n, (void)kw;
	return enter_code(args, 0);
}

static PyObject *on_resume(PyObject *self, PyObject *const *args, size_t n,
			   PyObject *kw)
{
	(void)self, (void)n, (void)kw;
	return enter_code(args, 1);
}

/*
 * Ends of calls that never began
 *
 * A leave event names a code object, and not an activation of it.  In three
 * cases its call was not announced to us:
 *
 *	a signal's handler raises at RESUME: from 3.13 on the interpreter
 *	handles signals before it sends PY_START or PY_RESUME
 *	a callback of another tool, or a function of sys.settrace, raises at
 *	that event before our callback has its turn
 *	a generator goes on after either, since it caught the exception
 *
 * Another activation of the same code may be open further down, and must stay
 * open.  An offset proves nothing: code of C that sends events (Cython's) may
 * send all of them from one offset.  The interpreter's frames prove it, and are
 * looked at only where the event can be such an end.
 */

/* The code object of @frame, borrowed from its function: the frame is open. */
static PyObject *code_of(PyObject *frame)
{
	PyObject *code = pl_py.frame_code(frame);

	Py_XDECREF(code);
	return code;
}

static PyObject *frame_behind(PyObject *frame)
{
	PyObject *back = pl_py.frame_back(frame);

	Py_XDECREF(back);
	return back;
}

/* The frame that an event about @code is sent from; NULL when that is code of C,
 * which has none. */
static PyObject *frame_of_event(PyObject *code)
{
	PyObject *frame = pl_py.current_frame();

	PyErr_Clear();			/* no memory to make one */
	return frame && code_of(frame) == code ? frame : NULL;
}

static uint32_t func_of_frame(struct pl_recorder *r, PyObject *frame)
{
	return frame ? pl_probe_func(r, (uint64_t)(uintptr_t)code_of(frame)) :
		       0;
}

static uint32_t func_of_call(const struct pl_recorder *r,
			     const struct pl_frame *call)
{
	return pl_node_at(r, call->node)->func;
}

/* The innermost open call at or below @call of a Python function. */
static const struct pl_frame *python_call(const struct pl_frame *call)
{
	while (call->flags & PL_FRAME_C)
		call--;
	return call;
}

/* The innermost open call is not of @frame's function: is it of its caller? */
static bool top_is_caller_of(struct pl_recorder *r, PyObject *frame)
{
	const struct pl_frame *top = (const struct pl_frame *)r->sp - 1;
	uint32_t caller = func_of_frame(r, frame_behind(frame));

	return caller && caller == func_of_call(r, python_call(top));
}

/* A function that called itself: are there more frames of it than open calls? */
static bool has_one_more(struct pl_recorder *r, PyObject *frame)
{
	const struct pl_frame *call = (const struct pl_frame *)r->sp - 1;
	uint32_t func = func_of_frame(r, frame);

	for (; func_of_frame(r, frame) == func; frame = frame_behind(frame)) {
		call = python_call(call);
		if (func_of_call(r, call) != func)
			return true;
		call--;
	}
	return false;
}

/* Whether the instruction at @offset, or of 3.15 the cache behind it, is the one
 * that sends PY_START and PY_RESUME. */
static bool is_resume(PyObject *code, PyObject *offset)
{
	PyObject *bytes = PyObject_GetAttrString(code, "co_code");
	long at = PyLong_AsLong(offset);
	Py_ssize_t n = 0;
	char *p = NULL;
	bool is = false;

	if (bytes && !PyBytes_AsStringAndSize(bytes, &p, &n) && at >= 0 &&
	    at < n)
		is = (unsigned char)p[at] == pl_py.resume ||
		     (at >= 2 && !p[at] &&
		      (unsigned char)p[at - 2] == pl_py.resume);
	Py_XDECREF(bytes);
	PyErr_Clear();
	return is;
}

/* The innermost open call is of the function that is left.  It is another
 * activation only where the function has called itself. */
static bool top_is_another(struct pl_recorder *r, PyObject *const *args)
{
	PyObject *frame = frame_of_event(args[0]);
	PyObject *caller = frame ? frame_behind(frame) : NULL;

	return caller && code_of(caller) == args[0] &&
	       is_resume(args[0], args[1]) && has_one_more(r, frame);
}

static bool was_never_entered(struct pl_recorder *r, PyObject *const *args,
			      bool by_exception)
{
	const struct pl_node *top = (struct pl_node *)(uintptr_t)r->cur;
	uint64_t key = (uint64_t)(uintptr_t)args[0];
	PyObject *frame;

	if (top->key == key || pl_probe_func(r, key) == top->func)
		return by_exception && top_is_another(r, args);
	frame = frame_of_event(args[0]);
	return frame && top_is_caller_of(r, frame);
}

static void leave_code(struct pl_recorder *r, PyObject *const *args,
		       bool by_exception)
{
	if (was_never_entered(r, args, by_exception))
		r->n_unmatched++;
	else
		pl_leave(r, (uint64_t)(uintptr_t)args[0], 0);
}

LONG_PATH leave_code_long(PyObject *const *args)
{
	for (struct pl_recorder *r = pl_tls_first(); r;
	     r = next_recorder(r))
		if (pl_has_begun(r))
			leave_code(r, args, false);
	return Py_None;
}

static PyObject *on_return(PyObject *self, PyObject *const *args, size_t n,
			   PyObject *kw)
{
	struct pl_recorder *r = pl_tls_only();

	(void)self, (void)n, (void)kw;
	if (pl_likely(r && pl_leave_short(r, (uint64_t)(uintptr_t)args[0])))
		return Py_None;
	return leave_code_long(args);
}

static PyObject *on_unwind(PyObject *self, PyObject *const *args, size_t n,
			   PyObject *kw)
{
	(void)self, (void)n, (void)kw;
	for (struct pl_recorder *r = pl_tls_first(); r;
	     r = next_recorder(r))
		if (pl_has_begun(r))
			leave_code(r, args, true);
	return Py_None;
}

/*
 * What a CALL, C_RETURN or C_RAISE is about.  The three cases that matter are
 * told apart by one load of the type and three compares.
 */
struct callee {
	uint64_t key;			/* 0: not recorded */
	enum { CALLEE_C, CALLEE_DESCR, CALLEE_OTHER } kind;
	PyObject *object, *self;
};

/* cProfile binds a method descriptor to its first argument, and leaves out a
 * call for which that fails: list.append(1). */
static inline bool descr_takes(PyObject *descr, PyObject *self)
{
	PyTypeObject *type = ((struct pl_methoddescr *)descr)->type;

	return self != missing &&
	       (Py_TYPE(self) == type ||
		PyType_IsSubtype(Py_TYPE(self), type));
}

/* The function that is called has events of its own. */
static inline bool is_python_method(PyObject *callable)
{
	return Py_TYPE(callable) == pl_py.method_type &&
	       Py_TYPE(((struct pl_method *)callable)->func) ==
		       pl_py.function_type;
}

static struct callee other_callee(PyObject *callable, PyObject *arg0)
{
	struct callee c = { 0, CALLEE_OTHER, callable, arg0 };

	if (Py_TYPE(callable) == pl_py.function_type) {
		c.kind = CALLEE_C;	/* called from C without inlining */
		return c;
	}
	if (is_python_method(callable))
		return c;
	if (Py_TYPE(callable) == pl_py.method_type)
		c.object = callable = ((struct pl_method *)callable)->func;
	if (Py_TYPE(callable) == pl_py.method_wrapper_type)
		c.object = ((struct pl_method_wrapper *)callable)->descr;
	if (PyCFunction_Check(callable)) {
		c.kind = CALLEE_C;
		c.object = callable;
		c.key = (uint64_t)(uintptr_t)
			((struct pl_cfunction *)callable)->ml;
	}
	return c;
}

static inline struct callee callee_of(PyObject *callable, PyObject *arg0)
{
	struct callee c = { 0, CALLEE_C, callable, arg0 };
	PyTypeObject *type = Py_TYPE(callable);

	if (pl_likely(type == &PyCFunction_Type)) {
		c.key = (uint64_t)(uintptr_t)
			((struct pl_cfunction *)callable)->ml;
		return c;
	}
	if (pl_likely(type == &PyMethodDescr_Type)) {
		c.kind = CALLEE_DESCR;
		if (descr_takes(callable, arg0))
			c.key = (uint64_t)(uintptr_t)
				((struct pl_methoddescr *)callable)->method;
		return c;
	}
	return other_callee(callable, arg0);
}

/* Under all_calls: everything that gets a C_RETURN and is no C function. */
static uint64_t key_for_all_calls(const struct callee *c)
{
	PyTypeObject *type = Py_TYPE(c->object);

	if (c->kind != CALLEE_OTHER || type == pl_py.method_type)
		return 0;
	return pl_key_other(c->object);
}

static struct pl_node *first_sight(struct pl_recorder *r,
				   const struct callee *c, uint64_t key)
{
	switch (c->kind) {
	case CALLEE_C:
		return pl_probe_cfunction(r, c->object, key);
	case CALLEE_DESCR:
		return pl_probe_methoddescr(r, c->object, c->self);
	default:
		return pl_probe_other(r, c->object, key);
	}
}

static inline uint64_t wanted_key(const struct pl_recorder *r,
				  const struct callee *c)
{
	if (pl_likely(c->key))
		return r->flags & PL_RECORDER_BUILTINS ? c->key : 0;
	return r->flags & PL_RECORDER_ALL_CALLS ? key_for_all_calls(c) : 0;
}

/*
 * Of a bound method that is called as f(*args) the end is not told.  From 3.14
 * on an ordinary call shows the method's function instead, so a CALL that shows
 * a method is such a one; before, the instruction tells.
 */
static bool end_is_told(PyObject *code, PyObject *offset)
{
	const unsigned char call_function_ex = pl_py.version == 0x030c ? 142 :
								54;
	PyObject *bytes = pl_py.version >= 0x030e ? NULL :
			  PyObject_GetAttrString(code, "co_code");
	long at = PyLong_AsLong(offset);
	Py_ssize_t n = 0;
	char *p = NULL;
	bool told;

	told = bytes && !PyBytes_AsStringAndSize(bytes, &p, &n) && at >= 0 &&
	       at < n && (unsigned char)p[at] != call_function_ex;
	Py_XDECREF(bytes);
	PyErr_Clear();
	return told;
}

static bool is_untold_method(PyObject *const *args)
{
	return pl_unlikely(Py_TYPE(args[2]) == pl_py.method_type) &&
	       (is_python_method(args[2]) || !end_is_told(args[0], args[1]));
}

/* The two kinds that nearly all C functions are; 0 for all that needs a closer
 * look. */
static inline uint64_t plain_key(PyObject *callable, PyObject *arg0)
{
	PyTypeObject *type = Py_TYPE(callable);

	if (pl_likely(type == &PyCFunction_Type))
		return (uint64_t)(uintptr_t)((struct pl_cfunction *)callable)
			->ml;
	/* sys.monitoring.MISSING is of a type without such descriptors. */
	if (type == &PyMethodDescr_Type &&
	    Py_TYPE(arg0) == ((struct pl_methoddescr *)callable)->type)
		return (uint64_t)(uintptr_t)((struct pl_methoddescr *)callable)
			->method;
	return 0;
}

/* Of what has been entered: that its first argument did is known by then, and a
 * call that was left out is not at the top. */
static inline uint64_t left_key(PyObject *callable)
{
	PyTypeObject *type = Py_TYPE(callable);

	if (pl_likely(type == &PyCFunction_Type))
		return (uint64_t)(uintptr_t)((struct pl_cfunction *)callable)
			->ml;
	if (type == &PyMethodDescr_Type)
		return (uint64_t)(uintptr_t)((struct pl_methoddescr *)callable)
			->method;
	return 0;
}

/* Classes, and bound methods of Python functions: called nearly as often as C
 * functions, and nothing to @r. */
static inline bool is_nothing_to(const struct pl_recorder *r,
				 PyObject *callable)
{
	PyTypeObject *type = Py_TYPE(callable);

	if (type == &PyType_Type)
		return !(r->flags & PL_RECORDER_ALL_CALLS);
	return is_python_method(callable);
}

LONG_PATH call_long(PyObject *const *args)
{
	struct callee c;

	if (is_untold_method(args))
		return Py_None;
	c = callee_of(args[2], args[3]);
	for (struct pl_recorder *r = pl_tls_first(); r;
	     r = next_recorder(r)) {
		uint64_t key = wanted_key(r, &c);
		uint32_t flags = PL_FRAME_C;
		struct pl_node *node;

		if (!key || !pl_has_begun(r))
			continue;
		node = pl_child(r, key);
		if (pl_unlikely(!node)) {
			node = first_sight(r, &c, key);
			flags |= pl_new_flags(node, key);
		}
		pl_push(r, node, 0, flags);
	}
	return Py_None;
}

static __attribute__((noinline)) PyObject *
enter_other_c(struct pl_recorder *r, PyObject *const *args, uint64_t key)
{
	struct pl_node *n = pl_child_slow(r, key);

	if (pl_unlikely(!n))
		return call_long(args);
	pl_push(r, n, 0, PL_FRAME_C);
	return Py_None;
}

/* A method of a built-in type, called on an instance of a subclass. */
static __attribute__((noinline)) PyObject *call_inherited(struct pl_recorder *r,
							  PyObject *const *args)
{
	const struct pl_methoddescr *descr =
		(const struct pl_methoddescr *)args[2];

	if (r->flags & PL_RECORDER_BUILTINS && descr_takes(args[2], args[3]) &&
	    pl_enter_short(r, (uint64_t)(uintptr_t)descr->method, 0,
			   PL_FRAME_C))
		return Py_None;
	return call_long(args);
}

static __attribute__((noinline)) PyObject *call_other(struct pl_recorder *r,
						      PyObject *const *args)
{
	if (is_nothing_to(r, args[2]))
		return Py_None;
	if (Py_TYPE(args[2]) == &PyMethodDescr_Type)
		return call_inherited(r, args);
	return call_long(args);
}

static PyObject *on_call(PyObject *self, PyObject *const *args, size_t n,
			 PyObject *kw)
{
	struct pl_recorder *r;
	uint64_t key;

	(void)self, (void)n, (void)kw;
	if (pl_likely(Py_TYPE(args[2]) == pl_py.function_type))
		return Py_None;
	r = pl_tls_only();
	if (pl_unlikely(!r))
		return call_long(args);
	key = plain_key(args[2], args[3]);
	if (pl_unlikely(!key || !(r->flags & PL_RECORDER_BUILTINS)))
		return call_other(r, args);
	if (pl_likely(pl_enter_short(r, key, 0, PL_FRAME_C)))
		return Py_None;
	return enter_other_c(r, args, key);
}

LONG_PATH c_return_long(PyObject *const *args)
{
	struct callee c = callee_of(args[2], args[3]);

	for (struct pl_recorder *r = pl_tls_first(); r;
	     r = next_recorder(r)) {
		uint64_t key = wanted_key(r, &c);

		if (key && pl_has_begun(r))
			pl_leave(r, key, PL_FRAME_C);
	}
	return Py_None;
}

static __attribute__((noinline)) PyObject *
c_return_other(const struct pl_recorder *r, PyObject *const *args)
{
	return is_nothing_to(r, args[2]) ? Py_None : c_return_long(args);
}

static PyObject *on_c_return(PyObject *self, PyObject *const *args, size_t n,
			     PyObject *kw)
{
	struct pl_recorder *r = pl_tls_only();
	uint64_t key;

	(void)self, (void)n, (void)kw;
	if (pl_unlikely(!r))
		return c_return_long(args);
	key = left_key(args[2]);
	if (pl_likely(key && r->flags & PL_RECORDER_BUILTINS &&
		      pl_leave_short(r, key)))
		return Py_None;
	return c_return_other(r, args);
}

/* ------------------------------------------------------ sys.setprofile -- */

/* Per interpreter: the id we hold in it, by interpreter id. */
static struct held_tool {
	int64_t interpreter;
	int tool;
	bool c_calls;
	struct callback *c_return;	/* borrowed */
	struct held_tool *next;
} *held_tools;

static struct held_tool *find_tool(void);

/* Their function's place in the thread state, where NULL stands for now. */
static __thread struct {
	void **place;
	void *func;
} hidden;

/* Instead of on_c_return, until a function that is hidden is put back. */
static PyObject *on_c_return_of_setprofile(PyObject *self,
					   PyObject *const *args, size_t n,
					   PyObject *kw)
{
	if (hidden.place) {
		*hidden.place = hidden.func;
		hidden.place = NULL;
		((struct callback *)self)->vectorcall = on_c_return;
	}
	return on_c_return(self, args, n, kw);
}

/* c_profilefunc is two words before c_profileobj, and that is @function. */
static void **find_profile_func(PyObject *function)
{
	void **words = (void **)PyThreadState_Get();

	for (size_t i = 4; i < 40; i++)
		if (words[i] == function && words[i - 2])
			return &words[i - 2];
	return NULL;
}

/*
 * The interpreter tells tools of an event from the highest id to the lowest,
 * and their function is one with a higher id than any of ours: it is not there
 * when it would be called, and is put back when we are.
 */
static void profile_was_set(PyObject *function, bool is_first)
{
	struct pl_recorder *r = pl_tls_first();
	struct held_tool *t = find_tool();
	void **place;

	/* Unless that end is told us, too. */
	if (!is_first || !t || !t->c_return ||
	    !pl_sysprofile_is(((struct pl_node *)(uintptr_t)r->cur)->key))
		return;
	place = find_profile_func(function);
	if (!place)
		return;
	hidden.place = place;
	hidden.func = *place;
	*place = NULL;
	t->c_return->vectorcall = on_c_return_of_setprofile;
}

/* -------------------------------------------------------- registration -- */

static const struct event {
	const char *name;
	pl_vectorcall fn;
	bool c_call;
} events[] = {
	{ "PY_START", on_start, false },
	{ "PY_RESUME", on_resume, false },
	{ "PY_THROW", on_resume, false },
	{ "PY_RETURN", on_return, false },
	{ "PY_YIELD", on_return, false },
	{ "PY_UNWIND", on_unwind, false },
	{ "CALL", on_call, true },
	{ "C_RETURN", on_c_return, true },
	{ "C_RAISE", on_c_return, true },
};
#define N_EVENTS (sizeof(events) / sizeof(*events))

/* Free ids first; cProfile's (2), a debugger's (0) and coverage's (1) last. */
static const int tool_ids[] = { 3, 4, 5, 1, 0, 2 };

static int64_t current_interpreter(void)
{
	return PyInterpreterState_GetID(PyInterpreterState_Get());
}

/* Other interpreters may look for theirs meanwhile. */
static struct held_tool *find_tool(void)
{
	int64_t id = current_interpreter();
	struct held_tool *t;

	pl_probe_lock();
	for (t = held_tools; t && t->interpreter != id; t = t->next)
		;
	pl_probe_unlock();
	return t;
}

static void remember_tool(struct held_tool *tool)
{
	pl_probe_lock();
	tool->next = held_tools;
	held_tools = tool;
	pl_probe_unlock();
}

static void forget_tool(struct held_tool *tool)
{
	struct held_tool **at = &held_tools;

	pl_probe_lock();
	while (*at && *at != tool)
		at = &(*at)->next;
	if (*at)
		*at = tool->next;
	pl_probe_unlock();
	pl_pages_free(tool, sizeof(*tool));
}

static PyMemberDef callback_members[] = {
	{ "__vectorcalloffset__", T_PYSSIZET,
	  offsetof(struct callback, vectorcall), READONLY, NULL },
	{ NULL, 0, 0, 0, NULL },
};

static PyType_Slot callback_slots[] = {
	{ Py_tp_call, NULL },		/* PyVectorcall_Call */
	{ Py_tp_members, callback_members },
	{ 0, NULL },
};

static PyType_Spec callback_spec = {
	.name = "proflite._callback",
	.basicsize = sizeof(struct callback),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL,
	.slots = callback_slots,
};

static PyObject *sys_monitoring(void)
{
	PyObject *m = PySys_GetObject("monitoring");	/* borrowed */

	return m;
}

static long event_bit(PyObject *monitoring, const char *name)
{
	PyObject *set = PyObject_GetAttrString(monitoring, "events");
	PyObject *bit = set ? PyObject_GetAttrString(set, name) : NULL;
	long value = bit ? PyLong_AsLong(bit) : -1;

	Py_XDECREF(bit);
	Py_XDECREF(set);
	return value;
}

static bool call_ok(PyObject *result)
{
	Py_XDECREF(result);
	return result != NULL;
}

static bool register_one(PyObject *monitoring, PyTypeObject *type,
			 struct held_tool *t, const struct event *event,
			 long bit)
{
	PyObject *cb = PyType_GenericAlloc(type, 0);
	bool ok;

	if (!cb)
		return false;
	((struct callback *)cb)->vectorcall = event->fn;
	if (!strcmp(event->name, "C_RETURN"))
		t->c_return = (struct callback *)cb;
	ok = call_ok(PyObject_CallMethod(monitoring, "register_callback",
					 "ilO", t->tool, bit, cb));
	Py_DECREF(cb);
	return ok;
}

static bool set_events(PyObject *monitoring, int tool, bool c_calls)
{
	long set = 0;

	for (size_t i = 0; i < N_EVENTS; i++)
		if (!events[i].c_call || c_calls)
			set |= event_bit(monitoring, events[i].name);
	return call_ok(PyObject_CallMethod(monitoring, "set_events", "il",
					   tool, set));
}

static int take_tool(PyObject *monitoring)
{
	for (size_t i = 0; i < sizeof(tool_ids) / sizeof(*tool_ids); i++) {
		if (call_ok(PyObject_CallMethod(monitoring, "use_tool_id",
						"is", tool_ids[i],
						"proflite")))
			return tool_ids[i];
		PyErr_Clear();
	}
	return -1;
}

static void give_tool(PyObject *monitoring, int tool)
{
	PyObject *type, *value, *traceback;

	PyErr_Fetch(&type, &value, &traceback);
	call_ok(PyObject_CallMethod(monitoring, "set_events", "ii", tool, 0));
	for (size_t i = 0; i < N_EVENTS; i++)
		call_ok(PyObject_CallMethod(monitoring, "register_callback",
					    "ilO", tool,
					    event_bit(monitoring,
						      events[i].name),
					    Py_None));
	call_ok(PyObject_CallMethod(monitoring, "free_tool_id", "i", tool));
	PyErr_Clear();
	PyErr_Restore(type, value, traceback);
}

/* No symbol names it in every version. */
static void find_method_wrapper_type(void)
{
	PyObject *wrapper = PyObject_GetAttrString(Py_None, "__repr__");

	if (wrapper)
		pl_py.method_wrapper_type = Py_TYPE(wrapper);
	Py_XDECREF(wrapper);
	PyErr_Clear();
}

/* Of the main interpreter; it is made once, and stays. */
static PyObject *callback_type;

/* New reference.  The garbage collector's list would show it to the program, and
 * a type that is not on it must not be freed. */
static PyObject *get_callback_type(void)
{
	bool is_main = PyInterpreterState_Get() == pl_py.main_interpreter();
	PyObject *type = is_main ? callback_type : NULL;

	callback_slots[0].pfunc = pl_py.vectorcall_call;
	if (!type)
		type = PyType_FromSpec(&callback_spec);
	else
		Py_INCREF(type);
	if (type && is_main && !callback_type) {
		PyObject_GC_UnTrack(type);
		Py_INCREF(type);
		callback_type = type;
	}
	return type;
}

static bool register_all(PyObject *monitoring, struct held_tool *t)
{
	PyObject *type, *m;
	bool ok;

	find_method_wrapper_type();
	type = get_callback_type();
	ok = type != NULL;

	for (size_t i = 0; ok && i < N_EVENTS; i++)
		ok = register_one(monitoring, (PyTypeObject *)type, t,
				  &events[i],
				  event_bit(monitoring, events[i].name));
	Py_XDECREF(type);
	m = ok ? PyObject_GetAttrString(monitoring, "MISSING") : NULL;
	if (!m)
		return false;
	missing = m;
	Py_DECREF(m);			/* a static object, immortal */
	return true;
}

static int fail_with_exception(struct pl_error *err, const char *what)
{
	PyObject *type, *value, *traceback, *text;
	PyObject *bytes = NULL;

	PyErr_Fetch(&type, &value, &traceback);
	text = value ? PyObject_Str(value) : NULL;
	bytes = text ? PyUnicode_AsUTF8String(text) : NULL;
	pl_fail(err, PL_ERR_SYS, "%s: %s", what,
		bytes ? PyBytes_AsString(bytes) : "unknown error");
	Py_XDECREF(bytes);
	Py_XDECREF(text);
	Py_XDECREF(type);
	Py_XDECREF(value);
	Py_XDECREF(traceback);
	PyErr_Clear();
	return PL_ERR_SYS;
}

static int attach(bool all_threads, bool c_calls, PyObject *owner,
		  struct pl_error *err)
{
	PyObject *monitoring = sys_monitoring();
	struct held_tool *t = find_tool();
	int tool;

	(void)all_threads, (void)owner;
	if (!monitoring)
		return pl_fail(err, PL_ERR_SYS, "no sys.monitoring");
	if (t) {
		if (c_calls && !t->c_calls) {
			if (!set_events(monitoring, t->tool, true))
				return fail_with_exception(err,
							   "sys.monitoring");
			t->c_calls = true;
		}
		return 0;
	}
	tool = take_tool(monitoring);
	if (tool < 0)
		return pl_fail(err, PL_ERR_BUSY, "all six sys.monitoring tool "
			       "ids are in use");
	t = pl_pages_alloc(sizeof(*t));
	if (t)
		t->tool = tool;
	if (!t || !register_all(monitoring, t) ||
	    !set_events(monitoring, tool, c_calls)) {
		pl_pages_free(t, sizeof(*t));
		fail_with_exception(err, "sys.monitoring");
		give_tool(monitoring, tool);
		return PL_ERR_SYS;
	}
	t->interpreter = current_interpreter();
	t->c_calls = c_calls;
	remember_tool(t);
	return 0;
}

/*
 * Not while another session is on: a session for one thread shares the
 * interpreter's events with the others.
 */
static void detach(bool all_threads, PyObject *owner)
{
	struct held_tool *t = find_tool();
	PyObject *monitoring = sys_monitoring();

	(void)owner;
	if (!t || !all_threads)
		return;
	if (monitoring)
		give_tool(monitoring, t->tool);
	forget_tool(t);
}

/* Setting the events stops all threads, and none stops in our code; that these
 * are the events there were, it finds after. */
static void quiesce(void)
{
	PyObject *type, *value, *traceback, *monitoring = sys_monitoring();
	struct held_tool *t = find_tool();

	PyErr_Fetch(&type, &value, &traceback);
	if (t && monitoring)
		set_events(monitoring, t->tool, t->c_calls);
	PyErr_Clear();
	PyErr_Restore(type, value, traceback);
}

/* What it holds in the interpreter goes with that. */
static void leave(void)
{
	struct held_tool *t = find_tool();

	if (t)
		forget_tool(t);
}

static void forget(void)
{
	struct held_tool *t;

	callback_type = NULL;
	while ((t = held_tools)) {
		held_tools = t->next;
		pl_pages_free(t, sizeof(*t));
	}
}

const struct pl_probe_ops pl_probe_monitoring = {
	.name = "sys.monitoring",
	.attach = attach,
	.detach = detach,
	.quiesce = quiesce,
	.leave = leave,
	.forget = forget,
	.profile_was_set = profile_was_set,
};
