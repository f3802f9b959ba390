/* SPDX-License-Identifier: MIT */
/*
 * attached.h: the recording of a process that we are attached to.
 *
 * The process makes it, as its user, where that user can: beside the database,
 * or in that user's fallback folder, which may be in a container.  So it is
 * found by the process's descriptor.  This recording may belong to the user
 * of the process, whoever attaches: the caller named that process.
 */
#ifndef PL_TOOLS_ATTACHED_H
#define PL_TOOLS_ATTACHED_H

#include "base/err.h"
#include "target.h"

#include <limits.h>
#include <stdint.h>

struct pl_attached {
	int fd; /* -1: not found */
	int root; /* the process's root folder, or -1 */
	char path[PATH_MAX];
};

/* Open the recording of run @run that @target has open. */
void pl_attached_find(struct pl_attached *a, const struct pl_target *target,
		      const uint8_t run[16]);

/* Add it to the database and delete it.  1, or 0 when there is none, or its
 * process still records; PL_ERR_*. */
int pl_attached_ingest(const struct pl_attached *a,
		       const struct pl_target *target, const char *db,
		       int busy_ms, struct pl_error *err);

void pl_attached_release(struct pl_attached *a);

#endif
