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
 *
 * A case with a failure runs once more, alone.  If it passes then, its tests
 * count as passed, and a line "flaky: unit: CASE" names it; more than MOST_FLAKY
 * such cases are a failure.
 */
#include <config.h>

#include "suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef PL_UNIT_NAME
#define PL_UNIT_NAME "unit"
#endif

#define MOST_FLAKY 3

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

static SRunner *runner_of(int argc, char **argv)
{
	SRunner *runner = srunner_create(NULL);

	for (int i = 0; suites[i].name; i++)
		if (is_wanted(suites[i].name, argc, argv))
			srunner_add_suite(runner, suites[i].make());
	return runner;
}

/* Whether case @name passes alone.  Cases of several suites may share a name:
 * all of them run. */
static int passes_alone(const char *name, int argc, char **argv)
{
	SRunner *runner = runner_of(argc, argv);
	int passed;

	printf("once more: %s\n", name);
	srunner_run(runner, NULL, name, CK_ENV);
	passed = srunner_ntests_run(runner) > 0 &&
		 !srunner_ntests_failed(runner);
	srunner_free(runner);
	return passed;
}

/* How many of the first @n @failures are of case @name. */
static int n_of_case(TestResult **failures, int n, const char *name)
{
	int found = 0;

	for (int i = 0; i < n; i++)
		found += !strcmp(tr_tcname(failures[i]), name);
	return found;
}

/* Run the cases of all @n_failed failures again.  Returns how many failures are
 * left, and adds the cases that pass now to *n_flaky. */
static int judge_again(SRunner *runner, int n_failed, int argc, char **argv,
		       int *n_flaky)
{
	TestResult **failures = srunner_failures(runner);
	int n_left = 0;

	for (int i = 0; i < n_failed; i++) {
		const char *name = tr_tcname(failures[i]);

		if (n_of_case(failures, i, name))
			continue;
		if (passes_alone(name, argc, argv)) {
			printf("flaky: " PL_UNIT_NAME ": %s\n", name);
			++*n_flaky;
		} else {
			n_left += n_of_case(failures, n_failed, name);
		}
	}
	free(failures);
	return n_left;
}

int main(int argc, char **argv)
{
	SRunner *runner;
	int n, n_failed, n_flaky = 0;

	setenv("CK_DEFAULT_TIMEOUT", "300", 0);
	runner = runner_of(argc, argv);
	srunner_run_all(runner, CK_ENV);
	n = srunner_ntests_run(runner);
	n_failed = srunner_ntests_failed(runner);
	if (n_failed)
		n_failed = judge_again(runner, n_failed, argc, argv, &n_flaky);
	srunner_free(runner);
	printf(PL_UNIT_NAME ": %d passed, %d failed, 0 skipped\n", n - n_failed,
	       n_failed);
	if (!n)
		fprintf(stderr, PL_UNIT_NAME ": no test was run\n");
	return n && !n_failed && n_flaky <= MOST_FLAKY ? EXIT_SUCCESS
						      : EXIT_FAILURE;
}
