/* SPDX-License-Identifier: MIT */
/*
 * recording.h: write a recording (format.h): the mapped file, its chunks, and
 * the interned names.
 *
 * A range of addresses is reserved once and the file is mapped into it piece
 * by piece, so that nothing ever moves:
 *
 *	base                          base + mapped            base + reserved
 *	|  file, mapped read-write    |  PROT_NONE             |
 *
 * Every piece is reserved on disk (posix_fallocate) before it is mapped.  A
 * recording without a path lives in private memory: a Profile's own.
 *
 * Threads: chunk allocation and interning take `lock`; they are off the hot
 * path.  A recorder's nodes and frames are written by its thread alone.
 */
#ifndef PL_CORE_RECORDING_H
#define PL_CORE_RECORDING_H

#include "base/err.h"
#include "core/format.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What a function is called.  Text is borrowed for the call. */
struct pl_funcdesc {
	const char *file, *name, *qualname, *module;
	size_t file_len, name_len, qualname_len, module_len;
	int32_t line;
	enum pl_func_kind kind;
};

/* Open-addressing set of ids; private pages. */
struct pl_idset {
	uint32_t *slots;		/* 0 = empty */
	uint32_t mask, n;
};

/* key (address) -> func id; private pages. */
struct pl_keymap {
	struct pl_keyslot {
		uint64_t key;
		uint32_t func;
		uint32_t spare;
	} *slots;
	uint32_t mask, n;
};

/* What the function that stands for others is called. */
#define PL_MORE_FUNCTIONS "(more functions)"

struct pl_recording {
	uint8_t *base;
	struct pl_rec_header *header;	/* == base */
	size_t reserved, mapped;	/* bytes */
	uint64_t next_page;		/* first page not yet in a chunk */
	int fd;				/* -1: private memory */
	dev_t dev;
	ino_t ino;
	void *life;			/* a page that holds the lock, or NULL */
	pid_t life_pid;			/* the process that has this page */
	bool is_locked;			/* the lock is taken, in either way */
	char *path;			/* own pages, or NULL */
	pthread_mutex_t lock;

	uint32_t strings, funcs, recorders; /* cell id of the chunk being filled */
	struct pl_idset str_set, func_set;
	struct pl_keymap keys;

	uint32_t max_functions;		/* 0: no cap; see pl_recording_func */
	uint32_t n_more;		/* functions that stand for others */

	uint32_t free_stack;		/* unused stacks, chained by ->next */

	struct pl_error lost;		/* why it could not grow, at first */
	/* So many of the next that want it to grow are refused unasked, and
	 * after the next refusal. */
	uint32_t unasked, then_unasked;
};

/*
 * Create a recording at @path (absolute; must not exist; mode 0600), or in
 * private memory when NULL.  The header is filled in but for who we are.
 * PL_ERR_NOMEM, PL_ERR_SYS (cannot create or map), PL_ERR_FULL.
 */
int pl_recording_create(struct pl_recording *rec, const char *path,
			enum pl_clock_kind clock, struct pl_error *err);

/* Give it a uuid of its own and note which process this is. */
void pl_recording_name(struct pl_recording *rec);

/* In a forked child: the lock of @rec stays with the parent. */
void pl_recording_leave_life(struct pl_recording *rec);

/* Unmap and close; the file stays. */
void pl_recording_close(struct pl_recording *rec);

/*
 * A chunk with at least @bytes of content, zeroed; NULL when there is no room.
 * Content begins one cell behind the chunk.  Takes the lock.
 */
struct pl_chunk *pl_recording_chunk(struct pl_recording *rec,
				    enum pl_chunk_kind kind, size_t bytes,
				    uint32_t owner);

/* Intern; 0 when there is no room.  Take the lock. */
uint32_t pl_recording_str(struct pl_recording *rec, const char *text,
			  size_t len);

/*
 * The same for a function.  Past max_functions a new one is not added.  One
 * function of its file and kind, called "(more functions)", stands for all
 * such functions; past a number of files (max_functions / 16), one of file
 * "(more files)" does.  Functions of kind PL_FUNC_SPECIAL are always added.
 */
uint32_t pl_recording_func(struct pl_recording *rec,
			   const struct pl_funcdesc *desc);

/* Func id of a key seen before, or 0; remember one.  Take the lock. */
uint32_t pl_recording_key(struct pl_recording *rec, uint64_t key);
bool pl_recording_set_key(struct pl_recording *rec, uint64_t key,
			  uint32_t func);

/*
 * Take @n keys back, in ascending order: no node has one of them any more, so
 * that what they were the addresses of may go.  False without memory: nothing
 * was done.  Other threads may be recording, but none a call of these keys.
 */
bool pl_recording_forget_keys(struct pl_recording *rec, const uint64_t *keys,
			      size_t n);

/* Put @n keys in ascending order. */
void pl_keys_sort(uint64_t *keys, size_t n);

/* Whether @key is one of @n keys in ascending order. */
bool pl_key_is_among(uint64_t key, const uint64_t *keys, size_t n);


/* A zeroed recorder slot, or NULL.  Takes the lock. */
struct pl_recorder *pl_recording_new_recorder(struct pl_recording *rec);

/* Something had no room: mark it as lost.  From any thread. */
static inline void pl_recording_lose(struct pl_recording *rec)
{
	__atomic_or_fetch(&rec->header->flags, PL_REC_F_LOST,
			  __ATOMIC_RELAXED);
}

/* The host is about to limit its address space, which counts what is reserved:
 * give back nearly all of it.  Takes the lock. */
void pl_recording_trim(struct pl_recording *rec);

/* Refresh header->latest. */
void pl_recording_sync(struct pl_recording *rec);

static inline uint32_t pl_cell_of(const struct pl_recording *rec,
				  const void *p)
{
	return (uint32_t)(((const uint8_t *)p - rec->base) / PL_CELL);
}

static inline void *pl_cell_at(const struct pl_recording *rec, uint32_t id)
{
	return rec->base + (uint64_t)id * PL_CELL;
}

#endif
