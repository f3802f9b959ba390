/* SPDX-License-Identifier: MIT */
/*
 * live.h: is the process that writes a recording still there?
 *
 * The writer holds a lock on byte 0 of its recording for its life, which every
 * process of the machine sees, in whichever pid namespace it is.  It is a lock
 * of an open file description (F_OFD_SETLK) that only a mapping refers to: the
 * kernel drops it on any kind of death and at a successful exec, a forked
 * child has no share in it (MADV_DONTFORK), and the program cannot drop it by
 * closing descriptors it does not know, or by opening and closing the file.
 * A lock of the process (F_SETLK), which both would drop, serves where the
 * kernel has no other, and flags say whether there ever was a lock.
 *
 * Without the lock the process is looked for: by its pid and start time, in
 * the reader's own pid namespace, and otherwise by the pid that it has in its
 * own.
 */
#ifndef PL_CORE_LIVE_H
#define PL_CORE_LIVE_H

#include "core/format.h"

#include <stdbool.h>
#include <stdint.h>

enum pl_life {
	PL_LIFE_GONE,			/* nobody writes it any more */
	PL_LIFE_THERE,			/* its writer records into it */
	PL_LIFE_UNSURE,			/* nobody can tell from here */
};

/* @fd: the recording, open for reading. */
enum pl_life pl_live_look(int fd, const struct pl_rec_header *header);

static inline bool pl_live_is(int fd, const struct pl_rec_header *header)
{
	return pl_live_look(fd, header) == PL_LIFE_THERE;
}

/* Does anybody hold the lock?  For a file whose header can't be read yet. */
bool pl_live_is_locked(int fd);

/* Field 22 of /proc/PID/stat; 0 when there is no such process, or only its
 * zombie, which records no more. */
uint64_t pl_live_proc_start(uint32_t pid);

/* The same of this process, whichever pid namespace /proc is of. */
uint64_t pl_live_own_start(void);

/* The number of this process's pid namespace, 0 when it is not known. */
uint64_t pl_live_pid_namespace(void);

/* The 16 bytes of /proc/sys/kernel/random/boot_id, or zeros. */
void pl_live_boot_id(uint8_t id[16]);

#endif
