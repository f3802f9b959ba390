/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "settings.h"

#include <string.h>

/* Which setting of a recording an option is; NULL: its own argument. */
static const struct {
	const char *name, *key, *value;
} settings[] = {
	{ "output", "out", NULL },
	{ "clock", "clock", NULL },
	{ "no-builtins", "builtins", "no" },
	{ "all-calls", "all_calls", "yes" },
	{ "label", "label", NULL },
	{ "max-nodes", "max_nodes", NULL },
	{ "max-functions", "max_functions", NULL },
	{ "max-threads", "max_threads", NULL },
};

int pl_settings_option(struct pl_options *o, const struct pl_cmd *cmd,
		       const char *name, const char *arg)
{
	struct pl_error err;
	size_t i = 0;

	while (strcmp(settings[i].name, name))
		i++;
	if (settings[i].value)
		arg = settings[i].value;
	if (!pl_options_set(o, settings[i].key, arg, &err))
		return PL_GO_ON;
	return pl_complain(cmd, PL_EXIT_USAGE, "%s", err.text);
}
