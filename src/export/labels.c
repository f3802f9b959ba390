/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "export/labels.h"

#include "base/hash.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static uint32_t hash_label(const struct pl_label *l)
{
	uint64_t h = pl_hash_bytes(l->file, strlen(l->file));

	h = h * 31 + pl_hash_bytes(l->name, strlen(l->name));
	return pl_hash_u64(h * 31 + (uint32_t)l->line);
}

static bool labels_equal(const struct pl_label *a, const struct pl_label *b)
{
	return a->line == b->line && !strcmp(a->name, b->name) &&
	       !strcmp(a->file, b->file);
}

/* The slot that holds @label, or the empty one where it belongs. */
static uint32_t *find_slot(const struct pl_labels *ls,
			   const struct pl_label *label)
{
	uint32_t mask = ls->n_slots - 1;
	uint32_t i = hash_label(label) & mask;

	while (ls->slots[i] &&
	       !labels_equal(&ls->labels[ls->slots[i] - 1], label))
		i = (i + 1) & mask;
	return &ls->slots[i];
}

/* Double the table, which is kept at most half full. */
static int grow(struct pl_labels *ls, struct pl_error *err)
{
	uint32_t n_slots = ls->n_slots ? ls->n_slots * 2 : 64;
	uint32_t *slots;
	struct pl_label *labels;

	if (n_slots > UINT32_MAX / 4)
		return pl_fail(err, PL_ERR_NOMEM, "too many functions");
	labels = realloc(ls->labels, n_slots / 2 * sizeof(*labels));
	if (!labels)
		return pl_fail(err, PL_ERR_NOMEM, "out of memory");
	ls->labels = labels;
	ls->capacity = n_slots / 2;
	slots = calloc(n_slots, sizeof(*slots));
	if (!slots)
		return pl_fail(err, PL_ERR_NOMEM, "out of memory");
	free(ls->slots);
	ls->slots = slots;
	ls->n_slots = n_slots;
	for (uint32_t i = 0; i < ls->n; i++)
		*find_slot(ls, &ls->labels[i]) = i + 1;
	return 0;
}

int pl_labels_add(struct pl_labels *labels, struct pl_label label,
		  uint32_t *number, struct pl_error *err)
{
	uint32_t *slot;

	if (labels->n == labels->n_slots / 2) {
		int rc = grow(labels, err);

		if (rc)
			return rc;
	}
	slot = find_slot(labels, &label);
	if (!*slot) {
		labels->labels[labels->n] = label;
		*slot = ++labels->n;
	}
	*number = *slot - 1;
	return 0;
}

void pl_labels_release(struct pl_labels *labels)
{
	free(labels->labels);
	free(labels->slots);
	memset(labels, 0, sizeof(*labels));
}

int pl_label_compare(const struct pl_label *a, const struct pl_label *b)
{
	int c = strcmp(a->file, b->file);

	if (c)
		return c;
	if (a->line != b->line)
		return a->line < b->line ? -1 : 1;
	return strcmp(a->name, b->name);
}
