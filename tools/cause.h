/* SPDX-License-Identifier: MIT */
/* cause.h: why a command that ran recorded nothing. */
#ifndef PL_TOOLS_CAUSE_H
#define PL_TOOLS_CAUSE_H

#include <stddef.h>

/* The rest of a sentence, in @text: what is known of the file that @command
 * (as for execvp) names. */
const char *pl_cause_of_nothing(const char *command, char *text, size_t size);

#endif
