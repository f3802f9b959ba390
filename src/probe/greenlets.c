/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "probe/greenlets.h"

#include "core/session.h"
#include "probe/probe.h"

#include <string.h>

/* The thread's trace function is ours; `theirs` was there before, or NULL. */
static __thread bool is_traced;
static __thread PyObject *theirs;

static PyObject *on_switch(PyObject *self, PyObject *args);

static PyMethodDef on_switch_def = { "proflite", on_switch, METH_VARARGS,
				     NULL };

/* args: "switch" or "throw", (from, to).  We are on the stack of the latter. */
static PyObject *on_switch(PyObject *self, PyObject *args)
{
	PyObject *event, *from, *to, *function = theirs, *result;

	(void)self;
	if (!PyArg_ParseTuple(args, "O(OO)", &event, &from, &to))
		PyErr_Clear();		/* another event than those two */
	else
		for (struct pl_recorder *r = pl_tls_first(); r;
		     r = (struct pl_recorder *)(uintptr_t)r->more)
			pl_recorder_switch(r, (uint64_t)(uintptr_t)from,
					   (uint64_t)(uintptr_t)to);
	if (!function) {
		Py_INCREF(Py_None);
		return Py_None;
	}
	/* It may end the last session, and so itself. */
	Py_INCREF(function);
	result = PyObject_Call(function, args, NULL);
	Py_DECREF(function);
	return result;
}

/* A function of the package; NULL before its import, or in the middle of it. */
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

static void trace(void)
{
	PyObject *settrace = of_package("settrace");
	PyObject *ours = settrace ? PyCFunction_NewEx(&on_switch_def, NULL,
						      NULL) : NULL;
	PyObject *before = ours ? PyObject_CallFunctionObjArgs(settrace, ours,
							       NULL) : NULL;

	if (before) {
		is_traced = true;
		theirs = before == Py_None ? NULL : before;
		if (!theirs)
			Py_DECREF(before);
	}
	Py_XDECREF(ours);
	Py_XDECREF(settrace);
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

/* Whoever has put another one in its place since keeps it. */
static bool is_ours(void)
{
	PyObject *gettrace = of_package("gettrace");
	PyObject *now = gettrace ? PyObject_CallObject(gettrace, NULL) : NULL;
	bool ours = now && PyCFunction_Check(now) &&
		    ((struct pl_cfunction *)now)->ml == &on_switch_def;

	Py_XDECREF(now);
	Py_XDECREF(gettrace);
	PyErr_Clear();
	return ours;
}

void pl_greenlets_end(void)
{
	PyObject *type, *value, *traceback, *settrace, *result = NULL;

	if (!is_traced)
		return;
	PyErr_Fetch(&type, &value, &traceback);
	settrace = is_ours() ? of_package("settrace") : NULL;
	if (settrace)
		result = PyObject_CallFunctionObjArgs(
			settrace, theirs ? theirs : Py_None, NULL);
	if (result) {
		is_traced = false;
		Py_XDECREF(theirs);
		theirs = NULL;
	}
	Py_XDECREF(result);
	Py_XDECREF(settrace);
	PyErr_Clear();
	PyErr_Restore(type, value, traceback);
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
