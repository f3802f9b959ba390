/* SPDX-License-Identifier: MIT */
/*
 * intercept.h: calls of a builtin function go through us, and the program does
 * not notice.
 *
 * The object stays where it is, and so do its hash and what it is equal to: both
 * are made of the C function (ml_meth).  So ml_meth stays, too.  The object gets
 * a copy of its method definition that names no calling convention.  Callers,
 * the interpreter's specialised instructions and Cython among them, then leave
 * the call to the object's vectorcall slot, and that is ours.
 *
 *	the object				a copy of its definition
 *	  m_ml ───────────────────────────────►	  ml_name, ml_meth, ml_doc: as
 *	  m_self, m_module: as before		  before; ml_flags: 0
 *	  vectorcall: ours
 *
 * It stays so until the program ends: the slot may be read at any time.
 */
#ifndef PL_PROBE_INTERCEPT_H
#define PL_PROBE_INTERCEPT_H

#include "probe/pyapi.h"

/* One function; static, zeroed. */
struct pl_intercept {
	PyMethodDef def;		/* what the object has now */
	PyMethodDef *real;		/* what it had */
	pl_vectorcall real_vectorcall;	/* NULL with METH_VARARGS */
};

/* Have @ours called instead of @function.  Idempotent; false, and nothing is
 * changed, if @function is not of a kind that this works for. */
bool pl_intercept(struct pl_intercept *i, PyObject *function,
		  pl_vectorcall ours);

/* Whether @key, of an event, is that of the function. */
static inline bool pl_intercept_is(const struct pl_intercept *i, uint64_t key)
{
	return i->real && key == (uint64_t)(uintptr_t)&i->def;
}

/* The call that @function would have got: the arguments are those of a
 * vectorcall. */
PyObject *pl_intercept_call(const struct pl_intercept *i, PyObject *function,
			    PyObject *const *args, size_t nargsf,
			    PyObject *names);

#endif
