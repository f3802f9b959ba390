/* SPDX-License-Identifier: MIT */
/*
 * relay.h: stand between a shell and its command as if nobody did.
 *
 * Program and command are in one process group, so that the terminal's signals
 * (^C, ^\, ^Z, a new window size, a hang-up) reach both: the command acts on
 * them, this program does not.  A signal sent to this program alone goes to
 * the command.  When the command is stopped, this program stops by the same
 * signal, so that the shell sees its job stopped; when the shell continues the
 * one, the other goes on.
 */
#ifndef PL_TOOLS_RELAY_H
#define PL_TOOLS_RELAY_H

#include "base/err.h"

#include <signal.h>
#include <sys/types.h>

struct pl_relay {
	int fd;				/* signalfd */
	sigset_t old_mask;
	struct sigaction old_child;
	/* Called before this program stops and after it goes on: no lock that
	 * others wait for may be held meanwhile.  Or NULL. */
	void (*pause)(void *ctx, int begin);
	void *ctx;
};

/* Hold all signals from here on.  Zero-initialise @r.  PL_ERR_SYS. */
int pl_relay_begin(struct pl_relay *r, struct pl_error *err);

/* In the child, before exec: it finds signals as this program did. */
void pl_relay_release_child(const struct pl_relay *r);

/* Wait for @pid to end and relay signals meanwhile.  The status is wait()'s. */
int pl_relay_wait(struct pl_relay *r, pid_t pid);

/* Drop what came for the command that has ended, and take signals again. */
void pl_relay_end(struct pl_relay *r);

#endif
