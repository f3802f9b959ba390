/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "probe/sysprofile.h"

#include "probe/intercept.h"
#include "probe/probe.h"

/* sys.setprofile, and what sets it for all threads, since 3.12. */
static struct pl_intercept of_thread, of_threads;

/* What the program has set so far, new reference. */
static PyObject *current(void)
{
	PyObject *getprofile = PySys_GetObject("getprofile"); /* borrowed */
	PyObject *function = getprofile ? PyObject_CallObject(getprofile, NULL)
					: NULL;

	PyErr_Clear();
	return function;
}

static PyObject *set(const struct pl_intercept *i, PyObject *self,
		     PyObject *const *args, size_t n, PyObject *names)
{
	PyObject *before, *result;
	bool is_first;

	if (!pl_tls_first() || (n & ~PL_VECTORCALL_OFFSET) != 1 || names)
		return pl_intercept_call(i, self, args, n, names);
	before = current();
	is_first = before == Py_None && args[0] != Py_None;
	Py_XDECREF(before);
	result = pl_intercept_call(i, self, args, n, names);
	if (result)
		pl_probe_profile_was_set(args[0], is_first);
	return result;
}

static PyObject *set_of_thread(PyObject *self, PyObject *const *args, size_t n,
			       PyObject *names)
{
	return set(&of_thread, self, args, n, names);
}

static PyObject *set_of_threads(PyObject *self, PyObject *const *args,
				size_t n, PyObject *names)
{
	return set(&of_threads, self, args, n, names);
}

void pl_sysprofile_watch(void)
{
	PyObject *one = PySys_GetObject("setprofile");	/* borrowed */
	PyObject *all = PySys_GetObject("_setprofileallthreads");

	if (one)
		pl_intercept(&of_thread, one, set_of_thread);
	if (all)
		pl_intercept(&of_threads, all, set_of_threads);
}

bool pl_sysprofile_is(uint64_t key)
{
	return pl_intercept_is(&of_thread, key) ||
	       pl_intercept_is(&of_threads, key);
}
