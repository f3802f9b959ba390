/* SPDX-License-Identifier: MIT */
/*
 * misuse.c: a host that calls proflite.h at wrong moments, and with what it
 * does not take; a line a call: what it returned, and the reason if that was -1.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <proflite.h>

#include <stdio.h>

static void say(const char *call, int rc)
{
	printf("%s: %d%s%s\n", call, rc, rc ? " " : "",
	       rc ? proflite_error() : "");
}

#define SAY(call) say(#call, call)

int main(void)
{
	printf("error: \"%s\"\n", proflite_error());
	SAY(proflite_start(NULL));
	SAY(proflite_stop());
	Py_Initialize();
	SAY(proflite_flush("x.db"));
	SAY(proflite_stop());
	SAY(proflite_start("nonsense"));
	SAY(proflite_start("clock=sundial"));
	SAY(proflite_start("start=no"));

	/* What Python has raised is the host's, through all of it. */
	PyErr_SetString(PyExc_ValueError, "the host's");
	SAY(proflite_start("out=a.db,calibrate=no"));
	SAY(proflite_start("clock=sundial"));
	SAY(proflite_flush("no/folder/x.db"));
	SAY(proflite_flush("b.db"));
	SAY(proflite_stop());
	SAY(proflite_stop());
	printf("%s\n", PyErr_ExceptionMatches(PyExc_ValueError) ?
		       "the exception is there" : "the exception is gone");
	PyErr_Clear();
	return Py_FinalizeEx();
}
