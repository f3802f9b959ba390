/* SPDX-License-Identifier: MIT */
/*
 * bench_store.c: how long does a big tree take into SQLite, and out again?
 *
 *	bench-store FOLDER [NODES [FUNCTIONS [ROUNDS]]]
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
static uint32_t n_edges;

static uint32_t rnd(uint32_t n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)((state >> 32) % n);
}

static void die(const char *what, const struct pl_error *err)
{
	fprintf(stderr, "bench-store: %s: %s\n", what, err ? err->text : "");
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
	n_edges = agg.n_edges;
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

/* ----------------------------------------------------------- figures -- */

enum { BARE, BARE_SYNCED, INGEST, SUMS, REPORT, TREE, N_FIGURES };
#define MOST_ROUNDS 64
#define INGEST_GOAL 1.5			/* times the bare insert */
#define REPORT_GOAL 0.3			/* seconds */

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *v, int n)
{
	qsort(v, (size_t)n, sizeof(*v), by_value);
	return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

static void verdict(const char *what, double *v, int n, double goal)
{
	double m = median(v, n);

	printf("%s: %.2f (%.2f to %.2f), goal %.1f: ", what, m, v[0], v[n - 1],
	       goal);
	if (m <= goal)
		printf("reached\n");
	else
		printf("missed by %.0f %%\n", (m / goal - 1) * 100);
}

static void measure(int rounds, const struct rows *rows, const char *ours,
		    const char *bare)
{
	double ratio[MOST_ROUNDS], report[MOST_ROUNDS], v[N_FIGURES];

	printf("\n| bare, s | with our pragmas | ingest | of it tree and sums "
	       "| times bare | report | tree |\n"
	       "|---:|---:|---:|---:|---:|---:|---:|\n");
	for (int i = 0; i < rounds; i++) {
		v[BARE] = insert_bare(rows, bare, "");
		v[BARE_SYNCED] = insert_bare(rows, bare,
					     "PRAGMA synchronous=EXTRA;"
					     "PRAGMA cache_size=-8000");
		v[INGEST] = ingest(ours);
		v[SUMS] = derive();
		read_back(ours, &v[REPORT], &v[TREE]);
		ratio[i] = v[INGEST] / v[BARE];
		report[i] = v[REPORT];
		printf("| %.3f | %.3f | %.3f | %.3f | %.2f | %.3f | %.3f |\n",
		       v[BARE], v[BARE_SYNCED], v[INGEST], v[SUMS], ratio[i],
		       v[REPORT], v[TREE]);
	}
	printf("\n");
	verdict("ingest, times the bare insert", ratio, rounds, INGEST_GOAL);
	verdict("what a report reads, s", report, rounds, REPORT_GOAL);
}

int main(int argc, char **argv)
{
	uint32_t n_nodes = argc > 2 ? (uint32_t)atoi(argv[2]) : 1000000;
	uint32_t n_funcs = argc > 3 ? (uint32_t)atoi(argv[3]) : 2000;
	int rounds = argc > 4 ? atoi(argv[4]) : 5;
	struct pl_rec_header *h;
	char ours[4096], bare[4096];
	struct rows rows = { 0 };
	struct pl_error err;
	struct stat st;

	if (argc < 2 || rounds < 1 || rounds > MOST_ROUNDS || !n_funcs) {
		fprintf(stderr, "usage: bench-store FOLDER [NODES [FUNCTIONS "
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
	/* As a profile's are: the sums are there raw and compensated. */
	h = session.rec.header;
	h->cost_py_in = h->cost_py_out = h->cost_c_in = h->cost_c_out = 50;
	play(n_nodes, n_funcs);
	ingest(ours);
	read_rows(&rows, ours);
	stat(ours, &st);
	printf("\n%zu nodes, %u functions, ", rows.n, n_funcs);
	derive();
	printf("%u edges; recording %zu MB, database %lld MB\n", n_edges,
	       pl_session_bytes(&session) >> 20, (long long)st.st_size >> 20);
	measure(rounds, &rows, ours, bare);
	unlink(ours);
	unlink(bare);
	return 0;
}
