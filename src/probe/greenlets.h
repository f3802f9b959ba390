/* SPDX-License-Identifier: MIT */
/*
 * greenlets.h: threads that have several stacks (greenlet, and so gevent,
 * eventlet and SQLAlchemy's asyncio).
 *
 * No event tells of a switch, but greenlet itself does, to the function given to
 * greenlet.settrace, one a thread.  Once code of the package, or of gevent, has
 * been seen, ours is put there in every thread, and stays until no session is
 * on.  The program does not see it: greenlet.settrace and gettrace go through us
 * (see intercept.h), and are about the program's function, which ours calls.
 *
 * All functions here need the GIL, and keep the pending exception.
 */
#ifndef PL_PROBE_GREENLETS_H
#define PL_PROBE_GREENLETS_H

#include "core/recorder.h"
#include "probe/pyapi.h"

#include <stddef.h>

/* A thread's session begins: greenlet may have been imported long ago. */
void pl_greenlets_begin(void);

/* The last one has ended. */
void pl_greenlets_end(void);

/* The interpreter has ended, and its objects with it. */
void pl_greenlets_forget(void);

/* A function, of this file and name, is on a path of the calling thread that is
 * new. */
void pl_greenlets_notice(const char *file, const char *name);

#endif
