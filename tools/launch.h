/* SPDX-License-Identifier: MIT */
/*
 * launch.h: run somebody else's command under the preloaded library, and be
 * as little there as `env` or `time` are.
 */
#ifndef PL_TOOLS_LAUNCH_H
#define PL_TOOLS_LAUNCH_H

#include "base/err.h"

#include <stddef.h>
#include <sys/types.h>

/*
 * The libproflite.so that belongs to this program: beside it, in the lib
 * folder beside its own folder, or where it was configured to be.  Absolute.
 * PL_ERR_NOENT when there is none, PL_ERR_ARG when it is in a folder whose
 * name LD_PRELOAD cannot hold.
 */
int pl_launch_find_library(char *path, size_t size, struct pl_error *err);

struct pl_launch {
	const char *library;		/* put in front of LD_PRELOAD */
	const char *options;		/* PROFLITE_OPTIONS */
	char *const *argv;		/* the command */
	/* Or NULL: called when it has begun, and around every time that this
	 * program is stopped as a job is (see relay.h). */
	void (*started)(void *ctx);
	void (*pause)(void *ctx, int begin);
	void *ctx;
};

struct pl_launched {
	pid_t pid;
	int wait_status;		/* as wait() has it */
	int exec_errno;			/* it could not be run, and why; or 0 */
};

/*
 * Run it and wait for it, but not for children it leaves behind.  Signals and
 * job control reach it as if this program were not there (relay.h).
 * PL_ERR_SYS, before it began.
 */
int pl_launch_run(const struct pl_launch *launch, struct pl_launched *result,
		  struct pl_error *err);

/* End as the command did: its exit status to return from main, or by its
 * signal, and then this does not return. */
int pl_launch_end_like(const struct pl_launched *result);

#endif
