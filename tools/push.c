/* SPDX-License-Identifier: MIT */
/*
 * libcurl is opened when it is wanted: it brings thirty libraries along, which
 * every other command would have to wait for.
 */
#include <config.h>

#include "push.h"

/* Its checks of types are macros around the functions. */
#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>
#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#undef curl_easy_setopt
#undef curl_easy_getinfo

#define FUNCTIONS(X)                                                          \
	X(curl_easy_init) X(curl_easy_setopt) X(curl_easy_perform)            \
	X(curl_easy_getinfo) X(curl_easy_cleanup) X(curl_easy_strerror)       \
	X(curl_slist_append) X(curl_slist_free_all)

struct library {
#define MEMBER(name) __typeof__(&name) name;
	FUNCTIONS(MEMBER)
};

static int open_library(struct library *l, struct pl_error *err)
{
	static const char *const names[] = { "libcurl.so.4",
					     "libcurl-gnutls.so.4" };
	void *handle = NULL;
	bool whole;

	for (size_t i = 0; !handle && i < sizeof(names) / sizeof(*names); i++)
		handle = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
	whole = handle != NULL;
#define LOOK_UP(name)                                                         \
	l->name = handle ? (__typeof__(l->name))dlsym(handle, #name) : NULL;  \
	whole &= l->name != NULL;
	FUNCTIONS(LOOK_UP)
	if (whole)
		return 0;
	return pl_fail(err, PL_ERR_SYS, "libcurl is not here: install "
		       "libcurl4");
}

/* What the server sends: its headers, then its body. */
struct reply {
	char *text;
	size_t bytes, body_at;
	bool is_long;
};

/* Any other number than @n ends the transfer. */
static size_t keep(struct reply *reply, const char *data, size_t n)
{
	if (n > PL_PUSH_MOST_BYTES - reply->bytes) {
		reply->is_long = true;
		return 0;
	}
	memcpy(reply->text + reply->bytes, data, n);
	reply->bytes += n;
	return n;
}

static size_t keep_header(char *data, size_t size, size_t n, void *reply)
{
	return keep(reply, data, size * n);
}

static size_t keep_body(char *data, size_t size, size_t n, void *arg)
{
	struct reply *reply = arg;

	/* Headers that come behind the body (trailers) count as body. */
	if (!reply->body_at)
		reply->body_at = reply->bytes;
	return keep(reply, data, size * n);
}

static void limit(const struct library *l, CURL *curl, const struct pl_push *p)
{
	l->curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, 10L);
	l->curl_easy_setopt(curl, CURLOPT_TIMEOUT, p->timeout_s);
	/* Not slow, but dead: nothing for a minute. */
	l->curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
	l->curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, 60L);
	/* Neither the profile nor a password goes to another place than the
	 * one that was named. */
	l->curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	l->curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
}

/* All that is asked for; false without memory. */
static bool fill_in(const struct library *l, CURL *curl,
		    const struct pl_push *p, struct curl_slist **headers,
		    char *why, struct reply *reply)
{
	char type[200];

	snprintf(type, sizeof(type), "Content-Type: %s", p->content_type);
	*headers = l->curl_slist_append(NULL, type);
	/* No question before the body: few servers answer it. */
	if (*headers)
		*headers = l->curl_slist_append(*headers, "Expect:");
	for (size_t i = 0; *headers && p->headers[i]; i++)
		*headers = l->curl_slist_append(*headers, p->headers[i]);
	l->curl_easy_setopt(curl, CURLOPT_URL, p->url);
	l->curl_easy_setopt(curl, CURLOPT_USERAGENT,
			    "proflite/" PACKAGE_VERSION);
	l->curl_easy_setopt(curl, CURLOPT_HTTPHEADER, *headers);
	l->curl_easy_setopt(curl, CURLOPT_POST, 1L);
	l->curl_easy_setopt(curl, CURLOPT_POSTFIELDS, p->body);
	l->curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE,
			    (curl_off_t)p->bytes);
	l->curl_easy_setopt(curl, CURLOPT_NETRC, (long)CURL_NETRC_OPTIONAL);
	l->curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	l->curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, why);
	l->curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, keep_body);
	l->curl_easy_setopt(curl, CURLOPT_WRITEDATA, reply);
	l->curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, keep_header);
	l->curl_easy_setopt(curl, CURLOPT_HEADERDATA, reply);
	limit(l, curl, p);
	return *headers != NULL;
}

static int fail(const struct pl_push *p, const struct reply *reply,
		const char *why, struct pl_error *err)
{
	char *url = pl_push_url_shown(p->url);
	int rc;

	if (reply->is_long)
		rc = pl_fail(err, PL_ERR_SYS, "%s: the reply is longer than "
			     "%d KiB", url ? url : "the server",
			     PL_PUSH_MOST_BYTES >> 10);
	else
		rc = pl_fail(err, PL_ERR_SYS, "%s: %s",
			     url ? url : "the server", why);
	free(url);
	return rc;
}

static int perform(const struct library *l, CURL *curl,
		   const struct pl_push *p, struct pl_push_answer *answer,
		   struct pl_error *err)
{
	struct reply reply = { .text = malloc(PL_PUSH_MOST_BYTES + 1) };
	char why[CURL_ERROR_SIZE] = "";
	struct curl_slist *headers = NULL;
	int rc = 0;
	CURLcode code;

	if (!reply.text || !fill_in(l, curl, p, &headers, why, &reply)) {
		rc = pl_fail(err, PL_ERR_NOMEM, "out of memory");
	} else {
		code = l->curl_easy_perform(curl);
		if (code)
			rc = fail(p, &reply, *why ? why :
				  l->curl_easy_strerror(code), err);
		l->curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE,
				     &answer->status);
		reply.text[reply.bytes] = '\0';
	}
	l->curl_slist_free_all(headers);
	answer->text = reply.text;
	answer->bytes = reply.bytes;
	answer->body_at = reply.body_at ? reply.body_at : reply.bytes;
	return rc;
}

char *pl_push_url_shown(const char *url)
{
	const char *host = strstr(url, "://"), *end, *at;
	char *shown;

	if (!host)
		return strdup(url);
	host += 3;
	end = host + strcspn(host, "/?#");
	/* The last "@": a password may have one itself. */
	at = memrchr(host, '@', (size_t)(end - host));
	if (!at)
		return strdup(url);
	return asprintf(&shown, "%.*s%s", (int)(host - url), url, at + 1) < 0
		       ? NULL : shown;
}

int pl_push(const struct pl_push *p, struct pl_push_answer *answer,
	    struct pl_error *err)
{
	struct library l;
	CURL *curl;
	int rc = open_library(&l, err);

	memset(answer, 0, sizeof(*answer));
	if (rc)
		return rc;
	curl = l.curl_easy_init();
	if (!curl)
		return pl_fail(err, PL_ERR_NOMEM, "out of memory");
	rc = perform(&l, curl, p, answer, err);
	l.curl_easy_cleanup(curl);
	return rc;
}
