/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "base/text.h"
#include "core/costs.h"
#include "store/ingest.h"

#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------- selection -- */

/* @arg is for its parameter, if it has one. */
static int one_value(struct pl_store *s, const char *sql, int64_t arg,
		     int64_t *value, struct pl_error *err)
{
	sqlite3_stmt *stmt;
	int rc = pl_db_prepare(s, &stmt, sql, err);

	if (rc)
		return rc;
	sqlite3_bind_int64(stmt, 1, arg);
	rc = pl_db_value(s, stmt, value, err);
	sqlite3_finalize(stmt);
	return rc;
}

/* Fill in what @sel leaves open: the run of its thread or process, or the one
 * that arrived last. */
static int resolve(struct pl_store *s, const struct pl_select *sel,
		   struct pl_select *out, struct pl_error *err)
{
	static const char of_thread[] = "SELECT run_id FROM threads t "
		"JOIN processes p ON p.id = process_id WHERE t.id = ?";
	static const char of_process[] = "SELECT run_id FROM processes "
		"WHERE id = ?";
	static const char exists[] = "SELECT id FROM runs WHERE id = ?";
	static const char latest[] = "SELECT max(id) FROM runs";
	const char *sql = sel->run_id ? exists : sel->thread_id ? of_thread :
			  sel->process_id ? of_process : latest;
	int64_t arg = sel->run_id ? sel->run_id :
		      sel->thread_id ? sel->thread_id : sel->process_id;
	int rc;

	*out = *sel;
	out->run_id = 0;
	rc = one_value(s, sql, arg, &out->run_id, err);
	if (rc || out->run_id)
		return rc;
	if (sql == latest)
		return pl_fail(err, PL_ERR_NOENT, "%s has no runs yet",
			       s->path);
	return pl_fail(err, PL_ERR_NOENT, "%s has no %s %lld", s->path,
		       sql == exists ? "run" : sql == of_thread ? "thread" :
		       "process", (long long)arg);
}

static void free_threads(struct pl_thread *threads, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(threads[i].name);
		free(threads[i].scope);
	}
	free(threads);
}

void pl_threads_free(struct pl_thread *threads, size_t n)
{
	free_threads(threads, n);
}

static bool read_thread(sqlite3_stmt *stmt, struct pl_thread *t)
{
	int64_t first = sqlite3_column_int64(stmt, 7);
	int64_t last = sqlite3_column_int64(stmt, 8);

	t->id = sqlite3_column_int64(stmt, 0);
	t->process_id = sqlite3_column_int64(stmt, 1);
	t->pid = (uint32_t)sqlite3_column_int64(stmt, 2);
	t->tid = (uint32_t)sqlite3_column_int64(stmt, 3);
	t->counted = sqlite3_column_int(stmt, 4);
	t->folded = sqlite3_column_int(stmt, 5);
	t->duration_ns = sqlite3_column_int64(stmt, 6);
	t->n_nodes = first > 0 && last >= first && last - first < UINT32_MAX ?
		     (uint32_t)(last - first + 1) : 0;
	t->n_calls = (uint64_t)sqlite3_column_int64(stmt, 9);
	t->scope = NULL;
	t->has_costs = sqlite3_column_int(stmt, 10);
	t->more_functions = sqlite3_column_int(stmt, 11);
	return pl_db_text_dup(stmt, 12, &t->name) &&
	       pl_db_text_dup(stmt, 13, &t->scope);
}

static const char threads_sql[] =
	"SELECT t.id, p.id, pid, tid, counted, folded, duration_ns, "
	"first_node, last_node, n_calls, cost_py_in_ns IS NOT NULL, "
	"more_functions, name, scope "
	"FROM processes p JOIN threads t ON t.process_id = p.id "
	"WHERE run_id = ?1 AND (?2 = 0 OR p.id = ?2) "
	"AND (?3 = 0 OR t.id = ?3) ORDER BY t.id";

static int list_threads(struct pl_store *s, const struct pl_select *sel,
			struct pl_thread **threads, size_t *n,
			struct pl_error *err)
{
	size_t capacity = 0;
	sqlite3_stmt *stmt;
	int rc = pl_db_prepare(s, &stmt, threads_sql, err);

	*threads = NULL;
	*n = 0;
	if (rc)
		return rc;
	pl_db_bind(stmt, "iii", sel->run_id, sel->process_id, sel->thread_id);
	while ((rc = pl_db_row(s, stmt, err)) > 0) {
		if (*n == capacity) {
			void *p;

			capacity = capacity ? capacity * 2 : 16;
			p = realloc(*threads, capacity * sizeof(**threads));
			if (!p) {
				rc = pl_fail(err, PL_ERR_NOMEM, "no memory");
				break;
			}
			*threads = p;
		}
		(*threads)[(*n)++].run_id = sel->run_id;
		if (!read_thread(stmt, &(*threads)[*n - 1])) {
			rc = pl_fail(err, PL_ERR_NOMEM, "no memory");
			break;
		}
	}
	sqlite3_finalize(stmt);
	if (rc) {
		free_threads(*threads, *n);
		*threads = NULL;
		*n = 0;
	}
	return rc;
}

int pl_store_threads(struct pl_store *s, const struct pl_select *sel,
		     struct pl_thread **threads, size_t *n,
		     struct pl_error *err)
{
	struct pl_select all;
	int rc = pl_db_exec(s, "BEGIN", err);

	*threads = NULL;
	*n = 0;
	if (rc)
		return rc;
	rc = resolve(s, sel, &all, err);
	if (!rc)
		rc = list_threads(s, &all, threads, n, err);
	rc = pl_db_end(s, rc, err);
	if (rc) {
		free_threads(*threads, *n);
		*threads = NULL;
		*n = 0;
	}
	return rc;
}

/* -------------------------------------------------------------- the text -- */

/* Strings that go all at once. */
struct arena {
	struct arena *next;
	size_t used, size;
	char bytes[];
};

static char *arena_copy(struct arena **arena, const char *text, size_t len)
{
	struct arena *a = *arena;
	size_t n = pl_text_escaped_length(text, len);
	char *copy;

	if (!a || a->size - a->used < n + 1) {
		size_t size = n + 1 > 65000 ? n + 1 : 65000;

		a = malloc(sizeof(*a) + size);
		if (!a)
			return NULL;
		a->next = *arena;
		a->used = 0;
		a->size = size;
		*arena = a;
	}
	copy = a->bytes + a->used;
	pl_text_escape_nul(copy, text, len);
	a->used += n + 1;
	return copy;
}

static void arena_free(struct arena *a)
{
	while (a) {
		struct arena *next = a->next;

		free(a);
		a = next;
	}
}

/* ---------------------------------------------------------------- adding -- */

/* Where a function was met. */
enum seen {
	SEEN = 1 << 0,			/* it has figures of its own */
	SEEN_IN_PAIR = 1 << 1,
};

struct sums {
	struct pl_figures f;
	struct pl_times other;
};

/*
 * Figures are added up here and not by SQL: an array by function id, and
 * sorted pairs, take less time than GROUP BY, and a sum that is too big (of a
 * damaged recording) stops at the greatest number instead of failing.  The
 * array is the one of the functions to be: by id first, and then, when their
 * names are read, without gaps.
 */
struct loader {
	struct pl_store *store;
	struct pl_error *err;
	struct pl_profile *out;
	uint8_t *seen;			/* by function id: enum seen */
	uint32_t *index;		/* function id -> index in out */
	uint32_t n_ids;
	uint32_t edges_capacity;	/* of out->edges; ids until numbered */
};

static int no_memory(struct loader *l)
{
	return pl_fail(l->err, PL_ERR_NOMEM, "no memory to read %s",
		       l->store->path);
}

static void add(struct pl_figures *to, const struct pl_figures *f)
{
	to->calls += f->calls;
	to->resumes += f->resumes;
	to->primitive += f->primitive;
	to->self_ns = pl_add_ns(to->self_ns, f->self_ns);
	to->cum_ns = pl_add_ns(to->cum_ns, f->cum_ns);
	if (f->min_ns >= 0 && (to->min_ns < 0 || f->min_ns < to->min_ns))
		to->min_ns = f->min_ns;
	if (to->max_ns < f->max_ns)
		to->max_ns = f->max_ns;
}

static void add_times(struct pl_times *to, const struct pl_times *t)
{
	to->self_ns = pl_add_ns(to->self_ns, t->self_ns);
	to->cum_ns = pl_add_ns(to->cum_ns, t->cum_ns);
}

static struct pl_times read_times(sqlite3_stmt *stmt, int at)
{
	return (struct pl_times){
		.self_ns = sqlite3_column_int64(stmt, at),
		.cum_ns = sqlite3_column_int64(stmt, at + 1),
	};
}

static struct sums read_sums(const struct loader *l, sqlite3_stmt *stmt,
			     int at)
{
	int times = at + (l->out->compensated ? 5 : 3);
	int other = at + (l->out->compensated ? 3 : 5);
	const struct pl_times t = read_times(stmt, times);
	struct pl_figures f = {
		.calls = (uint64_t)sqlite3_column_int64(stmt, at),
		.resumes = (uint64_t)sqlite3_column_int64(stmt, at + 1),
		.primitive = (uint64_t)sqlite3_column_int64(stmt, at + 2),
		.self_ns = t.self_ns,
		.cum_ns = t.cum_ns,
		.min_ns = -1,
	};

	if (sqlite3_column_type(stmt, at + 7) != SQLITE_NULL) {
		f.min_ns = sqlite3_column_int64(stmt, at + 7);
		f.max_ns = sqlite3_column_int64(stmt, at + 8);
	}
	return (struct sums){ f, read_times(stmt, other) };
}

/* A function id as an index; 0, which no row has, for what is out of range. */
static uint32_t read_id(const struct loader *l, sqlite3_stmt *stmt, int column)
{
	int64_t id = sqlite3_column_int64(stmt, column);

	return id > 0 && id < l->n_ids ? (uint32_t)id : 0;
}

static int add_thread_figures(struct loader *l, sqlite3_stmt *stmt,
			      int64_t thread)
{
	int rc;

	sqlite3_bind_int64(stmt, 1, thread);
	while ((rc = pl_db_row(l->store, stmt, l->err)) > 0) {
		struct sums sums = read_sums(l, stmt, 1);
		uint32_t id = read_id(l, stmt, 0);

		if (!(l->seen[id] & SEEN))
			l->out->funcs[id].f.min_ns = -1;
		l->seen[id] |= SEEN;
		add(&l->out->funcs[id].f, &sums.f);
		add_times(&l->out->funcs[id].other, &sums.other);
	}
	sqlite3_reset(stmt);
	return rc;
}

static int by_pair(const void *a, const void *b)
{
	const struct pl_pedge *x = a, *y = b;

	if (x->caller != y->caller)
		return x->caller < y->caller ? -1 : 1;
	return x->callee < y->callee ? -1 : x->callee > y->callee;
}

/* Pairs of several threads: those that are equal become one. */
static void merge_edges(struct pl_profile *p)
{
	uint32_t n = 0, sorted = 1;

	/* Those of one thread are, and sorting takes memory. */
	while (sorted < p->n_edges &&
	       by_pair(&p->edges[sorted - 1], &p->edges[sorted]) <= 0)
		sorted++;
	if (sorted < p->n_edges)
		qsort(p->edges, p->n_edges, sizeof(*p->edges), by_pair);
	for (uint32_t i = 0; i < p->n_edges; i++) {
		if (n && !by_pair(&p->edges[n - 1], &p->edges[i])) {
			add(&p->edges[n - 1].f, &p->edges[i].f);
			add_times(&p->edges[n - 1].other, &p->edges[i].other);
		} else {
			p->edges[n++] = p->edges[i];
		}
	}
	p->n_edges = n;
}

/* Merged on the way as well, so that a thousand processes of one program take
 * no more room than two. */
static struct pl_pedge *new_edge(struct loader *l)
{
	struct pl_profile *p = l->out;

	if (p->n_edges < l->edges_capacity)
		return &p->edges[p->n_edges++];
	if (p->n_edges)
		merge_edges(p);
	if (p->n_edges >= l->edges_capacity / 2) {
		uint32_t n = l->edges_capacity ? l->edges_capacity * 2 : 1024;
		void *edges = realloc(p->edges, (size_t)n * sizeof(*p->edges));

		if (!edges)
			return NULL;
		p->edges = edges;
		l->edges_capacity = n;
	}
	return &p->edges[p->n_edges++];
}

static int add_thread_edges(struct loader *l, sqlite3_stmt *stmt,
			    int64_t thread)
{
	int rc;

	sqlite3_bind_int64(stmt, 1, thread);
	while ((rc = pl_db_row(l->store, stmt, l->err)) > 0) {
		uint32_t caller = read_id(l, stmt, 0);
		uint32_t callee = read_id(l, stmt, 1);
		struct pl_pedge *e;
		struct sums sums;

		if (!caller || !callee)
			continue;
		e = new_edge(l);
		if (!e) {
			rc = no_memory(l);
			break;
		}
		sums = read_sums(l, stmt, 2);
		*e = (struct pl_pedge){ caller, callee, sums.f, sums.other };
		for (int i = 0; i < 2; i++) {
			uint32_t id = i ? callee : caller;

			if (!l->seen[id])
				l->out->funcs[id].f.min_ns = -1;
			l->seen[id] |= SEEN_IN_PAIR;
		}
	}
	sqlite3_reset(stmt);
	return rc;
}

/* Both times at once: a report may show them side by side. */
#define SUMS "calls, resumes, primitive, self_ns, cum_ns, " \
	"ifnull(comp_self_ns, self_ns), ifnull(comp_cum_ns, cum_ns), " \
	"min_ns, max_ns"

static int add_threads(struct loader *l, const struct pl_thread *threads,
		       size_t n, bool all, bool with_edges)
{
	sqlite3_stmt *figures = NULL, *edges = NULL;
	int rc = pl_db_prepare(l->store, &figures, "SELECT function_id, " SUMS
			       " FROM function_stats WHERE thread_id = ?",
			       l->err);

	if (!rc && with_edges)
		rc = pl_db_prepare(l->store, &edges, "SELECT caller_id, "
				   "callee_id, " SUMS " FROM call_stats "
				   "WHERE thread_id = ?", l->err);
	for (size_t i = 0; !rc && i < n; i++) {
		if (!threads[i].counted && !all)
			continue;
		l->out->folded |= threads[i].folded;
		l->out->more_functions |= threads[i].more_functions;
		rc = add_thread_figures(l, figures, threads[i].id);
		if (!rc && with_edges)
			rc = add_thread_edges(l, edges, threads[i].id);
	}
	sqlite3_finalize(figures);
	sqlite3_finalize(edges);
	if (!rc && l->out->n_edges)
		merge_edges(l->out);
	return rc;
}

/* ------------------------------------------------------------- functions -- */

static const char *copy_column(struct loader *l, sqlite3_stmt *stmt, int column)
{
	const char *text = pl_db_text(stmt, column);

	return arena_copy((struct arena **)&l->out->text, text,
			  (size_t)sqlite3_column_bytes(stmt, column));
}

static int read_func(struct loader *l, sqlite3_stmt *stmt, uint32_t id)
{
	struct pl_pfunc *f = &l->out->funcs[l->out->n_funcs];
	const char *file = pl_db_text(stmt, 0);

	/* Its own figures, further back. */
	*f = l->out->funcs[id];
	f->id = id;
	f->only_calls = l->seen[id] == SEEN_IN_PAIR;
	/* Neighbours often come from one file. */
	f->file = l->out->n_funcs && !strcmp(f[-1].file, file) ?
		  f[-1].file : copy_column(l, stmt, 0);
	f->line = sqlite3_column_int(stmt, 1);
	f->name = copy_column(l, stmt, 2);
	f->kind = pl_kind_parse(pl_db_text(stmt, 3));
	if (!f->file || !f->name)
		return no_memory(l);
	if (!strcmp(pl_db_text(stmt, 4), f->name))
		f->qualname = f->name;
	else if (sqlite3_column_type(stmt, 4) != SQLITE_NULL &&
		 !(f->qualname = copy_column(l, stmt, 4)))
		return no_memory(l);
	if (sqlite3_column_type(stmt, 5) != SQLITE_NULL &&
	    !(f->module = copy_column(l, stmt, 5)))
		return no_memory(l);
	l->index[id] = l->out->n_funcs++;
	return 0;
}

static int read_funcs(struct loader *l)
{
	sqlite3_stmt *stmt;
	void *less;
	int rc;

	rc = pl_db_prepare(l->store, &stmt, "SELECT filename, line, name, "
			   "kind, qualname, module FROM functions "
			   "WHERE id = ?", l->err);
	for (uint32_t id = 1; !rc && id < l->n_ids; id++) {
		if (!l->seen[id])
			continue;
		sqlite3_bind_int64(stmt, 1, id);
		rc = pl_db_row(l->store, stmt, l->err);
		if (rc > 0)
			rc = read_func(l, stmt, id);
		else if (!rc)
			rc = pl_fail(l->err, PL_ERR_FORMAT, "%s is damaged: it "
				     "has figures of function %u and no such "
				     "function", l->store->path, id);
		sqlite3_reset(stmt);
	}
	sqlite3_finalize(stmt);
	less = rc ? NULL : realloc(l->out->funcs, ((size_t)l->out->n_funcs +
				   1) * sizeof(*l->out->funcs));
	if (less)
		l->out->funcs = less;
	return rc;
}

/* Ids are given in turn and a row takes some bytes, so none is greater than the
 * file: arrays by id cost no more than a few times what is there. */
static int loader_init(struct loader *l)
{
	int64_t n = 0, most = 0;
	int rc = one_value(l->store, "SELECT max(id) + 1 FROM functions", 0,
			   &n, l->err);

	if (!rc)
		rc = one_value(l->store, "SELECT page_count * page_size FROM "
			       "pragma_page_count, pragma_page_size", 0, &most,
			       l->err);
	if (rc)
		return rc;
	if (n < 1)
		n = 1;
	if (n > most || n > UINT32_MAX)
		return pl_fail(l->err, PL_ERR_FORMAT, "%s is damaged: it has a "
			       "function of number %lld", l->store->path,
			       (long long)n);
	l->n_ids = (uint32_t)n;
	l->out->funcs = calloc(l->n_ids, sizeof(*l->out->funcs));
	l->seen = calloc(l->n_ids, sizeof(*l->seen));
	l->index = calloc(l->n_ids, sizeof(*l->index));
	return l->out->funcs && l->seen && l->index ? 0 : no_memory(l);
}

static int load(struct loader *l, const struct pl_select *sel, bool with_edges)
{
	struct pl_thread *threads = NULL;
	struct pl_select all;
	size_t n = 0;
	int rc = resolve(l->store, sel, &all, l->err);

	l->out->compensated = sel->compensated;
	if (!rc)
		rc = one_value(l->store, "SELECT started_ns FROM runs "
			       "WHERE id = ?", all.run_id,
			       &l->out->started_ns, l->err);
	if (!rc)
		rc = loader_init(l);
	if (!rc)
		rc = list_threads(l->store, &all, &threads, &n, l->err);
	if (!rc && !n && (sel->process_id || sel->thread_id))
		rc = pl_fail(l->err, PL_ERR_NOENT, "run %lld of %s has no such "
			     "process or thread", (long long)all.run_id,
			     l->store->path);
	if (!rc)
		rc = add_threads(l, threads, n,
				 sel->process_id || sel->thread_id, with_edges);
	if (!rc)
		rc = read_funcs(l);
	free_threads(threads, n);
	if (rc)
		return rc;
	l->out->run_id = all.run_id;
	for (uint32_t i = 0; i < l->out->n_edges; i++) {
		struct pl_pedge *e = &l->out->edges[i];

		e->caller = l->index[e->caller];
		e->callee = l->index[e->callee];
	}
	return 0;
}

int pl_store_load(struct pl_store *store, const struct pl_select *sel,
		  bool with_edges, struct pl_profile *out,
		  struct pl_error *err)
{
	struct loader l = { .store = store, .err = err, .out = out };
	int rc;

	memset(out, 0, sizeof(*out));
	/* One state of the database, though others go on writing. */
	rc = pl_db_exec(store, "BEGIN", err);
	if (rc)
		return rc;
	rc = pl_db_end(store, load(&l, sel, with_edges), err);
	free(l.seen);
	free(l.index);
	if (rc)
		pl_profile_release(out);
	return rc;
}

void pl_profile_release(struct pl_profile *profile)
{
	free(profile->funcs);
	free(profile->edges);
	arena_free(profile->text);
	memset(profile, 0, sizeof(*profile));
}

/* ----------------------------------------------------------------- trees -- */

static uint32_t find_func(const struct pl_profile *p, int64_t id)
{
	uint32_t low = 0, high = p->n_funcs;
	uint64_t guess = p->n_funcs ? (uint64_t)id - (uint64_t)p->funcs[0].id
				    : 0;

	/* The functions of a run mostly came one after the other. */
	if (guess < p->n_funcs && p->funcs[guess].id == id)
		return (uint32_t)guess;
	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (p->funcs[mid].id < id)
			low = mid + 1;
		else
			high = mid;
	}
	return low < p->n_funcs && p->funcs[low].id == id ? low : UINT32_MAX;
}

struct tree_reader {
	struct pl_store *store;
	struct pl_error *err;
	const struct pl_profile *profile;
	struct pl_tree *tree;
	sqlite3_stmt *stmt;
	int64_t first;
	uint32_t n;			/* so many are promised */
};

/* A column that holds a node's id, as an index; wraps when it is before the
 * first, which then is too great to be one. */
static uint64_t read_index(const struct tree_reader *r, int column)
{
	return (uint64_t)sqlite3_column_int64(r->stmt, column) -
	       (uint64_t)r->first;
}

/* Ids have no gap, and every node lies within the innermost one that encloses
 * it, *@parent: then the whole is a tree in preorder. */
static bool is_next(const struct tree_reader *r, uint64_t end,
		    uint32_t *parent)
{
	const struct pl_tree_node *nodes = r->tree->nodes;
	uint32_t i = r->tree->n, up = i ? i - 1 : 0;

	*parent = 0;
	if (i == r->n || read_index(r, 0) != i || end <= i)
		return false;
	if (!i)
		return end == r->n;
	while (nodes[up].end <= i)
		up = nodes[up].parent;
	*parent = up;
	return read_index(r, 1) == up && end <= nodes[up].end;
}

static bool read_node(const struct tree_reader *r)
{
	uint64_t end = read_index(r, 2) + 1;
	bool has_func = sqlite3_column_type(r->stmt, 3) != SQLITE_NULL;
	struct pl_tree_node *t = &r->tree->nodes[r->tree->n];
	uint32_t parent;

	if (!is_next(r, end, &parent))
		return false;
	*t = (struct pl_tree_node){
		.parent = parent,
		.end = (uint32_t)end,
		.func = UINT32_MAX,
		.flags = (uint32_t)sqlite3_column_int64(r->stmt, 4),
		.calls = (uint64_t)sqlite3_column_int64(r->stmt, 5),
		.resumes = (uint64_t)sqlite3_column_int64(r->stmt, 6),
		.total_ns = sqlite3_column_int64(r->stmt, 7),
		.self_ns = sqlite3_column_int64(r->stmt, 8),
		.min_ns = -1,
	};
	if (has_func)
		t->func = find_func(r->profile,
				    sqlite3_column_int64(r->stmt, 3));
	if (sqlite3_column_type(r->stmt, 9) != SQLITE_NULL) {
		t->min_ns = sqlite3_column_int64(r->stmt, 9);
		t->max_ns = sqlite3_column_int64(r->stmt, 10);
	}
	r->tree->n++;
	return true;
}

/* By rows and not by what is promised: that may be a damaged number. */
static int grow_tree(const struct tree_reader *r)
{
	uint32_t more = r->tree->capacity * 2;
	void *p;

	if (r->tree->n < r->tree->capacity)
		return 0;
	if (more < 1024)
		more = 1024;
	p = realloc(r->tree->nodes, (size_t)more * sizeof(*r->tree->nodes));
	if (!p)
		return pl_fail(r->err, PL_ERR_NOMEM, "no memory for a tree of "
			       "%u nodes", r->n);
	r->tree->nodes = p;
	r->tree->capacity = more;
	return 0;
}

static int read_tree(const struct tree_reader *r)
{
	int rc;

	while ((rc = pl_db_row(r->store, r->stmt, r->err)) > 0) {
		rc = grow_tree(r);
		if (rc)
			return rc;
		if (!read_node(r))
			break;
	}
	if (rc < 0 || (!rc && r->tree->n == r->n))
		return rc;
	return pl_fail(r->err, PL_ERR_FORMAT, "%s is damaged: the nodes of a "
		       "thread do not make a tree (node %llu)", r->store->path,
		       (unsigned long long)r->first + r->tree->n);
}

static int compensate(const struct tree_reader *r, int64_t thread)
{
	static const char sql[] = "SELECT cost_py_in_ns, cost_py_out_ns, "
		"cost_c_in_ns, cost_c_out_ns FROM threads t "
		"JOIN processes p ON p.id = t.process_id WHERE t.id = ?";
	const struct pl_profile *p = r->profile;
	struct pl_costs costs = { 0 };
	sqlite3_stmt *stmt;
	bool *is_python;
	int rc = pl_db_prepare(r->store, &stmt, sql, r->err);

	if (rc)
		return rc;
	pl_db_bind(stmt, "i", thread);
	rc = pl_db_row(r->store, stmt, r->err);
	if (rc > 0)
		costs = (struct pl_costs){
			sqlite3_column_double(stmt, 0),
			sqlite3_column_double(stmt, 1),
			sqlite3_column_double(stmt, 2),
			sqlite3_column_double(stmt, 3),
		};
	sqlite3_finalize(stmt);
	if (rc < 0 || !pl_costs_known(&costs))
		return rc < 0 ? rc : 0;
	is_python = malloc(((size_t)p->n_funcs + 1) * sizeof(*is_python));
	if (!is_python)
		return pl_fail(r->err, PL_ERR_NOMEM, "no memory");
	for (uint32_t i = 0; i < p->n_funcs; i++)
		is_python[i] = p->funcs[i].kind == PL_FUNC_PYTHON;
	pl_tree_compensate(r->tree, &costs, is_python);
	free(is_python);
	return 0;
}

int pl_store_load_tree(struct pl_store *s, const struct pl_thread *thread,
		       const struct pl_profile *profile, struct pl_tree *tree,
		       struct pl_error *err)
{
	static const char sql[] = "SELECT id, parent_id, last_id, function_id, "
		"flags, calls, resumes, total_ns, self_ns, min_ns, max_ns "
		"FROM nodes WHERE id BETWEEN ?1 AND ?2 ORDER BY id";
	struct tree_reader r = { .store = s, .err = err, .tree = tree,
				 .profile = profile, .n = thread->n_nodes };
	int rc;

	tree->n = tree->n_bad = 0;
	if (!r.n)
		return 0;
	rc = one_value(s, "SELECT first_node FROM threads WHERE id = ?",
		       thread->id, &r.first, err);
	if (rc)
		return rc;
	/* Replaced by a later state of its recording, since it was listed. */
	if (!r.first)
		return pl_fail(err, PL_ERR_NOENT, "%s has no thread %lld any "
			       "more", s->path, (long long)thread->id);
	rc = pl_db_prepare(s, &r.stmt, sql, err);
	if (rc)
		return rc;
	pl_db_bind(r.stmt, "ii", r.first,
		   (int64_t)((uint64_t)r.first + r.n - 1));
	rc = read_tree(&r);
	sqlite3_finalize(r.stmt);
	if (!rc && profile->compensated)
		rc = compensate(&r, thread->id);
	if (rc)
		tree->n = 0;
	return rc;
}
