/* SPDX-License-Identifier: MIT */
/*
 * fires: an extension whose functions send events of sys.monitoring from C, as
 * those of Cython do, and all events of a function from one offset.
 *
 *	call(code, function, *args)	an activation of @code: PY_START, the call
 *					of @function, PY_RETURN or PY_UNWIND
 *	step(code, function, *args)	the same of a generator: PY_RESUME,
 *					PY_YIELD or PY_UNWIND
 *
 * Up to 3.12 Python has no such API, and both just call @function.  Built
 * against the limited API it is for every Python with a GIL.
 */
#define _GNU_SOURCE
#include <pyconfig.h>
#ifndef Py_GIL_DISABLED			/* which has no limited API */
#define Py_LIMITED_API 0x03090000
#endif
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { OFFSET = 0, N_EVENTS = 5 };

/* struct _PyMonitoringState */
struct state {
	uint8_t active, opaque;
};

static const char *const names[N_EVENTS] = {
	"PY_START", "PY_RETURN", "PY_RESUME", "PY_YIELD", "PY_UNWIND",
};
enum event { START, RETURN, RESUME, YIELD, UNWIND };

static int (*enter_scope)(struct state *, uint64_t *, const uint8_t *,
			  Py_ssize_t);
static int (*exit_scope)(void);
static int (*fire_plain[N_EVENTS])(struct state *, PyObject *, int32_t);
static int (*fire_value[N_EVENTS])(struct state *, PyObject *, int32_t,
				   PyObject *);
static uint8_t numbers[N_EVENTS];	/* differ from version to version */

struct activation {
	struct state states[N_EVENTS];
	uint64_t version;
	PyObject *code;
};

static bool is_on(const struct activation *a, enum event event)
{
	return a->states[event].active;
}

static bool enter(struct activation *a, PyObject *code, enum event event)
{
	memset(a, 0, sizeof(*a));
	a->code = code;
	if (!enter_scope)
		return true;
	enter_scope(a->states, &a->version, numbers, N_EVENTS);
	return !is_on(a, event) ||
	       !fire_plain[event](&a->states[event], code, OFFSET);
}

static PyObject *leave(struct activation *a, PyObject *result, enum event event)
{
	if (!enter_scope)
		return result;
	if (!result && is_on(a, UNWIND))
		fire_plain[UNWIND](&a->states[UNWIND], a->code, OFFSET);
	if (result && is_on(a, event) &&
	    fire_value[event](&a->states[event], a->code, OFFSET, result)) {
		Py_DECREF(result);
		result = NULL;
	}
	exit_scope();
	return result;
}

static PyObject *activate(PyObject *args, enum event begin, enum event end)
{
	PyObject *code = PyTuple_GetItem(args, 0);
	PyObject *function = code ? PyTuple_GetItem(args, 1) : NULL;
	PyObject *rest = function ? PyTuple_GetSlice(args, 2,
						     PyTuple_Size(args)) :
				    NULL;
	PyObject *result = NULL;
	struct activation a;

	if (!rest)
		return NULL;
	if (enter(&a, code, begin))
		result = PyObject_CallObject(function, rest);
	Py_DECREF(rest);
	return leave(&a, result, end);
}

static PyObject *call(PyObject *self, PyObject *args)
{
	(void)self;
	return activate(args, START, RETURN);
}

static PyObject *step(PyObject *self, PyObject *args)
{
	(void)self;
	return activate(args, RESUME, YIELD);
}

static void find_number(enum event event)
{
	PyObject *monitoring = PySys_GetObject("monitoring");
	PyObject *events = PyObject_GetAttrString(monitoring, "events");
	PyObject *bit = PyObject_GetAttrString(events, names[event]);

	numbers[event] = (uint8_t)__builtin_ctzl(PyLong_AsUnsignedLong(bit));
	Py_DECREF(bit);
	Py_DECREF(events);
}

static void find_api(void)
{
	*(void **)&enter_scope = dlsym(RTLD_DEFAULT, "PyMonitoring_EnterScope");
	if (!enter_scope)
		return;
	*(void **)&exit_scope = dlsym(RTLD_DEFAULT, "PyMonitoring_ExitScope");
	*(void **)&fire_plain[START] =
		dlsym(RTLD_DEFAULT, "_PyMonitoring_FirePyStartEvent");
	*(void **)&fire_plain[RESUME] =
		dlsym(RTLD_DEFAULT, "_PyMonitoring_FirePyResumeEvent");
	*(void **)&fire_plain[UNWIND] =
		dlsym(RTLD_DEFAULT, "_PyMonitoring_FirePyUnwindEvent");
	*(void **)&fire_value[RETURN] =
		dlsym(RTLD_DEFAULT, "_PyMonitoring_FirePyReturnEvent");
	*(void **)&fire_value[YIELD] =
		dlsym(RTLD_DEFAULT, "_PyMonitoring_FirePyYieldEvent");
	for (int i = 0; i < N_EVENTS; i++)
		find_number((enum event)i);
}

static PyMethodDef methods[] = {
	{ "call", call, METH_VARARGS, NULL },
	{ "step", step, METH_VARARGS, NULL },
	{ NULL, NULL, 0, NULL },
};

static struct PyModuleDef module = {
	PyModuleDef_HEAD_INIT, .m_name = "fires", .m_size = -1,
	.m_methods = methods,
};

PyMODINIT_FUNC PyInit_fires(void)
{
	find_api();
	return PyModule_Create(&module);
}
