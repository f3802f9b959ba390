/* SPDX-License-Identifier: MIT */
/*
 * sysprofile.h: a program that sets a profile function sees the events that it
 * would see without us.
 *
 * The call of sys.setprofile is under way when its function is set.  Without us
 * nobody watches that call, and its end is told to nobody; with us the
 * interpreter tells it to the new function, which has not seen the beginning:
 * the library's `profile` fails at that.  So sys.setprofile, and what
 * threading.setprofile_all_threads calls, go through us, and the back end sees
 * to it that this one event is ours alone.
 */
#ifndef PL_PROBE_SYSPROFILE_H
#define PL_PROBE_SYSPROFILE_H

#include "probe/pyapi.h"

/* In the current interpreter.  Idempotent. */
void pl_sysprofile_watch(void);

/* Is @key that of a function that sets a profile function? */
bool pl_sysprofile_is(uint64_t key);

#endif
