/* SPDX-License-Identifier: MIT */
/*
 * filesignal.h: a file size limit (ulimit -f) is an error, not the end.
 *
 * Past the limit the kernel sends SIGXFSZ, whose default action would end a
 * command in the middle of a transaction.  While it is ignored, the write
 * fails with EFBIG instead.
 */
#ifndef PL_TOOLS_FILESIGNAL_H
#define PL_TOOLS_FILESIGNAL_H

/* Ignore SIGXFSZ from here on. */
void pl_filesignal_ignore(void);

/* Before exec: give the program the action that we were started with. */
void pl_filesignal_restore(void);

#endif
