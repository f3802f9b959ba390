/* SPDX-License-Identifier: MIT */
/*
 * filelimit.h: write in a process that is not ours, below its file size limit.
 *
 * A write past RLIMIT_FSIZE (ulimit -f) sends SIGXFSZ to the thread that
 * writes, whose default action ends the process.  Between pl_filelimit_begin
 * and pl_filelimit_end such a write only fails with EFBIG.  Both may be called
 * by a signal handler.
 */
#ifndef PL_BASE_FILELIMIT_H
#define PL_BASE_FILELIMIT_H

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <time.h>

struct pl_filelimit {
	sigset_t mask;
	bool was_pending;
};

static inline bool pl_filelimit_is_pending(void)
{
	sigset_t pending;

	return !sigpending(&pending) && sigismember(&pending, SIGXFSZ) == 1;
}

static inline void pl_filelimit_begin(struct pl_filelimit *limit)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGXFSZ);
	limit->was_pending = pl_filelimit_is_pending();
	pthread_sigmask(SIG_BLOCK, &set, &limit->mask);
}

/* Keeps errno. */
static inline void pl_filelimit_end(struct pl_filelimit *limit)
{
	const struct timespec now = {0, 0};
	int saved = errno;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGXFSZ);
	if (!limit->was_pending && pl_filelimit_is_pending())
		sigtimedwait(&set, NULL, &now);
	pthread_sigmask(SIG_SETMASK, &limit->mask, NULL);
	errno = saved;
}

#endif
