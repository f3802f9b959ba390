/* SPDX-License-Identifier: MIT */
/*
 * attachee.c: a process that looks like one to attach to, and means harm.
 *
 *	attachee pause			does nothing
 *	attachee dormant SIGNAL HARM	claims to wait for that signal
 *	attachee remote KIND HARM	claims to be a Python 3.14
 *
 * It prints its pid when it is ready, then each signal or script it is given,
 * then does HARM in the folder of the request:
 *
 *	swap PATH	puts a link to PATH in its place
 *	fifo		answers by a pipe that nobody writes into
 *	linked		answers by a file with a second name
 *	steer, long	answers what would steer a terminal, or without end
 *	none
 *
 * Executed with any other arguments, as a Python would be, it writes its user
 * into the file RAN.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef RAN
#define RAN "ran"
#endif

/* --------------------------------------------------------- as a Python -- */

static struct thread {
	volatile uint64_t eval_breaker;
	volatile int32_t pending;
	char path[512];
} thread = { .eval_breaker = UINT64_C(0xabcdef00) };

static struct interpreter {
	struct thread *main;
	int32_t enabled;
} interpreter = { .main = &thread, .enabled = 1 };

static struct {
	uint64_t table[111];
	struct interpreter *head;
} runtime = { .head = &interpreter };

static void make_runtime(const char *kind)
{
	uint64_t *support = runtime.table + 89, version = 0x030e00f0;

	if (!strcmp(kind, "newer"))
		version = 0x036300f0;
	if (!strcmp(kind, "older"))
		version = 0x030d00f0;
	if (!strcmp(kind, "disabled"))
		interpreter.enabled = 0;
	if (!strcmp(kind, "lost"))
		runtime.head = (struct interpreter *)8;
	if (!strcmp(kind, "negative"))
		interpreter.main =
			(struct thread *)UINT64_C(0xfffffffffffffff8);
	runtime.table[1] = version;
	runtime.table[5] = sizeof(runtime.table);
	runtime.table[10] = 0;
	support[0] = 0;
	support[1] = 8;
	support[2] = 8;
	support[4] = 4;
	support[5] = 512;
	if (!strcmp(kind, "wild"))
		memset(support, 0x7f, 6 * sizeof(*support));
	memcpy(runtime.table, "xdebugpy", 8);
}

/* --------------------------------------------------------------- harm -- */

static void write_file(const char *path, const char *text, int times)
{
	int fd = open(path, O_WRONLY | O_CREAT, 0600);

	while (times--)
		if (write(fd, text, strlen(text)) < 0)
			exit(1);
	close(fd);
}

static void harm(const char *what, const char *victim, const char *folder)
{
	char aside[600];

	snprintf(aside, sizeof(aside), "%s.aside", folder);
	if (!strcmp(what, "swap")) {
		rename(folder, aside);
		if (symlink(victim, folder))
			perror(folder);
	}
	if (chdir(folder))
		perror(folder);
	if (!strcmp(what, "fifo"))
		mkfifo("answer", 0600);
	if (!strcmp(what, "linked")) {
		write_file("other", "ok", 1);
		if (link("other", "answer"))
			perror("answer");
	}
	if (!strcmp(what, "steer"))
		write_file("a", "\033[2Jhello\nproflite: all is well\r\007", 1);
	if (!strcmp(what, "long"))
		write_file("a", "0123456789", 100000);
	rename("a", "answer");
	printf("done\n");
	fflush(stdout);
}

/* --------------------------------------------------------------- waits -- */

static volatile sig_atomic_t got;
static volatile uint32_t number;

static void on_signal(int sig, siginfo_t *info, void *context)
{
	(void)context;
	number = (uint32_t)info->si_value.sival_int;
	got = sig;
}

static void wait_for_signal(const char *digits, char *folder, size_t size)
{
	struct sigaction act = { .sa_sigaction = on_signal,
				 .sa_flags = SA_SIGINFO };
	int sig = atoi(digits), fd;
	char name[64];

	snprintf(name, sizeof(name), "proflite-dormant-%s", digits);
	fd = memfd_create(name, 0);
	if (fd < 0 || ftruncate(fd, 4096) ||
	    mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED)
		exit(1);
	sigaction(sig, &act, NULL);
	printf("%d\n", (int)getpid());
	fflush(stdout);
	while (!got)
		usleep(1000);
	printf("signal %d\n", (int)got);
	snprintf(folder, size, "/tmp/proflite-attach-%08x", number);
}

static void wait_for_script(const char *kind, char *folder, size_t size)
{
	make_runtime(kind);
	printf("%d\n", (int)getpid());
	fflush(stdout);
	while (!thread.pending || !(thread.eval_breaker & 32))
		usleep(1000);
	printf("script %s %d %llx\n", strrchr(thread.path, '/') + 1,
	       (int)thread.pending, (unsigned long long)thread.eval_breaker);
	snprintf(folder, size, "%s", thread.path);
	*strrchr(folder, '/') = '\0';
}

int main(int argc, char **argv)
{
	char folder[512], text[16];

	if (argc == 2 && !strcmp(argv[1], "pause")) {
		printf("%d\n", (int)getpid());
		fflush(stdout);
		for (;;)
			pause();
	}
	if (argc >= 4 && !strcmp(argv[1], "dormant")) {
		wait_for_signal(argv[2], folder, sizeof(folder));
	} else if (argc >= 4 && !strcmp(argv[1], "remote")) {
		wait_for_script(argv[2], folder, sizeof(folder));
	} else {
		snprintf(text, sizeof(text), "%d\n", (int)geteuid());
		write_file(RAN, text, 1);
		puts("ok");
		return 0;
	}
	fflush(stdout);
	harm(argv[3], argv[4], folder);
	for (;;)
		pause();
}
