/* SPDX-License-Identifier: MIT */
/*
 * test_nomem.c: the first allocation fails, then the second, and so on until
 * one try needs no more of them than have been had.  Of SQLite's, which are
 * thousands and have been through this at home, every one when PL_NOMEM_ALL is
 * in the environment, else some.
 *
 * The linker puts the functions below in the place of malloc and its kin, for
 * all of core and store; SQLite is told to use them.  Each try must say that it
 * failed, or have done the whole: nothing else is different, nothing crashes,
 * all that was taken is given back, and no recording is gone that is not in
 * the database.
 *
 * libcheck is linked in as well, and every ck_assert allocates: none of them
 * while memory is short.
 */
#include <config.h>

#include "suites.h"

#include "script.h"

#include "core/recorder_inline.h"

#include <dirent.h>
#include <errno.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* ------------------------------------------------------ the allocations -- */

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t size);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t n);
void __real_free(void *p);
void *__real_mmap(void *at, size_t size, int prot, int flags, int fd,
		  off_t offset);
int __real_munmap(void *at, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t n);
void __wrap_free(void *p);
void *__wrap_mmap(void *at, size_t size, int prot, int flags, int fd,
		  off_t offset);
int __wrap_munmap(void *at, size_t size);

/* What is held, while we watch.  Most are few at a time. */
static struct {
	bool on;			/* counts and fails */
	bool of_sqlite;			/* those are counted, else ours */
	unsigned int n, fail_at;	/* the n-th fails; 0: none */
	bool and_all_after;
	void *held[1 << 12];
	size_t n_held;
} watch;

static bool fails(bool is_sqlite)
{
	if (!watch.on || is_sqlite != watch.of_sqlite)
		return false;
	watch.n++;
	if (!watch.fail_at || watch.n < watch.fail_at ||
	    (watch.n > watch.fail_at && !watch.and_all_after))
		return false;
	errno = ENOMEM;
	return true;
}

static void *hold(void *p)
{
	if (!watch.on || !p || p == MAP_FAILED)
		return p;
	if (watch.n_held == sizeof(watch.held) / sizeof(void *))
		abort();
	watch.held[watch.n_held++] = p;
	return p;
}

static void release(void *p)
{
	for (size_t i = watch.n_held; p && i-- > 0;) {
		if (watch.held[i] != p)
			continue;
		watch.held[i] = watch.held[--watch.n_held];
		return;
	}
}

void *__wrap_malloc(size_t size)
{
	return fails(false) ? NULL : hold(__real_malloc(size));
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails(false) ? NULL : hold(__real_calloc(n, size));
}

void *__wrap_realloc(void *old, size_t size)
{
	if (fails(false))
		return NULL;
	release(old);
	return hold(__real_realloc(old, size));
}

char *__wrap_strdup(const char *text)
{
	return fails(false) ? NULL : hold(__real_strdup(text));
}

char *__wrap_strndup(const char *text, size_t n)
{
	return fails(false) ? NULL : hold(__real_strndup(text, n));
}

void __wrap_free(void *p)
{
	release(p);
	__real_free(p);
}

/* A file that grows is mapped into what was reserved, and goes with that. */
void *__wrap_mmap(void *at, size_t size, int prot, int flags, int fd,
		  off_t offset)
{
	void *p;

	if (fails(false))
		return MAP_FAILED;
	p = __real_mmap(at, size, prot, flags, fd, offset);
	return flags & MAP_FIXED ? p : hold(p);
}

int __wrap_munmap(void *at, size_t size)
{
	release(at);
	return __real_munmap(at, size);
}

/* SQLite wants to know how big a piece is. */
union head {
	int size;
	max_align_t align;
};

static void *sql_malloc(int size)
{
	union head *h = fails(true) ? NULL : hold(
		__real_malloc(sizeof(*h) + (size_t)size));

	if (!h)
		return NULL;
	h->size = size;
	return h + 1;
}

static void sql_free(void *p)
{
	if (p)
		__wrap_free((union head *)p - 1);
}

static void *sql_realloc(void *p, int size)
{
	union head *h = (union head *)p - 1;

	if (fails(true))
		return NULL;
	release(h);
	h = hold(__real_realloc(h, sizeof(*h) + (size_t)size));
	if (!h)
		return NULL;
	h->size = size;
	return h + 1;
}

static int sql_size(void *p)
{
	return p ? ((union head *)p - 1)->size : 0;
}

static int sql_round(int size)
{
	return (size + 7) & ~7;
}

static int sql_init(void *arg)
{
	(void)arg;
	return SQLITE_OK;
}

static void sql_shutdown(void *arg)
{
	(void)arg;
}

static const sqlite3_mem_methods sql_methods = {
	sql_malloc, sql_free, sql_realloc, sql_size,
	sql_round, sql_init, sql_shutdown, NULL,
};

/* -------------------------------------------------------------- the loop -- */

static char dir[64], db[128], text[1 << 14];
static char *out;

static void setup(void)
{
	static bool is_told;

	/* In memory, where there is such a file system: this is thousands of
	 * transactions. */
	strcpy(dir, access("/dev/shm", W_OK) ? "/tmp/pl-nomem-XXXXXX"
					     : "/dev/shm/pl-nomem-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	sprintf(db, "%s/p.db", dir);
	setenv("XDG_RUNTIME_DIR", dir, 1);
	if (is_told)
		return;
	/* No pool of its own for small pieces: each one may fail. */
	sqlite3_shutdown();
	ck_assert_int_eq(sqlite3_config(SQLITE_CONFIG_MALLOC, &sql_methods),
			 SQLITE_OK);
	ck_assert_int_eq(sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0),
			 SQLITE_OK);
	ck_assert_int_eq(sqlite3_initialize(), SQLITE_OK);
	is_told = true;
}

/* Count the files of the folder whose names have @part in them, or delete
 * them. */
static int each_file(const char *part, bool and_delete)
{
	struct dirent *entry;
	DIR *d = opendir(dir);
	int n = 0;

	ck_assert_ptr_nonnull(d);
	while ((entry = readdir(d))) {
		if (*entry->d_name == '.' || !strstr(entry->d_name, part))
			continue;
		n++;
		if (and_delete)
			unlinkat(dirfd(d), entry->d_name, 0);
	}
	closedir(d);
	return n;
}

static void clear(void)
{
	char fallback[128];

	each_file("", true);
	snprintf(fallback, sizeof(fallback), "%s/proflite", dir);
	rmdir(fallback);
}

static void teardown(void)
{
	clear();
	rmdir(dir);
}

static void say(const char *fmt, ...)
	__attribute__((format(printf, 1, 2)));

static void say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	out += vsnprintf(out, (size_t)(text + sizeof(text) - out), fmt, ap);
	va_end(ap);
	if (out >= text + sizeof(text))
		abort();
}

struct scenario {
	/* Make what @run needs, with memory. */
	void (*prepare)(void);
	/* With little memory: what there is to tell, by say(). */
	int (*run)(struct pl_error *err);
	/* With memory again: is nothing lost?  @rc is of @run. */
	void (*check)(int rc);
};

/* One try: did it come to the allocation that fails? */
static bool try_once(const struct scenario *s, unsigned int fail_at,
		     bool and_all_after, const char *whole)
{
	struct pl_error err = { 0 };
	int rc;

	clear();
	s->prepare();
	out = text;
	*out = '\0';
	watch.n = 0;
	watch.fail_at = fail_at;
	watch.and_all_after = and_all_after;
	watch.n_held = 0;
	watch.on = true;
	rc = s->run(&err);
	watch.on = false;
	ck_assert_msg(!watch.n_held, "%zu pieces of memory were kept when "
		      "allocation %u failed", watch.n_held, fail_at);
	if (rc)
		ck_assert_msg(*err.text, "no sentence for failure %d at %u",
			      rc, fail_at);
	else if (whole)
		ck_assert_msg(!strcmp(text, whole), "allocation %u%s failed, "
			      "and nobody said so:\n%s\ninstead of\n%s",
			      fail_at, watch.of_sqlite ? " of SQLite's" : "",
			      text, whole);
	s->check(rc);
	return fail_at && watch.n >= fail_at;
}

static void try_all(const struct scenario *s)
{
	static char whole[sizeof(text)];
	bool each = getenv("PL_NOMEM_ALL");
	unsigned int n;

	watch.of_sqlite = false;
	ck_assert(!try_once(s, 0, false, NULL));
	strcpy(whole, text);
	ck_assert_str_ne(whole, "");
	for (n = 1; try_once(s, n, false, whole) | try_once(s, n, true, whole);)
		n++;
	ck_assert_uint_gt(n, 1);
	watch.of_sqlite = true;
	for (n = 1; try_once(s, n, n % 2, whole);)
		n += each ? 1 : 1 + n / 8;
}

/* ---------------------------------------------------------------- recording -- */

enum { N_DEEP = 300, N_WIDE = 40 };

/* Deep enough for the stack to grow, wide enough for tables of children. */
static void play(struct script *s)
{
	char name[16];

	for (int i = 0; i < N_DEEP; i++) {
		snprintf(name, sizeof(name), "d%d", i % 7);
		script_enter(s, name, 0);
	}
	for (int i = 0; i < N_DEEP; i++)
		script_leave(s);
	for (int i = 0; i < N_WIDE; i++) {
		snprintf(name, sizeof(name), "w%d", i);
		script_enter(s, name, 0);
		script_leave(s);
	}
}

static void begin_file(struct script *s)
{
	script_begin_file(s, db, NULL, NULL);
}

/* Leave a recording beside the database, of a process that is gone. */
static void leave_recording(void)
{
	struct script s;

	begin_file(&s);
	play(&s);
	s.session.rec.header->pid = 1;
	s.session.rec.header->proc_start = 1;
	pl_session_finish(&s.session, PL_END_EXIT, 0);
	script_end(&s);
}

static void no_preparation(void)
{
}

static uint64_t n_counted, n_lost;
static bool says_lost;

/* A recording is made, by a program that has little memory: what does not fit
 * is said in it. */
static int record(struct pl_error *err)
{
	struct pl_options *o;
	struct script s = { 0 };
	int rc;

	o = &s.session.options;
	pl_options_init(o);
	o->clock = PL_CLOCK_STEP;
	snprintf(o->out, sizeof(o->out), "%s", db);
	n_counted = n_lost = 0;
	rc = pl_session_open_process(&s.session, NULL, err);
	if (rc)
		return rc;
	rc = pl_session_start(&s.session, err);
	if (!rc && pl_session_recorder(&s.session)) {
		play(&s);
		n_counted = N_DEEP + N_WIDE;
		n_lost = pl_session_recorder(&s.session)->n_lost;
	}
	says_lost = s.session.rec.header->flags & PL_REC_F_LOST;
	say("done");
	pl_session_stop(&s.session);
	pl_session_finish(&s.session, PL_END_EXIT, 0);
	pl_session_close(&s.session);
	/* Without a file that was asked for there is a sentence, and rc 0. */
	return rc;
}

static void check_record(int rc)
{
	if (rc)
		return;
	/* Every call is counted, or counted as lost. */
	ck_assert_uint_le(n_lost, n_counted);
	ck_assert(!n_lost || says_lost);
	ck_assert(n_counted || says_lost);
}

static const struct scenario recording = { no_preparation, record,
					   check_record };

/* What a Profile does.  The probe ends, and counts, what is on. */
static enum pl_session_state state;

static int begin_private(struct pl_error *err)
{
	struct pl_session s = { .no_subcalls = true };
	int rc;

	state = PL_SESSION_IDLE;
	rc = pl_session_open_private(&s, PL_CLOCK_STEP, err);
	if (rc)
		return rc;
	rc = pl_session_start(&s, err);
	state = s.state;
	say("done");
	pl_session_stop(&s);
	pl_session_close(&s);
	return rc;
}

static void check_state(int rc)
{
	ck_assert_int_eq(state, rc ? PL_SESSION_IDLE : PL_SESSION_ON);
}

static const struct scenario beginning = { no_preparation, begin_private,
					   check_state };

/* A thread ends and the next one takes its tree over, with a cap on functions
 * as well.  What could not be attached has no calls. */
static int record_again(struct pl_error *err)
{
	struct pl_recorder *r;
	struct script s = { 0 };
	int rc;

	pl_options_init(&s.session.options);
	s.session.options.max_threads = 1;
	s.session.options.max_functions = 10;
	rc = pl_session_open_private(&s.session, PL_CLOCK_STEP, err);
	n_counted = n_lost = 0;
	for (int i = 0; !rc && i < 3; i++) {
		rc = pl_session_start(&s.session, err);
		r = rc ? NULL : pl_session_recorder(&s.session);
		if (r) {
			uint64_t before = r->n_lost;

			play(&s);
			n_counted += N_DEEP + N_WIDE;
			n_lost += r->n_lost - before;
		}
		pl_session_stop(&s.session);
		pl_session_split(&s.session);
	}
	says_lost = s.session.rec.header &&
		    s.session.rec.header->flags & PL_REC_F_LOST;
	say("done");
	if (s.session.rec.header)
		pl_session_close(&s.session);
	return rc;
}

static const struct scenario taking_over = { no_preparation, record_again,
					     check_record };

/* -------------------------------------------------------------- reading it -- */

static struct script source;

static void prepare_source(void)
{
	script_begin(&source, PL_CLOCK_STEP);
	play(&source);
	pl_recording_sync(&source.session.rec);
}

static int read_recording(struct pl_error *err)
{
	struct pl_aggregate agg = { 0 };
	struct pl_tree tree = { 0 };
	struct pl_recfile rf;
	int rc = pl_recfile_view(&rf, source.session.rec.base,
				 pl_session_bytes(&source.session), err);

	if (rc)
		return rc;
	rc = pl_tree_load(&tree, &rf, rf.recorders[0], err);
	if (!rc)
		rc = pl_aggregate_init(&agg, rf.n_func_slots, err);
	if (!rc)
		rc = pl_aggregate_add(&agg, &tree, err);
	for (uint32_t i = 0; !rc && i < agg.n_funcs; i++)
		say("%llu %llu %lld ", (unsigned long long)agg.funcs[i].calls,
		    (unsigned long long)agg.funcs[i].primitive,
		    (long long)agg.funcs[i].cum_ns);
	say("%u %u%s", tree.n, agg.n_edges, rf.damage);
	pl_aggregate_release(&agg);
	pl_tree_release(&tree);
	pl_recfile_close(&rf);
	return rc;
}

static void check_source(int rc)
{
	(void)rc;
	script_end(&source);
}

static const struct scenario reading = { prepare_source, read_recording,
					 check_source };

/* ------------------------------------------------------ into the database -- */

static int open_store(struct pl_store **store, enum pl_store_mode mode,
		      struct pl_error *err)
{
	return pl_store_open(store, db, mode, 0, err);
}

/* A database that was made once is kept in @image, and copied from then on. */
static void copy_database(char *image, size_t most, size_t *size)
{
	FILE *f = fopen(db, *size ? "w" : "r");

	ck_assert_ptr_nonnull(f);
	if (*size)
		ck_assert_uint_eq(fwrite(image, 1, *size, f), *size);
	else
		*size = fread(image, 1, most, f);
	ck_assert_uint_lt(*size, most);
	fclose(f);
}

static void make_empty(void)
{
	struct pl_store *store;
	struct pl_error err;

	ck_assert_int_eq(open_store(&store, PL_STORE_WRITE, &err), 0);
	pl_store_close(store);
}

/* What is in the database now, "" when there is none. */
static const char *count_rows(void)
{
	static char rows[256];
	sqlite3_stmt *stmt;
	sqlite3 *raw;

	*rows = '\0';
	if (sqlite3_open_v2(db, &raw, SQLITE_OPEN_READONLY, NULL) ==
		    SQLITE_OK &&
	    sqlite3_prepare_v2(raw, "SELECT count(*) || ' ' || "
			       "(SELECT total(calls) FROM nodes) || ' ' || "
			       "(SELECT group_concat(ifnull(command, '-')) "
			       "FROM processes) || "
			       "(SELECT group_concat(integrity_check) FROM "
			       "pragma_integrity_check) FROM runs", -1, &stmt,
			       NULL) == SQLITE_OK) {
		if (sqlite3_step(stmt) == SQLITE_ROW)
			snprintf(rows, sizeof(rows), "%s",
				 (const char *)sqlite3_column_text(stmt, 0));
		sqlite3_finalize(stmt);
	}
	sqlite3_close(raw);
	return rows;
}

static int n_recordings(void)
{
	return each_file(".plrec", false);
}

/* Making the tables is in other scenarios. */
static void prepare_ingest(void)
{
	static char image[1 << 20];
	static size_t size;

	if (!size)
		make_empty();
	copy_database(image, sizeof(image), &size);
	leave_recording();
}

static int take_in(struct pl_error *err)
{
	int rc = pl_store_ingest_pending(db, 0, NULL, NULL, err);

	if (rc >= 0)
		say("done");
	return rc < 0 ? rc : 0;
}

/* Where the recording was before, it is now or in the database, not cut. */
static void check_taken_in(int rc)
{
	struct pl_error err;

	(void)rc;
	if (n_recordings())
		ck_assert_int_eq(pl_store_ingest_pending(db, 0, NULL, NULL,
							 &err), 1);
	ck_assert_int_eq(n_recordings(), 0);
	ck_assert_ptr_nonnull(strstr(count_rows(), "1 340.0 "));
	ck_assert_ptr_null(strstr(count_rows(), " -"));
	ck_assert_ptr_nonnull(strstr(count_rows(), "ok"));
}

static const struct scenario ingesting = { prepare_ingest, take_in,
					   check_taken_in };

/* --------------------------------------------------------- and out of it -- */

static void prepare_database(void)
{
	static char image[1 << 20];
	static size_t size;
	struct pl_error err;

	if (!size) {
		leave_recording();
		ck_assert_int_eq(pl_store_ingest_pending(db, 0, NULL, NULL,
							 &err), 1);
	}
	copy_database(image, sizeof(image), &size);
}

static int read_trees(struct pl_store *store, const struct pl_profile *p,
		      struct pl_error *err)
{
	struct pl_select all = { 0 };
	struct pl_thread *threads;
	struct pl_tree tree = { 0 };
	size_t n;
	int rc = pl_store_threads(store, &all, &threads, &n, err);

	for (size_t i = 0; !rc && i < n; i++) {
		rc = pl_store_load_tree(store, &threads[i], p, &tree, err);
		say("%u %s ", tree.n, threads[i].name ? threads[i].name : "-");
	}
	pl_tree_release(&tree);
	pl_threads_free(threads, n);
	return rc;
}

static int read_profile(struct pl_store *store, struct pl_error *err)
{
	struct pl_select all = { 0 };
	struct pl_profile p;
	int rc = pl_store_load(store, &all, true, &p, err);

	if (rc)
		return rc;
	for (uint32_t i = 0; i < p.n_funcs; i++)
		say("%s:%s %llu ", p.funcs[i].file, p.funcs[i].name,
		    (unsigned long long)p.funcs[i].f.calls);
	say("%u ", p.n_edges);
	rc = read_trees(store, &p, err);
	pl_profile_release(&p);
	return rc;
}

static int read_runs(struct pl_store *store, struct pl_error *err)
{
	struct pl_process *processes;
	struct pl_run *runs;
	size_t n, n_processes;
	int rc = pl_store_runs(store, &runs, &n, err);

	for (size_t i = 0; !rc && i < n; i++) {
		say("%s %s %s ", runs[i].command, runs[i].cwd, runs[i].end);
		rc = pl_store_processes(store, runs[i].id, &processes,
					&n_processes, err);
		for (size_t k = 0; !rc && k < n_processes; k++)
			say("%s %s ", processes[k].command,
			    processes[k].clock);
		pl_processes_free(processes, n_processes);
	}
	pl_runs_free(runs, n);
	return rc;
}

static int read_database(struct pl_error *err)
{
	struct pl_store *store;
	int rc = open_store(&store, PL_STORE_READ, err);

	if (!rc)
		rc = read_runs(store, err);
	if (!rc)
		rc = read_profile(store, err);
	pl_store_close(store);
	return rc;
}

static void check_database(int rc)
{
	(void)rc;
	ck_assert_ptr_nonnull(strstr(count_rows(), "1 340.0 "));
}

static const struct scenario report = { prepare_database, read_database,
					check_database };

/* ------------------------------------------------------- merge and import -- */

static void prepare_merge(void)
{
	char from[160], to[160];

	prepare_database();
	snprintf(from, sizeof(from), "%s", db);
	snprintf(to, sizeof(to), "%s/from.db", dir);
	ck_assert_int_eq(rename(from, to), 0);
}

static int merge(struct pl_error *err)
{
	struct pl_merge_result result;
	struct pl_store *store;
	char from[160];
	int rc = open_store(&store, PL_STORE_WRITE, err);

	snprintf(from, sizeof(from), "%s/from.db", dir);
	if (!rc)
		rc = pl_store_merge(store, from, &result, err);
	pl_store_close(store);
	say("done");
	return rc;
}

static void check_merged(int rc)
{
	if (!rc)
		ck_assert_ptr_nonnull(strstr(count_rows(), "1 340.0 "));
	else
		ck_assert_ptr_null(strstr(count_rows(), "1 340.0 "));
}

static const struct scenario merging = { prepare_merge, merge, check_merged };

static int import(struct pl_error *err)
{
	struct pl_pfunc funcs[2] = {
		{ .file = "a.py", .name = "f", .line = 1, .f = { .calls = 3 } },
		{ .file = "a.py", .name = "g", .line = 9, .qualname = "C.g" },
	};
	struct pl_pedge edge = { .caller = 1, .callee = 0 };
	struct pl_profile p = { .funcs = funcs, .n_funcs = 2, .edges = &edge,
				.n_edges = 1 };
	struct pl_ingest_result result;
	struct pl_store *store;
	int rc = open_store(&store, PL_STORE_WRITE, err);

	if (!rc)
		rc = pl_store_import(store, &p, "label", "a\0b", 3, &result,
				     err);
	pl_store_close(store);
	say("done");
	return rc;
}

static void check_imported(int rc)
{
	ck_assert_msg(!strncmp(count_rows(), "1 0.0 a bok", 11) == !rc,
		      "%s", count_rows());
}

static const struct scenario importing = { no_preparation, import,
					   check_imported };

/* ------------------------------------------------------------------------ */

static const struct scenario *const scenarios[] = {
	&recording, &beginning, &reading,   &ingesting,
	&report,    &merging,	&importing, &taking_over,
};

START_TEST(whichever_allocation_fails_nothing_is_lost)
{
	try_all(scenarios[_i]);
}
END_TEST

Suite *suite_nomem(void)
{
	Suite *s = suite_create("nomem");
	TCase *tc = tcase_create("nomem");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, whichever_allocation_fails_nothing_is_lost, 0,
			    sizeof(scenarios) / sizeof(*scenarios));
	suite_add_tcase(s, tc);
	return s;
}
