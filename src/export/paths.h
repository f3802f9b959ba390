/* SPDX-License-Identifier: MIT */
/*
 * paths.h: the call paths of many trees, added up into one.
 *
 *	thread 1   a ── b        thread 2   a ── c
 *
 *	added up   a ─┬─ b       a: the calls and times of both
 *	              └─ c
 *
 * On the way recursion can be folded and paths can be chosen:
 *
 *	fold      a call of a function that is open already goes on where that
 *	          one is: a > b > a > c  becomes  a > c, and b stays below a
 *	          with what it took itself.  No path has a function twice then,
 *	          and a total has no time twice.
 *	focus     only paths on which a function of the focus is
 *	ignore    only paths on which no ignored function is
 *
 * The last two are what pprof's -focus and -ignore are: a path counts, with its
 * self time, or it does not, and the totals are those of the paths that do.
 */
#ifndef PL_EXPORT_PATHS_H
#define PL_EXPORT_PATHS_H

#include "base/err.h"
#include "core/tree.h"

#include <stdbool.h>
#include <stdint.h>

#define PL_PATH_NONE UINT32_MAX

/* Path 0 is the root: no function, the totals of all. */
struct pl_path {
	uint32_t parent;		/* < own index; the root's is 0 */
	uint32_t func;			/* PL_PATH_NONE: the root */
	uint32_t first, next;		/* first callee, next of its caller's;
					   PL_PATH_NONE: no more */
	uint32_t depth;			/* the root's is 0 */
	uint64_t calls;			/* entries, resumes included */
	uint64_t primitive;		/* those that were not folded in */
	int64_t self_ns;
	int64_t total_ns;		/* valid after pl_paths_add_up */
};

/* Bits for each function, for choosing. */
enum pl_path_choice {
	PL_PATH_FOCUS = 1 << 0,
	PL_PATH_IGNORE = 1 << 1,
};

struct pl_paths {
	struct pl_path *paths;		/* owned */
	uint32_t n, capacity;

	/* Set before the first tree is added; borrowed. */
	bool fold;
	bool has_focus;			/* a path needs one PL_PATH_FOCUS */
	const uint8_t *choice;		/* by function; NULL: all */
	const uint32_t *rename;		/* by function: its number here; NULL:
					   the same */

	uint32_t *slots;		/* private: (parent, func) -> index + 1 */
	uint32_t n_slots;
	uint32_t *open;			/* private: the path at hand, by depth */
	uint32_t *open_at;		/* private: by function, its depth */
	uint32_t n_open, n_open_at;
	uint32_t depth;			/* private: of the path at hand */
};

/* Zero-initialise, set the choices, then this.  @n_funcs: functions, after
 * renaming, are below it.  PL_ERR_NOMEM. */
int pl_paths_init(struct pl_paths *paths, uint32_t n_funcs,
		  struct pl_error *err);
/* There are more functions by now. */
int pl_paths_reserve(struct pl_paths *paths, uint32_t n_funcs,
		     struct pl_error *err);
void pl_paths_release(struct pl_paths *paths);

/* The path one call of @func longer than @parent, made when it is not there.
 * PL_PATH_NONE without memory. */
uint32_t pl_paths_child(struct pl_paths *paths, uint32_t parent,
			uint32_t func);

/*
 * Add @tree, which is in order (export/stacks.h), below the path @under.  The
 * root of the tree itself is no call and adds nothing.  PL_ERR_NOMEM.
 */
int pl_paths_add(struct pl_paths *paths, uint32_t under,
		 const struct pl_tree *tree, struct pl_error *err);

/* Make the totals. */
void pl_paths_add_up(struct pl_paths *paths);

#endif
