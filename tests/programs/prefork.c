/* SPDX-License-Identifier: MIT */
/* A server that forks its workers before it initialises Python, and calls
 * _exit in them.  Usage: prefork WORKERS */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static int work(void)
{
	int rc;

	Py_Initialize();
	rc = PyRun_SimpleString("def leaf():\n"
				"    pass\n"
				"for i in range(1000):\n"
				"    leaf()\n");
	return rc | Py_FinalizeEx();
}

int main(int argc, char **argv)
{
	int n = argc > 1 ? atoi(argv[1]) : 1, status, rc = 0;

	for (int i = 0; i < n; i++)
		if (!fork())
			_exit(work());
	while (wait(&status) > 0)
		rc |= status;
	return !!rc;
}
