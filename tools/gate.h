/* SPDX-License-Identifier: MIT */
/*
 * gate.h: conditions on a difference, for `proflite diff --fail-if`.
 *
 *	ncalls > +0%			more calls than before
 *	tottime > +10% and > 5ms	a tenth more time, and it matters
 *	cumtime > +20ms or ncalls > 1000
 *
 *	EXPRESSION  clause [or clause]...
 *	clause      term [and term]...
 *	term        [METRIC] OPERATOR NUMBER[UNIT]
 *	METRIC      a row of pl_metrics; left out, that of the term before
 *	OPERATOR    > >= < <= == !=
 *	NUMBER      with + or -: the change from A to B, else what it is in B
 *	UNIT        %: of what it was in A, or, without sign, of all functions
 *	            (of which these together are no part: they fail none);
 *	            ns us ms s for times, none for calls
 *
 * From nothing to something is a change of infinitely many per cent.
 */
#ifndef PL_TOOLS_GATE_H
#define PL_TOOLS_GATE_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

/* What is compared: indices of pl_metrics. */
enum pl_metric_id { PL_NCALLS, PL_PRIMCALLS, PL_TOTTIME, PL_CUMTIME };
#define PL_N_METRICS 4

struct pl_metric {
	const char *name, *alias;
	bool is_time;			/* ns, else a count */
};
extern const struct pl_metric pl_metrics[PL_N_METRICS];

/* By name or alias; -1: none. */
int pl_metric_find(const char *name, size_t len);

/* One figure on both sides. */
struct pl_change {
	double a, b;			/* medians */
	double a_low, a_high, b_low, b_high;
	double all;			/* of all functions, in B */
	bool is_all; /* it is theirs: 100% of it */
};

/* The runs of one side reach into those of the other: chance may have done
 * it.  Single runs do not tell, and nothing is noise. */
bool pl_change_is_noise(const struct pl_change *change);

struct pl_gate;

/* PL_ERR_ARG: what is wrong, and where; PL_ERR_NOMEM. */
int pl_gate_parse(struct pl_gate **gate, const char *text,
		  struct pl_error *err);
void pl_gate_free(struct pl_gate *gate);

/* Does it hold of a row?  @changes is by metric.  A term about a change that
 * is noise does not. */
bool pl_gate_holds(const struct pl_gate *gate, const struct pl_change *changes);

const char *pl_gate_text(const struct pl_gate *gate);
/* The metric of its first term. */
enum pl_metric_id pl_gate_metric(const struct pl_gate *gate);
/* Is it about times, among others? */
bool pl_gate_has_times(const struct pl_gate *gate);

#endif
