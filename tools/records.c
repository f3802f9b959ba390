/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "records.h"

#include "export/escape.h"

#include <math.h>
#include <string.h>

bool pl_records_parse(const char *word, enum pl_records_format *format)
{
	static const char *const names[] = {
		[PL_RECORDS_NONE] = "text", [PL_RECORDS_JSON] = "json",
		[PL_RECORDS_CSV] = "csv",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (strcmp(word, names[i]))
			continue;
		*format = i;
		return true;
	}
	return false;
}

void pl_records_begin(struct pl_records *r, FILE *f,
		      enum pl_records_format format,
		      const char *const *columns)
{
	*r = (struct pl_records){ .f = f, .format = format,
				  .columns = columns };
	while (columns[r->n_columns])
		r->n_columns++;
	if (format == PL_RECORDS_JSON) {
		putc('[', f);
		return;
	}
	for (size_t i = 0; i < r->n_columns; i++)
		fprintf(f, "%s%s", i ? "," : "", columns[i]);
	putc('\n', f);
}

static void before(struct pl_records *r)
{
	bool json = r->format == PL_RECORDS_JSON;

	if (!r->at && json)
		fputs(r->n_rows ? ",\n{" : "\n{", r->f);
	if (r->at)
		putc(',', r->f);
	if (!json)
		return;
	putc_unlocked('"', r->f);
	fputs_unlocked(r->columns[r->at], r->f);
	fputs_unlocked("\":", r->f);
}

static void after(struct pl_records *r)
{
	if (++r->at < r->n_columns)
		return;
	putc(r->format == PL_RECORDS_JSON ? '}' : '\n', r->f);
	r->at = 0;
	r->n_rows++;
}

/* As printf does, but tables have millions of them. */
static void put_int(FILE *f, int64_t value)
{
	uint64_t left = value < 0 ? -(uint64_t)value : (uint64_t)value;
	char digits[24];
	size_t at = sizeof(digits);

	do
		digits[--at] = (char)('0' + left % 10);
	while (left /= 10);
	if (value < 0)
		digits[--at] = '-';
	fwrite_unlocked(digits + at, 1, sizeof(digits) - at, f);
}

void pl_records_int(struct pl_records *r, int64_t value)
{
	before(r);
	put_int(r->f, value);
	after(r);
}

/* With all digits that it has, for counts and sums of nanoseconds are among
 * them.  No number (a ratio to nothing) is null, or nothing. */
void pl_records_real(struct pl_records *r, double value)
{
	before(r);
	if (isfinite(value))
		fprintf(r->f, "%.15g", value);
	else if (r->format == PL_RECORDS_JSON)
		fputs("null", r->f);
	after(r);
}

void pl_records_text(struct pl_records *r, const char *text)
{
	before(r);
	if (r->format == PL_RECORDS_JSON)
		pl_json_put(r->f, text);
	else if (text)
		pl_csv_put(r->f, text);
	after(r);
}

void pl_records_end(struct pl_records *r)
{
	if (r->format == PL_RECORDS_JSON)
		fputs("\n]\n", r->f);
}
