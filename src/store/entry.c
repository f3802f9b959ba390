/* SPDX-License-Identifier: MIT */
/*
 * entry.c: the two doors of _store.so, the shared object that a profiled
 * process loads when it has something to write.
 *
 * The process is somebody else's.  Whatever happens in here, it finds its
 * errno, its signals, its descriptors and its umask as they were, and nothing
 * is printed.
 */
#include <config.h>

#include "store/store.h"

#include "base/filelimit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

int proflite_store_finish(const char *rec_path, const char *db_path,
			  int busy_ms, char *msg, size_t msg_size) EXPORT;
int proflite_store_save(const void *recording, size_t bytes,
			const char *db_path, int busy_ms, char *msg,
			size_t msg_size) EXPORT;

struct guest {
	int saved_errno;
	int cancel_state;
	struct pl_filelimit limit;
	bool closed[3];			/* standard descriptors */
};

/*
 * SQLite sees EFBIG when a file reaches its size limit.  A cancelled thread
 * would stop with the transaction open and SQLite's locks held.
 */
static void enter(struct guest *g)
{
	g->saved_errno = errno;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &g->cancel_state);
	pl_filelimit_begin(&g->limit);
	for (int fd = 0; fd < 3; fd++)
		g->closed[fd] = fcntl(fd, F_GETFD) < 0;
}

/* SQLite keeps its own files off the standard descriptors by filling those
 * that are closed with /dev/null; a program that closed them meant it. */
static void close_filler(int fd)
{
	struct stat st;

	if (!fstat(fd, &st) && S_ISCHR(st.st_mode) &&
	    st.st_rdev == makedev(1, 3))
		close(fd);
}

static void leave(struct guest *g)
{
	for (int fd = 0; fd < 3; fd++)
		if (g->closed[fd])
			close_filler(fd);
	pl_filelimit_end(&g->limit);
	pthread_setcancelstate(g->cancel_state, NULL);
	errno = g->saved_errno;
}

static void say(const struct pl_error *err, char *msg, size_t size)
{
	if (msg && size)
		snprintf(msg, size, "%s", err->text);
}

/* pl_store_finish with the sentence in @msg, "" when all is well. */
int proflite_store_finish(const char *rec_path, const char *db_path,
			  int busy_ms, char *msg, size_t msg_size)
{
	struct pl_error err = { 0 };
	struct guest g;
	int rc;

	enter(&g);
	rc = pl_store_finish(rec_path, db_path, busy_ms, &err);
	say(&err, msg, msg_size);
	leave(&g);
	return rc;
}

static int save(const struct pl_recfile *rf, const char *db_path, int busy_ms,
		struct pl_error *err)
{
	struct pl_ingest_result result;
	struct pl_store *store;
	int rc = pl_store_open(&store, db_path, PL_STORE_WRITE, busy_ms, err);

	if (rc)
		return rc;
	rc = pl_store_ingest(store, rf, PL_END_STOPPED, -1, &result, err);
	pl_store_close(store);
	return rc;
}

/* The same for a recording in memory. */
int proflite_store_save(const void *recording, size_t bytes,
			const char *db_path, int busy_ms, char *msg,
			size_t msg_size)
{
	struct pl_error err = { 0 };
	struct pl_recfile rf;
	struct guest g;
	int rc;

	enter(&g);
	rc = pl_recfile_view(&rf, recording, bytes, &err);
	if (!rc) {
		rc = save(&rf, db_path, busy_ms, &err);
		pl_recfile_close(&rf);
	}
	say(&err, msg, msg_size);
	leave(&g);
	return rc;
}
