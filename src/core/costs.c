/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "core/costs.h"

struct pl_costs pl_costs_of(const struct pl_recfile *rf)
{
	const struct pl_rec_header *h = &rf->header;
	double ns = rf->ns_per_tick;

	return (struct pl_costs){
		.py_in = h->cost_py_in * ns, .py_out = h->cost_py_out * ns,
		.c_in = h->cost_c_in * ns, .c_out = h->cost_c_out * ns,
	};
}

/* Of @entries, as an integer.  In a damaged database a cost may be anything. */
static int64_t share(double cost, uint64_t entries)
{
	double ns = cost * (double)entries + 0.5;

	return !(ns > 0) ? 0 : ns < 4e18 ? (int64_t)ns : (int64_t)4e18;
}

/* The caller of a folded call, which only takes back what others have. */
static bool takes_back(const struct pl_tree_node *t)
{
	return t->flags & PL_TREE_FOLDED && !t->calls && !t->resumes;
}

void pl_tree_compensate(struct pl_tree *tree, const struct pl_costs *costs,
			const bool *is_python)
{
	struct pl_tree_node *nodes = tree->nodes;

	for (uint32_t i = 1; i < tree->n; i++) {
		struct pl_tree_node *t = &nodes[i], *up = &nodes[t->parent];
		bool python = t->func != UINT32_MAX && is_python[t->func];
		uint64_t entries = t->calls + t->resumes;

		t->self_ns = pl_add_ns(
			t->self_ns,
			-share(python ? costs->py_in : costs->c_in, entries));
		up->self_ns = pl_add_ns(
			up->self_ns,
			-share(python ? costs->py_out : costs->c_out, entries));
	}
	for (uint32_t i = 0; i < tree->n; i++) {
		if (nodes[i].self_ns < 0 && !takes_back(&nodes[i]))
			nodes[i].self_ns = 0;
		nodes[i].total_ns = nodes[i].self_ns;
	}
	for (uint32_t i = tree->n; i-- > 1;)
		nodes[nodes[i].parent].total_ns =
			pl_add_ns(nodes[nodes[i].parent].total_ns,
				  nodes[i].total_ns);
	/* The marks of folded paths have no time of their own. */
	for (uint32_t i = 0; i < tree->n; i++)
		if (takes_back(&nodes[i]))
			nodes[i].total_ns = 0;
}
