/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "suites.h"

#include "core/options.h"
#include "core/uuid.h"

#include <string.h>

static struct pl_options o;
static struct pl_error err;

static void setup(void)
{
	pl_options_init(&o);
	memset(&err, 0, sizeof(err));
}

START_TEST(defaults_are_those_of_the_table)
{
	ck_assert_str_eq(o.out, "proflite.db");
	ck_assert_int_eq(o.clock, PL_CLOCK_WALL);
	ck_assert(o.builtins);
	ck_assert(!o.all_calls);
	ck_assert(o.start);
	ck_assert_uint_eq(o.max_nodes, 0);
	ck_assert_uint_eq(o.max_functions, 100000);
	ck_assert_uint_eq(o.max_threads, 1000);
	ck_assert(pl_uuid_is_zero(o.run));
}
END_TEST

static const struct {
	const char *text, *out, *label;
	int clock, builtins;
	uint32_t max_nodes;
} good[] = {
	{ "", "proflite.db", "", PL_CLOCK_WALL, 1, 0 },
	{ "out=/a b/c.db", "/a b/c.db", "", PL_CLOCK_WALL, 1, 0 },
	{ "clock=cpu,builtins=no", "proflite.db", "", PL_CLOCK_CPU, 0, 0 },
	{ ",,clock=step,", "proflite.db", "", PL_CLOCK_STEP, 1, 0 },
	{ "builtins=off,builtins", "proflite.db", "", PL_CLOCK_WALL, 1, 0 },
	{ "out=a\\,b\\\\c,label=x=y", "a,b\\c", "x=y", PL_CLOCK_WALL, 1, 0 },
	{ "max_nodes=4294967295", "proflite.db", "", PL_CLOCK_WALL, 1,
	  4294967295u },
};

START_TEST(good_text_is_read_and_written_again)
{
	struct pl_options again;
	char text[8192];

	ck_assert_int_eq(pl_options_parse(&o, good[_i].text, &err), 0);
	ck_assert_str_eq(o.out, good[_i].out);
	ck_assert_str_eq(o.label, good[_i].label);
	ck_assert_int_eq(o.clock, good[_i].clock);
	ck_assert_int_eq(o.builtins, good[_i].builtins);
	ck_assert_uint_eq(o.max_nodes, good[_i].max_nodes);
	ck_assert_uint_lt(pl_options_format(&o, text, sizeof(text)),
			  sizeof(text));
	pl_options_init(&again);
	ck_assert_int_eq(pl_options_parse(&again, text, &err), 0);
	ck_assert_mem_eq(&again, &o, sizeof(o));
}
END_TEST

static const struct {
	const char *text, *sentence;
} bad[] = {
	{ "clok=cpu", "no option \"clok\": want one of out, clock, builtins, "
		      "all_calls, label, max_nodes, max_functions, "
		      "max_threads, calibrate, start, ingest, collected, "
		      "run, parent" },
	{ "clock=sun", "clock=sun: want wall, cpu or step" },
	{ "clock=callable", "clock=callable: want wall, cpu or step" },
	{ "builtins=maybe", "builtins=maybe: want yes or no" },
	{ "max_nodes=-1",
	  "max_nodes=-1: want a whole number from 0 to 4294967295" },
	{ "max_nodes=4294967296",
	  "max_nodes=4294967296: want a whole number from 0 to 4294967295" },
	{ "max_nodes=", "max_nodes=: want a whole number from 0 to "
			"4294967295" },
	{ "out=", "out= wants a file name" },
	{ "run=12", "run=12: want 32 hexadecimal digits" },
};

START_TEST(bad_text_is_named_with_what_would_be_right)
{
	ck_assert_int_eq(pl_options_parse(&o, bad[_i].text, &err), PL_ERR_ARG);
	ck_assert_str_eq(err.text, bad[_i].sentence);
}
END_TEST

START_TEST(a_value_that_does_not_fit_is_refused)
{
	static char text[8192];

	memset(text, 'x', sizeof(text) - 1);
	memcpy(text, "label=", 6);
	ck_assert_int_eq(pl_options_parse(&o, text, &err), PL_ERR_ARG);
	ck_assert_ptr_nonnull(strstr(err.text, "too long"));
}
END_TEST

START_TEST(format_says_the_length_it_would_have)
{
	char small[8];
	size_t n;

	pl_options_set(&o, "label", "a long label", &err);
	n = pl_options_format(&o, small, sizeof(small));
	ck_assert_uint_eq(n, strlen("label=a long label"));
	ck_assert_str_eq(small, "label=a");
}
END_TEST

START_TEST(an_id_goes_there_and_back)
{
	uint8_t id[16], again[16];
	char hex[33];

	pl_uuid_make(id);
	ck_assert(!pl_uuid_is_zero(id));
	pl_uuid_format(id, hex);
	ck_assert_uint_eq(strlen(hex), 32);
	ck_assert(pl_uuid_parse(hex, again));
	ck_assert_mem_eq(id, again, 16);
	ck_assert(!pl_uuid_parse("0123", again));
	hex[5] = 'g';
	ck_assert(!pl_uuid_parse(hex, again));
}
END_TEST

Suite *suite_options(void)
{
	Suite *s = suite_create("options");
	TCase *tc = tcase_create("options");

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, defaults_are_those_of_the_table);
	tcase_add_loop_test(tc, good_text_is_read_and_written_again, 0,
			    sizeof(good) / sizeof(*good));
	tcase_add_loop_test(tc, bad_text_is_named_with_what_would_be_right, 0,
			    sizeof(bad) / sizeof(*bad));
	tcase_add_test(tc, a_value_that_does_not_fit_is_refused);
	tcase_add_test(tc, format_says_the_length_it_would_have);
	tcase_add_test(tc, an_id_goes_there_and_back);
	suite_add_tcase(s, tc);
	return s;
}
