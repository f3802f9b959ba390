/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "store/guard.h"

#include "base/owner.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MOST_LINKS 16
#define JOURNAL "-journal"

/* One database: where it is, and what its file was when SQLite opened it. */
struct place {
	char *path;			/* absolute; the last part is no link */
	const char *name;		/* the last part of it */
	const char *shown;		/* as it was given, for sentences */
	int folder;			/* a descriptor of its folder */
	bool shaky;			/* others can rename what is in it */
	bool opened;
	struct stat st;			/* of the database */
	sqlite3_io_methods methods;
};

struct pl_guard {
	sqlite3_vfs vfs;		/* first: SQLite gives us this back */
	sqlite3_vfs *unix_vfs;
	char vfs_name[40];
	bool write;
	struct place places[2];
	int n_places;
	struct pl_error refusal;
};

/* What the "unix" VFS is opening for us on this thread. */
static __thread struct {
	struct pl_guard *guard;
	struct place *place;
	const char *path;
	int flags;			/* SQLITE_OPEN_... */
} opening;

/* ------------------------------------------------------------ the rules -- */

static int refuse_journal(struct pl_error *err, const struct place *p,
			  const char *why)
{
	return pl_fail(err, PL_ERR_OWNER, "%s" JOURNAL " is not used: %s; if "
		       "nothing else is writing %s, remove the journal (the "
		       "last, unfinished write is lost)", p->shown, why,
		       p->shown);
}

/*
 * A journal says what to put into the database.  In a folder where others can
 * rename files, a file of root's may be there that somebody chose.
 */
static int check_journal(const struct place *p, const struct stat *st,
			 struct pl_error *err)
{
	char name[64], why[160];

	if (!S_ISREG(st->st_mode) || st->st_nlink != 1)
		return refuse_journal(err, p, "it is no file of proflite's");
	if (!pl_owner_is_ours(st->st_uid)) {
		pl_owner_name(st->st_uid, name, sizeof(name));
		snprintf(why, sizeof(why), "it belongs to %s, who alone may "
			 "roll it back", name);
		return refuse_journal(err, p, why);
	}
	if (!p->shaky || pl_owner_policy.trust.anybody)
		return 0;
	return refuse_journal(err, p, "other users can rename files in this "
			      "folder");
}

static int check_database(const struct place *p, const struct stat *st,
			  bool write, struct pl_error *err)
{
	if (!S_ISREG(st->st_mode))
		return pl_fail(err, PL_ERR_FORMAT, "%s is not a regular file: "
			       "want a database", p->shown);
	if (!pl_owner_is_trusted(st->st_uid, NULL))
		return pl_owner_refuse(st->st_uid, p->shown, err);
	/* Somebody may have linked an empty file of the caller's here. */
	if (write && !st->st_size && st->st_nlink > 1)
		return pl_fail(err, PL_ERR_OWNER, "%s is an empty file with "
			       "another name: want a new name", p->shown);
	return 0;
}

/* --------------------------------------------- system calls of "unix" -- */

static int open_file(struct place *p, const char *name, int flags, mode_t mode)
{
	flags |= O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK;
	return openat(p->folder, name, flags, mode);
}

/* Bytes 18 and 19 of a database are 2 in write-ahead mode. */
static bool has_log(int fd)
{
	char versions[2] = "";

	return pread(fd, versions, 2, 18) == 2 &&
	       (versions[0] == 2 || versions[1] == 2);
}

static int check_opened(int fd, struct pl_error *err)
{
	struct place *p = opening.place;
	struct stat st;
	int rc;

	if (fstat(fd, &st))
		return pl_fail_errno(err, PL_ERR_SYS, "cannot read %s",
				     p->shown);
	if (opening.flags & SQLITE_OPEN_MAIN_JOURNAL)
		return check_journal(p, &st, err);
	rc = check_database(p, &st, opening.guard->write, err);
	if (!rc && has_log(fd))
		rc = pl_fail(err, PL_ERR_FORMAT, "%s is in SQLite's write-ahead "
			     "mode: want one that proflite has made (sqlite3 "
			     "%s 'pragma journal_mode=delete' undoes it)",
			     p->shown, p->shown);
	p->st = st;
	p->opened = !rc;
	return rc;
}

static int open_guarded(const char *path, int flags, int mode)
{
	const char *name;
	int fd;

	/* "/dev/null", to fill a standard descriptor that is closed. */
	if (!opening.guard || strcmp(path, opening.path))
		return open(path, flags, mode);
	name = strrchr(path, '/') + 1;
	if (flags & O_CREAT) {
		fd = open_file(opening.place, name, flags | O_EXCL,
			       (mode_t)mode);
		if (fd >= 0 || errno != EEXIST)
			return fd;
		flags &= ~(O_CREAT | O_EXCL);
	}
	fd = open_file(opening.place, name, flags, 0);
	if (fd >= 0 && check_opened(fd, &opening.guard->refusal)) {
		close(fd);
		fd = -1;
		errno = EPERM;
	}
	return fd;
}

/* A new journal takes mode and owner from the database: of the one that is
 * open, and not of what has its name by now. */
static int stat_guarded(const char *path, struct stat *st)
{
	if (!opening.guard)
		return stat(path, st);
	if (opening.place->opened && !strcmp(path, opening.place->path)) {
		*st = opening.place->st;
		return 0;
	}
	if (!strcmp(path, opening.path))
		return fstatat(opening.place->folder, strrchr(path, '/') + 1,
			       st, AT_SYMLINK_NOFOLLOW);
	return stat(path, st);
}

static bool installed;

static void install(void)
{
	sqlite3_vfs *vfs = sqlite3_vfs_find("unix");

	installed = vfs && vfs->iVersion >= 3 &&
		    vfs->xSetSystemCall(vfs, "open", (sqlite3_syscall_ptr)
					open_guarded) == SQLITE_OK &&
		    vfs->xSetSystemCall(vfs, "stat", (sqlite3_syscall_ptr)
					stat_guarded) == SQLITE_OK;
}

/* ---------------------------------------------------------------- the VFS -- */

static struct pl_guard *guard_of(sqlite3_vfs *vfs)
{
	return (struct pl_guard *)vfs;
}

/* The database that @path is a file of, or NULL. */
static struct place *find_place(struct pl_guard *g, const char *path,
				const char *suffix)
{
	for (int i = 0; i < g->n_places; i++) {
		size_t n = strlen(g->places[i].path);

		if (!strncmp(path, g->places[i].path, n) &&
		    !strcmp(path + n, suffix))
			return &g->places[i];
	}
	return NULL;
}

static void refuse_name(struct pl_guard *g, const char *path)
{
	pl_fail(&g->refusal, PL_ERR_FORMAT, "%s" JOURNAL " names another file, "
		"%s: it is not proflite's", g->places[0].shown, path);
}

/* A write-ahead log shares memory through a file that is opened by name. */
static void without_shared_memory(struct place *p, sqlite3_file *file)
{
	p->methods = *file->pMethods;
	p->methods.iVersion = 1;
	file->pMethods = &p->methods;
}

static int check_reused(struct pl_guard *g, struct place *p)
{
	struct stat st;

	if (p->opened)
		return 0;
	/* "unix" took a descriptor of the same file that it had kept. */
	if (fstatat(p->folder, p->name, &st, AT_SYMLINK_NOFOLLOW))
		return PL_ERR_SYS;
	return check_database(p, &st, g->write, &g->refusal);
}

static int open_in_place(struct pl_guard *g, struct place *p, const char *path,
			 sqlite3_file *file, int flags, int *out_flags)
{
	int rc;

	opening.guard = g;
	opening.place = p;
	opening.path = path;
	opening.flags = flags;
	rc = g->unix_vfs->xOpen(g->unix_vfs, path, file, flags, out_flags);
	opening.guard = NULL;
	if (rc != SQLITE_OK || !(flags & SQLITE_OPEN_MAIN_DB))
		return rc;
	if (check_reused(g, p)) {
		file->pMethods->xClose(file);
		file->pMethods = NULL;
		return SQLITE_CANTOPEN;
	}
	without_shared_memory(p, file);
	return SQLITE_OK;
}

static int guard_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *file,
		      int flags, int *out_flags)
{
	struct pl_guard *g = guard_of(vfs);
	struct place *p;

	/* SQLite's own temporary files have no name. */
	if (!path)
		return g->unix_vfs->xOpen(g->unix_vfs, path, file, flags,
					  out_flags);
	p = find_place(g, path, flags & SQLITE_OPEN_MAIN_DB ? "" : JOURNAL);
	file->pMethods = NULL;
	if (p && (flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_MAIN_JOURNAL)))
		return open_in_place(g, p, path, file, flags, out_flags);
	refuse_name(g, path);
	return SQLITE_CANTOPEN;
}

static void sync_folder(const struct place *p)
{
	int fd = openat(p->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return;
	fsync(fd);
	close(fd);
}

static int guard_delete(sqlite3_vfs *vfs, const char *path, int sync)
{
	struct pl_guard *g = guard_of(vfs);
	struct place *p = find_place(g, path, JOURNAL);

	/* The check for a log, which proflite never has. */
	if (!p && find_place(g, path, "-wal"))
		return SQLITE_IOERR_DELETE_NOENT;
	if (!p) {
		refuse_name(g, path);
		return SQLITE_IOERR_DELETE;
	}
	if (unlinkat(p->folder, strrchr(path, '/') + 1, 0))
		return errno == ENOENT ? SQLITE_IOERR_DELETE_NOENT
				       : SQLITE_IOERR_DELETE;
	if (sync)
		sync_folder(p);
	return SQLITE_OK;
}

static int guard_access(sqlite3_vfs *vfs, const char *path, int flags,
			int *found)
{
	struct pl_guard *g = guard_of(vfs);
	struct place *p = find_place(g, path, JOURNAL);
	struct stat st;

	*found = 0;
	if (!p)
		p = find_place(g, path, "-wal");
	if (!p)
		p = find_place(g, path, "");
	if (!p) {
		refuse_name(g, path);
		return SQLITE_IOERR_ACCESS;
	}
	if (flags != SQLITE_ACCESS_EXISTS)
		return g->unix_vfs->xAccess(g->unix_vfs, path, flags, found);
	*found = !fstatat(p->folder, strrchr(path, '/') + 1, &st,
			  AT_SYMLINK_NOFOLLOW) &&
		 (!S_ISREG(st.st_mode) || st.st_size);
	return SQLITE_OK;
}

/* It is a full name already, and links in it are not resolved once more. */
static int guard_full_name(sqlite3_vfs *vfs, const char *path, int size,
			   char *full)
{
	(void)vfs;
	return snprintf(full, (size_t)size, "%s", path) < size
		? SQLITE_OK : SQLITE_CANTOPEN;
}

/* -------------------------------------------------------------- finding -- */

/* malloc'ed: @path as seen from the root; as it is when that fails. */
static char *make_absolute(const char *path)
{
	char folder[PATH_MAX], *full;

	if (*path != '/' && getcwd(folder, sizeof(folder)))
		return asprintf(&full, "%s/%s", folder, path) < 0 ? NULL : full;
	if (*path == '/' || !strncmp(path, "./", 2))
		return strdup(path);
	return asprintf(&full, "./%s", path) < 0 ? NULL : full;
}

static int open_folder(struct place *p, struct pl_error *err)
{
	size_t n = (size_t)(p->name - p->path);
	char *folder = strndup(p->path, n);
	struct stat st;

	if (!folder)
		return pl_fail(err, PL_ERR_NOMEM, "no memory");
	p->folder = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	free(folder);
	if (p->folder < 0 || fstat(p->folder, &st))
		return pl_fail_errno(err, PL_ERR_SYS, "cannot open the folder "
				     "of %s", p->shown);
	p->shaky = pl_owner_can_others_rename(&st);
	return 0;
}

/* The last part is a link: whoever made it chose the database. */
static int follow(struct place *p, const struct stat *st, struct pl_error *err)
{
	char target[PATH_MAX], *path = NULL;
	ssize_t n = readlinkat(p->folder, p->name, target, sizeof(target) - 1);

	if (n < 0)
		return pl_fail_errno(err, PL_ERR_SYS, "cannot open %s",
				     p->shown);
	target[n] = '\0';
	if (!pl_owner_is_trusted(st->st_uid, NULL))
		return pl_owner_refuse(st->st_uid, p->shown, err);
	if (p->shaky && !pl_owner_policy.trust.anybody)
		return pl_fail(err, PL_ERR_OWNER, "%s is a link to %s in a "
			       "folder where other users can rename files: "
			       "name the database itself", p->shown, target);
	if (asprintf(&path, "%.*s%s", *target == '/' ? 0 :
		     (int)(p->name - p->path), p->path, target) < 0)
		return pl_fail(err, PL_ERR_NOMEM, "no memory");
	free(p->path);
	close(p->folder);
	p->path = path;
	p->folder = -1;
	return 0;
}

static int find(struct place *p, bool write, struct pl_error *err)
{
	for (int i = 0; i < MOST_LINKS; i++) {
		int rc;

		p->name = strrchr(p->path, '/') + 1;
		rc = open_folder(p, err);
		if (rc)
			return rc;
		if (fstatat(p->folder, p->name, &p->st, AT_SYMLINK_NOFOLLOW))
			return pl_fail_errno(err, PL_ERR_SYS, "cannot open %s",
					     p->shown);
		if (!S_ISLNK(p->st.st_mode))
			return check_database(p, &p->st, write, err);
		rc = follow(p, &p->st, err);
		if (rc)
			return rc;
	}
	return pl_fail(err, PL_ERR_SYS, "%s: too many links", p->shown);
}

int pl_guard_add(struct pl_guard *g, const char *path, struct pl_error *err)
{
	struct place *p = &g->places[g->n_places];

	if (g->n_places == 2)
		return pl_fail(err, PL_ERR_BUSY, "%s: another database is "
			       "still attached", path);
	p->folder = -1;
	p->shown = path;
	p->path = make_absolute(path);
	if (!p->path)
		return pl_fail(err, PL_ERR_NOMEM, "no memory");
	g->n_places++;
	return find(p, g->write && p == g->places, err);
}

static int register_vfs(struct pl_guard *g, struct pl_error *err)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	int rc = sqlite3_initialize();

	if (rc == SQLITE_OK)
		pthread_once(&once, install);
	g->unix_vfs = rc == SQLITE_OK ? sqlite3_vfs_find("unix") : NULL;
	if (!g->unix_vfs || !installed)
		return pl_fail(err, PL_ERR_SQL, "SQLite has no \"unix\" VFS "
			       "whose files can be checked");
	g->vfs = *g->unix_vfs;
	snprintf(g->vfs_name, sizeof(g->vfs_name), "proflite-%p", (void *)g);
	g->vfs.zName = g->vfs_name;
	g->vfs.pNext = NULL;
	g->vfs.xOpen = guard_open;
	g->vfs.xDelete = guard_delete;
	g->vfs.xAccess = guard_access;
	g->vfs.xFullPathname = guard_full_name;
	if (sqlite3_vfs_register(&g->vfs, 0) == SQLITE_OK)
		return 0;
	g->vfs.zName = NULL;
	return pl_fail(err, PL_ERR_NOMEM, "no memory");
}

int pl_guard_new(struct pl_guard **guard, const char *path, bool write,
		 struct pl_error *err)
{
	struct pl_guard *g = calloc(1, sizeof(*g));
	int rc;

	*guard = NULL;
	if (!g)
		return pl_fail(err, PL_ERR_NOMEM, "no memory");
	g->write = write;
	rc = pl_guard_add(g, path, err);
	if (!rc)
		rc = register_vfs(g, err);
	if (rc)
		pl_guard_free(g);
	else
		*guard = g;
	return rc;
}

static void release_place(struct place *p)
{
	if (p->folder >= 0)
		close(p->folder);
	free(p->path);
	memset(p, 0, sizeof(*p));
}

void pl_guard_remove(struct pl_guard *g)
{
	if (g->n_places == 2)
		release_place(&g->places[--g->n_places]);
}

void pl_guard_free(struct pl_guard *g)
{
	if (!g)
		return;
	if (g->vfs.zName)
		sqlite3_vfs_unregister(&g->vfs);
	while (g->n_places)
		release_place(&g->places[--g->n_places]);
	free(g);
}

const char *pl_guard_vfs(const struct pl_guard *g)
{
	return g->vfs_name;
}

const char *pl_guard_name(const struct pl_guard *g, int i)
{
	return g->places[i].path;
}

bool pl_guard_is_foreign(const struct pl_guard *g)
{
	return !pl_owner_is_ours(g->places[0].st.st_uid);
}

int pl_guard_refusal(struct pl_guard *g, struct pl_error *err)
{
	int rc = g ? (int)g->refusal.code : 0;

	if (!rc)
		return 0;
	if (err)
		*err = g->refusal;
	g->refusal.code = PL_OK;
	return rc;
}
