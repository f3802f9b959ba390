/* SPDX-License-Identifier: MIT */
/*
 * owner.h: whose files proflite reads and writes.
 *
 * A database or a recording that another user planted is an attack on whoever
 * runs a command beside it.  So a file must belong to the caller (the effective
 * user) or to root.  The owner is checked on the open descriptor: a name can
 * mean another file a moment later.
 */
#ifndef PL_BASE_OWNER_H
#define PL_BASE_OWNER_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

/* Whom to accept besides the caller and root.  NULL in a call: the policy of
 * the process, see below. */
struct pl_trust {
	bool anybody;			/* the user typed --trust */
	uid_t also;			/* one more user; 0 (root): nobody */
	/* The 16 bytes of a run that only its processes know, or NULL: its
	 * recordings are accepted whoever they belong to, since a process may
	 * become another user.  See store/pending.c. */
	const uint8_t *run;
};

/*
 * The policy of the process.  Only the program sets it, once, before it opens
 * a file; in a profiled process it stays empty: the caller and root.
 */
struct pl_owner_policy {
	struct pl_trust trust;
	/* The end of a refusal, such as "add --trust"; or NULL. */
	const char *advice;
	/* Write "user NAME" of @uid; NULL: "user 1234".  A profiled process
	 * must not load the libraries that look names up. */
	void (*name_user)(uid_t uid, char *name, size_t size);
};
extern struct pl_owner_policy pl_owner_policy;

bool pl_owner_is_trusted(uid_t owner, const struct pl_trust *trust);

/* Only the caller and root, whatever --trust says. */
bool pl_owner_is_ours(uid_t owner);

/* Check the file @fd, called @path in the sentence: 0, PL_ERR_OWNER, or
 * PL_ERR_SYS. */
int pl_owner_check(int fd, const struct pl_trust *trust, const char *path,
		   struct pl_error *err);

/* The refusal of @path, which belongs to @owner; returns PL_ERR_OWNER. */
int pl_owner_refuse(uid_t owner, const char *path, struct pl_error *err);

/* "user NAME" */
void pl_owner_name(uid_t owner, char *name, size_t size);

/* Can a user who is not ours rename and replace the files in this folder? */
bool pl_owner_can_others_rename(const struct stat *folder);

/* Can a user who is not ours write to, or truncate, this file? */
bool pl_owner_can_others_write(const struct stat *file);

#endif
