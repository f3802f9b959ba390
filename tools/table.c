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

static void print_cell(const struct pl_table *t, size_t column, size_t width,
		       const char *text, FILE *f)
{
	bool last = column + 1 == t->n_columns;

	if (t->columns[column].is_right)
		pl_pytext_put_right(f, text, width);
	else
		pl_pytext_put_left(f, text, last ? 0 : width);
	fputs(last ? "\n" : "  ", f);
}

int pl_table_print(const struct pl_table *t, FILE *f)
{
	size_t *widths;

	if (!t->n_cells)
		return 0;
	widths = calloc(t->n_columns, sizeof(*widths));
	if (!widths || t->n_cells % t->n_columns) {
		free(widths);
		return PL_ERR_NOMEM;
	}
	for (size_t c = 0; c < t->n_columns; c++) {
		widths[c] = width_of(t, c);
		print_cell(t, c, widths[c], t->columns[c].title, f);
	}
	for (size_t i = 0; i < t->n_cells; i++)
		print_cell(t, i % t->n_columns, widths[i % t->n_columns],
			   t->cells[i], f);
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
