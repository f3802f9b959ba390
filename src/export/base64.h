/* SPDX-License-Identifier: MIT */
/* base64.h: a stream that writes to another one in base64 (RFC 4648). */
#ifndef PL_EXPORT_BASE64_H
#define PL_EXPORT_BASE64_H

#include <stdio.h>

/* NULL without memory.  fclose writes the end, and leaves @out open. */
FILE *pl_base64_open(FILE *out);

#endif
