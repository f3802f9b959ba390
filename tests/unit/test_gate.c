/* SPDX-License-Identifier: MIT */
/* test_gate.c: conditions of `proflite diff --fail-if`. */
#include <config.h>

#include "suites.h"

#include "../../tools/gate.h"

#include <stdlib.h>
#include <string.h>

static struct pl_error err;

static struct pl_change point(double a, double b)
{
	return (struct pl_change){ a, b, a, a, b, b, 1000, false };
}

static bool holds(const char *expression, const struct pl_change *changes)
{
	struct pl_gate *gate;
	bool result;

	ck_assert_msg(!pl_gate_parse(&gate, expression, &err), "%s", err.text);
	result = pl_gate_holds(gate, changes);
	pl_gate_free(gate);
	return result;
}

/* ncalls 100 -> 120, primcalls 10 -> 10, tottime 10 ms -> 12 ms,
 * cumtime 0 -> 5 ms */
static const struct {
	const char *expression;
	bool holds;
} cases[] = {
	{ "ncalls > +0%", true },
	{ "ncalls > +20%", false },
	{ "ncalls >= +20%", true },
	{ "ncalls > +19.9%", true },
	{ "ncalls > +20", false },
	{ "ncalls > +19", true },
	{ "ncalls == 120", true },
	{ "ncalls != 120", false },
	{ "ncalls < 121", true },
	{ "ncalls<=120", true },
	{ "calls > 12%", false },		/* of all, 1000 */
	{ "calls >= 12%", true },
	{ "primcalls > +0%", false },
	{ "pcalls == +0", true },
	{ "tottime > +10% and > 5ms", true },
	{ "tottime > +10% and > 15ms", false },
	{ "tottime > +30% and > 5ms", false },
	{ "tottime > +2ms", false },
	{ "tottime > +1.999ms", true },
	{ "tottime > +1999us", true },
	{ "tottime > +1999\xc2\xb5s", true },
	{ "tottime > 0.0119s", true },
	{ "tottime > 11999999ns", true },
	{ "time < -5%", false },
	{ "cumtime > +1000000%", true },	/* from nothing */
	{ "cumulative == 5ms", true },
	{ "ncalls > +50% or tottime > +10%", true },
	{ "ncalls > +50% or tottime > +50%", false },
	{ "ncalls > +50% and tottime > +10% or cumtime > 1ms", true },
	{ "cumtime > 1ms or ncalls > +50% and tottime > +50%", true },
	{ "\t ncalls\n>\t+0% ", true },
};

START_TEST(condition_is_judged)
{
	const struct pl_change changes[PL_N_METRICS] = {
		[PL_NCALLS] = point(100, 120),
		[PL_PRIMCALLS] = point(10, 10),
		[PL_TOTTIME] = point(10e6, 12e6),
		[PL_CUMTIME] = point(0, 5e6),
	};

	ck_assert_msg(holds(cases[_i].expression, changes) == cases[_i].holds,
		      "%s", cases[_i].expression);
}
END_TEST

START_TEST(change_within_the_spread_is_noise)
{
	struct pl_change changes[PL_N_METRICS] = { { 0 } };
	struct pl_change *t = &changes[PL_TOTTIME];

	/* A 9 10 12, B 11 12 14: the ranges overlap */
	*t = (struct pl_change){ 10e6, 12e6, 9e6, 12e6, 11e6, 14e6, 0 };
	ck_assert(pl_change_is_noise(t));
	ck_assert(!holds("tottime > +10%", changes));
	/* a value is a value */
	ck_assert(holds("tottime > 11ms", changes));
	/* A 9 10 10.5: they don't */
	t->a_high = 10.5e6;
	ck_assert(!pl_change_is_noise(t));
	ck_assert(holds("tottime > +10%", changes));
	/* one run of A in the range of B */
	*t = (struct pl_change){ 10, 12, 10, 10, 9, 14, 0 };
	ck_assert(pl_change_is_noise(t));
	/* one of each says nothing of noise */
	*t = (struct pl_change){ 10, 12, 10, 10, 12, 12, 0 };
	ck_assert(!pl_change_is_noise(t));
}
END_TEST

static const struct {
	const char *expression, *sentence;
} wrong[] = {
	{ "", "\"\": want ncalls, primcalls, tottime or cumtime at the end" },
	{ "  ", "\"  \": want ncalls, primcalls, tottime or cumtime at the "
		"end" },
	{ "calls", "\"calls\": want one of > >= < <= == != at the end" },
	{ "calls = 5", "\"calls = 5\": want one of > >= < <= == != where "
		       "\"= 5\" begins" },
	{ "calls >", "\"calls >\": want a number, such as +10% or 5ms, at the "
		     "end" },
	{ "calls > +", "\"calls > +\": want a number, such as +10% or 5ms, "
		       "where \"+\" begins" },
	{ "calls > .", "\"calls > .\": want a number, such as +10% or 5ms, "
		       "where \".\" begins" },
	{ "calls > 5ms", "\"calls > 5ms\": want % or nothing, for a number of "
			 "calls, where \"ms\" begins" },
	{ "tottime > 5", "\"tottime > 5\": want a unit, one of % ns us ms s, "
			 "at the end" },
	{ "tottime > 5m", "\"tottime > 5m\": want a unit, one of % ns us ms "
			  "s, where \"m\" begins" },
	{ "tottime > inf%", "\"tottime > inf%\": want a number, such as +10% "
			    "or 5ms, where \"inf%\" begins" },
	{ "tottime > 0x1s", "\"tottime > 0x1s\": want a unit, one of % ns us "
			    "ms s, where \"x1s\" begins" },
	{ "size > 5", "\"size > 5\": want ncalls, primcalls, tottime or "
		      "cumtime where \"size > 5\" begins" },
	{ "calls > 5 but < 6", "\"calls > 5 but < 6\": want \"and\" or \"or\" "
			       "where \"but < 6\" begins" },
	{ "calls > 5 and", "\"calls > 5 and\": want one of > >= < <= == != at "
			   "the end" },
	{ "(calls > 5)", "\"(calls > 5)\": want ncalls, primcalls, tottime or "
			 "cumtime where \"(calls > 5)\" begins" },
	{ "calls > 5\nx", "\"calls > 5 x\": want \"and\" or \"or\" where \"x\" "
			  "begins" },
};

START_TEST(mistake_is_named)
{
	struct pl_gate *gate;

	ck_assert_int_eq(pl_gate_parse(&gate, wrong[_i].expression, &err),
			 PL_ERR_ARG);
	ck_assert_str_eq(err.text, wrong[_i].sentence);
	ck_assert_ptr_null(gate);
}
END_TEST

START_TEST(long_expressions_end_somewhere)
{
	size_t n = 100000;
	char *text = malloc(16 * n + 1), *to = text;
	struct pl_gate *gate;

	for (size_t i = 0; i < n; i++)
		to = stpcpy(to, i ? "and calls > 1" : "calls > 1");
	ck_assert_int_eq(pl_gate_parse(&gate, text, &err), PL_ERR_ARG);
	memset(text, '9', 16 * n);
	memcpy(text, "calls > ", 8);
	text[16 * n] = '\0';
	ck_assert_int_eq(pl_gate_parse(&gate, text, &err), PL_ERR_ARG);
	ck_assert_ptr_null(strchr(err.text, '\n'));
	free(text);
}
END_TEST

/* Words of the language in any order, and bytes that are none of it. */
START_TEST(no_text_breaks_it)
{
	static const char *const words[] = {
		"ncalls", "tottime", ">", "<=", "==", "!", "=", "+", "-", "%",
		"10", ".5", "5.", "ms", "ns", "s", "and", "or", " ", "\xff",
		"\xc2\xb5", "(", "\n", "\x1b[31m", "calls",
	};
	const struct pl_change changes[PL_N_METRICS] = { { 0 } };
	unsigned int seed = (unsigned int)_i;
	char text[512];

	for (int k = 0; k < 2000; k++) {
		struct pl_gate *gate;
		int n = rand_r(&seed) % 14;

		text[0] = '\0';
		while (n--)
			strcat(text, words[(size_t)rand_r(&seed) %
					   (sizeof(words) / sizeof(*words))]);
		if (pl_gate_parse(&gate, text, &err)) {
			ck_assert_ptr_null(strpbrk(err.text, "\n\x1b"));
			continue;
		}
		pl_gate_holds(gate, changes);
		pl_gate_free(gate);
	}
}
END_TEST

Suite *suite_gate(void)
{
	Suite *suite = suite_create("gate");
	TCase *tc = tcase_create("gate");

	tcase_add_loop_test(tc, condition_is_judged, 0,
			    sizeof(cases) / sizeof(*cases));
	tcase_add_test(tc, change_within_the_spread_is_noise);
	tcase_add_loop_test(tc, mistake_is_named, 0,
			    sizeof(wrong) / sizeof(*wrong));
	tcase_add_test(tc, long_expressions_end_somewhere);
	tcase_add_loop_test(tc, no_text_breaks_it, 0, 10);
	suite_add_tcase(suite, tc);
	return suite;
}
