/* SPDX-License-Identifier: MIT */
/*
 * bench_store.c: how long does a big tree take into SQLite, and out again?
 *
 *	bench_store FOLDER [NODES [FUNCTIONS [ROUNDS]]]
 *
 * Records a random program with so many call paths (by the recorder itself),
 * and then, ROUNDS times in turn: writes its rows of `nodes` by one prepared
 * statement in one transaction, which is the least that can be done; ingests
 * the recording, aggregates included; loads what a report needs, and the tree.
 * Both databases are new each time and lie in FOLDER.
 */
#include <config.h>

#include "core/recorder_inline.h"
#include "core/session.h"
#include "store/store.h"

#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FAN_OUT 12			/* callees a function */
#define COLUMNS 12

static struct pl_session session;
static uint64_t state = 88172645463325252ull;
static const char *folder;

static uint32_t rnd(uint32_t n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)((state >> 32) % n);
}

static void die(const char *what, const struct pl_error *err)
{
	fprintf(stderr, "bench_store: %s: %s\n", what, err ? err->text : "");
	exit(1);
}

static double now(void)
{
	return (double)pl_clock_ns(CLOCK_MONOTONIC) * 1e-9;
}

/* ----------------------------------------------------------- a program -- */

static uint32_t *make_funcs(uint32_t n)
{
	uint32_t *ids = calloc(n, sizeof(*ids));

	for (uint32_t i = 0; i < n; i++) {
		char file[64], name[64];
		struct pl_funcdesc d = { .file = file, .name = name };

		d.file_len = (size_t)sprintf(file, "/usr/lib/python3/%u.py",
					     i / 20);
		d.name_len = (size_t)sprintf(name, "function_%u", i);
		d.line = (int32_t)(i % 20 * 30 + 1);
		ids[i] = pl_recording_func(&session.rec, &d);
	}
	return ids;
}

/* A walk through a call graph in which every function calls FAN_OUT others,
 * the first ones more often. */
static void play(uint32_t n_nodes, uint32_t n_funcs)
{
	struct pl_recorder *r = pl_tls.first;
	uint32_t *ids = make_funcs(n_funcs), stack[64], depth = 0;

	while (r->n_nodes < n_nodes) {
		uint32_t f = depth ? stack[depth - 1] : 0, callee;
		uint64_t key;
		struct pl_node *n;

		if (depth > rnd(64)) {
			pl_leave(r, (uint64_t)f * 16 + 4096, 0);
			depth--;
			continue;
		}
		callee = (f * FAN_OUT + rnd(rnd(FAN_OUT) + 1)) % n_funcs;
		key = (uint64_t)callee * 16 + 4096;
		n = pl_child(r, key);
		if (!n)
			n = pl_child_add(r, key, ids[callee]);
		pl_push(r, n, 0, 0);
		stack[depth++] = callee;
	}
	free(ids);
}

/* ------------------------------------------------------- the bare insert -- */

struct rows {
	int64_t (*v)[COLUMNS];
	size_t n;
};

#define NONE INT64_MIN

static void read_rows(struct rows *rows, const char *path)
{
	sqlite3_stmt *stmt;
	sqlite3 *db;

	sqlite3_open(path, &db);
	sqlite3_prepare_v2(db, "SELECT count(*) FROM nodes", -1, &stmt, NULL);
	sqlite3_step(stmt);
	rows->v = calloc((size_t)sqlite3_column_int64(stmt, 0),
			 sizeof(*rows->v));
	sqlite3_finalize(stmt);
	sqlite3_prepare_v2(db, "SELECT * FROM nodes", -1, &stmt, NULL);
	for (; sqlite3_step(stmt) == SQLITE_ROW; rows->n++)
		for (int i = 0; i < COLUMNS; i++)
			rows->v[rows->n][i] =
				sqlite3_column_type(stmt, i) == SQLITE_NULL ?
				NONE : sqlite3_column_int64(stmt, i);
	sqlite3_finalize(stmt);
	sqlite3_close(db);
}

static void exec(sqlite3 *db, const char *sql)
{
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
		die(sql, NULL);
}

static double insert_bare(const struct rows *rows, const char *path,
			  const char *pragmas)
{
	double begin = now();
	sqlite3_stmt *stmt;
	sqlite3 *db;

	unlink(path);
	sqlite3_open(path, &db);
	exec(db, pragmas);
	exec(db, "CREATE TABLE nodes (id INTEGER PRIMARY KEY, "
	     "thread_id INTEGER, parent_id INTEGER, last_id INTEGER, "
	     "function_id INTEGER, flags INTEGER, calls INTEGER, "
	     "resumes INTEGER, total_ns INTEGER, self_ns INTEGER, "
	     "min_ns INTEGER, max_ns INTEGER) STRICT; BEGIN");
	sqlite3_prepare_v2(db, "INSERT INTO nodes VALUES "
			   "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", -1, &stmt,
			   NULL);
	for (size_t r = 0; r < rows->n; r++) {
		for (int i = 0; i < COLUMNS; i++) {
			if (rows->v[r][i] == NONE)
				sqlite3_bind_null(stmt, i + 1);
			else
				sqlite3_bind_int64(stmt, i + 1, rows->v[r][i]);
		}
		sqlite3_step(stmt);
		sqlite3_reset(stmt);
	}
	sqlite3_finalize(stmt);
	exec(db, "COMMIT");
	sqlite3_close(db);
	return now() - begin;
}

/* --------------------------------------------------------------- ours -- */

static double ingest(const char *path)
{
	struct pl_ingest_result result;
	double begin = now(), end;
	struct pl_error err;
	struct pl_store *store;
	struct pl_recfile rf;

	unlink(path);
	pl_recording_sync(&session.rec);
	if (pl_recfile_view(&rf, session.rec.base, pl_session_bytes(&session),
			    &err) ||
	    pl_store_open(&store, path, PL_STORE_WRITE, 0, &err) ||
	    pl_store_ingest(store, &rf, PL_END_EXIT, 0, &result, &err))
		die("ingest", &err);
	pl_store_close(store);
	end = now();
	pl_recfile_close(&rf);
	return end - begin;
}

static double derive(void)
{
	struct pl_tree tree = { 0 };
	double begin = now(), end;
	struct pl_aggregate agg;
	struct pl_error err;
	struct pl_recfile rf;

	if (pl_recfile_view(&rf, session.rec.base, pl_session_bytes(&session),
			    &err) ||
	    pl_tree_load(&tree, &rf, rf.recorders[0], &err) ||
	    pl_aggregate_init(&agg, rf.n_func_slots, &err) ||
	    pl_aggregate_add(&agg, &tree, &err))
		die("derive", &err);
	end = now();
	printf("%u edges, ", agg.n_edges);
	pl_aggregate_release(&agg);
	pl_tree_release(&tree);
	pl_recfile_close(&rf);
	return end - begin;
}

static void read_back(const char *path, double *report, double *tree_time)
{
	struct pl_select sel = { 0 };
	struct pl_thread *threads;
	struct pl_profile profile;
	struct pl_tree tree = { 0 };
	double begin = now();
	struct pl_error err;
	struct pl_store *store;
	size_t n;

	if (pl_store_open(&store, path, PL_STORE_READ, 0, &err) ||
	    pl_store_load(store, &sel, true, &profile, &err))
		die("load", &err);
	*report = now() - begin;
	begin = now();
	if (pl_store_threads(store, &sel, &threads, &n, &err) ||
	    pl_store_load_tree(store, threads, &profile, &tree, &err))
		die("load", &err);
	*tree_time = now() - begin;
	pl_tree_release(&tree);
	pl_threads_free(threads, n);
	pl_profile_release(&profile);
	pl_store_close(store);
}

int main(int argc, char **argv)
{
	uint32_t n_nodes = argc > 2 ? (uint32_t)atoi(argv[2]) : 1000000;
	uint32_t n_funcs = argc > 3 ? (uint32_t)atoi(argv[3]) : 2000;
	int rounds = argc > 4 ? atoi(argv[4]) : 5;
	char ours[4096], bare[4096];
	struct rows rows = { 0 };
	struct pl_error err;
	struct stat st;

	if (argc < 2) {
		fprintf(stderr, "usage: bench_store FOLDER [NODES [FUNCTIONS "
			"[ROUNDS]]]\n");
		return 2;
	}
	folder = argv[1];
	snprintf(ours, sizeof(ours), "%s/ours.db", folder);
	snprintf(bare, sizeof(bare), "%s/bare.db", folder);
	pl_options_init(&session.options);
	if (pl_session_open_private(&session, PL_CLOCK_WALL, &err) ||
	    pl_session_start(&session, &err))
		die("start", &err);
	play(n_nodes, n_funcs);
	ingest(ours);
	read_rows(&rows, ours);
	printf("%zu nodes, %u functions, recording %zu MB, ", rows.n, n_funcs,
	       pl_session_bytes(&session) >> 20);
	stat(ours, &st);
	printf("database %lld MB\n", (long long)st.st_size >> 20);
	printf("seconds: bare, bare as we sync, ingest (of it tree and sums), "
	       "ratio to each, report, tree\n");
	for (int i = 0; i < rounds; i++) {
		double b = insert_bare(&rows, bare, "");
		double c = insert_bare(&rows, bare, "PRAGMA synchronous=EXTRA;"
				       "PRAGMA cache_size=-8000");
		double o = ingest(ours), d = derive(), report, tree;

		read_back(ours, &report, &tree);
		printf("%.3f  %.3f  %.3f  (%.3f)  %.2f  %.2f %.3f  %.3f\n", b,
		       c, o, d, o / b, o / c, report, tree);
	}
	return 0;
}
