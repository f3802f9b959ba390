/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "core/parking.h"

#include "base/hash.h"
#include "core/recorder_inline.h"

#include <string.h>

#define LEAST_BLOCK 16u			/* frames */
#define FIRST_FRAMES 4096u
#define FIRST_SLOTS 256u

/* -------------------------------------------------------------- blocks -- */

static bool frames_reserve(struct pl_parking *p, uint32_t n)
{
	uint32_t capacity = p->capacity ? p->capacity : FIRST_FRAMES;
	struct pl_frame *bigger;

	while (capacity - p->n < n)
		capacity *= 2;
	if (capacity == p->capacity)
		return true;
	bigger = pl_pages_alloc(capacity * sizeof(*bigger));
	if (!bigger)
		return false;
	if (p->n)
		memcpy(bigger, p->frames, p->n * sizeof(*bigger));
	pl_pages_free(p->frames, p->capacity * sizeof(*bigger));
	p->frames = bigger;
	p->capacity = capacity;
	return true;
}

static uint32_t size_for(uint32_t n)
{
	uint32_t size = 0;

	while (LEAST_BLOCK << size < n)
		size++;
	return size;
}

/* Block 0 is none, so the first LEAST_BLOCK frames stay unused. */
static uint32_t take_block(struct pl_parking *p, uint32_t size)
{
	uint32_t block = p->free[size];

	if (block) {
		p->free[size] = p->frames[block].node;
		return block;
	}
	if (!p->n && !frames_reserve(p, LEAST_BLOCK))
		return 0;
	if (!p->n)
		p->n = LEAST_BLOCK;
	if (!frames_reserve(p, LEAST_BLOCK << size))
		return 0;
	block = p->n;
	p->n += LEAST_BLOCK << size;
	return block;
}

static void give_block(struct pl_parking *p, struct pl_parked *slot)
{
	if (!slot->block)
		return;
	p->frames[slot->block].node = p->free[slot->size];
	p->free[slot->size] = slot->block;
	slot->block = 0;
}

/* --------------------------------------------------------------- slots -- */

static struct pl_parked *slot_of(struct pl_parking *p, uint64_t id)
{
	uint32_t at = pl_hash_u64(id) & p->mask;

	while (p->slots[at].id && p->slots[at].id != id)
		at = (at + 1) & p->mask;
	return &p->slots[at];
}

/* Slots with nothing in them are dropped on the way: stacks come and go, and
 * the table grows with those that are there at once. */
static bool slots_reserve(struct pl_parking *p)
{
	struct pl_parking bigger = { .mask = 0 };
	uint32_t size = FIRST_SLOTS, n_used = 0;

	if (p->slots && p->n_slots * 2 < p->mask)
		return true;
	for (uint32_t i = 0; p->slots && i <= p->mask; i++)
		n_used += p->slots[i].block != 0;
	while (size < n_used * 4)
		size *= 2;
	bigger.mask = size - 1;
	bigger.slots = pl_pages_alloc(size * sizeof(*bigger.slots));
	if (!bigger.slots)
		return false;
	for (uint32_t i = 0; p->slots && i <= p->mask; i++) {
		if (!p->slots[i].block)
			continue;
		*slot_of(&bigger, p->slots[i].id) = p->slots[i];
		bigger.n_slots++;
	}
	pl_pages_free(p->slots, p->slots ? sizeof(*p->slots) *
				((size_t)p->mask + 1) : 0);
	p->slots = bigger.slots;
	p->mask = bigger.mask;
	p->n_slots = bigger.n_slots;
	return true;
}

static struct pl_parked *add_slot(struct pl_parking *p, uint64_t id)
{
	struct pl_parked *slot;

	if (!slots_reserve(p))
		return NULL;
	slot = slot_of(p, id);
	if (!slot->id) {
		slot->id = id;
		p->n_slots++;
	}
	return slot;
}

/* -------------------------------------------------------------- parking -- */

/* The time a parked call has had until then. */
static uint64_t time_of(const struct pl_frame *f, uint64_t since)
{
	return since > f->t0 ? since - f->t0 : 0;
}

static bool park(struct pl_recorder *r, struct pl_parking *p, uint64_t id,
		 uint64_t now)
{
	const struct pl_frame *open = (const struct pl_frame *)r->stack + 1;
	uint32_t n = (uint32_t)((const struct pl_frame *)r->sp - open);
	struct pl_parked *slot = add_slot(p, id);

	if (!slot)
		return false;
	give_block(p, slot);
	if (!n)
		return true;
	slot->size = size_for(n);
	slot->block = take_block(p, slot->size);
	if (!slot->block)
		return false;
	slot->since = now;
	slot->n = n;
	memcpy(p->frames + slot->block, open, n * sizeof(*open));
	for (uint32_t i = 0; i < n; i++)
		pl_node_at(r, open[i].node)->ticks += time_of(&open[i], now);
	return true;
}

static void empty_stack(struct pl_recorder *r)
{
	r->sp = r->stack + sizeof(struct pl_frame);
	r->cur = (uint64_t)(uintptr_t)pl_node_at(r, r->root);
}

/* The time that is added when a call ends is all of it, so what was added when
 * it was parked is taken back. */
static void unpark(struct pl_recorder *r, struct pl_parking *p, uint64_t id,
		   uint64_t now)
{
	struct pl_parked *slot = slot_of(p, id);
	struct pl_frame *f;

	empty_stack(r);
	if (!slot->block)
		return;
	while (slot->n >= r->stack_frames)
		if (!pl_stack_grow(r))
			return;
	f = (struct pl_frame *)r->sp;
	memcpy(f, p->frames + slot->block, slot->n * sizeof(*f));
	for (uint32_t i = 0; i < slot->n; i++) {
		struct pl_node *n = pl_node_at(r, f[i].node);
		uint64_t d = time_of(&f[i], slot->since);

		n->ticks -= d < n->ticks ? d : n->ticks;
		f[i].t0 = now - d;
		r->cur = (uint64_t)(uintptr_t)n;
	}
	r->sp = (uint64_t)(uintptr_t)(f + slot->n);
	give_block(p, slot);
}

void pl_recorder_switch(struct pl_recorder *r, uint64_t from, uint64_t to)
{
	struct pl_parking *p =
		&((struct pl_recorder_priv *)(uintptr_t)r->priv)->parking;
	uint64_t now = pl_recorder_own_tick(r);

	if (from != to && park(r, p, from, now))
		unpark(r, p, to, now);
}

void pl_parking_clear(struct pl_parking *p)
{
	pl_pages_free(p->frames, p->capacity * sizeof(*p->frames));
	pl_pages_free(p->slots, p->slots ? sizeof(*p->slots) *
				((size_t)p->mask + 1) : 0);
	memset(p, 0, sizeof(*p));
}
