/* SPDX-License-Identifier: MIT */
/*
 * opens.c: a program that opens libpython when it is asked to, and knows
 * nothing of proflite.
 *
 *	opens LIBRARY global|local source|frozen TIMES FILE
 *
 * source: run the text in FILE; frozen: run the marshalled code in FILE.  So
 * many times it opens the library, initialises Python, runs FILE, finalises
 * Python and closes the library.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *library;

static void *find(const char *name)
{
	void *p = dlsym(library, name);

	if (!p) {
		fprintf(stderr, "opens: %s\n", dlerror());
		exit(1);
	}
	return p;
}

static void run_source(const char *text)
{
	int (*run)(const char *) = (int (*)(const char *))find(
		"PyRun_SimpleString");

	if (run(text))
		exit(1);
}

/* As PyInstaller's programs do: no compiler, no file. */
static void run_frozen(const char *bytes, size_t size)
{
	void *(*read)(const char *, ssize_t) = (void *(*)(const char *,
		ssize_t))find("PyMarshal_ReadObjectFromString");
	void *(*import)(const char *) = (void *(*)(const char *))find(
		"PyImport_AddModule");
	void *(*dict)(void *) = (void *(*)(void *))find("PyModule_GetDict");
	void *(*eval)(void *, void *, void *) = (void *(*)(void *, void *,
		void *))find("PyEval_EvalCode");
	void *code = read(bytes, (ssize_t)size);
	void *names = dict(import("__main__"));

	if (!code || !eval(code, names, names))
		exit(1);
}

int main(int argc, char **argv)
{
	static char text[65536];
	size_t size;
	FILE *f;

	if (argc != 6 || !(f = fopen(argv[5], "rb")))
		return 2;
	size = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	for (int i = atoi(argv[4]); i; i--) {
		library = dlopen(argv[1], RTLD_NOW |
				 (*argv[2] == 'g' ? RTLD_GLOBAL : RTLD_LOCAL));
		if (!library) {
			fprintf(stderr, "opens: %s\n", dlerror());
			return 1;
		}
		((void (*)(void))find("Py_Initialize"))();
		if (*argv[3] == 's')
			run_source(text);
		else
			run_frozen(text, size);
		if (((int (*)(void))find("Py_FinalizeEx"))())
			return 1;
		dlclose(library);
	}
	return 0;
}
