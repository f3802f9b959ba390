/* SPDX-License-Identifier: MIT */
/*
 * pstats.h: the file that cProfile dumps and pstats loads, both ways.
 *
 * It is the marshalled dictionary of stats.h.  Lost in translation: threads
 * and processes, call paths longer than two, the least and greatest time of a
 * call, modules and qualified names.  Coming back, times are rounded to whole
 * nanoseconds, which is what every clock of cProfile counts.
 */
#ifndef PL_EXPORT_PSTATS_H
#define PL_EXPORT_PSTATS_H

#include "base/err.h"
#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Write @profile, loaded with its edges.  PL_ERR_NOMEM; errors of @out are
 * left in it. */
int pl_pstats_write(const struct pl_profile *profile, FILE *out,
		    struct pl_error *err);

/* What a file was made by, as far as it says. */
enum pl_pstats_kind {
	PL_PSTATS_TRACED,		/* cProfile, profiling.tracing */
	PL_PSTATS_COUNTED,		/* profile: callers without times */
	PL_PSTATS_SAMPLED,		/* its calls are samples */
	PL_PSTATS_UNCOUNTED,		/* pyinstrument: no numbers of calls */
};

/* Adds files up as Stats.add() does: functions with one label are one, and so
 * are pairs. */
struct pl_pstats_reader;

/* PL_ERR_NOMEM. */
int pl_pstats_reader_new(struct pl_pstats_reader **reader,
			 struct pl_error *err);
/* PL_ERR_FORMAT with what is wrong, PL_ERR_NOMEM; part of it may have been
 * added then. */
int pl_pstats_reader_add(struct pl_pstats_reader *reader, const void *data,
			 size_t bytes, enum pl_pstats_kind *kind,
			 struct pl_error *err);
/* The sum so far, borrowed until the next call. */
const struct pl_profile *
pl_pstats_reader_profile(struct pl_pstats_reader *reader);
void pl_pstats_reader_free(struct pl_pstats_reader *reader);

#endif
