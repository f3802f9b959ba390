/* SPDX-License-Identifier: MIT */
/* progress.h: say on the terminal how much has been written, when it takes
 * long. */
#ifndef PL_TOOLS_PROGRESS_H
#define PL_TOOLS_PROGRESS_H

#include <stdio.h>

/*
 * A stream that writes to @out; from the second second on, standard error has
 * a line with its size, if it is a terminal.  @out itself when it is none, or
 * without memory.
 */
FILE *pl_progress_open(FILE *out, const char *what);

/* Everything is in @out; the line is gone.  Errors are left in @out. */
void pl_progress_close(FILE *f, FILE *out);

#endif
