/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "suites.h"

#include "core/clock.h"
#include "core/recording.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64], path[128];
static struct pl_recording rec;
static struct pl_error err;

static void setup(void)
{
	strcpy(dir, "/tmp/pl-unit-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/r.plrec", dir);
	memset(&err, 0, sizeof(err));
}

static void teardown(void)
{
	unlink(path);
	rmdir(dir);
}

static void create(void)
{
	ck_assert_msg(!pl_recording_create(&rec, path, PL_CLOCK_WALL, &err),
		      "%s", err.text);
}

START_TEST(a_new_file_is_ours_alone_and_out_of_the_way)
{
	struct stat st;
	int low;

	create();
	ck_assert_int_eq(fstat(rec.fd, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	ck_assert(fcntl(rec.fd, F_GETFD) & FD_CLOEXEC);
	/* the lowest free number still belongs to the host */
	low = open("/dev/null", O_RDONLY);
	ck_assert_int_lt(low, rec.fd);
	ck_assert_int_gt(rec.fd, 100);
	close(low);
	ck_assert_mem_eq(rec.header->magic, PL_REC_MAGIC, 8);
	ck_assert_uint_eq(rec.header->pid, (unsigned)getpid());
	pl_recording_close(&rec);
	ck_assert_int_eq(access(path, F_OK), 0);
}
END_TEST

START_TEST(an_existing_file_is_never_touched)
{
	FILE *f = fopen(path, "w");

	fputs("mine", f);
	fclose(f);
	ck_assert_int_eq(pl_recording_create(&rec, path, PL_CLOCK_WALL, &err),
			 PL_ERR_SYS);
	ck_assert_ptr_nonnull(strstr(err.text, path));
	f = fopen(path, "r");
	ck_assert_int_eq(fgetc(f), 'm');
	fclose(f);
}
END_TEST

START_TEST(equal_text_and_equal_labels_have_one_number)
{
	struct pl_funcdesc f = { .file = "a.py", .file_len = 4, .name = "f",
				 .name_len = 1, .line = 7 };
	struct pl_funcdesc g = f;
	uint32_t a, b;

	create();
	a = pl_recording_str(&rec, "hello", 5);
	ck_assert_uint_ne(a, 0);
	ck_assert_uint_eq(pl_recording_str(&rec, "hello", 5), a);
	ck_assert_uint_ne(pl_recording_str(&rec, "hell", 4), a);
	ck_assert_uint_ne(pl_recording_str(&rec, "hello\0x", 7), a);
	b = pl_recording_func(&rec, &f);
	ck_assert_uint_ne(b, 0);
	ck_assert_uint_eq(pl_recording_func(&rec, &g), b);
	g.line = 8;
	ck_assert_uint_ne(pl_recording_func(&rec, &g), b);
	pl_recording_close(&rec);
}
END_TEST

START_TEST(a_hundred_thousand_names_are_found_again)
{
	enum { N = 100000 };
	static uint32_t ids[N];
	char text[32];

	create();
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < N; i++) {
			size_t n = (size_t)sprintf(text, "name%d", i);
			uint32_t id = pl_recording_str(&rec, text, n);

			ck_assert_uint_ne(id, 0);
			if (round)
				ck_assert_uint_eq(id, ids[i]);
			ids[i] = id;
			pl_recording_set_key(&rec, (uint64_t)(i + 1) * 16, id);
		}
	}
	for (int i = 0; i < N; i++)
		ck_assert_uint_eq(pl_recording_key(&rec, (uint64_t)(i + 1) *
							 16), ids[i]);
	ck_assert_uint_eq(pl_recording_key(&rec, 8), 0);
	pl_recording_close(&rec);
}
END_TEST

static uint32_t func(const char *file, const char *name, int line,
		     enum pl_func_kind kind)
{
	struct pl_funcdesc d = { .file = file, .file_len = strlen(file),
				 .name = name, .name_len = strlen(name),
				 .line = line, .kind = kind };

	return pl_recording_func(&rec, &d);
}

static const char *name_of(uint32_t id)
{
	static char text[64];
	const struct pl_func *f =
		(const struct pl_func *)(rec.base + (uint64_t)id * 32);

	sprintf(text, "%s:%d(%s)%u",
		((struct pl_str *)(rec.base + (uint64_t)f->file * 8))->bytes,
		f->line,
		((struct pl_str *)(rec.base + (uint64_t)f->name * 8))->bytes,
		f->kind);
	return text;
}

START_TEST(past_max_functions_one_stands_for_those_of_its_file)
{
	uint32_t a, len;

	create();
	rec.max_functions = 3;
	a = func("a.py", "a", 1, PL_FUNC_PYTHON);
	func("b.py", "b", 2, PL_FUNC_PYTHON);
	func("~", "<len>", 0, PL_FUNC_C);
	ck_assert(!(rec.header->flags & PL_REC_F_MORE_FUNCTIONS));
	ck_assert_str_eq(name_of(func("a.py", "c", 3, PL_FUNC_PYTHON)),
			 "a.py:0((more functions))0");
	ck_assert(rec.header->flags & PL_REC_F_MORE_FUNCTIONS);
	len = rec.str_set.n;
	ck_assert_str_eq(name_of(func("a.py", "d", 4, PL_FUNC_PYTHON)),
			 "a.py:0((more functions))0");
	/* no text is added but that of a few files */
	ck_assert_uint_eq(rec.str_set.n, len);
	ck_assert_str_eq(name_of(func("<string>", "e", 5, PL_FUNC_PYTHON)),
			 "(more files):0((more functions))0");
	ck_assert_str_eq(name_of(func("~", "<abs>", 0, PL_FUNC_C)),
			 "~:0((more functions))1");
	ck_assert_str_eq(name_of(func("~", "<class 'int'>", 0, PL_FUNC_OTHER)),
			 "~:0((more functions))2");
	/* what is known stays known, and our own come in */
	ck_assert_uint_eq(func("a.py", "a", 1, PL_FUNC_PYTHON), a);
	ck_assert_str_eq(name_of(func("~", "(folded)", 0, PL_FUNC_SPECIAL)),
			 "~:0((folded))3");
	pl_recording_close(&rec);
}
END_TEST

START_TEST(past_max_functions_nothing_grows)
{
	enum { N = 5000 };
	char file[32], name[32];
	uint64_t pages = 0;
	uint32_t n = 0;

	create();
	rec.max_functions = 320;
	for (int i = 0; i < 4 * N; i++) {
		sprintf(file, "<%d>", i);
		sprintf(name, "f%d", i);
		ck_assert_uint_ne(func(file, name, i, PL_FUNC_PYTHON), 0);
		ck_assert_uint_ne(func("<string>", name, i, PL_FUNC_PYTHON), 0);
		if (i == N) {
			pages = rec.next_page;
			n = rec.str_set.n;
		}
	}
	ck_assert_uint_eq(rec.next_page, pages);
	ck_assert_uint_eq(rec.str_set.n, n);
	/* 320, a file in 16 of them, and the rest of files */
	ck_assert_uint_eq(rec.func_set.n, 320 + 320 / 16 + 2);
	pl_recording_close(&rec);
}
END_TEST

START_TEST(keys_that_are_taken_back_are_nobodys)
{
	const uint64_t gone[] = { 32, 64 };
	struct pl_chunk *chunk;
	struct pl_node *nodes;

	create();
	chunk = pl_recording_chunk(&rec, PL_CHUNK_NODES, 2 * sizeof(*nodes), 0);
	nodes = (struct pl_node *)(chunk + 1);
	nodes[0].key = 32;
	nodes[1].key = 48;
	chunk->used = 2 * sizeof(*nodes);
	for (uint64_t key = 16; key <= 64; key += 16)
		pl_recording_set_key(&rec, key, (uint32_t)key + 1);
	ck_assert(pl_recording_forget_keys(&rec, gone, 0));
	ck_assert_uint_eq(pl_recording_key(&rec, 64), 65);
	ck_assert(pl_recording_forget_keys(&rec, gone, 2));
	for (uint64_t key = 16; key <= 64; key += 16)
		ck_assert_uint_eq(pl_recording_key(&rec, key),
				  key % 32 ? key + 1 : 0);
	ck_assert_uint_eq(nodes[0].key, 0);
	ck_assert_uint_eq(nodes[1].key, 48);
	pl_recording_close(&rec);
}
END_TEST

START_TEST(chunks_follow_one_another_and_are_counted)
{
	struct pl_chunk *a, *b;

	create();
	a = pl_recording_chunk(&rec, PL_CHUNK_NODES, 3 * PL_PAGE, 5);
	b = pl_recording_chunk(&rec, PL_CHUNK_STACK, 10, 6);
	ck_assert_uint_eq(a->magic, PL_CHUNK_MAGIC);
	ck_assert_uint_eq(a->n_cells, 4 * PL_PAGE / PL_CELL);
	ck_assert_uint_eq(a->owner, 5);
	ck_assert_ptr_eq((char *)a + 4 * PL_PAGE, (char *)b);
	ck_assert_uint_eq(rec.header->n_cells,
			  pl_cell_of(&rec, b) + b->n_cells);
	pl_recording_close(&rec);
}
END_TEST

/* Past its limit a file would bring the host SIGXFSZ. */
START_TEST(the_limit_of_file_size_is_an_error_and_no_signal)
{
	struct rlimit limit = { 1 << 20, 1 << 20 };
	struct pl_chunk *chunk = NULL;
	int n = 0;

	create();
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	while (n < 1000 && (chunk = pl_recording_chunk(&rec, PL_CHUNK_NODES,
						       60000, 0)))
		n++;
	ck_assert_ptr_null(chunk);
	ck_assert_int_gt(n, 5);
	ck_assert(rec.header->flags & PL_REC_F_LOST);
	pl_recording_close(&rec);
}
END_TEST

/* To be refused takes time, and what runs is somebody's program. */
START_TEST(where_there_is_no_room_is_asked_seldom_but_again)
{
	const size_t bytes = 60000;
	struct rlimit limit = { 1 << 20, RLIM_INFINITY };
	int refused = 0;

	create();
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	while (pl_recording_chunk(&rec, PL_CHUNK_NODES, bytes, 0))
		;
	for (int i = 0; i < 300000; i++)
		if (pl_recording_chunk(&rec, PL_CHUNK_NODES, bytes, 0))
			ck_abort_msg("more than the limit");
	limit.rlim_cur = RLIM_INFINITY;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	while (!pl_recording_chunk(&rec, PL_CHUNK_NODES, bytes, 0))
		refused++;
	ck_assert_int_gt(refused, 0);
	ck_assert_int_lt(refused, 64 * 1024);
	/* And as before: it is asked at once. */
	for (int i = 0; i < 100; i++)
		ck_assert_ptr_nonnull(pl_recording_chunk(&rec, PL_CHUNK_NODES,
							 bytes, 0));
	pl_recording_close(&rec);
}
END_TEST

/* A daemon that closes all descriptors and opens others. */
START_TEST(a_descriptor_that_became_another_file_is_not_written)
{
	char other[128];
	struct stat st;
	int fd;

	create();
	snprintf(other, sizeof(other), "%s/other", dir);
	fd = open(other, O_RDWR | O_CREAT, 0600);
	dup2(fd, rec.fd);
	for (int i = 0; i < 20; i++)
		ck_assert_ptr_nonnull(pl_recording_chunk(
			&rec, PL_CHUNK_NODES, 1 << 18, 0));
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_int_eq(st.st_size, 0);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_gt(st.st_size, 20 << 18);
	close(fd);
	unlink(other);
	pl_recording_close(&rec);
}
END_TEST

#if !defined(__SANITIZE_ADDRESS__)	/* its shadow needs terabytes */
START_TEST(little_address_space_is_enough)
{
	struct rlimit limit;

	getrlimit(RLIMIT_AS, &limit);
	limit.rlim_cur = (rlim_t)2 << 30;
	ck_assert_int_eq(setrlimit(RLIMIT_AS, &limit), 0);
	create();
	ck_assert_uint_lt(rec.reserved, (size_t)2 << 30);
	ck_assert_ptr_nonnull(pl_recording_chunk(&rec, PL_CHUNK_NODES, 60000,
						 0));
	pl_recording_close(&rec);
}
END_TEST
#endif

/* Each of the two clocks is read between two readings of ours. */
static void sync_now(struct pl_sync *sync, enum pl_tick_source source)
{
	int64_t real = pl_clock_ns(CLOCK_REALTIME);
	int64_t mono = pl_clock_ns(CLOCK_MONOTONIC);

	pl_clock_sync(sync, PL_CLOCK_WALL, source);
	ck_assert_int_ge(sync->mono_ns, mono);
	ck_assert_int_le(sync->mono_ns, pl_clock_ns(CLOCK_MONOTONIC));
	ck_assert_int_ge(sync->real_ns, real);
	ck_assert_int_le(sync->real_ns, pl_clock_ns(CLOCK_REALTIME));
}

START_TEST(ticks_and_the_monotonic_clock_agree)
{
	enum pl_tick_source source = pl_clock_source();
	struct pl_sync a, b;
	double rate;

	sync_now(&a, source);
	while (pl_clock_ns(CLOCK_MONOTONIC) - a.mono_ns < 20000000)
		;
	sync_now(&b, source);
	ck_assert_uint_gt(b.ticks, a.ticks);
	rate = (double)(b.ticks - a.ticks) / (double)(b.mono_ns - a.mono_ns);
	if (source == PL_TICK_NS)
		ck_assert_double_eq_tol(rate, 1, 0.001);
	else
		ck_assert_double_eq_tol(rate, pl_clock_hz() ?
					(double)pl_clock_hz() / 1e9 : rate,
					0.01 * rate);
}
END_TEST

Suite *suite_recording(void)
{
	Suite *s = suite_create("recording");
	TCase *tc = tcase_create("recording");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_new_file_is_ours_alone_and_out_of_the_way);
	tcase_add_test(tc, an_existing_file_is_never_touched);
	tcase_add_test(tc, equal_text_and_equal_labels_have_one_number);
	tcase_add_test(tc, a_hundred_thousand_names_are_found_again);
	tcase_add_test(tc, past_max_functions_one_stands_for_those_of_its_file);
	tcase_add_test(tc, past_max_functions_nothing_grows);
	tcase_add_test(tc, keys_that_are_taken_back_are_nobodys);
	tcase_add_test(tc, chunks_follow_one_another_and_are_counted);
	tcase_add_test(tc, the_limit_of_file_size_is_an_error_and_no_signal);
	tcase_add_test(tc, where_there_is_no_room_is_asked_seldom_but_again);
	tcase_add_test(tc, a_descriptor_that_became_another_file_is_not_written);
#if !defined(__SANITIZE_ADDRESS__)
	tcase_add_test(tc, little_address_space_is_enough);
#endif
	tcase_add_test(tc, ticks_and_the_monotonic_clock_agree);
	suite_add_tcase(s, tc);
	return s;
}
