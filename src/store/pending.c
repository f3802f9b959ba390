/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "store/store.h"

#include "core/live.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* A file without a header that is younger than this may be getting one. */
#define BEING_MADE_SECONDS 10

struct scan {
	const char *db_path, *db_name;	/* db_name: its last part */
	struct stat db_folder;
	bool has_folder;
	pl_found_fn *found;
	void *ctx;
	struct pl_error *err;
	struct pl_batch *batch;
	int n_ingested;

	int fd;				/* of the folder at hand */
	const char *folder;
	bool is_fallback;
};

/* Delete what @fd is, unless the name means another file by now. */
static void delete_file(int folder_fd, const char *name, int fd)
{
	struct stat here, there;

	if (!fstat(fd, &here) &&
	    !fstatat(folder_fd, name, &there, AT_SYMLINK_NOFOLLOW) &&
	    here.st_dev == there.st_dev && here.st_ino == there.st_ino)
		unlinkat(folder_fd, name, 0);
}

/* ------------------------------------------------------- which are ours -- */

static bool stat_folder_of(const char *path, struct stat *st)
{
	const char *name = basename(path);
	char *folder = strndup(path, (size_t)(name - path));
	bool ok = folder && !stat(*folder ? folder : ".", st);

	free(folder);
	return ok;
}

/* DB.SOMETHING.plrec */
static bool is_named_for(const char *file, const char *db_name)
{
	size_t n = strlen(db_name), len = strlen(file);
	size_t n_suffix = strlen(PL_REC_SUFFIX);

	return len > n + 1 + n_suffix && !strncmp(file, db_name, n) &&
	       file[n] == '.' &&
	       !strcmp(file + len - n_suffix, PL_REC_SUFFIX);
}

/*
 * "a.db.x.db.1-2.plrec" is named for a.db as well as for a.db.x.db: the
 * recording knows.  Beside the database the folder may have been moved as a
 * whole, so the name decides; elsewhere the folder has to be the same, too.
 */
static bool is_for(const struct scan *s, const struct pl_recfile *rf)
{
	const char *path = pl_recfile_str(rf, rf->header.db_path, NULL);
	struct stat st;

	if (!*path)
		return !s->is_fallback;
	if (strcmp(basename(path), s->db_name))
		return false;
	if (!s->is_fallback || !strcmp(path, s->db_path))
		return true;
	return s->has_folder && stat_folder_of(path, &st) &&
	       st.st_dev == s->db_folder.st_dev &&
	       st.st_ino == s->db_folder.st_ino;
}

/* -------------------------------------------------------- one recording -- */

static void tell(struct scan *s, const char *name, enum pl_found what,
		 const struct pl_recfile *rf, const struct pl_error *e)
{
	char path[PATH_MAX];
	size_t n = strlen(s->folder);

	if (!s->found)
		return;
	snprintf(path, sizeof(path), "%s%s%s", s->folder,
		 n && s->folder[n - 1] == '/' ? "" : "/", name);
	s->found(s->ctx, path, what, rf, e);
}

static bool has_no_header(int fd)
{
	char magic[8] = "";

	return pread(fd, magic, sizeof(magic), 0) <= 0 ||
	       !memcmp(magic, "\0\0\0\0\0\0\0\0", sizeof(magic));
}

/* No header: it is being made just now, or its maker died before there was
 * anything in it, or it is none. */
static void take_unreadable(struct scan *s, const char *name, int fd,
			    const struct pl_error *e)
{
	bool empty = has_no_header(fd);
	struct stat st;

	if (empty && !fstat(fd, &st) && S_ISREG(st.st_mode)) {
		if (pl_live_is_locked(fd) ||
		    time(NULL) - st.st_mtime < BEING_MADE_SECONDS)
			tell(s, name, PL_FOUND_ALIVE, NULL, NULL);
		else
			delete_file(s->fd, name, fd);
		return;
	}
	tell(s, name, PL_FOUND_BAD, NULL, e);
}

/* Killed while it wrote who it is, before the first call. */
static bool has_not_begun(const struct pl_recfile *rf)
{
	static const uint8_t zero[16];

	return !memcmp(rf->header.run_uuid, zero, 16) && !rf->n_recorders;
}

/* Does it concern the one recording, or the database and so all of them? */
static bool is_of_recording(int rc)
{
	return rc == PL_ERR_FORMAT || rc == PL_ERR_NOMEM || rc == PL_ERR_ARG;
}

static int ingest(struct scan *s, const char *name, int fd,
		  const struct pl_recfile *rf)
{
	struct pl_ingest_result result;
	struct pl_error damage;
	int rc;

	rc = pl_batch_add(s->batch, rf, s->fd, name, fd, &result, s->err);
	if (rc && is_of_recording(rc)) {
		tell(s, name, PL_FOUND_BAD, rf, s->err);
		return 0;
	}
	if (rc)
		return rc;
	s->n_ingested += !result.already;
	pl_fail(&damage, PL_ERR_FORMAT, "%s", result.damage);
	tell(s, name, PL_FOUND_INGESTED, rf, *result.damage ? &damage : NULL);
	return 0;
}

/*
 * Nobody writes into it any more.  But when it was opened it may still have been
 * somebody's: then what it says by now counts, its end and what it has grown by.
 */
static int take_dead(struct scan *s, const char *name, int fd,
		     struct pl_recfile *rf)
{
	struct pl_error e = { 0 };

	if (rf->header.end == PL_END_RUNNING) {
		pl_recfile_close(rf);
		if (pl_recfile_open_fd(rf, fd, name, &e)) {
			take_unreadable(s, name, fd, &e);
			return 0;
		}
	}
	if (!has_not_begun(rf))
		return ingest(s, name, fd, rf);
	delete_file(s->fd, name, fd);
	return 0;
}

static int take(struct scan *s, const char *name)
{
	struct pl_error e = { 0 };
	struct pl_recfile rf;
	int rc = 0, fd;

	/* Not to follow somebody's link, nor to wait at a pipe. */
	fd = openat(s->fd, name,
		    O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0) {
		/* Another command was faster. */
		if (errno == ENOENT)
			return 0;
		pl_fail_errno(&e, PL_ERR_SYS, "cannot open it");
		tell(s, name, PL_FOUND_BAD, NULL, &e);
		return 0;
	}
	if (pl_recfile_open_fd(&rf, fd, name, &e)) {
		take_unreadable(s, name, fd, &e);
	} else {
		if (!is_for(s, &rf))
			;
		else if (pl_live_is(fd, &rf.header))
			tell(s, name, PL_FOUND_ALIVE, &rf, NULL);
		else
			rc = take_dead(s, name, fd, &rf);
		pl_recfile_close(&rf);
	}
	close(fd);
	return rc;
}

/* ----------------------------------------------------------- one folder -- */

struct names {
	char **names;
	size_t n, capacity;
};

static bool add_name(struct names *list, const char *name)
{
	if (list->n == list->capacity) {
		size_t more = list->capacity ? list->capacity * 2 : 16;
		void *p = realloc(list->names, more * sizeof(*list->names));

		if (!p)
			return false;
		list->names = p;
		list->capacity = more;
	}
	list->names[list->n] = strdup(name);
	return list->names[list->n] && ++list->n;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* All names first: journals come and go in this folder while we write. */
static bool list_names(const struct scan *s, DIR *dir, struct names *list)
{
	struct dirent *entry;

	while ((entry = readdir(dir)))
		if (is_named_for(entry->d_name, s->db_name) &&
		    !add_name(list, entry->d_name))
			return false;
	if (list->n)
		qsort(list->names, list->n, sizeof(*list->names), by_name);
	return true;
}

static int scan_folder(struct scan *s, const char *folder)
{
	struct names list = { 0 };
	DIR *dir = opendir(folder);
	int rc = 0;

	if (!dir)
		return 0;
	s->fd = dirfd(dir);
	s->folder = folder;
	if (!list_names(s, dir, &list))
		rc = pl_fail(s->err, PL_ERR_NOMEM, "no memory");
	for (size_t i = 0; !rc && i < list.n; i++)
		rc = take(s, list.names[i]);
	if (!rc)
		rc = pl_batch_commit(s->batch, s->err);
	for (size_t i = 0; i < list.n; i++)
		free(list.names[i]);
	free(list.names);
	closedir(dir);
	return rc;
}

/* Only what we alone can have put there. */
static int scan_fallback(struct scan *s, const char *folder)
{
	struct stat st;

	if (lstat(folder, &st) || !S_ISDIR(st.st_mode) ||
	    st.st_uid != getuid() || (st.st_mode & 022))
		return 0;
	return scan_folder(s, folder);
}

static int scan_fallbacks(struct scan *s)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	char folder[PATH_MAX];
	int rc = 0;

	s->is_fallback = true;
	if (runtime && *runtime == '/') {
		snprintf(folder, sizeof(folder), "%s/proflite", runtime);
		rc = scan_fallback(s, folder);
	}
	if (rc)
		return rc;
	snprintf(folder, sizeof(folder), "/tmp/proflite-%u",
		 (unsigned)getuid());
	return scan_fallback(s, folder);
}

int pl_store_ingest_pending(const char *db_path, int busy_ms,
			    pl_found_fn *found, void *ctx,
			    struct pl_error *err)
{
	struct pl_error local;
	struct scan s = {
		.db_path = db_path,
		.db_name = basename(db_path),
		.found = found,
		.ctx = ctx,
		.err = err ? err : &local,
	};
	char *folder;
	int rc;

	if (!*s.db_name)
		return pl_fail(err, PL_ERR_ARG, "\"%s\" names no file",
			       db_path);
	folder = strndup(db_path, (size_t)(s.db_name - db_path));
	if (!folder)
		return pl_fail(err, PL_ERR_NOMEM, "no memory");
	s.batch = pl_batch_new(db_path, busy_ms);
	if (!s.batch) {
		free(folder);
		return pl_fail(err, PL_ERR_NOMEM, "no memory");
	}
	s.has_folder = stat_folder_of(db_path, &s.db_folder);
	rc = scan_folder(&s, *folder ? folder : ".");
	if (!rc)
		rc = scan_fallbacks(&s);
	pl_batch_free(s.batch);
	free(folder);
	return rc ? rc : s.n_ingested;
}

int pl_store_finish(const char *rec_path, const char *db_path, int busy_ms,
		    struct pl_error *err)
{
	struct pl_ingest_result result;
	struct pl_store *store;
	struct pl_recfile rf;
	int rc, fd;

	fd = open(rec_path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return pl_fail_errno(err, errno == ENOENT ? PL_ERR_NOENT
							  : PL_ERR_SYS,
				     "cannot open %s", rec_path);
	rc = pl_recfile_open_fd(&rf, fd, rec_path, err);
	if (rc)
		goto out;
	rc = pl_store_open(&store, db_path, PL_STORE_WRITE, busy_ms, err);
	if (!rc) {
		rc = pl_store_ingest(store, &rf, PL_END_STOPPED, -1, &result,
				     err);
		pl_store_close(store);
	}
	pl_recfile_close(&rf);
	if (!rc)
		delete_file(AT_FDCWD, rec_path, fd);
out:
	close(fd);
	return rc;
}
