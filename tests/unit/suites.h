/* SPDX-License-Identifier: MIT */
/*
 * suites.h: the list of unit test suites.
 *
 * A new one: tests/unit/test_NAME.c with `Suite *suite_NAME(void)`, a line
 * here, and a line in tests/local.mk.
 */
#ifndef PL_TESTS_SUITES_H
#define PL_TESTS_SUITES_H

#include <check.h>

#define PL_SUITES(X) \
	X(corpus) \
	X(gate) \
	X(marshal) \
	X(nomem) \
	X(options) \
	X(paths) \
	X(pstats_text) \
	X(recfile) \
	X(recorder) \
	X(recording) \
	X(store) \
	X(threads) \
	X(torn) \
	X(tree)

#define PL_SUITE_DECLARE(name) Suite *suite_##name(void);
PL_SUITES(PL_SUITE_DECLARE)
#undef PL_SUITE_DECLARE

#endif
