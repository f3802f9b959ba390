/* SPDX-License-Identifier: MIT */
/*
 * report.h: pstats' tables of a database: what report, callers and callees
 * share, and what `record --report` ends with.
 */
#ifndef PL_TOOLS_REPORT_H
#define PL_TOOLS_REPORT_H

#include "cmd.h"
#include "pstats_text.h"
#include "source.h"

/* Without restriction and -n, so many rows. */
#define PL_REPORT_TOP 20

/* Rows for a command's table of options. */
#define PL_REPORT_OPTIONS                                                     \
	{ "sort", 's', "KEY", "sort by KEY; several: by each in turn" },      \
	{ "lines", 'n', "N", "print N functions at most, 0 for all" },        \
	{ "reverse", 'r', NULL, "in reverse order" },                         \
	{ "strip-dirs", 0, NULL, "file names without their folders" },        \
	{ "columns", 0, "COLUMNS",                                            \
	  "which; unless on a terminal, pstats' table" },                     \
	{ "output", 'o', "FORMAT", "text, json or csv" },                     \
	PL_SOURCE_OPTIONS

/* End of --help: sort keys and restrictions. */
void pl_report_more_help(FILE *f);

/*
 * The whole of such a command, with the options above and "callers" and
 * "callees", which choose another form than @form.  Returns an exit status.
 */
int pl_report_main(const struct pl_cmd *cmd, enum pl_text_form form, int argc,
		   char **argv);

/* The report that no options ask for.  Returns an exit status. */
int pl_report_default(const struct pl_cmd *cmd, const struct pl_source *source);

#endif
