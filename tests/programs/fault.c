/* SPDX-License-Identifier: MIT */
/*
 * fault.c: a preload that makes the system fail, but for files of ours only.
 *
 *	FAULT=CALL,N,ERRNO,MODE
 *
 * The N-th CALL that concerns a file with "proflite" in its name fails with
 * ERRNO; MODE 1: and all after it.  A failing write has written a part before,
 * as on a disk that fills up.  Whether it came to that is left in the file
 * fault.fired.
 */
#define _GNU_SOURCE
#undef _FORTIFY_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static char call[16];
static int nth, error, and_all_after, seen;

__attribute__((constructor)) static void read_fault(void)
{
	const char *text = getenv("FAULT");

	if (text && sscanf(text, "%15[^,],%d,%d,%d", call, &nth, &error,
			   &and_all_after) != 4)
		abort();
}

static void note(void)
{
	int fd = (int)syscall(SYS_openat, AT_FDCWD, "fault.fired",
			      O_CREAT | O_WRONLY, 0600);

	syscall(SYS_close, fd);
}

static int is_ours(const char *path)
{
	/* Not what is installed: its folder is called so as well. */
	return strstr(path, "proflite.db") != NULL;
}

static int fails_path(const char *name, const char *path)
{
	int n;

	if (strcmp(name, call) || !is_ours(path))
		return 0;
	n = __atomic_add_fetch(&seen, 1, __ATOMIC_RELAXED);
	if (n < nth || (n > nth && !and_all_after))
		return 0;
	note();
	errno = error;
	return 1;
}

static int fails(const char *name, int fd)
{
	char link[64], path[4096];
	int saved = errno;
	ssize_t n;

	if (strcmp(name, call))
		return 0;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	errno = saved;
	if (n < 0)
		return 0;
	path[n] = '\0';
	return fails_path(name, path);
}

#define NEXT(name) (*(__typeof__(name) **)real(#name))

static void *real(const char *name)
{
	static __thread void *p;

	p = dlsym(RTLD_NEXT, name);
	return &p;
}

ssize_t write(int fd, const void *buf, size_t n)
{
	return fails("write", fd) ? -1 : syscall(SYS_write, fd, buf, n);
}

static ssize_t pwrite_some(int fd, const void *buf, size_t n, off_t at)
{
	if (fails("pwrite", fd)) {
		int saved = errno;

		syscall(SYS_pwrite64, fd, buf, n / 2, at);
		errno = saved;
		return -1;
	}
	return syscall(SYS_pwrite64, fd, buf, n, at);
}

ssize_t pwrite(int fd, const void *buf, size_t n, off_t at)
{
	return pwrite_some(fd, buf, n, at);
}

ssize_t pwrite64(int fd, const void *buf, size_t n, off64_t at)
{
	return pwrite_some(fd, buf, n, at);
}

/* These return the error. */
int posix_fallocate(int fd, off_t at, off_t n)
{
	return fails("fallocate", fd) ? errno :
	       NEXT(posix_fallocate)(fd, at, n);
}

int posix_fallocate64(int fd, off64_t at, off64_t n)
{
	return fails("fallocate", fd) ? errno :
	       NEXT(posix_fallocate64)(fd, at, n);
}

int ftruncate(int fd, off_t n)
{
	return fails("ftruncate", fd) ? -1 :
	       (int)syscall(SYS_ftruncate, fd, n);
}

int ftruncate64(int fd, off64_t n)
{
	return fails("ftruncate", fd) ? -1 :
	       (int)syscall(SYS_ftruncate, fd, n);
}

void *mmap(void *at, size_t n, int prot, int flags, int fd, off_t offset)
{
	return fd >= 0 && fails("mmap", fd) ? MAP_FAILED :
	       (void *)syscall(SYS_mmap, at, n, prot, flags, fd, offset);
}

void *mmap64(void *at, size_t n, int prot, int flags, int fd, off64_t offset)
{
	return mmap(at, n, prot, flags, fd, offset);
}

int fsync(int fd)
{
	return fails("fsync", fd) ? -1 : (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
	return fails("fsync", fd) ? -1 : (int)syscall(SYS_fdatasync, fd);
}

int unlink(const char *path)
{
	return fails_path("unlink", path) ? -1 :
	       (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

static int open_mode(const char *path, int flags, va_list ap)
{
	mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(ap, mode_t) : 0;

	return fails_path("open", path) ? -1 :
	       (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int open(const char *path, int flags, ...)
{
	va_list ap;
	int fd;

	va_start(ap, flags);
	fd = open_mode(path, flags, ap);
	va_end(ap);
	return fd;
}

int open64(const char *path, int flags, ...)
{
	va_list ap;
	int fd;

	va_start(ap, flags);
	fd = open_mode(path, flags, ap);
	va_end(ap);
	return fd;
}
