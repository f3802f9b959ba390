/* SPDX-License-Identifier: MIT */
/*
 * escape.h: names as other formats can hold them.
 *
 * A name may have any character in it, and lone surrogates (wtf8.h), which no
 * other format has: they are written as the six characters \udXXX, to JSON
 * their own escape and to a reader elsewhere plain to see.  What comes out is
 * always UTF-8.  No library for JSON here: those that write it refuse text
 * with surrogates, and without text there is not much to it.
 */
#ifndef PL_EXPORT_ESCAPE_H
#define PL_EXPORT_ESCAPE_H

#include "base/err.h"
#include "store/store.h"

#include <stdbool.h>
#include <stdio.h>

/* Write what stands for the ASCII character @c and return true, or false when
 * it stands for itself. */
typedef bool pl_escape_fn(FILE *out, char c);

void pl_escape_put(FILE *out, const char *text, pl_escape_fn *escape);

/* For JSON, and for the strings of DOT. */
bool pl_escape_json(FILE *out, char c);
/* Where a line is a record: control characters as blanks. */
bool pl_escape_line(FILE *out, char c);

/* "text", or null when @text is NULL. */
void pl_json_put(FILE *out, const char *text);

/*
 * A cell of CSV (RFC 4180).  A spreadsheet runs a cell as a formula that begins
 * with = + - @, a tab or a line's end, quoted or not, and names of functions and
 * files are anybody's.  So such a text gets an apostrophe in front, as OWASP
 * advises, and so does one that begins with an apostrophe: without its first
 * apostrophe a text is what it was.
 */
void pl_csv_put(FILE *out, const char *text);

/* A function's name for people: with its classes if they are known; of a
 * function that is built in as pstats prints it, "{built-in method …}". */
void pl_name_put(FILE *out, const struct pl_pfunc *func, pl_escape_fn *escape);

/*
 * "name (file:line)" of every function of a profile, escaped once, and two
 * more, which stand for no function (see stacks.h).  Zero-initialise, release.
 */
struct pl_frames {
	char **names;
	uint32_t n;
};

/* PL_ERR_NOMEM. */
int pl_frames_init(struct pl_frames *frames, const struct pl_profile *profile,
		   pl_escape_fn *escape, struct pl_error *err);
void pl_frames_release(struct pl_frames *frames);

#endif
