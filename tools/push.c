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

static size_t receive(char *data, size_t size, size_t n, void *out)
{
	return fwrite(data, size, n, out);
}

/* All that is asked for; false without memory. */
static bool fill_in(const struct library *l, CURL *curl,
		    const struct pl_push *p, struct curl_slist **headers,
		    char *why, FILE *head, FILE *body)
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
	l->curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	l->curl_easy_setopt(curl, CURLOPT_USERAGENT,
			    "proflite/" PACKAGE_VERSION);
	l->curl_easy_setopt(curl, CURLOPT_HTTPHEADER, *headers);
	l->curl_easy_setopt(curl, CURLOPT_POST, 1L);
	l->curl_easy_setopt(curl, CURLOPT_POSTFIELDS, p->body);
	l->curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE,
			    (curl_off_t)p->bytes);
	l->curl_easy_setopt(curl, CURLOPT_NETRC, (long)CURL_NETRC_OPTIONAL);
	l->curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	l->curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, 10L);
	/* Not slow, but dead: nothing for a minute. */
	l->curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
	l->curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, 60L);
	l->curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, why);
	l->curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, receive);
	l->curl_easy_setopt(curl, CURLOPT_WRITEDATA, body);
	l->curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, receive);
	l->curl_easy_setopt(curl, CURLOPT_HEADERDATA, head);
	return *headers != NULL;
}

static int perform(const struct library *l, CURL *curl,
		   const struct pl_push *p, struct pl_push_answer *answer,
		   struct pl_error *err)
{
	char why[CURL_ERROR_SIZE] = "", *body = NULL;
	struct curl_slist *headers = NULL;
	size_t body_size = 0, head_size = 0;
	FILE *b = open_memstream(&body, &body_size);
	FILE *h = open_memstream(&answer->text, &head_size);
	int rc = 0;
	CURLcode code;

	if (!b || !h || !fill_in(l, curl, p, &headers, why, h, b)) {
		rc = pl_fail(err, PL_ERR_NOMEM, "out of memory");
	} else {
		code = l->curl_easy_perform(curl);
		if (code)
			rc = pl_fail(err, PL_ERR_SYS, "%s: %s", p->url, *why ?
				     why : l->curl_easy_strerror(code));
		l->curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE,
				     &answer->status);
	}
	l->curl_slist_free_all(headers);
	if (b)
		fclose(b);
	if (h) {
		fflush(h);
		answer->body_at = head_size;
		fwrite(body ? body : "", 1, body_size, h);
		fclose(h);
		answer->bytes = head_size;
	}
	free(body);
	return rc;
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
