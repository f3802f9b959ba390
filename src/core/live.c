/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "core/live.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* PROC_PID_INIT_INO: the first pid namespace, in which all processes are. */
#define FIRST_NAMESPACE 0xeffffffcu

/* Read a small file of /proc, as text.  The length, 0 on any failure. */
static size_t read_text(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	buf[0] = '\0';
	if (fd < 0)
		return 0;
	do
		n = read(fd, buf, size - 1);
	while (n < 0 && errno == EINTR);
	close(fd);
	if (n < 0)
		n = 0;
	buf[n] = '\0';
	return (size_t)n;
}

/* Of /proc/PID/stat: @from points to field 3.  NULL: there are not so many. */
static const char *stat_field(const char *from, int number)
{
	for (int field = 3; from && field < number; field++) {
		from = strchr(from, ' ');
		from += !!from;
	}
	return from;
}

static uint64_t start_of(const char *path)
{
	char text[2048];
	const char *p, *threads, *start;

	if (!read_text(path, text, sizeof(text)))
		return 0;
	/* "PID (NAME) STATE ...": the name may hold anything, ')' too. */
	p = strrchr(text, ')');
	if (!p || p[1] != ' ')
		return 0;
	p += 2;
	threads = stat_field(p, 20);
	start = stat_field(p, 22);
	/* The state is that of the main thread.  Others may go on without it,
	 * and one that is killed keeps its files until the last has ended. */
	if (!start || *p == 'X' || (*p == 'Z' && atoi(threads) < 2))
		return 0;
	return strtoull(start, NULL, 10);
}

uint64_t pl_live_proc_start(uint32_t pid)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/%u/stat", pid);
	return start_of(path);
}

uint64_t pl_live_own_start(void)
{
	return start_of("/proc/self/stat");
}

static uint64_t namespace_of(const char *path)
{
	struct stat st;

	return stat(path, &st) ? 0 : st.st_ino;
}

uint64_t pl_live_pid_namespace(void)
{
	return namespace_of("/proc/self/ns/pid");
}

/* Do the numbers in /proc mean what they mean to us?  A new pid namespace may
 * still have the /proc of the old one. */
static bool is_proc_ours(void)
{
	char text[32];
	ssize_t n = readlink("/proc/self", text, sizeof(text) - 1);

	if (n <= 0)
		return false;
	text[n] = '\0';
	return strtoul(text, NULL, 10) == (unsigned long)getpid();
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

void pl_live_boot_id(uint8_t id[16])
{
	char text[64];
	int n = 0;

	memset(id, 0, 16);
	read_text("/proc/sys/kernel/random/boot_id", text, sizeof(text));
	for (const char *p = text; *p && n < 32; p++) {
		int digit = hex_digit(*p);

		if (digit < 0)
			continue;	/* the dashes of a UUID */
		id[n / 2] |= (uint8_t)(n % 2 ? digit : digit << 4);
		n++;
	}
	if (n < 32)
		memset(id, 0, 16);
}

static bool is_zero(const uint8_t id[16])
{
	static const uint8_t zero[16];

	return !memcmp(id, zero, 16);
}

static bool is_other_boot(const uint8_t boot_id[16])
{
	uint8_t now[16];

	pl_live_boot_id(now);
	return !is_zero(now) && !is_zero(boot_id) && memcmp(now, boot_id, 16);
}

/* Asking takes no lock, and needs no permission to write. */
bool pl_live_is_locked(int fd)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET,
			      .l_start = 0, .l_len = 1 };

	return !fcntl(fd, F_GETLK, &lock) && lock.l_type != F_UNLCK;
}

/* ----------------------------------------------- other pid namespaces -- */

/* The pid of /proc/@name in its own namespace, the innermost; 0: not told. */
static uint32_t inner_pid(const char *name)
{
	char path[300], text[4096];
	const char *line, *end;

	snprintf(path, sizeof(path), "/proc/%s/status", name);
	if (!read_text(path, text, sizeof(text)))
		return 0;
	line = strstr(text, "\nNSpid:");
	end = line ? strchr(line + 1, '\n') : NULL;
	if (!end)
		return 0;
	while (end[-1] >= '0' && end[-1] <= '9')
		end--;
	return (uint32_t)strtoul(end, NULL, 10);
}

static bool is_writer(const char *name, const struct pl_rec_header *h)
{
	char path[300];
	uint64_t other;

	if (inner_pid(name) != h->pid)
		return false;
	snprintf(path, sizeof(path), "/proc/%s/ns/pid", name);
	other = namespace_of(path);		/* 0: not ours to look at */
	if (other && other != h->pid_namespace)
		return false;
	snprintf(path, sizeof(path), "/proc/%s/stat", name);
	return h->proc_start ? start_of(path) == h->proc_start : !!other;
}

/* A process sees those of the namespaces within its own as well. */
static bool is_among_processes(const struct pl_rec_header *h)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;
	bool found = false;

	while (dir && !found && (entry = readdir(dir)))
		found = *entry->d_name >= '1' && *entry->d_name <= '9' &&
			is_writer(entry->d_name, h);
	if (dir)
		closedir(dir);
	return found;
}

/* ---------------------------------------------------------------- life -- */

/* By its pid, which is of our own namespace. */
static enum pl_life look_by_pid(const struct pl_rec_header *h)
{
	uint64_t start = pl_live_proc_start(h->pid);
	bool is_there = !kill((pid_t)h->pid, 0) || errno == EPERM;
	char path[32];

	if (!h->proc_start)	/* recorded where /proc was not to be had */
		return is_there ? PL_LIFE_THERE : PL_LIFE_GONE;
	if (start == h->proc_start)
		return PL_LIFE_THERE;
	snprintf(path, sizeof(path), "/proc/%u", h->pid);
	/* Other users' are not always shown (hidepid). */
	return is_there && access(path, F_OK) ? PL_LIFE_UNSURE : PL_LIFE_GONE;
}

static enum pl_life look_for_it(const struct pl_rec_header *h)
{
	uint64_t here = pl_live_pid_namespace();

	if (!h->pid_namespace || (here == h->pid_namespace && is_proc_ours()))
		return look_by_pid(h);
	if (is_among_processes(h))
		return PL_LIFE_THERE;
	return here == FIRST_NAMESPACE && is_proc_ours() ? PL_LIFE_GONE
							 : PL_LIFE_UNSURE;
}

enum pl_life pl_live_look(int fd, const struct pl_rec_header *header)
{
	enum pl_life life;

	if (header->end != PL_END_RUNNING)
		return PL_LIFE_GONE;
	if (pl_live_is_locked(fd))
		return PL_LIFE_THERE;
	if (is_other_boot(header->boot_id))
		return PL_LIFE_GONE;
	/* The pid and start time outlive an exec, the lock does not. */
	if (header->flags & PL_REC_F_EXEC_PENDING)
		return PL_LIFE_GONE;
	life = look_for_it(header);
	/* There was a lock, and it is free. */
	if (life == PL_LIFE_UNSURE && (header->flags & PL_REC_F_LOCKED))
		return PL_LIFE_GONE;
	return life;
}
