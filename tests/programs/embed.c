/* SPDX-License-Identifier: MIT */
/*
 * embed.c: an example of a program that embeds Python and profiles it.
 *
 *	embed DATABASE
 *
 * It initialises and finalises the interpreter twice and profiles both times.
 * The first time it lets the database be written by the end of the interpreter,
 * the second time by proflite_stop, after which Python runs on unprofiled.
 * Both are one run in the database.
 *
 * It is built with
 *
 *	cc embed.c `python3-config --embed --cflags --ldflags` \
 *		`pkg-config --cflags --libs proflite`
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <proflite.h>

#include <stdio.h>
#include <string.h>

static const char definitions[] =
	"def square(n):\n"
	"    return n * n\n"
	"def work(n):\n"
	"    return sum(map(square, range(n)))\n";

/* Every function of ours fails in the same way: -1, and proflite_error() has
 * the reason.  A program that can do without a profile goes on. */
static int check(const char *what, int rc)
{
	if (rc)
		fprintf(stderr, "embed: %s: %s\n", what, proflite_error());
	return rc;
}

static int run(const char *code)
{
	return PyRun_SimpleString(code);
}

/* Profile until the interpreter is finalised. */
static int first(const char *options)
{
	int rc;

	Py_Initialize();
	rc = check("start", proflite_start(options)) || run(definitions) ||
	     run("work(10)\n");
	return Py_FinalizeEx() || rc;
}

/* Profile a part of what it does, and look at it on the way. */
static int second(const char *options, const char *copy)
{
	int rc;

	Py_Initialize();
	rc = run(definitions) || run("work(1000)\n") ||
	     check("start", proflite_start(options)) || run("work(20)\n") ||
	     check("flush", proflite_flush(copy)) || run("work(30)\n") ||
	     check("stop", proflite_stop()) || run("work(1000)\n");
	return Py_FinalizeEx() || rc;
}

int main(int argc, char **argv)
{
	char options[4096], copy[4096];

	if (argc != 2 || strlen(argv[1]) > sizeof(copy) / 2) {
		fprintf(stderr, "usage: embed DATABASE\n");
		return 2;
	}
	/* A comma or a backslash in a name would need a backslash before it. */
	snprintf(options, sizeof(options), "out=%s,clock=step,label=embedded",
		 argv[1]);
	snprintf(copy, sizeof(copy), "%s.copy", argv[1]);
	if (first(options) || second(options, copy))
		return 1;
	printf("proflite %s\n", proflite_version());
	return 0;
}
