/* SPDX-License-Identifier: MIT */
/*
 * outfile.h: write a file whole or not at all.
 *
 * What is written goes to a file of another name in the same folder, which is
 * renamed when all of it is there, and removed when a signal ends the program
 * before (one such file at a time).  What cannot be replaced so, a pipe or a
 * device, is written to as it is; "-" is stdout.
 */
#ifndef PL_TOOLS_OUTFILE_H
#define PL_TOOLS_OUTFILE_H

#include "base/err.h"

#include <stdio.h>

struct pl_outfile {
	FILE *f;
	char *path;			/* where it belongs, links followed */
	char *temp;			/* where it is until then, or NULL */
};

/* PL_ERR_SYS, PL_ERR_NOMEM. */
int pl_outfile_open(struct pl_outfile *o, const char *path,
		    struct pl_error *err);

/* Put it in its place.  PL_ERR_SYS when not all could be written, and then
 * what was there before is there still. */
int pl_outfile_commit(struct pl_outfile *o, struct pl_error *err);

/* Drop it, if it is not committed. */
void pl_outfile_discard(struct pl_outfile *o);

/* All that was printed to @f has arrived: 0, or the errno of why not. */
int pl_stream_flush(FILE *f);

#endif
