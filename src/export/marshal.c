/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "export/marshal.h"

#include "export/wtf8.h"

#include <endian.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define FLAG_REF 0x80

/* Profiles nest four deep.  A code object has those of its functions among its
 * constants, two levels for each; CPython itself stops at 2000. */
#define MAX_DEPTH 400

/* A value of one byte takes sixteen in memory.  Those of a profile take three
 * bytes and more, but for a small one that has code in it. */
#define LEAST_VALUES 4096

/* ------------------------------------------------------------ writing -- */

static void put_bytes(FILE *f, uint64_t v, int n)
{
	for (; n > 0; n--, v >>= 8)
		putc_unlocked((int)(v & 0xff), f);
}

void pl_marshal_put_int(FILE *f, int64_t value)
{
	uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;
	uint16_t digits[5];
	int n = 0;

	if (value >= INT32_MIN && value <= INT32_MAX) {
		putc_unlocked('i', f);
		put_bytes(f, (uint64_t)value, 4);
		return;
	}
	for (; rest; rest >>= 15)
		digits[n++] = rest & 0x7fff;
	putc_unlocked('l', f);
	put_bytes(f, (uint64_t)(int64_t)(value < 0 ? -n : n), 4);
	for (int i = 0; i < n; i++)
		put_bytes(f, digits[i], 2);
}

void pl_marshal_put_float(FILE *f, double value)
{
	uint64_t bits;

	memcpy(&bits, &value, sizeof(bits));
	putc_unlocked('g', f);
	put_bytes(f, bits, 8);
}

void pl_marshal_put_str(FILE *f, const char *text)
{
	size_t len = strlen(text);

	putc_unlocked('u', f);
	put_bytes(f, len, 4);
	fwrite(text, 1, len, f);
}

void pl_marshal_put_tuple(FILE *f, uint8_t n, int numbered)
{
	putc_unlocked('(' | (numbered ? FLAG_REF : 0), f);
	put_bytes(f, n, 4);
}

void pl_marshal_put_ref(FILE *f, uint32_t number)
{
	putc_unlocked('r', f);
	put_bytes(f, number, 4);
}

void pl_marshal_put_dict(FILE *f)
{
	putc_unlocked('{', f);
}

void pl_marshal_put_end(FILE *f)
{
	putc_unlocked('0', f);
}

/* ------------------------------------------------------------ reading -- */

struct reader {
	struct pl_marshal *m;
	const uint8_t *start, *at, *end;
	uint32_t *refs;			/* number -> index; 0 = not complete */
	uint32_t n_refs, refs_capacity;
	int depth;
	struct pl_error *err;
};

/* Item lists are built while values are read, so these are indices: the array
 * may move. */
#define END_OF_DICT 0u

static int fail(struct reader *r, const char *what)
{
	return pl_fail(r->err, PL_ERR_FORMAT, "%s at byte %zu", what,
		       (size_t)(r->at - r->start));
}

static size_t left(const struct reader *r)
{
	return (size_t)(r->end - r->at);
}

/* @n bytes as a little-endian number; the caller has checked `left`. */
static uint64_t take(struct reader *r, int n)
{
	uint64_t v = 0;

	for (int i = 0; i < n; i++)
		v |= (uint64_t)r->at[i] << (8 * i);
	r->at += n;
	return v;
}

/* A length of @n bytes, of things that take @unit bytes each at least. */
static int take_length(struct reader *r, int n, size_t unit, uint32_t *length)
{
	int32_t v;

	if (left(r) < (size_t)n)
		return fail(r, "the file is cut off");
	v = (int32_t)take(r, n);
	if (v < 0 || left(r) / unit < (size_t)v)
		return fail(r, "a length that is longer than the file");
	*length = (uint32_t)v;
	return 0;
}

static int new_value(struct reader *r, enum pl_mtype type, uint32_t *index)
{
	struct pl_marshal *m = r->m;

	if (m->n > LEAST_VALUES + (size_t)(r->end - r->start) / 2)
		return fail(r, "more values than a profile of this size has");
	if (m->n == m->capacity) {
		uint32_t capacity = m->capacity * 2;
		struct pl_mvalue *values = NULL;

		if (capacity > m->capacity)
			values = realloc(m->values, capacity * sizeof(*values));
		if (!values)
			return pl_fail(r->err, PL_ERR_NOMEM, "out of memory");
		m->values = values;
		m->capacity = capacity;
	}
	*index = m->n++;
	memset(&m->values[*index], 0, sizeof(*m->values));
	m->values[*index].type = type;
	return 0;
}

/* The next number, whose value comes later. */
static int new_ref(struct reader *r, uint32_t *ref)
{
	if (r->n_refs == r->refs_capacity) {
		uint32_t capacity = r->refs_capacity * 2;
		uint32_t *refs = NULL;

		if (!capacity)
			capacity = 64;
		if (capacity > r->refs_capacity)
			refs = realloc(r->refs, capacity * sizeof(*refs));
		if (!refs)
			return pl_fail(r->err, PL_ERR_NOMEM, "out of memory");
		r->refs = refs;
		r->refs_capacity = capacity;
	}
	*ref = r->n_refs;
	r->refs[r->n_refs++] = 0;
	return 0;
}

static int read_int(struct reader *r, struct pl_mvalue *v)
{
	if (left(r) < 4)
		return fail(r, "the file is cut off");
	v->u.i = (int32_t)take(r, 4);
	return 0;
}

static int read_long(struct reader *r, struct pl_mvalue *v)
{
	uint64_t magnitude = 0;
	bool negative, big = false;
	int64_t n;

	if (left(r) < 4)
		return fail(r, "the file is cut off");
	n = (int32_t)take(r, 4);
	negative = n < 0;
	if (negative)
		n = -n;
	if (left(r) / 2 < (uint64_t)n)
		return fail(r, "a length that is longer than the file");
	for (int64_t i = 0; i < n; i++) {
		uint64_t digit = take(r, 2);

		if (digit > 0x7fff)
			return fail(r, "a digit out of range");
		if (digit && (i > 4 || (i == 4 && digit > 7)))
			big = true;
		else if (digit)
			magnitude |= digit << (15 * i);
	}
	if (big || magnitude > INT64_MAX)
		v->type = PL_M_BIG;
	else
		v->u.i = negative ? -(int64_t)magnitude : (int64_t)magnitude;
	return 0;
}

static int read_float(struct reader *r, struct pl_mvalue *v)
{
	uint64_t bits;

	if (left(r) < 8)
		return fail(r, "the file is cut off");
	bits = take(r, 8);
	memcpy(&v->u.f, &bits, sizeof(bits));
	return 0;
}

/* Version 0 and 1 only, but Python still reads it.  strtod heeds the locale's
 * decimal point; whoever calls us has left it at "C". */
static int read_text_float(struct reader *r, struct pl_mvalue *v)
{
	char text[256], *end;
	uint32_t n = 0;
	int rc = take_length(r, 1, 1, &n);

	if (rc)
		return rc;
	memcpy(text, r->at, n);
	text[n] = '\0';
	v->u.f = strtod(text, &end);
	if (end == text || *end)
		return fail(r, "a number that is none");
	r->at += n;
	return 0;
}

static int read_text(struct reader *r, struct pl_mvalue *v, int length_bytes)
{
	uint32_t n = 0;
	int rc = take_length(r, length_bytes, 1, &n);

	if (rc)
		return rc;
	if (v->type == PL_M_STR && !pl_wtf8_is_valid((const char *)r->at, n))
		return fail(r, "invalid text");
	v->u.text.offset = (uint32_t)(r->at - r->start);
	v->u.text.len = n;
	r->at += n;
	return 0;
}

static int read_value(struct reader *r, uint32_t *index);

/* Items of container @index: @n of them, or up to an end for a dict. */
static int read_items(struct reader *r, uint32_t index, uint32_t n, bool dict)
{
	uint32_t last = 0, count = 0;

	for (; dict || count < n; count++) {
		uint32_t item;
		int rc = read_value(r, &item);

		if (rc)
			return rc;
		if (item == END_OF_DICT) {
			if (!dict || count % 2)
				return fail(r, "an end where a value belongs");
			break;
		}
		if (last)
			r->m->values[last].next = item;
		else
			r->m->values[index].u.items.first = item;
		last = item;
	}
	r->m->values[index].u.items.n = count;
	return 0;
}

/* A copy: an item stands in one chain only. */
static int read_ref(struct reader *r, uint32_t index)
{
	struct pl_mvalue *v = &r->m->values[index];
	uint32_t ref;

	if (left(r) < 4)
		return fail(r, "the file is cut off");
	ref = (uint32_t)take(r, 4);
	if (ref >= r->n_refs || !r->refs[ref])
		return fail(r, "a reference to nothing");
	*v = r->m->values[r->refs[ref]];
	v->next = 0;
	return 0;
}

static const struct code {
	char code;
	enum pl_mtype type;
	signed char length_bytes;
	bool is_singleton;		/* never numbered */
} codes[] = {
	{ 'N', PL_M_NONE, 0, true },	{ 'F', PL_M_INT, 0, true },
	{ 'T', PL_M_INT, 0, true },	{ 'i', PL_M_INT, 0, false },
	{ 'l', PL_M_INT, 0, false },	{ 'g', PL_M_FLOAT, 0, false },
	{ 'f', PL_M_FLOAT, 0, false },	{ 's', PL_M_BYTES, 4, false },
	{ 'u', PL_M_STR, 4, false },	{ 't', PL_M_STR, 4, false },
	{ 'a', PL_M_STR, 4, false },	{ 'A', PL_M_STR, 4, false },
	{ 'z', PL_M_STR, 1, false },	{ 'Z', PL_M_STR, 1, false },
	{ '(', PL_M_TUPLE, 4, false },	{ ')', PL_M_TUPLE, 1, false },
	{ '[', PL_M_TUPLE, 4, false },	{ '{', PL_M_DICT, 0, false },
	{ 'r', PL_M_NONE, 0, true },	{ 'c', PL_M_CODE, 0, false },
	/* Constants of code: Ellipsis, StopIteration, complex numbers, sets,
	 * slices, frozendict. */
	{ '.', PL_M_OTHER, 0, true },	{ 'S', PL_M_OTHER, 0, true },
	{ 'y', PL_M_OTHER, 0, false },	{ 'x', PL_M_OTHER, 0, false },
	{ '<', PL_M_TUPLE, 4, false },	{ '>', PL_M_TUPLE, 4, false },
	{ ':', PL_M_TUPLE, 0, false },	{ '}', PL_M_DICT, 0, false },
};

static const struct code *find_code(char c)
{
	for (size_t i = 0; i < sizeof(codes) / sizeof(*codes); i++)
		if (codes[i].code == c)
			return &codes[i];
	return NULL;
}

/* ---------------------------------------------------------- code objects -- */

#define MOST_CODE_FIELDS 10

/* CPython up to 3.10 writes six numbers before the byte code, later versions
 * five.  Where the sixth would be taken for the byte code's type, its length
 * is beyond any file. */
static int skip_code_numbers(struct reader *r)
{
	size_t at = 5 * 4;
	uint32_t length;

	if (left(r) < at + 5)
		return fail(r, "the file is cut off");
	memcpy(&length, r->at + at + 1, sizeof(length));
	if ((r->at[at] & ~FLAG_REF) != 's' ||
	    le32toh(length) > left(r) - at - 5)
		at += 4;
	r->at += at;
	return 0;
}

static int read_field(struct reader *r, uint32_t *index)
{
	int rc = read_value(r, index);

	if (!rc && *index == END_OF_DICT)
		rc = fail(r, "an end where a value belongs");
	return rc;
}

/*
 * The fields after the numbers.  The fourth tells the versions apart:
 *
 *	3.8     code consts names varnames freevars(tuple) cellvars
 *	        filename name FIRSTLINE lnotab
 *	3.11    code consts names localsplusnames kinds(bytes)
 *	        filename name qualname FIRSTLINE linetable exceptiontable
 *
 * The value's items become the file, the line and the name.
 */
static int read_code(struct reader *r, uint32_t index)
{
	uint32_t fields[MOST_CODE_FIELDS], line, file = 6, last = 8, n = 0;
	struct pl_mvalue *values;
	int rc = skip_code_numbers(r);

	for (; !rc && n < last; n++) {
		rc = read_field(r, &fields[n]);
		if (!rc && n == 4 &&
		    r->m->values[fields[n]].type == PL_M_BYTES)
			file = 5;
	}
	if (!rc)
		rc = new_value(r, PL_M_INT, &line);
	if (!rc)
		rc = read_int(r, &r->m->values[line]);
	for (uint32_t end = n + (file == 5 ? 2 : 1); !rc && n < end; n++) {
		uint32_t ignored;

		rc = read_field(r, &ignored);
	}
	if (rc)
		return rc;
	values = r->m->values;
	values[index].u.items.first = fields[file];
	values[index].u.items.n = 3;
	values[fields[file]].next = line;
	values[line].next = fields[file + 1];
	values[fields[file + 1]].next = 0;
	return 0;
}

/* A number that no profile needs, in @n bytes. */
static int skip(struct reader *r, size_t n)
{
	if (left(r) < n)
		return fail(r, "the file is cut off");
	r->at += n;
	return 0;
}

/* A complex number in version 0 or 1: two texts. */
static int skip_text_complex(struct reader *r)
{
	int rc = 0;

	for (int i = 0; !rc && i < 2; i++) {
		uint32_t n = 0;

		rc = take_length(r, 1, 1, &n);
		if (!rc)
			rc = skip(r, n);
	}
	return rc;
}

static int read_content(struct reader *r, const struct code *c, uint32_t index)
{
	struct pl_mvalue *v = &r->m->values[index];
	uint32_t n = 0;
	int rc;

	switch (c->code) {
	case 'N':
	case '.':
	case 'S':
		return 0;
	case 'c':
		return read_code(r, index);
	case 'y':
		return skip(r, 16);
	case 'x':
		return skip_text_complex(r);
	case ':':
		return read_items(r, index, 3, false);
	case 'F':
	case 'T':
		v->u.i = c->code == 'T';
		return 0;
	case 'i':
		return read_int(r, v);
	case 'l':
		return read_long(r, v);
	case 'g':
		return read_float(r, v);
	case 'f':
		return read_text_float(r, v);
	case 'r':
		return read_ref(r, index);
	case '{':
	case '}':
		return read_items(r, index, 0, true);
	case '(':
	case ')':
	case '[':
	case '<':
	case '>':
		rc = take_length(r, c->length_bytes, 1, &n);
		return rc ? rc : read_items(r, index, n, false);
	default:
		return read_text(r, v, c->length_bytes);
	}
}

/* Read one value; *@index is END_OF_DICT for a '0'. */
static int read_value(struct reader *r, uint32_t *index)
{
	const struct code *c;
	bool numbered;
	uint32_t ref = 0;
	int rc;

	if (!left(r))
		return fail(r, "the file is cut off");
	if (*r->at == '0') {
		r->at++;
		*index = END_OF_DICT;
		return 0;
	}
	c = find_code((char)(*r->at & ~FLAG_REF));
	if (!c)
		return fail(r, "a value of a kind that no profile holds");
	if (r->depth == MAX_DEPTH)
		return fail(r, "too many values within values");
	numbered = (*r->at++ & FLAG_REF) && !c->is_singleton;
	if (numbered) {
		rc = new_ref(r, &ref);
		if (rc)
			return rc;
	}
	rc = new_value(r, c->type, index);
	if (rc)
		return rc;
	r->depth++;
	rc = read_content(r, c, *index);
	r->depth--;
	if (!rc && numbered)
		r->refs[ref] = *index;
	return rc;
}

int pl_marshal_parse(struct pl_marshal *m, const void *data, size_t bytes,
		     struct pl_error *err)
{
	const uint8_t *start = data;
	struct reader r = { .m = m, .start = start, .at = start,
			    .end = start + bytes, .err = err };
	uint32_t root = 0;
	int rc;

	memset(m, 0, sizeof(*m));
	if (bytes > INT32_MAX)
		return pl_fail(err, PL_ERR_FORMAT,
			       "larger than any profile (2 GiB)");
	m->data = start;
	m->capacity = 256;
	m->n = 1;			/* 0 means none */
	m->values = calloc(m->capacity, sizeof(*m->values));
	if (!m->values)
		return pl_fail(err, PL_ERR_NOMEM, "out of memory");
	rc = read_value(&r, &root);
	if (!rc && root == END_OF_DICT)
		rc = fail(&r, "an end where a value belongs");
	free(r.refs);
	if (rc)
		pl_marshal_release(m);
	return rc;
}

void pl_marshal_release(struct pl_marshal *m)
{
	free(m->values);
	memset(m, 0, sizeof(*m));
}
