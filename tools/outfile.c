/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "outfile.h"

#include "base/owner.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* -------------------------------------------------------------- signals -- */

/* What is to be removed when a signal ends the program. */
static char *volatile doomed;

static void on_signal(int signo)
{
	if (doomed)
		unlink(doomed);
	/* Its own action is there again, and takes place when we return. */
	raise(signo);
}

static const int signals[] = { SIGHUP, SIGINT, SIGTERM };

#define N_SIGNALS (sizeof(signals) / sizeof(*signals))

/* For as long as there is a file that on_signal() does not know. */
static void hold_signals(sigset_t *old)
{
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < N_SIGNALS; i++)
		sigaddset(&set, signals[i]);
	sigprocmask(SIG_BLOCK, &set, old);
}

static void watch_signals(void)
{
	const struct sigaction action = { .sa_handler = on_signal,
					  .sa_flags = SA_RESETHAND };
	struct sigaction old;

	for (size_t i = 0; i < N_SIGNALS; i++)
		if (!sigaction(signals[i], NULL, &old) &&
		    old.sa_handler == SIG_DFL)
			sigaction(signals[i], &action, NULL);
}

static void forget_temp(struct pl_outfile *o)
{
	doomed = NULL;
	free(o->temp);
	o->temp = NULL;
}

/* --------------------------------------------------------------- opening -- */

static int fail_open(struct pl_outfile *o, struct pl_error *err)
{
	int rc = pl_fail_errno(err, PL_ERR_SYS, "cannot write %s", o->path);

	pl_outfile_discard(o);
	return rc;
}

/* Replaced by a rename is a regular file, or one that is not there yet. */
static int is_replaceable(const char *path)
{
	struct stat st;

	return stat(path, &st) || S_ISREG(st.st_mode);
}

static int make_temp(char *name)
{
	sigset_t old;
	int fd, error;

	hold_signals(&old);
	fd = mkstemp(name);
	error = errno;
	if (fd >= 0) {
		doomed = name;
		watch_signals();
	}
	sigprocmask(SIG_SETMASK, &old, NULL);
	errno = error;
	return fd;
}

static int open_temp(struct pl_outfile *o, struct pl_error *err)
{
	mode_t mask = umask(0);
	int fd;

	umask(mask);
	if (asprintf(&o->temp, "%s.XXXXXX", o->path) < 0) {
		o->temp = NULL;
		pl_outfile_discard(o);
		return pl_fail(err, PL_ERR_NOMEM, "out of memory");
	}
	fd = make_temp(o->temp);
	if (fd < 0) {
		int error = errno;

		forget_temp(o);
		errno = error;
		return fail_open(o, err);
	}
	/* mkstemp is for secrets; this is a file like any other. */
	fchmod(fd, 0666 & ~mask);
	o->f = fdopen(fd, "wb");
	if (o->f)
		return 0;
	close(fd);
	return fail_open(o, err);
}

/* A pipe or a device. */
static int open_special(struct pl_outfile *o, int flags, struct pl_error *err)
{
	int fd = open(o->path, O_WRONLY | O_CLOEXEC | flags);

	if (fd < 0)
		return fail_open(o, err);
	o->f = fdopen(fd, "wb");
	if (o->f)
		return 0;
	close(fd);
	return fail_open(o, err);
}

/* A link that another user made is not followed: it would choose the file that
 * is replaced. */
int pl_outfile_open(struct pl_outfile *o, const char *path,
		    struct pl_error *err)
{
	struct stat st;
	bool is_link;

	memset(o, 0, sizeof(*o));
	if (!strcmp(path, "-")) {
		o->f = stdout;
		return 0;
	}
	is_link = !lstat(path, &st) && S_ISLNK(st.st_mode);
	if (is_link && !pl_owner_is_trusted(st.st_uid, NULL))
		return pl_owner_refuse(st.st_uid, path, err);
	if (is_link)
		o->path = realpath(path, NULL);
	if (!o->path)			/* no link, or "/dev/stdout" of a pipe */
		o->path = strdup(path);
	if (!o->path)
		return pl_fail(err, PL_ERR_NOMEM, "out of memory");
	if (is_replaceable(o->path))
		return open_temp(o, err);
	return open_special(o, is_link ? 0 : O_NOFOLLOW, err);
}

int pl_stream_flush(FILE *f)
{
	int failed = ferror(f);

	if (fflush(f))
		return errno;
	if (!failed)
		return 0;
	/* A write failed before, and its errno is gone.  What is half written
	 * is lost anyway, and the next write will fail for the same reason. */
	clearerr(f);
	if (putc('\n', f) == EOF || fflush(f))
		return errno;
	return EIO;
}

/* Everything is in the file, or an errno. */
static int finish(struct pl_outfile *o)
{
	int failed = pl_stream_flush(o->f);

	if (o->f != stdout) {
		if (fclose(o->f) && !failed)
			failed = errno;
	} else if (failed) {
		__fpurge(stdout);	/* said once is enough */
		clearerr(stdout);
	}
	o->f = NULL;
	if (failed || !o->temp)
		return failed;
	if (rename(o->temp, o->path))
		return errno;
	forget_temp(o);
	return 0;
}

int pl_outfile_commit(struct pl_outfile *o, struct pl_error *err)
{
	int rc = 0;

	errno = finish(o);
	if (errno)
		rc = pl_fail_errno(err, PL_ERR_SYS, "cannot write %s",
				   o->path ? o->path : "the output");
	pl_outfile_discard(o);
	return rc;
}

void pl_outfile_discard(struct pl_outfile *o)
{
	if (o->f && o->f != stdout)
		fclose(o->f);
	if (o->temp)
		unlink(o->temp);
	forget_temp(o);
	free(o->path);
	memset(o, 0, sizeof(*o));
}
