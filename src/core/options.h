/* SPDX-License-Identifier: MIT */
/*
 * options.h: what to record, and the text form of it.
 *
 *	PROFLITE_OPTIONS='out=/tmp/a.db,clock=cpu,builtins=no'
 *
 * key=value pairs separated by commas; a bare key means yes; a comma or a
 * backslash in a value is written with a backslash before it.  One variable,
 * one table (options.def), so that no list of settings is kept twice.
 */
#ifndef PL_CORE_OPTIONS_H
#define PL_CORE_OPTIONS_H

#include "base/err.h"
#include "core/format.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PL_OPTIONS_ENV "PROFLITE_OPTIONS"

/* A recording is DB.PID-XXXXXXXX.plrec, and a name has at most 255 bytes. */
#define PL_DATABASE_NAME_MAX 229

struct pl_options {
	char out[4096];
	char label[256];
	enum pl_clock_kind clock;
	uint32_t max_nodes, max_functions, max_threads;
	bool builtins, all_calls, calibrate, start, ingest, collected;
	uint8_t run[16], parent[16];	/* zeros when not given */
};

enum pl_option_type {
	PL_OPTION_PATH, PL_OPTION_TEXT, PL_OPTION_FLAG, PL_OPTION_COUNT,
	PL_OPTION_CLOCK, PL_OPTION_ID,
};

struct pl_option_row {
	const char *key;
	enum pl_option_type type;
	size_t offset, size;		/* of its field in struct pl_options */
	const char *fallback;		/* default, in text form */
	const char *help;
};

extern const struct pl_option_row pl_option_rows[];
extern const size_t pl_n_option_rows;

void pl_options_init(struct pl_options *o);

/* Read @text over what @o holds.  PL_ERR_ARG names the first thing that is
 * wrong and what would be right; @o is then part-way changed. */
int pl_options_parse(struct pl_options *o, const char *text,
		     struct pl_error *err);

/* Set one option from text. */
int pl_options_set(struct pl_options *o, const char *key, const char *value,
		   struct pl_error *err);

/*
 * Whether a database can have the name @path: PL_ERR_ARG for a name that
 * leaves no room for the names of its recordings and journals beside it, and
 * for a symbolic link that leads to no file.  Folders are not checked.
 */
int pl_options_check_database(const char *path, struct pl_error *err);

/* Write what differs from the defaults, without a NUL beyond @size; returns
 * the length it would have, like snprintf. */
size_t pl_options_format(const struct pl_options *o, char *buf, size_t size);

#endif
