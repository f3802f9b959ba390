/* SPDX-License-Identifier: MIT */
/*
 * recfile.h: read a recording (format.h), trusting nothing in it.
 *
 * The file may be that of a living process (it grows and its counters move
 * while we look), of a killed one, or damaged.  So every number is checked
 * against the map of chunk kinds, every walk is bounded, and what lies behind
 * a damaged spot is left out and said, never guessed and never a crash.
 *
 * One thread per struct pl_recfile.  Nothing here writes to the file.
 */
#ifndef PL_CORE_RECFILE_H
#define PL_CORE_RECFILE_H

#include "base/err.h"
#include "core/format.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PL_PAGE_HEAD 0x80u		/* bit of page_kind */

struct pl_recfile {
	const uint8_t *base;		/* mapped, or borrowed memory */
	size_t bytes;			/* that may be read */
	size_t mapped;			/* bytes to munmap, 0: borrowed */
	struct pl_rec_header header;	/* a copy, taken at open */

	/* One per page: chunk kind, and PL_PAGE_HEAD when a chunk begins
	 * there; for FUNCS pages also the dense index of its first slot. */
	uint8_t *page_kind;
	uint32_t *page_first;
	uint32_t n_pages;

	/* Dense index -> func id, 0 = no function (yet: that of a living
	 * process is noted when it is first asked for). */
	uint32_t n_func_slots;		/* dense indices are below this */
	uint32_t *func_ids;

	uint32_t *recorders;		/* cell ids, in order of creation */
	uint32_t n_recorders;

	/* Ticks to nanoseconds: ns = base_ns + (ticks - base) * ns_per_tick */
	double ns_per_tick;
	uint64_t latest_ticks;		/* the last instant known of it */

	char damage[160];		/* "", or what was left out */
};

/*
 * Map @path.  PL_ERR_NOENT, PL_ERR_SYS, or PL_ERR_FORMAT for what is no
 * recording, one of a newer version, of another byte order, or whose header
 * is cut off.  Damage further in is no error: see `damage`.
 */
int pl_recfile_open(struct pl_recfile *rf, const char *path,
		    struct pl_error *err);

/* The same for a file that is open already.  @fd stays the caller's and may
 * be closed at once; @path is for sentences only. */
int pl_recfile_open_fd(struct pl_recfile *rf, int fd, const char *path,
		       struct pl_error *err);

/* The same over memory that stays the caller's (a Profile's own recording). */
int pl_recfile_view(struct pl_recfile *rf, const void *base, size_t bytes,
		    struct pl_error *err);

void pl_recfile_close(struct pl_recfile *rf);

/* Look a number up.  NULL when it is 0 or does not name such a thing. */
const struct pl_node *pl_recfile_node(const struct pl_recfile *rf, uint32_t id);
const struct pl_func *pl_recfile_func(const struct pl_recfile *rf, uint32_t id);
const struct pl_recorder *pl_recfile_recorder(const struct pl_recfile *rf,
					      uint32_t id);
/* Frame 0 of a recorder's shadow stack, and how many there are; NULL when it
 * was caught between two stacks. */
const struct pl_frame *pl_recfile_frames(const struct pl_recfile *rf,
					 const struct pl_recorder *r,
					 size_t *n);
/* Dense index of a function, below n_func_slots, or UINT32_MAX. */
uint32_t pl_recfile_func_index(const struct pl_recfile *rf, uint32_t id);

/* Text of a str id, NUL-terminated, borrowed from the map; "" for 0 or a bad
 * id.  @len may be NULL (text such as argv holds NUL bytes). */
const char *pl_recfile_str(const struct pl_recfile *rf, uint32_t id,
			   size_t *len);

/* What the recording of a living process does not say: that time went on since
 * its last event. */
void pl_recfile_until_now(struct pl_recfile *rf);

/* A duration, and an instant on CLOCK_REALTIME, in nanoseconds. */
int64_t pl_recfile_ns(const struct pl_recfile *rf, uint64_t ticks);
int64_t pl_recfile_real_ns(const struct pl_recfile *rf, uint64_t ticks);

#endif
