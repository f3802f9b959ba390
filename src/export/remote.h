/* SPDX-License-Identifier: MIT */
/*
 * remote.h: the bodies of requests that bring a profile to a server.
 *
 * Pyroscope	POST /push.v1.PusherService/Push, Connect's JSON: its public,
 *		stable way in
 * Parca	POST /parca.profilestore.v1alpha1.ProfileStoreService/WriteRaw,
 *		gRPC-Web: what its own pages speak, and needs no HTTP/2
 *
 * Both carry a pprof profile with labels beside it.
 */
#ifndef PL_EXPORT_REMOTE_H
#define PL_EXPORT_REMOTE_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define PL_REMOTE_LABELS 32

struct pl_remote_label {
	const char *name, *value;
};

struct pl_remote_profile {
	struct pl_remote_label labels[PL_REMOTE_LABELS];
	size_t n_labels;
	const void *pprof;
	size_t pprof_bytes;
	const char *id;			/* of the profile, a UUID */
};

struct pl_remote {
	const char *name;
	const char *path;		/* behind the server's URL */
	const char *content_type;
	int (*write)(const struct pl_remote_profile *profile, FILE *out,
		     struct pl_error *err);
};

extern const struct pl_remote pl_remote_pyroscope, pl_remote_parca;

/*
 * What gRPC-Web says at the end of an answer: the number of "grpc-status:", or
 * -1 when it is not there.  *@message: "grpc-message:", in @text, which ends with
 * a NUL at @n, or "".
 */
int pl_remote_grpc_status(char *text, size_t n, char **message);

#endif
