/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "outdb.h"

#include "store/store.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Permissions do not tell all (a read-only or a kernel's file system, a
 * quota), so try it. */
static int try_folder(const struct pl_cmd *cmd, const char *folder)
{
	char path[PATH_MAX + 32];
	int fd;

	snprintf(path, sizeof(path), "%s/.proflite.XXXXXX", folder);
	fd = mkstemp(path);
	if (fd < 0)
		return pl_complain(cmd, PL_EXIT_FAILED,
				   "cannot write into %s: %s: name a database "
				   "elsewhere with -o",
				   folder, strerror(errno));
	close(fd);
	unlink(path);
	return PL_GO_ON;
}

/* The processes may change folders, so the database gets a full name. */
static int make_absolute(const struct pl_cmd *cmd, struct pl_options *o)
{
	char *path = o->out, *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	char folder[PATH_MAX], absolute[sizeof(o->out)];
	struct pl_error err;
	struct stat st;
	int n;

	if (!*name || (!stat(path, &st) && S_ISDIR(st.st_mode)))
		return pl_complain(cmd, PL_EXIT_FAILED,
				   "%s is a folder: want the name of a file, "
				   "such as %s",
				   path, PL_STORE_DEFAULT_DB);
	if (slash)
		*slash = '\0';
	if (!realpath(slash ? *path ? path : "/" : ".", folder))
		return pl_complain(cmd, PL_EXIT_FAILED,
				   "cannot write into %s: %s",
				   slash ? path : ".", strerror(errno));
	n = snprintf(absolute, sizeof(absolute), "%s/%s",
		     strcmp(folder, "/") ? folder : "", name);
	if (n >= (int)sizeof(absolute))
		return pl_complain(cmd, PL_EXIT_FAILED,
				   "the path of the database is too long");
	memcpy(path, absolute, (size_t)n + 1);
	if (pl_options_check_database(path, &err))
		return pl_complain(cmd, PL_EXIT_FAILED, "%s", err.text);
	return try_folder(cmd, folder);
}

/*
 * Asked to record, we say what stands against it before the command runs, not
 * an hour later.  Only a database that is there is opened: none is made until
 * there is something to put into it.
 */
static int check_database(const struct pl_cmd *cmd, const struct pl_options *o)
{
	struct pl_store *store;
	struct pl_error err;
	int rc;

	if (access(o->out, F_OK))
		return PL_GO_ON;
	if (access(o->out, W_OK))
		return pl_complain(cmd, PL_EXIT_FAILED,
				   "cannot write %s: "
				   "%s: name another database with -o",
				   o->out, strerror(errno));
	rc = pl_store_open(&store, o->out, PL_STORE_WRITE, 0, &err);
	if (!rc)
		pl_store_close(store);
	/* Locked now is not locked at the end. */
	if (!rc || rc == PL_ERR_BUSY)
		return PL_GO_ON;
	return pl_complain(cmd, PL_EXIT_FAILED, "%s", err.text);
}

int pl_outdb_prepare(const struct pl_cmd *cmd, struct pl_options *o)
{
	int status = make_absolute(cmd, o);

	return status < 0 ? check_database(cmd, o) : status;
}
