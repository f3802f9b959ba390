/* SPDX-License-Identifier: MIT */
/* push.h: one request to a server, by libcurl. */
#ifndef PL_TOOLS_PUSH_H
#define PL_TOOLS_PUSH_H

#include "base/err.h"

#include <stddef.h>

struct pl_push {
	const char *url;
	const char *content_type;
	const char *const *headers;	/* "Name: value", ends with NULL */
	const void *body;
	size_t bytes;
};

/* What came back.  free() the text. */
struct pl_push_answer {
	long status;			/* of HTTP */
	char *text;			/* headers and body, NUL-terminated */
	size_t body_at, bytes;
};

/*
 * POST.  Any answer is a success here.  PL_ERR_SYS: there was none, or libcurl
 * is not installed; PL_ERR_NOMEM.
 */
int pl_push(const struct pl_push *push, struct pl_push_answer *answer,
	    struct pl_error *err);

#endif
