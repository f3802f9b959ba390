/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "core/live.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

uint64_t pl_live_proc_start(uint32_t pid)
{
	char path[32], text[2048];
	const char *p, *threads, *start;

	snprintf(path, sizeof(path), "/proc/%u/stat", pid);
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

bool pl_live_is(int fd, const struct pl_rec_header *header)
{
	uint64_t start;

	if (header->end != PL_END_RUNNING)
		return false;
	if (pl_live_is_locked(fd))
		return true;
	if (is_other_boot(header->boot_id))
		return false;
	/* The pid and start time outlive an exec, the lock does not. */
	if (header->flags & PL_REC_F_EXEC_PENDING)
		return false;
	start = pl_live_proc_start(header->pid);
	if (header->proc_start)
		return start == header->proc_start;
	/* Recorded where /proc was not to be had. */
	return !kill((pid_t)header->pid, 0) || errno == EPERM;
}
