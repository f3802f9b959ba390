/* SPDX-License-Identifier: MIT */
/*
 * recorder_inline.h: the hot path.  Owner thread only; no lock, no system
 * call, no allocation, no call out unless something is seen for the first
 * time.
 *
 * The clock is read last on entering and first on leaving, so that our own
 * work falls to the caller, as in cProfile.
 */
#ifndef PL_CORE_RECORDER_INLINE_H
#define PL_CORE_RECORDER_INLINE_H

#include "core/clock.h"
#include "core/recorder.h"

#define pl_likely(x) __builtin_expect(!!(x), 1)
#define pl_unlikely(x) __builtin_expect(!!(x), 0)

static inline uint64_t pl_tick(struct pl_recorder *r)
{
	if (pl_likely(!(r->clock | r->ticks_ns)))
		return pl_counter();
	return pl_tick_slow(r);
}

/* The same on leaving. */
static inline uint64_t pl_tick_leave(struct pl_recorder *r)
{
	if (pl_likely(!(r->clock | r->ticks_ns)))
		return pl_counter();
	return pl_tick_leave_slow(r);
}

static inline struct pl_node *pl_node_at(const struct pl_recorder *r,
					 uint32_t id)
{
	return (struct pl_node *)(r->base + (uint64_t)id * PL_CELL);
}

static inline uint32_t pl_node_id(const struct pl_recorder *r,
				  const struct pl_node *n)
{
	return (uint32_t)(((uint64_t)(uintptr_t)n - r->base) / PL_CELL);
}

/*
 * An activation in the flags of its frame: the low half of the address of
 * @frame, the interpreter's object for it.  It is aligned to 16 bytes, which
 * leaves room for enum pl_frame_flags, and lives until the call has ended, so
 * that no two open calls have the same one.
 */
static inline uint32_t pl_activation(const void *frame)
{
	return (uint32_t)(uintptr_t)frame;
}

/* The child of the innermost open call for @key, or NULL when there is none
 * yet.  Node 0 is the file's header, whose first bytes are no address. */
static inline struct pl_node *pl_child(struct pl_recorder *r, uint64_t key)
{
	struct pl_node *cur = (struct pl_node *)r->cur;
	struct pl_node *n = pl_node_at(r, cur->last);

	if (pl_likely(n->key == key))
		return n;
	return pl_child_slow(r, key);
}

/* Open a call of @n.  @resumed: 1 when it enters in the middle (a generator),
 * else 0.  @flags: enum pl_frame_flags, and where it is known pl_activation. */
static inline void pl_push(struct pl_recorder *r, struct pl_node *n,
			   int resumed, uint32_t flags)
{
	struct pl_frame *f = (struct pl_frame *)r->sp;

	if (pl_unlikely(r->sp == r->limit)) {
		if (!pl_stack_grow(r))
			return;
		f = (struct pl_frame *)r->sp;
	}
	(&n->calls)[resumed]++;
	f->node = pl_node_id(r, n);
	f->flags = flags;
	r->cur = (uint64_t)(uintptr_t)n;
	r->sp = (uint64_t)(uintptr_t)(f + 1);
	f->t0 = r->latest = pl_tick(r);
}

/* In the place of an activation, where the back end knows none: a tag of the
 * callee's address, never 0. */
static inline uint32_t pl_frame_tag(uint64_t key)
{
	return 0x80000000u |
	       ((uint32_t)key & (uint32_t)PL_FRAME_ACTIVATION & 0x7fffffffu);
}

/* What the flags of a call of @key must have besides if its node was not found
 * by the key but made: the node @n may have another key, see recorder.h. */
static inline uint32_t pl_new_flags(const struct pl_node *n, uint64_t key)
{
	return n->key == key ? 0 : pl_frame_tag(key);
}

/* Close the innermost call, which is of @n. */
static inline void pl_pop(struct pl_recorder *r, struct pl_node *n,
			  uint64_t now)
{
	struct pl_frame *f = (struct pl_frame *)r->sp - 1;
	uint64_t d = now - f->t0;

	if (pl_unlikely((int64_t)d < 0))
		d = 0;
	n->ticks += d;
	if (pl_unlikely(d < n->min))
		n->min = d;
	if (pl_unlikely(d > n->max))
		n->max = d;
	r->cur = (uint64_t)(uintptr_t)pl_node_at(r, f[-1].node);
	r->sp = (uint64_t)(uintptr_t)f;
	r->latest = now;
}

/* @flags: PL_FRAME_C for the end of a C function, else 0. */
static inline void pl_leave(struct pl_recorder *r, uint64_t key,
			    uint32_t flags)
{
	uint64_t now = pl_tick_leave(r);
	struct pl_node *n = (struct pl_node *)r->cur;

	if (pl_likely(n->key == key))
		pl_pop(r, n, now);
	else
		pl_leave_slow(r, key, now, flags);
}

/* The same for the end of the activation in @flags, and of no other one; @flags
 * are those of pl_push(). */
static inline void pl_leave_activation(struct pl_recorder *r, uint64_t key,
				       uint32_t flags)
{
	const struct pl_frame *top = (const struct pl_frame *)r->sp - 1;

	if (pl_likely(top->flags == flags))
		pl_pop(r, (struct pl_node *)r->cur, pl_tick_leave(r));
	else
		pl_leave_activation_slow(r, key, flags);
}

/*
 * The short path: enter and leave for a recorder that reads the counter
 * (struct pl_tls.only).  False, and nothing has been done, when what is asked
 * for is not what is expected: a first sight, a full stack, a leave that does
 * not match.  Kept free of calls, so that a callback that ends in a tail call
 * of the long path saves no register.
 */

/* The child for @key if it is the one hit last or the one behind that, as in
 * a loop that calls f, g, h in turn; else NULL.  @id: its number. */
static inline struct pl_node *pl_child_short(struct pl_recorder *r,
					     uint64_t key, uint32_t *id)
{
	struct pl_node *cur = (struct pl_node *)r->cur;
	struct pl_node *n = pl_node_at(r, *id = cur->last);

	if (pl_likely(n->key == key))	/* never node 0's, see pl_child() */
		return n;
	if (!*id)
		return NULL;
	n = pl_node_at(r, *id = n->next);
	if (n->key != key)
		return NULL;
	cur->last = *id;
	return n;
}

static inline bool pl_push_short(struct pl_recorder *r, struct pl_node *n,
				 uint32_t id, int resumed, uint32_t flags)
{
	struct pl_frame *f = (struct pl_frame *)r->sp;

	if (pl_unlikely(r->sp == r->limit))
		return false;
	(&n->calls)[resumed]++;
	f->node = id;
	f->flags = flags;
	r->cur = (uint64_t)(uintptr_t)n;
	r->sp = (uint64_t)(uintptr_t)(f + 1);
	f->t0 = r->latest = pl_counter();
	return true;
}

static inline bool pl_enter_short(struct pl_recorder *r, uint64_t key,
				  int resumed, uint32_t flags)
{
	uint32_t id;
	struct pl_node *n = pl_child_short(r, key, &id);

	return pl_likely(n) && pl_push_short(r, n, id, resumed, flags);
}

static inline bool pl_leave_short(struct pl_recorder *r, uint64_t key)
{
	struct pl_node *n = (struct pl_node *)r->cur;

	if (pl_unlikely(n->key != key))
		return false;
	pl_pop(r, n, pl_counter());
	return true;
}

static inline bool pl_leave_activation_short(struct pl_recorder *r,
					     uint32_t flags)
{
	const struct pl_frame *top = (const struct pl_frame *)r->sp - 1;

	if (pl_unlikely(top->flags != flags))
		return false;
	pl_pop(r, (struct pl_node *)r->cur, pl_counter());
	return true;
}

#endif
