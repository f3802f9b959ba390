/* SPDX-License-Identifier: MIT */
/*
 * stacks.h: the trees of a run, one thread after the other, for the formats
 * that hold whole stacks.
 *
 * Those know no more of a tree than a weight for each path.  The weight is the
 * self time; so that the sum over any set of paths is what the database says
 * of it, a tree is put in order first:
 *
 *	- the root's own time, which is nobody's, is left out
 *	- time that "(folded)" takes back from a function (core/tree.h) is taken
 *	  from the other paths of that function, so that no weight is negative
 *	- a total is self plus the children's totals, to the nanosecond
 *	- functions have numbers without gaps: those of the profile, then
 *	  "(folded)", "(deeper)" and "(lighter)"
 *
 * Two bounds keep a format from what no viewer can show (pl_stacks_bound):
 *
 *	depth	A format that writes each path whole grows with the square of
 *		the depth.  Where a thread has paths of more than
 *		PL_STACKS_DEPTH calls, recursion is folded (paths.h), which
 *		leaves the time of every function as it is; what is still
 *		longer ends in "(deeper)".
 *	light	In a run of more than PL_STACKS_MANY paths those that have less
 *		than PL_STACKS_LEAST_PERCENT of the time become one "(lighter)"
 *		below their caller, with all their calls and time.
 *
 * Usage:
 *
 *	rc = pl_stacks_open(&s, store, sel, max_depth, err);
 *	while (!rc && (rc = pl_stacks_next(&s, err)) > 0)
 *		rc = write(&s.tree, s.thread, s.process);
 *	pl_stacks_close(&s);
 */
#ifndef PL_EXPORT_STACKS_H
#define PL_EXPORT_STACKS_H

#include "base/err.h"
#include "export/exporter.h"
#include "store/store.h"

/* Functions behind those of the profile. */
#define PL_STACKS_EXTRA 3
extern const char *const pl_stacks_extra[PL_STACKS_EXTRA];

#define PL_STACKS_DEPTH 1000
#define PL_STACKS_MANY 100000
#define PL_STACKS_LEAST_PERCENT 0.01

enum { PL_BOUND_DEPTH = 1 << 0, PL_BOUND_LIGHT = 1 << 1 };

struct pl_stacks {
	struct pl_store *store;
	uint32_t max_depth;		/* 0: as deep as they are */
	uint32_t fold_depth;		/* 0: none; see pl_stacks_bound */
	int64_t least_ns;		/* 0: none */
	struct pl_export_left *left;	/* or NULL */
	struct pl_profile profile;	/* whose functions the trees name */
	struct pl_thread *threads;	/* owned: first those that are shown */
	size_t n_threads, n_wanted;
	struct pl_process *processes;	/* owned */
	size_t n_processes;
	uint64_t n_nodes;		/* of all threads */

	/* The one at hand. */
	size_t at;			/* index + 1 */
	const struct pl_thread *thread;
	const struct pl_process *process;	/* never NULL */
	struct pl_tree tree;
};

/*
 * @s is released by pl_stacks_close, whatever is returned.  Paths longer than
 * @max_depth end in one "(deeper)", which has the calls and time of all that
 * is left out.  PL_ERR_NOENT: what @sel selects has no paths (imported), and
 * what pl_store_load returns.
 */
int pl_stacks_open(struct pl_stacks *s, struct pl_store *store,
		   const struct pl_select *sel, uint32_t max_depth,
		   struct pl_error *err);

/* The bounds of @options, and of @bounds what they leave open.  Before the
 * first tree. */
void pl_stacks_bound(struct pl_stacks *s,
		     const struct pl_export_options *options, int bounds);

/* Load the next tree: 1, 0 when there is none left, or a negative pl_err. */
int pl_stacks_next(struct pl_stacks *s, struct pl_error *err);
void pl_stacks_close(struct pl_stacks *s);

/* Put @tree in order, as above; @n_funcs are in the profile.  For
 * pl_stacks_next, and for tests. */
int pl_stacks_level(struct pl_tree *tree, uint32_t n_funcs, uint32_t max_depth,
		    struct pl_error *err);

/* Gather what is lighter than @least_ns, in a tree that is in order. */
int pl_stacks_lighten(struct pl_tree *tree, uint32_t n_funcs, int64_t least_ns,
		      struct pl_export_left *left, struct pl_error *err);

/* Fold the recursion of a tree that is in order. */
int pl_stacks_fold(struct pl_tree *tree, uint32_t n_funcs,
		   struct pl_error *err);

/* The last instant known of the run, CLOCK_REALTIME. */
int64_t pl_stacks_ended_ns(const struct pl_stacks *s);

/* "NAME (pid 7, tid 8)", malloc'ed, or NULL. */
char *pl_stacks_thread_name(const struct pl_thread *thread);

#endif
