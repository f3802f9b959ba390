/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "store/db.h"

#include "base/owner.h"
#include "core/fallback.h"
#include "core/live.h"
#include "core/uuid.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
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
	bool is_foreign;		/* that folder is another user's */
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

/* ----------------------------------------------------- other users' -- */

/* Is @run in the database?  Only who can read that knows its runs. */
static bool is_known_run(struct scan *s, const uint8_t run[16])
{
	struct pl_store *store;
	sqlite3_stmt *stmt;
	struct stat st;
	char uuid[33];
	int64_t id = 0;

	if (stat(s->db_path, &st) || (st.st_mode & 044) ||
	    pl_batch_store(s->batch, &store, s->err))
		return false;
	if (pl_db_prepare(store, &stmt, "SELECT id FROM runs "
			  "WHERE uuid = ?", s->err))
		return false;
	pl_uuid_format(run, uuid);
	pl_db_bind(stmt, "s", uuid);
	pl_db_value(store, stmt, &id, s->err);
	sqlite3_finalize(stmt);
	return id;
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

/* What became of recording @name: @rc is that of its ingest.  *@done: it is in
 * the database. */
static int judge(struct scan *s, const char *name, const struct pl_recfile *rf,
		 int rc, const struct pl_ingest_result *result, bool *done)
{
	*done = !rc;
	if (rc && is_of_recording(rc)) {
		tell(s, name, PL_FOUND_BAD, rf, s->err);
		return 0;
	}
	s->n_ingested += !rc && !result->already;
	return rc;
}

/* Nobody can tell whether it is still written: the database gets what it has
 * so far, and the recording stays.  So it is in no batch, whose files go. */
static int take_unsure(struct scan *s, const char *name,
		       const struct pl_recfile *rf)
{
	struct pl_ingest_result result;
	struct pl_store *store;
	bool done;
	int rc = pl_batch_commit(s->batch, s->err);

	if (!rc)
		rc = pl_batch_store(s->batch, &store, s->err);
	if (rc)
		return rc;
	rc = judge(s, name, rf, pl_store_ingest(store, rf, PL_END_RUNNING, -1,
						&result, s->err),
		   &result, &done);
	if (done)
		tell(s, name, PL_FOUND_ALIVE, rf, NULL);
	return rc;
}

static int ingest(struct scan *s, const char *name, int fd,
		  const struct pl_recfile *rf)
{
	struct pl_ingest_result result;
	struct pl_error damage;
	bool done;
	int rc = judge(s, name, rf, pl_batch_add(s->batch, rf, s->fd, name, fd,
						 &result, s->err),
		       &result, &done);

	if (!done)
		return rc;
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

static int take_by_life(struct scan *s, const char *name, int fd,
			struct pl_recfile *rf)
{
	switch (pl_live_look(fd, &rf->header)) {
	case PL_LIFE_GONE:
		return take_dead(s, name, fd, rf);
	case PL_LIFE_UNSURE:
		return take_unsure(s, name, rf);
	case PL_LIFE_THERE:
		tell(s, name, PL_FOUND_ALIVE, rf, NULL);
	}
	return 0;
}

/* ------------------------------------------------------------- whose -- */

void pl_store_trust_run(const uint8_t run[16])
{
	pl_owner_policy.trust.run = run;
}

/* A process of the run that this command has started may have become another
 * user.  Nobody else knows the number of the run. */
static bool is_of_our_run(int fd)
{
	const uint8_t *run = pl_owner_policy.trust.run;
	struct pl_rec_header h;

	return run && pread(fd, &h, sizeof(h), 0) == sizeof(h) &&
	       !memcmp(h.magic, PL_REC_MAGIC, sizeof(h.magic)) &&
	       !memcmp(h.run_uuid, run, sizeof(h.run_uuid));
}

/* A command that reads another user's database (--trust) changes nothing in
 * it: that user's own commands take the recordings in. */
static bool is_left_to_its_owner(const struct scan *s)
{
	struct stat st;

	return !pl_owner_policy.trust.run && !stat(s->db_path, &st) &&
	       !pl_owner_is_ours(st.st_uid);
}

static int take_ours(struct scan *s, const char *name, int fd)
{
	struct pl_error e = { 0 };
	struct pl_recfile rf;
	int rc = 0;

	if (pl_recfile_open_fd(&rf, fd, name, &e)) {
		take_unreadable(s, name, fd, &e);
		return 0;
	}
	if (!is_for(s, &rf))
		;
	else if (!is_left_to_its_owner(s))
		rc = take_by_life(s, name, fd, &rf);
	else if (pl_live_is(fd, &rf.header))
		tell(s, name, PL_FOUND_ALIVE, &rf, NULL);
	pl_recfile_close(&rf);
	return rc;
}

/*
 * In another user's folder everybody who is that user could have put it.  A
 * process that became that user is told apart by its run: 16 random bytes that
 * only the processes of the run know.
 */
static int take_foreign(struct scan *s, const char *name, int fd)
{
	struct pl_error e = { 0 };
	struct pl_recfile rf;
	struct stat st;
	int rc = 0;

	if (fstat(fd, &st) || pl_recfile_open_fd(&rf, fd, name, &e))
		return 0;
	if (is_for(s, &rf)) {
		if (!is_known_run(s, rf.header.run_uuid)) {
			pl_fail(&e, PL_ERR_FORMAT, "it belongs to user %u, and "
				"not to a run that is in the database",
				(unsigned int)st.st_uid);
			tell(s, name, PL_FOUND_BAD, NULL, &e);
		} else {
			rc = take_by_life(s, name, fd, &rf);
		}
	}
	pl_recfile_close(&rf);
	return rc;
}

static int take(struct scan *s, const char *name)
{
	struct pl_error e = { 0 };
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
	if (is_of_our_run(fd) || !pl_owner_check(fd, NULL, "it", &e))
		rc = take_ours(s, name, fd);
	else if (s->is_foreign)
		rc = take_foreign(s, name, fd);
	else
		tell(s, name, PL_FOUND_BAD, NULL, &e);
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

static int scan_open_folder(struct scan *s, const char *folder, DIR *dir)
{
	struct names list = { 0 };
	int rc = 0;

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

static int scan_folder(struct scan *s, const char *folder)
{
	DIR *dir = opendir(folder);

	return dir ? scan_open_folder(s, folder, dir) : 0;
}

/* Only what one user alone can have put there: we, or (@foreign) another. */
static int scan_fallback(struct scan *s, const char *folder, bool foreign)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	DIR *dir;

	if (fd < 0)
		return 0;
	if (fstat(fd, &st) || (st.st_mode & 022) ||
	    (st.st_uid != geteuid()) != foreign || !(dir = fdopendir(fd))) {
		close(fd);
		return 0;
	}
	s->is_foreign = foreign;
	return scan_open_folder(s, folder, dir);
}

/* Root alone can look, and its processes alone can have become another user. */
static int scan_foreign(struct scan *s)
{
	static const char *const patterns[] = PL_FALLBACKS_OF_ALL;
	glob_t found;
	int rc = 0;

	for (size_t i = 0; i < sizeof(patterns) / sizeof(*patterns); i++) {
		if (glob(patterns[i], 0, NULL, &found))
			continue;
		for (size_t k = 0; !rc && k < found.gl_pathc; k++)
			rc = scan_fallback(s, found.gl_pathv[k], true);
		globfree(&found);
	}
	return rc;
}

static int scan_fallbacks(struct scan *s)
{
	char folder[PATH_MAX];
	int rc = 0;

	s->is_fallback = true;
	for (unsigned int i = 0; !rc && i < PL_N_FALLBACKS; i++)
		if (pl_fallback_name(i, folder, sizeof(folder)))
			rc = scan_fallback(s, folder, false);
	return rc || geteuid() ? rc : scan_foreign(s);
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
	/* The process may have become another user, and back. */
	const struct pl_trust trust = { .also = getuid() };
	struct pl_ingest_result result;
	struct pl_store *store;
	struct pl_recfile rf;
	int rc, fd;

	fd = open(rec_path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return pl_fail_errno(err, errno == ENOENT ? PL_ERR_NOENT
							  : PL_ERR_SYS,
				     "cannot open %s", rec_path);
	rc = pl_owner_check(fd, &trust, rec_path, err);
	if (!rc)
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
