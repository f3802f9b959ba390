/* SPDX-License-Identifier: MIT */
/*
 * columns.h: a report as a table of chosen columns, for a reader at a terminal
 * or for a script.
 *
 * A column is a row of a table here.  Rows, their order and restrictions are
 * those of pstats_text.h.
 */
#ifndef PL_TOOLS_COLUMNS_H
#define PL_TOOLS_COLUMNS_H

#include "base/err.h"
#include "pstats_text.h"
#include "records.h"
#include "term.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct pl_column;

#define PL_COLUMNS_MOST 16

/* Zero-initialise: none said. */
struct pl_columns {
	const struct pl_column *list[PL_COLUMNS_MOST];
	size_t n;
	bool all; /* "all" */
	bool pstats; /* "pstats": its table, to the byte */
};

/* "tottime,mean,max"; "all"; "pstats".  PL_ERR_ARG and a sentence. */
int pl_columns_parse(struct pl_columns *columns, const char *arg,
		     struct pl_error *err);
/* Is one of them named that is worth nothing unless a call's cost is known? */
bool pl_columns_need_costs(const struct pl_columns *columns);
/* For --help. */
void pl_columns_help(FILE *f);

struct pl_columns_view {
	const struct pl_profile *profile;
	const struct pl_text_options *text;
	const struct pl_columns *columns;
	const char *command, *cwd; /* of the run, or NULL */
};

/* Print on standard output, for people: as wide as @term. */
int pl_columns_print(const struct pl_columns_view *view,
		     const struct pl_term *term, struct pl_text_result *result,
		     struct pl_error *err);
/* The same for scripts: every column unless some were said, nanoseconds. */
int pl_columns_records(const struct pl_columns_view *view,
		       enum pl_records_format format, struct pl_error *err);

#endif
