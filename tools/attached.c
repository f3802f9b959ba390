/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "attached.h"

#include "act_as.h"
#include "core/live.h"
#include "core/recfile.h"
#include "store/store.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ------------------------------------------------------------- to find -- */

static bool ends_in(const char *path, const char *suffix)
{
	size_t n = strlen(path), n_suffix = strlen(suffix);

	return n > n_suffix && !strcmp(path + n - n_suffix, suffix);
}

/* Open what a descriptor of the process names, if it is a regular file of its
 * user; a hostile process may name a device or a pipe. */
static int open_file_of(const struct pl_target *target, int folder,
			const char *name)
{
	int found = openat(folder, name, O_PATH | O_CLOEXEC), fd = -1;
	char path[40];
	struct stat st;

	if (found < 0)
		return -1;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", found);
	if (!fstat(found, &st) && S_ISREG(st.st_mode) &&
	    st.st_uid == target->uid)
		fd = open(path, O_RDONLY | O_CLOEXEC);
	close(found);
	return fd;
}

static bool is_of_run(int fd, const char *path, const uint8_t run[16])
{
	struct pl_recfile rf;
	bool is;

	if (pl_recfile_open_fd(&rf, fd, path, NULL))
		return false;
	is = !memcmp(rf.header.run_uuid, run, 16);
	pl_recfile_close(&rf);
	return is;
}

static bool take(struct pl_attached *a, const struct pl_target *target,
		 int folder, const char *name, const uint8_t run[16])
{
	ssize_t n = readlinkat(folder, name, a->path, sizeof(a->path) - 1);

	a->path[n > 0 ? n : 0] = '\0';
	if (!ends_in(a->path, PL_REC_SUFFIX))
		return false;
	a->fd = open_file_of(target, folder, name);
	if (a->fd >= 0 && is_of_run(a->fd, a->path, run))
		return true;
	if (a->fd >= 0)
		close(a->fd);
	a->fd = -1;
	return false;
}

void pl_attached_find(struct pl_attached *a, const struct pl_target *target,
		      const uint8_t run[16])
{
	int folder = openat(target->process, "fd",
			    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = folder < 0 ? NULL : fdopendir(folder);
	struct dirent *entry;

	memset(a, 0, sizeof(*a));
	a->fd = -1;
	a->root = openat(target->process, "root",
			 O_PATH | O_DIRECTORY | O_CLOEXEC);
	while (dir && a->fd < 0 && (entry = readdir(dir)))
		take(a, target, folder, entry->d_name, run);
	if (a->fd < 0)
		*a->path = '\0';
	if (dir)
		closedir(dir);
}

void pl_attached_release(struct pl_attached *a)
{
	if (a->fd >= 0)
		close(a->fd);
	if (a->root >= 0)
		close(a->root);
	a->fd = a->root = -1;
}

/* ----------------------------------------------------------- to take in -- */

/* True: the path, seen from @root, is gone or another file's. */
static bool remove_from(const struct pl_attached *a, int root)
{
	char folder[PATH_MAX], *slash;
	struct stat here, there;
	int fd;

	strcpy(folder, a->path);
	slash = strrchr(folder, '/');
	if (!slash || root < 0)
		return false;
	*slash = '\0';
	fd = pl_open_inside(root, *folder ? folder : "/");
	if (fd < 0)
		return false;
	if (!fstat(a->fd, &here) &&
	    !fstatat(fd, slash + 1, &there, AT_SYMLINK_NOFOLLOW) &&
	    here.st_dev == there.st_dev && here.st_ino == there.st_ino)
		unlinkat(fd, slash + 1, 0);
	close(fd);
	return !fstat(a->fd, &here) && !here.st_nlink;
}

/* As the process's user: the path is of that user's folders. */
static void remove_file(const struct pl_attached *a,
			const struct pl_target *target)
{
	int ours = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct pl_act_as as;

	if (!pl_act_as_begin(&as, target->uid, target->gid, NULL)) {
		if (!remove_from(a, ours))
			remove_from(a, a->root);
		pl_act_as_end(&as);
	}
	if (ours >= 0)
		close(ours);
}

int pl_attached_ingest(const struct pl_attached *a,
		       const struct pl_target *target, const char *db,
		       int busy_ms, struct pl_error *err)
{
	struct pl_ingest_result result;
	struct pl_store *store;
	struct pl_recfile rf;
	int rc;

	if (a->fd < 0)
		return 0;
	rc = pl_recfile_open_fd(&rf, a->fd, a->path, err);
	if (rc)
		return rc;
	if (pl_live_is(a->fd, &rf.header)) {
		pl_recfile_close(&rf);
		return 0;
	}
	rc = pl_store_open(&store, db, PL_STORE_WRITE, busy_ms, err);
	if (!rc) {
		rc = pl_store_ingest(store, &rf, PL_END_KILLED, -1, &result,
				     err);
		pl_store_close(store);
	}
	pl_recfile_close(&rf);
	if (!rc)
		remove_file(a, target);
	return rc ? rc : 1;
}
