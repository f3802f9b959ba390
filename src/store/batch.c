/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "store/db.h"

#include "core/clock.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Others wait for the database meanwhile. */
#define MOST_NS 200000000
#define MOST 1024

struct taken {
	int folder;			/* the caller's */
	char *name;
	dev_t dev;
	ino_t ino;
};

struct pl_batch {
	char *db;
	int busy_ms;
	struct pl_store *store;		/* opened for the first one */
	bool is_open;			/* the transaction */
	int64_t began;
	struct taken *taken;
	size_t n;
};

struct pl_batch *pl_batch_new(const char *db, int busy_ms)
{
	struct pl_batch *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	b->db = strdup(db);
	b->busy_ms = busy_ms;
	b->taken = calloc(MOST, sizeof(*b->taken));
	if (b->db && b->taken)
		return b;
	pl_batch_free(b);
	return NULL;
}

/* Delete what was taken, unless the name means another file by now. */
static void delete_file(const struct taken *t)
{
	struct stat st;

	if (!fstatat(t->folder, t->name, &st, AT_SYMLINK_NOFOLLOW) &&
	    st.st_dev == t->dev && st.st_ino == t->ino)
		unlinkat(t->folder, t->name, 0);
}

static void forget(struct pl_batch *b, bool is_in)
{
	for (size_t i = 0; i < b->n; i++) {
		if (is_in)
			delete_file(&b->taken[i]);
		free(b->taken[i].name);
	}
	b->n = 0;
	b->is_open = false;
}

int pl_batch_commit(struct pl_batch *b, struct pl_error *err)
{
	int rc = b->is_open ? pl_db_end(b->store, 0, err) : 0;

	forget(b, !rc);
	return rc;
}

int pl_batch_store(struct pl_batch *b, struct pl_store **store,
		   struct pl_error *err)
{
	int rc = b->store ? 0 : pl_store_open(&b->store, b->db, PL_STORE_WRITE,
					      b->busy_ms, err);

	*store = b->store;
	return rc;
}

static int begin(struct pl_batch *b, struct pl_error *err)
{
	struct pl_store *store;
	int rc;

	if (b->is_open)
		return 0;
	rc = pl_batch_store(b, &store, err);
	if (!rc)
		rc = pl_db_begin(b->store, err);
	b->is_open = !rc;
	b->began = pl_clock_ns(CLOCK_MONOTONIC);
	return rc;
}

static bool remember(struct pl_batch *b, int folder, const char *name, int fd)
{
	struct taken *t = &b->taken[b->n];
	struct stat st;

	t->folder = folder;
	t->name = strdup(name);
	if (!t->name || fstat(fd, &st)) {
		free(t->name);
		return false;
	}
	t->dev = st.st_dev;
	t->ino = st.st_ino;
	b->n++;
	return true;
}

int pl_batch_add(struct pl_batch *b, const struct pl_recfile *rf, int folder,
		 const char *name, int fd, struct pl_ingest_result *result,
		 struct pl_error *err)
{
	int rc = begin(b, err);

	if (rc)
		return rc;
	if (!remember(b, folder, name, fd))
		return pl_fail(err, PL_ERR_NOMEM, "no memory");
	rc = pl_store_ingest(b->store, rf, PL_END_KILLED, -1, result, err);
	if (rc)
		free(b->taken[--b->n].name);
	if (rc || (b->n < MOST && pl_clock_ns(CLOCK_MONOTONIC) - b->began <
				  MOST_NS))
		return rc;
	return pl_batch_commit(b, err);
}

void pl_batch_free(struct pl_batch *b)
{
	if (!b)
		return;
	if (b->is_open)
		pl_db_end(b->store, PL_ERR_SYS, NULL);
	if (b->taken)
		forget(b, false);
	pl_store_close(b->store);
	free(b->taken);
	free(b->db);
	free(b);
}
