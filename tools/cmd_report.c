/* SPDX-License-Identifier: MIT */
/* report: where did the time go?  pstats' table. */
#include <config.h>

#include "report.h"

static const struct pl_opt options[] = {
	PL_REPORT_OPTIONS,
	{ "callers", 0, NULL, "for each function, who called it" },
	{ "callees", 0, NULL, "for each function, whom it called" },
	{ NULL, 0, NULL, NULL },
};

static int run(const struct pl_cmd *cmd, int argc, char **argv)
{
	return pl_report_main(cmd, PL_TEXT_STATS, argc, argv);
}

const struct pl_cmd pl_cmd_report = {
	.name = "report",
	.summary = "print a run's functions as pstats does",
	.synopsis = "[OPTION]... [DB] [RESTRICTION]...",
	.options = options,
	.more = pl_report_more_help,
	.run = run,
};
