/* SPDX-License-Identifier: MIT */
/*
 * guard.h: which files SQLite may open, create and delete for a database.
 *
 * SQLite opens a database and its journal by name, follows links, trusts
 * whatever lies there, and deletes the file that a journal names as its
 * super-journal.  In a folder that others can write to (such as the temporary
 * one) each of these is an attack.  So every database is opened through a VFS
 * of its own, SQLite's "unix" one with three functions replaced:
 *
 * - names are looked up in the folder as it was when the database was opened
 *   (a descriptor), and no link is followed;
 * - the owner is checked on the descriptor that SQLite will use;
 * - only the database and its rollback journal are opened or deleted.  There
 *   is no super-journal and no write-ahead log: proflite writes neither.
 *
 * A journal of another user is never rolled back, whatever --trust says.
 */
#ifndef PL_STORE_GUARD_H
#define PL_STORE_GUARD_H

#include "base/err.h"

#include <stdbool.h>

struct pl_guard;

/* Find @path, which must be there.  The last part may be a link of the
 * caller's or root's own. */
int pl_guard_new(struct pl_guard **guard, const char *path, bool write,
		 struct pl_error *err);

/* The same for a second database, which will be attached to the first. */
int pl_guard_add(struct pl_guard *guard, const char *path,
		 struct pl_error *err);

/* Once it is detached. */
void pl_guard_remove(struct pl_guard *guard);

/* Only after the connection is closed. */
void pl_guard_free(struct pl_guard *guard);

/* What sqlite3_open_v2 and ATTACH (@i = 1: the second) have to be given. */
const char *pl_guard_vfs(const struct pl_guard *guard);
const char *pl_guard_name(const struct pl_guard *guard, int i);

/* Does the database belong to another user?  Then it is --trust that lets it
 * be opened. */
bool pl_guard_is_foreign(const struct pl_guard *guard);

/* Why the last file was refused, and forget it: a negative enum pl_err with
 * the sentence, or 0. */
int pl_guard_refusal(struct pl_guard *guard, struct pl_error *err);

#endif
