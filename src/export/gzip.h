/* SPDX-License-Identifier: MIT */
/* gzip.h: write a gzip file to a stream that is open already. */
#ifndef PL_EXPORT_GZIP_H
#define PL_EXPORT_GZIP_H

#include "base/err.h"

#include <stddef.h>
#include <stdio.h>

struct pl_gzip;

/* PL_ERR_NOMEM.  Errors of @out are left in it. */
int pl_gzip_open(struct pl_gzip **gzip, FILE *out, struct pl_error *err);
void pl_gzip_write(struct pl_gzip *gzip, const void *data, size_t bytes);
/* Write the end; free. */
void pl_gzip_close(struct pl_gzip *gzip);

#endif
