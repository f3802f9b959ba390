/* SPDX-License-Identifier: MIT */
/*
 * pyapi.h: what we need of CPython beyond the limited API.
 *
 * The engine is built once, against the limited API of 3.9, and runs in every
 * GIL build from 3.9 on; and once more, with PL_FREE_THREADED, for the version
 * of the free-threaded interpreter that configure was given.  Functions outside the limited API are looked up when
 * the engine is attached; the few fields of objects that are read directly
 * are mirrored here, each with the versions in which it was checked.  This is
 * the only header that knows versions.
 *
 * A profiled program's pending exception is never touched: every entry from
 * the interpreter that may set one saves and restores it.
 */
#ifndef PL_PROBE_PYAPI_H
#define PL_PROBE_PYAPI_H

#if !defined(Py_LIMITED_API) && !defined(PL_FREE_THREADED)
#define Py_LIMITED_API 0x03090000
#endif
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

/* cpython/abstract.h; limited API: since 3.12 */
typedef PyObject *(*pl_vectorcall)(PyObject *callable, PyObject *const *args,
				   size_t nargsf, PyObject *names);
#define PL_VECTORCALL_OFFSET ((size_t)1 << (8 * sizeof(size_t) - 1))

typedef int (*pl_tracefunc)(PyObject *obj, PyObject *frame, int what,
			    PyObject *arg);

/* PyTrace_*, cpython/pystate.h */
enum {
	PL_TRACE_CALL = 0,
	PL_TRACE_RETURN = 3,
	PL_TRACE_C_CALL = 4,
	PL_TRACE_C_EXCEPTION = 5,
	PL_TRACE_C_RETURN = 6,
};

/* Members may be NULL where the running version has no such thing. */
struct pl_pyapi {
	int version;			/* 0x030c: 3.12 */
	PyTypeObject *function_type, *method_type, *code_type;
	PyTypeObject *method_wrapper_type;	/* set by monitoring.c */
	PyObject *(*type_lookup)(PyTypeObject *, PyObject *); /* borrowed */
	void (*set_profile)(pl_tracefunc, PyObject *);
	int (*set_profile_thread)(PyThreadState *, pl_tracefunc, PyObject *);
	PyInterpreterState *(*main_interpreter)(void);
	PyThreadState *(*thread_head)(PyInterpreterState *);
	PyThreadState *(*thread_next)(PyThreadState *);
	int (*frame_lasti)(PyObject *frame);		/* 3.11 */
	PyObject *(*frame_back)(PyObject *frame);	/* new, or NULL */
	PyObject *(*frame_code)(PyObject *frame);	/* new */
	int (*gil_check)(void);
	void *(*current_frame)(void);			/* borrowed */
	int (*contextvar_get)(PyObject *, PyObject *, PyObject **);
	void *vectorcall_call;				/* PyVectorcall_Call */
	unsigned char resume;		/* the instruction RESUME, 3.12 on */
};

extern struct pl_pyapi pl_py;

/* Is the running interpreter of the kind that this engine was built for?  To be
 * asked before any object is looked into. */
bool pl_pyapi_is_ours(struct pl_error *err);

/* Fill pl_py.  PL_ERR_FORMAT for a Python that the engine can't serve. */
int pl_pyapi_init(struct pl_error *err);

/*
 * A module that has been imported: borrowed, no exception set when it has not.
 * PyImport_GetModule would wait for the end of an import, and ends the process,
 * as does PyImport_GetModuleDict, when the interpreter has cleared its modules,
 * after which objects may still be finalised.
 */
static inline PyObject *pl_module(const char *name)
{
	PyObject *modules = PySys_GetObject("modules"); /* borrowed */

	return modules && PyDict_Check(modules) ?
		       PyDict_GetItemString(modules, name) :
		       NULL;
}

/* First fields of objects, as in Include/cpython/methodobject.h and
 * descrobject.h, classobject.h: the same in 3.9 to 3.15. */
struct pl_cfunction {
	PyObject ob_base;
	PyMethodDef *ml;
	PyObject *self;
	PyObject *module;
	PyObject *weak_references;
	pl_vectorcall vectorcall;	/* NULL with METH_VARARGS */
};

struct pl_methoddescr {
	PyObject ob_base;
	PyTypeObject *type;
	PyObject *name;
	PyObject *qualname;
	PyMethodDef *method;
};

struct pl_method {
	PyObject ob_base;
	PyObject *func;
	PyObject *self;
};

/* [].__len__: a slot wrapper bound to its first argument */
struct pl_method_wrapper {
	PyObject ob_base;
	PyObject *descr;
	PyObject *self;
};

/* f_code of 3.9 and 3.10, and of 3.11, where a frame is a shell; borrowed. */
static inline PyObject *pl_frame_code(PyObject *frame)
{
	const char *at = (const char *)frame;

	if (pl_py.version == 0x030b)
		at = *(const char *const *)(at + 24);
	return *(PyObject *const *)(at + 32);
}

/* co_flags of generators, coroutines and asynchronous generators, code.h */
#define PL_CO_ANY_GENERATOR (0x20 | 0x80 | 0x200)

/* Whether @code, of 3.9 to 3.11, is that of a generator of any kind. */
static inline bool pl_code_is_generator(PyObject *code)
{
	size_t flags = pl_py.version == 0x030b ? 48 : 36;

	return *(const int *)((const char *)code + flags) &
	       PL_CO_ANY_GENERATOR;
}

/* What pl_frame_lasti() gives when @code begins: of 3.11 that of its RESUME. */
static inline int pl_code_entry(PyObject *code)
{
	if (pl_py.version != 0x030b)
		return -1;
	return *(const int *)((const char *)code + 168) * 2;
}

/* f_lasti of 3.9 and 3.10, whose frames are objects; -1: not yet run. */
static inline int pl_frame_lasti(PyObject *frame)
{
	if (pl_py.version == 0x0309)
		return *(const int *)((const char *)frame + 104);
	if (pl_py.version == 0x030a)
		return *(const int *)((const char *)frame + 96);
	return pl_py.frame_lasti ? pl_py.frame_lasti(frame) : -1;
}

#endif
