/* SPDX-License-Identifier: MIT */
/*
 * interpreters.c: a host with two interpreters beside the main one, of which one
 * is there before proflite_start and one comes after it.
 *
 *	interpreters DATABASE
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <proflite.h>

#include <stdio.h>

int main(int argc, char **argv)
{
	PyThreadState *main_one, *early, *late;
	char options[4096];

	snprintf(options, sizeof(options), "out=%s", argc > 1 ? argv[1] : "");
	Py_Initialize();
	main_one = PyThreadState_Get();
	early = Py_NewInterpreter();
	PyRun_SimpleString("def early(): pass\n");
	PyThreadState_Swap(main_one);
	PyRun_SimpleString("def first(): pass\n");
	if (proflite_start(options)) {
		fprintf(stderr, "%s\n", proflite_error());
		return 1;
	}
	PyRun_SimpleString("first()\n");
	late = Py_NewInterpreter();
	PyRun_SimpleString("def late(): pass\nlate()\nlate()\n");
	Py_EndInterpreter(late);
	PyThreadState_Swap(early);
	PyRun_SimpleString("early()\nearly()\nearly()\n");
	Py_EndInterpreter(early);
	PyThreadState_Swap(main_one);
	return Py_FinalizeEx();
}
