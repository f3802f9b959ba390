/* SPDX-License-Identifier: MIT */
/*
 * pstats_text.h: the tables that pstats prints, to the byte.
 *
 *	Stats(FILE).strip_dirs().sort_stats(KEY...).reverse_order()
 *		.print_stats(RESTRICTION...)   or print_callers, print_callees
 *
 * without the two lines that are about FILE itself (its name and date, and an
 * empty one), as for a Stats that was made from a Profile.  FILE is what
 * `proflite export -f pstats` writes of the same profile.
 *
 * pstats of Python 3.9 to 3.15 differ in nothing that is printed of a profile of
 * calls.  What changed between them:
 *
 *	3.11	SortKey is a StrEnum; flags of a regular expression that are
 *		not in front are an error (re), which holds here for all
 *	3.13	a wrong regular expression is re.PatternError, as re.error was
 *	3.14	re knows \z; we take it always
 *	3.15	files of the sampling profiler have other titles and sort keys;
 *		we read them as calls
 *
 * Left out: the lines above the summary for functions that ("jprofile", 0,
 * "profiler") called, a profiler that went with Python 2.
 */
#ifndef PL_TOOLS_PSTATS_TEXT_H
#define PL_TOOLS_PSTATS_TEXT_H

#include "base/err.h"
#include "export/stats.h"
#include "pattern.h"
#include "sort.h"
#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum pl_text_form {
	PL_TEXT_STATS,
	PL_TEXT_CALLERS,
	PL_TEXT_CALLEES,
};

enum pl_restriction_kind {
	PL_RESTRICT_COUNT,		/* the first so many */
	PL_RESTRICT_FRACTION,		/* the first part, 0 to 1 */
	PL_RESTRICT_REGEX,		/* those that match */
};

struct pl_restriction {
	enum pl_restriction_kind kind;
	int64_t count;
	double fraction;
	const char *text;		/* the regular expression */
	const struct pl_pattern *pattern; /* NULL: it is an invalid one */
};

struct pl_text_options {
	enum pl_text_form form;
	const struct pl_sort_key *const *keys; /* [n_keys] */
	size_t n_keys;			/* 0: in the order of the profile */
	bool reverse;
	bool strip_dirs;
	bool tame; /* names are for a terminal */
	const struct pl_restriction *restrictions; /* applied in turn */
	size_t n_restrictions;
};

/* What was printed: rows, of how many. */
struct pl_text_result {
	uint32_t n_printed, n_all;
};

/* The rows of such a table: Stats' fcn_list, and what else it counts. */
struct pl_text_view {
	struct pl_stats stats;
	char **names;			/* [stats.n]: see pl_text_view_name */
	size_t name_width;		/* of the widest that is printed */
	uint64_t total_calls, prim_calls;
	double total_tt;
	uint32_t *list;			/* stats, in the order of printing */
	uint32_t n_list;
	const struct pl_text_options *options;
};

/* In order; restrictions come with _select, which prints on @out (NULL:
 * nowhere) what pstats says of them. */
int pl_text_view_init(struct pl_text_view *view,
		      const struct pl_profile *profile,
		      const struct pl_text_options *options,
		      struct pl_error *err);
int pl_text_view_select(struct pl_text_view *view, FILE *out,
			struct pl_error *err);
/* The name of a row as it is printed, made when it is first asked for: most
 * tables print a few rows of many.  "" without memory. */
const char *pl_text_view_name(const struct pl_text_view *view, uint32_t row);

/* Also of one whose init failed. */
void pl_text_view_release(struct pl_text_view *view);

/* An item of the dictionary that stands right of the arrow. */
struct pl_text_call {
	uint32_t other;			/* the caller, or the callee */
	pl_stat_number figures;		/* of pl_stat_caller_figures */
};

/* For each row its calls: [first[row], first[row + 1]) */
struct pl_text_calls {
	struct pl_text_call *calls;
	uint32_t *first;
};

int pl_text_view_calls(const struct pl_text_view *view, bool callees,
		       struct pl_text_calls *calls, struct pl_error *err);
void pl_text_calls_release(struct pl_text_calls *calls);

/*
 * Print.  Errors of @out are left in it.  PL_ERR_NOMEM; PL_ERR_FULL when the
 * search for a regular expression was given up.  @result may be NULL.
 */
int pl_pstats_text_print(FILE *out, const struct pl_profile *profile,
			 const struct pl_text_options *options,
			 struct pl_text_result *result, struct pl_error *err);

#endif
