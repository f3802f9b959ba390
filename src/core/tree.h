/* SPDX-License-Identifier: MIT */
/*
 * tree.h: a calling-context tree at rest, and what is derived from it.
 *
 * A struct pl_tree is an array in preorder: a parent stands before its
 * children, and a subtree is a run of the array.  It is loaded from a recorder
 * of a recording (here) or from the database (store), and everything that
 * prints, exports or compares works on it.
 *
 *	index   0     1    2     3    4
 *	node   root   a    a>b  a>c   d
 *	parent  -     0    1     1    0
 *	end     5     4    3     4    5		subtree of i: [i, end[i])
 *
 * Definitions, for one thread's tree (as pstats and cProfile define them):
 *
 *	ncalls     entries: calls + resumes
 *	primitive  those with no activation of the same function below them
 *	           on the stack
 *	total      time from entry to exit, callees included
 *	tottime    self: total - sum of the children's totals, never negative
 *	cumtime    totals of the nodes that have no ancestor of the same
 *	           function, so that recursion is not counted twice
 *	caller row the same, per (caller, callee); primitive here means that
 *	           no other activation of the same pair is open
 */
#ifndef PL_CORE_TREE_H
#define PL_CORE_TREE_H

#include "base/err.h"
#include "core/recfile.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Folded nodes (past max_nodes, see recorder.h) stand under the root:
 *
 *	root
 *	└── "(folded)"		calls 0, total 0, self 0
 *	    └── f		the caller: calls 0, total 0, self -t
 *	        └── g		the callee: its calls, total t, self t
 *
 * t is in the self time of f's own nodes as well, for nothing stands below
 * them; that is what the negative self takes back.  So self times add up to
 * the root's total, and by function they are exact.
 */
enum pl_tree_flags {
	PL_TREE_FOLDED = 1 << 0,
	PL_TREE_OPEN = 1 << 1,		/* a call of it was still open */
};

struct pl_tree_node {
	uint32_t parent;		/* index; the root's is its own, 0 */
	uint32_t end;			/* index just behind its subtree */
	uint32_t func;			/* dense index; UINT32_MAX: the root, or
					   (damaged, folded) no function */
	uint32_t flags;			/* enum pl_tree_flags */
	uint64_t calls;
	uint64_t resumes;
	int64_t total_ns;
	int64_t self_ns;
	int64_t min_ns;			/* -1 when no activation has ended */
	int64_t max_ns;			/* 0 then */
};

/* Owned by the caller; zero-initialise before the first use. */
struct pl_tree {
	struct pl_tree_node *nodes;
	uint32_t n;			/* 0: the recorder had no root yet */
	uint32_t capacity;
	uint32_t n_bad;			/* links that led nowhere: left out */
};

void pl_tree_release(struct pl_tree *tree);

/*
 * Load the tree of recorder @recorder (a cell id), children in order of
 * creation.  Calls still open get their time until the last instant known of
 * the process: a thread that sleeps has no event to tell of it.  (With a clock
 * that is the thread's own, until the recorder's last event.)  The root's
 * total is the recorder's whole span.  Nodes that were neither entered nor
 * took time (carried over a fork) and have no children are left out.
 * PL_ERR_NOMEM, PL_ERR_NOENT.
 */
int pl_tree_load(struct pl_tree *tree, const struct pl_recfile *rf,
		 uint32_t recorder, struct pl_error *err);

/*
 * The same, as cProfile sees a profile that is still being made: calls that are
 * open are not counted, nor is their time.  A node may then have no call at
 * all.  Only in the self time of a node that also has completed calls is that
 * of its open call contained: when its callees' time began is not known.
 */
int pl_tree_load_completed(struct pl_tree *tree, const struct pl_recfile *rf,
			   uint32_t recorder, struct pl_error *err);

/* Figures of one function, or of one (caller, callee) pair. */
struct pl_figures {
	uint64_t calls;
	uint64_t resumes;
	uint64_t primitive;		/* of calls + resumes */
	int64_t self_ns;
	int64_t cum_ns;
	int64_t min_ns;			/* -1 when no activation has ended */
	int64_t max_ns;
};

struct pl_edge {
	uint32_t caller, callee;	/* dense function indices */
	struct pl_figures f;
};

/*
 * The aggregate of one or more trees whose functions share one numbering.
 * Owned by the caller; pl_aggregate_init before use.
 */
struct pl_aggregate {
	/* [n_funcs].  calls + resumes 0: not entered; but one that was open
	 * when a child was forked has time and callees there. */
	struct pl_figures *funcs;
	uint32_t n_funcs;
	struct pl_edge *edges;		/* in order of first sight */
	uint32_t n_edges, edges_capacity;
	uint32_t *edge_hash;		/* private: index + 1 */
	uint32_t edge_hash_size;
	uint32_t *active;		/* private: open activations per func */
	uint32_t *edge_active;		/* private: the same per edge */
};

/* Of what is damaged sums may come to anything: they stop at the greatest
 * number, or the least. */
static inline int64_t pl_add_ns(int64_t a, int64_t b)
{
	int64_t sum;

	if (__builtin_add_overflow(a, b, &sum))
		return a < 0 ? INT64_MIN : INT64_MAX;
	return sum;
}

static inline int64_t pl_sub_ns(int64_t a, int64_t b)
{
	int64_t difference;

	if (__builtin_sub_overflow(a, b, &difference))
		return a < 0 ? INT64_MIN : INT64_MAX;
	return difference;
}

/* True when anything at all was seen of it. */
static inline bool pl_figures_seen(const struct pl_figures *f)
{
	return f->calls || f->resumes || f->self_ns || f->cum_ns;
}

int pl_aggregate_init(struct pl_aggregate *agg, uint32_t n_funcs,
		      struct pl_error *err);
int pl_aggregate_add(struct pl_aggregate *agg, const struct pl_tree *tree,
		     struct pl_error *err);
void pl_aggregate_release(struct pl_aggregate *agg);

#endif
