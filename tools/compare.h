/* SPDX-License-Identifier: MIT */
/*
 * compare.h: two sides, figure by figure.
 *
 *	side A: runs 1, 2, 3        side B: runs 4, 5, 6
 *	      │ each run's figures, by function or by call path
 *	      ▼
 *	row   parse  tottime  A 10 11 10   B 14 15 14
 *	              median  A 10         B 14
 *	               range  A 10–11      B 14–15     apart: no noise
 *
 * A function is known by its name, with its classes where they are known, and
 * its file.  Not by its line, which changes with every edit above it; and of
 * the file only what does not depend on where the program lies (names.h).
 * Functions that are then the same are added up.  What is not there in a run
 * has zeros there.
 */
#ifndef PL_TOOLS_COMPARE_H
#define PL_TOOLS_COMPARE_H

#include "gate.h"
#include "pattern.h"
#include "sides.h"

#include <stdbool.h>
#include <stdint.h>

struct pl_compare_options {
	bool paths;			/* by call path, not by function */
	bool strip_dirs;		/* files without their folders */
	const struct pl_pattern *only;	/* functions that match, or NULL */
};

/* A function or a path. */
struct pl_compare_row {
	const char *file;		/* borrowed from the comparison */
	int line;			/* in the last run that has it */
	struct pl_change changes[PL_N_METRICS];
};

/* Zero-initialise, release. */
struct pl_comparison {
	uint32_t n_keys;		/* rows have the numbers below it */
	/* All that are chosen together; cumtime is tottime there. */
	struct pl_compare_row total;
	bool folded;			/* a run came to its max_nodes */
	bool none_match;		/* options->only no function at all */
	struct pl_compare_private *priv;
};

/* PL_ERR_NOENT: no call paths (imported); and what loading returns. */
int pl_compare(struct pl_comparison *c, const struct pl_side *a,
	       const struct pl_side *b,
	       const struct pl_compare_options *options, struct pl_error *err);

/* Fill in @row; false when it is not chosen, or nothing in any run. */
bool pl_compare_row(const struct pl_comparison *c, uint32_t key,
		    struct pl_compare_row *row);

/* "parse", or "main > load > parse"; malloc'ed, or NULL. */
char *pl_compare_name(const struct pl_comparison *c, uint32_t key);

void pl_comparison_release(struct pl_comparison *c);

#endif
