/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "base/owner.h"

#include <stdio.h>
#include <unistd.h>

struct pl_owner_policy pl_owner_policy;

bool pl_owner_is_ours(uid_t owner)
{
	return !owner || owner == geteuid();
}

bool pl_owner_is_trusted(uid_t owner, const struct pl_trust *trust)
{
	if (!trust)
		trust = &pl_owner_policy.trust;
	return trust->anybody || owner == trust->also ||
	       pl_owner_is_ours(owner);
}

void pl_owner_name(uid_t owner, char *name, size_t size)
{
	if (pl_owner_policy.name_user)
		pl_owner_policy.name_user(owner, name, size);
	else
		snprintf(name, size, "user %u", (unsigned)owner);
}

int pl_owner_refuse(uid_t owner, const char *path, struct pl_error *err)
{
	const char *advice = pl_owner_policy.advice;
	char name[64];

	pl_owner_name(owner, name, sizeof(name));
	return pl_fail(err, PL_ERR_OWNER, "%s belongs to %s%s%s", path, name,
		       advice ? ": " : "", advice ? advice : "");
}

int pl_owner_check(int fd, const struct pl_trust *trust, const char *path,
		   struct pl_error *err)
{
	struct stat st;

	if (fstat(fd, &st))
		return pl_fail_errno(err, PL_ERR_SYS, "cannot read %s", path);
	if (pl_owner_is_trusted(st.st_uid, trust))
		return 0;
	return pl_owner_refuse(st.st_uid, path, err);
}

/*
 * The owner of a folder can rename what is in it, and so can everybody who can
 * write to it, unless it is sticky.  A group is the others, too, except the
 * caller's own first group, which many systems give each user.
 */
bool pl_owner_can_others_rename(const struct stat *folder)
{
	if (!pl_owner_is_ours(folder->st_uid))
		return true;
	return !(folder->st_mode & S_ISVTX) &&
	       pl_owner_can_others_write(folder);
}

bool pl_owner_can_others_write(const struct stat *file)
{
	return !pl_owner_is_ours(file->st_uid) || (file->st_mode & S_IWOTH) ||
	       ((file->st_mode & S_IWGRP) && file->st_gid != getegid());
}
