/* SPDX-License-Identifier: MIT */
/*
 * act_as.h: use files as another user does.
 *
 * Root that works in another user's folders can do no more there than that
 * user: whatever the user puts in our way, such as a link, leads only to what
 * the user may touch anyway, and new files belong to the user at once.
 */
#ifndef PL_TOOLS_ACT_AS_H
#define PL_TOOLS_ACT_AS_H

#include "base/err.h"

#include <stdbool.h>
#include <sys/types.h>

struct pl_act_as {
	bool changed;
	int n_groups;
	gid_t *groups;
};

/* From here on the user and group of this process's accesses to files are
 * @uid and @gid.  For programs with one thread. */
int pl_act_as_begin(struct pl_act_as *as, uid_t uid, gid_t gid,
		    struct pl_error *err);

void pl_act_as_end(struct pl_act_as *as);

/* Open the folder @path as it is seen from the root folder @root (O_PATH): no
 * link leads out of there.  Without openat2 a link at the end is refused. */
int pl_open_inside(int root, const char *path);

#endif
