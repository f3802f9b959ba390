/* SPDX-License-Identifier: MIT */
/*
 * test_torn.c: a recording is read after every single instruction of its
 * writer, which is what kill -9 may leave.
 *
 * The writer is a child that we trace.  Its file is mapped by us as well, so
 * after each step we see what a reader of the dead process would.
 */
#include <config.h>

#include "suites.h"

#include "script.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char dir[64], db[128];
static pid_t writer;
static const void *file;
static size_t file_bytes;

static void setup(void)
{
	strcpy(dir, "/tmp/pl-torn-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(db, sizeof(db), "%s/p.db", dir);
}

static void teardown(void)
{
	struct dirent *entry;
	DIR *d = opendir(dir);

	while (d && (entry = readdir(d)))
		unlinkat(dirfd(d), entry->d_name, 0);
	closedir(d);
	rmdir(dir);
}

/* A tree, its thread's end, and another thread that goes on with it. */
static void write_it(enum pl_clock_kind clock)
{
	struct pl_options *o;
	struct script s = { 0 };

	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	o = &s.session.options;
	pl_options_init(o);
	o->clock = clock;
	o->max_threads = 1;
	snprintf(o->out, sizeof(o->out), "%s", db);
	if (pl_session_open_process(&s.session, NULL, NULL) ||
	    pl_session_start(&s.session, NULL))
		abort();
	script_play(&s, "a(b()b())");
	pl_session_stop(&s.session);
	raise(SIGSTOP);
	pl_session_split(&s.session);
	if (pl_session_start(&s.session, NULL))
		abort();
	script_play(&s, "a(b())");
	raise(SIGSTOP);
	kill(getpid(), SIGKILL);
}

static void map_file(void)
{
	struct dirent *entry;
	DIR *d = opendir(dir);
	struct stat st;
	int fd = -1;

	ck_assert_ptr_nonnull(d);
	while (fd < 0 && (entry = readdir(d)))
		if (strstr(entry->d_name, PL_REC_SUFFIX))
			fd = openat(dirfd(d), entry->d_name, O_RDONLY);
	closedir(d);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fstat(fd, &st), 0);
	file_bytes = (size_t)st.st_size;
	file = mmap(NULL, file_bytes, PROT_READ, MAP_SHARED, fd, 0);
	ck_assert_ptr_ne(file, MAP_FAILED);
	close(fd);
}

static void await_stop(int signal)
{
	int status;

	ck_assert_int_eq(waitpid(writer, &status, 0), writer);
	ck_assert(WIFSTOPPED(status));
	ck_assert_int_eq(WSTOPSIG(status), signal);
}

struct state {
	uint64_t a, b;			/* calls of a function */
	int64_t total;			/* ticks of the root */
	uint32_t n_threads;
	bool ended, in_call;
};

static struct state read_state(void)
{
	struct pl_tree tree = { 0 };
	struct state state = { 0 };
	struct pl_error err = { 0 };
	const struct pl_recorder *r;
	struct pl_recfile rf;

	ck_assert_int_eq(pl_recfile_view(&rf, file, file_bytes, &err), 0);
	ck_assert_str_eq(rf.damage, "");
	ck_assert_uint_eq(rf.n_recorders, 1);
	/* In ticks: the rate of a counter is known better every time. */
	rf.ns_per_tick = 1;
	r = pl_recfile_recorder(&rf, rf.recorders[0]);
	state.n_threads = r->n_threads;
	state.in_call = r->sp - r->stack > sizeof(struct pl_frame);
	state.ended = r->flags & PL_RECORDER_ENDED;
	ck_assert_int_eq(pl_tree_load(&tree, &rf, rf.recorders[0], &err), 0);
	ck_assert_uint_eq(tree.n_bad, 0);
	for (uint32_t i = 1; i < tree.n; i++)
		if (*script_name(&rf, tree.nodes[i].func) == 'a')
			state.a += tree.nodes[i].calls;
		else
			state.b += tree.nodes[i].calls;
	state.total = tree.nodes[0].total_ns;
	pl_tree_release(&tree);
	pl_recfile_close(&rf);
	return state;
}

/* One instruction of the writer; false when it has come to its end. */
static bool step(void)
{
	int status;

	ck_assert_int_eq(ptrace(PTRACE_SINGLESTEP, writer, NULL, NULL), 0);
	ck_assert_int_eq(waitpid(writer, &status, 0), writer);
	ck_assert(WIFSTOPPED(status));
	return WSTOPSIG(status) == SIGTRAP;
}

/* Calls go on, one after the other, and none is lost or there twice.  So does
 * time; that of a call which is just ending may be a moment old. */
static void check(const struct state *was, const struct state *is)
{
	bool is_between = is->n_threads == 2 && !is->in_call && is->b == 2;

	ck_assert_uint_ge(is->a, was->a);
	ck_assert_uint_le(is->a, was->a + 1);
	ck_assert_uint_ge(is->b, was->b);
	ck_assert_uint_le(is->b, was->b + 1);
	if (!was->in_call && !is->in_call)
		ck_assert_int_ge(is->total, was->total);
	/* no time goes by between two threads */
	if (was->ended && (is->ended || is_between))
		ck_assert_int_eq(is->total, was->total);
	ck_assert_uint_ge(is->n_threads, was->n_threads);
}

START_TEST(thread_that_takes_over_a_tree_may_be_killed_anywhere)
{
	const enum pl_clock_kind clock = _i ? PL_CLOCK_WALL : PL_CLOCK_STEP;
	bool has_ended = false;
	struct state was, is;

	writer = fork();
	if (!writer)
		write_it(clock);
	await_stop(SIGSTOP);
	map_file();
	was = read_state();
	ck_assert_uint_eq(was.a, 1);
	ck_assert_uint_eq(was.b, 2);
	ck_assert(_i || was.total == 6);
	ck_assert_uint_eq(was.n_threads, 1);
	for (; step(); was = is) {
		is = read_state();
		check(&was, &is);
		has_ended |= is.ended;
	}
	is = read_state();
	ck_assert(has_ended && !is.ended);
	ck_assert_uint_eq(is.a, 2);
	ck_assert_uint_eq(is.b, 3);
	ck_assert(_i || is.total == 10);
	ck_assert_uint_eq(is.n_threads, 2);
	ck_assert_int_eq(kill(writer, SIGKILL), 0);
	ck_assert_int_eq(waitpid(writer, NULL, 0), writer);
	munmap((void *)file, file_bytes);
}
END_TEST

Suite *suite_torn(void)
{
	Suite *s = suite_create("torn");
	TCase *tc = tcase_create("torn");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(
		tc, thread_that_takes_over_a_tree_may_be_killed_anywhere, 0, 2);
	suite_add_tcase(s, tc);
	return s;
}
