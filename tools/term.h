/* SPDX-License-Identifier: MIT */
/*
 * term.h: what standard output is: how wide, coloured or not, through a pager
 * or not.
 *
 * A terminal gets lines cut to its width, colour, and a pager as git runs one:
 * $PROFLITE_PAGER, $PAGER or less, with LESS=FRX when it is not set, so that
 * what fits on the screen is just printed.  A pipe or a file gets the text
 * whole and plain.  NO_COLOR (no-color.org) takes the colour away, and so does
 * TERM=dumb.
 */
#ifndef PL_TOOLS_TERM_H
#define PL_TOOLS_TERM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct pl_term {
	size_t width;			/* columns; 0: not to be cut */
	size_t height;			/* lines; 0: it is no terminal */
	bool color;
	bool utf8;			/* lines and dots can be drawn */
};

/* Look at standard output.  Before pl_term_page, which takes it away. */
void pl_term_look(struct pl_term *term);

/* From here on standard output goes through a pager, if it is a terminal; the
 * program ends when its reader has left. */
void pl_term_page(void);

enum pl_color { PL_PLAIN, PL_DIM, PL_BOLD, PL_RED, PL_GREEN, PL_YELLOW };

/* The words that switch to a colour, "" without colours. */
const char *pl_term_color(const struct pl_term *term, enum pl_color color);

/* The more of the whole, the more colour; @percent of it. */
enum pl_color pl_heat(double percent);

/* What times are printed in. */
struct pl_unit {
	const char *name;
	double ns;			/* in one */
};

/* The largest one that leaves no 0 before the point of @ns. */
const struct pl_unit *pl_unit_for(double ns);

/* Print the beginning of @text (wtf8.h) that fits into @*left columns, with a
 * dot in place of what does not, and take from @*left what it took. */
void pl_term_put(const struct pl_term *term, FILE *f, const char *text,
		 size_t *left);

#endif
