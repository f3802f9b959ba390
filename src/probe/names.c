/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "probe/names.h"

#include <string.h>
#include <unistd.h>

/* Keep @str's text alive in @out as UTF-8 with surrogates passed, so that
 * names of any bytes survive.  Steals the reference; false when it is NULL. */
static bool keep_text(struct pl_named *out, PyObject *str, const char **text,
		      size_t *len)
{
	PyObject *bytes = NULL;
	Py_ssize_t n = 0;
	char *p = NULL;

	if (str && PyUnicode_Check(str))
		bytes = PyUnicode_AsEncodedString(str, "utf-8",
						  "surrogatepass");
	Py_XDECREF(str);
	if (!bytes || PyBytes_AsStringAndSize(bytes, &p, &n)) {
		Py_XDECREF(bytes);
		PyErr_Clear();
		return false;
	}
	out->owned[out->n_owned++] = bytes;
	*text = p;
	*len = (size_t)n;
	return true;
}

void pl_named_release(struct pl_named *named)
{
	while (named->n_owned)
		Py_DECREF(named->owned[--named->n_owned]);
}

static PyObject *attr(PyObject *obj, const char *name)
{
	PyObject *value = PyObject_GetAttrString(obj, name);

	if (!value)
		PyErr_Clear();
	return value;
}

/* The name of the module that runs @code, where that is the current frame's;
 * code that a C extension fires events for is not. */
static PyObject *module_of_frame(PyObject *code)
{
	PyFrameObject *frame = PyEval_GetFrame(); /* borrowed */
	PyCodeObject *current = frame ? PyFrame_GetCode(frame) : NULL;
	PyObject *globals = NULL, *name = NULL; /* borrowed */

	if ((PyObject *)current == code)
		globals = PyEval_GetGlobals();
	if (globals && PyDict_Check(globals))
		name = PyDict_GetItemString(globals, "__name__");
	Py_XDECREF(current);
	Py_XINCREF(name);
	PyErr_Clear();
	return name;
}

/* The name of the module that has the type of method descriptor @descr. */
static PyObject *module_of_method(PyObject *descr)
{
	PyObject *type = attr(descr, "__objclass__");
	PyObject *name = type ? attr(type, "__module__") : NULL;

	Py_XDECREF(type);
	return name;
}

/* Steals @module, which may be NULL or no text. */
static void keep_module(struct pl_named *out, PyObject *module)
{
	keep_text(out, module, &out->desc.module, &out->desc.module_len);
}

bool pl_name_code(PyObject *code, struct pl_named *out)
{
	struct pl_funcdesc *d = &out->desc;
	PyObject *line;

	memset(out, 0, sizeof(*out));
	d->kind = PL_FUNC_PYTHON;
	if (!keep_text(out, attr(code, "co_filename"), &d->file,
		       &d->file_len) ||
	    !keep_text(out, attr(code, "co_name"), &d->name, &d->name_len)) {
		pl_named_release(out);
		return false;
	}
	if (pl_py.version >= 0x030b)
		keep_text(out, attr(code, "co_qualname"), &d->qualname,
			  &d->qualname_len);
	keep_module(out, module_of_frame(code));
	line = attr(code, "co_firstlineno");
	if (line) {
		d->line = (int32_t)PyLong_AsLong(line);
		Py_DECREF(line);
		PyErr_Clear();
	}
	return true;
}

/* Name it as ("~", 0, @text); steals @text. */
static bool name_builtin(struct pl_named *out, PyObject *text,
			 enum pl_func_kind kind)
{
	memset(out, 0, sizeof(*out));
	out->desc.kind = kind;
	out->desc.file = "~";
	out->desc.file_len = 1;
	if (!text)
		PyErr_Clear();
	return keep_text(out, text, &out->desc.name, &out->desc.name_len);
}

/* repr() of what the type of @self has under @name, or NULL.  If that is a
 * method in C, *module becomes the name of its module; @module may be NULL. */
static PyObject *repr_of_attribute(PyObject *self, const char *name,
				   PyObject **module)
{
	PyObject *key, *found = NULL, *text = NULL;

	if (!pl_py.type_lookup)
		return NULL;
	key = PyUnicode_FromString(name);
	if (key) {
		found = pl_py.type_lookup(Py_TYPE(self), key);
		Py_DECREF(key);
	}
	if (found) {
		Py_INCREF(found);
		text = PyObject_Repr(found);
		if (module && (Py_TYPE(found) == &PyMethodDescr_Type ||
			       Py_TYPE(found) == &PyClassMethodDescr_Type))
			*module = module_of_method(found);
		Py_DECREF(found);
	}
	if (!text)
		PyErr_Clear();
	return text;
}

/* The name of the module of @f, or NULL. */
static PyObject *module_of_function(const struct pl_cfunction *f)
{
	PyObject *module = f->module;

	if (module && PyUnicode_Check(module))
		Py_INCREF(module);
	else if (module && PyModule_Check(module))
		module = PyModule_GetNameObject(module);
	else
		module = NULL;
	if (!module)
		PyErr_Clear();
	return module;
}

static PyObject *text_without_self(const struct pl_cfunction *f,
				   PyObject *module)
{
	if (!module || !PyUnicode_CompareWithASCIIString(module, "builtins"))
		return PyUnicode_FromFormat("<%s>", f->ml->ml_name);
	return PyUnicode_FromFormat("<%U.%s>", module, f->ml->ml_name);
}

/* As name_builtin; steals @module, too. */
static bool name_c_function(struct pl_named *out, PyObject *text,
			    PyObject *module)
{
	if (!name_builtin(out, text, PL_FUNC_C)) {
		Py_XDECREF(module);
		return false;
	}
	keep_module(out, module);
	return true;
}

bool pl_name_cfunction(PyObject *func, struct pl_named *out)
{
	const struct pl_cfunction *f = (const struct pl_cfunction *)func;
	PyObject *module = module_of_function(f);
	PyObject *text;

	if (!f->self)
		return name_c_function(out, text_without_self(f, module),
				       module);
	text = repr_of_attribute(f->self, f->ml->ml_name,
				 module ? NULL : &module);
	if (!text && f->module && PyUnicode_Check(f->module))
		text = PyUnicode_FromFormat("<built-in method %S.%s>",
					    f->module, f->ml->ml_name);
	if (!text)
		text = PyUnicode_FromFormat("<built-in method %s>",
					    f->ml->ml_name);
	return name_c_function(out, text, module);
}

bool pl_name_methoddescr(PyObject *descr, PyObject *self,
			 struct pl_named *out)
{
	const char *name = ((struct pl_methoddescr *)descr)->method->ml_name;
	PyObject *module = module_of_method(descr);
	PyObject *text = repr_of_attribute(self, name, NULL);

	if (!text)
		text = PyUnicode_FromFormat("<built-in method %s>", name);
	return name_c_function(out, text, module);
}

/* "<module.name more>", without the module when it is builtins. */
static PyObject *text_of_place(PyObject *object, const char *more)
{
	PyObject *name = attr(object, "__qualname__");
	PyObject *module = name ? attr(object, "__module__") : NULL;
	PyObject *text = NULL;

	if (!name)
		name = attr(object, "__name__");
	if (name && module && PyUnicode_Check(module) &&
	    PyUnicode_CompareWithASCIIString(module, "builtins"))
		text = PyUnicode_FromFormat("<%U.%S%s>", module, name, more);
	else if (name)
		text = PyUnicode_FromFormat("<%S%s>", name, more);
	Py_XDECREF(module);
	Py_XDECREF(name);
	if (!text)
		PyErr_Clear();
	return text;
}

/* repr(), unless an address is in it, which differs from run to run. */
static PyObject *stable_repr(PyObject *object)
{
	PyObject *text = PyObject_Repr(object);
	PyObject *at = text ? PyUnicode_FromString(" at 0x") : NULL;
	int found = at ? PyUnicode_Contains(text, at) : -1;

	Py_XDECREF(at);
	if (found) {
		Py_XDECREF(text);
		PyErr_Clear();
		return NULL;
	}
	return text;
}

/*
 * Classes and other callables have no place in cProfile's report.  Those that
 * have a name keep it: <class 'int'>, <ufunc 'add'>, <package.function>; of
 * others the type is named, <functools.partial object>.
 */
bool pl_name_other(PyObject *callable, bool by_type, struct pl_named *out)
{
	PyObject *text = by_type ? NULL : stable_repr(callable);

	if (!text && !by_type)
		text = text_of_place(callable, "");
	if (!text)
		text = text_of_place((PyObject *)Py_TYPE(callable), " object");
	return name_builtin(out, text, PL_FUNC_OTHER);
}

/* threading._active[ident], borrowed from the dictionary, or NULL. */
static PyObject *active_thread(void)
{
	PyObject *threading, *active, *ident, *thread = NULL;

	threading = pl_module("threading"); /* borrowed */
	active = threading ? attr(threading, "_active") : NULL;
	ident = PyLong_FromUnsignedLong(PyThread_get_thread_ident());
	if (active && ident && PyDict_Check(active))
		thread = PyDict_GetItemWithError(active, ident);
	Py_XDECREF(ident);
	Py_XDECREF(active);
	return thread;
}

void pl_name_thread(struct pl_recording *rec, struct pl_recorder *r)
{
	static const char main_thread[] = "MainThread";
	struct pl_named named = { .n_owned = 0 };
	PyObject *thread;
	const char *text;
	size_t len;

	if (r->tid == (uint32_t)getpid()) {
		r->name = pl_recording_str(rec, main_thread,
					   sizeof(main_thread) - 1);
		return;
	}
	thread = active_thread();
	/* _name and not name: no code of the user's runs for it. */
	if (thread && keep_text(&named, attr(thread, "_name"), &text, &len))
		r->name = pl_recording_str(rec, text, len);
	pl_named_release(&named);
	PyErr_Clear();
}
