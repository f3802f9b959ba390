/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "probe/intercept.h"

bool pl_intercept(struct pl_intercept *i, PyObject *function,
		  pl_vectorcall ours)
{
	struct pl_cfunction *f = (struct pl_cfunction *)function;
	bool by_tuple;

	if (Py_TYPE(function) != &PyCFunction_Type)
		return false;
	if (f->ml == &i->def)
		return true;
	/* The module of another interpreter has another object. */
	if (i->real && i->real != f->ml)
		return false;
	/* Of a layout that we know, the slot is empty for tuples only. */
	by_tuple = f->ml->ml_flags & METH_VARARGS;
	if (f->ml->ml_flags & (METH_CLASS | METH_STATIC) ||
	    by_tuple != !f->vectorcall)
		return false;
	i->real = f->ml;
	i->real_vectorcall = f->vectorcall;
	i->def = *f->ml;
	i->def.ml_flags = 0;
	/* The slot first: without a convention the object needs it. */
	__atomic_store_n(&f->vectorcall, ours, __ATOMIC_RELEASE);
	__atomic_store_n(&f->ml, &i->def, __ATOMIC_RELEASE);
	return true;
}

static PyObject *tuple_of(PyObject *const *args, Py_ssize_t n)
{
	PyObject *tuple = PyTuple_New(n);

	for (Py_ssize_t k = 0; tuple && k < n; k++) {
		Py_INCREF(args[k]);
		PyTuple_SetItem(tuple, k, args[k]);
	}
	return tuple;
}

/* What is given by name: behind the others, in the order of @names. */
static PyObject *dict_of(PyObject *const *args, PyObject *names)
{
	PyObject *dict = PyDict_New();

	for (Py_ssize_t k = 0; dict && k < PyTuple_Size(names); k++)
		if (PyDict_SetItem(dict, PyTuple_GetItem(names, k), args[k]))
			Py_CLEAR(dict);
	return dict;
}

/* By an object that is as @function was, so that an error is told alike. */
static PyObject *call_by_tuple(const struct pl_intercept *i,
			       const struct pl_cfunction *f,
			       PyObject *const *args, size_t nargsf,
			       PyObject *names)
{
	Py_ssize_t n = (Py_ssize_t)(nargsf & ~PL_VECTORCALL_OFFSET);
	PyObject *real = PyCFunction_NewEx(i->real, f->self, f->module);
	PyObject *tuple = real ? tuple_of(args, n) : NULL;
	PyObject *dict = tuple && names ? dict_of(args + n, names) : NULL;
	PyObject *result = NULL;

	if (tuple && (dict || !names))
		result = PyObject_Call(real, tuple, dict);
	Py_XDECREF(dict);
	Py_XDECREF(tuple);
	Py_XDECREF(real);
	return result;
}

PyObject *pl_intercept_call(const struct pl_intercept *i, PyObject *function,
			    PyObject *const *args, size_t nargsf,
			    PyObject *names)
{
	if (i->real_vectorcall)
		return i->real_vectorcall(function, args, nargsf, names);
	return call_by_tuple(i, (const struct pl_cfunction *)function, args,
			     nargsf, names);
}
