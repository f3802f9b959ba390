/* SPDX-License-Identifier: MIT */
/*
 * records.h: rows for scripts: a JSON array of objects, a row a line, or CSV
 * with a header (RFC 4180, but lines end as they do here).
 */
#ifndef PL_TOOLS_RECORDS_H
#define PL_TOOLS_RECORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum pl_records_format { PL_RECORDS_NONE, PL_RECORDS_JSON, PL_RECORDS_CSV };

/* "json", "csv", "text" (none): true; false for what else. */
bool pl_records_parse(const char *word, enum pl_records_format *format);

struct pl_records {
	FILE *f;
	enum pl_records_format format;
	const char *const *columns;	/* ends with NULL */
	size_t n_columns;
	size_t at;			/* column to come */
	uint64_t n_rows;
};

void pl_records_begin(struct pl_records *r, FILE *f,
		      enum pl_records_format format,
		      const char *const *columns);
/* The next value, in the order of the columns; after the last one the row is
 * complete. */
void pl_records_int(struct pl_records *r, int64_t value);
void pl_records_real(struct pl_records *r, double value);
void pl_records_text(struct pl_records *r, const char *text); /* or NULL */
void pl_records_end(struct pl_records *r);

#endif
