/* SPDX-License-Identifier: MIT */
/* command.h: arguments as one line that a shell would take. */
#ifndef PL_STORE_COMMAND_H
#define PL_STORE_COMMAND_H

#include <stddef.h>

/*
 * Quote @argv, arguments joined by NUL bytes, so that bash reads the same
 * arguments from the line.  The line is UTF-8 without control characters
 * whatever bytes the arguments hold.  malloc'ed; NULL without memory.
 */
char *pl_command_quote(const char *argv, size_t len);

#endif
