/* SPDX-License-Identifier: MIT */
/*
 * test_recorder.c: the recorder, driven by a tiny notation, with the step
 * clock, so that every figure is exact.
 *
 *	a(	enter a		*a(	enter a in the middle (a generator)
 *	)	leave the innermost, by its name
 *	!a	leave a, whatever is innermost
 *	@2	go to stack 2; the first is stack 0
 *	#a(	enter a, whose code nobody keeps alive
 *
 * A function's key is the address of its letter, so `A` and `a` have different
 * keys; upper case letters have the label of their lower case ones: another
 * code object with the same name.
 *
 * The tree is printed as name:calls[+resumes]/ticks{children}.
 */
#include <config.h>

#include "suites.h"

#include "core/recorder_inline.h"
#include "core/session.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct pl_session session;
static struct pl_recorder *rec;
static uint64_t keys[128];		/* the key of 'c' is &keys['c'] */

static void setup(void)
{
	struct pl_error err = { 0 };

	memset(&session, 0, sizeof(session));
	pl_options_init(&session.options);
	ck_assert_int_eq(pl_session_open_private(&session, PL_CLOCK_STEP,
						 &err), 0);
	ck_assert_int_eq(pl_session_start(&session, &err), 0);
	rec = pl_tls.first;
	ck_assert_ptr_nonnull(rec);
}

static void teardown(void)
{
	pl_session_stop(&session);
	pl_session_close(&session);
}

static uint64_t key_of(char c)
{
	return (uint64_t)(uintptr_t)&keys[(unsigned char)c];
}

static uint32_t func_of(char c, bool is_kept)
{
	char name[2] = { (char)tolower((unsigned char)c), '\0' };
	struct pl_funcdesc d = {
		.file = "f.py", .file_len = 4, .name = name, .name_len = 1,
		.line = 1,
	};
	uint32_t func = pl_recording_key(&session.rec, key_of(c));

	if (!func) {
		func = pl_recording_func(&session.rec, &d);
		if (is_kept)
			pl_recording_set_key(&session.rec, key_of(c), func);
	}
	return func;
}

static void enter(char c, int resumed, bool is_kept)
{
	struct pl_node *n = pl_child(rec, key_of(c));
	uint32_t func, flags = 0;

	if (!n) {
		func = func_of(c, is_kept);
		n = pl_child_add(rec, is_kept ? key_of(c) : pl_unheld_key(func),
				 func);
		flags = pl_new_flags(n, key_of(c));
	}
	pl_push(rec, n, resumed, flags);
}

static void play(const char *script)
{
	char open_calls[10][4096], *open = open_calls[0];
	size_t depths[10] = { 0 }, depth = 0;
	int stack = 0;

	for (const char *s = script; *s; s++) {
		if (*s == ' ' || *s == '(')
			continue;
		if (*s == ')') {
			pl_leave(rec, key_of(open[--depth]), 0);
		} else if (*s == '@') {
			int to = *++s - '0';

			pl_recorder_switch(rec, (uint64_t)stack + 1,
					   (uint64_t)to + 1);
			depths[stack] = depth;
			depth = depths[stack = to];
			open = open_calls[stack];
		} else if (*s == '!') {
			pl_leave(rec, key_of(*++s), 0);
		} else {
			int resumed = *s == '*', is_kept = *s != '#';

			s += resumed || !is_kept;
			enter(*s, resumed, is_kept);
			open[depth++] = *s;
		}
	}
}

static const char *name_of(const struct pl_node *n)
{
	const struct pl_func *f =
		(const struct pl_func *)(rec->base + (uint64_t)n->func * 32);
	const struct pl_str *s =
		(const struct pl_str *)(rec->base + (uint64_t)f->name * 8);

	return n->func ? s->bytes : "-";
}

static int by_id(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static void print_node(const struct pl_node *n, char *out)
{
	uint32_t ids[64];
	int n_ids = 0;

	if (n->last) {
		uint32_t id = n->last;

		do
			ids[n_ids++] = id;
		while ((id = pl_node_at(rec, id)->next) != n->last);
	}
	qsort(ids, (size_t)n_ids, sizeof(*ids), by_id);
	for (int i = 0; i < n_ids; i++) {
		const struct pl_node *c = pl_node_at(rec, ids[i]);

		out += strlen(out);
		out += sprintf(out, "%s%s:%llu", i ? " " : "", name_of(c),
			       (unsigned long long)c->calls);
		if (c->resumes)
			out += sprintf(out, "+%llu",
				       (unsigned long long)c->resumes);
		out += sprintf(out, "/%llu", (unsigned long long)c->ticks);
		if (c->last) {
			strcat(out, "{");
			print_node(c, out);
			strcat(out, "}");
		}
	}
}

static const char *tree(void)
{
	static char text[1 << 16];

	text[0] = '\0';
	print_node(pl_node_at(rec, rec->root), text);
	return text;
}

static size_t depth(void)
{
	return (rec->sp - rec->stack) / sizeof(struct pl_frame) - 1;
}

/* One row a behaviour: what happens, and the tree it leaves. */
static const struct {
	const char *script, *tree;
} cases[] = {
	{ "a()", "a:1/1" },
	{ "a() a()", "a:2/2" },
	{ "a(b())", "a:1/3{b:1/1}" },
	{ "a(b() b() c())", "a:1/7{b:2/2 c:1/1}" },
	/* recursion: each depth is a path of its own */
	{ "a(a(a()))", "a:1/5{a:1/3{a:1/1}}" },
	/* the same function under two callers */
	{ "a(c()) b(c())", "a:1/3{c:1/1} b:1/3{c:1/1}" },
	/* a generator: entered once, resumed twice, from elsewhere too */
	{ "g() *g() a(*g())", "g:1+1/2 a:1/3{g:0+1/1}" },
	/* alternating children, in turn and back */
	{ "a(b() c() d() b() c() d() d() b())",
	  "a:1/17{b:3/3 c:2/2 d:3/3}" },
	/* two code objects with one label are one function... */
	{ "a(b() B() b() B())", "a:1/9{b:4/4}" },
	/* ...even while one is open: recursion by another name */
	{ "a(b(B(b())))", "a:1/7{b:1/5{b:1/3{b:1/1}}}" },
	/* more children than a ring is searched for */
	{ "a(b()c()d()e()f()g()h()i()j()k()l() b()l()c())",
	  "a:1/29{b:2/2 c:2/2 d:1/1 e:1/1 f:1/1 g:1/1 h:1/1 i:1/1 j:1/1 "
	  "k:1/1 l:2/2}" },
	/* the same with aliases among them */
	{ "a(b()c()d()e()f()g()h()i()j()k() B()b()K()k())",
	  "a:1/29{b:3/3 c:1/1 d:1/1 e:1/1 f:1/1 g:1/1 h:1/1 i:1/1 j:1/1 "
	  "k:3/3}" },
	/* another stack begins at the root, and the first goes on; its time
	 * stands still meanwhile */
	{ "a( @1 b() @0 )", "a:1/1 b:1/1" },
	{ "a(b( @1 c(d( @0 ) e() ) @1 ))", "a:1/5{b:1/1 e:1/1} c:1/3{d:1/1}" },
	/* the innermost of both is the same function */
	{ "a(s( @1 b(s( @0 )c() @1 )d()) @0 )",
	  "a:1/5{s:1/1 c:1/1} b:1/5{s:1/1 d:1/1}" },
	/* one that is left in the middle has its time so far */
	{ "a( b() @1 c(d() @0 )", "a:1/3{b:1/1} c:1/2{d:1/1}" },
	/* one that has ended begins anew */
	{ "@1 a() @0 b() @1 c() @0", "a:1/1 b:1/1 c:1/1" },
	/* a leave with no entry, at the bottom and inside: ignored */
	{ "!x a()", "a:1/1" },
	{ "a(!x)", "a:1/2" },
	/* lost leaves: what is above the match is closed with it */
	{ "a(b(c( !a", "a:1/3{b:1/2{c:1/1}}" },
	{ "a(b(c( !b d() !a", "a:1/6{b:1/2{c:1/1} d:1/1}" },
	/* by the name of an alias, and by one never seen */
	{ "A() a(b( !A", "a:2/3{b:1/1}" },
	{ "a(b( !A ) )", "a:1/4{b:1/2}" },
	/* code that nobody keeps alive: found by the frame's tag, alone, in
	 * itself, and as an alias of one that is kept */
	{ "#a() #a()", "a:2/2" },
	{ "#a(#A(#a()))", "a:1/5{a:1/3{a:1/1}}" },
	{ "a(b() #B() b() #B())", "a:1/9{b:4/4}" },
	{ "a(#b( !B ) )", "a:1/4{b:1/2}" },
	{ "#a(#b(c( !a", "a:1/3{b:1/2{c:1/1}}" },
	{ "#a( @1 #A( @0 ) @1 )", "a:2/2" },
	{ "#a( @1 a( @0 ) @1 )", "a:2/2" },
};

START_TEST(tree_of_a_sequence_is_exact)
{
	play(cases[_i].script);
	ck_assert_str_eq(tree(), cases[_i].tree);
	ck_assert_uint_eq(depth(), 0);
}
END_TEST

/* The frame of the interpreter's number @n: aligned as its objects are. */
static uint32_t activation(int n)
{
	static char frames[16][16] __attribute__((aligned(16)));

	return pl_activation(frames[n]);
}

static void enter_activation(char c, int n, uint32_t flags)
{
	struct pl_node *node = pl_child(rec, key_of(c));

	if (!node)
		node = pl_child_add(rec, key_of(c), func_of(c, true));
	pl_push(rec, node, 0, activation(n) | flags);
}

static void leave_activation(char c, int n, uint32_t flags)
{
	pl_leave_activation(rec, key_of(c), activation(n) | flags);
}

/* Of one that was never entered nothing ends, whatever else of its function is
 * open. */
START_TEST(an_activation_ends_alone)
{
	enter_activation('a', 1, 0);
	enter_activation('b', 2, 0);
	enter_activation('a', 3, 0);
	leave_activation('a', 4, 0);
	leave_activation('b', 5, 0);
	leave_activation('a', 3, PL_FRAME_C);
	ck_assert_uint_eq(depth(), 3);
	ck_assert_uint_eq(rec->n_unmatched, 3);
	leave_activation('a', 3, 0);
	ck_assert_uint_eq(depth(), 2);
	/* lost leaves: what is above closes with it */
	enter_activation('c', 2, PL_FRAME_C);
	enter_activation('d', 6, 0);
	leave_activation('a', 1, 0);
	ck_assert_uint_eq(depth(), 0);
	ck_assert_uint_eq(rec->n_unmatched, 3);
	/* as of a call that was open when the recording began: no fault */
	leave_activation('a', 1, 0);
	ck_assert_uint_eq(rec->n_unmatched, 3);
}
END_TEST

/* No event is of the root, not even one without a frame. */
START_TEST(the_root_stays_open)
{
	ck_assert(!pl_leave_activation_short(rec, 0));
	play("a(");
	ck_assert(!pl_leave_activation_short(rec, activation(1)));
	ck_assert_uint_eq(depth(), 1);
	enter_activation('b', 1, PL_FRAME_SLOW);
	ck_assert(!pl_leave_activation_short(rec, activation(1)));
	leave_activation('b', 1, 0);
	ck_assert_uint_eq(depth(), 1);
}
END_TEST

START_TEST(min_and_max_are_of_one_activation)
{
	struct pl_node *a;

	play("a() a(b()) a(b()b())");
	a = pl_node_at(rec, pl_node_at(rec, rec->root)->last);
	ck_assert_uint_eq(a->min, 1);
	ck_assert_uint_eq(a->max, 5);
	ck_assert_uint_eq(a->ticks, 9);
}
END_TEST

START_TEST(stop_closes_open_calls_innermost_first)
{
	play("a(b(c(");
	pl_session_stop(&session);
	ck_assert_str_eq(tree(), "a:1/5{b:1/3{c:1/1}}");
	ck_assert_uint_eq(depth(), 0);
}
END_TEST

START_TEST(start_again_goes_on_with_the_same_tree)
{
	struct pl_error err = { 0 };

	play("a()");
	pl_session_stop(&session);
	ck_assert_ptr_null(pl_tls.first);
	ck_assert_int_eq(pl_session_start(&session, &err), 0);
	ck_assert_ptr_eq(pl_tls.first, rec);
	play("a()");
	ck_assert_str_eq(tree(), "a:2/2");
}
END_TEST

START_TEST(stack_grows_with_recursion)
{
	enum { DEEP = 100000 };

	for (int i = 0; i < DEEP; i++)
		enter('a', 0, true);
	ck_assert_uint_eq(depth(), DEEP);
	for (int i = 0; i < DEEP; i++)
		pl_leave(rec, key_of('a'), 0);
	ck_assert_uint_eq(depth(), 0);
	ck_assert_uint_eq(rec->n_unmatched, 0);
	ck_assert_uint_eq(rec->n_nodes, DEEP + 2);
	ck_assert_uint_eq(rec->n_lost, 0);
}
END_TEST

START_TEST(many_stacks_of_any_depth_are_kept)
{
	enum { N = 700, MAIN = N + 1 };

	for (int round = 0; round < 3; round++)
		for (int i = 1; i <= N; i++) {
			pl_recorder_switch(rec, MAIN, (uint64_t)i);
			ck_assert_uint_eq(depth(), (size_t)(round * (i % 40)));
			for (int k = 0; k < i % 40; k++)
				enter('a', 0, true);
			pl_recorder_switch(rec, (uint64_t)i, MAIN);
			ck_assert_uint_eq(depth(), 0);
		}
	for (int i = 1; i <= N; i++) {
		pl_recorder_switch(rec, MAIN, (uint64_t)i);
		for (int k = 0; k < 3 * (i % 40); k++)
			pl_leave(rec, key_of('a'), 0);
		ck_assert_uint_eq(depth(), 0);
		pl_recorder_switch(rec, (uint64_t)i, MAIN);
	}
	ck_assert_uint_eq(rec->n_unmatched, 0);
}
END_TEST

START_TEST(ten_thousand_children_are_found_again)
{
	enum { WIDE = 10000 };
	static uint64_t wide[WIDE];
	uint64_t before;

	enter('a', 0, true);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < WIDE; i++) {
			uint64_t key = (uint64_t)(uintptr_t)&wide[i];
			struct pl_node *n = pl_child(rec, key);

			if (!n) {
				struct pl_funcdesc d = {
					.file = "w", .file_len = 1,
					.name = "w", .name_len = 1, .line = i,
				};

				n = pl_child_add(rec, key,
						 pl_recording_func(
							 &session.rec, &d));
			}
			pl_push(rec, n, 0, 0);
			pl_leave(rec, key, 0);
			ck_assert_uint_eq(n->calls, round + 1);
		}
		if (!round)
			before = rec->n_nodes;
	}
	ck_assert_uint_eq(rec->n_nodes, before);
}
END_TEST

START_TEST(past_the_cap_calls_are_folded_by_caller_and_callee)
{
	struct pl_rec_header *h = session.rec.header;

	/* root, lost, a, b: then full */
	h->max_nodes = 4;
	play("a(b()) a(b(c())) b(c() c()) a(b(c(c())))");
	ck_assert(h->flags & PL_REC_F_FOLDED);
	/* b>c whatever the path, c>c, root>b; known paths stay known */
	ck_assert_str_eq(tree(),
			 "a:3/15{b:3/9} (folded):0/0{b:0/0{c:4/6} "
			 "-:0/0{b:1/5} c:0/0{c:1/1}}");
}
END_TEST

/* As many stacks as a server has in a week, a few at a time. */
START_TEST(stacks_that_come_and_go_cost_no_memory)
{
	struct pl_parking *p =
		&((struct pl_recorder_priv *)(uintptr_t)rec->priv)->parking;

	for (uint64_t i = 2; i < 200000; i++) {
		pl_recorder_switch(rec, i - 1, i);
		enter('a', 0, true);
		if (i > 10) {
			pl_recorder_switch(rec, i, i - 9);
			pl_leave(rec, key_of('a'), 0);
			pl_recorder_switch(rec, i - 9, i);
		}
	}
	ck_assert_uint_eq(p->mask + 1, 256);
	ck_assert_uint_eq(p->capacity, 4096);
}
END_TEST

START_TEST(two_sessions_on_one_thread_do_not_mix)
{
	struct pl_session other = { 0 };
	struct pl_error err = { 0 };
	int n = 0;

	pl_options_init(&other.options);
	ck_assert_int_eq(pl_session_open_private(&other, PL_CLOCK_STEP, &err),
			 0);
	ck_assert_int_eq(pl_session_start(&other, &err), 0);
	for (struct pl_recorder *r = pl_tls.first; r;
	     r = (struct pl_recorder *)(uintptr_t)r->more)
		n++;
	ck_assert_int_eq(n, 2);
	/* the first one ends inside of the second: no order is asked for */
	pl_session_stop(&session);
	ck_assert_ptr_nonnull(pl_tls.first);
	ck_assert_ptr_ne(pl_tls.first, rec);
	ck_assert_uint_eq(pl_tls.first->more, 0);
	pl_session_stop(&other);
	pl_session_close(&other);
	ck_assert_ptr_null(pl_tls.first);
}
END_TEST

static void *other_thread(void *seen)
{
	pl_tls_sync(&pl_tls);
	*(struct pl_recorder **)seen = pl_tls.first;
	if (pl_tls.first) {
		rec = pl_tls.first;
		play("t(");
	}
	return NULL;
}

static pthread_barrier_t crowd;

static void *in_a_crowd(void *seen)
{
	pl_tls_sync(&pl_tls);
	*(struct pl_recorder **)seen = pl_tls.first;
	pthread_barrier_wait(&crowd);
	return NULL;
}

START_TEST(a_session_covers_its_own_thread_only_unless_told)
{
	struct pl_recorder *seen = NULL;
	pthread_t thread;

	pthread_create(&thread, NULL, other_thread, &seen);
	pthread_join(thread, NULL);
	ck_assert_ptr_null(seen);

	pl_session_stop(&session);
	session.all_threads = true;
	pl_session_start(&session, NULL);
	pthread_create(&thread, NULL, other_thread, &seen);
	pthread_join(thread, NULL);
	ck_assert_ptr_nonnull(seen);
	/* the thread is gone, its tree is not, and its open call was closed */
	ck_assert(seen->flags & PL_RECORDER_ENDED);
	rec = seen;
	ck_assert_str_eq(tree(), "t:1/1");
}
END_TEST

START_TEST(a_thread_that_ends_gives_its_stack_to_the_next)
{
	struct pl_recorder *seen = NULL;
	uint64_t pages;
	pthread_t thread;

	session.all_threads = true;
	pl_session_stop(&session);
	pl_session_start(&session, NULL);
	for (int i = 0; i < 3; i++) {
		pthread_create(&thread, NULL, other_thread, &seen);
		pthread_join(thread, NULL);
		if (i == 1)
			pages = session.rec.next_page;
	}
	/* a new thread: its first chunk of nodes, and nothing else */
	ck_assert_uint_le(session.rec.next_page - pages, 4);
}
END_TEST

/* All at once, and all of them gone, again and again. */
START_TEST(stacks_of_a_crowd_of_threads_are_used_again)
{
	enum { N = 60 };
	struct pl_recorder *seen[N];
	pthread_t threads[N];
	uint64_t pages = 0;

	session.all_threads = true;
	session.options.max_threads = 1;
	pl_session_stop(&session);
	pl_session_start(&session, NULL);
	for (int round = 0; round < 4; round++) {
		pthread_barrier_init(&crowd, NULL, N);
		for (int i = 0; i < N; i++)
			pthread_create(&threads[i], NULL, in_a_crowd, &seen[i]);
		for (int i = 0; i < N; i++)
			pthread_join(threads[i], NULL);
		pthread_barrier_destroy(&crowd);
		if (!round)
			pages = session.rec.next_page;
	}
	ck_assert_uint_eq(session.rec.next_page, pages);
	ck_assert_uint_eq(session.rec.header->n_recorders, N + 1);
}
END_TEST

/* Threads of one name could be told apart by nothing but their number. */
START_TEST(thread_that_takes_over_has_no_name)
{
	struct pl_recorder *seen = NULL, *again = NULL;
	pthread_t thread;

	session.all_threads = true;
	session.options.max_threads = 2;
	pl_session_stop(&session);
	pl_session_start(&session, NULL);
	pthread_create(&thread, NULL, other_thread, &seen);
	pthread_join(thread, NULL);
	seen->name = pl_recording_str(&session.rec, "first", 5);
	ck_assert_uint_eq(seen->n_threads, 1);
	pthread_create(&thread, NULL, other_thread, &again);
	pthread_join(thread, NULL);
	ck_assert_ptr_eq(again, seen);
	ck_assert_uint_eq(seen->n_threads, 2);
	ck_assert_uint_eq(seen->name, 0);
	rec = seen;
	ck_assert_str_eq(tree(), "t:2/2");
}
END_TEST

/* A scope's tree is its own, and so is one without callers. */
START_TEST(trees_of_another_kind_are_not_gone_on_with)
{
	session.options.max_threads = 1;
	play("a()");
	pl_session_stop(&session);
	pl_session_scope(&session, "one", 3);
	pl_session_start(&session, NULL);
	ck_assert_ptr_ne(pl_tls.first, rec);
	rec = pl_tls.first;
	play("b()");
	pl_session_stop(&session);
	session.no_subcalls = true;
	pl_session_split(&session);
	pl_session_start(&session, NULL);
	ck_assert_ptr_ne(pl_tls.first, rec);
	pl_session_stop(&session);
	session.no_subcalls = false;
	pl_session_split(&session);
	pl_session_start(&session, NULL);
	ck_assert_ptr_eq(pl_tls.first, rec);
	play("b()");
	ck_assert_str_eq(tree(), "b:2/2");
	ck_assert_uint_eq(session.rec.header->n_recorders, 3);
}
END_TEST

Suite *suite_recorder(void)
{
	Suite *s = suite_create("recorder");
	TCase *tc = tcase_create("recorder");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, tree_of_a_sequence_is_exact, 0,
			    sizeof(cases) / sizeof(*cases));
	tcase_add_test(tc, an_activation_ends_alone);
	tcase_add_test(tc, the_root_stays_open);
	tcase_add_test(tc, min_and_max_are_of_one_activation);
	tcase_add_test(tc, stop_closes_open_calls_innermost_first);
	tcase_add_test(tc, start_again_goes_on_with_the_same_tree);
	tcase_add_test(tc, stack_grows_with_recursion);
	tcase_add_test(tc, many_stacks_of_any_depth_are_kept);
	tcase_add_test(tc, ten_thousand_children_are_found_again);
	tcase_add_test(tc, past_the_cap_calls_are_folded_by_caller_and_callee);
	tcase_add_test(tc, stacks_that_come_and_go_cost_no_memory);
	tcase_add_test(tc, two_sessions_on_one_thread_do_not_mix);
	tcase_add_test(tc, a_session_covers_its_own_thread_only_unless_told);
	tcase_add_test(tc, a_thread_that_ends_gives_its_stack_to_the_next);
	tcase_add_test(tc, stacks_of_a_crowd_of_threads_are_used_again);
	tcase_add_test(tc, thread_that_takes_over_has_no_name);
	tcase_add_test(tc, trees_of_another_kind_are_not_gone_on_with);
	suite_add_tcase(s, tc);
	return s;
}
