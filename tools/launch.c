/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "launch.h"

#include "filesignal.h"
#include "relay.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define LIBRARY "libproflite.so"

/* --------------------------------------------------------- the library -- */

#ifdef __linux__
#define MULTIARCH(cpu) cpu "-linux-gnu"
#endif
#if defined(__x86_64__)
#define TRIPLET MULTIARCH("x86_64")
#elif defined(__aarch64__)
#define TRIPLET MULTIARCH("aarch64")
#else
#define TRIPLET ""
#endif

/* Where it may be, seen from the program's folder: installed, in the folder
 * of a build, unpacked side by side. */
static const char *const places[] = {
	"../lib", "../lib/" TRIPLET, "../lib64", ".", ".libs", "../.libs",
};

static int is_there(const char *path)
{
	return !access(path, R_OK);
}

static int find_beside(const char *folder, char *path, size_t size)
{
	char candidate[PATH_MAX], *real;

	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		int n = snprintf(candidate, sizeof(candidate), "%s/%s/" LIBRARY,
				 folder, places[i]);

		if (n >= (int)sizeof(candidate) || !is_there(candidate))
			continue;
		real = realpath(candidate, NULL);
		if (!real)
			continue;
		n = snprintf(path, size, "%s", real);
		free(real);
		return n < (int)size;
	}
	return 0;
}

/* Where this program lies.  Without /proc the kernel's own word for what it
 * executed tells, as long as nobody has changed folders. */
static bool find_own_folder(char folder[PATH_MAX])
{
	const char *exe = (const char *)getauxval(AT_EXECFN);
	char *slash;

	if (!realpath("/proc/self/exe", folder) &&
	    (!exe || !realpath(exe, folder)))
		return false;
	slash = strrchr(folder, '/');
	if (slash)
		*slash = '\0';
	return slash;
}

int pl_launch_find_library(char *path, size_t size, struct pl_error *err)
{
	char folder[PATH_MAX];
	bool known = find_own_folder(folder);

	if (!known || !find_beside(folder, path, size)) {
		snprintf(path, size, "%s", PL_LIBDIR "/" LIBRARY);
		if (!is_there(path))
			return pl_fail(err, PL_ERR_NOENT,
				       "%s is neither in %s%s nor in %s: "
				       "install proflite as a whole", LIBRARY,
				       known ? folder : "the program's folder",
				       known ? "/../lib" : "", PL_LIBDIR);
	}
	if (strpbrk(path, " :"))
		return pl_fail(err, PL_ERR_ARG,
			       "%s: LD_PRELOAD cannot name a path with a blank "
			       "or a colon in it: install proflite elsewhere",
			       path);
	return 0;
}

/* ----------------------------------------------------------- the child -- */

static int set_environment(const struct pl_launch *l)
{
	const char *old = getenv("LD_PRELOAD");
	char *preload;
	int rc;

	if (asprintf(&preload, "%s%s%s", l->library, old && *old ? ":" : "",
		     old ? old : "") < 0)
		return -1;
	rc = setenv("LD_PRELOAD", preload, 1);
	free(preload);
	return rc ? rc : setenv("PROFLITE_OPTIONS", l->options, 1);
}

/* In the child.  Why exec failed goes back through @report, which a successful
 * exec closes. */
static void run_child(const struct pl_launch *l, const struct pl_relay *relay,
		      int report)
{
	int why;
	ssize_t n;

	pl_relay_release_child(relay);
	pl_filesignal_restore();
	if (!set_environment(l))
		execvp(l->argv[0], l->argv);
	why = errno;
	do
		n = write(report, &why, sizeof(why));
	while (n < 0 && errno == EINTR);
	_exit(127);
}

static int read_report(int fd)
{
	ssize_t n;
	int why = 0;

	do
		n = read(fd, &why, sizeof(why));
	while (n < 0 && errno == EINTR);
	return n == sizeof(why) ? why : 0;
}

static int start_child(const struct pl_launch *l, const struct pl_relay *relay,
		       struct pl_launched *result, struct pl_error *err)
{
	int report[2];
	pid_t pid;

	if (pipe2(report, O_CLOEXEC))
		return pl_fail_errno(err, PL_ERR_SYS, "cannot make a pipe");
	fflush(NULL);
	pid = fork();
	if (!pid)
		run_child(l, relay, report[1]);
	close(report[1]);
	if (pid < 0) {
		close(report[0]);
		return pl_fail_errno(err, PL_ERR_SYS, "cannot fork");
	}
	result->pid = pid;
	result->exec_errno = read_report(report[0]);
	close(report[0]);
	return 0;
}

int pl_launch_run(const struct pl_launch *launch, struct pl_launched *result,
		  struct pl_error *err)
{
	struct pl_relay relay = { .pause = launch->pause, .ctx = launch->ctx };
	int rc;

	memset(result, 0, sizeof(*result));
	rc = pl_relay_begin(&relay, err);
	if (rc)
		return rc;
	rc = start_child(launch, &relay, result, err);
	if (!rc && launch->started)
		launch->started(launch->ctx);
	if (!rc)
		result->wait_status = pl_relay_wait(&relay, result->pid);
	pl_relay_end(&relay);
	return rc;
}

int pl_launch_end_like(const struct pl_launched *result)
{
	struct rlimit no_core = { 0, 0 };
	int signo;
	sigset_t set;

	if (WIFEXITED(result->wait_status))
		return WEXITSTATUS(result->wait_status);
	signo = WTERMSIG(result->wait_status);
	fflush(NULL);
	/* The command has left its core, if any; ours would tell nothing. */
	setrlimit(RLIMIT_CORE, &no_core);
	signal(signo, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, signo);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	raise(signo);
	return 128 + signo;
}
