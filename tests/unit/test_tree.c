/* SPDX-License-Identifier: MIT */
/*
 * test_tree.c: trees as they are loaded, and the sums made of them.
 *
 * The sums are compared with a model of cProfile's own book-keeping, fed with
 * the same random events.
 */
#include <config.h>

#include "suites.h"

#include "core/costs.h"
#include "script.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct script s;
static struct pl_tree tree;
static struct pl_error err;

static void setup(void)
{
	script_begin(&s, PL_CLOCK_STEP);
	memset(&tree, 0, sizeof(tree));
}

static void teardown(void)
{
	pl_tree_release(&tree);
	script_end(&s);
}

static const char *loaded(void)
{
	struct pl_recfile *rf = script_read(&s);

	ck_assert_uint_eq(rf->n_recorders, 1);
	ck_assert_int_eq(pl_tree_load(&tree, rf, rf->recorders[0], &err), 0);
	return script_tree(rf, &tree);
}

/* ---------------------------------------------------------------- trees -- */

/* total-self of the root, then name:calls/total-self{children}. */
static const struct {
	const char *script, *tree;
} cases[] = {
	{ "", "0-0" },
	{ "a()", "2-1{a:1/1-1}" },
	{ "a() a()", "4-2{a:2/2-2}" },
	{ "a(b() b() c())", "8-1{a:1/7-4{b:2/2-2 c:1/1-1}}" },
	/* recursion: each depth is a path of its own */
	{ "a(a(a()))", "6-1{a:1/5-2{a:1/3-2{a:1/1-1}}}" },
	{ "a(c()) b(c())", "8-2{a:1/3-2{c:1/1-1} b:1/3-2{c:1/1-1}}" },
	/* calls and resumes are counted apart */
	{ "g() *g() a(*g())", "8-3{g:1+1/2-2 a:1/3-2{g:0+1/1-1}}" },
	/* children in order of creation, not of use */
	{ "b() a() b() c() a()", "10-5{b:2/2-2 a:2/2-2 c:1/1-1}" },
	/* open calls have their time so far */
	{ "a(", "1-1{a:1/0-0}" },
	{ "a( b()", "3-1{a:1/2-1{b:1/1-1}}" },
	{ "a() a( b( c()", "6-2{a:2/4-2{b:1/2-1{c:1/1-1}}}" },
};

START_TEST(tree_of_a_sequence_is_exact)
{
	script_play(&s, cases[_i].script);
	ck_assert_str_eq(loaded(), cases[_i].tree);
	ck_assert_uint_eq(tree.n_bad, 0);
}
END_TEST

START_TEST(open_calls_are_marked)
{
	script_play(&s, "a( b() c(");
	loaded();
	ck_assert_uint_eq(tree.n, 4);
	ck_assert_uint_eq(tree.nodes[0].flags, 0);
	ck_assert_uint_eq(tree.nodes[1].flags, PL_TREE_OPEN);
	ck_assert_uint_eq(tree.nodes[2].flags, 0);
	ck_assert_uint_eq(tree.nodes[3].flags, PL_TREE_OPEN);
	/* b has ended, the others have not */
	ck_assert_int_eq(tree.nodes[1].min_ns, -1);
	ck_assert_int_eq(tree.nodes[2].min_ns, 1);
	ck_assert_int_eq(tree.nodes[2].max_ns, 1);
}
END_TEST

/* As cProfile sees it while it goes on: an open call has neither count nor
 * time, but for the own time of a node that has completed calls too. */
static const struct {
	const char *script, *tree;
} completed[] = {
	{ "a(b()) a()", "6-2{a:2/4-3{b:1/1-1}}" },
	{ "a(", "1-1{a:0/0-0}" },
	{ "a( b()", "3-1{a:0/0-0{b:1/1-1}}" },
	{ "a() a( b()", "5-2{a:1/1-2{b:1/1-1}}" },
	{ "a() a( a() a(", "6-2{a:1/1-3{a:1/1-1}}" },
	{ "*g() *g(", "3-2{g:0+1/1-1}" },
};

START_TEST(open_calls_can_be_left_out)
{
	struct pl_recfile *rf;

	script_play(&s, completed[_i].script);
	rf = script_read(&s);
	ck_assert_int_eq(pl_tree_load_completed(&tree, rf, rf->recorders[0],
						&err), 0);
	ck_assert_str_eq(script_tree(rf, &tree), completed[_i].tree);
}
END_TEST

/* The writer stores t0 last: killed in between, the frame has an older one. */
START_TEST(call_that_was_being_entered_has_no_time)
{
	struct pl_recorder *r;
	struct pl_frame *f;

	script_play(&s, "a( b(");
	r = pl_session_recorder(&s.session);
	f = (struct pl_frame *)(uintptr_t)r->sp - 1;
	f->t0 = 0;
	ck_assert_str_eq(loaded(), "2-1{a:1/1-1{b:1/0-0}}");
}
END_TEST

START_TEST(recorder_between_two_stacks_has_no_open_calls)
{
	struct pl_recorder *r;

	script_play(&s, "a( b(");
	r = pl_session_recorder(&s.session);
	r->stack += 1 << 20;
	ck_assert_str_eq(loaded(), "2-2{a:1/0-0{b:1/0-0}}");
	r->stack -= 1 << 20;
}
END_TEST

START_TEST(ended_recorder_ends_at_its_end)
{
	struct pl_recorder *r;

	script_play(&s, "a( b()");
	r = pl_session_recorder(&s.session);
	pl_session_stop(&s.session);
	pl_session_split(&s.session);
	ck_assert(r->flags & PL_RECORDER_ENDED);
	ck_assert_str_eq(loaded(), "4-1{a:1/3-2{b:1/1-1}}");
}
END_TEST

START_TEST(node_never_entered_is_left_out)
{
	struct pl_recorder *r = pl_session_recorder(&s.session);
	struct pl_node *n;

	/* x and x>y were carried over a fork; x>y>z was entered. */
	script_play(&s, "x(y(z()))x(w())v()");
	loaded();
	for (uint32_t id = r->root; id < s.rf.header.n_cells; id++) {
		n = (struct pl_node *)pl_recfile_node(&s.rf, id);
		if (n && n->func && *script_name(&s.rf, pl_recfile_func_index(
						&s.rf, n->func)) != 'z')
			n->calls = n->ticks = 0;
	}
	ck_assert_str_eq(loaded(), "12-12{x:0/0-0{y:0/0-0{z:1/1-1}}}");
}
END_TEST

START_TEST(deep_recursion_is_loaded_and_added_up)
{
	enum { DEEP = 200000 };
	struct pl_aggregate agg;

	for (int i = 0; i < DEEP; i++)
		script_enter(&s, i % 2 ? "a" : "b", 0);
	for (int i = 0; i < DEEP; i++)
		script_leave(&s);
	script_read(&s);
	ck_assert_int_eq(pl_tree_load(&tree, &s.rf, s.rf.recorders[0], &err),
			 0);
	ck_assert_uint_eq(tree.n, DEEP + 1);
	ck_assert_uint_eq(tree.nodes[1].end, DEEP + 1);
	ck_assert_int_eq(tree.nodes[1].total_ns, 2 * DEEP - 1);
	ck_assert_int_eq(pl_aggregate_init(&agg, s.rf.n_func_slots, &err), 0);
	ck_assert_int_eq(pl_aggregate_add(&agg, &tree, &err), 0);
	ck_assert_uint_eq(agg.n_edges, 2);
	ck_assert_uint_eq(agg.edges[0].f.calls, DEEP / 2);
	ck_assert_uint_eq(agg.edges[0].f.primitive, 1);
	pl_aggregate_release(&agg);
}
END_TEST

START_TEST(wide_fan_out_is_loaded_in_order)
{
	enum { WIDE = 3000 };
	char name[16];

	script_play(&s, "a(");
	for (int i = 0; i < WIDE; i++) {
		/* the last one entered is not the youngest */
		sprintf(name, "%d", i % 7 ? i / 7 : i);
		script_enter(&s, name, 0);
		script_leave(&s);
	}
	script_play(&s, ")");
	script_read(&s);
	ck_assert_int_eq(pl_tree_load(&tree, &s.rf, s.rf.recorders[0], &err),
			 0);
	ck_assert_uint_gt(tree.n, WIDE / 8);
	for (uint32_t i = 3; i < tree.n; i++)
		ck_assert_uint_lt(s.rf.func_ids[tree.nodes[i - 1].func],
				  s.rf.func_ids[tree.nodes[i].func]);
}
END_TEST

/* --------------------------------------------------------------- damage -- */

static struct pl_node *node_named(const char *name)
{
	script_read(&s);
	for (uint32_t id = 1; id < s.rf.header.n_cells; id++) {
		const struct pl_node *n = pl_recfile_node(&s.rf, id);

		if (n && n->func &&
		    !strcmp(script_name(&s.rf, pl_recfile_func_index(
						       &s.rf, n->func)),
			    name))
			return (struct pl_node *)n;
	}
	ck_abort_msg("no node %s", name);
	return NULL;
}

static uint32_t id_of(const struct pl_node *n)
{
	return (uint32_t)(((const uint8_t *)n - s.rf.base) / PL_CELL);
}

START_TEST(cycle_is_walked_once)
{
	script_play(&s, "a(b(c()))");
	/* c's child is a: a ring through the whole tree */
	node_named("c")->last = id_of(node_named("a"));
	loaded();
	ck_assert_uint_eq(tree.n, 4);
	ck_assert_uint_eq(tree.n_bad, 1);
	node_named("c")->last = 0;
}
END_TEST

START_TEST(ring_that_never_closes_ends)
{
	script_play(&s, "a(b() c() d())");
	/* b > c > b > c ..., and the start is d */
	node_named("c")->next = id_of(node_named("b"));
	loaded();
	ck_assert_uint_eq(tree.n_bad, 1);
	ck_assert_uint_eq(tree.n, 5);
}
END_TEST

START_TEST(links_and_functions_that_are_none_are_left_out)
{
	script_play(&s, "a(b() c() d()) e()");
	node_named("b")->last = 1;	/* the first page is no node */
	node_named("c")->last = s.session.rec.header->n_recorders;
	node_named("d")->last = UINT32_MAX - 1;
	node_named("e")->func = 7;
	s.session.rec.header->end = PL_END_EXIT;
	loaded();
	s.session.rec.header->end = PL_END_RUNNING;
	ck_assert_uint_eq(tree.n, 6);
	ck_assert_uint_eq(tree.n_bad, 4);
	ck_assert_uint_eq(tree.nodes[5].func, UINT32_MAX);
}
END_TEST

START_TEST(absurd_figures_stay_within_bounds)
{
	struct pl_aggregate agg;
	struct pl_node *n;

	script_play(&s, "a(b(a(b(a()))))");
	for (uint32_t id = 1; id < script_read(&s)->header.n_cells; id++) {
		n = (struct pl_node *)pl_recfile_node(&s.rf, id);
		if (n)
			n->ticks = n->calls = n->max = UINT64_MAX - id;
	}
	loaded();
	ck_assert_int_eq(pl_aggregate_init(&agg, s.rf.n_func_slots, &err), 0);
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(pl_aggregate_add(&agg, &tree, &err), 0);
	for (uint32_t i = 0; i < agg.n_funcs; i++)
		ck_assert_int_ge(agg.funcs[i].cum_ns, 0);
	pl_aggregate_release(&agg);
}
END_TEST

/* ------------------------------------------------------------ the sums -- */

/*
 * cProfile's book-keeping (_lsprof.c: initContext, Stop), for functions named
 * by letters, with a clock that advances by one at each reading.
 */
struct model_entry {
	uint64_t calls, recursive;
	int64_t total, inline_time, level;
};

static struct model {
	struct model_entry funcs['z' + 1], edges['z' + 1]['z' + 1];
	struct {
		char name;
		int64_t t0, subt;
	} stack[64];
	int depth;
	int64_t clock;
} model;

static void model_enter(char name)
{
	model.funcs[(int)name].level++;
	if (model.depth)
		model.edges[(int)model.stack[model.depth - 1].name][(int)name]
			.level++;
	model.stack[model.depth].name = name;
	model.stack[model.depth].subt = 0;
	model.stack[model.depth++].t0 = ++model.clock;
}

static void model_stop(struct model_entry *e, int64_t tt, int64_t it)
{
	if (--e->level == 0)
		e->total += tt;
	else
		e->recursive++;
	e->inline_time += it;
	e->calls++;
}

static void model_leave(void)
{
	int top = --model.depth;
	char name = model.stack[top].name;
	int64_t tt = ++model.clock - model.stack[top].t0;
	int64_t it = tt - model.stack[top].subt;

	if (top)
		model.stack[top - 1].subt += tt;
	model_stop(&model.funcs[(int)name], tt, it);
	if (top)
		model_stop(&model.edges[(int)model.stack[top - 1].name]
				       [(int)name], tt, it);
}

static void play_both(unsigned seed, int n)
{
	memset(&model, 0, sizeof(model));
	srand(seed);
	for (int i = 0; i < n; i++) {
		char name[2] = { (char)('a' + rand() % (2 + seed % 7)), 0 };

		if (model.depth && (model.depth == 60 || rand() % 2)) {
			model_leave();
			script_leave(&s);
		} else {
			model_enter(name[0]);
			script_enter(&s, name, rand() % 3 == 0);
		}
	}
	while (model.depth) {
		model_leave();
		script_leave(&s);
	}
}

static void check_equal(const struct pl_figures *f,
			const struct model_entry *m, bool exact)
{
	ck_assert_uint_eq(f->calls + f->resumes, m->calls);
	if (!exact)
		return;
	ck_assert_int_eq(f->self_ns, m->inline_time);
	ck_assert_uint_eq(f->primitive, m->calls - m->recursive);
	ck_assert_int_eq(f->cum_ns, m->total);
}

static char letter(uint32_t func)
{
	return *script_name(&s.rf, func);
}

static void add_up(struct pl_aggregate *agg)
{
	loaded();
	ck_assert_int_eq(pl_aggregate_init(agg, s.rf.n_func_slots, &err), 0);
	ck_assert_int_eq(pl_aggregate_add(agg, &tree, &err), 0);
}

START_TEST(sums_are_those_of_cprofile)
{
	uint32_t n_edges = 0;
	struct pl_aggregate agg;

	play_both((unsigned)_i, 2000);
	add_up(&agg);
	for (uint32_t i = 0; i < agg.n_funcs; i++)
		if (agg.funcs[i].calls || agg.funcs[i].resumes)
			check_equal(&agg.funcs[i],
				    &model.funcs[(int)letter(i)], true);
	for (uint32_t i = 0; i < agg.n_edges; i++)
		check_equal(&agg.edges[i].f,
			    &model.edges[(int)letter(agg.edges[i].caller)]
					[(int)letter(agg.edges[i].callee)],
			    true);
	for (int a = 'a'; a <= 'z'; a++)
		for (int b = 'a'; b <= 'z'; b++)
			n_edges += model.edges[a][b].calls > 0;
	ck_assert_uint_eq(agg.n_edges, n_edges);
	pl_aggregate_release(&agg);
}
END_TEST

START_TEST(folded_calls_and_self_times_are_exact)
{
	struct pl_aggregate agg;
	int64_t sum = 0;

	s.session.rec.header->max_nodes = 4 + (uint32_t)_i;
	play_both((unsigned)_i, 2000);
	add_up(&agg);
	ck_assert(s.session.rec.header->flags & PL_REC_F_FOLDED);
	for (uint32_t i = 0; i < agg.n_funcs; i++) {
		if (!agg.funcs[i].calls && !agg.funcs[i].resumes)
			continue;
		check_equal(&agg.funcs[i], &model.funcs[(int)letter(i)],
			    false);
		ck_assert_int_eq(agg.funcs[i].self_ns,
				 model.funcs[(int)letter(i)].inline_time);
	}
	for (uint32_t i = 0; i < agg.n_edges; i++)
		check_equal(&agg.edges[i].f,
			    &model.edges[(int)letter(agg.edges[i].caller)]
					[(int)letter(agg.edges[i].callee)],
			    false);
	for (uint32_t i = 0; i < tree.n; i++)
		sum += tree.nodes[i].self_ns;
	ck_assert_int_eq(sum, tree.nodes[0].total_ns);
	pl_aggregate_release(&agg);
}
END_TEST

START_TEST(two_trees_add_up)
{
	struct pl_aggregate agg;

	script_play(&s, "a(b())");
	add_up(&agg);
	ck_assert_int_eq(pl_aggregate_add(&agg, &tree, &err), 0);
	ck_assert_uint_eq(agg.n_edges, 1);
	ck_assert_uint_eq(agg.edges[0].f.calls, 2);
	ck_assert_uint_eq(agg.edges[0].f.primitive, 2);
	ck_assert_int_eq(agg.edges[0].f.cum_ns, 2);
	ck_assert_uint_eq(agg.funcs[agg.edges[0].caller].calls, 2);
	ck_assert_int_eq(agg.funcs[agg.edges[0].caller].self_ns, 4);
	pl_aggregate_release(&agg);
}
END_TEST

/* ---------------------------------------------------------------- costs -- */

/* Nanoseconds that are long beside a cost, where the step clock's are not. */
static void stretch(int64_t by)
{
	for (uint32_t i = 0; i < tree.n; i++) {
		tree.nodes[i].self_ns *= by;
		tree.nodes[i].total_ns *= by;
	}
}

static const struct {
	const char *script;
	struct pl_costs costs;
	const char *tree;
} compensations[] = {
	/* c is a C function, all others are Python's */
	{ "a(b() b() c())", { 10, 5, 30, 20 },
	  "705-95{a:1/610-360{b:2/180-180 c:1/70-70}}" },
	/* a resume is a pair of events like a call */
	{ "g() *g() *g()", { 10, 5, 0, 0 }, "555-285{g:1+2/270-270}" },
	/* recursion */
	{ "a(a(a()))", { 10, 20, 0, 0 },
	  "510-80{a:1/430-170{a:1/260-170{a:1/90-90}}}" },
	/* what would be below nothing is nothing, and so is its total */
	{ "a(c() b())", { 0, 0, 150, 0 },
	  "500-100{a:1/400-300{c:1/0-0 b:1/100-100}}" },
	{ "a(c())", { 0, 0, 0, 1e30 }, "200-100{a:1/100-0{c:1/100-100}}" },
	/* no cost, but what a damaged database says */
	{ "a(c())", { -1e30, -1, NAN, -1e30 },
	  "400-100{a:1/300-200{c:1/100-100}}" },
};

START_TEST(costs_are_taken_out)
{
	bool is_python[26];

	script_play(&s, compensations[_i].script);
	loaded();
	stretch(100);
	for (int i = 0; i < 26; i++)
		is_python[i] = (uint32_t)i < s.rf.n_func_slots &&
			       letter((uint32_t)i) != 'c';
	pl_tree_compensate(&tree, &compensations[_i].costs, is_python);
	ck_assert_str_eq(script_tree(script_read(&s), &tree),
			 compensations[_i].tree);
}
END_TEST

/* By function it does not matter that paths are folded. */
START_TEST(costs_are_taken_out_of_folded_paths)
{
	static const struct pl_costs costs = { 3, 5, 3, 5 };
	static const bool is_python[26];
	struct pl_aggregate raw, comp;
	int64_t made[26] = { 0 };

	s.session.rec.header->max_nodes = 6;
	play_both((unsigned)_i, 2000);
	add_up(&raw);
	ck_assert(s.session.rec.header->flags & PL_REC_F_FOLDED);
	for (uint32_t i = 0; i < raw.n_edges; i++)
		made[raw.edges[i].caller] += (int64_t)(raw.edges[i].f.calls +
						       raw.edges[i].f.resumes);
	stretch(100000);
	pl_tree_compensate(&tree, &costs, is_python);
	ck_assert_int_eq(pl_aggregate_init(&comp, raw.n_funcs, &err), 0);
	ck_assert_int_eq(pl_aggregate_add(&comp, &tree, &err), 0);
	for (uint32_t i = 0; i < raw.n_funcs; i++)
		if (raw.funcs[i].calls || raw.funcs[i].resumes)
			ck_assert_int_eq(comp.funcs[i].self_ns,
				 raw.funcs[i].self_ns * 100000 - made[i] * 5 -
				 (int64_t)(raw.funcs[i].calls +
					   raw.funcs[i].resumes) * 3);
	pl_aggregate_release(&raw);
	pl_aggregate_release(&comp);
}
END_TEST

Suite *suite_tree(void)
{
	Suite *suite = suite_create("tree");
	TCase *tc = tcase_create("load");
	const int n_cases = sizeof(cases) / sizeof(*cases);

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, tree_of_a_sequence_is_exact, 0, n_cases);
	tcase_add_test(tc, open_calls_are_marked);
	tcase_add_loop_test(tc, open_calls_can_be_left_out, 0,
			    sizeof(completed) / sizeof(*completed));
	tcase_add_test(tc, call_that_was_being_entered_has_no_time);
	tcase_add_test(tc, recorder_between_two_stacks_has_no_open_calls);
	tcase_add_test(tc, ended_recorder_ends_at_its_end);
	tcase_add_test(tc, node_never_entered_is_left_out);
	tcase_add_test(tc, deep_recursion_is_loaded_and_added_up);
	tcase_add_test(tc, wide_fan_out_is_loaded_in_order);
	suite_add_tcase(suite, tc);

	tc = tcase_create("damage");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, cycle_is_walked_once);
	tcase_add_test(tc, ring_that_never_closes_ends);
	tcase_add_test(tc, links_and_functions_that_are_none_are_left_out);
	tcase_add_test(tc, absurd_figures_stay_within_bounds);
	suite_add_tcase(suite, tc);

	tc = tcase_create("sums");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, sums_are_those_of_cprofile, 0, 50);
	tcase_add_loop_test(tc, folded_calls_and_self_times_are_exact, 0, 50);
	tcase_add_test(tc, two_trees_add_up);
	suite_add_tcase(suite, tc);

	tc = tcase_create("costs");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, costs_are_taken_out, 0,
			    sizeof(compensations) / sizeof(*compensations));
	tcase_add_loop_test(tc, costs_are_taken_out_of_folded_paths, 0, 50);
	suite_add_tcase(suite, tc);
	return suite;
}
