/* SPDX-License-Identifier: MIT */
/*
 * exec.c: the functions that replace a program by another, or start one.
 *
 * They are called in forked and vforked children as well, where no lock may be
 * taken and no memory allocated: the functions of the C library are looked up
 * at the start, and an environment is completed on the stack.  errno is that
 * of the real function.
 */
#include <config.h>

#include "proflite.h"

#include "preload/follow.h"

#include <alloca.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OPTIONS "PROFLITE_OPTIONS"
#define INHERITED "PROFLITE_INHERITED"
#define PRELOAD "LD_PRELOAD"

/* An environment with more variables is not one that was cleaned. */
#define MOST_VARIABLES 500

extern char **environ;

static struct {
	int (*execv)(const char *, char *const[]);
	int (*execvp)(const char *, char *const[]);
	int (*execve)(const char *, char *const[], char *const[]);
	int (*execvpe)(const char *, char *const[], char *const[]);
	int (*fexecve)(int, char *const[], char *const[]);
	int (*execveat)(int, const char *, char *const[], char *const[], int);
	int (*posix_spawn)(pid_t *, const char *,
			   const posix_spawn_file_actions_t *,
			   const posix_spawnattr_t *, char *const[],
			   char *const[]);
	int (*posix_spawnp)(pid_t *, const char *,
			    const posix_spawn_file_actions_t *,
			    const posix_spawnattr_t *, char *const[],
			    char *const[]);
} real;

/* "NAME=value" for children; NULL: nothing is to be recorded. */
static char *inherited;
static char preload[sizeof(PRELOAD) + PATH_MAX];

/* 32 bytes of `inherited`, and where their latest value is. */
static char *digits_here;
static const char *digits_there;

/* --------------------------------------------------------- environment -- */

static void find_functions(void)
{
	static const struct {
		const char *symbol;
		void *slot;
	} wanted[] = {
		{ "execv", &real.execv },
		{ "execvp", &real.execvp },
		{ "execve", &real.execve },
		{ "execvpe", &real.execvpe },
		{ "fexecve", &real.fexecve },
		{ "execveat", &real.execveat },
		{ "posix_spawn", &real.posix_spawn },
		{ "posix_spawnp", &real.posix_spawnp },
	};

	for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++)
		*(void **)wanted[i].slot = dlsym(RTLD_NEXT, wanted[i].symbol);
}

/* Our own file, whatever folder a child is in. */
static void find_library(void)
{
	char path[PATH_MAX];
	Dl_info info;

	if (dladdr((void *)&find_library, &info) && info.dli_fname &&
	    realpath(info.dli_fname, path) && !strpbrk(path, " :"))
		snprintf(preload, sizeof(preload), PRELOAD "=%s", path);
}

/* The constructors of others may call us before ours has run. */
static void look_up(void)
{
	if (!real.execve)
		find_functions();
}

const char *pl_follow_begin(int *is_hidden)
{
	const char *text = getenv(OPTIONS), *copy;

	look_up();
	*is_hidden = 0;
	if (!text) {
		text = getenv(INHERITED);
		*is_hidden = !!text;
	}
	/* The program may write over what it found. */
	copy = text ? strdup(text) : NULL;
	if (copy) {
		find_library();
		pl_follow_text(copy, NULL);
	}
	if (*is_hidden) {
		unsetenv(INHERITED);
		unsetenv(PRELOAD);
	}
	return copy;
}

void pl_follow_text(const char *text, const char *digits)
{
	char *entry = malloc(sizeof(INHERITED) + 1 + strlen(text));

	if (!entry)
		return;
	stpcpy(stpcpy(entry, INHERITED "="), text);
	digits_here = digits ? entry + sizeof(INHERITED) + (digits - text)
			     : NULL;
	digits_there = digits;
	inherited = entry;
}

static bool is_variable(const char *entry, const char *name, size_t len)
{
	return !strncmp(entry, name, len) && entry[len] == '=';
}

#define IS(entry, name) is_variable(entry, name, sizeof(name) - 1)

/* The child could not load the library from another root, say, and its loader
 * would complain. */
static bool can_be_loaded(void)
{
	int saved = errno;
	bool can = *preload && !faccessat(AT_FDCWD,
					  preload + sizeof(PRELOAD), R_OK,
					  AT_EACCESS);

	errno = saved;
	return can;
}

struct completed {
	char *env[MOST_VARIABLES + 3];
};

/* @env, or @c with our variables added. */
static char *const *complete(char *const env[], struct completed *c)
{
	size_t n = 0;

	if (!inherited)
		return env;
	for (; env && env[n]; n++) {
		if (n == MOST_VARIABLES || IS(env[n], PRELOAD) ||
		    IS(env[n], OPTIONS) || IS(env[n], INHERITED))
			return env;
		c->env[n] = env[n];
	}
	if (!can_be_loaded())
		return env;
	if (digits_here)
		memcpy(digits_here, digits_there, 32);
	c->env[n] = preload;
	c->env[n + 1] = inherited;
	c->env[n + 2] = NULL;
	return c->env;
}

/* ---------------------------------------------------------------- exec -- */

static int exec_path(const char *path, char *const argv[], char *const envp[])
{
	struct completed c;
	char *const *env;
	int rc;

	look_up();
	pl_around_exec(1);
	env = complete(envp, &c);
	/* Another library may stand in for execve, and want no execv. */
	rc = env == environ ? real.execv(path, argv)
			    : real.execve(path, argv, env);
	pl_around_exec(0);
	return rc;
}

static int exec_file(const char *file, char *const argv[], char *const envp[])
{
	struct completed c;
	char *const *env;
	int rc;

	look_up();
	pl_around_exec(1);
	env = complete(envp, &c);
	rc = env == environ ? real.execvp(file, argv)
			    : real.execvpe(file, argv, env);
	pl_around_exec(0);
	return rc;
}

PROFLITE_API int execve(const char *path, char *const argv[],
			char *const envp[])
{
	return exec_path(path, argv, envp);
}

PROFLITE_API int execv(const char *path, char *const argv[])
{
	return exec_path(path, argv, environ);
}

PROFLITE_API int execvpe(const char *file, char *const argv[],
			 char *const envp[])
{
	return exec_file(file, argv, envp);
}

PROFLITE_API int execvp(const char *file, char *const argv[])
{
	return exec_file(file, argv, environ);
}

PROFLITE_API int fexecve(int fd, char *const argv[], char *const envp[])
{
	struct completed c;
	int rc;

	look_up();
	pl_around_exec(1);
	rc = real.fexecve(fd, argv, complete(envp, &c));
	pl_around_exec(0);
	return rc;
}

PROFLITE_API int execveat(int fd, const char *path, char *const argv[],
			  char *const envp[], int flags)
{
	struct completed c;
	int rc;

	look_up();
	if (!real.execveat) {		/* glibc before 2.34 */
		errno = ENOSYS;
		return -1;
	}
	pl_around_exec(1);
	rc = real.execveat(fd, path, argv, complete(envp, &c), flags);
	pl_around_exec(0);
	return rc;
}

/* How many arguments there are before the NULL. */
static size_t count(const char *arg, va_list rest)
{
	size_t n = 0;

	for (; arg; arg = va_arg(rest, const char *))
		n++;
	return n;
}

/* The arguments as an array on the caller's stack, as the C library has it. */
#define COLLECT(argv, arg, ap)                                               \
	do {                                                                 \
		size_t n_, i_;                                               \
		va_start(ap, arg);                                           \
		n_ = count(arg, ap);                                         \
		va_end(ap);                                                  \
		(argv) = alloca((n_ + 1) * sizeof(*(argv)));                 \
		va_start(ap, arg);                                           \
		(argv)[0] = (char *)(uintptr_t)(arg);                        \
		for (i_ = 1; i_ <= n_; i_++)                                 \
			(argv)[i_] = va_arg(ap, char *);                     \
	} while (0)

PROFLITE_API int execl(const char *path, const char *arg, ...)
{
	char **argv;
	va_list ap;

	COLLECT(argv, arg, ap);
	va_end(ap);
	return exec_path(path, argv, environ);
}

PROFLITE_API int execlp(const char *file, const char *arg, ...)
{
	char **argv;
	va_list ap;

	COLLECT(argv, arg, ap);
	va_end(ap);
	return exec_file(file, argv, environ);
}

PROFLITE_API int execle(const char *path, const char *arg, ...)
{
	char **argv, **envp;
	va_list ap;

	COLLECT(argv, arg, ap);
	envp = va_arg(ap, char **);
	va_end(ap);
	return exec_path(path, argv, envp);
}

/* --------------------------------------------------------------- spawn -- */

PROFLITE_API int posix_spawn(pid_t *pid, const char *path,
			     const posix_spawn_file_actions_t *actions,
			     const posix_spawnattr_t *attributes,
			     char *const argv[], char *const envp[])
{
	struct completed c;

	look_up();
	return real.posix_spawn(pid, path, actions, attributes, argv,
				complete(envp, &c));
}

PROFLITE_API int posix_spawnp(pid_t *pid, const char *file,
			      const posix_spawn_file_actions_t *actions,
			      const posix_spawnattr_t *attributes,
			      char *const argv[], char *const envp[])
{
	struct completed c;

	look_up();
	return real.posix_spawnp(pid, file, actions, attributes, argv,
				 complete(envp, &c));
}
