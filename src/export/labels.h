/* SPDX-License-Identifier: MIT */
/*
 * labels.h: number the names of functions.
 *
 * To pstats a function is its label, the triple (file, line, name); two code
 * objects with one label are one row.  A struct pl_labels gives equal labels
 * one number, counting from 0 in order of first sight, which is also the order
 * of the dictionary that pstats would have built.
 */
#ifndef PL_EXPORT_LABELS_H
#define PL_EXPORT_LABELS_H

#include "base/err.h"

#include <stdint.h>

/* Text is UTF-8 with surrogates passed, borrowed. */
struct pl_label {
	const char *file;		/* "~" for C functions */
	const char *name;
	int line;
};

/* Owned by the caller; zero-initialise, release.  Text stays borrowed. */
struct pl_labels {
	struct pl_label *labels;	/* [n] by number */
	uint32_t n, capacity;
	uint32_t *slots;		/* private: number + 1, 0 = empty */
	uint32_t n_slots;		/* a power of two, or 0 */
};

/* The number of @label, a new one when it was not seen before.
 * PL_ERR_NOMEM. */
int pl_labels_add(struct pl_labels *labels, struct pl_label label,
		  uint32_t *number, struct pl_error *err);
void pl_labels_release(struct pl_labels *labels);

/* As Python compares two such tuples: <0, 0, >0.  Byte order of UTF-8 is the
 * order of code points, surrogates included. */
int pl_label_compare(const struct pl_label *a, const struct pl_label *b);

#endif
