/* SPDX-License-Identifier: MIT */
/*
 * test_paths.c: trees put in order and added up (export/stacks.c, paths.c).
 *
 * A tree is written as its calls: "a3(b2 c(a1))" is a with a self time of 3,
 * which called b and c, and c called a.  Functions are the letters a to h.
 */
#include <config.h>

#include "suites.h"

#include "export/paths.h"
#include "export/stacks.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define N_FUNCS 8

static struct pl_tree tree;
static struct pl_paths paths;
static struct pl_error err;

static void setup(void)
{
	memset(&tree, 0, sizeof(tree));
	memset(&paths, 0, sizeof(paths));
}

static void teardown(void)
{
	pl_tree_release(&tree);
	pl_paths_release(&paths);
}

static struct pl_tree_node *append(uint32_t parent, uint32_t func, int64_t self)
{
	if (tree.n == tree.capacity) {
		tree.capacity = 2 * tree.capacity + 16;
		tree.nodes = realloc(tree.nodes,
				     tree.capacity * sizeof(*tree.nodes));
		ck_assert_ptr_nonnull(tree.nodes);
	}
	tree.nodes[tree.n] = (struct pl_tree_node){
		.parent = parent, .func = func, .self_ns = self,
		.calls = tree.n > 0, .min_ns = -1, .end = tree.n + 1 };
	return &tree.nodes[tree.n++];
}

/* "-4" is a self time as well. */
static void make_tree(const char *text)
{
	uint32_t open = 0;

	tree.n = 0;
	append(0, UINT32_MAX, 0);
	for (const char *p = text; *p;) {
		char *end;

		if (isalpha((unsigned char)*p)) {
			int64_t self = strtoll(p + 1, &end, 10);

			append(open, (uint32_t)(*p - 'a'), self);
			p = end;
		} else if (*p == '(') {
			open = tree.n - 1;
			p++;
		} else {
			if (*p++ == ')')
				open = tree.nodes[open].parent;
		}
	}
	for (uint32_t i = tree.n; i-- > 1;) {
		struct pl_tree_node *up = &tree.nodes[tree.nodes[i].parent];

		if (up->end < tree.nodes[i].end)
			up->end = tree.nodes[i].end;
	}
}

static char text[4096];

static void put(const char *fmt, ...)
{
	size_t len = strlen(text);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text + len, sizeof(text) - len, fmt, ap);
	va_end(ap);
}

/* ------------------------------------------------------- put in order -- */

static void put_node(uint32_t i)
{
	const struct pl_tree_node *t = &tree.nodes[i];

	if (i)
		put("%c%lld/%lld", t->func < N_FUNCS ? (int)('a' + t->func) :
		    t->func == N_FUNCS ? 'F' : 'D', (long long)t->self_ns,
		    (long long)t->total_ns);
	for (uint32_t k = i + 1; k < t->end; k = tree.nodes[k].end) {
		put(k == i + 1 ? "(" : " ");
		put_node(k);
	}
	if (t->end > i + 1)
		put(")");
}

static const char *leveled(const char *calls, uint32_t max_depth)
{
	make_tree(calls);
	tree.nodes[0].self_ns = 99;
	ck_assert_int_eq(pl_stacks_level(&tree, N_FUNCS, max_depth, &err), 0);
	text[0] = '\0';
	put_node(0);
	return text;
}

START_TEST(totals_are_made_of_self_times)
{
	ck_assert_str_eq(leveled("", 0), "");
	ck_assert_str_eq(leveled("a1", 0), "(a1/1)");
	ck_assert_str_eq(leveled("a1(b2 c3(b4)) d5", 0),
			 "(a1/10(b2/2 c3/7(b4/4)) d5/5)");
	ck_assert_int_eq(tree.nodes[0].total_ns, 15);
	ck_assert_int_eq(tree.nodes[0].self_ns, 0);
}
END_TEST

START_TEST(time_taken_back_is_taken_from_other_paths)
{
	/* the caller a below "(folded)", as z here: no function of the
	 * profile */
	ck_assert_str_eq(leveled("a5(b1) z0(a-4(c4))", 0),
			 "(a1/2(b1/1) F0/4(a0/4(c4/4)))");
	/* from several, in their order */
	ck_assert_str_eq(leveled("a2 b1(a2) z0(a-3(c3))", 0),
			 "(a0/0 b1/2(a1/1) F0/3(a0/3(c3/3)))");
	/* more than there is: what is left over is dropped */
	ck_assert_str_eq(leveled("a1 z0(a-9(c3))", 0),
			 "(a0/0 F0/3(a0/3(c3/3)))");
}
END_TEST

START_TEST(paths_end_at_the_depth)
{
	ck_assert_str_eq(leveled("a1(b2(c3(d4) e5)) f6", 2),
			 "(a1/15(b2/14(D12/12)) f6/6)");
	ck_assert_uint_eq(tree.nodes[3].calls, 3);
	ck_assert_str_eq(leveled("a1(b2(c3(d4) e5)) f6", 1),
			 "(a1/15(D14/14) f6/6)");
	ck_assert_str_eq(leveled("a1(b2(c3(d4) e5)) f6", 3),
			 "(a1/15(b2/14(c3/7(D4/4) e5/5)) f6/6)");
	ck_assert_str_eq(leveled("a1(b2(c3(d4) e5)) f6", 4),
			 "(a1/15(b2/14(c3/7(d4/4) e5/5)) f6/6)");
	/* one for each path that is cut */
	ck_assert_str_eq(leveled("a1(b2(c3) d4(e5(f6)) g7)", 2),
			 "(a1/28(b2/5(D3/3) d4/15(D11/11) g7/7))");
}
END_TEST

/* ---------------------------------------------------------- added up -- */

static int by_func(const void *a, const void *b)
{
	const struct pl_path *p = paths.paths;
	uint32_t x = p[*(const uint32_t *)a].func;
	uint32_t y = p[*(const uint32_t *)b].func;

	return x < y ? -1 : x > y;
}

static void put_path(uint32_t i)
{
	const struct pl_path *p = &paths.paths[i];
	uint32_t below[N_FUNCS + 8], n = 0;

	if (i)
		put("%c%llu,%llu,%lld/%lld", (int)('a' + p->func),
		    (unsigned long long)p->calls,
		    (unsigned long long)p->primitive, (long long)p->self_ns,
		    (long long)p->total_ns);
	for (uint32_t k = p->first; k != PL_PATH_NONE; k = paths.paths[k].next)
		below[n++] = k;
	qsort(below, n, sizeof(*below), by_func);
	for (uint32_t k = 0; k < n; k++) {
		put(k ? " " : "(");
		put_path(below[k]);
	}
	if (n)
		put(")");
}

static void init(bool fold)
{
	pl_paths_release(&paths);
	paths.fold = fold;
	ck_assert_int_eq(pl_paths_init(&paths, N_FUNCS, &err), 0);
}

static void add(uint32_t under, const char *calls)
{
	make_tree(calls);
	ck_assert_int_eq(pl_paths_add(&paths, under, &tree, &err), 0);
}

static const char *added(void)
{
	pl_paths_add_up(&paths);
	text[0] = '\0';
	put_path(0);
	return text;
}

START_TEST(trees_are_added_path_by_path)
{
	init(false);
	add(0, "a1(b2)");
	add(0, "a3(c4) b5");
	ck_assert_str_eq(added(), "(a2,2,4/10(b1,1,2/2 c1,1,4/4) b1,1,5/5)");
	ck_assert_int_eq(paths.paths[0].total_ns, 15);
}
END_TEST

START_TEST(each_thread_has_a_tree_of_its_own)
{
	init(true);
	add(pl_paths_child(&paths, 0, 6), "a1(b2(a4))");
	add(pl_paths_child(&paths, 0, 7), "a3");
	ck_assert_str_eq(added(),
			 "(g0,0,0/7(a2,1,5/7(b1,1,2/2)) h0,0,0/3(a1,1,3/3))");
}
END_TEST

static const struct {
	const char *calls, *folded;
} folds[] = {
	{ "a1(a2(a4))", "(a3,1,7/7)" },
	{ "a1(b2(a4(b8)))", "(a2,1,5/15(b2,2,10/10))" },
	/* what is left by the way back is no longer on the path */
	{ "a1(b2(a4(c8(b16))))", "(a2,1,5/31(b1,1,2/2 c1,1,8/24(b1,1,16/16)))" },
	/* and is again, for what comes after */
	{ "a1(b2(a4(c8) d16))", "(a2,1,5/31(b1,1,2/18(d1,1,16/16) c1,1,8/8))" },
	{ "a1 a2(b4) b8", "(a2,2,3/7(b1,1,4/4) b1,1,8/8)" },
};

START_TEST(recursion_goes_on_where_the_function_is_open)
{
	init(true);
	add(0, folds[_i].calls);
	ck_assert_str_eq(added(), folds[_i].folded);
}
END_TEST

START_TEST(focus_and_ignore_choose_paths)
{
	uint8_t choice[N_FUNCS] = { 0 };

	choice['b' - 'a'] = PL_PATH_FOCUS;
	choice['d' - 'a'] = PL_PATH_IGNORE;
	paths.choice = choice;
	paths.has_focus = true;
	init(false);
	paths.choice = choice;
	paths.has_focus = true;
	add(0, "a1(b2(c4 d8) c16) e32(c64)");
	ck_assert_str_eq(added(), "(a1,1,0/6(b1,1,2/6(c1,1,4/4)))");

	init(false);
	choice['b' - 'a'] = 0;
	paths.choice = choice;
	add(0, "a1(b2(c4 d8(b16)) c32) d64");
	ck_assert_str_eq(added(),
			 "(a1,1,1/39(b1,1,2/6(c1,1,4/4) c1,1,32/32))");
}
END_TEST

START_TEST(functions_can_have_other_numbers)
{
	const uint32_t rename[] = { 2, 2, 0 };

	init(true);
	paths.rename = rename;
	add(0, "a1(b2(c4))");
	ck_assert_str_eq(added(), "(c2,1,3/7(a1,1,4/4))");
}
END_TEST

/* ------------------------------------------------- against a plain model -- */

/* All that the model knows of a path: its functions as text. */
struct model_row {
	char path[64];
	uint64_t calls, primitive;
	int64_t self, total;
};

static struct model_row rows[4096];
static size_t n_rows;

static struct model_row *row_of(const char *path)
{
	for (size_t i = 0; i < n_rows; i++)
		if (!strcmp(rows[i].path, path))
			return &rows[i];
	ck_assert_uint_lt(n_rows, sizeof(rows) / sizeof(*rows));
	rows[n_rows] = (struct model_row){ 0 };
	strcpy(rows[n_rows].path, path);
	return &rows[n_rows++];
}

/* Walk from the root to node @i, folding on the way. */
static bool fold_path(uint32_t i, char *path)
{
	char *open;
	char func[2] = { (char)('a' + tree.nodes[i].func), '\0' };

	if (!i) {
		path[0] = '\0';
		return false;
	}
	fold_path(tree.nodes[i].parent, path);
	open = strchr(path, func[0]);
	if (open)
		open[1] = '\0';
	else
		strcat(path, func);
	return open;
}

static void model(void)
{
	char path[64];

	for (uint32_t i = 1; i < tree.n; i++) {
		bool folded = fold_path(i, path);
		struct model_row *row = row_of(path);

		row->calls++;
		row->primitive += !folded;
		row->self += tree.nodes[i].self_ns;
		for (; *path; path[strlen(path) - 1] = '\0')
			row_of(path)->total += tree.nodes[i].self_ns;
	}
}

static void random_tree(unsigned int *seed)
{
	uint32_t n = 1 + (uint32_t)rand_r(seed) % 200, open = 0;

	tree.n = 0;
	append(0, UINT32_MAX, 0);
	while (tree.n < n) {
		switch (rand_r(seed) % 3) {
		case 0:
			open = tree.nodes[open].parent;
			break;
		default:
			append(open, (uint32_t)rand_r(seed) % 5,
			       rand_r(seed) % 100);
			open = tree.n - 1;
		}
	}
}

START_TEST(folding_is_what_the_model_says)
{
	unsigned int seed = (unsigned int)_i;
	char path[64];

	init(true);
	n_rows = 0;
	for (int k = 0; k < 3; k++) {
		random_tree(&seed);
		ck_assert_int_eq(pl_paths_add(&paths, 0, &tree, &err), 0);
		model();
	}
	pl_paths_add_up(&paths);
	ck_assert_uint_eq(paths.n - 1, n_rows);
	for (uint32_t i = 1; i < paths.n; i++) {
		const struct pl_path *p = &paths.paths[i];
		char *to = path + sizeof(path) - 1;
		struct model_row *row;

		*to = '\0';
		for (uint32_t at = i; at; at = paths.paths[at].parent)
			*--to = (char)('a' + paths.paths[at].func);
		row = row_of(to);
		ck_assert_uint_eq(p->calls, row->calls);
		ck_assert_uint_eq(p->primitive, row->primitive);
		ck_assert_int_eq(p->self_ns, row->self);
		ck_assert_int_eq(p->total_ns, row->total);
	}
}
END_TEST

START_TEST(a_path_of_a_million_calls)
{
	uint32_t n = 1000000;

	tree.n = 0;
	append(0, UINT32_MAX, 0);
	for (uint32_t i = 0; i < n; i++)
		append(i, i % N_FUNCS, 1);
	for (uint32_t i = 0; i <= n; i++)
		tree.nodes[i].end = n + 1;
	init(false);
	ck_assert_int_eq(pl_paths_add(&paths, 0, &tree, &err), 0);
	pl_paths_add_up(&paths);
	ck_assert_int_eq(paths.paths[1].total_ns, n);
	init(true);
	ck_assert_int_eq(pl_paths_add(&paths, 0, &tree, &err), 0);
	ck_assert_uint_eq(paths.n, 1 + N_FUNCS);
	ck_assert_int_eq(pl_stacks_level(&tree, N_FUNCS, 500, &err), 0);
	ck_assert_uint_eq(tree.n, 502);
}
END_TEST

Suite *suite_paths(void)
{
	Suite *suite = suite_create("paths");
	TCase *tc = tcase_create("paths");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, totals_are_made_of_self_times);
	tcase_add_test(tc, time_taken_back_is_taken_from_other_paths);
	tcase_add_test(tc, paths_end_at_the_depth);
	tcase_add_test(tc, trees_are_added_path_by_path);
	tcase_add_test(tc, each_thread_has_a_tree_of_its_own);
	tcase_add_loop_test(tc, recursion_goes_on_where_the_function_is_open, 0,
			    sizeof(folds) / sizeof(*folds));
	tcase_add_test(tc, focus_and_ignore_choose_paths);
	tcase_add_test(tc, functions_can_have_other_numbers);
	tcase_add_loop_test(tc, folding_is_what_the_model_says, 0, 200);
	tcase_add_test(tc, a_path_of_a_million_calls);
	suite_add_tcase(suite, tc);
	return suite;
}
