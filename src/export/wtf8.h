/* SPDX-License-Identifier: MIT */
/*
 * wtf8.h: text as Python has it, in bytes.
 *
 * A str of Python is a row of code points, and lone surrogates may be among
 * them: a file name that is not UTF-8 has them for its odd bytes (PEP 383:
 * byte 0x80+n is U+DC80+n).  Written as UTF-8 is written, surrogates
 * included ("surrogatepass"), any str has exactly one form in bytes, whose
 * order is the order of code points.  That form is in recordings, in the
 * database and in marshal.
 */
#ifndef PL_EXPORT_WTF8_H
#define PL_EXPORT_WTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The code point at @s, of which @n > 0 bytes may be looked at; *@len is how
 * many it took.  -1, with *@len 1, for what is no code point.
 */
int32_t pl_wtf8_next(const char *s, size_t n, size_t *len);

/* All of @s is code points.  NUL is one. */
bool pl_wtf8_is_valid(const char *s, size_t n);

/* How many code points: len() of the str. */
size_t pl_wtf8_length(const char *s);

#endif
