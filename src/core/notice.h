/* SPDX-License-Identifier: MIT */
/*
 * notice.h: what a profiled process tells `proflite record`.
 *
 *	process ──connect, one message, close──► proflite record
 *
 * The launcher listens at a socket in the abstract namespace, named after the
 * run: whatever happens to folders, user ids and roots of file systems
 * meanwhile, a process of the run finds it, as long as it stays in the
 * network namespace.  The message has the recording's descriptor with it, so
 * that the launcher reaches a file whose name is gone or belongs to a user it
 * does not look for.
 *
 * A sender never waits.  Where the launcher is gone or its queue is full the
 * process does without, and writes its database itself.
 */
#ifndef PL_CORE_NOTICE_H
#define PL_CORE_NOTICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum pl_notice_kind {
	PL_NOTICE_BEGUN = 1,	/* it records; @text: the recording's path */
	PL_NOTICE_DONE = 2,	/* the recording is complete: take it in */
	PL_NOTICE_FAILED = 3,	/* something is not recorded; @text: why */
};

struct pl_notice {
	uint8_t run[16];
	uint8_t recording[16];	/* zeros: there is none */
	uint32_t kind;		/* enum pl_notice_kind */
	uint32_t pid;
	char text[4096 + 64];	/* sent as far as its NUL */
};

/*
 * Send one; @fd goes with it unless it is negative.  Only to a launcher that
 * is ours or root's.  True when it has arrived.  errno may change; takes no
 * lock and no memory.
 */
bool pl_notice_send(const uint8_t run[16], enum pl_notice_kind kind,
		    const uint8_t *recording, const char *text, int fd);

/* The launcher's end: a socket, non-blocking, or -1 with errno. */
int pl_notice_listen(const uint8_t run[16]);

/* Take the next message for @run that has arrived.  *@fd: a descriptor that
 * came with it and is the caller's, or -1.  False: there is none. */
bool pl_notice_receive(int socket, const uint8_t run[16],
		       struct pl_notice *notice, int *fd);

#endif
