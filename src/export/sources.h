/* SPDX-License-Identifier: MIT */
/*
 * sources.h: the line of source text that a function begins with.
 *
 * Read are regular files whose name begins with a slash and ends in .py, no
 * larger than sources are, and not changed since @before_ns: a database may
 * come from anywhere, and what it names is not for us to quote from.
 */
#ifndef PL_EXPORT_SOURCES_H
#define PL_EXPORT_SOURCES_H

#include "base/err.h"
#include "store/store.h"

/* (*@lines)[i] is that of function i, without blanks around it, or NULL.
 * PL_ERR_NOMEM. */
int pl_sources_read(const struct pl_profile *profile, int64_t before_ns,
		    char ***lines, struct pl_error *err);
void pl_sources_free(char **lines, uint32_t n);

#endif
