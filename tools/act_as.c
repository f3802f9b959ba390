/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "act_as.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#if __has_include(<linux/openat2.h>)
#include <linux/openat2.h>
#endif

/* An invalid id changes nothing: the call only returns the current one. */
static bool has_ids(uid_t uid, gid_t gid)
{
	return (uid_t)setfsuid((uid_t)-1) == uid &&
	       (gid_t)setfsgid((gid_t)-1) == gid;
}

static int save_groups(struct pl_act_as *as, struct pl_error *err)
{
	as->n_groups = getgroups(0, NULL);
	if (as->n_groups > 0)
		as->groups = calloc((size_t)as->n_groups, sizeof(gid_t));
	if (as->n_groups < 0 || (as->n_groups && !as->groups) ||
	    getgroups(as->n_groups, as->groups) != as->n_groups)
		return pl_fail(err, PL_ERR_NOMEM, "out of memory");
	return 0;
}

int pl_act_as_begin(struct pl_act_as *as, uid_t uid, gid_t gid,
		    struct pl_error *err)
{
	int rc, error;

	memset(as, 0, sizeof(*as));
	if (geteuid() == uid)
		return 0;
	/* Only root's capabilities over files go with its user id. */
	if (geteuid()) {
		errno = EPERM;
		return pl_fail_errno(err, PL_ERR_SYS, "cannot act as user %u",
				     (unsigned)uid);
	}
	rc = save_groups(as, err);
	if (rc)
		return rc;
	as->changed = true;
	if (!as->n_groups || !setgroups(0, NULL)) {
		setfsgid(gid);
		setfsuid(uid);
		if (has_ids(uid, gid))
			return 0;
		errno = EPERM;
	}
	error = errno;
	pl_act_as_end(as);
	errno = error;
	return pl_fail_errno(err, PL_ERR_SYS, "cannot act as user %u",
			     (unsigned)uid);
}

/* The kernel allows the way back; if it ever fails, nothing may go on. */
void pl_act_as_end(struct pl_act_as *as)
{
	int saved = errno;

	if (!as->changed)
		return;
	setfsuid(geteuid());
	setfsgid(getegid());
	if ((as->n_groups && setgroups((size_t)as->n_groups, as->groups) &&
	     getgroups(0, NULL) != as->n_groups) ||
	    !has_ids(geteuid(), getegid()))
		abort();
	free(as->groups);
	memset(as, 0, sizeof(*as));
	errno = saved;
}

int pl_open_inside(int root, const char *path)
{
#ifdef RESOLVE_IN_ROOT
	struct open_how how = {
		.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	int fd = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));

	if (fd >= 0 || (errno != ENOSYS && errno != EPERM))
		return fd;
#endif
	return openat(root, path + strspn(path, "/"),
		      O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}
