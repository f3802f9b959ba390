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
	long timeout_s;			/* for all of it */
};

/* A server of profiles answers with a few bytes.  Headers and body together
 * may have this many. */
#define PL_PUSH_MOST_BYTES (1 << 20)

/* What came back.  free() the text. */
struct pl_push_answer {
	long status;			/* of HTTP */
	char *text;			/* headers and body, NUL-terminated */
	size_t body_at, bytes;
};

/*
 * POST, to this URL and no other: no redirect is followed.  Any answer is a
 * success here.  PL_ERR_SYS: there was none in time, it was too long, or
 * libcurl is not installed; PL_ERR_NOMEM.
 */
int pl_push(const struct pl_push *push, struct pl_push_answer *answer,
	    struct pl_error *err);

/* The URL as a message may show it: without user name and password.
 * malloc'ed, or NULL. */
char *pl_push_url_shown(const char *url);

#endif
