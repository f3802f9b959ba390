/* SPDX-License-Identifier: MIT */
/*
 * main.c: run the unit tests.
 *
 *	./unit [SUITE...]	all suites, or those named
 *
 * libcheck's own variables work as well: CK_FORK=no keeps everything in one
 * process, for a debugger; CK_RUN_CASE=NAME runs one case.  CK_DEFAULT_TIMEOUT
 * is 300 seconds here, not 4: it ends what hangs, and says nothing of how fast
 * a loaded machine is with a sanitizer.
 */
#include <config.h>

#include "suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef PL_UNIT_NAME
#define PL_UNIT_NAME "unit"
#endif

static const struct {
	const char *name;
	Suite *(*make)(void);
} suites[] = {
#define ROW(name) { #name, suite_##name },
	PL_SUITES(ROW)
#undef ROW
	{ NULL, NULL },
};

static int is_wanted(const char *name, int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], name))
			return 1;
	return argc < 2;
}

int main(int argc, char **argv)
{
	SRunner *runner = srunner_create(NULL);
	int n, n_failed;

	setenv("CK_DEFAULT_TIMEOUT", "300", 0);
	for (int i = 0; suites[i].name; i++)
		if (is_wanted(suites[i].name, argc, argv))
			srunner_add_suite(runner, suites[i].make());
	srunner_run_all(runner, CK_ENV);
	n = srunner_ntests_run(runner);
	n_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	printf(PL_UNIT_NAME ": %d passed, %d failed, 0 skipped\n", n - n_failed,
	       n_failed);
	if (!n)
		fprintf(stderr, PL_UNIT_NAME ": no test was run\n");
	return n && !n_failed ? EXIT_SUCCESS : EXIT_FAILURE;
}
