/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "trust.h"

#include "base/owner.h"

#include <pwd.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

static void name_user(uid_t uid, char *name, size_t size)
{
	const struct passwd *user = getpwuid(uid);

	if (user)
		snprintf(name, size, "user %.48s", user->pw_name);
	else
		snprintf(name, size, "user %u", (unsigned)uid);
}

/*
 * A mapped file was cut off, or its disk fails.  A page of zeros takes the
 * place of what is gone: the reader checks every number, and reports damage.
 * Without one the signal comes again, and ends us.
 */
static void on_bus_error(int signo, siginfo_t *info, void *context)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t at = (uintptr_t)info->si_addr & ~(page - 1);

	(void)context;
	if (info->si_code != BUS_ADRERR ||
	    mmap((void *)at, page, PROT_READ,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
		signal(signo, SIG_DFL);
}

void pl_trust_begin(void)
{
	struct sigaction action = { .sa_sigaction = on_bus_error,
				    .sa_flags = SA_SIGINFO };

	pl_owner_policy.advice = "if you trust that user, add --trust";
	pl_owner_policy.name_user = name_user;
	sigemptyset(&action.sa_mask);
	sigaction(SIGBUS, &action, NULL);
}

void pl_trust_anybody(void)
{
	pl_owner_policy.trust.anybody = true;
}
