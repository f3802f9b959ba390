/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "probe/sysprofile.h"

#include "probe/probe.h"

static PyMethodDef *watched;
static PyCFunction real_setprofile;

/* What the program has set so far, new reference. */
static PyObject *current(void)
{
	PyObject *getprofile = PySys_GetObject("getprofile"); /* borrowed */
	PyObject *function = getprofile ? PyObject_CallObject(getprofile, NULL)
					: NULL;

	PyErr_Clear();
	return function;
}

static PyObject *setprofile(PyObject *module, PyObject *function)
{
	PyObject *before, *result;
	bool is_first;

	if (!pl_tls_first())
		return real_setprofile(module, function);
	before = current();
	is_first = before == Py_None && function != Py_None;
	Py_XDECREF(before);
	result = real_setprofile(module, function);
	if (result)
		pl_probe_profile_was_set(function, is_first);
	return result;
}

void pl_sysprofile_watch(void)
{
	PyObject *function = PySys_GetObject("setprofile");	/* borrowed */
	PyMethodDef *ml;

	if (watched || !function || !PyCFunction_Check(function))
		return;
	ml = ((struct pl_cfunction *)function)->ml;
	if (ml->ml_flags != METH_O)
		return;
	real_setprofile = ml->ml_meth;
	ml->ml_meth = setprofile;
	watched = ml;
}

uint64_t pl_sysprofile_key(void)
{
	return (uint64_t)(uintptr_t)watched;
}
