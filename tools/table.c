/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "table.h"

#include "base/err.h"
#include "export/wtf8.h"
#include "pytext.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void pl_table_add(struct pl_table *t, const char *fmt, ...)
{
	char *cell = NULL;
	va_list ap;

	if (t->n_cells == t->capacity) {
		size_t capacity = t->capacity ? t->capacity * 2 : 64;
		char **cells = realloc(t->cells, capacity * sizeof(*cells));

		if (!cells)
			return;
		t->cells = cells;
		t->capacity = capacity;
	}
	va_start(ap, fmt);
	if (vasprintf(&cell, fmt, ap) < 0)
		cell = NULL;
	va_end(ap);
	if (cell)
		t->cells[t->n_cells++] = cell;
}

static size_t width_of(const struct pl_table *t, size_t column)
{
	size_t width = strlen(t->columns[column].title);

	for (size_t i = column; i < t->n_cells; i += t->n_columns) {
		size_t w = pl_wtf8_length(t->cells[i]);

		width = w > width ? w : width;
	}
	return width;
}

/* @left: columns of the terminal that are still free in the line. */
static void print_cell(const struct pl_table *t, size_t column, size_t width,
		       const char *text, const struct pl_term *term,
		       size_t *left)
{
	bool last = column + 1 == t->n_columns;

	if (!column)
		*left = term->width;
	if (last && !t->columns[column].is_right)
		pl_term_put(term, stdout, text, left);
	else if (t->columns[column].is_right)
		pl_pytext_put_right(stdout, text, width);
	else
		pl_pytext_put_left(stdout, text, width);
	fputs(last ? "\n" : "  ", stdout);
	*left -= *left < width + 2 ? *left : width + 2;
}

static void print_titles(const struct pl_table *t, const size_t *widths,
			 const struct pl_term *term)
{
	size_t left;

	fputs(pl_term_color(term, PL_BOLD), stdout);
	for (size_t c = 0; c < t->n_columns; c++)
		print_cell(t, c, widths[c], t->columns[c].title, term, &left);
	fputs(pl_term_color(term, PL_PLAIN), stdout);
}

int pl_table_print(const struct pl_table *t, const struct pl_term *term)
{
	size_t left;

	size_t *widths;

	if (!t->n_cells)
		return 0;
	widths = calloc(t->n_columns, sizeof(*widths));
	if (!widths || t->n_cells % t->n_columns) {
		free(widths);
		return PL_ERR_NOMEM;
	}
	for (size_t c = 0; c < t->n_columns; c++)
		widths[c] = width_of(t, c);
	print_titles(t, widths, term);
	for (size_t i = 0; i < t->n_cells; i++)
		print_cell(t, i % t->n_columns, widths[i % t->n_columns],
			   t->cells[i], term, &left);
	free(widths);
	return 0;
}

void pl_table_release(struct pl_table *t)
{
	for (size_t i = 0; i < t->n_cells; i++)
		free(t->cells[i]);
	free(t->cells);
	memset(t, 0, sizeof(*t));
}
