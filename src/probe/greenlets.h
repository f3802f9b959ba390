/* SPDX-License-Identifier: MIT */
/*
 * greenlets.h: threads that have several stacks (greenlet, and so gevent,
 * eventlet and SQLAlchemy's asyncio).
 *
 * No event tells of a switch, but greenlet itself does, to the function given to
 * greenlet.settrace, one a thread.  Once code of the package, or of gevent, has
 * been seen, ours is put there in every thread; one that is there already is
 * called by ours.  It stays until no session is on.
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

/* A function, of this file and name, is on a path of the calling thread that is
 * new. */
void pl_greenlets_notice(const char *file, const char *name);

#endif
