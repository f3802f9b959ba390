/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "core/recfile.h"

#include "base/owner.h"
#include "core/clock.h"
#include "core/live.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE_CELLS (PL_PAGE / PL_CELL)
#define PAGE_FUNCS (PL_PAGE / sizeof(struct pl_func))
#define RECORDER_CELLS (sizeof(struct pl_recorder) / PL_CELL)

/* Longer than any clock of ours can have run (36 years); what claims more is
 * damaged, and is cut to this so that sums have room. */
#define MOST_NS (INT64_C(1) << 60)

/* An interval shorter than this gives the rate no better than the processor's
 * own statement does: each end is known to some 30 ns. */
#define GOOD_INTERVAL_NS 10000000
#define LEAST_INTERVAL_NS 10000

static void say_damage(struct pl_recfile *rf, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* The first thing that is wrong is the one worth telling. */
static void say_damage(struct pl_recfile *rf, const char *fmt, ...)
{
	va_list ap;

	if (*rf->damage)
		return;
	va_start(ap, fmt);
	vsnprintf(rf->damage, sizeof(rf->damage), fmt, ap);
	va_end(ap);
}

/* ----------------------------------------------------------- the header -- */

static int read_header(struct pl_recfile *rf, const char *path,
		       struct pl_error *err)
{
	struct pl_rec_header *h = &rf->header;
	size_t claimed;

	if (rf->bytes < sizeof(*h) ||
	    memcmp(rf->base, PL_REC_MAGIC, sizeof(h->magic)))
		return pl_fail(err, PL_ERR_FORMAT,
			       "%s is not a recording of proflite", path);
	memcpy(h, rf->base, sizeof(*h));
	/* Acquire: the chunks that n_cells covers are complete. */
	h->n_cells = __atomic_load_n(
		&((const struct pl_rec_header *)rf->base)->n_cells,
		__ATOMIC_ACQUIRE);
	if (h->byte_order != PL_REC_BYTE_ORDER)
		return pl_fail(err, PL_ERR_FORMAT, "%s was recorded on a "
			       "machine of another byte order: read it there",
			       path);
	if (h->version != PL_REC_VERSION ||
	    h->header_bytes != sizeof(*h) ||
	    h->node_bytes != sizeof(struct pl_node))
		return pl_fail(err, PL_ERR_FORMAT, "%s was recorded by another "
			       "version of proflite (format %u, this one reads "
			       "%u): read it with that one", path, h->version,
			       PL_REC_VERSION);
	claimed = (size_t)h->n_cells * PL_CELL;
	if (claimed > rf->bytes)
		say_damage(rf, "the recording is cut off: %zu of %zu bytes "
			   "are there", rf->bytes, claimed);
	else
		rf->bytes = claimed;
	return 0;
}

/* ----------------------------------------------------------- the chunks -- */

/*
 * Walk the chunks and note what each page is.  Every page of a chunk but its
 * first lies in the middle of it, so a number is checked by two look-ups and
 * never by a search.
 */
static void map_chunk(struct pl_recfile *rf, uint32_t page, uint32_t kind,
		      uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		rf->page_kind[page + i] =
			(uint8_t)(kind | (i ? 0 : PL_PAGE_HEAD));
		if (kind != PL_CHUNK_FUNCS)
			continue;
		rf->page_first[page + i] = rf->n_func_slots;
		rf->n_func_slots += PAGE_FUNCS;
	}
}

static void map_pages(struct pl_recfile *rf)
{
	uint32_t page = 1;

	while (page < rf->n_pages) {
		const struct pl_chunk *c = (const struct pl_chunk *)
			(rf->base + (size_t)page * PL_PAGE);
		uint32_t n = c->n_cells / PAGE_CELLS;

		if (c->magic != PL_CHUNK_MAGIC || !n ||
		    c->n_cells % PAGE_CELLS) {
			say_damage(rf, "the recording is damaged from byte %zu "
				   "of %zu on", (size_t)page * PL_PAGE,
				   rf->bytes);
			return;
		}
		if (n > rf->n_pages - page) {
			n = rf->n_pages - page;
			say_damage(rf, "the recording ends in the middle of a "
				   "chunk, at byte %zu", rf->bytes);
		}
		/* A kind of a later version holds nothing we know. */
		if (c->kind <= PL_CHUNK_STACK)
			map_chunk(rf, page, c->kind, n);
		page += n;
	}
}

static uint8_t kind_of_cell(const struct pl_recfile *rf, uint32_t id)
{
	uint32_t page = id / PAGE_CELLS;
	uint8_t kind;

	if (page >= rf->n_pages)
		return 0;
	kind = rf->page_kind[page];
	if (!(kind & PL_PAGE_HEAD))
		return kind;
	/* The first cell is the chunk's own header. */
	return id % PAGE_CELLS ? kind & (uint8_t)~PL_PAGE_HEAD : 0;
}

static int list_recorders(struct pl_recfile *rf)
{
	uint32_t capacity = 0;

	for (uint32_t page = 1; page < rf->n_pages; page++)
		if ((rf->page_kind[page] & ~PL_PAGE_HEAD) ==
		    PL_CHUNK_RECORDERS)
			capacity += PAGE_CELLS / RECORDER_CELLS;
	rf->recorders = malloc((capacity + 1) * sizeof(*rf->recorders));
	if (!rf->recorders)
		return PL_ERR_NOMEM;
	for (uint32_t page = 1; page < rf->n_pages; page++) {
		uint32_t id = page * PAGE_CELLS;

		/* Slots are counted from the chunk's second cell, so those of
		 * a page begin one cell in, whichever page it is: 4 divides
		 * 64. */
		if ((rf->page_kind[page] & ~PL_PAGE_HEAD) !=
		    PL_CHUNK_RECORDERS)
			continue;
		for (id++; id < (page + 1) * PAGE_CELLS; id += RECORDER_CELLS)
			if (pl_recfile_recorder(rf, id))
				rf->recorders[rf->n_recorders++] = id;
	}
	return 0;
}

static void list_funcs(struct pl_recfile *rf)
{
	for (uint32_t page = 1; page < rf->n_pages; page++) {
		if ((rf->page_kind[page] & ~PL_PAGE_HEAD) != PL_CHUNK_FUNCS)
			continue;
		for (uint32_t i = 0; i < PAGE_FUNCS; i++)
			pl_recfile_func_index(rf, page * PAGE_FUNCS + i);
	}
}

/* ------------------------------------------------------------ the clock -- */

/* Nanoseconds a tick between two instants, 0 when they do not tell. */
static double rate_between(const struct pl_sync *a, const struct pl_sync *b,
			   int64_t least_ns)
{
	int64_t ns;

	if (b->ticks <= a->ticks || b->mono_ns <= a->mono_ns ||
	    __builtin_sub_overflow(b->mono_ns, a->mono_ns, &ns) ||
	    ns < least_ns)
		return 0;
	return (double)ns / (double)(b->ticks - a->ticks);
}

static bool was_ever_suspended(void)
{
	return pl_clock_ns(CLOCK_BOOTTIME) - pl_clock_ns(CLOCK_MONOTONIC) >
	       1000000;
}

/*
 * The counter still runs: reading it now makes a long interval out of the
 * start of a short recording.  Not after a suspension, during which counter
 * and clock may have gone apart.
 */
static double rate_until_now(const struct pl_rec_header *h)
{
	uint8_t boot_id[16];
	struct pl_sync now;

	pl_live_boot_id(boot_id);
	if (h->tick_source != PL_HAVE_COUNTER ||
	    h->tick_source != (uint32_t)pl_clock_source() ||
	    memcmp(boot_id, h->boot_id, 16) || was_ever_suspended())
		return 0;
	pl_clock_sync(&now, PL_CLOCK_WALL, h->tick_source);
	return rate_between(&h->start, &now, GOOD_INTERVAL_NS);
}

static bool is_near(double a, double b)
{
	return a > b * 0.99 && a < b * 1.01;
}

static void find_rate(struct pl_recfile *rf)
{
	const struct pl_rec_header *h = &rf->header;
	double rough, rate;

	rf->ns_per_tick = 1;
	if (h->clock == PL_CLOCK_CALLABLE && h->tick_hz)
		rf->ns_per_tick = 1e9 / (double)h->tick_hz;
	if (h->clock != PL_CLOCK_WALL || h->tick_source == PL_TICK_NS)
		return;
	rate = rate_between(&h->start, &h->latest, GOOD_INTERVAL_NS);
	rough = rate_between(&h->start, &h->latest, LEAST_INTERVAL_NS);
	if (!rough && h->tick_hz)
		rough = 1e9 / (double)h->tick_hz;
	if (!rate) {
		rate = rate_until_now(h);
		if (rough && !is_near(rate, rough))
			rate = 0;
	}
	if (!rate && h->tick_hz)
		rate = 1e9 / (double)h->tick_hz;
	if (!rate)
		rate = rough;
	/* 1 MHz to 100 GHz: what no counter runs at is no rate. */
	if (!(rate > 0.01 && rate < 1000)) {
		say_damage(rf, "the rate of the recording's clock is not "
			   "known: times are in ticks");
		return;
	}
	rf->ns_per_tick = rate;
}

static void find_latest(struct pl_recfile *rf)
{
	rf->latest_ticks = rf->header.latest.ticks;
	for (uint32_t i = 0; i < rf->n_recorders; i++) {
		const struct pl_recorder *r =
			pl_recfile_recorder(rf, rf->recorders[i]);

		if (r->latest > rf->latest_ticks)
			rf->latest_ticks = r->latest;
	}
}

void pl_recfile_until_now(struct pl_recfile *rf)
{
	const struct pl_rec_header *h = &rf->header;
	struct pl_sync now;

	if (h->clock != PL_CLOCK_WALL ||
	    (h->tick_source != PL_TICK_NS &&
	     h->tick_source != PL_HAVE_COUNTER))
		return;
	pl_clock_sync(&now, PL_CLOCK_WALL, h->tick_source);
	if (now.ticks > rf->latest_ticks)
		rf->latest_ticks = now.ticks;
}

int64_t pl_recfile_ns(const struct pl_recfile *rf, uint64_t ticks)
{
	double ns;

	if (rf->ns_per_tick == 1)
		return ticks < (uint64_t)MOST_NS ? (int64_t)ticks : MOST_NS;
	ns = (double)ticks * rf->ns_per_tick;
	return ns < (double)MOST_NS ? (int64_t)(ns + 0.5) : MOST_NS;
}

int64_t pl_recfile_real_ns(const struct pl_recfile *rf, uint64_t ticks)
{
	const struct pl_sync *start = &rf->header.start;
	int64_t since = 0, real;

	/* The other clocks say how much time was used, not when. */
	if (rf->header.clock == PL_CLOCK_WALL)
		since = ticks >= start->ticks ?
			pl_recfile_ns(rf, ticks - start->ticks) :
			-pl_recfile_ns(rf, start->ticks - ticks);
	if (__builtin_add_overflow(start->real_ns, since, &real))
		return start->real_ns;
	return real;
}

/* --------------------------------------------------------- open, close -- */

static int load(struct pl_recfile *rf, const char *path, struct pl_error *err)
{
	int rc = read_header(rf, path, err);

	if (rc)
		return rc;
	rf->n_pages = (uint32_t)(rf->bytes / PL_PAGE);
	rf->page_kind = calloc(rf->n_pages + 1, sizeof(*rf->page_kind));
	rf->page_first = calloc(rf->n_pages + 1, sizeof(*rf->page_first));
	if (!rf->page_kind || !rf->page_first)
		goto no_memory;
	map_pages(rf);
	rf->func_ids = calloc(rf->n_func_slots + 1, sizeof(*rf->func_ids));
	if (!rf->func_ids || list_recorders(rf))
		goto no_memory;
	list_funcs(rf);
	find_latest(rf);
	find_rate(rf);
	return 0;
no_memory:
	return pl_fail(err, PL_ERR_NOMEM, "no memory to read %s", path);
}

int pl_recfile_view(struct pl_recfile *rf, const void *base, size_t bytes,
		    struct pl_error *err)
{
	int rc;

	memset(rf, 0, sizeof(*rf));
	rf->base = base;
	rf->bytes = bytes;
	rc = load(rf, "the recording in memory", err);
	if (rc)
		pl_recfile_close(rf);
	return rc;
}

/* A recording is reserved on the disk before it is written, so it has blocks
 * for all of its bytes; fewer on a file system that compresses. */
#define LEAST_LIMIT ((size_t)16 << 20)
#define MOST_COMPRESSION 64

/*
 * How much of the file may be read: memory is in proportion to that, and a
 * sparse file costs nothing, so it is a multiple of what the disk has.
 */
static size_t most_bytes(const struct stat *st)
{
	size_t limit = (size_t)st->st_blocks * 512 * MOST_COMPRESSION;

	return limit < LEAST_LIMIT ? LEAST_LIMIT : limit;
}

static void limit_to_blocks(struct pl_recfile *rf, const struct stat *st)
{
	if (rf->bytes <= most_bytes(st))
		return;
	say_damage(rf, "the recording is sparse: the disk has %lld of its %zu "
		   "bytes", (long long)st->st_blocks * 512, rf->bytes);
	rf->bytes = most_bytes(st);
}

#define COPY_AT_ONCE ((size_t)1 << 16)

static bool is_zero_page(const uint8_t *page)
{
	return !*page && !memcmp(page, page + 1, PL_PAGE - 1);
}

/* Pages of zeros are not written to, so that they take no memory. */
static void copy_pages(uint8_t *to, const uint8_t *from, size_t n)
{
	for (size_t at = 0; at < n; at += PL_PAGE)
		if (n - at < PL_PAGE)
			memcpy(to + at, from + at, n - at);
		else if (!is_zero_page(from + at))
			memcpy(to + at, from + at, PL_PAGE);
}

/* What cannot be read is zero: the file may have been cut meanwhile. */
static void copy_bytes(uint8_t *base, int fd, size_t n, uint8_t *buffer)
{
	size_t done = 0;

	while (done < n) {
		size_t want = n - done < COPY_AT_ONCE ? n - done : COPY_AT_ONCE;
		ssize_t got = pread(fd, buffer, want, (off_t)done);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return;
		copy_pages(base + done, buffer, (size_t)got);
		done += (size_t)got;
	}
}

static void *copy_file(int fd, const struct stat *st)
{
	size_t n = (size_t)st->st_size;
	size_t most = most_bytes(st);
	uint8_t *buffer = malloc(COPY_AT_ONCE);
	void *base;

	if (!buffer)
		return MAP_FAILED;
	base = mmap(NULL, n, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (base != MAP_FAILED)
		copy_bytes(base, fd, n < most ? n : most, buffer);
	free(buffer);
	return base;
}

/*
 * A file that another user can write to is copied: cut off, its map would be a
 * SIGBUS, and changed, a number could be another one after it was checked.
 * Nobody else can do that to ours, which are mapped.
 */
static void *read_file(int fd, const struct stat *st)
{
	if (pl_owner_can_others_write(st))
		return copy_file(fd, st);
	return mmap(NULL, (size_t)st->st_size, PROT_READ, MAP_SHARED, fd, 0);
}

int pl_recfile_open_fd(struct pl_recfile *rf, int fd, const char *path,
		       struct pl_error *err)
{
	struct stat st;
	void *base;
	int rc;

	memset(rf, 0, sizeof(*rf));
	if (fstat(fd, &st))
		return pl_fail_errno(err, PL_ERR_SYS, "cannot read %s", path);
	if (!S_ISREG(st.st_mode) || !st.st_size)
		return pl_fail(err, PL_ERR_FORMAT,
			       "%s is not a recording of proflite", path);
	base = read_file(fd, &st);
	if (base == MAP_FAILED)
		return pl_fail_errno(err, PL_ERR_SYS, "cannot read %s", path);
	rf->base = base;
	rf->bytes = rf->mapped = (size_t)st.st_size;
	limit_to_blocks(rf, &st);
	rc = load(rf, path, err);
	if (rc)
		pl_recfile_close(rf);
	return rc;
}

int pl_recfile_open(struct pl_recfile *rf, const char *path,
		    struct pl_error *err)
{
	/* Not to wait for the writer of a pipe. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int rc;

	memset(rf, 0, sizeof(*rf));
	if (fd < 0)
		return pl_fail_errno(err, errno == ENOENT ? PL_ERR_NOENT
							  : PL_ERR_SYS,
				     "cannot open %s", path);
	rc = pl_recfile_open_fd(rf, fd, path, err);
	close(fd);
	return rc;
}

void pl_recfile_close(struct pl_recfile *rf)
{
	if (rf->mapped)
		munmap((void *)rf->base, rf->mapped);
	free(rf->page_kind);
	free(rf->page_first);
	free(rf->func_ids);
	free(rf->recorders);
	memset(rf, 0, sizeof(*rf));
}

/* ------------------------------------------------------------- look-ups -- */

static const void *cell_at(const struct pl_recfile *rf, uint32_t id)
{
	return rf->base + (size_t)id * PL_CELL;
}

const struct pl_node *pl_recfile_node(const struct pl_recfile *rf, uint32_t id)
{
	return kind_of_cell(rf, id) == PL_CHUNK_NODES ? cell_at(rf, id) : NULL;
}

const struct pl_recorder *pl_recfile_recorder(const struct pl_recfile *rf,
					      uint32_t id)
{
	const struct pl_recorder *r;

	if (kind_of_cell(rf, id) != PL_CHUNK_RECORDERS ||
	    kind_of_cell(rf, id + RECORDER_CELLS - 1) != PL_CHUNK_RECORDERS)
		return NULL;
	r = cell_at(rf, id);
	/* Its own number is the last thing a new recorder is given. */
	return r->self == id ? r : NULL;
}

const struct pl_frame *pl_recfile_frames(const struct pl_recfile *rf,
					 const struct pl_recorder *r,
					 size_t *n)
{
	const uint8_t *first = rf->base + (size_t)r->stack_cell * PL_CELL;
	uint64_t used = r->sp - r->stack;
	size_t last;

	*n = used / sizeof(struct pl_frame);
	if (used % sizeof(struct pl_frame) || !*n || *n > r->stack_frames)
		return NULL;
	last = (size_t)r->stack_cell * PL_CELL + used - 1;
	for (size_t p = (size_t)r->stack_cell * PL_CELL / PL_PAGE;
	     p <= last / PL_PAGE; p++)
		if (p >= rf->n_pages ||
		    (rf->page_kind[p] & ~PL_PAGE_HEAD) != PL_CHUNK_STACK)
			return NULL;
	return (const struct pl_frame *)first;
}

const struct pl_func *pl_recfile_func(const struct pl_recfile *rf, uint32_t id)
{
	const struct pl_func *f;

	if (kind_of_cell(rf, id / 2) != PL_CHUNK_FUNCS)
		return NULL;
	f = (const struct pl_func *)rf->base + id;
	return f->name && f->file ? f : NULL;
}

uint32_t pl_recfile_func_index(const struct pl_recfile *rf, uint32_t id)
{
	uint32_t index;

	if (!pl_recfile_func(rf, id))
		return UINT32_MAX;
	index = rf->page_first[id / PAGE_FUNCS] + id % PAGE_FUNCS;
	rf->func_ids[index] = id;
	return index;
}

const char *pl_recfile_str(const struct pl_recfile *rf, uint32_t id,
			   size_t *len)
{
	size_t at = (size_t)id * 8, end;
	const struct pl_str *s;
	uint32_t n;

	if (len)
		*len = 0;
	if (kind_of_cell(rf, id / (PL_CELL / 8)) != PL_CHUNK_STRINGS)
		return "";
	s = (const struct pl_str *)(rf->base + at);
	n = s->len;
	end = at + sizeof(*s) + n;		/* of the NUL */
	if (end / PL_PAGE >= rf->n_pages)
		return "";
	/* A string lies in one chunk: no later page of it begins one. */
	for (size_t page = at / PL_PAGE + 1; page <= end / PL_PAGE; page++)
		if (rf->page_kind[page] != PL_CHUNK_STRINGS)
			return "";
	if (s->bytes[n])
		return "";
	if (len)
		*len = n;
	return s->bytes;
}
