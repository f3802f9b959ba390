/* SPDX-License-Identifier: MIT */
/*
 * stats.h: pstats.Stats in C, the dictionary that a pstats file holds:
 *
 *	{(file, line, name): (cc, nc, tt, ct, callers), ...}
 *	callers = {(file, line, name): (nc, cc, tt, ct), ...}
 *
 * Mind the trap: nc (all calls) and cc (primitive ones) change places between
 * the two.  Here they have names.
 *
 * The exporter writes this and the report prints it, so both begin with the
 * same doubles (nanoseconds * 1e-9) and whatever is added is added in pstats'
 * own order: what `proflite report` prints and what pstats prints for the
 * exported file are equal to the last digit.
 *
 * The dictionaries of Python keep the order of insertion and so do the arrays
 * here; it decides the order of rows that sort as equal, and that of sums.
 */
#ifndef PL_EXPORT_STATS_H
#define PL_EXPORT_STATS_H

#include "base/err.h"
#include "export/labels.h"
#include "store/store.h"

#include <stdbool.h>
#include <stdint.h>

/* pstats' four figures, times in seconds; and ours, which pstats does not
 * have. */
struct pl_stat_figures {
	uint64_t nc, cc;		/* all calls, primitive calls */
	double tt, ct;
	uint64_t resumes;		/* of nc */
	int64_t self_ns, cum_ns;	/* tt and ct */
	int64_t min_ns, max_ns;		/* -1: none has ended */
	struct pl_both_times both;	/* self_ns and cum_ns are of these */
};

/* One item of a callers dictionary. */
struct pl_stat_caller {
	uint32_t caller;		/* index of pl_stats.stats */
	struct pl_stat_figures f;
};

/* One item of the dictionary; or, behind those, what is but a caller. */
struct pl_stat {
	struct pl_label label;
	const char *qualname;		/* of the first that has the label */
	bool is_item;
	struct pl_stat_figures f;
	uint32_t first_caller, n_callers; /* in pl_stats.callers */
};

/* Owned by the caller.  Text is borrowed from the profile. */
struct pl_stats {
	struct pl_stat *stats;
	uint32_t n, n_items;
	struct pl_stat_caller *callers;	/* those of stat 0, of stat 1, ... */
	uint32_t n_callers;
};

/* From a loaded profile.  Functions that share a label are added up.
 * PL_ERR_NOMEM; @stats is empty then. */
int pl_stats_init(struct pl_stats *stats, const struct pl_profile *profile,
		  struct pl_error *err);

/*
 * Stats.strip_dirs(): files lose their folders; functions whose labels are
 * equal then are added up.  Callers of one function whose labels are equal
 * then overwrite each other: pstats does so, and so must we to print the same.
 * PL_ERR_NOMEM, and nothing has changed then.
 */
int pl_stats_strip_dirs(struct pl_stats *stats, struct pl_error *err);

void pl_stats_release(struct pl_stats *stats);

#endif
