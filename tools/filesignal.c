/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "filesignal.h"

#include <signal.h>

static struct sigaction original;

void pl_filesignal_ignore(void)
{
	const struct sigaction ignore = {.sa_handler = SIG_IGN};

	sigaction(SIGXFSZ, &ignore, &original);
}

void pl_filesignal_restore(void)
{
	sigaction(SIGXFSZ, &original, NULL);
}
