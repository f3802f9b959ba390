/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "export/gzip.h"

#include <stdlib.h>
#include <zlib.h>

/* zlib's own word for "with a gzip header". */
#define WITH_HEADER (15 + 16)
#define MEMORY_LEVEL 8

/* Zlib's default, 6, takes three times as long for a profile and makes it no
 * smaller. */
#define LEVEL 3

struct pl_gzip {
	z_stream z;
	FILE *out;
	unsigned char buffer[65536];
};

int pl_gzip_open(struct pl_gzip **gzip, FILE *out, struct pl_error *err)
{
	struct pl_gzip *g = calloc(1, sizeof(*g));

	*gzip = NULL;
	if (!g || deflateInit2(&g->z, LEVEL, Z_DEFLATED, WITH_HEADER,
			       MEMORY_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK) {
		free(g);
		return pl_fail(err, PL_ERR_NOMEM, "out of memory");
	}
	g->out = out;
	*gzip = g;
	return 0;
}

/* Until zlib has nothing more to say. */
static void drain(struct pl_gzip *g, int flush)
{
	do {
		g->z.next_out = g->buffer;
		g->z.avail_out = sizeof(g->buffer);
		deflate(&g->z, flush);
		fwrite(g->buffer, 1, sizeof(g->buffer) - g->z.avail_out,
		       g->out);
	} while (!g->z.avail_out);
}

void pl_gzip_write(struct pl_gzip *g, const void *data, size_t bytes)
{
	const unsigned char *p = data;

	/* Its lengths are 32 bits. */
	while (bytes) {
		unsigned int n = bytes < 1u << 30 ? (unsigned int)bytes
						  : 1u << 30;

		g->z.next_in = (unsigned char *)p;
		g->z.avail_in = n;
		drain(g, Z_NO_FLUSH);
		p += n;
		bytes -= n;
	}
}

void pl_gzip_close(struct pl_gzip *g)
{
	if (!g)
		return;
	drain(g, Z_FINISH);
	deflateEnd(&g->z);
	free(g);
}
