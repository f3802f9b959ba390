/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "store/command.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Bytes of the UTF-8 character at @s, of which @n may be looked at; 0 when
 * there is none (overlong forms and surrogates are none). */
static size_t utf8_length(const char *s, size_t n)
{
	const uint8_t *p = (const uint8_t *)s;
	size_t len = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 :
		     p[0] < 0xf0 ? 3 : p[0] < 0xf5 ? 4 : 0;

	if (!len || len > n)
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
	    (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return len;
}

static bool is_control(char c)
{
	return (unsigned char)c < ' ' || c == 127;
}

enum quoting { PLAIN, SINGLE, DOLLAR };

static enum quoting quoting_of(const char *word, size_t n)
{
	enum quoting q = n ? PLAIN : SINGLE;
	size_t len;

	for (size_t i = 0; i < n; i += len) {
		char c = word[i];

		len = utf8_length(word + i, n - i);
		if (!len || is_control(c))
			return DOLLAR;
		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		    (c >= '0' && c <= '9') || strchr("_@%+=:,./-", c))
			continue;
		q = SINGLE;
	}
	return q;
}

static char *put_dollar(char *out, const char *word, size_t n)
{
	size_t len;

	out = stpcpy(out, "$'");
	for (size_t i = 0; i < n; i += len ? len : 1) {
		len = utf8_length(word + i, n - i);
		if (!len || is_control(word[i]))
			out += sprintf(out, "\\x%02x", (uint8_t)word[i]);
		else if (word[i] == '\'' || word[i] == '\\')
			out += sprintf(out, "\\%c", word[i]);
		else
			out = mempcpy(out, word + i, len);
	}
	return stpcpy(out, "'");
}

static char *put_word(char *out, const char *word, size_t n)
{
	switch (quoting_of(word, n)) {
	case PLAIN:
		return mempcpy(out, word, n);
	case DOLLAR:
		return put_dollar(out, word, n);
	case SINGLE:
		break;
	}
	*out++ = '\'';
	for (size_t i = 0; i < n; i++) {
		if (word[i] == '\'')
			out = stpcpy(out, "'\\''");
		else
			*out++ = word[i];
	}
	*out++ = '\'';
	return out;
}

char *pl_command_quote(const char *argv, size_t len)
{
	/* Every NUL becomes a space and three bytes of quotes; a byte at most
	 * four. */
	char *line = malloc(4 * len + 5), *out = line;

	for (size_t at = 0; line && at <= len;) {
		const char *end = memchr(argv + at, '\0', len - at);
		size_t n = end ? (size_t)(end - argv) - at : len - at;

		if (at)
			*out++ = ' ';
		out = put_word(out, argv + at, n);
		at += n + 1;
	}
	if (line)
		*out = '\0';
	return line;
}
