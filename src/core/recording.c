/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "core/recording.h"

#include "base/filelimit.h"
#include "base/hash.h"
#include "core/clock.h"
#include "core/live.h"
#include "core/uuid.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * Address space, not memory.  32 GB is what a str id, a u32 of 8 bytes, can name;
 * a process under a limit of address space (ulimit -v) gets less.
 */
#define RESERVE_FILE (UINT64_C(1) << 35)
#define RESERVE_PRIVATE (UINT64_C(1) << 32)
#define RESERVE_LEAST (UINT64_C(1) << 22)
#define KEEP_RESERVED (UINT64_C(1) << 26)

#define GROW_LEAST (256u << 10)
#define GROW_MOST (8u << 20)
#define MOST_UNASKED (64 * 1024 - 1)

/* Descriptors below this belong to the host: a program may count on getting
 * the lowest free number from open(). */
#define FD_LEAST 700

/* ------------------------------------------------------- address space -- */

/* A limit of address space (ulimit -v) counts what is only reserved as well,
 * and most of it is the host's. */
static size_t share_of_limit(size_t want)
{
	struct rlimit limit;

	if (!getrlimit(RLIMIT_AS, &limit) && limit.rlim_cur != RLIM_INFINITY)
		while (want > RESERVE_LEAST && want > limit.rlim_cur / 8)
			want /= 2;
	return want;
}

static int reserve(struct pl_recording *rec, size_t want, struct pl_error *err)
{
	for (want = share_of_limit(want); want >= RESERVE_LEAST;
	     want /= 2) {
		void *p = mmap(NULL, want, PROT_NONE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
			       0);

		if (p != MAP_FAILED) {
			rec->base = p;
			rec->reserved = want;
			return 0;
		}
	}
	return pl_fail_errno(err, PL_ERR_NOMEM, "cannot reserve addresses");
}

/* Past the soft limit the file cannot grow, although the disk has room. */
static bool within_file_limit(size_t size)
{
	struct rlimit limit;

	return getrlimit(RLIMIT_FSIZE, &limit) ||
	       limit.rlim_cur == RLIM_INFINITY || size <= limit.rlim_cur;
}

static bool is_our_file(const struct pl_recording *rec, int fd)
{
	struct stat st;

	return !fstat(fd, &st) && st.st_dev == rec->dev &&
	       st.st_ino == rec->ino;
}

/*
 * The lock of an open file description lasts as long as that is referred to,
 * and a mapping refers to it when its descriptor is long closed.  A forked
 * child, which would keep it alive, has no copy of the mapping.
 */
static void *lock_by_map(const struct pl_recording *rec, int fd)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET,
			      .l_start = 0, .l_len = 1 };
	void *page;

	if (!is_our_file(rec, fd) || fcntl(fd, F_OFD_SETLK, &lock))
		return NULL;
	page = mmap(NULL, PL_PAGE, PROT_NONE, MAP_SHARED, fd, 0);
	if (page == MAP_FAILED)
		return NULL;
	if (!madvise(page, PL_PAGE, MADV_DONTFORK))
		return page;
	munmap(page, PL_PAGE);
	return NULL;
}

/* The sign of life, see live.h.  Where locks do not work (some network file
 * systems) the pid serves alone. */
static void show_life(struct pl_recording *rec)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET,
			      .l_start = 0, .l_len = 1 };
	int fd;

	if (rec->life)
		return;
	fd = open(rec->path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd >= 0) {
		rec->life = lock_by_map(rec, fd);
		rec->life_pid = getpid();
		close(fd);
	}
	rec->is_locked = rec->life || !fcntl(rec->fd, F_SETLK, &lock);
}

static void end_life(struct pl_recording *rec)
{
	/* In a child something else may be there by now. */
	if (rec->life && rec->life_pid == getpid())
		munmap(rec->life, PL_PAGE);
	rec->life = NULL;
}

void pl_recording_leave_life(struct pl_recording *rec)
{
	rec->life = NULL;
}

/*
 * A host may close descriptors it does not know (daemons close all), and the
 * number may then be another file's.  Never write to that one: look first,
 * and open our file again if it is gone.
 */
static int check_fd(struct pl_recording *rec, struct pl_error *err)
{
	int fd;

	if (is_our_file(rec, rec->fd))
		return 0;
	fd = open(rec->path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return pl_fail_errno(err, PL_ERR_SYS, "%s", rec->path);
	if (!is_our_file(rec, fd)) {
		close(fd);
		return pl_fail(err, PL_ERR_SYS, "%s was replaced", rec->path);
	}
	rec->fd = fcntl(fd, F_DUPFD_CLOEXEC, FD_LEAST);
	if (rec->fd < 0)
		rec->fd = fd;
	else
		close(fd);
	/* Whatever closes a file, a lock of the process's is gone. */
	show_life(rec);
	return 0;
}

static int grow_file(struct pl_recording *rec, size_t step,
		     struct pl_error *err)
{
	struct pl_filelimit limit;
	int rc;

	rc = check_fd(rec, err);
	if (rc)
		return rc;
	if (!within_file_limit(rec->mapped + step))
		return pl_fail(err, PL_ERR_FULL,
			       "%s: the limit of file size is reached",
			       rec->path);
	pl_filelimit_begin(&limit);
	do
		rc = posix_fallocate(rec->fd, (off_t)rec->mapped, (off_t)step);
	while (rc == EINTR);
	pl_filelimit_end(&limit);
	if (rc) {
		errno = rc;
		return pl_fail_errno(err, PL_ERR_FULL, "%s", rec->path);
	}
	if (mmap(rec->base + rec->mapped, step, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_FIXED, rec->fd, (off_t)rec->mapped) ==
	    MAP_FAILED)
		return pl_fail_errno(err, PL_ERR_SYS, "cannot map %s",
				     rec->path);
	return 0;
}

static int grow_private(struct pl_recording *rec, size_t step,
			struct pl_error *err)
{
	if (mmap(rec->base + rec->mapped, step, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
		return pl_fail_errno(err, PL_ERR_NOMEM, "cannot map memory");
	return 0;
}

/* Map at least @bytes more.  The step doubles with the file, within bounds:
 * few system calls for a big tree, little waste for a small one. */
static int grow(struct pl_recording *rec, size_t bytes, struct pl_error *err)
{
	size_t step = rec->mapped;
	int rc;

	if (step > GROW_MOST)
		step = GROW_MOST;
	if (step < GROW_LEAST)
		step = GROW_LEAST;
	if (step < bytes)
		step = (bytes + PL_PAGE - 1) / PL_PAGE * PL_PAGE;
	if (step > rec->reserved - rec->mapped)
		return pl_fail(err, PL_ERR_FULL, "recording is full");
	rc = rec->fd >= 0 ? grow_file(rec, step, err)
			  : grow_private(rec, step, err);
	if (!rc)
		rec->mapped += step;
	return rc;
}

/*
 * Where there is no room every call of a new path wants some, and a file system
 * takes a hundred times as long to say no as the call does.  So it is asked
 * again after 1, 3, 7, ... such calls; when it has room again, the recording
 * goes on.
 */
static bool has_grown(struct pl_recording *rec, size_t bytes)
{
	if (rec->unasked) {
		rec->unasked--;
		return false;
	}
	/* What is said in the end is why it failed at first. */
	if (grow(rec, bytes, *rec->lost.text ? NULL : &rec->lost)) {
		rec->unasked = rec->then_unasked;
		if (rec->then_unasked < MOST_UNASKED)
			rec->then_unasked = rec->then_unasked * 2 + 1;
		return false;
	}
	rec->then_unasked = 0;
	return true;
}

/* -------------------------------------------------------------- create -- */

static int open_file(struct pl_recording *rec, const char *path,
		     struct pl_error *err)
{
	size_t len = strlen(path) + 1;
	struct stat st;
	int fd, high;

	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
		  0600);
	if (fd < 0)
		return pl_fail_errno(err, PL_ERR_SYS, "cannot create %s", path);
	high = fcntl(fd, F_DUPFD_CLOEXEC, FD_LEAST);
	if (high >= 0) {
		close(fd);
		fd = high;
	}
	rec->fd = fd;
	rec->path = pl_pages_alloc(len);
	if (!rec->path || fstat(fd, &st))
		return pl_fail(err, PL_ERR_NOMEM, "no memory");
	memcpy(rec->path, path, len);
	rec->dev = st.st_dev;
	rec->ino = st.st_ino;
	show_life(rec);
	return 0;
}

void pl_recording_name(struct pl_recording *rec)
{
	struct pl_rec_header *h = rec->header;

	pl_uuid_make(h->uuid);
	h->pid = (uint32_t)getpid();
	h->ppid = (uint32_t)getppid();
	h->proc_start = pl_live_own_start();
	h->pid_namespace = pl_live_pid_namespace();
}

static void init_header(struct pl_recording *rec, enum pl_clock_kind clock)
{
	typedef uint64_t __attribute__((may_alias)) eight_bytes;
	struct pl_rec_header *h = rec->header;
	eight_bytes magic;

	h->version = PL_REC_VERSION;
	h->byte_order = PL_REC_BYTE_ORDER;
	h->header_bytes = sizeof(*h);
	h->node_bytes = sizeof(struct pl_node);
	pl_recording_name(rec);
	pl_live_boot_id(h->boot_id);
	h->end_status = -1;
	h->clock = clock;
	h->tick_source = clock == PL_CLOCK_WALL ? pl_clock_source()
						: PL_TICK_NS;
	h->tick_hz = clock == PL_CLOCK_WALL ? pl_clock_hz() : 1000000000;
	pl_clock_sync(&h->start, clock, h->tick_source);
	h->latest = h->start;
	h->n_cells = PL_PAGE / PL_CELL;
	rec->next_page = 1;
	/* Last: what is killed before that leaves no recording. */
	memcpy(&magic, PL_REC_MAGIC, sizeof(magic));
	__atomic_store_n((eight_bytes *)h->magic, magic, __ATOMIC_RELEASE);
}

int pl_recording_create(struct pl_recording *rec, const char *path,
			enum pl_clock_kind clock, struct pl_error *err)
{
	int rc;

	memset(rec, 0, sizeof(*rec));
	rec->fd = -1;
	pthread_mutex_init(&rec->lock, NULL);
	rc = reserve(rec, path ? RESERVE_FILE : RESERVE_PRIVATE, err);
	if (!rc && path)
		rc = open_file(rec, path, err);
	if (!rc)
		rc = grow(rec, PL_PAGE, err);
	if (rc) {
		if (rec->path)
			unlink(rec->path);
		pl_recording_close(rec);
		return rc;
	}
	rec->header = (struct pl_rec_header *)rec->base;
	if (rec->is_locked)
		rec->header->flags |= PL_REC_F_LOCKED;
	init_header(rec, clock);
	return 0;
}

void pl_recording_close(struct pl_recording *rec)
{
	end_life(rec);
	if (rec->fd >= 0 && is_our_file(rec, rec->fd))
		close(rec->fd);
	rec->fd = -1;
	if (rec->base)
		munmap(rec->base, rec->reserved);
	if (rec->path)
		pl_pages_free(rec->path, strlen(rec->path) + 1);
	pl_pages_free(rec->str_set.slots, sizeof(uint32_t) *
		      ((size_t)rec->str_set.mask + 1));
	pl_pages_free(rec->func_set.slots, sizeof(uint32_t) *
		      ((size_t)rec->func_set.mask + 1));
	pl_pages_free(rec->keys.slots, sizeof(*rec->keys.slots) *
		      ((size_t)rec->keys.mask + 1));
	pthread_mutex_destroy(&rec->lock);
	memset(rec, 0, sizeof(*rec));
	rec->fd = -1;
}

void pl_recording_trim(struct pl_recording *rec)
{
	size_t keep;

	pthread_mutex_lock(&rec->lock);
	keep = rec->mapped + KEEP_RESERVED;
	if (rec->base && keep < rec->reserved &&
	    !munmap(rec->base + keep, rec->reserved - keep))
		rec->reserved = keep;
	pthread_mutex_unlock(&rec->lock);
}

void pl_recording_sync(struct pl_recording *rec)
{
	struct pl_rec_header *h = rec->header;

	pl_clock_sync(&h->latest, h->clock, h->tick_source);
}

/* -------------------------------------------------------------- chunks -- */

static struct pl_chunk *chunk_locked(struct pl_recording *rec,
				     enum pl_chunk_kind kind, size_t bytes,
				     uint32_t owner)
{
	uint64_t pages = (bytes + PL_CELL + PL_PAGE - 1) / PL_PAGE;
	uint64_t end = rec->next_page + pages;
	struct pl_chunk *chunk;

	if (end * PL_PAGE > rec->mapped &&
	    !has_grown(rec, end * PL_PAGE - rec->mapped)) {
		pl_recording_lose(rec);
		return NULL;
	}
	chunk = (struct pl_chunk *)(rec->base + rec->next_page * PL_PAGE);
	chunk->magic = PL_CHUNK_MAGIC;
	chunk->kind = kind;
	chunk->n_cells = (uint32_t)(pages * PL_PAGE / PL_CELL);
	chunk->owner = owner;
	rec->next_page = end;
	/* Release: the chunk's header is complete before it is counted. */
	__atomic_store_n(&rec->header->n_cells,
			 (uint32_t)(end * PL_PAGE / PL_CELL), __ATOMIC_RELEASE);
	pl_recording_sync(rec);
	return chunk;
}

struct pl_chunk *pl_recording_chunk(struct pl_recording *rec,
				    enum pl_chunk_kind kind, size_t bytes,
				    uint32_t owner)
{
	struct pl_chunk *chunk;

	pthread_mutex_lock(&rec->lock);
	chunk = chunk_locked(rec, kind, bytes, owner);
	pthread_mutex_unlock(&rec->lock);
	return chunk;
}

/* @bytes out of the chunk *@current, which is replaced when it is full. */
static void *carve(struct pl_recording *rec, uint32_t *current,
		   enum pl_chunk_kind kind, size_t bytes, size_t chunk_bytes)
{
	struct pl_chunk *chunk = *current ? pl_cell_at(rec, *current) : NULL;
	void *p;

	if (!chunk ||
	    chunk->used + bytes > ((size_t)chunk->n_cells - 1) * PL_CELL) {
		if (chunk_bytes < bytes)
			chunk_bytes = bytes;
		chunk = chunk_locked(rec, kind, chunk_bytes, 0);
		if (!chunk)
			return NULL;
		*current = pl_cell_of(rec, chunk);
	}
	p = (uint8_t *)(chunk + 1) + chunk->used;
	__atomic_store_n(&chunk->used, chunk->used + (uint32_t)bytes,
			 __ATOMIC_RELEASE);
	return p;
}

struct pl_recorder *pl_recording_new_recorder(struct pl_recording *rec)
{
	struct pl_recorder *r;

	pthread_mutex_lock(&rec->lock);
	r = carve(rec, &rec->recorders, PL_CHUNK_RECORDERS, sizeof(*r),
		  PL_PAGE - PL_CELL);
	if (r)
		rec->header->n_recorders++;
	pthread_mutex_unlock(&rec->lock);
	return r;
}

/* ---------------------------------------------------------- interning -- */

/* Make room for one more id in @set; @hash_of gives the hash of an id. */
static bool idset_reserve(struct pl_recording *rec, struct pl_idset *set,
			  uint32_t (*hash_of)(struct pl_recording *, uint32_t))
{
	uint32_t size = set->slots ? (set->mask + 1) * 2 : 1024;
	struct pl_idset bigger = { .mask = size - 1, .n = set->n };

	if (set->slots && set->n * 2 < set->mask)
		return true;
	bigger.slots = pl_pages_alloc(size * sizeof(uint32_t));
	if (!bigger.slots)
		return false;
	for (uint32_t i = 0; set->slots && i <= set->mask; i++) {
		uint32_t at;

		if (!set->slots[i])
			continue;
		at = hash_of(rec, set->slots[i]) & bigger.mask;
		while (bigger.slots[at])
			at = (at + 1) & bigger.mask;
		bigger.slots[at] = set->slots[i];
	}
	if (set->slots)
		pl_pages_free(set->slots,
			      sizeof(uint32_t) * ((size_t)set->mask + 1));
	*set = bigger;
	return true;
}

static struct pl_str *str_at(struct pl_recording *rec, uint32_t id)
{
	return (struct pl_str *)(rec->base + (uint64_t)id * 8);
}

static uint32_t str_hash(struct pl_recording *rec, uint32_t id)
{
	struct pl_str *s = str_at(rec, id);

	return pl_hash_bytes(s->bytes, s->len);
}

/* Where @text's id is, or belongs.  The set has room. */
static uint32_t *str_slot(struct pl_recording *rec, const char *text,
			  size_t len)
{
	struct pl_idset *set = &rec->str_set;
	uint32_t at = pl_hash_bytes(text, len) & set->mask;

	for (; set->slots[at]; at = (at + 1) & set->mask) {
		const struct pl_str *s = str_at(rec, set->slots[at]);

		if (s->len == len && !memcmp(s->bytes, text, len))
			break;
	}
	return &set->slots[at];
}

static uint32_t str_locked(struct pl_recording *rec, const char *text,
			   size_t len)
{
	struct pl_str *s;
	uint32_t *slot;

	if (len > UINT32_MAX / 2 ||
	    !idset_reserve(rec, &rec->str_set, str_hash))
		return 0;
	slot = str_slot(rec, text, len);
	if (*slot)
		return *slot;
	/* length, bytes, NUL, rounded up to 8 */
	s = carve(rec, &rec->strings, PL_CHUNK_STRINGS,
		  (sizeof(*s) + len + 1 + 7) & ~(size_t)7,
		  4 * PL_PAGE - PL_CELL);
	if (!s)
		return 0;
	memcpy(s->bytes, text, len);
	s->len = (uint32_t)len;
	*slot = (uint32_t)(((uint8_t *)s - rec->base) / 8);
	rec->str_set.n++;
	return *slot;
}

uint32_t pl_recording_str(struct pl_recording *rec, const char *text,
			  size_t len)
{
	uint32_t id;

	pthread_mutex_lock(&rec->lock);
	id = str_locked(rec, text, len);
	pthread_mutex_unlock(&rec->lock);
	return id;
}

static struct pl_func *func_at(struct pl_recording *rec, uint32_t id)
{
	return (struct pl_func *)(rec->base + (uint64_t)id * 32);
}

static uint32_t label_hash(uint32_t file, uint32_t name, int32_t line,
			   uint32_t kind)
{
	uint64_t a = (uint64_t)file << 32 | name;
	uint64_t b = (uint64_t)(uint32_t)line << 32 | kind;

	return pl_hash_u64(a ^ b * 0xff51afd7ed558ccdull);
}

static uint32_t func_hash(struct pl_recording *rec, uint32_t id)
{
	struct pl_func *f = func_at(rec, id);

	return label_hash(f->file, f->name, f->line, f->kind);
}

/* Where the function's id is, or belongs.  The set has room. */
static uint32_t *func_slot(struct pl_recording *rec, uint32_t file,
			   uint32_t name, const struct pl_funcdesc *d)
{
	struct pl_idset *set = &rec->func_set;
	uint32_t at = label_hash(file, name, d->line, d->kind) & set->mask;

	for (; set->slots[at]; at = (at + 1) & set->mask) {
		const struct pl_func *f = func_at(rec, set->slots[at]);

		if (f->file == file && f->name == name && f->line == d->line &&
		    f->kind == (uint32_t)d->kind)
			break;
	}
	return &set->slots[at];
}

/* Its id if it is there already, else 0; adds nothing, no text either. */
static uint32_t known_func(struct pl_recording *rec,
			   const struct pl_funcdesc *d)
{
	uint32_t file, name;

	if (!rec->func_set.slots)
		return 0;
	file = *str_slot(rec, d->file, d->file_len);
	name = *str_slot(rec, d->name, d->name_len);
	return file && name ? *func_slot(rec, file, name, d) : 0;
}

static uint32_t add_func(struct pl_recording *rec, const struct pl_funcdesc *d)
{
	uint32_t file = str_locked(rec, d->file, d->file_len);
	uint32_t name = str_locked(rec, d->name, d->name_len);
	struct pl_func *f;
	uint32_t *slot;

	if (!file || !name || !idset_reserve(rec, &rec->func_set, func_hash))
		return 0;
	slot = func_slot(rec, file, name, d);
	if (*slot)
		return *slot;
	f = carve(rec, &rec->funcs, PL_CHUNK_FUNCS, sizeof(*f),
		  2 * PL_PAGE - PL_CELL);
	if (!f)
		return 0;
	f->qualname = d->qualname ?
		str_locked(rec, d->qualname, d->qualname_len) : 0;
	f->module = d->module ? str_locked(rec, d->module, d->module_len) : 0;
	f->line = d->line;
	f->kind = d->kind;
	f->name = name;
	f->file = file;
	*slot = (uint32_t)(((uint8_t *)f - rec->base) / 32);
	rec->func_set.n++;
	return *slot;
}

static bool has_all_functions(const struct pl_recording *rec)
{
	return rec->max_functions &&
	       rec->func_set.n - rec->n_more >= rec->max_functions;
}

/* The function that stands for @d and others of its file and kind. */
static uint32_t more_functions(struct pl_recording *rec,
			       const struct pl_funcdesc *d)
{
	static const char name[] = PL_MORE_FUNCTIONS, file[] = "(more files)";
	struct pl_funcdesc more = {
		.file = d->file, .file_len = d->file_len,
		.name = name, .name_len = sizeof(name) - 1, .kind = d->kind,
	};
	uint32_t id = known_func(rec, &more);

	/* All that is not Python has one file. */
	if (!id && d->kind == PL_FUNC_PYTHON &&
	    rec->n_more > rec->max_functions / 16) {
		more.file = file;
		more.file_len = sizeof(file) - 1;
		id = known_func(rec, &more);
	}
	if (id)
		return id;
	id = add_func(rec, &more);
	rec->n_more += id != 0;
	__atomic_or_fetch(&rec->header->flags, PL_REC_F_MORE_FUNCTIONS,
			  __ATOMIC_RELAXED);
	return id;
}

static uint32_t func_locked(struct pl_recording *rec,
			    const struct pl_funcdesc *d)
{
	uint32_t id;

	if (d->kind == PL_FUNC_SPECIAL || !has_all_functions(rec))
		return add_func(rec, d);
	id = known_func(rec, d);
	return id ? id : more_functions(rec, d);
}

uint32_t pl_recording_func(struct pl_recording *rec,
			   const struct pl_funcdesc *desc)
{
	uint32_t id;

	pthread_mutex_lock(&rec->lock);
	id = func_locked(rec, desc);
	pthread_mutex_unlock(&rec->lock);
	return id;
}

/* ---------------------------------------------------------------- keys -- */

static struct pl_keyslot *key_slot(struct pl_keymap *map, uint64_t key)
{
	uint32_t at = pl_hash_u64(key) & map->mask;

	while (map->slots[at].key && map->slots[at].key != key)
		at = (at + 1) & map->mask;
	return &map->slots[at];
}

static bool keys_reserve(struct pl_keymap *map)
{
	uint32_t size = map->slots ? (map->mask + 1) * 2 : 1024;
	struct pl_keymap bigger = { .mask = size - 1, .n = map->n };

	if (map->slots && map->n * 2 < map->mask)
		return true;
	bigger.slots = pl_pages_alloc(size * sizeof(*bigger.slots));
	if (!bigger.slots)
		return false;
	for (uint32_t i = 0; map->slots && i <= map->mask; i++)
		if (map->slots[i].key)
			*key_slot(&bigger, map->slots[i].key) = map->slots[i];
	if (map->slots)
		pl_pages_free(map->slots, sizeof(*map->slots) *
			      ((size_t)map->mask + 1));
	*map = bigger;
	return true;
}

uint32_t pl_recording_key(struct pl_recording *rec, uint64_t key)
{
	uint32_t func = 0;

	pthread_mutex_lock(&rec->lock);
	if (rec->keys.slots)
		func = key_slot(&rec->keys, key)->func;
	pthread_mutex_unlock(&rec->lock);
	return func;
}

bool pl_recording_set_key(struct pl_recording *rec, uint64_t key,
			  uint32_t func)
{
	struct pl_keyslot *slot;
	bool ok = false;

	pthread_mutex_lock(&rec->lock);
	if (keys_reserve(&rec->keys)) {
		slot = key_slot(&rec->keys, key);
		if (!slot->key)
			rec->keys.n++;
		slot->key = key;
		slot->func = func;
		ok = true;
	}
	pthread_mutex_unlock(&rec->lock);
	return ok;
}

static int compare_keys(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

void pl_keys_sort(uint64_t *keys, size_t n)
{
	qsort(keys, n, sizeof(*keys), compare_keys);
}

bool pl_key_is_among(uint64_t key, const uint64_t *keys, size_t n)
{
	return n && key >= keys[0] && key <= keys[n - 1] &&
	       bsearch(&key, keys, n, sizeof(*keys), compare_keys);
}

static void forget_in_chunk(struct pl_chunk *chunk, const uint64_t *keys,
			    size_t n)
{
	struct pl_node *node = (struct pl_node *)(chunk + 1);
	struct pl_node *end = node + chunk->used / sizeof(*node);

	for (; node < end; node++) {
		uint64_t key = __atomic_load_n(&node->key, __ATOMIC_RELAXED);

		/* Its thread may give it another key meanwhile. */
		if (pl_key_is_among(key, keys, n))
			__atomic_compare_exchange_n(&node->key, &key, 0, false,
						    __ATOMIC_RELAXED,
						    __ATOMIC_RELAXED);
	}
}

static bool forget_in_map(struct pl_keymap *map, const uint64_t *keys,
			  size_t n)
{
	struct pl_keymap left = { .mask = map->mask };

	left.slots = pl_pages_alloc(((size_t)map->mask + 1) *
				    sizeof(*left.slots));
	if (!left.slots)
		return false;
	for (uint32_t i = 0; i <= map->mask; i++) {
		if (!map->slots[i].key ||
		    pl_key_is_among(map->slots[i].key, keys, n))
			continue;
		*key_slot(&left, map->slots[i].key) = map->slots[i];
		left.n++;
	}
	pl_pages_free(map->slots, ((size_t)map->mask + 1) *
		      sizeof(*map->slots));
	*map = left;
	return true;
}

static void forget_in_nodes(struct pl_recording *rec, const uint64_t *keys,
			    size_t n)
{
	struct pl_chunk *chunk;

	for (uint64_t page = 1; page < rec->next_page;
	     page += (uint64_t)chunk->n_cells * PL_CELL / PL_PAGE) {
		chunk = (struct pl_chunk *)(rec->base + page * PL_PAGE);
		if (chunk->kind == PL_CHUNK_NODES)
			forget_in_chunk(chunk, keys, n);
	}
}

bool pl_recording_forget_keys(struct pl_recording *rec, const uint64_t *keys,
			      size_t n)
{
	bool ok = true;

	pthread_mutex_lock(&rec->lock);
	if (n && rec->keys.slots) {
		ok = forget_in_map(&rec->keys, keys, n);
		if (ok)
			forget_in_nodes(rec, keys, n);
	}
	pthread_mutex_unlock(&rec->lock);
	return ok;
}
