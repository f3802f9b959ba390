/* SPDX-License-Identifier: MIT */
/*
 * text.h: text that holds NUL characters.
 *
 * Python allows NUL in a name; C strings and SQLite's text functions end at
 * one.  A recording has names with their lengths, as they are.  On the way from
 * there to the database or the screen each NUL becomes the four characters
 * \x00, as in Python's repr().
 */
#ifndef PL_BASE_TEXT_H
#define PL_BASE_TEXT_H

#include <stddef.h>
#include <string.h>

static inline size_t pl_text_count_nul(const char *text, size_t n)
{
	const char *end = text + n, *p = text;
	size_t count = 0;

	while ((p = memchr(p, '\0', (size_t)(end - p)))) {
		count++;
		p++;
	}
	return count;
}

/* Bytes that pl_text_escape_nul writes, without the final NUL. */
static inline size_t pl_text_escaped_length(const char *text, size_t n)
{
	return n + 3 * pl_text_count_nul(text, n);
}

/* Copy @text to @to with each NUL as \x00, and end it with a NUL. */
static inline void pl_text_escape_nul(char *to, const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (text[i]) {
			*to++ = text[i];
			continue;
		}
		memcpy(to, "\\x00", 4);
		to += 4;
	}
	*to = '\0';
}

#endif
