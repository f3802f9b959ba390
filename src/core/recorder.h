/* SPDX-License-Identifier: MIT */
/*
 * recorder.h: one thread's calls into one calling-context tree.
 *
 * The hot path is pl_child, pl_push and pl_leave in recorder_inline.h; what
 * they can't settle in a few compares comes here.
 *
 * Matching.  A leave event names what it leaves, and is compared with the top
 * of the shadow stack; it is never popped blindly.  Where the event has the
 * interpreter's frame, the frame is what is compared: the end of a call that
 * was never entered does not close another call of the same function.  Where
 * it has only the function:
 *
 *	top matches                      pop
 *	an alias of the top's function   pop (two code objects, one label)
 *	found further down               pop all above too: their leaves were
 *	                                 lost (greenlets, generators freed)
 *	nowhere                          ignore, count it: entered before we
 *	                                 began, or entered where no event tells
 *
 * A callee that nobody keeps alive has no key of its own, since another may
 * get its address.  Its node has a key made of the function (pl_unheld_key),
 * and its frame a tag made of the address, by which its leave is found.
 *
 * Children.  Up to CHILD_RING children a node's are found by walking the ring
 * from the one hit last; beyond, by a hash in private memory, so that a node
 * with 10,000 children costs what one with ten does.
 *
 * Folding.  Past max_nodes a call gets no path of its own but the node of its
 * (caller, callee) pair:
 *
 *	root ── (folded) ── caller f ── callee g
 *	                            └── callee h
 *
 * so that calls stay exact, and self times too when added up by function:
 * g gains the total, f loses it (see pl_aggregate_add).
 */
#ifndef PL_CORE_RECORDER_H
#define PL_CORE_RECORDER_H

#include "core/parking.h"
#include "core/recording.h"

struct pl_session;
struct pl_tls;

/*
 * The children of a node that has many, by key and by function; 0 marks a free
 * slot.  Whether a slot is the one looked for the node itself says: a node's
 * key may have been taken over since (see child_of).
 */
struct pl_child_table {
	struct pl_child_slot {
		uint32_t tag;		/* of the key: its low half */
		uint32_t node;
	} *by_key;
	uint32_t *by_func;		/* nodes; behind by_key, as many */
	uint32_t mask;
	uint32_t n;			/* slots in use, by key */
};

/* What no reader needs: private memory of the writing process. */
struct pl_recorder_priv {
	struct pl_recorder *r;
	struct pl_session *session;
	struct pl_recorder_priv *next;	/* in one of the session's lists */
	struct pl_tls *tls;		/* its thread's, NULL when that ended */
	bool attached;			/* on its thread's list */
	struct pl_node *free, *free_end; /* rest of the current chunk */
	struct pl_chunk *chunk;
	uint32_t chunk_pages;		/* size of the next one */
	uint32_t lost;			/* cell id of the node for lost calls */
	struct pl_child_table *tables;	/* node->table indexes it; [0] unused */
	uint32_t n_tables, tables_capacity;
	struct pl_parking parking;
};

/* A recorder for the calling thread, its root open.  NULL: no room. */
struct pl_recorder *pl_recorder_new(struct pl_session *session);

/*
 * The calling thread goes on with @r, whose thread has ended: its calls add to
 * the same tree.  False without room: nothing was done.
 */
bool pl_recorder_take_over(struct pl_recorder *r);

/* Close every open call at the recorder's clock.  @may_call: a clock that is
 * a Python callable may be called just now. */
void pl_recorder_unwind(struct pl_recorder *r, bool may_call);

/* Has it calls that pl_recorder_unwind would close, or that are parked? */
bool pl_recorder_is_open(const struct pl_recorder *r);

/* The thread is gone or has left the session: unwind, mark, give the stack
 * back.  The tree stays for readers. */
void pl_recorder_end(struct pl_recorder *r);

/* Free the private part; the recording itself goes with its session. */
void pl_recorder_free_priv(struct pl_recorder_priv *priv);

/*
 * The child of the innermost call that stands for function @func, made when
 * there is none; @key becomes its key.  Never NULL: without room, the
 * recorder's node for lost calls.
 */
struct pl_node *pl_child_add(struct pl_recorder *r, uint64_t key,
			     uint32_t func);

/* The key of a node whose callees are not kept alive: no address. */
static inline uint64_t pl_unheld_key(uint32_t func)
{
	return UINT64_C(1) << 63 | func;
}

/* Its clock, read for our own book-keeping; a clock whose readings can be told
 * from outside is not read for that, and stands still. */
uint64_t pl_recorder_own_tick(struct pl_recorder *r);

/* Slow halves of the inline functions. */
struct pl_node *pl_child_slow(struct pl_recorder *r, uint64_t key);
bool pl_stack_grow(struct pl_recorder *r);
void pl_leave_slow(struct pl_recorder *r, uint64_t key, uint64_t now,
		   uint32_t flags);

/* The same by the activation in @flags.  The clock is read if a call ends. */
void pl_leave_activation_slow(struct pl_recorder *r, uint64_t key,
			      uint32_t flags);
uint64_t pl_tick_slow(struct pl_recorder *r);
uint64_t pl_tick_leave_slow(struct pl_recorder *r);

#endif
