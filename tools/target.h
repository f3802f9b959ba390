/* SPDX-License-Identifier: MIT */
/*
 * target.h: a running process that is to do something for us.
 *
 * One that is preloaded and dormant waits for a signal.  Any other Python from
 * 3.14 on runs what sys.remote_exec of a Python of the same version gives it;
 * that is its own executable, whenever that is a Python.
 */
#ifndef PL_TOOLS_TARGET_H
#define PL_TOOLS_TARGET_H

#include "base/err.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct pl_target {
	pid_t pid;
	uid_t uid;
	gid_t gid;
	uint64_t start; /* tells a reused pid */
	int signal; /* of a dormant one, or 0 */
	char python[PATH_MAX]; /* what to run, "" for none */
	char name[PATH_MAX]; /* and its argv[0] */
	char package[PATH_MAX]; /* folder of our Python package */
	uint32_t number; /* of the request that is out */
	char folder[64]; /* as it sees it, */
	char outside[128]; /* and as we do; "" when there is none */
};

/* Look at process @pid.  PL_ERR_NOENT: there is none, or no Python in it;
 * PL_ERR_SYS: we may not look. */
int pl_target_find(struct pl_target *t, pid_t pid, struct pl_error *err);

bool pl_target_is_alive(const struct pl_target *t);

/* Have it obey a request of core/attach.h, and wait for its answer.
 * PL_ERR_BUSY: none came within @seconds; it will not be obeyed any more. */
int pl_target_request(struct pl_target *t, const char *text, double seconds,
		      struct pl_error *err);

#endif
