/* SPDX-License-Identifier: MIT */
/*
 * table.h: rows of text under titles, each column as wide as it must be.
 */
#ifndef PL_TOOLS_TABLE_H
#define PL_TOOLS_TABLE_H

#include "term.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct pl_table_column {
	const char *title;
	bool is_right;			/* numbers stand right */
};

/* Zero-initialise, but for the columns. */
struct pl_table {
	const struct pl_table_column *columns;
	size_t n_columns;
	char **cells;			/* row by row, owned */
	size_t n_cells, capacity;
};

/* Add the next cell, made as printf makes it.  Out of memory leaves
 * the cell out, and pl_table_print says so. */
void pl_table_add(struct pl_table *t, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Titles and rows on standard output, cut to @term; nothing when there are no
 * rows.  0, or PL_ERR_NOMEM when a cell is missing. */
int pl_table_print(const struct pl_table *t, const struct pl_term *term);

void pl_table_release(struct pl_table *t);

#endif
