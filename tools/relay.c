/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "relay.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

/* What somebody may send to a program on purpose.  SIGTTIN and SIGTTOU stop
 * the whole group and have their default action here as well. */
static const int relayed[] = {
	SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM, SIGTERM, SIGTSTP,
	SIGURG, SIGVTALRM, SIGPROF, SIGWINCH, SIGIO, SIGPWR,
};

static void held_signals(sigset_t *set)
{
	sigemptyset(set);
	for (size_t i = 0; i < sizeof(relayed) / sizeof(*relayed); i++)
		sigaddset(set, relayed[i]);
	for (int signo = SIGRTMIN; signo <= SIGRTMAX; signo++)
		sigaddset(set, signo);
	sigaddset(set, SIGCHLD);
	sigaddset(set, SIGCONT);
}

int pl_relay_begin(struct pl_relay *r, struct pl_error *err)
{
	/* If SIGCHLD were ignored, the kernel would reap the command. */
	struct sigaction action = { .sa_handler = SIG_DFL };
	sigset_t set;

	held_signals(&set);
	r->fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (r->fd < 0)
		return pl_fail_errno(err, PL_ERR_SYS, "cannot take signals");
	sigprocmask(SIG_BLOCK, &set, &r->old_mask);
	sigaction(SIGCHLD, &action, &r->old_child);
	return 0;
}

void pl_relay_release_child(const struct pl_relay *r)
{
	sigaction(SIGCHLD, &r->old_child, NULL);
	sigprocmask(SIG_SETMASK, &r->old_mask, NULL);
}

static bool next_signal(struct pl_relay *r, struct signalfd_siginfo *info)
{
	ssize_t n;

	do
		n = read(r->fd, info, sizeof(*info));
	while (n < 0 && errno == EINTR);
	return n == sizeof(*info);
}

/*
 * Stop by @signo, as the command did.  False if that did not stop this process:
 * SIGTSTP is ignored in a process group that no shell watches.
 */
static bool stop_by(struct pl_relay *r, int signo)
{
	struct sigaction action = { .sa_handler = SIG_DFL }, old;
	sigset_t set, pending;

	if (r->pause)
		r->pause(r->ctx, 1);
	sigemptyset(&set);
	sigaddset(&set, signo);
	sigaction(signo, &action, &old);
	kill(getpid(), signo);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	/* Here it is stopped. */
	sigprocmask(SIG_BLOCK, &set, NULL);
	sigaction(signo, &old, NULL);
	if (r->pause)
		r->pause(r->ctx, 0);
	sigpending(&pending);
	return sigismember(&pending, SIGCONT) == 1;
}

/* Whether the command is known to have ended; @stopped is kept up to date. */
static bool look(struct pl_relay *r, pid_t pid, int *status, bool *stopped)
{
	pid_t got;

	while ((got = waitpid(pid, status,
			      WUNTRACED | WCONTINUED | WNOHANG)) > 0 ||
	       (got < 0 && errno == EINTR)) {
		if (got < 0)
			continue;
		if (!WIFSTOPPED(*status) && !WIFCONTINUED(*status))
			return true;
		*stopped = WIFSTOPPED(*status);
		if (*stopped && stop_by(r, WSTOPSIG(*status)))
			break;		/* SIGCONT is pending */
	}
	return got < 0;
}

/*
 * The shell continues its whole job, so the command has got this signal, too.
 * It is sent only if the command still stands.
 */
static void go_on(pid_t pid, bool *stopped)
{
	int status;

	if (!*stopped)
		return;
	*stopped = false;
	if (!waitpid(pid, &status, WCONTINUED | WNOHANG))
		kill(pid, SIGCONT);
}

static void relay(const struct signalfd_siginfo *info, pid_t pid)
{
	/* The kernel sends to the group; what the command itself has sent to
	 * its group or its parent is not meant for it. */
	if (info->ssi_code > 0 || (pid_t)info->ssi_pid == pid)
		return;
	if (info->ssi_code == SI_QUEUE) {
		union sigval value = { .sival_ptr =
			(void *)(uintptr_t)info->ssi_ptr };

		sigqueue(pid, (int)info->ssi_signo, value);
		return;
	}
	kill(pid, (int)info->ssi_signo);
}

int pl_relay_wait(struct pl_relay *r, pid_t pid)
{
	struct signalfd_siginfo info;
	bool stopped = false;
	int status = 0;

	while (!look(r, pid, &status, &stopped)) {
		if (!next_signal(r, &info)) {
			struct pollfd p = { .fd = r->fd, .events = POLLIN };

			poll(&p, 1, -1);
			continue;
		}
		if (info.ssi_signo == SIGCONT)
			go_on(pid, &stopped);
		else if (info.ssi_signo != SIGCHLD)
			relay(&info, pid);
	}
	return status;
}

void pl_relay_end(struct pl_relay *r)
{
	struct signalfd_siginfo info;

	while (next_signal(r, &info))
		;
	close(r->fd);
	pl_relay_release_child(r);
}
