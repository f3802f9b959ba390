/* SPDX-License-Identifier: MIT */
/*
 * names.h: what a callable is called, in cProfile's words.
 *
 * A Python function is (co_filename, co_firstlineno, co_name).  A C function is
 * ("~", 0, text), the text as _lsprof's normalizeUserObj makes it:
 *
 *	no self		<name> or <module.name>
 *	self		repr of the type's attribute of that name:
 *			<method 'append' of 'list' objects>
 *	otherwise	<built-in method module.name>
 *
 * A method descriptor is named as if bound to its first argument, without
 * binding it.  Called at first sight of a callable only.
 */
#ifndef PL_PROBE_NAMES_H
#define PL_PROBE_NAMES_H

#include "core/recording.h"
#include "probe/pyapi.h"

/* A description and the objects that own its text. */
struct pl_named {
	struct pl_funcdesc desc;
	PyObject *owned[5];
	int n_owned;
};

/* Each returns false, with nothing to release and no exception set, when the
 * callable can't be named. */
bool pl_name_code(PyObject *code, struct pl_named *out);
bool pl_name_cfunction(PyObject *func, struct pl_named *out);
bool pl_name_methoddescr(PyObject *descr, PyObject *self,
			 struct pl_named *out);
/* @by_type: it is to stand for all of its type. */
bool pl_name_other(PyObject *callable, bool by_type, struct pl_named *out);

void pl_named_release(struct pl_named *named);

/*
 * Name @r after the threading.Thread that runs it, if there is one by now; a
 * thread's first calls come before it has entered itself in the list.  The
 * process's first thread is MainThread.  Must be the calling thread's.
 */
void pl_name_thread(struct pl_recording *rec, struct pl_recorder *r);

#endif
