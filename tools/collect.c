/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "collect.h"

#include "core/live.h"
#include "core/notice.h"
#include "core/session.h"
#include "source.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* While the command runs, others may be writing; after it nobody waits. */
#define RUNNING_BUSY_MS 1000
#define INGEST_BUSY_MS 10000

/* Recordings that are done lie on the disk for so long, or so many of them (of
 * at least 256 KB each). */
#define MOST_MS 1000
#define MOST_DONE 64

struct entry {
	struct entry *next;
	uint8_t recording[16];
	int fd;				/* -1: it did not come, or is of no use */
	bool done;			/* the process has said so */
	bool taken;			/* it is in, once the batch is */
	char *path;
};

struct pl_collect {
	const struct pl_cmd *cmd;
	struct pl_options *options;
	int socket, wake, folder;	/* -1: there is none */
	struct entry *entries;
	size_t n_done;			/* and not in yet */
	size_t n_tried;			/* of those, in vain */
	int64_t last_ms;		/* when it was last looked */
	struct pl_collected sums;
	bool runs, stop;		/* the thread */
	pthread_t thread;
	pthread_mutex_t lock;		/* held while the database is written */
};

/* ------------------------------------------------------------- messages -- */

static struct entry *find(struct pl_collect *c, const uint8_t recording[16])
{
	struct entry *e = c->entries;

	while (e && memcmp(e->recording, recording, 16))
		e = e->next;
	return e;
}

static struct entry *add(struct pl_collect *c, const struct pl_notice *n)
{
	struct entry *e = calloc(1, sizeof(*e));

	if (!e || !(e->path = strdup(n->text))) {
		free(e);
		return NULL;
	}
	memcpy(e->recording, n->recording, 16);
	e->fd = -1;
	e->next = c->entries;
	c->entries = e;
	c->sums.n_begun++;
	return e;
}

static void hear_failed(struct pl_collect *c, const struct pl_notice *n)
{
	if (c->sums.n_failed++)
		return;
	c->sums.pid = n->pid;
	snprintf(c->sums.why, sizeof(c->sums.why), "%.500s", n->text);
}

static bool is_file(int fd)
{
	struct stat st;

	return !fstat(fd, &st) && S_ISREG(st.st_mode);
}

static void hear_recording(struct pl_collect *c, const struct pl_notice *n,
			   int fd)
{
	struct entry *e = find(c, n->recording);

	if (!e)
		e = add(c, n);
	if (e && e->fd < 0 && fd >= 0 && is_file(fd)) {
		e->fd = fd;
		fd = -1;
	}
	if (fd >= 0)
		close(fd);
	if (e && !e->done && n->kind == PL_NOTICE_DONE) {
		e->done = true;
		c->n_done++;
	}
}

static void hear_all(struct pl_collect *c)
{
	struct pl_notice n;
	int fd;

	while (c->socket >= 0 &&
	       pl_notice_receive(c->socket, c->options->run, &n, &fd)) {
		if (n.kind != PL_NOTICE_FAILED) {
			hear_recording(c, &n, fd);
			continue;
		}
		hear_failed(c, &n);
		if (fd >= 0)
			close(fd);
	}
}

/* ----------------------------------------------------------- the folder -- */

static int open_folder(const char *db)
{
	const char *slash = strrchr(db, '/');
	char *folder = strndup(db, (size_t)(slash - db) + 1);
	int fd = folder ? open(folder, O_DIRECTORY | O_RDONLY | O_CLOEXEC) : -1;

	free(folder);
	return fd;
}

/* What a folder is called now.  The current folder is another for a moment. */
static bool find_name(int folder, char name[PATH_MAX])
{
	int back = open(".", O_PATH | O_CLOEXEC);
	bool ok = back >= 0 && !fchdir(folder) && getcwd(name, PATH_MAX) &&
		  *name == '/';

	if (back >= 0) {
		if (fchdir(back))
			ok = false;
		close(back);
	}
	return ok;
}

/*
 * The program may have renamed the database's folder: then the database goes
 * where its recordings are.  If it was made again, it goes where it was asked
 * for.  False: the folder is gone.
 */
static bool follow_folder(struct pl_collect *c)
{
	char *out = c->options->out, *name = strrchr(out, '/') + 1;
	char folder[PATH_MAX], path[sizeof(c->options->out)];
	int fd = open_folder(out), n;

	if (fd >= 0) {
		if (c->folder >= 0)
			close(c->folder);
		c->folder = fd;
		return true;
	}
	if (c->folder < 0 || !find_name(c->folder, folder))
		return false;
	n = snprintf(path, sizeof(path), "%s/%s",
		     strcmp(folder, "/") ? folder : "", name);
	if (n < 0 || (size_t)n >= sizeof(path))
		return false;
	memcpy(out, path, (size_t)n + 1);
	return true;
}

/* --------------------------------------------------------- the database -- */

static bool is_alive(const struct entry *e)
{
	struct pl_rec_header h;

	return !e->done &&
	       pread(e->fd, &h, sizeof(h), 0) == (ssize_t)sizeof(h) &&
	       pl_live_is(e->fd, &h);
}

/* The folder and name by which @e is deleted. */
static const char *name_of(const struct pl_collect *c, const struct entry *e,
			   int *folder)
{
	const char *slash = strrchr(e->path, '/');
	struct stat here, there;

	*folder = AT_FDCWD;
	if (!slash || fstat(e->fd, &there) ||
	    fstatat(c->folder, slash + 1, &here, AT_SYMLINK_NOFOLLOW) ||
	    here.st_ino != there.st_ino || here.st_dev != there.st_dev)
		return e->path;
	*folder = c->folder;
	return slash + 1;
}

static void drop_fd(struct entry *e)
{
	if (e->fd >= 0)
		close(e->fd);
	e->fd = -1;
}

static int take(struct pl_collect *c, struct pl_batch *batch, struct entry *e,
		struct pl_error *err)
{
	struct pl_ingest_result result;
	struct pl_recfile rf;
	const char *name;
	int folder, rc;

	rc = pl_recfile_open_fd(&rf, e->fd, e->path, err);
	if (!rc) {
		name = name_of(c, e, &folder);
		rc = pl_batch_add(batch, &rf, folder, name, e->fd, &result,
				  err);
		e->taken = !rc;
		if (!rc && rf.header.flags & PL_REC_F_LOST)
			c->sums.lost = true;
		if (!rc && *result.damage)
			pl_complain(c->cmd, 0, "warning: %s is in the database "
				    "as far as it could be read: %s", e->path,
				    result.damage);
		pl_recfile_close(&rf);
	}
	/* One that cannot be read is found again in its folder. */
	if (rc != PL_ERR_FORMAT && rc != PL_ERR_NOMEM && rc != PL_ERR_ARG)
		return rc;
	drop_fd(e);
	return 0;
}

static void free_entry(struct entry *e)
{
	drop_fd(e);
	free(e->path);
	free(e);
}

static void forget_taken(struct pl_collect *c, bool is_in)
{
	for (struct entry **at = &c->entries; *at;) {
		struct entry *e = *at;

		if (e->taken && is_in) {
			*at = e->next;
			free_entry(e);
			continue;
		}
		e->taken = false;
		at = &e->next;
	}
	if (is_in)
		c->n_done = 0;
}

static int take_all(struct pl_collect *c, int busy_ms, struct pl_error *err)
{
	struct pl_batch *batch = pl_batch_new(c->options->out, busy_ms);
	int rc = 0;

	if (!batch)
		return pl_fail(err, PL_ERR_NOMEM, "no memory");
	for (struct entry *e = c->entries; e && !rc; e = e->next)
		if (e->fd >= 0 && !is_alive(e))
			rc = take(c, batch, e, err);
	if (!rc)
		rc = pl_batch_commit(batch, err);
	pl_batch_free(batch);
	forget_taken(c, !rc);
	return rc;
}

/* ----------------------------------------------------------- the thread -- */

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* What fails here is tried again, and is complained of at the end. */
static void take_some(struct pl_collect *c)
{
	struct pl_error err;

	pthread_mutex_lock(&c->lock);
	if (follow_folder(c))
		take_all(c, RUNNING_BUSY_MS, &err);
	pthread_mutex_unlock(&c->lock);
	c->n_tried = c->n_done;
	c->last_ms = now_ms();
}

static void *work(void *arg)
{
	struct pl_collect *c = arg;
	struct pollfd p[] = {
		{ .fd = c->socket, .events = POLLIN },
		{ .fd = c->wake, .events = POLLIN },
	};

	while (!__atomic_load_n(&c->stop, __ATOMIC_ACQUIRE)) {
		poll(p, 2, c->entries ? MOST_MS : -1);
		hear_all(c);
		if (!c->entries)
			continue;
		if (c->n_done - c->n_tried >= MOST_DONE ||
		    now_ms() - c->last_ms >= MOST_MS)
			take_some(c);
	}
	return NULL;
}

/* Every process that records is a descriptor here. */
static void raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

struct pl_collect *pl_collect_new(const struct pl_cmd *cmd,
				  struct pl_options *o)
{
	struct pl_collect *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->cmd = cmd;
	c->options = o;
	c->socket = pl_notice_listen(o->run);
	c->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	c->folder = open_folder(o->out);
	pthread_mutex_init(&c->lock, NULL);
	return c;
}

void pl_collect_start(struct pl_collect *c)
{
	raise_limit();
	c->last_ms = now_ms();
	c->runs = c->socket >= 0 && c->wake >= 0 &&
		  !pthread_create(&c->thread, NULL, work, c);
}

void pl_collect_pause(struct pl_collect *c, bool begin)
{
	if (begin)
		pthread_mutex_lock(&c->lock);
	else
		pthread_mutex_unlock(&c->lock);
}

static void stop(struct pl_collect *c)
{
	if (!c->runs)
		return;
	__atomic_store_n(&c->stop, true, __ATOMIC_RELEASE);
	eventfd_write(c->wake, 1);
	pthread_join(c->thread, NULL);
	c->runs = false;
}

/* -------------------------------------------------------------- the end -- */

/* A copy of it in the fallback folder, unless it lies there: its name. */
static int keep(const struct pl_collect *c, const struct entry *e, char *path,
		size_t size, struct pl_error *err)
{
	struct stat here, there;
	struct pl_recfile rf;
	int rc;

	if (e->fd < 0)
		return pl_fail(err, PL_ERR_NOENT, "%s", e->path);
	if (!fstat(e->fd, &here) && !lstat(e->path, &there) &&
	    here.st_dev == there.st_dev && here.st_ino == there.st_ino) {
		snprintf(path, size, "%s", e->path);
		return 0;
	}
	rc = pl_recfile_open_fd(&rf, e->fd, e->path, err);
	if (rc)
		return rc;
	rc = pl_session_keep(c->options->out, rf.base, rf.bytes, path, size,
			     err);
	pl_recfile_close(&rf);
	return rc;
}

/* There is no folder for the database: keep the recordings for one to come. */
static void keep_all(struct pl_collect *c)
{
	char path[sizeof(c->options->out) + 64];
	struct pl_error err = { 0 };
	size_t n = 0, n_lost = 0;

	for (struct entry *e = c->entries; e; e = e->next) {
		int rc = keep(c, e, path, sizeof(path), &err);

		n += !rc;
		n_lost += !!rc;
	}
	c->sums.lost = true;
	if (n)
		pl_complain(c->cmd, 0, "the folder of %s is gone: %zu "
			    "recording%s kept, such as %s; make the folder "
			    "again and run proflite report", c->options->out,
			    n, n == 1 ? " is" : "s are", path);
	if (n_lost)
		pl_complain(c->cmd, 0, "the folder of %s is gone, and %zu "
			    "recording%s with it%s%s", c->options->out, n_lost,
			    n_lost == 1 ? "" : "s", *err.text ? ": " : "",
			    err.text);
}

static void found(void *ctx, const char *path, enum pl_found what,
		  const struct pl_recfile *rf, const struct pl_error *e)
{
	struct pl_collect *c = ctx;

	pl_source_warn(c->cmd, path, what, e);
	if (!rf || memcmp(rf->header.run_uuid, c->options->run, 16))
		return;
	if (what == PL_FOUND_ALIVE)
		c->sums.alive = true;
	else if (what == PL_FOUND_BAD || rf->header.flags & PL_REC_F_LOST)
		c->sums.lost = true;
}

int pl_collect_finish(struct pl_collect *c, struct pl_collected *result,
		      struct pl_error *err)
{
	char asked[sizeof(c->options->out)];
	int rc = 0;

	stop(c);
	hear_all(c);
	/* From here on processes take in what they have themselves. */
	if (c->socket >= 0)
		close(c->socket);
	c->socket = -1;
	memcpy(asked, c->options->out, sizeof(asked));
	if (!follow_folder(c)) {
		keep_all(c);
	} else {
		rc = take_all(c, INGEST_BUSY_MS, err);
		if (!rc)
			rc = pl_store_ingest_pending(c->options->out,
						     INGEST_BUSY_MS, found, c,
						     err);
	}
	if (strcmp(asked, c->options->out))
		pl_complain(c->cmd, 0, "note: the folder of %s got another "
			    "name: the run is in %s", asked, c->options->out);
	for (struct entry *e = c->entries; e; e = e->next)
		c->sums.alive |= e->fd >= 0 && is_alive(e);
	*result = c->sums;
	return rc < 0 ? rc : 0;
}

void pl_collect_free(struct pl_collect *c)
{
	if (!c)
		return;
	stop(c);
	while (c->entries) {
		struct entry *e = c->entries;

		c->entries = e->next;
		free_entry(e);
	}
	for (size_t i = 0; i < 3; i++) {
		int fd = (const int[]){ c->socket, c->wake, c->folder }[i];

		if (fd >= 0)
			close(fd);
	}
	pthread_mutex_destroy(&c->lock);
	free(c);
}
