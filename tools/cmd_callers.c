/* SPDX-License-Identifier: MIT */
/* callers, callees: who called this, and whom did it call? */
#include <config.h>

#include "report.h"

static const struct pl_opt options[] = {
	PL_REPORT_OPTIONS,
	{ NULL, 0, NULL, NULL },
};

static int run_callers(const struct pl_cmd *cmd, int argc, char **argv)
{
	return pl_report_main(cmd, PL_TEXT_CALLERS, argc, argv);
}

static int run_callees(const struct pl_cmd *cmd, int argc, char **argv)
{
	return pl_report_main(cmd, PL_TEXT_CALLEES, argc, argv);
}

const struct pl_cmd pl_cmd_callers = {
	.name = "callers",
	.summary = "print who called each function",
	.synopsis = "[OPTION]... [DB] [RESTRICTION]...",
	.options = options,
	.more = pl_report_more_help,
	.run = run_callers,
};

const struct pl_cmd pl_cmd_callees = {
	.name = "callees",
	.summary = "print whom each function called",
	.synopsis = "[OPTION]... [DB] [RESTRICTION]...",
	.options = options,
	.more = pl_report_more_help,
	.run = run_callees,
};
