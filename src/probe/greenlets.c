/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "probe/greenlets.h"

#include "core/session.h"
#include "probe/intercept.h"
#include "probe/probe.h"

#include <string.h>

/* A thread's trace function.  The garbage collector does not know it, and so
 * nobody finds it by gc. */
struct tracer {
	PyObject ob_base;
	PyObject *theirs;		/* the program's, or NULL */
};

static PyTypeObject *tracer_type;

static struct pl_intercept settrace, gettrace;

/* The calling thread's trace function is ours. */
static __thread bool is_traced;

/* ----------------------------------------------------- greenlet's two -- */

/* A function of the package, new; NULL before its import, or in the middle of
 * it. */
static PyObject *of_package(const char *name)
{
	PyObject *module = pl_module("greenlet"); /* borrowed */
	PyObject *found = NULL;

	if (module) {
		Py_INCREF(module);
		found = PyObject_GetAttrString(module, name);
		Py_DECREF(module);
	}
	PyErr_Clear();
	return found;
}

/* The real gettrace(); new, or NULL.  @self: the package's function. */
static PyObject *now_traced_by(PyObject *self)
{
	return pl_intercept_call(&gettrace, self, NULL, 0, NULL);
}

/* The calling thread's tracer, new; NULL, without an exception, when its trace
 * function is another one or none. */
static struct tracer *own_tracer(void)
{
	PyObject *self = gettrace.real ? of_package("gettrace") : NULL;
	PyObject *now = self ? now_traced_by(self) : NULL;

	Py_XDECREF(self);
	if (now && Py_TYPE(now) == tracer_type)
		return (struct tracer *)now;
	Py_XDECREF(now);
	PyErr_Clear();
	return NULL;
}

/* settrace(function) */
static PyObject *on_settrace(PyObject *self, PyObject *const *args, size_t n,
			     PyObject *names)
{
	bool is_usual = (n & ~PL_VECTORCALL_OFFSET) == 1 && !names;
	struct tracer *t = is_usual ? own_tracer() : NULL;
	PyObject *before;

	if (!t)
		return pl_intercept_call(&settrace, self, args, n, names);
	before = t->theirs ? t->theirs : Py_None;
	if (!t->theirs)
		Py_INCREF(before);
	t->theirs = args[0] == Py_None ? NULL : args[0];
	Py_XINCREF(t->theirs);
	Py_DECREF((PyObject *)t);
	return before;
}

/* gettrace() */
static PyObject *on_gettrace(PyObject *self, PyObject *const *args, size_t n,
			     PyObject *names)
{
	bool is_usual = !(n & ~PL_VECTORCALL_OFFSET) && !names;
	struct tracer *t = is_usual ? own_tracer() : NULL;
	PyObject *theirs;

	if (!t)
		return pl_intercept_call(&gettrace, self, args, n, names);
	theirs = t->theirs ? t->theirs : Py_None;
	Py_INCREF(theirs);
	Py_DECREF((PyObject *)t);
	return theirs;
}

/* ------------------------------------------------------------ our own -- */

static PyObject *call_theirs(struct tracer *t, PyObject *args)
{
	PyObject *function = t->theirs, *result;

	/* It may end the last session, and so itself. */
	Py_INCREF(function);
	result = PyObject_Call(function, args, NULL);
	Py_DECREF(function);
	if (!result) {
		/* greenlet takes away a trace function that raises. */
		is_traced = false;
		pl_tls_at_next_event(pl_greenlets_begin);
	}
	return result;
}

/* args: "switch" or "throw", (from, to).  We are on the stack of the latter. */
static PyObject *on_switch(PyObject *self, PyObject *args, PyObject *names)
{
	struct tracer *t = (struct tracer *)self;
	PyObject *event, *from, *to;

	(void)names;
	if (!PyArg_ParseTuple(args, "O(OO)", &event, &from, &to))
		PyErr_Clear();		/* another event than those two */
	else
		for (struct pl_recorder *r = pl_tls_first(); r;
		     r = (struct pl_recorder *)(uintptr_t)r->more)
			pl_recorder_switch(r, (uint64_t)(uintptr_t)from,
					   (uint64_t)(uintptr_t)to);
	if (t->theirs)
		return call_theirs(t, args);
	Py_INCREF(Py_None);
	return Py_None;
}

static void tracer_free(PyObject *self)
{
	PyTypeObject *type = Py_TYPE(self);

	Py_XDECREF(((struct tracer *)self)->theirs);
	PyObject_Free(self);
	Py_DECREF((PyObject *)type);
}

static bool make_type(void)
{
	PyType_Slot slots[] = {
		{ Py_tp_call, on_switch },
		{ Py_tp_dealloc, tracer_free },
		{ 0, NULL },
	};
	PyType_Spec spec = {
		.name = "proflite._tracer",
		.basicsize = sizeof(struct tracer),
		.flags = Py_TPFLAGS_DEFAULT,
		.slots = slots,
	};

	if (tracer_type)
		return true;
	tracer_type = (PyTypeObject *)PyType_FromSpec(&spec);
	/* The collector's list would show it.  It is never freed. */
	if (tracer_type)
		PyObject_GC_UnTrack(tracer_type);
	return tracer_type != NULL;
}

/* Have @set, which is settrace, take a tracer that calls what is there now. */
static void install(PyObject *set, PyObject *get)
{
	PyObject *ours = make_type() ? PyType_GenericAlloc(tracer_type, 0) :
				       NULL;
	PyObject *now = ours ? now_traced_by(get) : NULL;
	PyObject *result = NULL;

	if (now) {
		((struct tracer *)ours)->theirs = now == Py_None ? NULL : now;
		if (now == Py_None)
			Py_DECREF(now);
		result = pl_intercept_call(&settrace, set, &ours, 1, NULL);
	}
	is_traced = result != NULL;
	Py_XDECREF(result);
	Py_XDECREF(ours);
}

static void trace(void)
{
	struct tracer *already = own_tracer();
	PyObject *set = of_package("settrace"), *get = of_package("gettrace");

	is_traced = already != NULL;
	if (!is_traced && set && get &&
	    pl_intercept(&settrace, set, on_settrace) &&
	    pl_intercept(&gettrace, get, on_gettrace))
		install(set, get);
	Py_XDECREF((PyObject *)already);
	Py_XDECREF(get);
	Py_XDECREF(set);
	PyErr_Clear();
}

void pl_greenlets_begin(void)
{
	PyObject *type, *value, *traceback;

	if (is_traced)
		return;
	pl_probe_hold();
	PyErr_Fetch(&type, &value, &traceback);
	trace();
	PyErr_Restore(type, value, traceback);
	pl_probe_unhold();
}

/* Give the place back to the program's function. */
static void give_back(struct tracer *t)
{
	PyObject *set = of_package("settrace"), *result = NULL;
	PyObject *theirs = t->theirs ? t->theirs : Py_None;

	if (set)
		result = pl_intercept_call(&settrace, set, &theirs, 1, NULL);
	is_traced = !result;
	Py_XDECREF(result);
	Py_XDECREF(set);
	PyErr_Clear();
}

void pl_greenlets_end(void)
{
	PyObject *type, *value, *traceback;
	struct tracer *t;

	if (!is_traced)
		return;
	PyErr_Fetch(&type, &value, &traceback);
	t = own_tracer();
	if (t)
		give_back(t);
	else
		is_traced = false;
	Py_XDECREF((PyObject *)t);
	PyErr_Restore(type, value, traceback);
}

void pl_greenlets_forget(void)
{
	tracer_type = NULL;
	is_traced = false;
}

void pl_greenlets_notice(const char *file, const char *name)
{
	/* The package may be seen in the middle of its import, and without
	 * builtins a thread shows no sign of it. */
	static bool is_wanted;

	if (is_traced)
		return;
	is_wanted = is_wanted || strstr(file, "greenlet") ||
		    strstr(file, "gevent") || strstr(name, "greenlet");
	if (is_wanted)
		pl_greenlets_begin();
}
