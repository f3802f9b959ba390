/* SPDX-License-Identifier: MIT */
/*
 * mark.h: is this still the process that drew an identity, or a fork of it?
 *
 * A process image is one process until it forks; then everything in its memory
 * is in both.  A mark is in the process that set it only: the kernel clears
 * its page in every child (MADV_WIPEONFORK), whichever way it was forked, and
 * the pid serves where the kernel cannot do that.  A pid alone is not enough:
 * the first process of every pid namespace is number 1.
 */
#ifndef PL_BASE_MARK_H
#define PL_BASE_MARK_H

#include "base/hash.h"

#include <stdbool.h>
#include <unistd.h>

struct pl_mark {
	pid_t *pid;			/* on a page of its own */
};

/* Without memory the mark stays unset, and everybody draws a new identity. */
static inline void pl_mark_set(struct pl_mark *m)
{
	if (!m->pid) {
		m->pid = pl_pages_alloc(sizeof(*m->pid));
		if (!m->pid)
			return;
#ifdef MADV_WIPEONFORK
		madvise(m->pid, (size_t)sysconf(_SC_PAGESIZE),
			MADV_WIPEONFORK);
#endif
	}
	*m->pid = getpid();
}

static inline bool pl_mark_is_set(const struct pl_mark *m)
{
	return m->pid && *m->pid == getpid();
}

#endif
