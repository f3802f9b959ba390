/* SPDX-License-Identifier: MIT */
/*
 * live.h: is the process that writes a recording still there?
 *
 * The writer holds a POSIX record lock (F_SETLK, byte 0) on its recording for
 * its life.  The kernel drops it on any kind of death, at a successful exec
 * (the descriptor is close-on-exec), and a forked child does not inherit it,
 * which is just what is wanted; flock() would be shared with the child.  A
 * program may close every descriptor it has (daemons do), which drops the
 * lock too, so without the lock the pid and its start time are compared.
 */
#ifndef PL_CORE_LIVE_H
#define PL_CORE_LIVE_H

#include "core/format.h"

#include <stdbool.h>
#include <stdint.h>

/* @fd: the recording, open for reading.  True when its writer lives and still
 * records into it. */
bool pl_live_is(int fd, const struct pl_rec_header *header);

/* Does anybody hold the lock?  For a file whose header can't be read yet. */
bool pl_live_is_locked(int fd);

/* Field 22 of /proc/PID/stat; 0 when there is no such process, or only its
 * zombie, which records no more. */
uint64_t pl_live_proc_start(uint32_t pid);

/* The 16 bytes of /proc/sys/kernel/random/boot_id, or zeros. */
void pl_live_boot_id(uint8_t id[16]);

#endif
