/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "export/base64.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/types.h>

struct base64 {
	FILE *out;
	uint8_t rest[3];		/* bytes that make no group yet */
	size_t n;
};

static void put_group(struct base64 *b)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789+/";
	uint32_t bits = (uint32_t)b->rest[0] << 16 |
			(uint32_t)b->rest[1] << 8 | b->rest[2];

	for (size_t i = 0; i < 4; i++)
		putc(i <= b->n ? digits[bits >> (18 - 6 * i) & 63] : '=',
		     b->out);
	b->n = 0;
	b->rest[0] = b->rest[1] = b->rest[2] = 0;
}

static ssize_t write_bytes(void *cookie, const char *bytes, size_t n)
{
	struct base64 *b = cookie;

	for (size_t i = 0; i < n; i++) {
		b->rest[b->n++] = (uint8_t)bytes[i];
		if (b->n == 3)
			put_group(b);
	}
	return (ssize_t)n;
}

static int close_it(void *cookie)
{
	struct base64 *b = cookie;

	if (b->n)
		put_group(b);
	free(b);
	return 0;
}

FILE *pl_base64_open(FILE *out)
{
	struct base64 *b = calloc(1, sizeof(*b));
	cookie_io_functions_t io = { .write = write_bytes, .close = close_it };
	FILE *f = b ? fopencookie(b, "w", io) : NULL;

	if (!f) {
		free(b);
		return NULL;
	}
	b->out = out;
	return f;
}
