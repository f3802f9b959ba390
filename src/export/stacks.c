/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "export/stacks.h"

#include "export/paths.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const pl_stacks_extra[PL_STACKS_EXTRA] = {
	"(folded)", "(deeper)", "(lighter)",
};

/* --------------------------------------------------------------- in order -- */

/* Take @t into @to, which stands for several. */
static void gather(struct pl_tree_node *to, const struct pl_tree_node *t)
{
	to->calls += t->calls;
	to->resumes += t->resumes;
	to->self_ns = pl_add_ns(to->self_ns, t->self_ns);
}

/* Below a path of @most calls one node, of the function @deeper, is to stand
 * for all there is.  In preorder what it gathers follows it. */
static int cut(struct pl_tree *tree, uint32_t most, uint32_t deeper)
{
	struct pl_tree_node *nodes = tree->nodes;
	uint32_t *level = calloc(tree->n, sizeof(*level));
	uint32_t *moved = calloc(tree->n, sizeof(*moved));
	uint32_t n = 1;

	for (uint32_t i = 1; level && moved && i < tree->n; i++) {
		struct pl_tree_node t = nodes[i];

		level[i] = level[t.parent] + 1;
		t.parent = moved[t.parent];
		if (level[i] == most + 1 && (nodes[n - 1].func != deeper ||
					     nodes[n - 1].parent != t.parent))
			t.func = deeper;
		else if (level[i] > most) {
			gather(&nodes[n - 1], &t);
			continue;
		}
		moved[i] = n;
		nodes[n++] = t;
	}
	if (level && moved)
		tree->n = n;
	free(moved);
	free(level);
	return tree->n == n ? 0 : PL_ERR_NOMEM;
}

/* Time that is taken back from a function: see core/tree.h. */
static int settle(struct pl_tree *tree, uint32_t n_funcs)
{
	int64_t *debts = NULL;

	for (uint32_t i = 0; i < tree->n; i++) {
		struct pl_tree_node *t = &tree->nodes[i];

		if (t->self_ns >= 0)
			continue;
		if (!debts)
			debts = calloc(n_funcs, sizeof(*debts));
		if (!debts)
			return PL_ERR_NOMEM;
		debts[t->func] = pl_sub_ns(debts[t->func], t->self_ns);
		t->self_ns = 0;
	}
	for (uint32_t i = 0; debts && i < tree->n; i++) {
		struct pl_tree_node *t = &tree->nodes[i];
		int64_t part = debts[t->func] < t->self_ns ?
			       debts[t->func] : t->self_ns;

		t->self_ns -= part;
		debts[t->func] -= part;
	}
	free(debts);
	return 0;
}

/* Backwards, a child comes before its parent. */
static void add_up(struct pl_tree *tree)
{
	struct pl_tree_node *nodes = tree->nodes;

	for (uint32_t i = 0; i < tree->n; i++) {
		nodes[i].total_ns = nodes[i].self_ns;
		nodes[i].end = i + 1;
	}
	for (uint32_t i = tree->n; i-- > 1;) {
		struct pl_tree_node *up = &nodes[nodes[i].parent];

		up->total_ns = pl_add_ns(up->total_ns, nodes[i].total_ns);
		if (up->end < nodes[i].end)
			up->end = nodes[i].end;
	}
}

int pl_stacks_level(struct pl_tree *tree, uint32_t n_funcs, uint32_t max_depth,
		    struct pl_error *err)
{
	int rc;

	if (!tree->n)
		return 0;
	tree->nodes[0].self_ns = 0;
	for (uint32_t i = 0; i < tree->n; i++)
		if (tree->nodes[i].func >= n_funcs)
			tree->nodes[i].func = n_funcs;
	rc = settle(tree, n_funcs + 1);
	if (!rc && max_depth)
		rc = cut(tree, max_depth, n_funcs + 1);
	if (rc)
		return pl_fail(err, rc, "no memory for a tree of %u nodes",
			       tree->n);
	add_up(tree);
	return 0;
}

/* ---------------------------------------------------------------- bounds -- */

/* What is light moves into one node below its caller, wherever the next light
 * one stands: @light has the place of that node, by its caller. */
static void move_light(struct pl_tree *tree, uint32_t func, int64_t least_ns,
		       uint32_t *moved, uint32_t *light,
		       struct pl_export_left *left)
{
	struct pl_tree_node *nodes = tree->nodes;
	uint32_t n = 1;

	for (uint32_t i = 1; i < tree->n; i++) {
		struct pl_tree_node t = nodes[i];
		uint32_t up = moved[t.parent];

		if (up && nodes[up].func == func) {
			moved[i] = up;
		} else if (t.total_ns >= least_ns) {
			moved[i] = n;
			light[n] = 0;
			t.parent = up;
			nodes[n++] = t;
			continue;
		} else if (light[up]) {
			moved[i] = light[up];
		} else {
			moved[i] = light[up] = n;
			light[n] = 0;
			nodes[n++] = (struct pl_tree_node){
				.parent = up, .func = func, .min_ns = -1 };
		}
		gather(&nodes[moved[i]], &t);
		left->n_light++;
		left->light_ns = pl_add_ns(left->light_ns, t.self_ns);
	}
	tree->n = n;
}

int pl_stacks_lighten(struct pl_tree *tree, uint32_t n_funcs, int64_t least_ns,
		      struct pl_export_left *left, struct pl_error *err)
{
	size_t n = (size_t)tree->n + 1;
	uint32_t *moved = calloc(n, sizeof(*moved));
	uint32_t *light = calloc(n, sizeof(*light));
	int rc = moved && light ? 0 : PL_ERR_NOMEM;

	if (rc)
		pl_fail(err, rc, "no memory for a tree of %u nodes", tree->n);
	else if (tree->n)
		move_light(tree, n_funcs + 2, least_ns, moved, light, left);
	free(moved);
	free(light);
	if (!rc)
		add_up(tree);
	return rc;
}

static uint32_t depth_of(const struct pl_tree *tree)
{
	uint32_t depth = 0, deepest = 0, open = 0;

	for (uint32_t i = 1; i < tree->n; i++) {
		for (; open != tree->nodes[i].parent;
		     open = tree->nodes[open].parent)
			depth--;
		open = i;
		if (++depth > deepest)
			deepest = depth;
	}
	return deepest;
}

/* In preorder, callees in the order of their first call. */
static void from_paths(struct pl_tree *tree, struct pl_paths *p,
		       uint32_t *place)
{
	uint32_t at = 0;

	for (uint32_t i = 0; i < p->n; i++)
		p->paths[i].first = PL_PATH_NONE;
	for (uint32_t i = p->n; i-- > 1;) {
		struct pl_path *up = &p->paths[p->paths[i].parent];

		p->paths[i].next = up->first;
		up->first = i;
	}
	tree->n = 1;
	for (;;) {
		uint32_t next = p->paths[at].first;

		for (; next == PL_PATH_NONE && at; at = p->paths[at].parent)
			next = p->paths[at].next;
		if (next == PL_PATH_NONE)
			break;
		at = next;
		place[at] = tree->n;
		tree->nodes[tree->n++] = (struct pl_tree_node){
			.parent = place[p->paths[at].parent],
			.func = p->paths[at].func,
			.calls = p->paths[at].calls,
			.self_ns = p->paths[at].self_ns, .min_ns = -1 };
	}
}

int pl_stacks_fold(struct pl_tree *tree, uint32_t n_funcs,
		   struct pl_error *err)
{
	struct pl_paths p = { .fold = true };
	uint32_t *place;
	int rc = pl_paths_init(&p, n_funcs + PL_STACKS_EXTRA, err);

	if (!rc)
		rc = pl_paths_add(&p, 0, tree, err);
	place = rc ? NULL : calloc(p.n, sizeof(*place));
	if (!rc && !place)
		rc = pl_fail(err, PL_ERR_NOMEM, "out of memory");
	if (!rc) {
		from_paths(tree, &p, place);
		add_up(tree);
	}
	free(place);
	pl_paths_release(&p);
	return rc;
}

void pl_stacks_bound(struct pl_stacks *s,
		     const struct pl_export_options *options, int bounds)
{
	double percent = PL_STACKS_LEAST_PERCENT;
	int64_t total = 0;

	s->left = options->left;
	if ((bounds & PL_BOUND_DEPTH) && !options->max_depth &&
	    !options->unfold)
		s->fold_depth = PL_STACKS_DEPTH;
	for (uint32_t i = 0; i < s->profile.n_funcs; i++)
		total = pl_add_ns(total, s->profile.funcs[i].f.self_ns);
	if (s->left)
		s->left->total_ns = total;
	if (!(bounds & PL_BOUND_LIGHT) ||
	    (!options->has_least && s->n_nodes <= PL_STACKS_MANY))
		return;
	if (options->has_least)
		percent = options->least_percent;
	s->least_ns = (int64_t)((double)total * percent / 100);
}

static int bound(struct pl_stacks *s, struct pl_error *err)
{
	struct pl_export_left none = { 0 };
	struct pl_export_left *left = s->left ? s->left : &none;
	uint32_t n_funcs = s->profile.n_funcs;
	int rc = 0;

	if (s->fold_depth && depth_of(&s->tree) > s->fold_depth) {
		left->n_folded++;
		rc = pl_stacks_fold(&s->tree, n_funcs, err);
		if (!rc && depth_of(&s->tree) > s->fold_depth) {
			rc = cut(&s->tree, s->fold_depth, n_funcs + 1);
			if (rc)
				pl_fail(err, rc, "out of memory");
			else
				add_up(&s->tree);
		}
	}
	if (!rc && s->least_ns > 0)
		rc = pl_stacks_lighten(&s->tree, n_funcs, s->least_ns, left,
				       err);
	return rc;
}

/* --------------------------------------------------------- one by one -- */

/* What has no tree, and a Profile whose time another thread has as well. */
static void keep_wanted(struct pl_stacks *s, bool all)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n_threads; i++) {
		struct pl_thread t = s->threads[i];

		if (!t.n_nodes || (!t.counted && !all))
			continue;
		s->n_nodes += t.n_nodes;
		/* What is left out moves behind, for pl_threads_free. */
		s->threads[i] = s->threads[n];
		s->threads[n++] = t;
	}
	s->n_wanted = n;
}

int pl_stacks_open(struct pl_stacks *s, struct pl_store *store,
		   const struct pl_select *sel, uint32_t max_depth,
		   struct pl_error *err)
{
	struct pl_select all = *sel;
	int rc;

	memset(s, 0, sizeof(*s));
	s->store = store;
	s->max_depth = max_depth;
	rc = pl_store_load(store, sel, false, &s->profile, err);
	if (rc)
		return rc;
	all.run_id = s->profile.run_id;
	rc = pl_store_threads(store, &all, &s->threads, &s->n_threads, err);
	if (!rc)
		rc = pl_store_processes(store, all.run_id, &s->processes,
					&s->n_processes, err);
	if (rc)
		return rc;
	keep_wanted(s, sel->process_id || sel->thread_id);
	if (!s->n_wanted && s->profile.n_funcs)
		return pl_fail(err, PL_ERR_NOENT, "run %lld has no call paths: "
			       "another profiler recorded it, which kept none",
			       (long long)all.run_id);
	return 0;
}

int pl_stacks_next(struct pl_stacks *s, struct pl_error *err)
{
	static const struct pl_process unknown = { .clock = "wall" };
	int rc;

	if (s->at == s->n_wanted)
		return 0;
	s->thread = &s->threads[s->at++];
	s->process = &unknown;
	for (size_t i = 0; i < s->n_processes; i++)
		if (s->processes[i].id == s->thread->process_id)
			s->process = &s->processes[i];
	rc = pl_store_load_tree(s->store, s->thread, &s->profile, &s->tree,
				err);
	if (!rc)
		rc = pl_stacks_level(&s->tree, s->profile.n_funcs,
				     s->max_depth, err);
	if (!rc)
		rc = bound(s, err);
	return rc ? rc : 1;
}

void pl_stacks_close(struct pl_stacks *s)
{
	pl_profile_release(&s->profile);
	pl_threads_free(s->threads, s->n_threads);
	pl_processes_free(s->processes, s->n_processes);
	pl_tree_release(&s->tree);
	memset(s, 0, sizeof(*s));
}

char *pl_stacks_thread_name(const struct pl_thread *t)
{
	const char *name = t->name ? t->name : "thread";
	const char *scope = t->scope ? t->scope : "";
	char *text;

	if (asprintf(&text, "%s%s%s (pid %u, tid %u)", name,
		     *scope ? ", scope " : "", scope, t->pid, t->tid) < 0)
		return NULL;
	return text;
}

int64_t pl_stacks_ended_ns(const struct pl_stacks *s)
{
	int64_t ended = s->profile.started_ns;

	for (size_t i = 0; i < s->n_processes; i++)
		if (s->processes[i].ended_ns > ended)
			ended = s->processes[i].ended_ns;
	return ended;
}
