/* SPDX-License-Identifier: MIT */
/*
 * floor.c: callbacks that do nothing, for the events that proflite asks for.
 *
 *	floor.start(c_calls, clock)	begin, with C functions or without;
 *					read the clock at each event or not
 *	floor.stop()			end
 *	floor.instrument(on)		let callgrind count from here on, or
 *					no longer
 *
 * What a program costs under it is what the interpreter charges any tracer:
 * the least that a profiler on the same events can reach; with the clock, the
 * least that one can that measures time.  Built once, against the limited API,
 * and loaded by every version.
 *
 * From 3.12 on the callbacks are objects with a vectorcall slot, the cheapest
 * that sys.monitoring takes.  Before, a C function is given to
 * PyEval_SetProfile; it has C functions' events whether it wants them or not.
 */
#define Py_LIMITED_API 0x03090000
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>

#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__has_include)
#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#endif
#endif
#ifndef CALLGRIND_START_INSTRUMENTATION
#define CALLGRIND_START_INSTRUMENTATION (void)0
#define CALLGRIND_STOP_INSTRUMENTATION (void)0
#endif

#ifndef Py_TPFLAGS_HAVE_VECTORCALL	/* limited API: since 3.12 */
#define Py_TPFLAGS_HAVE_VECTORCALL (1UL << 11)
#endif

#define TOOL_ID 4

typedef int (*profile_fn)(PyObject *, PyObject *, int, PyObject *);

static PyTypeObject *function_type;

struct callback {
	PyObject ob_base;
	PyObject *(*vectorcall)(PyObject *, PyObject *const *, size_t,
				PyObject *);
};

static __thread uint64_t last __attribute__((tls_model("initial-exec")));

static inline uint64_t counter(void)
{
#if defined(__x86_64__)
	return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
	uint64_t v;

	__asm__ volatile("mrs %0, cntvct_el0" : "=r"(v));
	return v;
#else
#error floor.c knows no counter of this processor
#endif
}

/* None is immortal where these are called. */
static PyObject *on_event(PyObject *self, PyObject *const *args, size_t n,
			  PyObject *kw)
{
	(void)self, (void)args, (void)n, (void)kw;
	return Py_None;
}

static PyObject *on_event_clock(PyObject *self, PyObject *const *args,
				size_t n, PyObject *kw)
{
	(void)self, (void)args, (void)n, (void)kw;
	last = counter();
	return Py_None;
}

/* A CALL of a Python function needs no time: its PY_START is next. */
static PyObject *on_call_clock(PyObject *self, PyObject *const *args,
			       size_t n, PyObject *kw)
{
	(void)self, (void)n, (void)kw;
	if (Py_TYPE(args[2]) != function_type)
		last = counter();
	return Py_None;
}

static int on_profile(PyObject *obj, PyObject *frame, int what, PyObject *arg)
{
	(void)obj, (void)frame, (void)what, (void)arg;
	return 0;
}

static int on_profile_clock(PyObject *obj, PyObject *frame, int what,
			    PyObject *arg)
{
	(void)obj, (void)frame, (void)what, (void)arg;
	last = counter();
	return 0;
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
	.name = "floor._callback",
	.basicsize = sizeof(struct callback),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL,
	.slots = callback_slots,
};

static const struct {
	const char *name;
	bool c_call;
} events[] = {
	{ "PY_START", false },	{ "PY_RESUME", false },	{ "PY_THROW", false },
	{ "PY_RETURN", false },	{ "PY_YIELD", false },	{ "PY_UNWIND", false },
	{ "CALL", true },	{ "C_RETURN", true },	{ "C_RAISE", true },
};

static long event_bit(PyObject *monitoring, const char *name)
{
	PyObject *set = PyObject_GetAttrString(monitoring, "events");
	PyObject *bit = set ? PyObject_GetAttrString(set, name) : NULL;
	long value = bit ? PyLong_AsLong(bit) : -1;

	Py_XDECREF(bit);
	Py_XDECREF(set);
	return value;
}

/* Each step is tried only if those before it worked. */
static bool call(bool ok, PyObject *monitoring, const char *method,
		 const char *format, long a, PyObject *b, PyObject *c)
{
	PyObject *result = NULL;

	if (ok)
		result = PyObject_CallMethod(monitoring, method, format, a, b,
					     c);
	Py_XDECREF(result);
	return result != NULL;
}

static bool start_monitoring(PyObject *monitoring, bool c_calls, bool clock)
{
	PyObject *name = PyUnicode_FromString("floor");
	PyObject *type = PyType_FromSpec(&callback_spec);
	bool ok = call(name && type, monitoring, "use_tool_id", "lO", TOOL_ID,
		       name, NULL);
	long set = 0;

	for (size_t i = 0; ok && i < sizeof(events) / sizeof(*events); i++) {
		long bit = event_bit(monitoring, events[i].name);
		PyObject *value = PyLong_FromLong(bit);
		PyObject *cb = PyType_GenericAlloc((PyTypeObject *)type, 0);

		if (events[i].c_call && !c_calls) {
			Py_XDECREF(cb);
			Py_XDECREF(value);
			continue;
		}
		if (cb)
			((struct callback *)cb)->vectorcall =
				!clock ? on_event :
				strcmp(events[i].name, "CALL") ?
				on_event_clock : on_call_clock;
		ok = call(cb && value, monitoring, "register_callback", "lOO",
			  TOOL_ID, value, cb);
		Py_XDECREF(cb);
		Py_XDECREF(value);
		set |= bit;
	}
	Py_XDECREF(type);
	Py_XDECREF(name);
	name = PyLong_FromLong(set);
	ok = call(ok && name, monitoring, "set_events", "lO", TOOL_ID, name,
		  NULL);
	Py_XDECREF(name);
	return ok;
}

static void set_profile(profile_fn fn)
{
	void (*set)(profile_fn, PyObject *);

	*(void **)&set = dlsym(RTLD_DEFAULT, "PyEval_SetProfile");
	set(fn, NULL);
}

static PyObject *start(PyObject *self, PyObject *args)
{
	PyObject *monitoring = PySys_GetObject("monitoring");	/* borrowed */
	int c_calls, clock;

	(void)self;
	if (!PyArg_ParseTuple(args, "pp", &c_calls, &clock))
		return NULL;
	if (!monitoring)
		set_profile(clock ? on_profile_clock : on_profile);
	else if (!start_monitoring(monitoring, c_calls, clock))
		return NULL;
	Py_RETURN_NONE;
}

static PyObject *stop(PyObject *self, PyObject *unused)
{
	PyObject *monitoring = PySys_GetObject("monitoring");	/* borrowed */
	PyObject *zero = PyLong_FromLong(0);
	bool ok = true;

	(void)self, (void)unused;
	if (!monitoring) {
		set_profile(NULL);
	} else {
		ok = call(zero, monitoring, "set_events", "lO", TOOL_ID, zero,
			  NULL);
		ok = call(ok, monitoring, "free_tool_id", "l", TOOL_ID, NULL,
			  NULL);
	}
	Py_XDECREF(zero);
	if (!ok)
		return NULL;
	Py_RETURN_NONE;
}

static PyObject *instrument(PyObject *self, PyObject *on)
{
	(void)self;
	if (PyObject_IsTrue(on))
		CALLGRIND_START_INSTRUMENTATION;
	else
		CALLGRIND_STOP_INSTRUMENTATION;
	Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
	{ "start", start, METH_VARARGS, "start(c_calls, clock)" },
	{ "stop", stop, METH_NOARGS, "stop()" },
	{ "instrument", instrument, METH_O, "instrument(on)" },
	{ NULL, NULL, 0, NULL },
};

static PyModuleDef module = {
	.m_base = PyModuleDef_HEAD_INIT,
	.m_name = "floor",
	.m_size = -1,
	.m_methods = methods,
};

PyMODINIT_FUNC PyInit_floor(void)
{
	callback_slots[0].pfunc = dlsym(RTLD_DEFAULT, "PyVectorcall_Call");
	function_type = dlsym(RTLD_DEFAULT, "PyFunction_Type");
	return PyModule_Create(&module);
}
