/* SPDX-License-Identifier: MIT */
/*
 * tools/pstats_text.c and what it stands on.  The expected texts here were
 * printed by pstats; the end-to-end test compares with pstats itself, on
 * profiles of real programs.
 */
#include <config.h>

#include "suites.h"

#include "../../tools/pattern.h"
#include "../../tools/pstats_text.h"
#include "../../tools/pytext.h"
#include "../../tools/sort.h"
#include "export/stats.h"

#include <stdlib.h>
#include <string.h>

#define N_OF(array) ((int)(sizeof(array) / sizeof(*(array))))
#define MS 1000000

static struct pl_error err;

/* ------------------------------------------------------------- tables -- */

/*
 * main calls f of /x and f of /y, which are one once folders are stripped, and
 * both call each other; len is built in, and gen was never entered.
 */
static struct pl_pfunc funcs[] = {
	{ .file = "main.py", .name = "<module>", .line = 1,
	  .f = { .calls = 1, .primitive = 1, .self_ns = 10 * MS,
		 .cum_ns = 100 * MS } },
	{ .file = "/x/a.py", .name = "f", .line = 2,
	  .f = { .calls = 5, .resumes = 1, .primitive = 1, .self_ns = 40 * MS,
		 .cum_ns = 70 * MS } },
	{ .file = "/y/a.py", .name = "f", .line = 2,
	  .f = { .calls = 2, .primitive = 2, .self_ns = 30 * MS,
		 .cum_ns = 50 * MS } },
	{ .file = "~", .name = "<built-in method builtins.len>",
	  .kind = PL_FUNC_C,
	  .f = { .calls = 20, .primitive = 20, .self_ns = 20 * MS,
		 .cum_ns = 20 * MS } },
	{ .file = "n\xc3\xa9.py", .name = "gen", .line = 7 },
};

static struct pl_pedge edges[] = {
	{ 0, 1, .f = { .calls = 1, .primitive = 1, .self_ns = 10 * MS,
		       .cum_ns = 70 * MS } },
	{ 1, 1, .f = { .calls = 5, .primitive = 1, .self_ns = 30 * MS,
		       .cum_ns = 60 * MS } },
	{ 1, 2, .f = { .calls = 2, .primitive = 2, .self_ns = 30 * MS,
		       .cum_ns = 50 * MS } },
	{ 2, 3, .f = { .calls = 5, .primitive = 5, .self_ns = 5 * MS,
		       .cum_ns = 5 * MS } },
	{ 1, 3, .f = { .calls = 15, .primitive = 15, .self_ns = 15 * MS,
		       .cum_ns = 15 * MS } },
	{ 2, 1, .f = { .calls = 1, .primitive = 1, .self_ns = 10 * MS,
		       .cum_ns = 10 * MS } },
};

static const struct pl_profile profile = {
	.funcs = funcs, .n_funcs = N_OF(funcs),
	.edges = edges, .n_edges = N_OF(edges),
};

/* As the command line would give them: "-s KEY", "f", ".5", "3". */
static char *print(const struct pl_profile *p, struct pl_text_options o,
		   const char *key, const char *regex)
{
	const struct pl_sort_key *keys[] = { pl_sort_key_find(key, &err) };
	struct pl_restriction r = { .kind = PL_RESTRICT_REGEX, .text = regex };
	struct pl_pattern *pattern = NULL;
	char *text;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	ck_assert_ptr_nonnull(keys[0]);
	o.keys = keys;
	o.n_keys = 1;
	if (regex) {
		pl_pattern_new(&pattern, regex, &err);
		r.pattern = pattern;
		o.restrictions = &r;
		o.n_restrictions = 1;
	}
	ck_assert_int_eq(pl_pstats_text_print(f, p, &o, NULL, &err), 0);
	fclose(f);
	pl_pattern_free(pattern);
	return text;
}

static void check(const struct pl_profile *p, struct pl_text_options o,
		  const char *key, const char *regex, const char *want)
{
	char *text = print(p, o, key, regex);

	ck_assert_str_eq(text, want);
	free(text);
}

START_TEST(functions_stand_in_the_order_of_their_time)
{
	check(&profile, (struct pl_text_options){ 0 }, "time", NULL,
	      "         29 function calls (24 primitive calls) "
	      "in 0.100 seconds\n"
	      "\n"
	      "   Ordered by: internal time\n"
	      "\n"
	      "   ncalls  tottime  percall  cumtime  percall "
	      "filename:lineno(function)\n"
	      "      6/1    0.040    0.007    0.070    0.070 /x/a.py:2(f)\n"
	      "        2    0.030    0.015    0.050    0.025 /y/a.py:2(f)\n"
	      "       20    0.020    0.001    0.020    0.001 "
	      "{built-in method builtins.len}\n"
	      "        1    0.010    0.010    0.100    0.100 "
	      "main.py:1(<module>)\n"
	      "        0    0.000             0.000          "
	      "n\xc3\xa9.py:7(gen)\n"
	      "\n\n");
}
END_TEST

START_TEST(callers_are_listed_by_label)
{
	check(&profile,
	      (struct pl_text_options){ .form = PL_TEXT_CALLERS }, "ncalls",
	      "len|/x|gen",
	      "   Ordered by: call count\n"
	      "   List reduced from 5 to 3 due to restriction <'len|/x|gen'>\n"
	      "\n"
	      "Function                        was called by...\n"
	      "                                    ncalls  tottime  cumtime\n"
	      "{built-in method builtins.len}  <-      15    0.015    0.015  "
	      "/x/a.py:2(f)\n"
	      "                                         5    0.005    0.005  "
	      "/y/a.py:2(f)\n"
	      "/x/a.py:2(f)                    <-     5/1    0.030    0.060  "
	      "/x/a.py:2(f)\n"
	      "                                         1    0.010    0.010  "
	      "/y/a.py:2(f)\n"
	      "                                         1    0.010    0.070  "
	      "main.py:1(<module>)\n"
	      "n\xc3\xa9.py:7(gen)                    <- \n"
	      "\n\n");
}
END_TEST

START_TEST(callees_are_the_same_pairs_the_other_way)
{
	check(&profile,
	      (struct pl_text_options){ .form = PL_TEXT_CALLEES,
					.reverse = true },
	      "stdname", "a|len",
	      "   Ordered by: standard name\n"
	      "   List reduced from 5 to 4 due to restriction <'a|len'>\n"
	      "\n"
	      "Function                        called...\n"
	      "                                    ncalls  tottime  cumtime\n"
	      "{built-in method builtins.len}  -> \n"
	      "main.py:1(<module>)             ->       1    0.010    0.070  "
	      "/x/a.py:2(f)\n"
	      "/y/a.py:2(f)                    ->       1    0.010    0.010  "
	      "/x/a.py:2(f)\n"
	      "                                         5    0.005    0.005  "
	      "{built-in method builtins.len}\n"
	      "/x/a.py:2(f)                    ->     5/1    0.030    0.060  "
	      "/x/a.py:2(f)\n"
	      "                                         2    0.030    0.050  "
	      "/y/a.py:2(f)\n"
	      "                                        15    0.015    0.015  "
	      "{built-in method builtins.len}\n"
	      "\n\n");
}
END_TEST

/* The functions are added up; of the two callers of len that are alike then,
 * the last one stays, while those of two functions that became one add up. */
START_TEST(stripped_folders_add_functions_and_overwrite_callers)
{
	check(&profile,
	      (struct pl_text_options){ .form = PL_TEXT_CALLERS,
					.strip_dirs = true },
	      "time", NULL,
	      "   Ordered by: internal time\n"
	      "\n"
	      "Function                        was called by...\n"
	      "                                    ncalls  tottime  cumtime\n"
	      "a.py:2(f)                       <-       3    0.040    0.060  "
	      "a.py:2(f)\n"
	      "                                         1    0.010    0.070  "
	      "main.py:1(<module>)\n"
	      "{built-in method builtins.len}  <-      15    0.015    0.015  "
	      "a.py:2(f)\n"
	      "main.py:1(<module>)             <- \n"
	      "n\xc3\xa9.py:7(gen)                    <- \n"
	      "\n\n");
}
END_TEST

START_TEST(an_empty_selection_prints_the_summary_alone)
{
	static const char want[] = "         29 function calls (24 primitive "
				   "calls) in 0.100 seconds\n\n";

	check(&profile, (struct pl_text_options){ 0 }, "time", "nowhere", want);
	check(&profile, (struct pl_text_options){ .form = PL_TEXT_CALLERS },
	      "time", "nowhere", "");
	check(&(struct pl_profile){ .n_funcs = 0 },
	      (struct pl_text_options){ 0 }, "time", NULL,
	      "         0 function calls in 0.000 seconds\n\n");
}
END_TEST

START_TEST(a_wrong_expression_restricts_nothing_and_is_said)
{
	char *text = print(&profile, (struct pl_text_options){ 0 }, "line",
			   "it's (");

	ck_assert_ptr_nonnull(strstr(text, "   Ordered by: line number\n"
		"   <Invalid regular expression \"it's (\">\n\n"));
	ck_assert_ptr_nonnull(strstr(text, "gen"));
	free(text);
}
END_TEST

START_TEST(restrictions_apply_in_turn)
{
	const struct pl_sort_key *keys[] = { pl_sort_key_find("time", &err),
					     pl_sort_key_find("cu", &err) };
	struct pl_restriction r[] = {
		{ .kind = PL_RESTRICT_FRACTION, .fraction = .7 },
		{ .kind = PL_RESTRICT_COUNT, .count = -1 },
		{ .kind = PL_RESTRICT_COUNT, .count = 4 },
		{ .kind = PL_RESTRICT_FRACTION, .fraction = 1.0 },
		{ .kind = PL_RESTRICT_COUNT, .count = 1 },
	};
	struct pl_text_options o = {
		.keys = keys, .n_keys = 2, .restrictions = r,
		.n_restrictions = N_OF(r),
	};
	struct pl_text_result result;
	char *text;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	ck_assert_int_eq(pl_pstats_text_print(f, &profile, &o, &result, &err),
			 0);
	fclose(f);
	ck_assert_ptr_nonnull(strstr(text,
		"   Ordered by: internal time, cumulative time\n"
		"   List reduced from 5 to 4 due to restriction <0.7>\n"
		"   List reduced from 4 to 1 due to restriction <1>\n\n"));
	ck_assert_uint_eq(result.n_printed, 1);
	ck_assert_uint_eq(result.n_all, 5);
	free(text);
}
END_TEST

/* ----------------------------------------------------------- sort keys -- */

static const struct {
	const char *word, *name;	/* NULL: refused */
} words[] = {
	{ "calls", "calls" },	    { "ca", "calls" },
	{ "cu", "cumtime" },	    { "cumt", "cumtime" },
	{ "cumu", "cumulative" },   { "f", "filename" },
	{ "m", "module" },	    { "na", "name" },
	{ "nf", "nfl" },	    { "nc", "ncalls" },
	{ "p", "pcalls" },	    { "s", "stdname" },
	{ "ti", "time" },	    { "to", "tottime" },
	{ "-1", "stdname" },	    { "0", "calls" },
	{ "1", "time" },	    { "2", "cumulative" },
	{ "c", NULL },		    { "cum", NULL },
	{ "n", NULL },		    { "t", NULL },
	{ "", NULL },		    { "timer", NULL },
	{ "3", NULL },		    { "Time", NULL },
};

START_TEST(sort_keys_are_found_by_what_pstats_takes)
{
	const struct pl_sort_key *key = pl_sort_key_find(words[_i].word, &err);

	if (!words[_i].name) {
		ck_assert_ptr_null(key);
		ck_assert_ptr_nonnull(strstr(err.text, "cumulative"));
		return;
	}
	ck_assert_ptr_nonnull(key);
	ck_assert_str_eq(key->name, words[_i].name);
}
END_TEST

/* ---------------------------------------------------------------- text -- */

static const struct {
	const char *text, *repr;
} reprs[] = {
	{ "json", "'json'" },
	{ "it's", "\"it's\"" },
	{ "\"it's\"", "'\"it\\'s\"'" },
	{ "a\\d\n\t\r\x01\x7f", "'a\\\\d\\n\\t\\r\\x01\\x7f'" },
	{ "n\xc3\xa9 \xf0\x9f\x98\x80", "'n\xc3\xa9 \xf0\x9f\x98\x80'" },
	{ "\xc2\xa0\xe2\x80\xa8", "'\\xa0\\u2028'" },
	{ "\xed\xb3\xbf", "'\\udcff'" },
	{ "\xf3\xa0\x80\x81", "'\\U000e0001'" },
};

START_TEST(repr_is_pythons)
{
	char *repr = pl_pytext_repr(reprs[_i].text);

	ck_assert_str_eq(repr, reprs[_i].repr);
	free(repr);
}
END_TEST

static const struct {
	double value;
	const char *repr;
} floats[] = {
	{ 0.5, "0.5" },	  { 0.1, "0.1" },	{ 0.0, "0.0" },
	{ 1e-5, "1e-05" }, { 0.0001, "0.0001" },
	{ 1.0 / 3, "0.3333333333333333" },
	{ 0.30000000000000004, "0.30000000000000004" }, { 0.999, "0.999" },
};

START_TEST(floats_are_written_as_python_writes_them)
{
	char buf[32];

	pl_pyfloat_repr(floats[_i].value, buf);
	ck_assert_str_eq(buf, floats[_i].repr);
}
END_TEST

START_TEST(odd_bytes_go_in_and_come_out)
{
	char *text = pl_pytext_from_bytes("a\xff\xc3\xa9\xed\xa0\x80");
	char *out;
	size_t n;
	FILE *f = open_memstream(&out, &n);

	ck_assert_str_eq(text, "a\xed\xb3\xbf\xc3\xa9"
			       "\xed\xb3\xad\xed\xb2\xa0\xed\xb2\x80");
	pl_pytext_put(f, text);
	pl_pytext_put(f, "\xed\xa0\x80");	/* stands for no byte */
	fclose(f);
	ck_assert_str_eq(out, "a\xff\xc3\xa9\xed\xa0\x80\\ud800");
	free(text);
	free(out);
}
END_TEST

/* ------------------------------------------------- regular expressions -- */

static const struct {
	const char *regex, *text;
	int found;			/* -1: no regular expression */
} searches[] = {
	{ "json", "/lib/json/x.py", 1 },
	{ "^json", "/lib/json/x.py", 0 },
	{ "(?i)JSON", "json", 1 },
	{ "\\d{,2}$", "a12", 1 },
	{ "a{,2}b", "aab", 1 },
	{ "a{b", "a{b", 1 },
	{ "a{,b", "a{,b", 1 },
	{ "x\\Z", "x\n", 0 },
	{ "x$", "x\n", 1 },
	{ "\\v", "\n", 0 },
	{ "\\v", "\x0b", 1 },
	{ "\\w+", "\xe5\x87\xbd", 1 },
	{ "^.$", "\xe5\x87\xbd", 1 },
	{ "^.$", "\xed\xb3\xbf", 1 },		/* a lone surrogate */
	{ "\\udcff", "\xed\xb3\xbf", 1 },
	{ "\\u51fd", "\xe5\x87\xbd", 1 },
	{ "\\x7b\\U0000006d", "{m", 1 },
	{ "[[:a]", ":", 1 },
	{ "[[:alpha:]]", "x", 0 },
	{ "[]x]", "]", 1 },
	{ "[^]x]", "]", 0 },
	{ "[\\]\\[]", "[", 1 },
	{ "(?P<c>.)(?P=c)", "abba", 1 },
	{ "(?<!a)b", "ab", 0 },
	{ "(?#(comment)a", "a", 1 },
	{ "(?u)a", "a", 1 },
	{ "(?a)^\\w$", "\xc3\xa9", 0 },
	{ "(?s:a.b)", "a\nb", 1 },
	{ "(?i)(?m)^B", "a\nb", 1 },
	{ "(", "", -1 },
	{ "[a", "", -1 },
	{ "*", "", -1 },
	{ "a\\", "", -1 },
	{ "\\h", "", -1 },
	{ "\\Q.\\E", "", -1 },
	{ "\\p{L}", "", -1 },
	{ "\\xg", "", -1 },
	{ "\\u12", "", -1 },
	{ "\\U00110000", "", -1 },
	{ "(*ACCEPT)", "", -1 },
	{ "(?<n>a)", "", -1 },
	{ "(?R)", "", -1 },
	{ "(?1)", "", -1 },
	{ "(?|a)", "", -1 },
	{ "a(?i)b", "", -1 },
	{ "[\\Z]", "", -1 },
};

START_TEST(regular_expressions_mean_what_they_mean_in_python)
{
	struct pl_pattern *p;
	const char *text = searches[_i].text;
	int rc = pl_pattern_new(&p, searches[_i].regex, &err);

	if (searches[_i].found < 0) {
		ck_assert_int_eq(rc, PL_ERR_ARG);
		ck_assert_ptr_null(p);
		ck_assert_str_ne(err.text, "");
		return;
	}
	ck_assert_msg(!rc, "%s: %s", searches[_i].regex, err.text);
	ck_assert_msg(pl_pattern_search(p, text, strlen(text)) ==
			      searches[_i].found,
		      "%s in %s", searches[_i].regex, text);
	pl_pattern_free(p);
}
END_TEST

START_TEST(a_search_without_end_is_given_up)
{
	struct pl_pattern *p;
	char text[64];

	memset(text, 'a', sizeof(text));
	ck_assert_int_eq(pl_pattern_new(&p, "^(a+)+$|(a|a)+b", &err), 0);
	text[sizeof(text) - 1] = '!';
	ck_assert_int_eq(pl_pattern_search(p, text, sizeof(text)), PL_ERR_FULL);
	pl_pattern_free(p);
}
END_TEST

Suite *suite_pstats_text(void)
{
	Suite *s = suite_create("pstats_text");
	TCase *t = tcase_create("tables");

	tcase_add_test(t, functions_stand_in_the_order_of_their_time);
	tcase_add_test(t, callers_are_listed_by_label);
	tcase_add_test(t, callees_are_the_same_pairs_the_other_way);
	tcase_add_test(t, stripped_folders_add_functions_and_overwrite_callers);
	tcase_add_test(t, an_empty_selection_prints_the_summary_alone);
	tcase_add_test(t, a_wrong_expression_restricts_nothing_and_is_said);
	tcase_add_test(t, restrictions_apply_in_turn);
	suite_add_tcase(s, t);

	t = tcase_create("words");
	tcase_add_loop_test(t, sort_keys_are_found_by_what_pstats_takes, 0,
			    N_OF(words));
	tcase_add_loop_test(t, repr_is_pythons, 0, N_OF(reprs));
	tcase_add_loop_test(t, floats_are_written_as_python_writes_them, 0,
			    N_OF(floats));
	tcase_add_test(t, odd_bytes_go_in_and_come_out);
	tcase_add_loop_test(t,
			    regular_expressions_mean_what_they_mean_in_python,
			    0, N_OF(searches));
	tcase_add_test(t, a_search_without_end_is_given_up);
	suite_add_tcase(s, t);
	return s;
}
