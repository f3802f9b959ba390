/* SPDX-License-Identifier: MIT */
/*
 * test_threads.c: threads that run at once, as they do where there is no GIL.
 * Run under ThreadSanitizer as well (unit-tsan): the counts tell what was lost,
 * that tells what was luck.
 */
#include <config.h>

#include "suites.h"

#include "script.h"

#include "core/recorder_inline.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_THREADS = 4, N_ROUNDS = 300, N_NAMES = 40 };

static struct pl_session process;
static pthread_barrier_t barrier;

static void setup(void)
{
	struct pl_error err = { 0 };

	memset(&process, 0, sizeof(process));
	pl_options_init(&process.options);
	ck_assert_int_eq(pl_session_open_private(&process, PL_CLOCK_STEP,
						 &err), 0);
	process.is_scope = false;
	process.all_threads = true;
	pthread_barrier_init(&barrier, NULL, N_THREADS);
}

static void teardown(void)
{
	pl_session_close(&process);
	pthread_barrier_destroy(&barrier);
}

/* Enter and leave a function in all that wants it, as the probe does. */
static void call(unsigned int i)
{
	static const char keys[N_NAMES];
	uint64_t key = (uint64_t)(uintptr_t)&keys[i % N_NAMES];
	char name[16];
	struct pl_funcdesc d = { .file = "f.py", .file_len = 4, .name = name,
				 .line = (int32_t)(i % N_NAMES) };

	d.name_len = (size_t)snprintf(name, sizeof(name), "f%u", i % N_NAMES);
	for (struct pl_recorder *r = pl_tls_first(); r;
	     r = (struct pl_recorder *)(uintptr_t)r->more) {
		struct pl_node *n = pl_child(r, key);
		struct pl_recording *rec =
			&((struct pl_recorder_priv *)(uintptr_t)r->priv)
				 ->session->rec;
		uint32_t func = 0;

		if (!n) {
			func = pl_recording_key(rec, key);
			if (!func) {
				func = pl_recording_func(rec, &d);
				pl_recording_set_key(rec, key, func);
			}
			n = pl_child_add(r, key, func);
		}
		pl_push(r, n, 0, 0);
	}
	for (struct pl_recorder *r = pl_tls_first(); r;
	     r = (struct pl_recorder *)(uintptr_t)r->more)
		pl_leave(r, key, 0);
}

static void run_threads(void *(*work)(void *))
{
	pthread_t threads[N_THREADS];

	for (long i = 0; i < N_THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, work,
						(void *)i), 0);
	for (int i = 0; i < N_THREADS; i++)
		pthread_join(threads[i], NULL);
}

/* Calls in all trees of @s. */
static uint64_t n_calls(struct pl_session *s)
{
	struct pl_tree tree = { 0 };
	struct pl_error err = { 0 };
	struct pl_recfile rf;
	uint64_t n = 0;

	pl_recording_sync(&s->rec);
	ck_assert_int_eq(pl_recfile_view(&rf, s->rec.base, pl_session_bytes(s),
					 &err), 0);
	for (uint32_t i = 0; i < rf.n_recorders; i++) {
		ck_assert_int_eq(pl_tree_load(&tree, &rf, rf.recorders[i],
					      &err), 0);
		for (uint32_t k = 1; k < tree.n; k++)
			n += tree.nodes[k].calls;
	}
	pl_tree_release(&tree);
	pl_recfile_close(&rf);
	return n;
}

/* -------------------------------------------------------------------- */

static void *only_call(void *arg)
{
	(void)arg;
	pthread_barrier_wait(&barrier);
	for (unsigned int i = 0; i < N_ROUNDS * N_NAMES; i++)
		call(i);
	return NULL;
}

START_TEST(each_thread_has_its_own_tree)
{
	struct pl_error err = { 0 };

	ck_assert_int_eq(pl_session_start(&process, &err), 0);
	run_threads(only_call);
	pl_session_stop(&process);
	ck_assert_uint_eq(n_calls(&process),
			  N_THREADS * N_ROUNDS * N_NAMES);
	ck_assert_uint_ge(process.rec.header->n_recorders, N_THREADS);
}
END_TEST

/* Recorders, calls and threads of the process's session. */
struct sums {
	uint32_t n_recorders, n_threads;
	uint64_t n_calls;
};

static struct sums sums_of(struct pl_session *s)
{
	struct sums sums = { .n_calls = n_calls(s) };
	struct pl_error err = { 0 };
	struct pl_recfile rf;

	ck_assert_int_eq(pl_recfile_view(&rf, s->rec.base, pl_session_bytes(s),
					 &err), 0);
	sums.n_recorders = rf.n_recorders;
	for (uint32_t i = 0; i < rf.n_recorders; i++)
		sums.n_threads += pl_recfile_recorder(&rf, rf.recorders[i])
					  ->n_threads;
	pl_recfile_close(&rf);
	return sums;
}

static void *call_a_little(void *arg)
{
	(void)arg;
	for (unsigned int i = 0; i < 2 * N_NAMES; i++)
		call(i);
	return NULL;
}

START_TEST(past_max_threads_new_ones_go_on_with_trees_of_ended_ones)
{
	struct pl_error err = { 0 };
	uint32_t cells = 0;
	struct sums sums;
	pthread_t thread;

	process.options.max_threads = 3;
	ck_assert_int_eq(pl_session_start(&process, &err), 0);
	for (int i = 0; i < 400; i++) {
		ck_assert_int_eq(pthread_create(&thread, NULL, call_a_little,
						NULL), 0);
		pthread_join(thread, NULL);
		if (i == 10)
			cells = process.rec.header->n_cells;
	}
	sums = sums_of(&process);
	ck_assert_uint_eq(sums.n_recorders, 3);
	ck_assert_uint_eq(sums.n_threads, 401);
	ck_assert_uint_eq(sums.n_calls, 400 * 2 * N_NAMES);
	ck_assert_uint_eq(process.rec.header->n_cells, cells);
	pl_session_stop(&process);
}
END_TEST

static void *start_threads(void *arg)
{
	(void)arg;
	for (int i = 0; i < 50; i++) {
		pthread_t thread;

		call((unsigned int)i);
		if (pthread_create(&thread, NULL, call_a_little, NULL))
			abort();
		pthread_join(thread, NULL);
	}
	return NULL;
}

START_TEST(threads_that_come_and_go_at_once_share_trees_in_turn)
{
	struct pl_error err = { 0 };
	struct sums sums;

	process.options.max_threads = 1;
	ck_assert_int_eq(pl_session_start(&process, &err), 0);
	for (int i = 0; i < 4; i++)
		run_threads(start_threads);
	sums = sums_of(&process);
	/* no more than there were at once, and the main thread */
	ck_assert_uint_le(sums.n_recorders, 2 * N_THREADS + 1);
	ck_assert_uint_eq(sums.n_threads, 4 * N_THREADS * 51 + 1);
	ck_assert_uint_eq(sums.n_calls, 4 * N_THREADS * 50 *
					(2 * N_NAMES + 1));
	pl_session_stop(&process);
}
END_TEST

/* What a thread's own session has counted of it. */
static uint64_t counted[N_THREADS];

static void *begin_and_end(void *arg)
{
	long thread = (long)(intptr_t)arg;
	struct pl_error err = { 0 };

	pthread_barrier_wait(&barrier);
	for (unsigned int i = 0; i < 50; i++) {
		struct pl_session own;

		memset(&own, 0, sizeof(own));
		pl_options_init(&own.options);
		if (pl_session_open_private(&own, PL_CLOCK_STEP, &err) ||
		    pl_session_start(&own, &err))
			abort();
		for (unsigned int k = 0; k < N_NAMES; k++)
			call(i + k);
		pl_session_stop(&own);
		call(i);
		counted[thread] += n_calls(&own);
		pl_session_close(&own);
	}
	return NULL;
}

START_TEST(sessions_of_threads_come_and_go_beside_that_of_the_process)
{
	struct pl_error err = { 0 };

	memset(counted, 0, sizeof(counted));
	ck_assert_int_eq(pl_session_start(&process, &err), 0);
	run_threads(begin_and_end);
	pl_session_stop(&process);
	for (int i = 0; i < N_THREADS; i++)
		ck_assert_uint_eq(counted[i], 50 * N_NAMES);
	ck_assert_uint_eq(n_calls(&process), N_THREADS * 50 * (N_NAMES + 1));
}
END_TEST

/* Stands for stopping all threads: an event reads, the end writes.  The end goes
 * first: readers who come and go without a gap would keep it out for ever. */
static pthread_rwlock_t world =
	PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;
static int over;
static uint64_t events[N_THREADS];

static void stop_the_world(void)
{
	pthread_rwlock_wrlock(&world);
	pthread_rwlock_unlock(&world);
}

static void *call_until_over(void *arg)
{
	long thread = (long)(intptr_t)arg;

	for (unsigned int i = 0; !__atomic_load_n(&over, __ATOMIC_RELAXED);
	     i++) {
		pthread_rwlock_rdlock(&world);
		call(i);
		events[thread]++;
		pthread_rwlock_unlock(&world);
	}
	return NULL;
}

static void *start_and_stop(void *arg)
{
	struct pl_error err = { 0 };

	(void)arg;
	for (int i = 0; i < 100; i++) {
		if (pl_session_start(&process, &err))
			abort();
		for (unsigned int k = 0; k < 20; k++) {
			pthread_rwlock_rdlock(&world);
			call(k);
			pthread_rwlock_unlock(&world);
		}
		pl_session_stop(&process);
	}
	__atomic_store_n(&over, 1, __ATOMIC_RELAXED);
	return NULL;
}

static void *start_stop_or_call(void *arg)
{
	return arg ? call_until_over(arg) : start_and_stop(arg);
}

/* The end closes the calls that are open in other threads: none of them may be
 * in the middle of an event. */
START_TEST(session_that_ends_waits_for_events_under_way)
{
	uint64_t most = 100 * 20;

	over = 0;
	process.quiesce = stop_the_world;
	run_threads(start_stop_or_call);
	for (int i = 1; i < N_THREADS; i++)
		most += events[i];
	ck_assert_uint_ge(n_calls(&process), 100 * 20);
	ck_assert_uint_le(n_calls(&process), most);
}
END_TEST

Suite *suite_threads(void)
{
	Suite *s = suite_create("threads");
	TCase *tc = tcase_create("threads");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, each_thread_has_its_own_tree);
	tcase_add_test(tc,
		       past_max_threads_new_ones_go_on_with_trees_of_ended_ones);
	tcase_add_test(tc,
		       threads_that_come_and_go_at_once_share_trees_in_turn);
	tcase_add_test(tc,
		       sessions_of_threads_come_and_go_beside_that_of_the_process);
	tcase_add_test(tc, session_that_ends_waits_for_events_under_way);
	suite_add_tcase(s, tc);
	return s;
}
