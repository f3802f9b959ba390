/* SPDX-License-Identifier: MIT */
/* places.h: files, as far as two machines name them alike. */
#ifndef PL_EXPORT_PLACES_H
#define PL_EXPORT_PLACES_H

/*
 * What of @file is behind the folder @cwd (or NULL), behind site-packages, or
 * behind Python's own library; else all of it.  It is the same on two machines
 * that have a program in different places.
 */
const char *pl_short_file(const char *file, const char *cwd);

#endif
