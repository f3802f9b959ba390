/* SPDX-License-Identifier: MIT */
/* test_recfile.c: recordings as strangers read them: whole, alive, damaged. */
#include <config.h>

#include "suites.h"

#include "script.h"

#include "core/clock.h"
#include "core/live.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static char dir[64], path[128];
static struct script s;
static struct pl_recfile rf;
static struct pl_error err;

static void setup(void)
{
	strcpy(dir, "/tmp/pl-recfile-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	sprintf(path, "%s/r", dir);
	memset(&err, 0, sizeof(err));
	script_begin(&s, PL_CLOCK_STEP);
}

static void teardown(void)
{
	char command[128];

	script_end(&s);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
}

static void write_file(const void *data, size_t n)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, data, n), (ssize_t)n);
	close(fd);
}

/* A private copy of the recording in memory, to be damaged. */
static uint8_t *copy_of_recording(size_t *n)
{
	uint8_t *copy;

	pl_recording_sync(&s.session.rec);
	*n = pl_session_bytes(&s.session);
	copy = malloc(*n);
	ck_assert_ptr_nonnull(copy);
	memcpy(copy, s.session.rec.base, *n);
	return copy;
}

/* ----------------------------------------------------------------- whole -- */

START_TEST(what_was_written_is_read)
{
	struct pl_func want = { .line = 'a', .kind = PL_FUNC_PYTHON };
	const struct pl_func *f;
	size_t len;

	script_play(&s, "a(b())");
	script_read(&s);
	ck_assert_uint_eq(s.rf.n_recorders, 1);
	ck_assert_str_eq(s.rf.damage, "");
	for (uint32_t i = 0; i < s.rf.n_func_slots; i++) {
		if (!s.rf.func_ids[i])
			continue;
		ck_assert_uint_eq(pl_recfile_func_index(&s.rf,
							s.rf.func_ids[i]), i);
		f = pl_recfile_func(&s.rf, s.rf.func_ids[i]);
		ck_assert_str_eq(pl_recfile_str(&s.rf, f->file, &len), "f.py");
		ck_assert_uint_eq(len, 4);
		ck_assert_int_eq(f->line, want.line++);
	}
	ck_assert_int_eq(want.line, 'c');
}
END_TEST

START_TEST(numbers_that_name_nothing_are_refused)
{
	const struct pl_recorder *r;

	script_play(&s, "a(b())");
	script_read(&s);
	r = pl_recfile_recorder(&s.rf, s.rf.recorders[0]);
	ck_assert_ptr_nonnull(r);
	ck_assert_ptr_nonnull(pl_recfile_node(&s.rf, r->root));
	ck_assert_ptr_null(pl_recfile_recorder(&s.rf, r->self + 1));
	ck_assert_ptr_null(pl_recfile_recorder(&s.rf, r->root));
	ck_assert_ptr_null(pl_recfile_node(&s.rf, r->self));
	ck_assert_ptr_null(pl_recfile_node(&s.rf, 0));
	ck_assert_ptr_null(pl_recfile_node(&s.rf, UINT32_MAX));
	/* the chunk's own header is not part of it */
	ck_assert_ptr_null(pl_recfile_node(&s.rf, r->root / 64 * 64));
	ck_assert_ptr_null(pl_recfile_func(&s.rf, r->root * 2));
	ck_assert_uint_eq(pl_recfile_func_index(&s.rf, 0), UINT32_MAX);
	ck_assert_str_eq(pl_recfile_str(&s.rf, 0, NULL), "");
	ck_assert_str_eq(pl_recfile_str(&s.rf, UINT32_MAX, NULL), "");
	ck_assert_str_eq(pl_recfile_str(&s.rf, r->root * 8, NULL), "");
}
END_TEST

START_TEST(function_that_comes_later_is_found)
{
	const struct pl_recorder *r;
	const struct pl_node *n;
	uint32_t i;

	script_play(&s, "a()");
	script_read(&s);
	script_play(&s, "b()");
	/* not read again: the file of a living process moves under us */
	r = pl_recfile_recorder(&s.rf, s.rf.recorders[0]);
	n = pl_recfile_node(&s.rf, pl_recfile_node(&s.rf, r->root)->last);
	i = pl_recfile_func_index(&s.rf, n->func);
	ck_assert_uint_lt(i, s.rf.n_func_slots);
	ck_assert_str_eq(script_name(&s.rf, i), "b");
}
END_TEST

START_TEST(long_strings_are_whole)
{
	enum { LONG = 200000 };
	char *text = malloc(LONG);
	uint32_t id;
	size_t len;

	memset(text, 'x', LONG);
	text[100] = '\0';
	id = pl_recording_str(&s.session.rec, text, LONG);
	script_read(&s);
	ck_assert_int_eq(memcmp(pl_recfile_str(&s.rf, id, &len), text, LONG),
			 0);
	ck_assert_uint_eq(len, LONG);
	free(text);
}
END_TEST

/* ----------------------------------------------------------------- clock -- */

static double rate_with(uint64_t hz, struct pl_sync start,
			struct pl_sync latest)
{
	size_t n;
	uint8_t *copy = copy_of_recording(&n);
	struct pl_rec_header *to = (struct pl_rec_header *)copy;
	double rate;

	to->clock = PL_CLOCK_WALL;
	to->tick_source = PL_TICK_TSC;
	to->tick_hz = hz;
	to->start = start;
	to->latest = latest;
	to->boot_id[0] ^= 1;		/* not this machine's: no "now" */
	ck_assert_int_eq(pl_recfile_view(&rf, copy, n, &err), 0);
	rate = rf.ns_per_tick;
	pl_recfile_close(&rf);
	free(copy);
	return rate;
}

START_TEST(rate_comes_from_the_best_that_is_known)
{
	const struct pl_sync start = { .ticks = 1000, .mono_ns = 5000 };
	struct pl_sync latest = { .ticks = 1000 + 3000000000ull,
				  .mono_ns = 5000 + 1000000000ll };

	/* a second between the two */
	ck_assert_double_eq_tol(rate_with(0, start, latest), 1 / 3., 1e-9);
	ck_assert_double_eq_tol(rate_with(2000000000, start, latest),
				1 / 3., 1e-9);
	/* a millisecond: the processor knows better */
	latest = (struct pl_sync){ .ticks = 1000 + 3000001,
				   .mono_ns = 5000 + 1000000 };
	ck_assert_double_eq_tol(rate_with(3000000000, start, latest),
				1 / 3., 1e-12);
	/* but if it does not say */
	ck_assert_double_eq_tol(rate_with(0, start, latest), 1 / 3., 1e-5);
	/* nothing at all: ticks, and said so */
	ck_assert_double_eq(rate_with(0, start, start), 1);
	/* going backwards */
	ck_assert_double_eq(rate_with(0, latest, start), 1);
	ck_assert_double_eq(rate_with(0, start, (struct pl_sync){
			.ticks = 2000, .mono_ns = INT64_MAX }), 1);
}
END_TEST

START_TEST(short_recording_of_this_boot_is_measured_until_now)
{
	const struct timespec wait = { .tv_nsec = 30000000 };
	int64_t began[2], ended[2], took;
	struct script wall;

	/* Each instant lies between two readings, whoever is stopped when. */
	began[0] = pl_clock_ns(CLOCK_MONOTONIC);
	script_begin(&wall, PL_CLOCK_WALL);
	began[1] = pl_clock_ns(CLOCK_MONOTONIC);
	if (wall.session.rec.header->tick_source == PL_TICK_NS) {
		script_end(&wall);
		return;
	}
	nanosleep(&wait, NULL);
	wall.session.rec.header->tick_hz = 0;
	ended[0] = pl_clock_ns(CLOCK_MONOTONIC);
	script_play(&wall, "a()");
	ended[1] = pl_clock_ns(CLOCK_MONOTONIC);
	/* killed: nobody refreshed `latest` since the start */
	ck_assert_int_eq(pl_recfile_view(&rf, wall.session.rec.base,
					 pl_session_bytes(&wall.session),
					 &err), 0);
	ck_assert_str_eq(rf.damage, "");
	took = pl_recfile_ns(&rf, rf.latest_ticks - rf.header.start.ticks);
	ck_assert_double_gt((double)took, 0.99 * (double)(ended[0] - began[1]));
	ck_assert_double_lt((double)took, 1.01 * (double)(ended[1] - began[0]));
	pl_recfile_close(&rf);
	script_end(&wall);
}
END_TEST

START_TEST(a_callables_unit_is_its_rate)
{
	s.session.rec.header->clock = PL_CLOCK_CALLABLE;
	s.session.rec.header->tick_hz = 1000;
	script_read(&s);
	ck_assert_int_eq(pl_recfile_ns(&s.rf, 7), 7000000);
	s.session.rec.header->clock = PL_CLOCK_STEP;
}
END_TEST

/* ------------------------------------------------------------- refusals -- */

static int open_file(void)
{
	memset(&err, 0, sizeof(err));
	return pl_recfile_open(&rf, path, &err);
}

START_TEST(what_is_no_recording_is_refused_by_name)
{
	const char text[8192] = "SQLite format 3";

	ck_assert_int_eq(open_file(), PL_ERR_NOENT);
	ck_assert_ptr_nonnull(strstr(err.text, path));
	write_file("", 0);
	ck_assert_int_eq(open_file(), PL_ERR_FORMAT);
	write_file(text, sizeof(text));
	ck_assert_int_eq(open_file(), PL_ERR_FORMAT);
	ck_assert_ptr_nonnull(strstr(err.text, path));
	write_file(PL_REC_MAGIC, 8);
	ck_assert_int_eq(open_file(), PL_ERR_FORMAT);
	unlink(path);
	ck_assert_int_eq(mkdir(path, 0700), 0);
	ck_assert_int_eq(open_file(), PL_ERR_FORMAT);
	rmdir(path);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ck_assert_int_eq(open_file(), PL_ERR_FORMAT);
}
END_TEST

START_TEST(other_versions_and_byte_orders_are_refused)
{
	size_t n;
	uint8_t *copy = copy_of_recording(&n);
	struct pl_rec_header *h = (struct pl_rec_header *)copy;

	h->version++;
	ck_assert_int_eq(pl_recfile_view(&rf, copy, n, &err), PL_ERR_FORMAT);
	ck_assert_ptr_nonnull(strstr(err.text, "version"));
	h->version--;
	h->byte_order = __builtin_bswap32(h->byte_order);
	ck_assert_int_eq(pl_recfile_view(&rf, copy, n, &err), PL_ERR_FORMAT);
	ck_assert_ptr_nonnull(strstr(err.text, "byte order"));
	free(copy);
}
END_TEST

/* ---------------------------------------------------------------- damage -- */

static void read_everything(const uint8_t *data, size_t n)
{
	struct pl_tree tree = { 0 };
	struct pl_aggregate agg;

	if (pl_recfile_view(&rf, data, n, &err))
		return;
	ck_assert_int_eq(pl_aggregate_init(&agg, rf.n_func_slots, &err), 0);
	for (uint32_t i = 0; i < rf.n_recorders; i++) {
		ck_assert_int_eq(pl_tree_load(&tree, &rf, rf.recorders[i],
					      &err), 0);
		ck_assert_int_eq(pl_aggregate_add(&agg, &tree, &err), 0);
	}
	for (uint32_t i = 0; i < rf.n_func_slots; i++)
		script_name(&rf, rf.func_ids[i] ? i : UINT32_MAX);
	pl_recfile_str(&rf, rf.header.argv, NULL);
	pl_tree_release(&tree);
	pl_aggregate_release(&agg);
	pl_recfile_close(&rf);
}

static void make_some(void)
{
	static const char names[] = "abcdefghijklmnopqrstuvwxyz";
	int depth = 0;

	srand(1);
	for (int i = 0; i < 3000; i++) {
		char name[2] = { names[rand() % 26], '\0' };

		if (depth && (depth > 6 || rand() % 2)) {
			script_leave(&s);
			depth--;
		} else {
			script_enter(&s, name, 0);
			depth++;
		}
	}
}

START_TEST(cut_off_anywhere_it_gives_what_is_there)
{
	uint8_t *copy, *exact;
	size_t n;

	make_some();
	copy = copy_of_recording(&n);
	for (size_t cut = 0; cut < n; cut += cut < 8192 ? 64 : 1088) {
		/* so that the sanitizer sees a read behind the end */
		exact = aligned_alloc(64, (cut + 63) / 64 * 64 + 64);
		memcpy(exact, copy, cut);
		read_everything(exact, cut);
		if (cut >= PL_PAGE) {
			ck_assert_int_eq(pl_recfile_view(&rf, exact, cut,
							 &err), 0);
			ck_assert_ptr_nonnull(strstr(rf.damage, "cut off"));
			pl_recfile_close(&rf);
		}
		free(exact);
	}
	free(copy);
}
END_TEST

START_TEST(damage_is_said_and_what_is_before_it_read)
{
	struct pl_tree tree = { 0 };
	struct pl_chunk *c;
	uint8_t *copy;
	size_t n, at = PL_PAGE, last = 0;

	make_some();
	copy = copy_of_recording(&n);
	while (at < n) {
		last = at;
		at += (size_t)((struct pl_chunk *)(copy + at))->n_cells *
		      PL_CELL;
	}
	c = (struct pl_chunk *)(copy + last);
	c->magic ^= 1;
	ck_assert_int_eq(pl_recfile_view(&rf, copy, n, &err), 0);
	ck_assert_ptr_nonnull(strstr(rf.damage, "damaged from byte"));
	ck_assert_uint_eq(rf.n_recorders, 1);
	ck_assert_int_eq(pl_tree_load(&tree, &rf, rf.recorders[0], &err), 0);
	pl_tree_release(&tree);
	pl_recfile_close(&rf);
	free(copy);
}
END_TEST

/* Whatever is overwritten: no crash, no endless loop, no read outside. */
START_TEST(random_damage_is_survived)
{
	uint8_t *copy, *damaged;
	size_t n;

	make_some();
	copy = copy_of_recording(&n);
	damaged = aligned_alloc(64, n);
	srand((unsigned)_i);
	for (int round = 0; round < 100; round++) {
		int n_hits = 1 + rand() % 64;

		memcpy(damaged, copy, n);
		while (n_hits--) {
			size_t at = (size_t)rand() % (n / 4) * 4;
			uint32_t value = (uint32_t)rand();

			/* Often something small or close to what is there */
			if (rand() % 2)
				value %= 4096;
			if (rand() % 3 == 0)
				at %= PL_PAGE * 3;
			memcpy(damaged + at, &value, 4);
		}
		memcpy(damaged, PL_REC_MAGIC, 8);
		((struct pl_rec_header *)damaged)->version = PL_REC_VERSION;
		read_everything(damaged, n);
	}
	free(damaged);
	free(copy);
}
END_TEST

/* ---------------------------------------------------------------- alive -- */

static bool is_live(const char *name)
{
	int fd = open(name, O_RDONLY | O_CLOEXEC);
	struct pl_recfile file;
	bool live;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pl_recfile_open_fd(&file, fd, name, &err), 0);
	live = pl_live_is(fd, &file.header);
	pl_recfile_close(&file);
	close(fd);
	return live;
}

enum trick { NONE, CLOSE_ALL, DROP_LOCK, EXEC_PENDING, FINISH, FORK };

static void close_descriptors(struct pl_recording *rec)
{
	close(rec->fd);
	close(open(rec->path, O_RDWR));
}

/* A child that records into DIR/db.*.plrec, plays @trick, and waits. */
static pid_t start_writer(enum trick trick, char name[256])
{
	int to_us[2];
	pid_t pid;

	ck_assert_int_eq(pipe(to_us), 0);
	pid = fork();
	if (!pid) {
		struct script child;
		char db[128];

		snprintf(db, sizeof(db), "%s/db", dir);
		script_begin_file(&child, db, NULL, NULL);
		script_play(&child, "a(b(");
		if (trick == FINISH)
			pl_session_finish(&child.session, PL_END_STOPPED, -1);
		if (trick == EXEC_PENDING)
			child.session.rec.header->flags |=
				PL_REC_F_EXEC_PENDING;
		if (trick == CLOSE_ALL)
			close_descriptors(&child.session.rec);
		if (trick == DROP_LOCK || trick == EXEC_PENDING) {
			munmap(child.session.rec.life, PL_PAGE);
			close(child.session.rec.fd);
		}
		if (trick == FORK && !setpgid(0, 0) && !fork()) {
			close(to_us[1]);
			for (;;)
				pause();
		}
		if (write(to_us[1], child.session.rec.path, 256) != 256)
			_exit(1);
		for (;;)
			pause();
	}
	ck_assert_int_gt(pid, 0);
	ck_assert_int_eq(read(to_us[0], name, 256), 256);
	close(to_us[0]);
	close(to_us[1]);
	return pid;
}

START_TEST(writer_is_alive_until_it_is_killed)
{
	char name[256];
	pid_t pid = start_writer(NONE, name);

	ck_assert(is_live(name));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	ck_assert(!is_live(name));
}
END_TEST

/* As a program does that closes what it does not know, or copies a folder. */
START_TEST(its_lock_outlives_its_descriptors)
{
	char name[256];
	pid_t pid = start_writer(CLOSE_ALL, name);
	struct pl_rec_header h;
	int fd = open(name, O_RDONLY);

	ck_assert(pl_live_is_locked(fd));
	ck_assert_int_eq(pread(fd, &h, sizeof(h), 0), sizeof(h));
	ck_assert(h.flags & PL_REC_F_LOCKED);
	/* It is all that another pid namespace has to go by. */
	h.pid_namespace ^= 1;
	ck_assert_int_eq(pl_live_look(fd, &h), PL_LIFE_THERE);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	ck_assert_int_eq(pl_live_look(fd, &h), PL_LIFE_GONE);
	close(fd);
}
END_TEST

START_TEST(a_forked_child_does_not_keep_its_lock)
{
	char name[256];
	pid_t pid = start_writer(FORK, name);
	int fd = open(name, O_RDONLY);

	ck_assert(pl_live_is_locked(fd));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	ck_assert(!pl_live_is_locked(fd));
	ck_assert_int_eq(kill(-pid, SIGKILL), 0);
	close(fd);
}
END_TEST

START_TEST(in_another_namespace_without_a_lock_nobody_can_tell)
{
	static const char first[] = "4026531836";
	char name[256], ours[32];
	pid_t pid = start_writer(DROP_LOCK, name);
	struct pl_rec_header h;
	int fd = open(name, O_RDONLY);

	ck_assert_int_eq(pread(fd, &h, sizeof(h), 0), sizeof(h));
	ck_assert_uint_eq(h.pid_namespace, pl_live_pid_namespace());
	ck_assert_int_eq(pl_live_look(fd, &h), PL_LIFE_THERE);
	h.pid_namespace ^= 1;
	ck_assert_int_eq(pl_live_look(fd, &h), PL_LIFE_GONE);
	h.flags &= ~(uint32_t)PL_REC_F_LOCKED;
	/* But all processes are in the first one. */
	snprintf(ours, sizeof(ours), "%llu",
		 (unsigned long long)pl_live_pid_namespace());
	ck_assert_int_eq(pl_live_look(fd, &h), strcmp(ours, first) ?
					       PL_LIFE_UNSURE : PL_LIFE_GONE);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(fd);
}
END_TEST

START_TEST(zombie_is_dead)
{
	char name[256];
	pid_t pid = start_writer(DROP_LOCK, name);
	siginfo_t info;

	ck_assert_uint_ne(pl_live_proc_start((uint32_t)pid), 0);
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	ck_assert(!is_live(name));
	waitpid(pid, NULL, 0);
}
END_TEST

START_TEST(without_its_lock_it_is_known_by_pid_and_start)
{
	char name[256];
	pid_t pid = start_writer(DROP_LOCK, name);
	struct pl_rec_header *h;
	int fd = open(name, O_RDONLY);

	ck_assert(is_live(name));
	ck_assert_int_eq(pl_recfile_open(&rf, name, &err), 0);
	h = &rf.header;
	h->proc_start++;
	ck_assert(!pl_live_is(fd, h));
	h->proc_start--;
	h->boot_id[3] ^= 1;
	ck_assert(!pl_live_is(fd, h));
	h->boot_id[3] ^= 1;
	h->proc_start = 0;
	ck_assert(pl_live_is(fd, h));
	pl_recfile_close(&rf);
	close(fd);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}
END_TEST

START_TEST(replaced_by_exec_or_finished_it_is_dead)
{
	char name[256];

	for (int i = 0; i < 2; i++) {
		pid_t pid = start_writer(i ? FINISH : EXEC_PENDING, name);

		ck_assert(!is_live(name));
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
}
END_TEST

START_TEST(our_own_recording_is_alive)
{
	struct script own;
	char db[128];

	snprintf(db, sizeof(db), "%s/db", dir);
	script_begin_file(&own, db, NULL, NULL);
	ck_assert(is_live(own.session.rec.path));
	script_end(&own);
}
END_TEST

Suite *suite_recfile(void)
{
	Suite *suite = suite_create("recfile");
	TCase *tc = tcase_create("read");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, what_was_written_is_read);
	tcase_add_test(tc, numbers_that_name_nothing_are_refused);
	tcase_add_test(tc, function_that_comes_later_is_found);
	tcase_add_test(tc, long_strings_are_whole);
	tcase_add_test(tc, rate_comes_from_the_best_that_is_known);
	tcase_add_test(tc, short_recording_of_this_boot_is_measured_until_now);
	tcase_add_test(tc, a_callables_unit_is_its_rate);
	tcase_add_test(tc, what_is_no_recording_is_refused_by_name);
	tcase_add_test(tc, other_versions_and_byte_orders_are_refused);
	suite_add_tcase(suite, tc);

	tc = tcase_create("damage");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, cut_off_anywhere_it_gives_what_is_there);
	tcase_add_test(tc, damage_is_said_and_what_is_before_it_read);
	tcase_add_loop_test(tc, random_damage_is_survived, 0, 10);
	suite_add_tcase(suite, tc);

	tc = tcase_create("alive");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, writer_is_alive_until_it_is_killed);
	tcase_add_test(tc, its_lock_outlives_its_descriptors);
	tcase_add_test(tc, a_forked_child_does_not_keep_its_lock);
	tcase_add_test(tc, in_another_namespace_without_a_lock_nobody_can_tell);
	tcase_add_test(tc, zombie_is_dead);
	tcase_add_test(tc, without_its_lock_it_is_known_by_pid_and_start);
	tcase_add_test(tc, replaced_by_exec_or_finished_it_is_dead);
	tcase_add_test(tc, our_own_recording_is_alive);
	suite_add_tcase(suite, tc);
	return suite;
}
