/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "store/ingest.h"

#include "core/clock.h"
#include "core/costs.h"
#include "core/uuid.h"
#include "store/command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const ends[] = {
	[PL_END_RUNNING] = "running",
	[PL_END_EXIT] = "exit",
	[PL_END_UNDERSCORE_EXIT] = "_exit",
	[PL_END_EXEC] = "exec",
	[PL_END_STOPPED] = "stopped",
	[PL_END_SIGNAL] = "signal",
	[PL_END_KILLED] = "killed",
};

#define N_ENDS (sizeof(ends) / sizeof(*ends))

const char *pl_end_name(enum pl_end end)
{
	return (size_t)end < N_ENDS ? ends[end] : "killed";
}

struct ingest {
	struct pl_store *store;
	const struct pl_recfile *rf;
	struct pl_error *err;
	struct pl_rows rows;
	sqlite3_stmt *add_node;
	enum pl_end end;
	int end_status;
	char uuid[33], run_uuid[33];
	int64_t run, process;		/* row ids; process 0: a new one */
	int64_t next_node;
	int64_t *funcs;			/* dense index -> row id, 0 unknown */
	bool *is_python;		/* by dense index */
	struct pl_tree tree;
	uint64_t n_nodes;
	uint32_t n_bad;
	uint64_t n_lost;
};

/* ----------------------------------------------------- what is there now -- */

/*
 * How much a state of a recording has to say.  One that is final stays; one
 * that was read while the process went on gives way to a later one.
 */
int pl_ingest_rank(const char *end)
{
	if (!strcmp(end, ends[PL_END_RUNNING]))
		return 0;
	if (!strcmp(end, ends[PL_END_KILLED]) ||
	    !strcmp(end, ends[PL_END_STOPPED]))
		return 1;
	return 2;
}

void pl_ingest_other_uuid(char uuid[33], int64_t pid, int64_t started_ns)
{
	uint64_t mix[] = { (uint64_t)started_ns * 0x9e3779b97f4a7c15ull,
			   (uint64_t)(pid + 1) * 0xff51afd7ed558ccdull };
	uint8_t id[16] = { 0 }, more[16];

	pl_uuid_parse(uuid, id);
	memcpy(more, mix, 16);
	for (int i = 0; i < 16; i++)
		id[i] ^= more[i];
	pl_uuid_format(id, uuid);
}

/*
 * Step to the row with the recording's uuid.  One uuid is one process, but a
 * recording of another process must not be lost for having the same one: that
 * gets the uuid that follows from it, its pid and its start, each time.
 */
static int find_process(struct ingest *in, sqlite3_stmt *stmt)
{
	const struct pl_rec_header *h = &in->rf->header;
	int rc;

	for (int i = 0;; i++) {
		pl_db_bind(stmt, "s", in->uuid);
		rc = pl_db_row(in->store, stmt, in->err);
		if (rc <= 0 || i ||
		    (sqlite3_column_int64(stmt, 4) == (int64_t)h->pid &&
		     sqlite3_column_int64(stmt, 5) == h->start.real_ns))
			return rc;
		sqlite3_reset(stmt);
		pl_ingest_other_uuid(in->uuid, (int64_t)h->pid,
				     h->start.real_ns);
	}
}

/* Look for an earlier state of the recording.  *@stays: nothing to do. */
static int find_earlier(struct ingest *in, bool *stays)
{
	int rank = pl_ingest_rank(pl_end_name(in->end)), old_rank;
	sqlite3_stmt *stmt;
	int rc = pl_db_prepare(in->store, &stmt,
			       "SELECT id, run_id, end_reason, last_tick, pid, "
			       "started_ns FROM processes WHERE uuid = ?",
			       in->err);

	*stays = false;
	if (rc)
		return rc;
	rc = find_process(in, stmt);
	if (rc > 0) {
		in->process = sqlite3_column_int64(stmt, 0);
		in->run = sqlite3_column_int64(stmt, 1);
		old_rank = pl_ingest_rank(pl_db_text(stmt, 2));
		*stays = rank < old_rank ||
			 (rank == old_rank &&
			  (rank == 2 || sqlite3_column_int64(stmt, 3) >=
					pl_db_integer(in->rf->latest_ticks)));
		rc = 0;
	}
	sqlite3_finalize(stmt);
	return rc;
}

static int run_with(struct pl_store *store, const char *sql, int64_t id,
		    struct pl_error *err)
{
	sqlite3_stmt *stmt;
	int rc = pl_db_prepare(store, &stmt, sql, err);

	if (rc)
		return rc;
	pl_db_bind(stmt, "i", id);
	rc = pl_db_run(store, stmt, err);
	sqlite3_finalize(stmt);
	return rc;
}

int pl_ingest_delete(struct pl_store *store, int64_t process,
		     struct pl_error *err)
{
	static const char *const sql[] = {
		"DELETE FROM nodes WHERE id IN (SELECT n.id FROM threads t "
			"JOIN nodes n ON n.id BETWEEN first_node AND last_node "
			"WHERE process_id = ?)",
		"DELETE FROM function_stats WHERE thread_id IN "
			"(SELECT id FROM threads WHERE process_id = ?)",
		"DELETE FROM call_stats WHERE thread_id IN "
			"(SELECT id FROM threads WHERE process_id = ?)",
		"DELETE FROM threads WHERE process_id = ?",
		"DELETE FROM processes WHERE id = ?",
	};
	int rc = 0;

	for (size_t i = 0; !rc && i < sizeof(sql) / sizeof(*sql); i++)
		rc = run_with(store, sql[i], process, err);
	return rc;
}

/* ----------------------------------------------------- run and process -- */

static int add_run(struct ingest *in)
{
	const struct pl_rec_header *h = &in->rf->header;
	size_t len;
	const char *label = pl_recfile_str(in->rf, h->label, &len);

	return pl_rows_run(in->store, in->run_uuid, label, len,
			   h->start.real_ns, "recording", &in->run, in->err);
}

static int64_t ended_ns(const struct pl_recfile *rf)
{
	const struct pl_rec_header *h = &rf->header;
	int64_t ns = h->clock == PL_CLOCK_WALL ?
		     pl_recfile_real_ns(rf, rf->latest_ticks) :
		     h->latest.real_ns;

	return ns > h->start.real_ns ? ns : h->start.real_ns;
}

static const char add_process_sql[] =
	"INSERT INTO processes (id, run_id, uuid, parent_uuid, pid, ppid, "
	"started_ns, ended_ns, end_reason, end_status, argv, command, clock, "
	"ns_per_tick, last_tick, builtins, all_calls, forked, max_nodes, "
	"more_functions, cwd, exe, host, python, git) VALUES (?, ?, ?, ?, ?, "
	"?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
	"RETURNING id";

static void bind_texts(struct ingest *in, sqlite3_stmt *stmt, int at)
{
	const struct pl_rec_header *h = &in->rf->header;
	const uint32_t ids[] = { h->cwd, h->exe, h->host, h->python, h->git };

	for (size_t i = 0; i < sizeof(ids) / sizeof(*ids); i++) {
		size_t len;
		const char *text = pl_recfile_str(in->rf, ids[i], &len);

		if (len && len < 1000000)
			sqlite3_bind_text(stmt, at + (int)i, text, (int)len,
					  SQLITE_STATIC);
	}
}

static int add_process_row(struct ingest *in)
{
	const struct pl_rec_header *h = &in->rf->header;
	bool has_parent = !pl_uuid_is_zero(h->parent_uuid);
	char parent[33], *command;
	const char *argv;
	sqlite3_stmt *stmt;
	size_t len;
	int rc = pl_db_prepare(in->store, &stmt, add_process_sql, in->err);

	if (rc)
		return rc;
	argv = pl_recfile_str(in->rf, h->argv, &len);
	command = len ? pl_command_quote(argv, len) : NULL;
	if (len && !command) {
		sqlite3_finalize(stmt);
		return pl_fail(in->err, PL_ERR_NOMEM, "no memory");
	}
	pl_uuid_format(h->parent_uuid, parent);
	pl_db_bind(stmt, "nissiiiisnbssruiiini",
		   in->process ? in->process : (int64_t)-1, in->run, in->uuid,
		   has_parent ? parent : NULL, (int64_t)h->pid,
		   (int64_t)h->ppid, h->start.real_ns, ended_ns(in->rf),
		   pl_end_name(in->end), (int64_t)in->end_status, argv, len,
		   command, pl_clock_name(h->clock), in->rf->ns_per_tick,
		   in->rf->latest_ticks,
		   (int64_t)!!(h->flags & PL_REC_F_BUILTINS),
		   (int64_t)!!(h->flags & PL_REC_F_ALL_CALLS),
		   (int64_t)!!(h->flags & PL_REC_F_FORKED),
		   h->max_nodes ? (int64_t)h->max_nodes : (int64_t)-1,
		   (int64_t)!!(h->flags & PL_REC_F_MORE_FUNCTIONS));
	bind_texts(in, stmt, 21);
	rc = pl_db_value(in->store, stmt, &in->process, in->err);
	sqlite3_finalize(stmt);
	free(command);
	return rc;
}

/* Events measured at no cost were not measured. */
static int add_costs(struct ingest *in)
{
	const struct pl_rec_header *h = &in->rf->header;
	double ns = in->rf->ns_per_tick;
	sqlite3_stmt *stmt;
	int rc;

	if (!h->cost_py_in && !h->cost_py_out && !h->cost_c_in &&
	    !h->cost_c_out)
		return 0;
	rc = pl_db_prepare(in->store, &stmt, "UPDATE processes SET "
			   "cost_py_in_ns = ?, cost_py_out_ns = ?, "
			   "cost_c_in_ns = ?, cost_c_out_ns = ?, "
			   "cost_error_ns = ? WHERE id = ?", in->err);
	if (rc)
		return rc;
	pl_db_bind(stmt, "rrrrri", h->cost_py_in * ns, h->cost_py_out * ns,
		   h->cost_c_in * ns, h->cost_c_out * ns, h->cost_error * ns,
		   in->process);
	rc = pl_db_run(in->store, stmt, in->err);
	sqlite3_finalize(stmt);
	return rc;
}

/*
 * Find the process's parent, and be found by its children: they may have
 * arrived before.  By the uuid that the parent handed down if that recording
 * is here (there may be a shell between the two), else by pid; a pid may have
 * been used twice, or by one program after another, and then it is the latest
 * that began before the child did.
 */
static int link_family(struct ingest *in)
{
	static const char sql[] =
		"UPDATE processes AS c SET parent_id = ifnull("
		"(SELECT id FROM processes WHERE uuid = c.parent_uuid AND "
		"run_id = c.run_id AND id <> c.id), "
		"(SELECT p.id FROM processes p WHERE p.run_id = c.run_id AND "
		"p.pid = c.ppid AND p.id <> c.id AND "
		"p.started_ns <= c.started_ns "
		"ORDER BY p.started_ns DESC, p.id DESC LIMIT 1)) "
		"WHERE run_id = ?1 AND "
		"(id = ?2 OR parent_uuid = ?3 OR ppid = ?4)";
	sqlite3_stmt *stmt;
	int rc = pl_db_prepare(in->store, &stmt, sql, in->err);

	if (rc)
		return rc;
	pl_db_bind(stmt, "iisi", in->run, in->process, in->uuid,
		   (int64_t)in->rf->header.pid);
	rc = pl_db_run(in->store, stmt, in->err);
	sqlite3_finalize(stmt);
	return rc;
}

static int add_process(struct ingest *in)
{
	/* It keeps its row id, for its children refer to it. */
	int rc = in->process ?
		 pl_ingest_delete(in->store, in->process, in->err) : 0;

	if (!rc)
		rc = add_run(in);
	if (!rc)
		rc = add_process_row(in);
	if (!rc)
		rc = add_costs(in);
	return rc ? rc : link_family(in);
}

/* --------------------------------------------------------------- threads -- */

static int func_row(struct ingest *in, uint32_t index, int64_t *row)
{
	const struct pl_func *f;
	struct pl_rows_func d;
	int rc;

	*row = in->funcs[index];
	if (*row)
		return 0;
	f = pl_recfile_func(in->rf, in->rf->func_ids[index]);
	if (!f)
		return pl_fail(in->err, PL_ERR_FORMAT,
			       "the recording changed while it was read");
	d.file = pl_recfile_str(in->rf, f->file, &d.file_len);
	d.name = pl_recfile_str(in->rf, f->name, &d.name_len);
	d.qualname = pl_recfile_str(in->rf, f->qualname, &d.qualname_len);
	d.module = pl_recfile_str(in->rf, f->module, &d.module_len);
	d.line = f->line;
	d.kind = f->kind;
	rc = pl_rows_func(&in->rows, &d, row, in->err);
	in->funcs[index] = *row;
	return rc;
}

/* The bulk: all that can be is bound once and stays bound. */
static int add_node(struct ingest *in, const struct pl_tree_node *t,
		    int64_t first)
{
	sqlite3_stmt *stmt = in->add_node;
	int64_t id = first + (t - in->tree.nodes), func;
	int rc;

	sqlite3_bind_int64(stmt, 1, id);
	if (id == first)
		sqlite3_bind_null(stmt, 3);
	else
		sqlite3_bind_int64(stmt, 3, first + t->parent);
	sqlite3_bind_int64(stmt, 4, first + t->end - 1);
	if (t->func == UINT32_MAX) {
		sqlite3_bind_null(stmt, 5);
	} else {
		rc = func_row(in, t->func, &func);
		if (rc)
			return rc;
		sqlite3_bind_int64(stmt, 5, func);
	}
	sqlite3_bind_int64(stmt, 6, t->flags);
	sqlite3_bind_int64(stmt, 7, pl_db_integer(t->calls));
	sqlite3_bind_int64(stmt, 8, pl_db_integer(t->resumes));
	sqlite3_bind_int64(stmt, 9, t->total_ns);
	sqlite3_bind_int64(stmt, 10, t->self_ns);
	if (t->min_ns < 0) {
		sqlite3_bind_null(stmt, 11);
		sqlite3_bind_null(stmt, 12);
	} else {
		sqlite3_bind_int64(stmt, 11, t->min_ns);
		sqlite3_bind_int64(stmt, 12, t->max_ns);
	}
	return pl_db_run(in->store, stmt, in->err);
}

static int add_nodes(struct ingest *in, int64_t thread)
{
	int64_t first = in->next_node;
	int rc = 0;

	sqlite3_bind_int64(in->add_node, 2, thread);
	for (uint32_t i = 0; !rc && i < in->tree.n; i++)
		rc = add_node(in, &in->tree.nodes[i], first);
	in->next_node += in->tree.n;
	in->n_nodes += in->tree.n;
	return rc;
}

/* Sorted as the tables are, rows are appended; in order of first sight each
 * would go to a page of its own. */
struct stat_row {
	int64_t caller, callee;		/* caller 0: a function's own */
	const struct pl_figures *f, *comp;
};

static int by_key(const void *a, const void *b)
{
	const struct stat_row *x = a, *y = b;

	if (x->caller != y->caller)
		return x->caller < y->caller ? -1 : 1;
	return x->callee < y->callee ? -1 : x->callee > y->callee;
}

/* @comp, or NULL: @agg compensated, and so with the same pairs in the same
 * order. */
static int list_stats(struct ingest *in, const struct pl_aggregate *agg,
		      const struct pl_aggregate *comp, bool with_edges,
		      struct stat_row *rows, size_t *n)
{
	int rc = 0;

	for (uint32_t i = 0; !rc && i < agg->n_funcs; i++) {
		if (!pl_figures_seen(&agg->funcs[i]))
			continue;
		rows[*n] = (struct stat_row){
			.f = &agg->funcs[i],
			.comp = comp ? &comp->funcs[i] : NULL,
		};
		rc = func_row(in, i, &rows[(*n)++].callee);
	}
	for (uint32_t i = 0; !rc && with_edges && i < agg->n_edges; i++) {
		const struct pl_edge *e = &agg->edges[i];

		if (!pl_figures_seen(&e->f))
			continue;
		rows[*n].f = &e->f;
		rows[*n].comp = comp ? &comp->edges[i].f : NULL;
		rc = func_row(in, e->caller, &rows[*n].caller);
		if (!rc)
			rc = func_row(in, e->callee, &rows[(*n)++].callee);
	}
	return rc;
}

static int add_stats(struct ingest *in, int64_t thread,
		     const struct pl_aggregate *agg,
		     const struct pl_aggregate *comp, bool with_edges)
{
	size_t n = 0, most = (size_t)agg->n_funcs + agg->n_edges + 1;
	struct stat_row *rows = malloc(most * sizeof(*rows));
	int rc;

	if (!rows)
		return pl_fail(in->err, PL_ERR_NOMEM, "no memory");
	rc = list_stats(in, agg, comp, with_edges, rows, &n);
	if (!rc)
		qsort(rows, n, sizeof(*rows), by_key);
	for (size_t i = 0; !rc && i < n; i++) {
		const struct stat_row *r = &rows[i];

		rc = r->caller ? pl_rows_edge(&in->rows, thread, r->caller,
					      r->callee, r->f, r->comp,
					      in->err) :
		     pl_rows_figures(&in->rows, thread, r->callee, r->f,
				     r->comp, in->err);
	}
	free(rows);
	return rc;
}

static const char add_thread_sql[] =
	"INSERT INTO threads (process_id, tid, is_scope, scope_id, "
	"interpreter, counted, started_ns, duration_ns, first_node, last_node, "
	"n_calls, n_unmatched, n_lost, folded, n_threads, name, scope) VALUES "
	"(?, ?, ?, ?, ?, 1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id";

/* What the row is called; @buf is for what the recording does not hold. */
static const char *thread_name(struct ingest *in, const struct pl_recorder *r,
			       char buf[32], size_t *len)
{
	if (r->n_threads <= 1)
		return pl_recfile_str(in->rf, r->name, len);
	*len = (size_t)snprintf(buf, 32, "(%u threads)", r->n_threads);
	return buf;
}

static int add_thread_row(struct ingest *in, const struct pl_recorder *r,
			  uint64_t n_calls, int64_t *id)
{
	const struct pl_tree *tree = &in->tree;
	bool scope = r->flags & PL_RECORDER_SCOPE;
	int64_t n_threads = r->n_threads > 1 ? r->n_threads : 1;
	const char *name, *scope_name;
	size_t name_len, scope_len;
	char several[32];
	sqlite3_stmt *stmt;
	int rc = pl_db_prepare(in->store, &stmt, add_thread_sql, in->err);

	if (rc)
		return rc;
	name = thread_name(in, r, several, &name_len);
	scope_name = pl_recfile_str(in->rf, r->scope, &scope_len);
	pl_db_bind(stmt, "iiiniiinnuuuiitt", in->process, (int64_t)r->tid,
		   (int64_t)scope, scope ? (int64_t)r->scope_id : (int64_t)-1,
		   (int64_t)r->interp,
		   pl_recfile_real_ns(in->rf, r->start_ticks),
		   tree->n ? tree->nodes[0].total_ns : (int64_t)0,
		   tree->n ? in->next_node : (int64_t)-1,
		   tree->n ? in->next_node + tree->n - 1 : (int64_t)-1,
		   n_calls, r->n_unmatched, r->n_lost,
		   (int64_t)!!r->fold_root, n_threads, name, name_len,
		   scope_name, scope_len);
	if (in->rf->header.clock != PL_CLOCK_WALL)
		sqlite3_bind_null(stmt, 6);
	rc = pl_db_value(in->store, stmt, id, in->err);
	sqlite3_finalize(stmt);
	return rc;
}

static uint64_t count_calls(const struct pl_tree *tree)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < tree->n; i++)
		n += tree->nodes[i].calls + tree->nodes[i].resumes;
	return n;
}

static int add_up(struct ingest *in, struct pl_aggregate *agg)
{
	int rc = pl_aggregate_init(agg, in->rf->n_func_slots, in->err);

	return rc ? rc : pl_aggregate_add(agg, &in->tree, in->err);
}

/* The tree is compensated in place: its nodes must have been written. */
static int add_all_stats(struct ingest *in, int64_t thread,
			 const struct pl_aggregate *agg, bool with_edges)
{
	struct pl_costs costs = pl_costs_of(in->rf);
	struct pl_aggregate comp = { 0 };
	int rc = 0;

	if (!pl_costs_known(&costs))
		return add_stats(in, thread, agg, NULL, with_edges);
	pl_tree_compensate(&in->tree, &costs, in->is_python);
	rc = add_up(in, &comp);
	if (!rc)
		rc = add_stats(in, thread, agg, &comp, with_edges);
	pl_aggregate_release(&comp);
	return rc;
}

static int add_thread(struct ingest *in, uint32_t recorder)
{
	const struct pl_recorder *r = pl_recfile_recorder(in->rf, recorder);
	struct pl_aggregate agg = { 0 };
	int64_t id;
	int rc = pl_tree_load(&in->tree, in->rf, recorder, in->err);

	if (rc || (!in->tree.n && !in->tree.n_bad))
		return rc;
	in->n_bad += in->tree.n_bad;
	in->n_lost += r->n_lost;
	/* A thread that the scope has never been in. */
	if (r->flags & PL_RECORDER_WITHIN && !count_calls(&in->tree))
		return 0;
	rc = add_up(in, &agg);
	if (!rc)
		rc = add_thread_row(in, r, count_calls(&in->tree), &id);
	if (!rc)
		rc = add_nodes(in, id);
	if (!rc)
		rc = add_all_stats(in, id, &agg,
				   !(r->flags & PL_RECORDER_NO_SUBCALLS));
	pl_aggregate_release(&agg);
	return rc;
}

/* A Profile's time is in the figures of the whole process, if those are in the
 * same run: see threads.counted. */
int pl_ingest_settle(struct pl_store *store, int64_t run,
		     struct pl_error *err)
{
	return run_with(store, "UPDATE threads SET counted = 0 "
			"WHERE is_scope AND counted AND process_id IN "
			"(SELECT id FROM processes WHERE run_id = ?1) "
			"AND EXISTS (SELECT 1 FROM processes p JOIN threads t "
			"ON t.process_id = p.id WHERE p.run_id = ?1 "
			"AND NOT t.is_scope)", run, err);
}

static int add_threads(struct ingest *in)
{
	sqlite3_stmt *max;
	int rc;

	rc = pl_db_prepare(in->store, &in->add_node, "INSERT INTO nodes VALUES "
			   "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", in->err);
	if (!rc)
		rc = pl_db_prepare(in->store, &max,
				   "SELECT max(id) + 1 FROM nodes", in->err);
	if (rc)
		return rc;
	in->next_node = 1;
	rc = pl_db_value(in->store, max, &in->next_node, in->err);
	sqlite3_finalize(max);
	for (uint32_t i = 0; !rc && i < in->rf->n_recorders; i++)
		rc = add_thread(in, in->rf->recorders[i]);
	return rc ? rc : pl_ingest_settle(in->store, in->run, in->err);
}

/* ------------------------------------------------------------- the whole -- */

static void describe_damage(struct ingest *in, char *text, size_t size)
{
	snprintf(text, size, "%s", in->rf->damage);
	if (!*text && in->rf->header.flags & PL_REC_F_LOST && !in->n_lost)
		snprintf(text, size, "there was no room for some of it");
	if (in->n_bad && !*text)
		snprintf(text, size, "the recording is damaged: %u of the "
			 "links in its trees lead nowhere", in->n_bad);
}

static int add_damage(struct ingest *in, const char *text)
{
	sqlite3_stmt *stmt;
	int rc;

	if (!*text)
		return 0;
	rc = pl_db_prepare(in->store, &stmt, "UPDATE processes SET damage = ? "
			   "WHERE id = ?", in->err);
	if (rc)
		return rc;
	pl_db_bind(stmt, "si", text, in->process);
	rc = pl_db_run(in->store, stmt, in->err);
	sqlite3_finalize(stmt);
	return rc;
}

static int list_funcs(struct ingest *in)
{
	size_t n = (size_t)in->rf->n_func_slots + 1;

	in->funcs = calloc(n, sizeof(*in->funcs));
	in->is_python = calloc(n, sizeof(*in->is_python));
	if (!in->funcs || !in->is_python)
		return PL_ERR_NOMEM;
	for (uint32_t i = 0; i < in->rf->n_func_slots; i++) {
		const struct pl_func *f =
			pl_recfile_func(in->rf, in->rf->func_ids[i]);

		in->is_python[i] = f && f->kind == PL_FUNC_PYTHON;
	}
	return 0;
}

static int write_all(struct ingest *in, struct pl_ingest_result *result)
{
	int rc = find_earlier(in, &result->already);

	if (rc || result->already)
		return rc;
	if (list_funcs(in))
		return pl_fail(in->err, PL_ERR_NOMEM, "no memory");
	rc = pl_rows_init(&in->rows, in->store, in->err);
	if (!rc)
		rc = add_process(in);
	if (!rc)
		rc = add_threads(in);
	describe_damage(in, result->damage, sizeof(result->damage));
	return rc ? rc : add_damage(in, result->damage);
}

/* What a thread was in when its process ended, "" outside of C functions. */
static const char *innermost_c(const struct pl_recfile *rf, uint32_t recorder)
{
	const struct pl_recorder *r = pl_recfile_recorder(rf, recorder);
	const struct pl_node *node = NULL;
	const struct pl_frame *frames;
	const struct pl_func *f = NULL;
	size_t n;

	if (!r || (r->flags & PL_RECORDER_ENDED))
		return "";
	frames = pl_recfile_frames(rf, r, &n);
	if (frames && n)
		node = pl_recfile_node(rf, frames[n - 1].node);
	if (node)
		f = pl_recfile_func(rf, node->func);
	return f && f->kind == PL_FUNC_C ? pl_recfile_str(rf, f->name, NULL)
					 : "";
}

/*
 * How a process ended that is gone with no word.  The preload has a word for
 * os._exit and exec; without it they are the calls that were never left.
 */
static enum pl_end how_it_ended(const struct pl_recfile *rf)
{
	if (rf->header.flags & PL_REC_F_EXEC_PENDING)
		return PL_END_EXEC;
	if (rf->header.flags & PL_REC_F_STOPPED)
		return PL_END_STOPPED;
	for (uint32_t i = 0; i < rf->n_recorders; i++) {
		const char *in = innermost_c(rf, rf->recorders[i]);

		if (!strcmp(in, "<built-in method posix._exit>"))
			return PL_END_UNDERSCORE_EXIT;
		if (!strcmp(in, "<built-in method posix.execv>") ||
		    !strcmp(in, "<built-in method posix.execve>"))
			return PL_END_EXEC;
	}
	return PL_END_KILLED;
}

static void init(struct ingest *in, enum pl_end end, int end_status)
{
	const struct pl_rec_header *h = &in->rf->header;

	in->end = h->end;
	in->end_status = h->end_status;
	if (h->end == PL_END_RUNNING) {
		in->end = end == PL_END_KILLED ? how_it_ended(in->rf) : end;
		in->end_status = end_status;
	}
	pl_uuid_format(h->uuid, in->uuid);
	/* A Profile that was saved without a run is a run of its own. */
	pl_uuid_format(pl_uuid_is_zero(h->run_uuid) ? h->uuid : h->run_uuid,
		       in->run_uuid);
}

/* Within a transaction of the caller's (batch.c) it is a part of that.  *@own:
 * it is one of its own. */
static int begin(struct pl_store *store, bool *own, struct pl_error *err)
{
	*own = sqlite3_get_autocommit(store->db);
	return *own ? pl_db_begin(store, err)
		    : pl_db_exec(store, "SAVEPOINT recording", err);
}

static int release(struct pl_store *store, int rc, struct pl_error *err)
{
	if (rc)
		pl_db_exec(store, "ROLLBACK TO recording", NULL);
	return pl_db_exec(store, "RELEASE recording", rc ? NULL : err) && !rc ?
		       PL_ERR_SQL : rc;
}

int pl_store_ingest(struct pl_store *store, const struct pl_recfile *rf,
		    enum pl_end end, int end_status,
		    struct pl_ingest_result *result, struct pl_error *err)
{
	struct pl_error local;
	struct ingest in = { .store = store, .rf = rf,
			     .err = err ? err : &local };
	bool own;
	int rc;

	memset(result, 0, sizeof(*result));
	init(&in, end, end_status);
	rc = begin(store, &own, in.err);
	if (rc)
		return rc;
	rc = write_all(&in, result);
	pl_rows_release(&in.rows);
	sqlite3_finalize(in.add_node);
	pl_tree_release(&in.tree);
	free(in.funcs);
	free(in.is_python);
	result->run_id = in.run;
	result->process_id = in.process;
	result->n_nodes = in.n_nodes;
	return own ? pl_db_end(store, rc, in.err) : release(store, rc, in.err);
}
