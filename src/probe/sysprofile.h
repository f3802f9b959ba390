/* SPDX-License-Identifier: MIT */
/*
 * sysprofile.h: a program that sets a profile function sees the events that it
 * would see without us.
 *
 * The call of sys.setprofile is under way when its function is set.  Without us
 * nobody watches that call, and its end is told to nobody; with us the
 * interpreter tells it to the new function, which has not seen the beginning:
 * the library's `profile` fails at that.  So sys.setprofile goes through us, and
 * the back end sees to it that this one event is ours alone.
 */
#ifndef PL_PROBE_SYSPROFILE_H
#define PL_PROBE_SYSPROFILE_H

#include "probe/pyapi.h"

/* Idempotent.  Needs the GIL. */
void pl_sysprofile_watch(void);

/* The key of sys.setprofile, 0 when it is not watched. */
uint64_t pl_sysprofile_key(void);

#endif
