/* SPDX-License-Identifier: MIT */
/*
 * marshal.h: the part of Python's marshal format that profiles are made of.
 *
 * Every value is a type byte and its content, little-endian.  Bit 7 of the
 * type byte (FLAG_REF, since version 3) says that the value gets the next
 * number, counted from 0 in order of type bytes, so that 'r' NUMBER can stand
 * for it later:
 *
 *	'N' 'T' 'F' '0'			None, True, False, end of a dict
 *	'i' i32				int
 *	'l' i32 n, |n| * u16		int, sign in n, digits of 15 bits
 *	'g' f64   'f' u8 n, text	float
 *	'u' 't' i32 n, UTF-8		str (surrogates passed), interned str
 *	'a' 'A' i32 n   'z' 'Z' u8 n	ASCII str, upper case: interned
 *	's' i32 n			bytes
 *	'(' i32 n   ')' u8 n   '[' i32 n	tuple, short tuple, list
 *	'{' key value ... '0'		dict
 *	'r' i32				the value with that number
 *	'c' 5 or 6 * i32, fields	code object
 *	'.' 'S' 'y' 'x' '<' '>' ':' '}'	other constants of code
 *
 * Versions 2 to 5 differ in which of these their writer uses, and the reader
 * takes all of them.  `python -m profile` names its program by its code object;
 * the reader takes file, line and name from it, of CPython 3.0 to 3.15, and
 * never runs it.  It trusts nothing: lengths are checked against what is left,
 * depth is bounded, and a reference costs no more than a value.
 */
#ifndef PL_EXPORT_MARSHAL_H
#define PL_EXPORT_MARSHAL_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* ------------------------------------------------------------ writing -- */

/* Errors are left in the FILE, for ferror() at the end. */
void pl_marshal_put_int(FILE *f, int64_t value);
void pl_marshal_put_float(FILE *f, double value);
/* @text is UTF-8 with surrogates passed. */
void pl_marshal_put_str(FILE *f, const char *text);
/* @n items follow.  With @numbered the tuple gets the next number. */
void pl_marshal_put_tuple(FILE *f, uint8_t n, int numbered);
void pl_marshal_put_ref(FILE *f, uint32_t number);
/* Keys and values in turn follow, then an end. */
void pl_marshal_put_dict(FILE *f);
void pl_marshal_put_end(FILE *f);

/* ------------------------------------------------------------ reading -- */

enum pl_mtype {
	PL_M_NONE,
	PL_M_INT,		/* bool is one; those beyond 64 bits are BIG */
	PL_M_BIG,
	PL_M_FLOAT,
	PL_M_STR,
	PL_M_BYTES,
	PL_M_TUPLE,		/* or list */
	PL_M_DICT,		/* keys and values in turn, n is even */
	PL_M_CODE,		/* its items: file, line, name */
	PL_M_OTHER,		/* a constant that only code has */
};

/* A value; a container's items are a chain of `next`, by index. */
struct pl_mvalue {
	uint32_t next;		/* next item of the same container, 0 = last */
	uint32_t type;		/* enum pl_mtype */
	union {
		int64_t i;
		double f;
		struct {
			uint32_t offset, len; /* in the data */
		} text;
		struct {
			uint32_t first, n; /* index of the first item */
		} items;
	} u;
};

/* What was read.  Text is borrowed from the data. */
struct pl_marshal {
	const uint8_t *data;
	struct pl_mvalue *values;	/* [0] is none, [1] the whole */
	uint32_t n, capacity;
};

/* Read the one value of @data.  PL_ERR_FORMAT with what is wrong and where,
 * PL_ERR_NOMEM; nothing is to be released then. */
int pl_marshal_parse(struct pl_marshal *m, const void *data, size_t bytes,
		     struct pl_error *err);
void pl_marshal_release(struct pl_marshal *m);

static inline const struct pl_mvalue *
pl_marshal_root(const struct pl_marshal *m)
{
	return &m->values[1];
}

/* First item of a container, the next one; NULL after the last. */
static inline const struct pl_mvalue *
pl_marshal_first(const struct pl_marshal *m, const struct pl_mvalue *v)
{
	return v->u.items.first ? &m->values[v->u.items.first] : NULL;
}

static inline const struct pl_mvalue *
pl_marshal_next(const struct pl_marshal *m, const struct pl_mvalue *v)
{
	return v->next ? &m->values[v->next] : NULL;
}

#endif
