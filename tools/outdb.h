/* SPDX-License-Identifier: MIT */
/* outdb.h: the database that a recording is going to be added to. */
#ifndef PL_TOOLS_OUTDB_H
#define PL_TOOLS_OUTDB_H

#include "cmd.h"
#include "core/options.h"

/*
 * Give out= its full name, and see that a database can be written there.
 * PL_GO_ON, or an exit status when it has been said what stands against it.
 */
int pl_outdb_prepare(const struct pl_cmd *cmd, struct pl_options *o);

#endif
