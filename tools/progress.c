/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "progress.h"

#include "core/clock.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

struct progress {
	FILE *out;
	const char *what;
	uint64_t bytes;
	int64_t said_ms;
	bool is_shown;
};

static int64_t now_ms(void)
{
	return pl_clock_ns(CLOCK_MONOTONIC) / 1000000;
}

static void say(struct progress *p)
{
	int64_t now = now_ms();

	if (now - p->said_ms < (p->is_shown ? 200 : 1000))
		return;
	p->said_ms = now;
	p->is_shown = true;
	fprintf(stderr, "\r%s: %.1f MB written", p->what,
		(double)p->bytes * 1e-6);
	fflush(stderr);
}

static ssize_t write_bytes(void *cookie, const char *bytes, size_t n)
{
	struct progress *p = cookie;
	size_t written = fwrite(bytes, 1, n, p->out);

	p->bytes += written;
	say(p);
	return (ssize_t)written;
}

static int close_it(void *cookie)
{
	struct progress *p = cookie;

	if (p->is_shown)
		fputs("\r\033[K", stderr);
	free(p);
	return 0;
}

FILE *pl_progress_open(FILE *out, const char *what)
{
	cookie_io_functions_t io = { .write = write_bytes, .close = close_it };
	struct progress *p;
	FILE *f;

	if (!isatty(STDERR_FILENO))
		return out;
	p = calloc(1, sizeof(*p));
	f = p ? fopencookie(p, "w", io) : NULL;
	if (!f) {
		free(p);
		return out;
	}
	*p = (struct progress){ .out = out, .what = what,
				.said_ms = now_ms() };
	setvbuf(f, NULL, _IOFBF, 65536);
	return f;
}

void pl_progress_close(FILE *f, FILE *out)
{
	if (f != out)
		fclose(f);
}
