/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "core/recorder.h"

#include "base/hash.h"
#include "core/recorder_inline.h"
#include "core/session.h"

#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FIRST_FRAMES 252		/* with the chunk's header, one page */
#define FIRST_NODE_PAGES 4u
#define MOST_NODE_PAGES 256u		/* 1 MB */

/* Children found by walking the ring; more get a hash.  A walk of eight
 * costs about what a look into the hash does. */
#define CHILD_RING 8

/* How far down a leave event without a match is looked for.  Deeper than any
 * number of calls whose end one event can hide; bounded, so that a stream of
 * unmatched events can't cost a walk of a deep stack each. */
#define SEARCH_FRAMES 4096

static struct pl_recorder_priv *priv_of(struct pl_recorder *r)
{
	return (struct pl_recorder_priv *)r->priv;
}

static struct pl_recording *recording_of(struct pl_recorder *r)
{
	return &priv_of(r)->session->rec;
}

uint64_t pl_tick_slow(struct pl_recorder *r)
{
	struct pl_session *s = priv_of(r)->session;

	switch (r->clock) {
	case PL_CLOCK_CPU:
		return (uint64_t)pl_clock_ns(CLOCK_THREAD_CPUTIME_ID);
	case PL_CLOCK_STEP:
		return ++r->step;
	case PL_CLOCK_CALLABLE:
		return s->timer(s->timer_ctx);
	}
	return (uint64_t)pl_clock_ns(CLOCK_MONOTONIC);
}

/* With no call open there is nothing to leave, and cProfile does not read its
 * timer then: a timer of the user's can tell. */
uint64_t pl_tick_leave_slow(struct pl_recorder *r)
{
	if (r->sp == r->stack + sizeof(struct pl_frame))
		return r->latest;
	return pl_tick_slow(r);
}

/* --------------------------------------------------------------- nodes -- */

static struct pl_node *alloc_node(struct pl_recorder *r, uint64_t key,
				  uint32_t func)
{
	struct pl_recorder_priv *p = priv_of(r);
	struct pl_node *n;

	if (p->free == p->free_end) {
		struct pl_chunk *chunk = pl_recording_chunk(
			recording_of(r), PL_CHUNK_NODES,
			(size_t)p->chunk_pages * PL_PAGE - PL_CELL, r->self);

		if (!chunk)
			return NULL;
		p->chunk = chunk;
		p->free = (struct pl_node *)(chunk + 1);
		p->free_end = (struct pl_node *)chunk + chunk->n_cells;
		if (p->chunk_pages < MOST_NODE_PAGES)
			p->chunk_pages *= 2;
	}
	n = p->free++;
	n->key = key;
	n->func = func;
	n->min = UINT64_MAX;
	p->chunk->used += sizeof(*n);
	r->n_nodes++;
	__atomic_add_fetch(&recording_of(r)->header->n_nodes, 1,
			   __ATOMIC_RELAXED);
	return n;
}

/* Put @n, filled in, into @parent's ring, as the one hit last. */
static void link_child(struct pl_recorder *r, struct pl_node *parent,
		       struct pl_node *n)
{
	uint32_t id = pl_node_id(r, n);

	if (parent->last) {
		struct pl_node *last = pl_node_at(r, parent->last);

		n->next = last->next;
		__atomic_store_n(&last->next, id, __ATOMIC_RELEASE);
	} else {
		n->next = id;
	}
	__atomic_store_n(&parent->last, id, __ATOMIC_RELEASE);
}

/* ------------------------------------------------------ child lookups -- */

static struct pl_child_table *table_of(struct pl_recorder *r,
				       const struct pl_node *parent)
{
	return &priv_of(r)->tables[parent->table];
}

static size_t table_bytes(uint32_t n_slots)
{
	return n_slots * (sizeof(struct pl_child_slot) + sizeof(uint32_t));
}

static void table_release(struct pl_child_table *t)
{
	if (t->by_key)
		pl_pages_free(t->by_key, table_bytes(t->mask + 1));
	t->by_key = NULL;
}

static uint32_t table_find(struct pl_recorder *r,
			   const struct pl_child_table *t, uint64_t key)
{
	uint32_t at = pl_hash_u64(key) & t->mask;
	const struct pl_child_slot *slot;

	for (; (slot = &t->by_key[at])->node; at = (at + 1) & t->mask)
		if (slot->tag == (uint32_t)key &&
		    pl_node_at(r, slot->node)->key == key)
			return slot->node;
	return 0;
}

/* Where @func's node is, or belongs. */
static uint32_t *table_func(struct pl_recorder *r,
			    const struct pl_child_table *t, uint32_t func)
{
	uint32_t at = pl_hash_u64(func) & t->mask;

	while (t->by_func[at] &&
	       pl_node_at(r, t->by_func[at])->func != func)
		at = (at + 1) & t->mask;
	return &t->by_func[at];
}

/* There is room. */
static void table_add(struct pl_recorder *r, struct pl_child_table *t,
		      const struct pl_node *n)
{
	uint32_t at = pl_hash_u64(n->key) & t->mask;
	uint32_t id = pl_node_id(r, n), tag = (uint32_t)n->key;

	while (t->by_key[at].node &&
	       (t->by_key[at].tag != tag || t->by_key[at].node != id))
		at = (at + 1) & t->mask;
	if (!t->by_key[at].node)
		t->n++;
	t->by_key[at].tag = tag;
	t->by_key[at].node = id;
	*table_func(r, t, n->func) = id;
}

/*
 * Fill @t with @parent's children: for the first time, or when it has become
 * too small, or is full of keys that are no longer any node's.
 */
static bool table_fill(struct pl_recorder *r, struct pl_child_table *t,
		       const struct pl_node *parent)
{
	struct pl_child_table new = { .n = 0 };
	uint32_t n = 0, size = 256, id = parent->last;

	do {
		n++;
		id = pl_node_at(r, id)->next;
	} while (id != parent->last);
	while (size < n * 3)
		size *= 2;
	new.by_key = pl_pages_alloc(table_bytes(size));
	if (!new.by_key)
		return false;
	new.by_func = (uint32_t *)(new.by_key + size);
	new.mask = size - 1;
	do {
		table_add(r, &new, pl_node_at(r, id));
		id = pl_node_at(r, id)->next;
	} while (id != parent->last);
	table_release(t);
	*t = new;
	return true;
}

/* A child of @parent is new, or has another key. */
static void table_update(struct pl_recorder *r, struct pl_node *parent,
			 const struct pl_node *n)
{
	struct pl_child_table *t = table_of(r, parent);

	if (t->n + t->n / 2 < t->mask)
		table_add(r, t, n);
	else if (!table_fill(r, t, parent))
		parent->table = 0;	/* the ring is complete */
}

/* Give @parent, whose ring has grown long, a table.  Without memory for one
 * the ring goes on serving. */
static void make_table(struct pl_recorder *r, struct pl_node *parent)
{
	struct pl_recorder_priv *p = priv_of(r);

	if (p->n_tables == p->tables_capacity) {
		uint32_t n = p->tables_capacity ? p->tables_capacity * 2 : 128;
		struct pl_child_table *bigger =
			pl_pages_alloc(n * sizeof(*bigger));

		if (!bigger)
			return;
		if (p->tables)
			memcpy(bigger, p->tables,
			       p->n_tables * sizeof(*bigger));
		pl_pages_free(p->tables,
			      p->tables_capacity * sizeof(*bigger));
		p->tables = bigger;
		p->tables_capacity = n;
		if (!p->n_tables)
			p->n_tables = 1;
	}
	if (table_fill(r, &p->tables[p->n_tables], parent))
		parent->table = p->n_tables++;
}

struct pl_node *pl_child_slow(struct pl_recorder *r, uint64_t key)
{
	struct pl_node *cur = (struct pl_node *)r->cur;
	struct pl_node *first = pl_node_at(r, cur->last), *n = first;
	uint32_t id;

	if (!cur->last)
		return NULL;
	if (cur->table) {
		id = table_find(r, table_of(r, cur), key);
		if (!id)
			return NULL;
		cur->last = id;
		return pl_node_at(r, id);
	}
	/* From the one hit last onward: a loop that calls f, g, h in turn
	 * finds each at the first step. */
	do {
		n = pl_node_at(r, n->next);
		if (n->key == key) {
			cur->last = pl_node_id(r, n);
			return n;
		}
	} while (n != first);
	return NULL;
}

/* @parent's child for @func, under whatever key.  *@n_children counts. */
static struct pl_node *child_by_func(struct pl_recorder *r,
				     struct pl_node *parent, uint32_t func,
				     uint32_t *n_children)
{
	uint32_t id = parent->last;

	*n_children = 0;
	if (!id)
		return NULL;
	if (parent->table) {
		id = *table_func(r, table_of(r, parent), func);
		return id ? pl_node_at(r, id) : NULL;
	}
	do {
		struct pl_node *n = pl_node_at(r, id);

		if (n->func == func)
			return n;
		++*n_children;
		id = n->next;
	} while (id != parent->last);
	return NULL;
}

/* Find or make @parent's child for @func; NULL without room. */
static struct pl_node *child_of(struct pl_recorder *r, struct pl_node *parent,
				uint64_t key, uint32_t func)
{
	uint32_t n_children;
	struct pl_node *n = child_by_func(r, parent, func, &n_children);

	if (n) {
		/* Another code object with the same label: it takes over the
		 * compare, the older one finds the node here again. */
		n->key = key;
		parent->last = pl_node_id(r, n);
	} else {
		n = alloc_node(r, key, func);
		if (!n)
			return NULL;
		link_child(r, parent, n);
		if (!parent->table && n_children >= CHILD_RING)
			make_table(r, parent);
	}
	if (parent->table)
		table_update(r, parent, n);
	return n;
}

static bool is_full(struct pl_recorder *r)
{
	struct pl_rec_header *h = recording_of(r)->header;

	return h->max_nodes && h->n_nodes >= h->max_nodes;
}

/* Of a node that stands for a function wherever it was called: no address. */
static uint64_t func_key(uint32_t func)
{
	return (uint64_t)func * 2 + 1;
}

static struct pl_node *fold(struct pl_recorder *r, uint64_t key, uint32_t func)
{
	static const char text[] = "(folded)";
	struct pl_node *cur = (struct pl_node *)r->cur;
	struct pl_recording *rec = recording_of(r);
	struct pl_node *top, *caller;

	if (!r->fold_root) {
		struct pl_funcdesc d = {
			.file = "~", .file_len = 1, .name = text,
			.name_len = sizeof(text) - 1, .kind = PL_FUNC_SPECIAL,
		};
		uint32_t id = pl_recording_func(rec, &d);

		top = id ? child_of(r, pl_node_at(r, r->root), func_key(id), id)
			 : NULL;
		if (!top)
			return NULL;
		r->fold_root = pl_node_id(r, top);
		__atomic_or_fetch(&rec->header->flags, PL_REC_F_FOLDED,
				  __ATOMIC_RELAXED);
	}
	top = pl_node_at(r, r->fold_root);
	caller = child_of(r, top, func_key(cur->func), cur->func);
	return caller ? child_of(r, caller, key, func) : NULL;
}

struct pl_node *pl_child_add(struct pl_recorder *r, uint64_t key,
			     uint32_t func)
{
	struct pl_node *cur = (struct pl_node *)r->cur;
	struct pl_node *n = NULL;
	uint32_t unused;

	if (func && is_full(r)) {
		n = child_by_func(r, cur, func, &unused);
		n = n ? child_of(r, cur, key, func) : fold(r, key, func);
	} else if (func) {
		n = child_of(r, cur, key, func);
	}
	if (n)
		return n;
	r->n_lost++;
	pl_recording_lose(recording_of(r));
	return pl_node_at(r, priv_of(r)->lost);
}

/* --------------------------------------------------------------- stack -- */

static uint32_t frames_in(const struct pl_chunk *chunk)
{
	return (uint32_t)(((size_t)chunk->n_cells - 1) * PL_CELL /
			  sizeof(struct pl_frame));
}

static struct pl_chunk *take_stack(struct pl_recording *rec, size_t frames,
				   uint32_t owner)
{
	struct pl_chunk *chunk = NULL;
	uint32_t *at;

	pthread_mutex_lock(&rec->lock);
	for (at = &rec->free_stack; *at; at = &chunk->next) {
		chunk = pl_cell_at(rec, *at);
		if (frames_in(chunk) >= frames)
			break;
	}
	if (*at) {
		*at = chunk->next;
		chunk->owner = owner;
	} else {
		chunk = NULL;
	}
	pthread_mutex_unlock(&rec->lock);
	if (chunk)
		return chunk;
	return pl_recording_chunk(rec, PL_CHUNK_STACK,
				  frames * sizeof(struct pl_frame), owner);
}

static void give_stack(struct pl_recording *rec, uint32_t id)
{
	struct pl_chunk *chunk = pl_cell_at(rec, id);

	pthread_mutex_lock(&rec->lock);
	chunk->next = rec->free_stack;
	rec->free_stack = id;
	pthread_mutex_unlock(&rec->lock);
}

static void use_stack(struct pl_recorder *r, struct pl_chunk *chunk)
{
	struct pl_frame *frames = (struct pl_frame *)(chunk + 1);

	r->stack = (uint64_t)(uintptr_t)frames;
	r->stack_cell = pl_cell_of(recording_of(r), frames);
	r->stack_frames = frames_in(chunk);
	r->limit = r->stack + (uint64_t)r->stack_frames * sizeof(*frames);
}

bool pl_stack_grow(struct pl_recorder *r)
{
	struct pl_recording *rec = recording_of(r);
	uint64_t used = r->sp - r->stack;
	uint64_t old = r->stack;
	uint32_t old_chunk = r->stack_cell - 1;
	struct pl_chunk *chunk;

	chunk = take_stack(rec, (size_t)r->stack_frames * 2, r->self);
	if (!chunk) {
		/* This call goes unseen; its leave will match nothing. */
		r->n_lost++;
		pl_recording_lose(rec);
		return false;
	}
	memcpy(chunk + 1, (void *)(uintptr_t)old, used);
	use_stack(r, chunk);
	r->sp = r->stack + used;
	give_stack(rec, old_chunk);
	return true;
}

/* -------------------------------------------------------------- leaving -- */

static void pop_top(struct pl_recorder *r, uint64_t now)
{
	pl_pop(r, (struct pl_node *)r->cur, now);
}

/* Whether @f is the call that ends: the activation in @flags, if there is one,
 * else one of the function @func, whose key is @key. */
static bool is_frame_of(struct pl_recorder *r, const struct pl_frame *f,
			uint64_t key, uint32_t func, uint32_t flags)
{
	const uint32_t mask = (uint32_t)PL_FRAME_ACTIVATION | PL_FRAME_C;
	const struct pl_node *n = pl_node_at(r, f->node);

	if (flags & (uint32_t)PL_FRAME_ACTIVATION)
		return (f->flags & mask) == (flags & mask);
	if (f->flags & (uint32_t)PL_FRAME_ACTIVATION)
		return (f->flags & (uint32_t)PL_FRAME_ACTIVATION) ==
		       pl_frame_tag(key);
	return n->key == key || (func && n->func == func);
}

/* The open call that ends, or NULL.  The end of a call that was open when the
 * recording began, when nothing is open, is not counted as unmatched. */
static struct pl_frame *find_frame(struct pl_recorder *r, uint64_t key,
				   uint32_t flags)
{
	struct pl_frame *bottom = (struct pl_frame *)r->stack;
	struct pl_frame *top = (struct pl_frame *)r->sp - 1;
	struct pl_frame *least = top - bottom > SEARCH_FRAMES ?
				 top - SEARCH_FRAMES : bottom;
	uint32_t func;

	if (top == bottom)
		return NULL;
	if (!(flags & (uint32_t)PL_FRAME_ACTIVATION) &&
	    top->node == priv_of(r)->lost &&
	    (top->flags & PL_FRAME_C) == (flags & PL_FRAME_C))
		return top;
	func = pl_recording_key(recording_of(r), key);
	for (struct pl_frame *f = top; f > least; f--)
		if (is_frame_of(r, f, key, func, flags))
			return f;
	r->n_unmatched++;
	return NULL;
}

/* @f and what is above it; NULL: nothing. */
static void close_down_to(struct pl_recorder *r, const struct pl_frame *f,
			  uint64_t now)
{
	while (f && (const struct pl_frame *)r->sp > f)
		pop_top(r, now);
}

void pl_leave_slow(struct pl_recorder *r, uint64_t key, uint64_t now,
		   uint32_t flags)
{
	close_down_to(r, find_frame(r, key, flags), now);
}

void pl_leave_activation_slow(struct pl_recorder *r, uint64_t key,
			      uint32_t flags)
{
	const struct pl_frame *f = find_frame(r, key, flags);

	/* As pl_leave() does, where nothing is open. */
	if (f || r->sp == r->stack + sizeof(struct pl_frame))
		close_down_to(r, f, pl_tick_leave(r));
}

/* ----------------------------------------------------------- life cycle -- */

/* The recorder's clock as the calling thread can read it: the CPU time of
 * another thread can't be, and a timer of the user's only where Python may be
 * called; the last event must do there. */
static uint64_t tick_from_anywhere(struct pl_recorder *r, bool may_call)
{
	if (r->clock == PL_CLOCK_CPU && priv_of(r)->tls != &pl_tls)
		return r->latest;
	if (r->clock == PL_CLOCK_CALLABLE && !may_call)
		return r->latest;
	return pl_tick(r);
}

uint64_t pl_recorder_own_tick(struct pl_recorder *r)
{
	if (r->clock == PL_CLOCK_STEP || r->clock == PL_CLOCK_CALLABLE)
		return r->latest;
	return tick_from_anywhere(r, false);
}

static uint32_t flags_of(const struct pl_session *s)
{
	return (s->options.builtins ? PL_RECORDER_BUILTINS : 0) |
	       (s->options.all_calls ? PL_RECORDER_ALL_CALLS : 0) |
	       (s->is_scope ? PL_RECORDER_SCOPE : 0) |
	       (s->no_subcalls ? PL_RECORDER_NO_SUBCALLS : 0) |
	       (s->inside ? PL_RECORDER_WITHIN : 0);
}

static void init_clock(struct pl_recorder *r, const struct pl_rec_header *h)
{
	r->clock = h->clock;
	r->ticks_ns = r->clock == PL_CLOCK_WALL &&
		      h->tick_source == PL_TICK_NS;
}

/* The root and the node for lost calls: neither has a function. */
static bool init_nodes(struct pl_recorder *r)
{
	struct pl_node *root = alloc_node(r, 1, 0);
	struct pl_node *lost = root ? alloc_node(r, 1, 0) : NULL;

	if (!lost)
		return false;
	r->root = pl_node_id(r, root);
	r->cur = (uint64_t)(uintptr_t)root;
	priv_of(r)->lost = pl_node_id(r, lost);
	return true;
}

/* The root's frame alone. */
static void begin_stack(struct pl_recorder *r, struct pl_chunk *chunk)
{
	use_stack(r, chunk);
	*(struct pl_frame *)r->stack = (struct pl_frame){
		.node = r->root, .flags = PL_FRAME_SLOW,
	};
	r->sp = r->stack + sizeof(struct pl_frame);
	r->cur = (uint64_t)(uintptr_t)pl_node_at(r, r->root);
}

struct pl_recorder *pl_recorder_new(struct pl_session *session)
{
	struct pl_recording *rec = &session->rec;
	struct pl_recorder_priv *p = pl_pages_alloc(sizeof(*p));
	struct pl_recorder *r = p ? pl_recording_new_recorder(rec) : NULL;
	struct pl_chunk *stack;

	if (!r)
		goto fail;
	p->r = r;
	p->session = session;
	p->chunk_pages = FIRST_NODE_PAGES;
	r->priv = (uint64_t)(uintptr_t)p;
	r->base = (uint64_t)(uintptr_t)rec->base;
	r->self = pl_cell_of(rec, r);
	r->tid = (uint32_t)syscall(SYS_gettid);
	init_clock(r, rec->header);
	r->flags = flags_of(session);
	stack = take_stack(rec, FIRST_FRAMES, r->self);
	if (!stack || !init_nodes(r))
		goto fail;
	begin_stack(r, stack);
	p->tls = &pl_tls;
	r->start_ticks = r->latest = pl_recorder_own_tick(r);
	r->n_threads = 1;
	return r;
fail:
	/* A thread of which nothing will be known. */
	pl_recording_lose(rec);
	if (r)
		r->flags |= PL_RECORDER_ENDED;
	pl_pages_free(p, sizeof(*p));
	return NULL;
}

void pl_recorder_unwind(struct pl_recorder *r, bool may_call)
{
	uint64_t bottom = r->stack + sizeof(struct pl_frame);

	/* One reading per open call, as cProfile does when it is disabled
	 * inside of calls: a timer of its user's can tell. */
	while (r->sp > bottom)
		pop_top(r, tick_from_anywhere(r, may_call));
	pl_parking_clear(&priv_of(r)->parking);
}

bool pl_recorder_is_open(const struct pl_recorder *r)
{
	const struct pl_recorder_priv *p =
		(const struct pl_recorder_priv *)(uintptr_t)r->priv;

	return r->sp > r->stack + sizeof(struct pl_frame) ||
	       p->parking.frames || p->parking.slots;
}

void pl_recorder_end(struct pl_recorder *r)
{
	struct pl_recording *rec = recording_of(r);

	if (r->flags & PL_RECORDER_ENDED)
		return;
	pl_recorder_unwind(r, false);
	r->end_ticks = r->latest = pl_recorder_own_tick(r);
	r->pauses = r->pauses_now;
	__atomic_or_fetch(&r->flags, PL_RECORDER_ENDED, __ATOMIC_RELEASE);
	give_stack(rec, r->stack_cell - 1);
}

bool pl_recorder_take_over(struct pl_recorder *r)
{
	struct pl_session *s = priv_of(r)->session;
	struct pl_chunk *stack = take_stack(&s->rec, FIRST_FRAMES, r->self);

	if (!stack)
		return false;
	/* Nobody reads any of this before the flag is cleared. */
	begin_stack(r, stack);
	r->tid = (uint32_t)syscall(SYS_gettid);
	priv_of(r)->tls = &pl_tls;
	r->latest = r->last_start_ticks = pl_recorder_own_tick(r);
	r->pauses_now = r->pauses + (r->latest - r->end_ticks);
	r->n_threads++;
	r->name = 0;
	__atomic_store_n(&r->flags, flags_of(s), __ATOMIC_RELEASE);
	return true;
}

void pl_recorder_free_priv(struct pl_recorder_priv *p)
{
	for (uint32_t i = 1; i < p->n_tables; i++)
		table_release(&p->tables[i]);
	pl_pages_free(p->tables,
		      p->tables_capacity * sizeof(*p->tables));
	pl_parking_clear(&p->parking);
	pl_pages_free(p, sizeof(*p));
}
