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

/*
 * Figures by number: those of the profile itself, which are not copied (there
 * may be millions), and behind them those of what was added up.
 */
typedef uint32_t pl_stat_number;

/* One item of a callers dictionary. */
struct pl_stat_caller {
	uint32_t caller;		/* index of pl_stats.stats */
	pl_stat_number figures;		/* below n_edges: of that edge */
};

/* One item of the dictionary; or, behind those, what is but a caller. */
struct pl_stat {
	struct pl_label label;
	const char *qualname;		/* of the first that has the label */
	pl_stat_number figures;		/* below n_funcs: of that function */
	uint32_t first_caller, n_callers; /* in pl_stats.callers */
	bool is_item;
};

/* Owned by the caller.  The profile is borrowed, and its text. */
struct pl_stats {
	const struct pl_profile *profile;
	struct pl_stat *stats;
	uint32_t n, n_items;
	struct pl_stat_caller *callers;	/* those of stat 0, of stat 1, ... */
	uint32_t n_callers;
	struct pl_stat_figures *sums;	/* of what was added up */
	uint32_t n_sums, sums_capacity;
};

static inline struct pl_stat_figures
pl_stat_seconds(const struct pl_profile *p, const struct pl_figures *f,
		const struct pl_times *other)
{
	struct pl_times t = { f->self_ns, f->cum_ns };

	return (struct pl_stat_figures){
		.nc = f->calls + f->resumes,
		.cc = f->primitive,
		.tt = (double)f->self_ns * 1e-9,
		.ct = (double)f->cum_ns * 1e-9,
		.resumes = f->resumes,
		.self_ns = f->self_ns,
		.cum_ns = f->cum_ns,
		.min_ns = f->min_ns,
		.max_ns = f->min_ns < 0 ? -1 : f->max_ns,
		.both.raw = p->compensated ? *other : t,
		.both.comp = p->compensated ? t : *other,
	};
}

/* The figures of a stat; of a caller. */
static inline struct pl_stat_figures
pl_stat_figures_of(const struct pl_stats *s, const struct pl_stat *stat)
{
	const struct pl_profile *p = s->profile;

	if (stat->figures >= p->n_funcs)
		return s->sums[stat->figures - p->n_funcs];
	return pl_stat_seconds(p, &p->funcs[stat->figures].f,
			       &p->funcs[stat->figures].other);
}

static inline struct pl_stat_figures
pl_stat_caller_figures(const struct pl_stats *s, pl_stat_number figures)
{
	const struct pl_profile *p = s->profile;

	if (figures >= p->n_edges)
		return s->sums[figures - p->n_edges];
	return pl_stat_seconds(p, &p->edges[figures].f,
			       &p->edges[figures].other);
}

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
