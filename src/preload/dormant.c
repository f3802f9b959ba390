/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "preload/dormant.h"

#include "base/filelimit.h"
#include "core/attach.h"
#include "proflite.h"

#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MARK_BYTES 4096

typedef int (*sigaction_fn)(int, const struct sigaction *, struct sigaction *);
typedef void (*handler_fn)(int);
typedef handler_fn (*signal_fn)(int, handler_fn);

static int (*add_pending_call)(int (*)(void *), void *);
static void (*serve)(uint32_t number);
static int ours; /* the signal, 0 for none */
static void *mark;

static sigaction_fn real_sigaction(void)
{
	static sigaction_fn real;

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "sigaction");
	return real;
}

static signal_fn real_signal(void)
{
	static signal_fn real;

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "signal");
	return real;
}

/* Both may be called by a signal's handler, where dlsym may not. */
__attribute__((constructor)) static void find_both(void)
{
	real_sigaction();
	real_signal();
}

/* At a safe point, with the GIL. */
static int serve_later(void *number)
{
	serve((uint32_t)(uintptr_t)number);
	return 0;
}

/* Not from the tool: the default of these signals is the process's end. */
static void act_by_default(int sig)
{
	struct sigaction act = {.sa_handler = SIG_DFL};

	real_sigaction()(sig, &act, NULL);
	raise(sig); /* comes when the handler is left */
}

/*
 * Py_AddPendingCall takes a lock, which this thread holds only while it takes
 * such a call from the queue; the interpreter itself calls it from a signal
 * handler (trip_signal).
 */
static void on_signal(int sig, siginfo_t *info, void *context)
{
	uint32_t number = (uint32_t)info->si_value.sival_int;
	int saved = errno;

	(void)context;
	if (info->si_code == SI_QUEUE &&
	    (!info->si_uid || info->si_uid == geteuid()))
		add_pending_call(serve_later, (void *)(uintptr_t)number);
	else
		act_by_default(sig);
	errno = saved;
}

static int find_signal(void)
{
	struct sigaction now;

	for (int sig = SIGRTMAX - 1; sig > SIGRTMIN; sig--)
		if (!real_sigaction()(sig, NULL, &now) &&
		    now.sa_handler == SIG_DFL)
			return sig;
	return 0;
}

static void *make_mark(int sig)
{
	char name[sizeof(PL_ATTACH_MARK) + 12];
	struct pl_filelimit limit;
	void *at = MAP_FAILED;
	int fd;

	snprintf(name, sizeof(name), PL_ATTACH_MARK "%d", sig);
	fd = memfd_create(name, MFD_CLOEXEC);
	if (fd < 0)
		return NULL;
	pl_filelimit_begin(&limit);
	if (!ftruncate(fd, MARK_BYTES))
		at = mmap(NULL, MARK_BYTES, PROT_READ, MAP_SHARED, fd, 0);
	pl_filelimit_end(&limit);
	close(fd);
	return at == MAP_FAILED ? NULL : at;
}

void pl_dormant_begin(int (*add)(int (*)(void *), void *),
		      void (*serve_fn)(uint32_t number))
{
	struct sigaction act = {.sa_sigaction = on_signal,
				.sa_flags =
					SA_SIGINFO | SA_RESTART | SA_ONSTACK};
	int sig;

	if (ours || !add || !serve_fn || !real_sigaction())
		return;
	add_pending_call = add;
	serve = serve_fn;
	sig = find_signal();
	if (!sig || real_sigaction()(sig, &act, NULL))
		return;
	mark = make_mark(sig);
	ours = sig;
}

/* The program has set a handler of its own for our signal. */
static void give_up(void)
{
	ours = 0;
	if (mark)
		munmap(mark, MARK_BYTES);
	mark = NULL;
}

PROFLITE_API int sigaction(int sig, const struct sigaction *act,
			   struct sigaction *old)
{
	int rc = real_sigaction()(sig, act, old);

	if (rc || sig != ours || !sig)
		return rc;
	if (old)
		memset(old, 0, sizeof(*old)); /* SIG_DFL */
	if (act)
		give_up();
	return rc;
}

PROFLITE_API handler_fn signal(int sig, handler_fn handler)
{
	handler_fn before = real_signal()(sig, handler);

	if (before == SIG_ERR || sig != ours || !sig)
		return before;
	give_up();
	return SIG_DFL;
}
