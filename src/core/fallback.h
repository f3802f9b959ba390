/* SPDX-License-Identifier: MIT */
/*
 * fallback.h: where a recording lies that cannot lie beside its database.
 *
 *	$XDG_RUNTIME_DIR/proflite	when the variable is an absolute path
 *	/tmp/proflite-UID
 *
 * The user is the effective one, whose files these are: a process may have
 * become another user since it started, and the runtime folder in its
 * environment may still be the first user's.
 */
#ifndef PL_CORE_FALLBACK_H
#define PL_CORE_FALLBACK_H

#include <stdbool.h>
#include <stddef.h>

#define PL_N_FALLBACKS 2

/* For a reader with the right to see them: those of all users, for glob(3). */
#define PL_FALLBACKS_OF_ALL { "/tmp/proflite-*", "/run/user/*/proflite" }

/* Name folder @number of the calling user; false when there is none. */
bool pl_fallback_name(unsigned int number, char *dir, size_t size);

/* The same, and make it.  False when it cannot be made, or is not a folder
 * that only this user can write to. */
bool pl_fallback_make(unsigned int number, char *dir, size_t size);

#endif
