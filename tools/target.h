/* SPDX-License-Identifier: MIT */
/*
 * target.h: a running process that is to do something for us.
 *
 * A process that is preloaded and dormant waits for a signal.  Any other Python
 * from 3.14 on is reached through its memory (remote_python.h).  The process and
 * its user are not trusted: nothing of the process is executed, and its folder
 * is used as its user (act_as.h).
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
	int process, pidfd; /* /proc/PID, and -1 where there is no pidfd_open */
	uid_t uid;
	gid_t gid;
	uint64_t start; /* tells a reused pid */
	int signal; /* of a dormant one, or 0 */
	int minor; /* of Python 3, as its files are named; 0: they are not */
	bool has_python_name;
	char name[64]; /* of its executable */
	char package[PATH_MAX]; /* folder of our Python package */
	uint32_t number; /* of the request that is out */
	char folder_name[64]; /* as the process sees it */
	int folder, tmp; /* the folder and its parent, or -1 */
};

/* Look at process @pid.  PL_ERR_NOENT: there is none, or no Python in it;
 * PL_ERR_SYS: we may not look. */
int pl_target_find(struct pl_target *t, pid_t pid, struct pl_error *err);

void pl_target_release(struct pl_target *t);

bool pl_target_is_alive(const struct pl_target *t);

/* Have it obey a request of core/attach.h, and wait for its answer.
 * PL_ERR_BUSY: none came within @seconds; it will not be obeyed any more. */
int pl_target_request(struct pl_target *t, const char *text, double seconds,
		      struct pl_error *err);

#endif
