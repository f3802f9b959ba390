/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "export/remote.h"

#include "export/base64.h"
#include "export/escape.h"
#include "export/parca.pb-c.h"

#include <stdlib.h>
#include <string.h>

static int no_memory(struct pl_error *err)
{
	return pl_fail(err, PL_ERR_NOMEM, "out of memory");
}

/* ------------------------------------------------------------- Pyroscope -- */

static int write_pyroscope(const struct pl_remote_profile *p, FILE *out,
			   struct pl_error *err)
{
	FILE *base64;

	fputs("{\"series\":[{\"labels\":[", out);
	for (size_t i = 0; i < p->n_labels; i++) {
		fputs(i ? ",{\"name\":" : "{\"name\":", out);
		pl_json_put(out, p->labels[i].name);
		fputs(",\"value\":", out);
		pl_json_put(out, p->labels[i].value);
		putc('}', out);
	}
	fputs("],\"samples\":[{\"ID\":", out);
	pl_json_put(out, p->id);
	fputs(",\"rawProfile\":\"", out);
	base64 = pl_base64_open(out);
	if (!base64)
		return no_memory(err);
	fwrite(p->pprof, 1, p->pprof_bytes, base64);
	fclose(base64);
	fputs("\"}]}]}", out);
	return 0;
}

const struct pl_remote pl_remote_pyroscope = {
	.name = "pyroscope",
	.path = "/push.v1.PusherService/Push",
	.content_type = "application/json",
	.write = write_pyroscope,
};

/* ----------------------------------------------------------------- Parca -- */

/* A message of gRPC: not compressed, its length, itself. */
static int write_message(const Parca__WriteRawRequest *request, FILE *out,
			 struct pl_error *err)
{
	size_t n = parca__write_raw_request__get_packed_size(request);
	uint8_t head[5] = { 0, (uint8_t)(n >> 24), (uint8_t)(n >> 16),
			    (uint8_t)(n >> 8), (uint8_t)n };
	uint8_t *message;

	if (n > UINT32_MAX)
		return pl_fail(err, PL_ERR_FULL, "the profile is too large: "
			       "4 GB are the most that a message holds");
	message = malloc(n + 1);
	if (!message)
		return no_memory(err);
	parca__write_raw_request__pack(request, message);
	fwrite(head, 1, sizeof(head), out);
	fwrite(message, 1, n, out);
	free(message);
	return 0;
}

static int write_parca(const struct pl_remote_profile *p, FILE *out,
		       struct pl_error *err)
{
	Parca__Label labels[PL_REMOTE_LABELS], *at[PL_REMOTE_LABELS];
	Parca__LabelSet set = PARCA__LABEL_SET__INIT;
	Parca__RawSample sample = PARCA__RAW_SAMPLE__INIT, *samples = &sample;
	Parca__RawProfileSeries one = PARCA__RAW_PROFILE_SERIES__INIT,
				*series = &one;
	Parca__WriteRawRequest request = PARCA__WRITE_RAW_REQUEST__INIT;

	for (size_t i = 0; i < p->n_labels; i++) {
		parca__label__init(&labels[i]);
		labels[i].name = (char *)p->labels[i].name;
		labels[i].value = (char *)p->labels[i].value;
		at[i] = &labels[i];
	}
	set.labels = at;
	set.n_labels = p->n_labels;
	sample.raw_profile.data = (uint8_t *)p->pprof;
	sample.raw_profile.len = p->pprof_bytes;
	one.labels = &set;
	one.samples = &samples;
	one.n_samples = 1;
	request.series = &series;
	request.n_series = 1;
	request.normalized = 1;
	return write_message(&request, out, err);
}

const struct pl_remote pl_remote_parca = {
	.name = "parca",
	.path = "/parca.profilestore.v1alpha1.ProfileStoreService/WriteRaw",
	.content_type = "application/grpc-web+proto",
	.write = write_parca,
};

int pl_remote_grpc_status(char *text, size_t n, char **message)
{
	static const char status[] = "grpc-status:", said[] = "grpc-message:";
	int found = -1;

	/* Trailers come as lines of the last message. */
	*message = text + n;
	for (size_t i = 0; i < n; i++) {
		size_t left = n - i;
		char *end;

		if (left > sizeof(status) &&
		    !strncasecmp(text + i, status, sizeof(status) - 1))
			found = atoi(text + i + sizeof(status) - 1);
		if (left <= sizeof(said) ||
		    strncasecmp(text + i, said, sizeof(said) - 1))
			continue;
		*message = text + i + sizeof(said) - 1;
		*message += **message == ' ';
		end = memchr(text + i, '\r', left);
		if (end)
			*end = '\0';
	}
	return found;
}
