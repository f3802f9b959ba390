/* SPDX-License-Identifier: MIT */
/*
 * costs.h: taking the profiler's own cost out of a tree.
 *
 * Every event pair costs its callee `in` and its caller `out`, per call or
 * resume, by kind of callee (see probe/calibrate.h, where they are measured).
 * Without them, with n the entries of a node:
 *
 *	self'  = self - n * in - sum over its children c of n(c) * out(c)
 *	total' = self' + sum over its children of their total'
 *
 * A self time is not taken below zero: what is left of a call that cost less
 * than the loops that were calibrated is noise.
 */
#ifndef PL_CORE_COSTS_H
#define PL_CORE_COSTS_H

#include "core/tree.h"

/* Nanoseconds a pair of events; all zero: not known. */
struct pl_costs {
	double py_in, py_out;		/* Python functions */
	double c_in, c_out;		/* all others */
};

static inline bool pl_costs_known(const struct pl_costs *c)
{
	return c->py_in > 0 || c->py_out > 0 || c->c_in > 0 || c->c_out > 0;
}

/* Those of a recording. */
struct pl_costs pl_costs_of(const struct pl_recfile *rf);

/* Compensate @tree's self and total times in place.  @is_python: by function
 * index, for every one that @tree has. */
void pl_tree_compensate(struct pl_tree *tree, const struct pl_costs *costs,
			const bool *is_python);

#endif
