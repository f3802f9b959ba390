/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "launch.h"

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

static volatile sig_atomic_t child_pid;

static void forward(int signo)
{
	int saved = errno;

	if (child_pid > 0)
		kill((pid_t)child_pid, signo);
	errno = saved;
}

/* What we change while we wait; the child finds it as it was. */
static const struct {
	int signo;
	void (*handler)(int);
} changes[] = {
	{ SIGINT, SIG_IGN },
	{ SIGQUIT, SIG_IGN },
	{ SIGTERM, forward },
	{ SIGHUP, forward },
	{ SIGCHLD, SIG_DFL },		/* ignored, it would take our wait() */
};

#define N_CHANGES (sizeof(changes) / sizeof(*changes))

struct signals {
	struct sigaction actions[N_CHANGES];
	sigset_t mask;
};

/* What is forwarded stays blocked until there is somebody to forward it to. */
static void take_signals(struct signals *old)
{
	sigset_t block;

	sigemptyset(&block);
	sigaddset(&block, SIGTERM);
	sigaddset(&block, SIGHUP);
	sigprocmask(SIG_BLOCK, &block, &old->mask);
	for (size_t i = 0; i < N_CHANGES; i++) {
		struct sigaction action = { .sa_handler = changes[i].handler };

		sigemptyset(&action.sa_mask);
		sigaction(changes[i].signo, &action, &old->actions[i]);
		/* nohup: what was ignored stays ignored. */
		if (action.sa_handler == forward &&
		    old->actions[i].sa_handler == SIG_IGN)
			sigaction(changes[i].signo, &old->actions[i], NULL);
	}
}

static void restore_signals(const struct signals *old)
{
	for (size_t i = 0; i < N_CHANGES; i++)
		sigaction(changes[i].signo, &old->actions[i], NULL);
	sigprocmask(SIG_SETMASK, &old->mask, NULL);
}

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
static void run_child(const struct pl_launch *l, const struct signals *old,
		      int report)
{
	int why;
	ssize_t n;

	restore_signals(old);
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

int pl_launch_run(const struct pl_launch *launch, struct pl_launched *result,
		  struct pl_error *err)
{
	struct signals old;
	int report[2];
	pid_t pid;

	memset(result, 0, sizeof(*result));
	if (pipe2(report, O_CLOEXEC))
		return pl_fail_errno(err, PL_ERR_SYS, "cannot make a pipe");
	fflush(NULL);
	take_signals(&old);
	pid = fork();
	if (!pid)
		run_child(launch, &old, report[1]);
	close(report[1]);
	if (pid < 0) {
		int rc = pl_fail_errno(err, PL_ERR_SYS, "cannot fork");

		close(report[0]);
		restore_signals(&old);
		return rc;
	}
	child_pid = pid;
	sigprocmask(SIG_SETMASK, &old.mask, NULL);
	result->pid = pid;
	result->exec_errno = read_report(report[0]);
	close(report[0]);
	while (waitpid(pid, &result->wait_status, 0) < 0 && errno == EINTR)
		;
	child_pid = 0;
	restore_signals(&old);
	return 0;
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
