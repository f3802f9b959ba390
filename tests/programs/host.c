/* SPDX-License-Identifier: MIT */
/* A program that embeds Python, twice over, and knows nothing of proflite. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

int main(void)
{
	int rc = 0;

	for (int i = 0; i < 2; i++) {
		Py_Initialize();
		rc |= PyRun_SimpleString("def square(n):\n"
					 "    return n * n\n"
					 "def work(n):\n"
					 "    return sum(map(square, range(n)))\n"
					 "work(10)\n");
		rc |= Py_FinalizeEx();
	}
	return rc;
}
