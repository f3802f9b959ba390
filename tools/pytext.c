/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "pytext.h"

#include "export/wtf8.h"
#include "pattern.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static bool is_surrogate(int32_t c)
{
	return c >= 0xd800 && c <= 0xdfff;
}

/* Copy @s; what is no code point, or not allowed, is replaced by surrogates,
 * three bytes for one. */
static char *escape_bytes(const char *s, bool surrogates_allowed)
{
	size_t n = strlen(s), len;
	char *copy = malloc(3 * n + 1), *to = copy;

	if (!copy)
		return NULL;
	for (; n; s += len, n -= len) {
		int32_t c = pl_wtf8_next(s, n, &len);

		if (c >= 0 && (surrogates_allowed || !is_surrogate(c))) {
			memcpy(to, s, len);
			to += len;
			continue;
		}
		/* U+DC00 + byte */
		len = 1;
		*to++ = '\xed';
		*to++ = (char)(0xb0 | (uint8_t)*s >> 6);
		*to++ = (char)(0x80 | ((uint8_t)*s & 0x3f));
	}
	*to = '\0';
	return copy;
}

char *pl_pytext_from_bytes(const char *bytes)
{
	return escape_bytes(bytes, false);
}

char *pl_pytext_clean(const char *text)
{
	return escape_bytes(text, true);
}

/* C0, DEL and C1; also as the bytes that they are, or that surrogates stand
 * for, since those come out as bytes. */
static bool is_control(int32_t c, const char *s)
{
	if (c < 0)
		c = (uint8_t)*s;
	else if (c >= 0xdc80 && c <= 0xdcff)
		c -= 0xdc00;
	return c < ' ' || (c >= 0x7f && c < 0xa0);
}

void pl_pytext_tame(char *text)
{
	size_t n = strlen(text), len;
	char *to = text;

	for (; n; text += len, n -= len) {
		if (is_control(pl_wtf8_next(text, n, &len), text)) {
			*to++ = '?';
			continue;
		}
		memmove(to, text, len);
		to += len;
	}
	*to = '\0';
}

void pl_pytext_put(FILE *f, const char *text)
{
	size_t len;

	/* All surrogates begin with this byte, and little else does. */
	if (!strchr(text, '\xed')) {
		fputs(text, f);
		return;
	}
	for (; *text; text += len) {
		int32_t c = pl_wtf8_next(text, strlen(text), &len);

		if (c >= 0xdc80 && c <= 0xdcff)
			putc(c - 0xdc00, f);
		else if (is_surrogate(c))
			fprintf(f, "\\u%04x", (unsigned int)c);
		else
			fwrite(text, 1, len, f);
	}
}

static void pad(FILE *f, size_t have, size_t width)
{
	for (; have < width; have++)
		putc(' ', f);
}

void pl_pytext_put_left(FILE *f, const char *text, size_t width)
{
	pl_pytext_put(f, text);
	pad(f, pl_wtf8_length(text), width);
}

void pl_pytext_put_right(FILE *f, const char *text, size_t width)
{
	pad(f, pl_wtf8_length(text), width);
	pl_pytext_put(f, text);
}

/* str.isprintable() of one code point. */
static bool is_printable(const struct pl_pattern *unprintable, int32_t c,
			 const char *s, size_t len)
{
	if (c < 0x80)
		return c >= 0x20 && c != 0x7f;
	return !unprintable || pl_pattern_search(unprintable, s, len) == 0;
}

static void repr_char(FILE *f, const struct pl_pattern *unprintable,
		      char quote, const char *s, size_t len, int32_t c)
{
	if (c == quote || c == '\\')
		fprintf(f, "\\%c", (char)c);
	else if (c == '\t' || c == '\n' || c == '\r')
		fputs(c == '\t' ? "\\t" : c == '\n' ? "\\n" : "\\r", f);
	else if (is_printable(unprintable, c, s, len))
		fwrite(s, 1, len, f);
	else
		fprintf(f, c < 0x100    ? "\\x%02x"
			   : c < 0x10000 ? "\\u%04x"
					 : "\\U%08x",
			(unsigned int)c);
}

char *pl_pytext_repr(const char *text)
{
	char quote = strchr(text, '\'') && !strchr(text, '"') ? '"' : '\'';
	struct pl_pattern *unprintable = NULL;
	char *repr = NULL;
	size_t size, len;
	FILE *f = open_memstream(&repr, &size);

	if (!f)
		return NULL;
	/* Categories C* and Z*, which the library knows. */
	pl_pattern_new_raw(&unprintable, "[\\p{C}\\p{Z}]", NULL);
	putc(quote, f);
	for (; *text; text += len) {
		int32_t c = pl_wtf8_next(text, strlen(text), &len);

		repr_char(f, unprintable, quote, text, len, c);
	}
	putc(quote, f);
	pl_pattern_free(unprintable);
	return fclose(f) ? NULL : repr;
}

/* The shortest digits that read back as the same number; an exponent where
 * Python has one: below 1e-4 and from 1e16 on. */
void pl_pyfloat_repr(double value, char buf[32])
{
	char digits[32], *e;
	int precision = 0, exponent;

	do
		snprintf(digits, sizeof(digits), "%.*e", precision, value);
	while (strtod(digits, NULL) != value && precision++ < 16);
	e = strchr(digits, 'e');
	exponent = e ? atoi(e + 1) : 0;
	if (e && exponent >= -4 && exponent < 16) {
		int decimals = precision - exponent;

		snprintf(buf, 32, "%.*f", decimals < 1 ? 1 : decimals, value);
	} else {
		strcpy(buf, digits);
	}
}
