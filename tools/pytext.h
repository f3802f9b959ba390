/* SPDX-License-Identifier: MIT */
/*
 * pytext.h: between the terminal's bytes and Python's text (export/wtf8.h),
 * as Python goes between them, so that the same arguments find the same
 * names and the same bytes come out.
 */
#ifndef PL_TOOLS_PYTEXT_H
#define PL_TOOLS_PYTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/*
 * An argument of the command line as sys.argv would have it: bytes that are
 * no UTF-8 become lone surrogates.  malloc'ed, or NULL.
 */
char *pl_pytext_from_bytes(const char *bytes);

/* Text from a database, made well-formed the same way if it is not. */
char *pl_pytext_clean(const char *text);

/* In place: a character that would steer a terminal, ESC or a newline or one of
 * C1, becomes one "?". */
void pl_pytext_tame(char *text);

/*
 * Print @text: surrogates that stand for bytes as those bytes, other ones,
 * which no encoding has, as \udXXX.  (pstats itself would die of either, of
 * UnicodeEncodeError, unless told "surrogateescape".)
 */
void pl_pytext_put(FILE *f, const char *text);

/* Print @text and blanks up to @width code points (str.ljust), or blanks and
 * text (str.rjust). */
void pl_pytext_put_left(FILE *f, const char *text, size_t width);
void pl_pytext_put_right(FILE *f, const char *text, size_t width);

/* repr() of a str, malloc'ed, or NULL; of a float. */
char *pl_pytext_repr(const char *text);
void pl_pyfloat_repr(double value, char buf[32]);

#endif
