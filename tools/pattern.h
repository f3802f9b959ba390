/* SPDX-License-Identifier: MIT */
/*
 * pattern.h: regular expressions as Python's re has them, searched in text
 * as Python has it (export/wtf8.h).
 *
 * PCRE2 does the work; the two languages differ in details, and where they do
 * the pattern is rewritten or refused so that Python's meaning holds: see the
 * list in pattern.c.
 */
#ifndef PL_TOOLS_PATTERN_H
#define PL_TOOLS_PATTERN_H

#include "base/err.h"

#include <stddef.h>

struct pl_pattern;

/* Compile @regex, well-formed WTF-8.  PL_ERR_ARG: not one, with what is wrong
 * and where; PL_ERR_NOMEM.  *@pattern is NULL then. */
int pl_pattern_new(struct pl_pattern **pattern, const char *regex,
		   struct pl_error *err);
/* The same in PCRE2's own language. */
int pl_pattern_new_raw(struct pl_pattern **pattern, const char *regex,
		       struct pl_error *err);
void pl_pattern_free(struct pl_pattern *pattern);

/* 1 if it is somewhere in @text, well-formed WTF-8; 0 if not; PL_ERR_FULL when
 * the library gave up, on patterns that backtrack without end. */
int pl_pattern_search(const struct pl_pattern *pattern, const char *text,
		      size_t len);

#endif
