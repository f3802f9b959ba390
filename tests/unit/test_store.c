/* SPDX-License-Identifier: MIT */
/* test_store.c: recordings into a database, and out of it again. */
#include <config.h>

#include "suites.h"

#include "script.h"

#include "core/uuid.h"
#include "store/command.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <utime.h>
#include <unistd.h>

static char dir[64], db[128];
static struct pl_store *store;
static struct pl_error err;
static struct pl_ingest_result result;

static void setup(void)
{
	strcpy(dir, "/tmp/pl-store-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	sprintf(db, "%s/p.db", dir);
	setenv("XDG_RUNTIME_DIR", dir, 1);
	memset(&err, 0, sizeof(err));
	store = NULL;
}

static void close_db(void)
{
	pl_store_close(store);
	store = NULL;
}

static void teardown(void)
{
	char command[256];

	close_db();
	snprintf(command, sizeof(command), "chmod -R u+w %s; rm -rf %s", dir,
		 dir);
	ck_assert_int_eq(system(command), 0);
}

static void open_db(enum pl_store_mode mode)
{
	close_db();
	ck_assert_msg(!pl_store_open(&store, db, mode, 5000, &err), "%s",
		      err.text);
}

static void ingest(const struct pl_recfile *rf, enum pl_end end)
{
	if (!store)
		open_db(PL_STORE_WRITE);
	ck_assert_msg(!pl_store_ingest(store, rf, end, -1, &result, &err),
		      "%s", err.text);
}

/* The result of a query: columns separated by |, rows by newlines. */
static const char *query(const char *sql)
{
	static char text[1 << 16];
	sqlite3_stmt *stmt;
	char *out = text;
	sqlite3 *raw;

	text[0] = '\0';
	ck_assert_int_eq(sqlite3_open_v2(db, &raw, SQLITE_OPEN_READONLY, NULL),
			 SQLITE_OK);
	sqlite3_busy_timeout(raw, 5000);
	ck_assert_msg(sqlite3_prepare_v2(raw, sql, -1, &stmt, NULL) ==
		      SQLITE_OK, "%s: %s", sql, sqlite3_errmsg(raw));
	while (sqlite3_step(stmt) == SQLITE_ROW) {
		for (int i = 0; i < sqlite3_column_count(stmt); i++) {
			const unsigned char *c = sqlite3_column_text(stmt, i);

			out += sprintf(out, "%s%s", i ? "|" :
				       out > text ? "\n" : "",
				       c ? (const char *)c : "NULL");
		}
	}
	sqlite3_finalize(stmt);
	sqlite3_close(raw);
	return text;
}

static void change(const char *sql)
{
	sqlite3 *raw;

	ck_assert_int_eq(sqlite3_open(db, &raw), SQLITE_OK);
	ck_assert_msg(sqlite3_exec(raw, sql, NULL, NULL, NULL) == SQLITE_OK,
		      "%s", sqlite3_errmsg(raw));
	sqlite3_close(raw);
}

static void check_integrity(void)
{
	ck_assert_str_eq(query("PRAGMA integrity_check"), "ok");
	ck_assert_str_eq(query("PRAGMA foreign_key_check"), "");
}

static bool exists(const char *path)
{
	return !access(path, F_OK);
}

/* ---------------------------------------------------------------- ingest -- */

START_TEST(rows_are_those_of_the_tree)
{
	struct script s;

	script_begin(&s, PL_CLOCK_STEP);
	script_play(&s, "a(b() b() *c()) b()");
	ingest(script_read(&s), PL_END_EXIT);
	ck_assert_str_eq(query("SELECT n.id, parent_id, last_id, name, calls, "
			       "resumes, total_ns, self_ns, min_ns, max_ns "
			       "FROM nodes n LEFT JOIN functions f "
			       "ON f.id = function_id"),
			 "1|NULL|5|NULL|0|0|10|2|NULL|NULL\n"
			 "2|1|4|a|1|0|7|4|7|7\n"
			 "3|2|3|b|2|0|2|2|1|1\n"
			 "4|2|4|c|0|1|1|1|1|1\n"
			 "5|1|5|b|1|0|1|1|1|1");
	ck_assert_str_eq(query("SELECT run_id, ncalls, primcalls, tottime, "
			       "cumtime, filename, line, function "
			       "FROM pstats ORDER BY function"),
			 "1|1|1|4.0e-09|7.0e-09|f.py|97|a\n"
			 "1|3|3|3.0e-09|3.0e-09|f.py|98|b\n"
			 "1|1|1|1.0e-09|1.0e-09|f.py|99|c");
	ck_assert_str_eq(query("SELECT function, caller_function, ncalls, "
			       "tottime FROM callers ORDER BY function"),
			 "b|a|2|2.0e-09\nc|a|1|1.0e-09");
	ck_assert_str_eq(query("SELECT function, callee_function, ncalls, "
			       "tottime FROM callees ORDER BY 2"),
			 "a|b|2|2.0e-09\na|c|1|1.0e-09");
	ck_assert_str_eq(query("SELECT path, ncalls FROM call_paths"),
			 "(thread)|0\na|1\na > b|2\na > c|1\nb|1");
	ck_assert_uint_eq(result.n_nodes, 5);
	ck_assert(!result.already);
	check_integrity();
	script_end(&s);
}
END_TEST

START_TEST(ingesting_again_changes_nothing)
{
	struct script s;

	script_begin(&s, PL_CLOCK_STEP);
	script_play(&s, "a()");
	ingest(script_read(&s), PL_END_EXIT);
	ingest(script_read(&s), PL_END_EXIT);
	ck_assert(result.already);
	ck_assert_int_eq(result.run_id, 1);
	ck_assert_int_eq(result.process_id, 1);
	/* what is known to have ended is not un-ended, or re-ended */
	script_play(&s, "b()");
	ingest(script_read(&s), PL_END_RUNNING);
	ck_assert(result.already);
	ingest(script_read(&s), PL_END_KILLED);
	ck_assert(result.already);
	ck_assert_str_eq(query("SELECT end_reason, count(*) FROM processes"),
			 "exit|1");
	ck_assert_str_eq(query("SELECT count(*) FROM nodes"), "2");
	script_end(&s);
}
END_TEST

START_TEST(living_recording_is_replaced_by_its_later_state)
{
	static const enum pl_end order[] = {
		PL_END_RUNNING, PL_END_RUNNING, PL_END_STOPPED, PL_END_STOPPED,
		PL_END_KILLED, PL_END_EXIT,
	};
	struct script s, other;

	script_begin(&s, PL_CLOCK_STEP);
	script_begin(&other, PL_CLOCK_STEP);
	script_play(&other, "x(y())");
	for (size_t i = 0; i < sizeof(order) / sizeof(*order); i++) {
		char want[64];

		script_play(&s, "a(b())");
		ingest(script_read(&s), order[i]);
		ck_assert(!result.already);
		ck_assert_int_eq(result.process_id, 1);
		/* another one in between: node numbers are not in a row */
		ingest(script_read(&other), PL_END_EXIT);
		sprintf(want, "a|%zu\nb|%zu\nx|1\ny|1", i + 1, i + 1);
		ck_assert_str_eq(query("SELECT function, ncalls FROM pstats "
				       "ORDER BY function"), want);
		ck_assert_str_eq(query("SELECT count(*) FROM nodes"), "6");
	}
	ck_assert_str_eq(query("SELECT end_reason FROM processes WHERE id = 1"),
			 "exit");
	check_integrity();
	script_end(&other);
	script_end(&s);
}
END_TEST

static const char who_called_a[] =
	"SELECT pid, calls FROM processes p "
	"JOIN threads t ON t.process_id = p.id "
	"JOIN function_stats s ON s.thread_id = t.id "
	"JOIN functions f ON f.id = s.function_id WHERE f.name = 'a' ORDER BY 1";

static void begin_namesake(struct script *s, uint32_t pid, const char *play)
{
	script_begin(s, PL_CLOCK_STEP);
	script_play(s, play);
	memset(s->session.rec.header->uuid, 7, 16);
	memset(s->session.rec.header->run_uuid, 8, 16);
	s->session.rec.header->pid = pid;
}

/* Forks have made two processes with one uuid: neither takes the place of the
 * other, and each is known again. */
START_TEST(another_process_with_the_same_uuid_is_another)
{
	static struct script s[2];

	begin_namesake(&s[0], 100, "a()");
	begin_namesake(&s[1], 101, "a() a()");
	for (int i = 0; i < 6; i++) {
		ingest(script_read(&s[i % 2]), PL_END_KILLED);
		ck_assert_int_eq(result.already, i >= 2);
	}
	ck_assert_str_eq(query(who_called_a), "100|1\n101|2");
	check_integrity();
	script_end(&s[0]);
	script_end(&s[1]);
}
END_TEST

START_TEST(the_same_when_databases_are_merged)
{
	static struct script s[2];
	struct pl_merge_result merged;
	char from[2][160];

	begin_namesake(&s[0], 100, "a()");
	begin_namesake(&s[1], 101, "a() a()");
	for (int i = 0; i < 2; i++) {
		sprintf(db, "%s/p.db", dir);
		ingest(script_read(&s[i]), PL_END_KILLED);
		close_db();
		sprintf(from[i], "%s/%d.db", dir, i);
		ck_assert_int_eq(rename(db, from[i]), 0);
	}
	open_db(PL_STORE_WRITE);
	for (int i = 0; i < 4; i++) {
		ck_assert_msg(!pl_store_merge(store, from[i % 2], &merged,
					      &err), "%s", err.text);
		ck_assert_int_eq(merged.n_already, i >= 2);
	}
	ck_assert_str_eq(query(who_called_a), "100|1\n101|2");
	check_integrity();
	script_end(&s[0]);
	script_end(&s[1]);
}
END_TEST

START_TEST(the_recordings_own_word_on_its_end_wins)
{
	struct script s;

	script_begin(&s, PL_CLOCK_STEP);
	script_play(&s, "a(");
	pl_session_finish(&s.session, PL_END_SIGNAL, 15);
	ingest(script_read(&s), PL_END_KILLED);
	ck_assert_str_eq(query("SELECT end_reason, end_status FROM processes"),
			 "signal|15");
	script_end(&s);

	script_begin(&s, PL_CLOCK_STEP);
	s.session.rec.header->flags |= PL_REC_F_EXEC_PENDING;
	ingest(script_read(&s), PL_END_KILLED);
	ck_assert_str_eq(query("SELECT end_reason, end_status FROM processes "
			       "WHERE id = 2"), "exec|NULL");
	script_end(&s);
}
END_TEST

START_TEST(functions_are_shared_by_runs)
{
	struct script s;

	for (int i = 0; i < 3; i++) {
		script_begin(&s, PL_CLOCK_STEP);
		script_play(&s, "a(b())");
		ingest(script_read(&s), PL_END_EXIT);
		script_end(&s);
	}
	ck_assert_str_eq(query("SELECT count(*) FROM functions"), "2");
	ck_assert_str_eq(query("SELECT run_id, ncalls FROM pstats "
			       "WHERE function = 'b'"), "1|1\n2|1\n3|1");
	ck_assert_str_eq(query("SELECT count(*) FROM runs"), "3");
}
END_TEST

/* The child of the root that was entered last, to be changed. */
static struct pl_node *first_node(struct script *s)
{
	struct pl_recorder *r = pl_session_recorder(&s->session);
	const struct pl_node *root = pl_recfile_node(script_read(s), r->root);

	return (struct pl_node *)(uintptr_t)pl_recfile_node(&s->rf,
							    root->last);
}

/* Text that is not UTF-8 comes out as it went in. */
START_TEST(any_bytes_survive)
{
	static const char name[] = "na\xed\xb3\xbfme", arg[] = "\xff a\0\0-x'y";
	struct pl_funcdesc d = {
		.file = "", .file_len = 0, .name = name,
		.name_len = sizeof(name) - 1, .line = -3, .kind = PL_FUNC_OTHER,
		.qualname = "Q.n", .qualname_len = 3,
		.module = "m\0n", .module_len = 3,
	};
	struct pl_select sel = { 0 };
	struct pl_profile profile;
	struct script s;

	script_begin(&s, PL_CLOCK_STEP);
	script_play(&s, "a()");
	s.session.rec.header->argv = pl_recording_str(&s.session.rec, arg,
						      sizeof(arg) - 1);
	ck_assert_uint_ne(pl_recording_func(&s.session.rec, &d), 0);
	first_node(&s)->func = pl_recording_func(&s.session.rec, &d);
	ingest(script_read(&s), PL_END_EXIT);
	ck_assert_str_eq(query("SELECT hex(argv), command FROM processes"),
			 "FF206100002D782779|$'\\xff a' '' '-x'\\''y'");
	ck_assert_str_eq(query("SELECT kind, hex(filename), line, hex(name), "
			       "qualname, hex(module) FROM functions"),
			 "other||-3|6E61EDB3BF6D65|Q.n|6D5C7830306E");
	ck_assert_int_eq(pl_store_load(store, &sel, true, &profile, &err), 0);
	ck_assert_uint_eq(profile.n_funcs, 1);
	ck_assert_str_eq(profile.funcs[0].name, name);
	ck_assert_str_eq(profile.funcs[0].file, "");
	ck_assert_int_eq(profile.funcs[0].line, -3);
	ck_assert_int_eq(profile.funcs[0].kind, PL_FUNC_OTHER);
	pl_profile_release(&profile);
	script_end(&s);
}
END_TEST

START_TEST(commands_are_quoted_for_a_shell)
{
	static const struct {
		const char *argv;
		size_t len;
		const char *line;
	} rows[] = {
		{ "", 0, "''" },
		{ "python3\0a.py", 12, "python3 a.py" },
		{ "a b\0\0c", 6, "'a b' '' c" },
		{ "it's", 4, "'it'\\''s'" },
		{ "d\xc3\xa9j\xc3\xa0", 6, "'d\xc3\xa9j\xc3\xa0'" },
		{ "a\nb'\\", 5, "$'a\\x0ab\\'\\\\'" },
		{ "\xc0\x80\xed\xa0\x80", 5, "$'\\xc0\\x80\\xed\\xa0\\x80'" },
		{ "\xf0\x9f\x90\x8d\xf0\x9f", 6,
		  "$'\xf0\x9f\x90\x8d\\xf0\\x9f'" },
		{ "$HOME\0*", 7, "'$HOME' '*'" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char *line = pl_command_quote(rows[i].argv, rows[i].len);

		ck_assert_str_eq(line, rows[i].line);
		free(line);
	}
}
END_TEST

START_TEST(damaged_recording_gives_what_is_left)
{
	struct script s;

	script_begin(&s, PL_CLOCK_STEP);
	script_play(&s, "c() a(b())");
	first_node(&s)->last = 1;
	ingest(script_read(&s), PL_END_EXIT);
	ck_assert_ptr_nonnull(strstr(result.damage, "1 of the links"));
	ck_assert_str_eq(query("SELECT damage IS NOT NULL FROM processes"),
			 "1");
	ck_assert_str_eq(query("SELECT function FROM pstats ORDER BY 1"),
			 "a\nc");
	check_integrity();
	script_end(&s);
}
END_TEST

/* Two functions whose names are lost become one row. */
START_TEST(functions_that_became_one_are_added_up)
{
	struct script s;

	script_begin(&s, PL_CLOCK_STEP);
	script_play(&s, "a(c()) b(c() c())");
	script_read(&s);
	for (uint32_t i = 0; i < s.rf.n_func_slots; i++) {
		struct pl_func *f = (struct pl_func *)(uintptr_t)
			pl_recfile_func(&s.rf, s.rf.func_ids[i]);

		if (f && *script_name(&s.rf, i) != 'c') {
			f->name = 1;
			f->line = 0;
		}
	}
	ingest(script_read(&s), PL_END_EXIT);
	ck_assert_str_eq(query("SELECT ncalls, function FROM pstats"),
			 "2|\n3|c");
	ck_assert_str_eq(query("SELECT calls, min_ns, max_ns FROM call_stats"),
			 "3|1|1");
	script_end(&s);
}
END_TEST

/* ---------------------------------------------------- runs and processes -- */

static void make_process(struct script *s, const char *run, uint32_t pid,
			 uint32_t ppid, int64_t started)
{
	struct pl_rec_header *h;

	script_begin(s, PL_CLOCK_STEP);
	h = s->session.rec.header;
	pl_uuid_parse(run, h->run_uuid);
	h->pid = pid;
	h->ppid = ppid;
	h->start.real_ns = h->latest.real_ns = started;
	script_play(s, "a()");
}

static void ingest_copy(struct script *s)
{
	struct pl_recfile rf;

	/* not synced: the instants are the test's */
	ck_assert_int_eq(pl_recfile_view(&rf, s->session.rec.base,
					 pl_session_bytes(&s->session), &err),
			 0);
	ingest(&rf, PL_END_EXIT);
	pl_recfile_close(&rf);
}

/* Six orders of arrival, one family. */
START_TEST(parents_are_found_in_any_order)
{
	static const int orders[][3] = {
		{ 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 },
		{ 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 },
	};
	static const char run[] = "0123456789abcdef0123456789abcdef";
	struct script p[3];

	make_process(&p[0], run, 10, 1, 100);
	make_process(&p[1], run, 11, 10, 200);
	/* a shell in between: the uuid came down by the environment */
	make_process(&p[2], run, 13, 12, 300);
	memcpy(p[2].session.rec.header->parent_uuid,
	       p[1].session.rec.header->uuid, 16);
	for (int i = 0; i < 3; i++)
		ingest_copy(&p[orders[_i][i]]);
	ck_assert_str_eq(query("SELECT c.pid, p.pid FROM processes c "
			       "LEFT JOIN processes p ON p.id = c.parent_id "
			       "ORDER BY c.pid"),
			 "10|NULL\n11|10\n13|11");
	ck_assert_str_eq(query("SELECT count(*), min(started_ns) FROM runs"),
			 "1|100");
	for (int i = 0; i < 3; i++)
		script_end(&p[i]);
}
END_TEST

START_TEST(pid_used_twice_means_the_later_one)
{
	static const char run[] = "0123456789abcdef0123456789abcdef";
	static const char other[] = "1123456789abcdef0123456789abcdef";
	struct script p[5];

	make_process(&p[0], run, 10, 1, 100);
	make_process(&p[1], run, 20, 10, 150);
	make_process(&p[2], run, 10, 1, 200);	/* exec */
	make_process(&p[3], run, 21, 10, 250);
	make_process(&p[4], other, 22, 10, 250);
	for (int i = 4; i >= 0; i--)
		ingest_copy(&p[i]);
	ck_assert_str_eq(query("SELECT c.pid, p.started_ns FROM processes c "
			       "LEFT JOIN processes p ON p.id = c.parent_id "
			       "WHERE c.pid >= 20 ORDER BY c.pid"),
			 "20|100\n21|200\n22|NULL");
	for (int i = 0; i < 5; i++)
		script_end(&p[i]);
}
END_TEST

START_TEST(runs_are_listed)
{
	static const char run[] = "0123456789abcdef0123456789abcdef";
	struct pl_run *runs;
	struct script p[2];
	size_t n;

	make_process(&p[0], run, 11, 10, 200);
	make_process(&p[1], run, 10, 1, 100);
	p[1].session.rec.header->argv =
		pl_recording_str(&p[1].session.rec, "py\0a b", 6);
	pl_session_finish(&p[1].session, PL_END_EXIT, 3);
	p[1].session.rec.header->start.real_ns = 100;
	ingest_copy(&p[0]);
	ingest_copy(&p[1]);
	ck_assert_int_eq(pl_store_runs(store, &runs, &n, &err), 0);
	ck_assert_uint_eq(n, 1);
	ck_assert_str_eq(runs[0].uuid, run);
	ck_assert_str_eq(runs[0].command, "py 'a b'");
	ck_assert_ptr_null(runs[0].label);
	ck_assert_int_eq(runs[0].started_ns, 100);
	ck_assert_int_eq(runs[0].n_processes, 2);
	ck_assert_int_eq(runs[0].n_threads, 2);
	ck_assert_uint_eq(runs[0].n_calls, 2);
	ck_assert_str_eq(runs[0].end, "exit");
	ck_assert_int_eq(runs[0].end_status, 3);
	pl_runs_free(runs, n);
	script_end(&p[0]);
	script_end(&p[1]);
}
END_TEST

START_TEST(scope_in_a_recorded_run_is_not_counted_twice)
{
	static const char run[] = "0123456789abcdef0123456789abcdef";
	struct pl_select sel = { 0 };
	struct pl_profile profile;
	struct script scope, whole;

	make_process(&scope, run, 10, 1, 200);
	make_process(&whole, run, 10, 1, 100);
	pl_session_recorder(&whole.session)->flags &=
		~(uint32_t)PL_RECORDER_SCOPE;
	/* alone it is the run */
	ingest_copy(&scope);
	ck_assert_str_eq(query("SELECT ncalls FROM pstats"), "1");
	ingest_copy(&whole);
	ck_assert_str_eq(query("SELECT ncalls FROM pstats"), "1");
	ck_assert_str_eq(query("SELECT is_scope, counted FROM threads"),
			 "1|0\n0|1");
	/* asked for, it is shown */
	sel.process_id = 1;
	ck_assert_int_eq(pl_store_load(store, &sel, true, &profile, &err), 0);
	ck_assert_uint_eq(profile.n_funcs, 1);
	pl_profile_release(&profile);
	script_end(&scope);
	script_end(&whole);
}
END_TEST

/* --------------------------------------------------------------- reading -- */

START_TEST(profile_adds_up_processes)
{
	static const char run[] = "0123456789abcdef0123456789abcdef";
	struct pl_select sel = { 0 };
	struct pl_profile profile;
	struct script p[2];

	make_process(&p[0], run, 10, 1, 100);
	make_process(&p[1], run, 11, 10, 200);
	script_play(&p[0], "a(b()) c()");
	script_play(&p[1], "a(b(b()) d())");
	ingest_copy(&p[0]);
	ingest_copy(&p[1]);
	ck_assert_int_eq(pl_store_load(store, &sel, true, &profile, &err), 0);
	ck_assert_uint_eq(profile.n_funcs, 4);
	ck_assert_uint_eq(profile.n_edges, 3);
	ck_assert_int_eq(profile.run_id, 1);
	ck_assert_int_eq(profile.started_ns, 100);
	ck_assert(!profile.folded);
	for (uint32_t i = 1; i < profile.n_funcs; i++)
		ck_assert_int_lt(profile.funcs[i - 1].id,
				 profile.funcs[i].id);
	ck_assert_str_eq(profile.funcs[0].name, "a");
	ck_assert_uint_eq(profile.funcs[0].f.calls, 4);
	ck_assert_int_eq(profile.funcs[0].f.cum_ns, 1 + 3 + 1 + 7);
	ck_assert_int_eq(profile.funcs[0].f.self_ns, 1 + 2 + 1 + 3);
	ck_assert_int_eq(profile.funcs[0].f.min_ns, 1);
	ck_assert_int_eq(profile.funcs[0].f.max_ns, 7);
	/* a>b of both, b>b, a>d */
	ck_assert_uint_eq(profile.edges[0].f.calls, 2);
	ck_assert_int_eq(profile.edges[0].f.cum_ns, 1 + 3);
	pl_profile_release(&profile);

	sel.process_id = 2;
	ck_assert_int_eq(pl_store_load(store, &sel, false, &profile, &err), 0);
	ck_assert_uint_eq(profile.n_edges, 0);
	ck_assert_uint_eq(profile.n_funcs, 3);
	ck_assert_uint_eq(profile.funcs[0].f.calls, 2);
	ck_assert_int_eq(profile.run_id, 1);
	pl_profile_release(&profile);
	script_end(&p[0]);
	script_end(&p[1]);
}
END_TEST

START_TEST(what_is_asked_for_and_absent_is_named)
{
	struct pl_profile profile;
	struct script s;

	open_db(PL_STORE_WRITE);
	ck_assert_int_eq(pl_store_load(store, &(struct pl_select){ 0 }, true,
				       &profile, &err), PL_ERR_NOENT);
	ck_assert_ptr_nonnull(strstr(err.text, "no runs"));
	script_begin(&s, PL_CLOCK_STEP);
	ingest(script_read(&s), PL_END_EXIT);
	script_end(&s);
	ck_assert_int_eq(pl_store_load(store, &(struct pl_select){ .run_id = 7 },
				       true, &profile, &err), PL_ERR_NOENT);
	ck_assert_ptr_nonnull(strstr(err.text, "no run 7"));
	ck_assert_int_eq(pl_store_load(store, &(struct pl_select){ .process_id = 8 },
				       true, &profile, &err), PL_ERR_NOENT);
	ck_assert_ptr_nonnull(strstr(err.text, "no process 8"));
	ck_assert_int_eq(pl_store_load(store, &(struct pl_select){ .thread_id = 9 },
				       true, &profile, &err), PL_ERR_NOENT);
	ck_assert_ptr_nonnull(strstr(err.text, "no thread 9"));
	ck_assert_int_eq(pl_store_load(store, &(struct pl_select){
					       .run_id = 1, .process_id = 9 },
				       true, &profile, &err), PL_ERR_NOENT);
	/* a run without a single call is a run */
	ck_assert_int_eq(pl_store_load(store, &(struct pl_select){ 0 }, true,
				       &profile, &err), 0);
	ck_assert_uint_eq(profile.n_funcs, 0);
	pl_profile_release(&profile);
}
END_TEST

START_TEST(tree_comes_back_as_it_was)
{
	struct pl_tree before = { 0 }, after = { 0 };
	struct pl_select sel = { 0 };
	struct pl_profile profile;
	struct pl_thread *threads;
	struct script s;
	size_t n;

	script_begin(&s, PL_CLOCK_STEP);
	s.session.rec.header->max_nodes = 8;
	script_play(&s, "a(b(c() a()) d(*b() c(e()))) e(a() b(f()) f(");
	script_read(&s);
	ck_assert_int_eq(pl_tree_load(&before, &s.rf, s.rf.recorders[0], &err),
			 0);
	ingest(&s.rf, PL_END_EXIT);
	ck_assert_int_eq(pl_store_threads(store, &sel, &threads, &n, &err), 0);
	ck_assert_uint_eq(n, 1);
	ck_assert_uint_eq(threads[0].n_nodes, before.n);
	ck_assert(threads[0].folded);
	ck_assert_int_eq(pl_store_load(store, &sel, false, &profile, &err), 0);
	ck_assert(profile.folded);
	ck_assert_int_eq(pl_store_load_tree(store, threads, &profile, &after,
					    &err), 0);
	ck_assert_uint_eq(after.n, before.n);
	for (uint32_t i = 0; i < before.n; i++) {
		const struct pl_tree_node *x = &before.nodes[i];
		struct pl_tree_node *y = &after.nodes[i];

		if (x->func != UINT32_MAX && y->func != UINT32_MAX)
			ck_assert_str_eq(script_name(&s.rf, x->func),
					 profile.funcs[y->func].name);
		y->func = x->func;
		ck_assert_mem_eq(x, y, sizeof(*x));
	}
	pl_profile_release(&profile);
	pl_threads_free(threads, n);
	pl_tree_release(&before);
	pl_tree_release(&after);
	script_end(&s);
}
END_TEST

static const char *const tree_damage[] = {
	"UPDATE nodes SET parent_id = 4 WHERE id = 3",
	"UPDATE nodes SET parent_id = -9223372036854775807 WHERE id = 3",
	"UPDATE nodes SET parent_id = 1 WHERE id = 3",
	"UPDATE nodes SET last_id = 4 WHERE id = 3",
	"UPDATE nodes SET last_id = 1 WHERE id = 3",
	"UPDATE nodes SET last_id = 3 WHERE id = 1",
	"DELETE FROM nodes WHERE id = 3",
	"UPDATE threads SET last_node = 4000000000",
	"UPDATE threads SET first_node = 2",
};

START_TEST(nodes_that_make_no_tree_are_refused)
{
	struct pl_select sel = { 0 };
	struct pl_tree tree = { 0 };
	struct pl_profile profile;
	struct pl_thread *threads;
	struct script s;
	size_t n;

	script_begin(&s, PL_CLOCK_STEP);
	script_play(&s, "a(b()) c()");
	ingest(script_read(&s), PL_END_EXIT);
	script_end(&s);
	change(tree_damage[_i]);
	ck_assert_int_eq(pl_store_threads(store, &sel, &threads, &n, &err), 0);
	ck_assert_int_eq(pl_store_load(store, &sel, false, &profile, &err), 0);
	ck_assert_int_lt(pl_store_load_tree(store, threads, &profile, &tree,
					    &err), 0);
	pl_profile_release(&profile);
	pl_threads_free(threads, n);
	pl_tree_release(&tree);
}
END_TEST

/* Arrays go by the ids of functions: a damaged one must not cost gigabytes. */
START_TEST(function_beyond_the_size_of_the_file_is_damage)
{
	struct pl_select all = { 0 };
	struct pl_profile p;
	struct script s;

	script_begin(&s, PL_CLOCK_STEP);
	script_play(&s, "a()");
	ingest(script_read(&s), PL_END_EXIT);
	change("UPDATE functions SET id = 1000000");
	ck_assert_int_eq(pl_store_load(store, &all, true, &p, &err),
			 PL_ERR_FORMAT);
	ck_assert_ptr_nonnull(strstr(err.text, "function of number 1000001"));
	script_end(&s);
}
END_TEST

START_TEST(view_in_the_place_of_a_table_is_refused)
{
	open_db(PL_STORE_WRITE);
	close_db();
	change("DROP TABLE nodes; CREATE VIEW nodes AS WITH RECURSIVE t(x) AS "
	       "(SELECT 1 UNION ALL SELECT x + 1 FROM t) SELECT x AS id FROM t");
	ck_assert_int_eq(pl_store_open(&store, db, PL_STORE_READ, 0, &err),
			 PL_ERR_FORMAT);
	ck_assert_ptr_nonnull(strstr(err.text, "tables of it are missing"));
	ck_assert_int_eq(pl_store_open(&store, db, PL_STORE_WRITE, 0, &err),
			 PL_ERR_FORMAT);
}
END_TEST

START_TEST(imported_profile_is_a_run)
{
	struct pl_pfunc funcs[] = {
		{ .file = "a.py", .name = "f", .line = 1,
		  .f = { .calls = 3, .primitive = 2, .self_ns = 10,
			 .cum_ns = 30, .min_ns = -1 } },
		{ .file = "~", .name = "<len>", .kind = PL_FUNC_C,
		  .f = { .calls = 5, .primitive = 5, .self_ns = 20,
			 .cum_ns = 20, .min_ns = -1 } },
	};
	struct pl_pedge edges[] = {
		{ 0, 1, .f = { .calls = 5, .primitive = 5, .self_ns = 20,
			       .cum_ns = 20, .min_ns = -1 } },
	};
	struct pl_profile in = { .funcs = funcs, .n_funcs = 2, .edges = edges,
				 .n_edges = 1, .started_ns = 1234 };
	struct pl_select sel = { 0 };
	struct pl_profile out;

	open_db(PL_STORE_WRITE);
	ck_assert_int_eq(pl_store_import(store, &in, "old", "x.prof", 6,
					 &result, &err), 0);
	ck_assert_int_eq(result.run_id, 1);
	ck_assert_int_eq(pl_store_load(store, &sel, true, &out, &err), 0);
	ck_assert_uint_eq(out.n_funcs, 2);
	ck_assert_mem_eq(&out.funcs[0].f, &funcs[0].f, sizeof(funcs[0].f));
	ck_assert_int_eq(out.funcs[1].kind, PL_FUNC_C);
	ck_assert_uint_eq(out.n_edges, 1);
	ck_assert_int_eq(out.started_ns, 1234);
	pl_profile_release(&out);
	ck_assert_str_eq(query("SELECT source, label, command, n_calls "
			       "FROM runs r JOIN processes p ON run_id = r.id "
			       "JOIN threads ON process_id = p.id"),
			 "import|old|x.prof|8");
	check_integrity();
}
END_TEST

/* ---------------------------------------------------------- the database -- */

static void refuse(enum pl_store_mode mode, int code, const char *word)
{
	close_db();
	memset(&err, 0, sizeof(err));
	ck_assert_int_eq(pl_store_open(&store, db, mode, 0, &err), code);
	ck_assert_ptr_null(store);
	ck_assert_msg(strstr(err.text, db) && strstr(err.text, word),
		      "%s", err.text);
}

static void write_text(const char *path, const char *text, size_t n)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, n), (ssize_t)n);
	close(fd);
}

START_TEST(what_is_not_ours_is_refused_and_left_alone)
{
	static const char text[4096] = "just some text";
	struct stat st;

	refuse(PL_STORE_READ, PL_ERR_NOENT, "no database");
	ck_assert(!exists(db));
	write_text(db, "", 0);
	refuse(PL_STORE_READ, PL_ERR_FORMAT, "empty");
	write_text(db, text, sizeof(text));
	refuse(PL_STORE_READ, PL_ERR_FORMAT, "not a database");
	refuse(PL_STORE_WRITE, PL_ERR_FORMAT, "not a database");
	ck_assert_int_eq(stat(db, &st), 0);
	ck_assert_int_eq(st.st_size, sizeof(text));
	unlink(db);
	change("CREATE TABLE t (x)");
	refuse(PL_STORE_READ, PL_ERR_FORMAT, "another application");
	refuse(PL_STORE_WRITE, PL_ERR_FORMAT, "another application");
	ck_assert_str_eq(query("SELECT name FROM sqlite_schema"), "t");
	unlink(db);
	change("PRAGMA application_id = 7");
	refuse(PL_STORE_WRITE, PL_ERR_FORMAT, "another application");
	unlink(db);
	ck_assert_int_eq(mkdir(db, 0700), 0);
	refuse(PL_STORE_READ, PL_ERR_FORMAT, "folder");
	refuse(PL_STORE_WRITE, PL_ERR_FORMAT, "folder");
	rmdir(db);
	ck_assert_int_eq(mkfifo(db, 0600), 0);
	refuse(PL_STORE_READ, PL_ERR_FORMAT, "not a regular file");
}
END_TEST

START_TEST(other_schemas_are_refused_by_number)
{
	open_db(PL_STORE_WRITE);
	close_db();
	change("PRAGMA user_version = 4");
	refuse(PL_STORE_READ, PL_ERR_FORMAT, "newer proflite (schema 4");
	refuse(PL_STORE_WRITE, PL_ERR_FORMAT, "newer");
	change("PRAGMA user_version = 2");
	refuse(PL_STORE_READ, PL_ERR_FORMAT, "first release (schema 2");
	refuse(PL_STORE_WRITE, PL_ERR_FORMAT, "record it again");
}
END_TEST

START_TEST(new_database_is_private_and_leaves_no_other_files)
{
	struct stat st;
	char journal[160];

	open_db(PL_STORE_WRITE);
	close_db();
	ck_assert_int_eq(stat(db, &st), 0);
	ck_assert_int_eq(st.st_mode & 0777, 0600);
	sprintf(journal, "%s-journal", db);
	ck_assert(!exists(journal));
	sprintf(journal, "%s-wal", db);
	ck_assert(!exists(journal));
	ck_assert_str_eq(query("PRAGMA application_id"), "1347176020");
	ck_assert_str_eq(query("PRAGMA user_version"), "3");
	/* again, and over an empty file */
	open_db(PL_STORE_WRITE);
	close_db();
	write_text(db, "", 0);
	open_db(PL_STORE_WRITE);
}
END_TEST

START_TEST(names_that_sqlite_reads_otherwise_are_files)
{
	char before[1024];

	ck_assert_ptr_nonnull(getcwd(before, sizeof(before)));
	ck_assert_int_eq(chdir(dir), 0);
	strcpy(db, ":memory:");
	open_db(PL_STORE_WRITE);
	close_db();
	ck_assert(exists("./:memory:"));
	strcpy(db, "file:x?mode=ro");
	open_db(PL_STORE_WRITE);
	close_db();
	ck_assert(exists("./file:x?mode=ro"));
	ck_assert_int_eq(chdir(before), 0);
}
END_TEST

START_TEST(folder_that_is_absent_is_named)
{
	sprintf(db, "%s/none/p.db", dir);
	refuse(PL_STORE_WRITE, PL_ERR_SYS, "cannot create");
}
END_TEST

START_TEST(locked_database_is_waited_for_and_then_named)
{
	struct script s;
	sqlite3 *raw;

	open_db(PL_STORE_WRITE);
	close_db();
	ck_assert_int_eq(pl_store_open(&store, db, PL_STORE_WRITE, 50, &err),
			 0);
	ck_assert_int_eq(sqlite3_open(db, &raw), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(raw, "BEGIN IMMEDIATE", NULL, NULL,
				      NULL), SQLITE_OK);
	script_begin(&s, PL_CLOCK_STEP);
	ck_assert_int_eq(pl_store_ingest(store, script_read(&s), PL_END_EXIT,
					 0, &result, &err), PL_ERR_BUSY);
	ck_assert_ptr_nonnull(strstr(err.text, "locked"));
	sqlite3_exec(raw, "COMMIT", NULL, NULL, NULL);
	sqlite3_close(raw);
	/* and then it works, with the same handle */
	ck_assert_int_eq(pl_store_ingest(store, script_read(&s), PL_END_EXIT,
					 0, &result, &err), 0);
	script_end(&s);
}
END_TEST

START_TEST(reader_does_not_write)
{
	struct script s;

	open_db(PL_STORE_WRITE);
	open_db(PL_STORE_READ);
	script_begin(&s, PL_CLOCK_STEP);
	ck_assert_int_lt(pl_store_ingest(store, script_read(&s), PL_END_EXIT,
					 0, &result, &err), 0);
	script_end(&s);
}
END_TEST

START_TEST(writer_that_was_killed_is_rolled_back_by_a_reader)
{
	struct script s;
	char sql[256];
	pid_t pid;

	script_begin(&s, PL_CLOCK_STEP);
	script_play(&s, "a()");
	ingest(script_read(&s), PL_END_EXIT);
	script_end(&s);
	close_db();
	pid = fork();
	if (!pid) {
		sqlite3 *raw;

		/* so small a cache that half of it is in the file already */
		sqlite3_open(db, &raw);
		snprintf(sql, sizeof(sql), "PRAGMA cache_size = 5; BEGIN; "
			 "UPDATE functions SET name = 'torn'; WITH RECURSIVE "
			 "c(x) AS (SELECT 1000 UNION ALL SELECT x + 1 FROM c "
			 "WHERE x < 20000) INSERT INTO functions SELECT x, "
			 "'c', 'f', x, 'n', NULL, NULL FROM c");
		sqlite3_exec(raw, sql, NULL, NULL, NULL);
		raise(SIGKILL);
	}
	waitpid(pid, NULL, 0);
	sprintf(sql, "%s-journal", db);
	ck_assert(exists(sql));
	open_db(PL_STORE_READ);
	ck_assert(!exists(sql));
	ck_assert_str_eq(query("SELECT name FROM functions"), "a");
	check_integrity();
}
END_TEST

/* ----------------------------------------------------- all at once ----- */

enum { CROWD = 60 };

START_TEST(a_crowd_that_ends_at_once_all_lands)
{
	static const char run[] = "0123456789abcdef0123456789abcdef";
	int gate[2], status;
	char byte;

	ck_assert_int_eq(pipe(gate), 0);
	for (int i = 0; i < CROWD; i++) {
		struct script s;

		if (fork())
			continue;
		make_process(&s, run, (uint32_t)getpid(), 1, 100 + i);
		close(gate[1]);
		if (read(gate[0], &byte, 1) != 0)
			_exit(3);
		if (pl_store_open(&store, db, PL_STORE_WRITE, 300000, &err) ||
		    pl_store_ingest(store, script_read(&s), PL_END_EXIT, 0,
				    &result, &err)) {
			fprintf(stderr, "%s\n", err.text);
			_exit(1);
		}
		_exit(0);
	}
	close(gate[0]);
	close(gate[1]);
	for (int i = 0; i < CROWD; i++) {
		ck_assert_int_gt(wait(&status), 0);
		ck_assert_int_eq(status, 0);
	}
	ck_assert_str_eq(query("SELECT count(*) FROM processes"), "60");
	ck_assert_str_eq(query("SELECT count(*) FROM runs"), "1");
	ck_assert_str_eq(query("SELECT ncalls FROM pstats"), "60");
	check_integrity();
}
END_TEST

/* --------------------------------------------------------------- pending -- */

static struct {
	int ingested, alive, bad;
	char bad_text[512];
} seen;

static void found(void *ctx, const char *path, enum pl_found what,
		  const struct pl_recfile *rf, const struct pl_error *e)
{
	(void)rf;
	ck_assert_ptr_eq(ctx, &seen);
	ck_assert(*path == '/');
	seen.ingested += what == PL_FOUND_INGESTED;
	seen.alive += what == PL_FOUND_ALIVE;
	seen.bad += what == PL_FOUND_BAD;
	if (what == PL_FOUND_BAD)
		snprintf(seen.bad_text, sizeof(seen.bad_text), "%s", e->text);
}

static int pending(void)
{
	memset(&seen, 0, sizeof(seen));
	return pl_store_ingest_pending(db, 10000, found, &seen, &err);
}

/* A process that records for @database and is killed, or, with @live, waits.
 * @path is told. */
static pid_t record(const char *database, bool live, char path[256])
{
	int to_us[2], status;
	pid_t pid;

	ck_assert_int_eq(pipe(to_us), 0);
	pid = fork();
	if (!pid) {
		struct script s;

		script_begin_file(&s, database, NULL, NULL);
		script_play(&s, "a(b() b(");
		if (write(to_us[1], s.session.rec.path, 256) != 256)
			_exit(1);
		for (;;)
			pause();
	}
	ck_assert_int_eq(read(to_us[0], path, 256), 256);
	close(to_us[0]);
	close(to_us[1]);
	if (!live) {
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
	}
	return pid;
}

START_TEST(killed_ones_are_ingested_and_deleted)
{
	char path[3][256];
	pid_t pid;

	for (int i = 0; i < 2; i++)
		record(db, false, path[i]);
	pid = record(db, true, path[2]);
	ck_assert_int_eq(pending(), 2);
	ck_assert_int_eq(seen.ingested, 2);
	ck_assert_int_eq(seen.alive, 1);
	ck_assert(!exists(path[0]) && !exists(path[1]) && exists(path[2]));
	ck_assert_str_eq(query("SELECT end_reason, end_status FROM processes"),
			 "killed|NULL\nkilled|NULL");
	ck_assert_str_eq(query("SELECT ncalls FROM pstats WHERE function = 'b'"
			       " AND run_id = 1"), "2");
	ck_assert_int_eq(pending(), 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	ck_assert_int_eq(pending(), 1);
	ck_assert(!exists(path[2]));
	ck_assert_int_eq(pending(), 0);
	ck_assert_int_eq(seen.ingested + seen.alive + seen.bad, 0);
}
END_TEST

START_TEST(nothing_to_ingest_makes_no_database)
{
	ck_assert_int_eq(pending(), 0);
	ck_assert(!exists(db));
	sprintf(db, "%s/none/p.db", dir);
	ck_assert_int_eq(pending(), 0);
}
END_TEST

START_TEST(only_our_own_are_taken)
{
	char other[160], path[2][256];

	/* p.db.x.db-recordings are named for p.db as well */
	snprintf(other, sizeof(other), "%s.x.db", db);
	record(other, false, path[0]);
	ck_assert_int_eq(pending(), 0);
	ck_assert_int_eq(seen.ingested + seen.bad, 0);
	ck_assert(exists(path[0]));
	snprintf(other, sizeof(other), "%s/q.db", dir);
	record(other, false, path[1]);
	ck_assert_int_eq(pending(), 0);
	ck_assert(exists(path[1]));
	ck_assert(!exists(db));
}
END_TEST

START_TEST(bad_ones_are_named_and_stay)
{
	char bad[160], empty[160], young[160], path[256];
	static const char zeros[8192];

	record(db, false, path);
	snprintf(bad, sizeof(bad), "%s.1-1.plrec", db);
	write_text(bad, "this is no recording", 20);
	/* what died before it had a header holds nothing */
	snprintf(empty, sizeof(empty), "%s.2-2.plrec", db);
	write_text(empty, zeros, sizeof(zeros));
	ck_assert_int_eq(utime(empty, &(struct utimbuf){ 1000, 1000 }), 0);
	snprintf(young, sizeof(young), "%s.3-3.plrec", db);
	write_text(young, "", 0);
	ck_assert_int_eq(pending(), 1);
	ck_assert_int_eq(seen.bad, 1);
	ck_assert_int_eq(seen.alive, 1);
	ck_assert_ptr_nonnull(strstr(seen.bad_text, "not a recording"));
	ck_assert(exists(bad) && !exists(empty) && exists(young) &&
		  !exists(path));
}
END_TEST

START_TEST(links_and_pipes_are_not_followed)
{
	char link_name[160], pipe_name[160], path[256], target[160];

	record(db, false, path);
	snprintf(target, sizeof(target), "%s/target", dir);
	ck_assert_int_eq(rename(path, target), 0);
	snprintf(link_name, sizeof(link_name), "%s.4-4.plrec", db);
	ck_assert_int_eq(symlink(target, link_name), 0);
	snprintf(pipe_name, sizeof(pipe_name), "%s.5-5.plrec", db);
	ck_assert_int_eq(mkfifo(pipe_name, 0600), 0);
	ck_assert_int_eq(pending(), 0);
	ck_assert_int_eq(seen.bad, 2);
	ck_assert(exists(target) && exists(link_name));
}
END_TEST

START_TEST(fallback_folder_is_looked_into)
{
	char folder[160], moved[600], path[256];

	record(db, false, path);
	snprintf(folder, sizeof(folder), "%s/proflite", dir);
	ck_assert_int_eq(mkdir(folder, 0700), 0);
	snprintf(moved, sizeof(moved), "%s%s", folder, strrchr(path, '/'));
	ck_assert_int_eq(rename(path, moved), 0);
	/* not when others can write there */
	ck_assert_int_eq(chmod(folder, 0777), 0);
	ck_assert_int_eq(pending(), 0);
	ck_assert_int_eq(chmod(folder, 0700), 0);
	ck_assert_int_eq(pending(), 1);
	ck_assert(!exists(moved));

	/* one for a database of that name elsewhere is not ours */
	ck_assert_int_eq(pending(), 0);
	snprintf(moved, sizeof(moved), "%s/sub", dir);
	ck_assert_int_eq(mkdir(moved, 0700), 0);
	snprintf(moved, sizeof(moved), "%s/sub/p.db", dir);
	record(moved, false, path);
	snprintf(moved, sizeof(moved), "%s%s", folder, strrchr(path, '/'));
	ck_assert_int_eq(rename(path, moved), 0);
	ck_assert_int_eq(pending(), 0);
	ck_assert(exists(moved));
}
END_TEST

START_TEST(recording_stays_while_the_database_cannot_take_it)
{
	char path[256];
	sqlite3 *raw;

	open_db(PL_STORE_WRITE);
	close_db();
	record(db, false, path);
	ck_assert_int_eq(sqlite3_open(db, &raw), SQLITE_OK);
	sqlite3_exec(raw, "BEGIN IMMEDIATE", NULL, NULL, NULL);
	ck_assert_int_eq(pl_store_ingest_pending(db, 20, NULL, NULL, &err),
			 PL_ERR_BUSY);
	ck_assert(exists(path));
	sqlite3_close(raw);
	ck_assert_int_eq(pending(), 1);
	ck_assert(!exists(path));
}
END_TEST

START_TEST(two_commands_at_once_ingest_each_once)
{
	enum { N = 12, COMMANDS = 4 };
	char path[256];
	int status;

	for (int i = 0; i < N; i++)
		record(db, false, path);
	for (int i = 0; i < COMMANDS; i++)
		if (!fork())
			_exit(pl_store_ingest_pending(db, 300000, NULL, NULL,
						      &err) < 0);
	for (int i = 0; i < COMMANDS; i++) {
		wait(&status);
		ck_assert_int_eq(status, 0);
	}
	ck_assert_str_eq(query("SELECT count(*) FROM processes"), "12");
	ck_assert_int_eq(pending(), 0);
	check_integrity();
}
END_TEST

START_TEST(finish_writes_and_deletes)
{
	char path[256];
	struct script s;

	script_begin_file(&s, db, NULL, NULL);
	script_play(&s, "a(b())");
	strcpy(path, s.session.rec.path);
	pl_session_finish(&s.session, PL_END_EXIT, 0);
	ck_assert_int_eq(pl_store_finish(path, db, 1000, &err), 0);
	ck_assert(!exists(path));
	ck_assert_str_eq(query("SELECT end_reason, end_status, pid = 0 "
			       "FROM processes"), "exit|0|0");
	ck_assert_int_eq(pl_store_finish(path, db, 1000, &err), PL_ERR_NOENT);
	script_end(&s);
}
END_TEST

START_TEST(finish_that_fails_keeps_the_recording)
{
	char path[256];
	struct script s;

	script_begin_file(&s, db, NULL, NULL);
	strcpy(path, s.session.rec.path);
	write_text(db, "garbage of some length, no database at all, none", 48);
	pl_session_finish(&s.session, PL_END_EXIT, 0);
	ck_assert_int_eq(pl_store_finish(path, db, 1000, &err),
			 PL_ERR_FORMAT);
	ck_assert(exists(path));
	script_end(&s);
}
END_TEST

/* Every allocation and every write is SQLite's or ours; what fails must fail
 * as a whole. */
START_TEST(full_disk_leaves_the_database_as_it_was)
{
	struct script s;
	int status;
	pid_t pid;

	script_begin(&s, PL_CLOCK_STEP);
	script_play(&s, "a()");
	ingest(script_read(&s), PL_END_EXIT);
	script_end(&s);
	close_db();
	pid = fork();
	if (!pid) {
		char name[16];
		int rc;

		script_begin(&s, PL_CLOCK_STEP);
		for (int i = 0; i < 5000; i++) {
			sprintf(name, "f%d", i);
			script_enter(&s, name, 0);
			script_leave(&s);
		}
		signal(SIGXFSZ, SIG_IGN);
		open_db(PL_STORE_WRITE);
		if (setrlimit(RLIMIT_FSIZE,
			      &(struct rlimit){ 150000, 150000 }))
			_exit(9);
		rc = pl_store_ingest(store, script_read(&s), PL_END_EXIT, 0,
				     &result, &err);
		if (rc != PL_ERR_FULL)
			fprintf(stderr, "%d: %s\n", rc, err.text);
		_exit(rc == PL_ERR_FULL && strstr(err.text, db) ? 0 : 1);
	}
	waitpid(pid, &status, 0);
	ck_assert_int_eq(status, 0);
	ck_assert_str_eq(query("SELECT function FROM pstats"), "a");
	check_integrity();
}
END_TEST

Suite *suite_store(void)
{
	Suite *suite = suite_create("store");
	TCase *tc = tcase_create("ingest");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, rows_are_those_of_the_tree);
	tcase_add_test(tc, ingesting_again_changes_nothing);
	tcase_add_test(tc, living_recording_is_replaced_by_its_later_state);
	tcase_add_test(tc, another_process_with_the_same_uuid_is_another);
	tcase_add_test(tc, the_same_when_databases_are_merged);
	tcase_add_test(tc, the_recordings_own_word_on_its_end_wins);
	tcase_add_test(tc, functions_are_shared_by_runs);
	tcase_add_test(tc, any_bytes_survive);
	tcase_add_test(tc, commands_are_quoted_for_a_shell);
	tcase_add_test(tc, damaged_recording_gives_what_is_left);
	tcase_add_test(tc, functions_that_became_one_are_added_up);
	tcase_add_loop_test(tc, parents_are_found_in_any_order, 0, 6);
	tcase_add_test(tc, pid_used_twice_means_the_later_one);
	tcase_add_test(tc, runs_are_listed);
	tcase_add_test(tc, scope_in_a_recorded_run_is_not_counted_twice);
	suite_add_tcase(suite, tc);

	tc = tcase_create("read");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, profile_adds_up_processes);
	tcase_add_test(tc, what_is_asked_for_and_absent_is_named);
	tcase_add_test(tc, tree_comes_back_as_it_was);
	tcase_add_loop_test(tc, nodes_that_make_no_tree_are_refused, 0,
			    sizeof(tree_damage) / sizeof(*tree_damage));
	tcase_add_test(tc, function_beyond_the_size_of_the_file_is_damage);
	tcase_add_test(tc, view_in_the_place_of_a_table_is_refused);
	tcase_add_test(tc, imported_profile_is_a_run);
	suite_add_tcase(suite, tc);

	tc = tcase_create("database");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, what_is_not_ours_is_refused_and_left_alone);
	tcase_add_test(tc, other_schemas_are_refused_by_number);
	tcase_add_test(tc, new_database_is_private_and_leaves_no_other_files);
	tcase_add_test(tc, names_that_sqlite_reads_otherwise_are_files);
	tcase_add_test(tc, folder_that_is_absent_is_named);
	tcase_add_test(tc, locked_database_is_waited_for_and_then_named);
	tcase_add_test(tc, reader_does_not_write);
	tcase_add_test(tc, writer_that_was_killed_is_rolled_back_by_a_reader);
	tcase_add_test(tc, full_disk_leaves_the_database_as_it_was);
	suite_add_tcase(suite, tc);

	tc = tcase_create("pending");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_crowd_that_ends_at_once_all_lands);
	tcase_add_test(tc, killed_ones_are_ingested_and_deleted);
	tcase_add_test(tc, nothing_to_ingest_makes_no_database);
	tcase_add_test(tc, only_our_own_are_taken);
	tcase_add_test(tc, bad_ones_are_named_and_stay);
	tcase_add_test(tc, links_and_pipes_are_not_followed);
	tcase_add_test(tc, fallback_folder_is_looked_into);
	tcase_add_test(tc, recording_stays_while_the_database_cannot_take_it);
	tcase_add_test(tc, two_commands_at_once_ingest_each_once);
	tcase_add_test(tc, finish_writes_and_deletes);
	tcase_add_test(tc, finish_that_fails_keeps_the_recording);
	suite_add_tcase(suite, tc);
	return suite;
}
