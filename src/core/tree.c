/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "core/tree.h"

#include "base/hash.h"

#include <stdlib.h>
#include <string.h>

#define NO_FUNC UINT32_MAX

/* Of a damaged recording sums may come to anything. */
static int64_t add(int64_t a, int64_t b)
{
	int64_t sum;

	if (__builtin_add_overflow(a, b, &sum))
		return a < 0 ? INT64_MIN / 2 : INT64_MAX / 2;
	return sum;
}

/* -1 means "none". */
static int64_t least(int64_t a, int64_t b)
{
	if (a < 0 || b < 0)
		return a < 0 ? b : a;
	return a < b ? a : b;
}

void pl_tree_release(struct pl_tree *tree)
{
	free(tree->nodes);
	memset(tree, 0, sizeof(*tree));
}

/* --------------------------------------------------------------- loading -- */

/*
 * Depth first with a stack of our own, for a path may be a million calls long.
 * A node is marked when its parent's ring is read, so whatever the links of a
 * damaged file say, no node is taken twice and the walk ends.
 */
struct loader {
	const struct pl_recfile *rf;
	const struct pl_recorder *r;
	struct pl_tree *tree;
	uint32_t *index;		/* by cell: tree index + 1, or TAKEN */
	uint32_t n_cells;
	bool completed;			/* leave open calls out */
	bool ended;			/* as it was when we began */
	struct pending {
		uint32_t cell, parent;
	} *stack;
	size_t n, capacity;
};

#define TAKEN UINT32_MAX

static int push(struct loader *l, uint32_t cell, uint32_t parent)
{
	if (l->n == l->capacity) {
		size_t more = l->capacity ? l->capacity * 2 : 1024;
		void *p = realloc(l->stack, more * sizeof(*l->stack));

		if (!p)
			return PL_ERR_NOMEM;
		l->stack = p;
		l->capacity = more;
	}
	l->stack[l->n++] = (struct pending){ cell, parent };
	return 0;
}

static int by_cell_down(const void *a, const void *b)
{
	uint32_t x = ((const struct pending *)a)->cell;
	uint32_t y = ((const struct pending *)b)->cell;

	return x < y ? 1 : x > y ? -1 : 0;
}

/* The lowest number on top: it is the oldest, and comes out first. */
static void sort_children(struct pending *p, size_t n)
{
	if (n > 16) {
		qsort(p, n, sizeof(*p), by_cell_down);
		return;
	}
	for (size_t i = 1; i < n; i++) {
		struct pending one = p[i];
		size_t at = i;

		for (; at && p[at - 1].cell < one.cell; at--)
			p[at] = p[at - 1];
		p[at] = one;
	}
}

static int push_children(struct loader *l, uint32_t last, uint32_t parent)
{
	size_t first = l->n;
	uint32_t id = last;

	if (!last)
		return 0;
	do {
		const struct pl_node *n = pl_recfile_node(l->rf, id);

		if (!n || l->index[id]) {
			/* A living process links nodes we do not map yet. */
			if (n || l->rf->header.end != PL_END_RUNNING ||
			    id < l->n_cells)
				l->tree->n_bad++;
			break;
		}
		l->index[id] = TAKEN;
		if (push(l, id, parent))
			return PL_ERR_NOMEM;
		id = n->next;
	} while (id != last);
	sort_children(l->stack + first, l->n - first);
	return 0;
}

static struct pl_tree_node *append(struct pl_tree *tree)
{
	if (tree->n == tree->capacity) {
		uint32_t more = tree->capacity ? tree->capacity * 2 : 256;
		void *p = realloc(tree->nodes, more * sizeof(*tree->nodes));

		if (!p)
			return NULL;
		tree->nodes = p;
		tree->capacity = more;
	}
	return &tree->nodes[tree->n++];
}

static uint32_t func_of(struct loader *l, uint32_t id)
{
	uint32_t func = id ? pl_recfile_func_index(l->rf, id) : NO_FUNC;

	if (id && func == NO_FUNC)
		l->tree->n_bad++;
	return func;
}

static uint32_t fold_flag(const struct loader *l, uint32_t cell,
			  uint32_t parent)
{
	if (cell == l->r->fold_root)
		return PL_TREE_FOLDED;
	return parent ? l->tree->nodes[parent].flags & PL_TREE_FOLDED : 0;
}

static int take(struct loader *l, uint32_t cell, uint32_t parent)
{
	const struct pl_node *n = pl_recfile_node(l->rf, cell);
	struct pl_tree_node *t = append(l->tree);
	uint32_t at = l->tree->n - 1;

	if (!t)
		return PL_ERR_NOMEM;
	*t = (struct pl_tree_node){
		.parent = parent,
		.end = at + 1,
		.func = func_of(l, n->func),
		.flags = fold_flag(l, cell, parent),
		.calls = n->calls,
		.resumes = n->resumes,
		.total_ns = pl_recfile_ns(l->rf, n->ticks),
		.min_ns = -1,
	};
	if (n->min != UINT64_MAX) {
		t->min_ns = pl_recfile_ns(l->rf, n->min);
		t->max_ns = pl_recfile_ns(l->rf, n->max);
	}
	l->index[cell] = at + 1;
	return push_children(l, n->last, at);
}

static int take_all(struct loader *l)
{
	int rc;

	l->index[l->r->root] = TAKEN;
	rc = push(l, l->r->root, 0);
	while (!rc && l->n) {
		struct pending p = l->stack[--l->n];

		rc = take(l, p.cell, p.parent);
	}
	return rc;
}

/* ------------------------------------------------------------ open calls -- */

static uint64_t last_instant(const struct loader *l)
{
	const struct pl_recorder *r = l->r;

	if (l->ended)
		return r->end_ticks;
	if (r->clock == PL_CLOCK_WALL && l->rf->latest_ticks > r->latest)
		return l->rf->latest_ticks;
	return r->latest;
}

/*
 * A frame's t0 is the last thing written when a call begins.  One that is
 * earlier than its caller's is what an older frame left there: killed between
 * the two, the call has no time yet.
 */
static void add_open_calls(struct loader *l)
{
	uint64_t until = last_instant(l), from = l->r->last_start_ticks;
	const struct pl_frame *frames;
	size_t n;

	if (l->ended)
		return;
	if (!from)
		from = l->r->start_ticks;
	frames = pl_recfile_frames(l->rf, l->r, &n);
	for (size_t i = 1; frames && i < n; i++) {
		uint32_t cell = frames[i].node;
		uint64_t t0 = frames[i].t0;
		uint32_t at = cell < l->n_cells ? l->index[cell] : 0;
		struct pl_tree_node *t;

		/* Calls that had no room for a node are in no tree. */
		if (!at || at == TAKEN)
			continue;
		t = &l->tree->nodes[at - 1];
		t->flags |= PL_TREE_OPEN;
		if (t0 < from || t0 > until)
			continue;
		t->total_ns = add(t->total_ns,
				  pl_recfile_ns(l->rf, until - t0));
		from = t0;
	}
}

/* --------------------------------------------------------- derived parts -- */

static bool is_empty(const struct pl_tree_node *t)
{
	return !t->calls && !t->resumes && !t->total_ns &&
	       !(t->flags & PL_TREE_OPEN);
}

/* Leave out what is empty and has nothing below it.  @kept is by old index. */
static void prune(struct pl_tree *tree, uint32_t *kept)
{
	uint32_t n = 1;

	memset(kept, 0, tree->n * sizeof(*kept));
	for (uint32_t i = tree->n; i-- > 1;)
		if (kept[i] || !is_empty(&tree->nodes[i]))
			kept[i] = kept[tree->nodes[i].parent] = 1;
	kept[0] = 0;
	for (uint32_t i = 1; i < tree->n; i++) {
		if (!kept[i])
			continue;
		tree->nodes[n] = tree->nodes[i];
		tree->nodes[n].parent = kept[tree->nodes[i].parent];
		tree->nodes[n].end = n + 1;
		kept[i] = n++;
	}
	tree->n = n;
}

static int prune_empty(struct pl_tree *tree)
{
	uint32_t *kept;

	for (uint32_t i = 1; i < tree->n; i++) {
		if (!is_empty(&tree->nodes[i]))
			continue;
		kept = malloc(tree->n * sizeof(*kept));
		if (!kept)
			return PL_ERR_NOMEM;
		prune(tree, kept);
		free(kept);
		break;
	}
	return 0;
}

/* Backwards, a child comes before its parent. */
static void derive(struct pl_tree *tree)
{
	struct pl_tree_node *nodes = tree->nodes;

	for (uint32_t i = 0; i < tree->n; i++)
		nodes[i].self_ns = nodes[i].total_ns;
	for (uint32_t i = tree->n; i-- > 1;) {
		struct pl_tree_node *t = &nodes[i], *up = &nodes[t->parent];

		if (up->end < t->end)
			up->end = t->end;
		up->self_ns = add(up->self_ns, -t->total_ns);
		if (t->self_ns < 0 && !(t->flags & PL_TREE_FOLDED))
			t->self_ns = 0;
	}
}

/*
 * The root's total is the time that the recorder's threads were there.  Outside
 * of all calls the last event must do: profiling may have been off since.  The
 * difference may wrap around: where a clock is each thread's own, the next
 * thread begins before the last one ended.
 */
static void span_root(struct loader *l)
{
	const struct pl_recorder *r = l->r;
	struct pl_tree_node *root = l->tree->nodes;
	bool in_call = r->sp - r->stack > sizeof(struct pl_frame);
	uint64_t end = in_call || l->ended ? last_instant(l) : r->latest;
	uint64_t span = end - r->start_ticks -
			(l->ended ? r->pauses : r->pauses_now);

	root->total_ns = (int64_t)span > 0 ? pl_recfile_ns(l->rf, span) : 0;
}

static void finish_root(struct pl_tree *tree)
{
	struct pl_tree_node *root = tree->nodes;

	/* Rounding, or a clock that went back. */
	if (root->self_ns < 0) {
		root->total_ns = add(root->total_ns, -root->self_ns);
		root->self_ns = 0;
	}
}

/* Take back what add_open_calls has added, and the calls. */
static void leave_out_open_calls(struct loader *l)
{
	const struct pl_frame *frames;
	size_t n;

	if (l->ended)
		return;
	frames = pl_recfile_frames(l->rf, l->r, &n);
	for (size_t i = 1; frames && i < n; i++) {
		uint32_t cell = frames[i].node;
		uint32_t at = cell < l->n_cells ? l->index[cell] : 0;
		struct pl_tree_node *t;

		if (!at || at == TAKEN)
			continue;
		t = &l->tree->nodes[at - 1];
		t->total_ns = pl_recfile_ns(
			l->rf, pl_recfile_node(l->rf, cell)->ticks);
		if (frames[i].flags & PL_FRAME_CARRIED)
			continue;
		if (t->calls)
			t->calls--;
		else if (t->resumes)
			t->resumes--;
		if (!t->calls && !t->resumes)
			t->self_ns = 0;
	}
}

static int load(struct loader *l)
{
	struct pl_tree *tree = l->tree;
	uint32_t guess = l->r->n_nodes;
	int rc;

	l->n_cells = l->rf->n_pages * (PL_PAGE / PL_CELL);
	/* Pages of it that no node of this recorder falls into cost nothing. */
	l->index = calloc(l->n_cells, sizeof(*l->index));
	if (!l->index)
		return PL_ERR_NOMEM;
	if (guess > tree->capacity && guess <= l->n_cells) {
		void *p = realloc(tree->nodes, guess * sizeof(*tree->nodes));

		if (p) {
			tree->nodes = p;
			tree->capacity = guess;
		}
	}
	rc = take_all(l);
	if (rc)
		return rc;
	add_open_calls(l);
	span_root(l);
	rc = l->completed ? 0 : prune_empty(tree);
	if (rc)
		return rc;
	derive(tree);
	finish_root(tree);
	if (l->completed)
		leave_out_open_calls(l);
	return 0;
}

static int load_tree(struct pl_tree *tree, const struct pl_recfile *rf,
		     uint32_t recorder, bool completed, struct pl_error *err)
{
	struct loader l = { .rf = rf, .tree = tree, .completed = completed };
	int rc;

	tree->n = tree->n_bad = 0;
	l.r = pl_recfile_recorder(rf, recorder);
	if (!l.r)
		return pl_fail(err, PL_ERR_NOENT,
			       "the recording has no recorder %u", recorder);
	l.ended = __atomic_load_n(&l.r->flags, __ATOMIC_ACQUIRE) &
		  PL_RECORDER_ENDED;
	if (!l.r->root)
		return 0;
	if (!pl_recfile_node(rf, l.r->root)) {
		tree->n_bad++;
		return 0;
	}
	rc = load(&l);
	free(l.index);
	free(l.stack);
	if (rc) {
		tree->n = 0;
		return pl_fail(err, rc, "no memory for a tree of %u nodes",
			       l.r->n_nodes);
	}
	return 0;
}

int pl_tree_load(struct pl_tree *tree, const struct pl_recfile *rf,
		 uint32_t recorder, struct pl_error *err)
{
	return load_tree(tree, rf, recorder, false, err);
}

int pl_tree_load_completed(struct pl_tree *tree, const struct pl_recfile *rf,
			   uint32_t recorder, struct pl_error *err)
{
	return load_tree(tree, rf, recorder, true, err);
}

/* ------------------------------------------------------------ aggregates -- */

int pl_aggregate_init(struct pl_aggregate *agg, uint32_t n_funcs,
		      struct pl_error *err)
{
	memset(agg, 0, sizeof(*agg));
	agg->n_funcs = n_funcs;
	agg->funcs = calloc((size_t)n_funcs + 1, sizeof(*agg->funcs));
	agg->active = calloc((size_t)n_funcs + 1, sizeof(*agg->active));
	if (!agg->funcs || !agg->active) {
		pl_aggregate_release(agg);
		return pl_fail(err, PL_ERR_NOMEM, "no memory for %u functions",
			       n_funcs);
	}
	for (uint32_t i = 0; i < n_funcs; i++)
		agg->funcs[i].min_ns = -1;
	return 0;
}

void pl_aggregate_release(struct pl_aggregate *agg)
{
	free(agg->funcs);
	free(agg->active);
	free(agg->edges);
	free(agg->edge_active);
	free(agg->edge_hash);
	memset(agg, 0, sizeof(*agg));
}

static uint32_t *edge_slot(struct pl_aggregate *agg, uint32_t caller,
			   uint32_t callee)
{
	uint32_t mask = agg->edge_hash_size - 1;
	uint32_t at = pl_hash_u64((uint64_t)caller << 32 | callee) & mask;

	for (; agg->edge_hash[at]; at = (at + 1) & mask) {
		struct pl_edge *e = &agg->edges[agg->edge_hash[at] - 1];

		if (e->caller == caller && e->callee == callee)
			break;
	}
	return &agg->edge_hash[at];
}

static int grow_edges(struct pl_aggregate *agg)
{
	uint32_t n = agg->edges_capacity ? agg->edges_capacity * 2 : 1024;
	uint32_t *hash, *active;
	struct pl_edge *edges;

	edges = realloc(agg->edges, (size_t)n * sizeof(*edges));
	if (!edges)
		return PL_ERR_NOMEM;
	agg->edges = edges;
	active = realloc(agg->edge_active, (size_t)n * sizeof(*active));
	if (!active)
		return PL_ERR_NOMEM;
	agg->edge_active = active;
	hash = calloc((size_t)n * 2, sizeof(*hash));
	if (!hash)
		return PL_ERR_NOMEM;
	free(agg->edge_hash);
	agg->edge_hash = hash;
	agg->edge_hash_size = n * 2;
	agg->edges_capacity = n;
	for (uint32_t i = 0; i < agg->n_edges; i++)
		*edge_slot(agg, edges[i].caller, edges[i].callee) = i + 1;
	return 0;
}

/* Number of the edge, a new one when it was not seen before; or NO_FUNC. */
static uint32_t find_edge(struct pl_aggregate *agg, uint32_t caller,
			  uint32_t callee)
{
	uint32_t *slot, i;

	if (agg->n_edges == agg->edges_capacity && grow_edges(agg))
		return NO_FUNC;
	slot = edge_slot(agg, caller, callee);
	if (*slot)
		return *slot - 1;
	i = agg->n_edges++;
	*slot = i + 1;
	agg->edges[i] = (struct pl_edge){
		.caller = caller, .callee = callee, .f.min_ns = -1,
	};
	agg->edge_active[i] = 0;
	return i;
}

/* @outermost: no other activation of it is open. */
static void add_figures(struct pl_figures *f, const struct pl_tree_node *t,
			bool outermost)
{
	f->calls += t->calls;
	f->resumes += t->resumes;
	f->self_ns = add(f->self_ns, t->self_ns);
	f->min_ns = least(f->min_ns, t->min_ns);
	if (f->max_ns < t->max_ns)
		f->max_ns = t->max_ns;
	if (!outermost)
		return;
	f->primitive += t->calls + t->resumes;
	f->cum_ns = add(f->cum_ns, t->total_ns);
}

/*
 * A callee below "(folded)" and its caller.  Who else was open is not known:
 * only a function that calls itself is surely recursive.
 */
static int add_folded(struct pl_aggregate *agg, const struct pl_tree *tree,
		      const struct pl_tree_node *t)
{
	const struct pl_tree_node *up = &tree->nodes[t->parent];
	bool outermost = t->func != up->func;
	uint32_t edge;

	if (t->func == NO_FUNC)
		return 0;
	add_figures(&agg->funcs[t->func], t, outermost);
	if (!t->calls && !t->resumes)
		return 0;		/* a caller, or "(folded)" itself */
	if (up->func == NO_FUNC)
		return 0;
	edge = find_edge(agg, up->func, t->func);
	if (edge == NO_FUNC)
		return PL_ERR_NOMEM;
	add_figures(&agg->edges[edge].f, t, true);
	return 0;
}

static int enter(struct pl_aggregate *agg, const struct pl_tree *tree,
		 uint32_t i, uint32_t *edge_of)
{
	const struct pl_tree_node *t = &tree->nodes[i];
	uint32_t caller = tree->nodes[t->parent].func, edge;

	edge_of[i] = NO_FUNC;
	if (t->flags & PL_TREE_FOLDED)
		return add_folded(agg, tree, t);
	if (t->func == NO_FUNC)
		return 0;
	add_figures(&agg->funcs[t->func], t, !agg->active[t->func]++);
	if (caller == NO_FUNC)
		return 0;
	edge = find_edge(agg, caller, t->func);
	if (edge == NO_FUNC)
		return PL_ERR_NOMEM;
	add_figures(&agg->edges[edge].f, t, !agg->edge_active[edge]++);
	edge_of[i] = edge;
	return 0;
}

static void leave(struct pl_aggregate *agg, const struct pl_tree *tree,
		  uint32_t i, const uint32_t *edge_of)
{
	const struct pl_tree_node *t = &tree->nodes[i];

	if ((t->flags & PL_TREE_FOLDED) || t->func == NO_FUNC)
		return;
	agg->active[t->func]--;
	if (edge_of[i] != NO_FUNC)
		agg->edge_active[edge_of[i]]--;
}

int pl_aggregate_add(struct pl_aggregate *agg, const struct pl_tree *tree,
		     struct pl_error *err)
{
	uint32_t *edge_of = malloc(((size_t)tree->n + 1) * sizeof(*edge_of));
	uint32_t open = 0;		/* innermost open node; 0 is the root */
	int rc = edge_of ? 0 : PL_ERR_NOMEM;

	for (uint32_t i = 1; !rc && i < tree->n; i++) {
		for (; tree->nodes[open].end <= i;
		     open = tree->nodes[open].parent)
			leave(agg, tree, open, edge_of);
		rc = enter(agg, tree, i, edge_of);
		open = i;
	}
	for (; !rc && open; open = tree->nodes[open].parent)
		leave(agg, tree, open, edge_of);
	free(edge_of);
	return rc ? pl_fail(err, rc, "no memory to add up %u nodes", tree->n)
		  : 0;
}
