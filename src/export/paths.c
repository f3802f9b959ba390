/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "export/paths.h"

#include "base/hash.h"

#include <stdlib.h>
#include <string.h>

/* --------------------------------------------------------------- the tree -- */

/* The slot that holds the path, or the empty one where it belongs. */
static uint32_t *find_slot(const struct pl_paths *p, uint32_t parent,
			   uint32_t func)
{
	uint32_t mask = p->n_slots - 1;
	uint32_t i = pl_hash_u64((uint64_t)parent << 32 | func) & mask;

	for (; p->slots[i]; i = (i + 1) & mask) {
		const struct pl_path *path = &p->paths[p->slots[i] - 1];

		if (path->parent == parent && path->func == func)
			break;
	}
	return &p->slots[i];
}

/* Twice as many slots as there is room for paths; @more of them at least. */
static int grow(struct pl_paths *p, uint32_t more)
{
	uint32_t capacity = p->capacity ? p->capacity * 2 : 256;
	struct pl_path *paths;
	uint32_t *slots;

	while (capacity < UINT32_MAX / 4 && capacity - p->n < more)
		capacity *= 2;
	if (capacity > UINT32_MAX / 4)
		return PL_ERR_NOMEM;
	paths = realloc(p->paths, (size_t)capacity * sizeof(*paths));
	if (!paths)
		return PL_ERR_NOMEM;
	p->paths = paths;
	p->capacity = capacity;
	slots = calloc(2 * (size_t)capacity, sizeof(*slots));
	if (!slots)
		return PL_ERR_NOMEM;
	free(p->slots);
	p->slots = slots;
	p->n_slots = 2 * capacity;
	for (uint32_t i = 1; i < p->n; i++)
		*find_slot(p, paths[i].parent, paths[i].func) = i + 1;
	return 0;
}

uint32_t pl_paths_child(struct pl_paths *p, uint32_t parent, uint32_t func)
{
	uint32_t *slot = find_slot(p, parent, func);
	struct pl_path *path;

	if (*slot)
		return *slot - 1;
	if (p->n == p->capacity) {
		if (grow(p, 1))
			return PL_PATH_NONE;
		slot = find_slot(p, parent, func);
	}
	path = &p->paths[p->n];
	*path = (struct pl_path){
		.parent = parent, .func = func, .first = PL_PATH_NONE,
		.next = p->paths[parent].first,
		.depth = p->paths[parent].depth + 1,
	};
	p->paths[parent].first = p->n;
	*slot = ++p->n;
	return p->n - 1;
}

int pl_paths_reserve(struct pl_paths *p, uint32_t n_funcs,
		     struct pl_error *err)
{
	uint32_t *open_at = p->open_at;

	if (n_funcs >= p->n_open_at)
		open_at = realloc(open_at,
				  ((size_t)n_funcs + 1) * sizeof(*open_at));
	if (!open_at)
		return pl_fail(err, PL_ERR_NOMEM, "out of memory");
	for (; p->n_open_at < n_funcs; p->n_open_at++)
		open_at[p->n_open_at] = 0;
	p->open_at = open_at;
	return 0;
}

int pl_paths_init(struct pl_paths *p, uint32_t n_funcs, struct pl_error *err)
{
	int rc = pl_paths_reserve(p, n_funcs, err);

	if (rc)
		return rc;
	if (grow(p, 1))
		return pl_fail(err, PL_ERR_NOMEM, "out of memory");
	p->paths[0] = (struct pl_path){ .func = PL_PATH_NONE,
					.first = PL_PATH_NONE,
					.next = PL_PATH_NONE };
	p->n = 1;
	return 0;
}

void pl_paths_release(struct pl_paths *p)
{
	free(p->paths);
	free(p->slots);
	free(p->open);
	free(p->open_at);
	memset(p, 0, sizeof(*p));
}

/* ---------------------------------------------------------------- folding -- */

/*
 * The path at hand is open[0..depth], and open_at has the depth of each of its
 * functions (and of others, what it was once).  Steps from one path to another
 * in preorder are short, so only where they differ is written.
 */
static int make_room(struct pl_paths *p, uint32_t depth)
{
	void *open;

	if (depth < p->n_open)
		return 0;
	open = realloc(p->open, 2 * ((size_t)depth + 128) * sizeof(*p->open));
	if (!open)
		return PL_ERR_NOMEM;
	p->open = open;
	p->n_open = 2 * (depth + 128);
	return 0;
}

static int go_to(struct pl_paths *p, uint32_t at)
{
	uint32_t depth = p->paths[at].depth;

	if (make_room(p, depth))
		return PL_ERR_NOMEM;
	for (uint32_t i = at;; i = p->paths[i].parent) {
		const struct pl_path *path = &p->paths[i];

		if (path->depth <= p->depth && p->open[path->depth] == i)
			break;
		p->open[path->depth] = i;
		if (path->func < p->n_open_at)
			p->open_at[path->func] = path->depth;
		if (!i)
			break;
	}
	p->depth = depth;
	return 0;
}

/* The call of @func on the path to @at, below @under, or PL_PATH_NONE. */
static uint32_t find_open(struct pl_paths *p, uint32_t under, uint32_t at,
			  uint32_t func)
{
	uint32_t depth;

	if (go_to(p, at))
		return PL_PATH_NONE;
	depth = func < p->n_open_at ? p->open_at[func] : 0;
	if (depth <= p->paths[under].depth || depth > p->depth ||
	    p->paths[p->open[depth]].func != func)
		return PL_PATH_NONE;
	return p->open[depth];
}

/* ---------------------------------------------------------------- adding -- */

/* What is to become of a node. */
enum fate {
	IS_FOCUSED = PL_PATH_FOCUS, IS_IGNORED = PL_PATH_IGNORE,
	HAS_KEPT = 1 << 2,		/* it, or one below it, counts */
};

static bool is_kept(const struct pl_paths *p, uint8_t fate)
{
	return !(fate & IS_IGNORED) && (!p->has_focus || (fate & IS_FOCUSED));
}

static uint8_t *choose(const struct pl_paths *p, const struct pl_tree *tree)
{
	uint8_t *fates = calloc(tree->n, 1);

	for (uint32_t i = 1; fates && i < tree->n; i++)
		fates[i] = fates[tree->nodes[i].parent] |
			   p->choice[tree->nodes[i].func];
	for (uint32_t i = tree->n; fates && i-- > 1;) {
		if (is_kept(p, fates[i]))
			fates[i] |= HAS_KEPT;
		fates[tree->nodes[i].parent] |= fates[i] & HAS_KEPT;
	}
	return fates;
}

/* Add node @t, whose caller is at @at; returns where it is itself. */
static uint32_t add_node(struct pl_paths *p, uint32_t under, uint32_t at,
			 const struct pl_tree_node *t, bool counts)
{
	uint32_t func = p->rename ? p->rename[t->func] : t->func;
	uint32_t to = p->fold ? find_open(p, under, at, func) : PL_PATH_NONE;
	bool folded = to != PL_PATH_NONE;
	struct pl_path *path;

	if (!folded)
		to = pl_paths_child(p, at, func);
	if (to == PL_PATH_NONE)
		return to;
	path = &p->paths[to];
	path->calls += t->calls + t->resumes;
	if (!folded)
		path->primitive += t->calls + t->resumes;
	if (counts)
		path->self_ns = pl_add_ns(path->self_ns, t->self_ns);
	return to;
}

int pl_paths_add(struct pl_paths *p, uint32_t under, const struct pl_tree *tree,
		 struct pl_error *err)
{
	uint32_t *to = malloc(((size_t)tree->n + 1) * sizeof(*to));
	uint8_t *fates = p->choice && tree->n ? choose(p, tree) : NULL;
	int rc = to && (fates || !p->choice || !tree->n) ? 0 : PL_ERR_NOMEM;

	if (to)
		to[0] = under;
	/* What was open belongs to another part of the tree. */
	p->depth = 0;
	if (!rc)
		rc = make_room(p, 0);
	/* At once: each growth finds a new place for every path.  Those of a
	 * second tree may all be there. */
	if (!rc && !p->choice && p->capacity < tree->n)
		rc = grow(p, tree->n);
	if (!rc)
		p->open[0] = 0;
	for (uint32_t i = 1; !rc && i < tree->n; i++) {
		const struct pl_tree_node *t = &tree->nodes[i];

		if (fates && !(fates[i] & HAS_KEPT))
			continue;
		to[i] = add_node(p, under, to[t->parent], t,
				 !fates || is_kept(p, fates[i]));
		if (to[i] == PL_PATH_NONE)
			rc = PL_ERR_NOMEM;
	}
	free(fates);
	free(to);
	return rc ? pl_fail(err, rc, "no memory for %u call paths", p->n) : 0;
}

/* A path comes after its parent. */
void pl_paths_add_up(struct pl_paths *p)
{
	for (uint32_t i = 0; i < p->n; i++)
		p->paths[i].total_ns = p->paths[i].self_ns;
	for (uint32_t i = p->n; i-- > 1;) {
		struct pl_path *up = &p->paths[p->paths[i].parent];

		up->total_ns = pl_add_ns(up->total_ns, p->paths[i].total_ns);
	}
}
