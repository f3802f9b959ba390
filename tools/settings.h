/* SPDX-License-Identifier: MIT */
/*
 * settings.h: the options that say how to record: what all recording commands
 * share.
 */
#ifndef PL_TOOLS_SETTINGS_H
#define PL_TOOLS_SETTINGS_H

#include "cmd.h"
#include "core/options.h"
#include "store/store.h"

/* Rows for a command's table of options. */
#define PL_SETTINGS_OPTIONS                                                    \
	{ "output", 'o', "DB",                                                 \
	  "add the run to DB (default: " PL_STORE_DEFAULT_DB ")" },            \
	{ "clock", 0, "CLOCK",                                                 \
	  "wall (default), cpu, or step: +1 a reading" },                      \
	{ "no-builtins", 0, NULL, "Python functions only" },                   \
	{ "all-calls", 0, NULL, "classes and other callables too" },           \
	{ "label", 0, "TEXT", "name the run" },                                \
	{ "max-nodes", 0, "N", "cap on distinct call paths of a process" },    \
	{ "max-functions", 0, "N", "cap on distinct functions (100000)" },     \
	{ "max-threads", 0, "N", "threads that are kept apart (1000)" }

/* Take the option @name, which is one of those above.  PL_GO_ON, or an exit
 * status when its argument is wrong, which has been complained of. */
int pl_settings_option(struct pl_options *o, const struct pl_cmd *cmd,
		       const char *name, const char *arg);

#endif
