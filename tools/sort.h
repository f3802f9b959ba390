/* SPDX-License-Identifier: MIT */
/*
 * sort.h: the sort keys of pstats, one table for parser, help and manual.
 */
#ifndef PL_TOOLS_SORT_H
#define PL_TOOLS_SORT_H

#include "base/err.h"

#include <stddef.h>

/* What a row can be compared by: the places of pstats' sort tuple. */
enum pl_sort_field {
	PL_SORT_CC, PL_SORT_NC, PL_SORT_TT, PL_SORT_CT,
	PL_SORT_FILE, PL_SORT_LINE, PL_SORT_NAME, PL_SORT_STDNAME,
};

struct pl_sort_step {
	enum pl_sort_field field;
	int direction;			/* 1 ascending, -1 descending */
};

struct pl_sort_key {
	const char *name;
	const char *title;		/* after "Ordered by: " */
	struct pl_sort_step steps[3];
	size_t n_steps;
	const char *number;		/* old name: "-1", "0", ..., or NULL */
};

/* In the order of pstats' own dictionary, which decides what an abbreviation
 * stands for. */
extern const struct pl_sort_key pl_sort_keys[];
extern const size_t pl_n_sort_keys;

/*
 * Find a key by its name, by a beginning of it that pstats takes as unique, or
 * by its old number.  NULL, and a sentence, when there is none.
 */
const struct pl_sort_key *pl_sort_key_find(const char *word,
					   struct pl_error *err);

#endif
