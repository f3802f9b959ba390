/* SPDX-License-Identifier: MIT */
/* import: files that cProfile and its kin have dumped. */
#include <config.h>

#include "cmd.h"
#include "export/pstats.h"
#include "pytext.h"
#include "store/store.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define BUSY_MS 10000

enum { OPT_OUTPUT, OPT_LABEL, OPT_MERGE };

static const struct pl_opt options[] = {
	[OPT_OUTPUT] = { "output", 'o', "DB",
			 "add to DB (default: " PL_STORE_DEFAULT_DB ")" },
	[OPT_LABEL] = { "label", 0, "TEXT",
			"name of the runs (default: the file's)" },
	[OPT_MERGE] = { "merge", 0, NULL, "add the files up: one run" },
	{ NULL, 0, NULL, NULL },
};

/* One run to be: a file, or all of them. */
struct source {
	struct pl_pstats_reader *reader;
	char *label;
	int64_t started_ns;		/* when its oldest file was written */
};

struct import {
	const struct pl_cmd *cmd;
	const char *db, *label;
	bool merge;
	struct source *sources;
	size_t n;
};

static int fail(const struct import *im, const char *path, const char *why)
{
	return pl_complain(im->cmd, PL_EXIT_FAILED, "%s: %s", path, why);
}

/* The whole file, malloc'ed; PL_GO_ON. */
static int read_file(const struct import *im, const char *path, char **data,
		     size_t *size, int64_t *mtime_ns)
{
	FILE *f = fopen(path, "rb");
	size_t capacity = 1 << 16;
	struct stat st = { 0 };

	if (!f)
		return fail(im, path, strerror(errno));
	if (!fstat(fileno(f), &st) && st.st_size > 0)
		capacity = (size_t)st.st_size + 1;
	*mtime_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 +
		    st.st_mtim.tv_nsec;
	*data = NULL;
	*size = 0;
	for (;;) {
		char *more = realloc(*data, capacity);

		if (!more) {
			errno = ENOMEM;
			break;
		}
		*data = more;
		*size += fread(*data + *size, 1, capacity - *size, f);
		if (*size < capacity && !ferror(f)) {
			fclose(f);
			return PL_GO_ON;
		}
		if (ferror(f))
			break;
		if (*size > INT32_MAX) {	/* such as /dev/zero */
			errno = EFBIG;
			break;
		}
		capacity *= 2;
	}
	fail(im, path, strerror(errno));
	fclose(f);
	free(*data);
	return PL_EXIT_FAILED;
}

/* What the reader should know that reads on. */
static void add_note(const struct import *im, const char *path,
		     enum pl_pstats_kind kind)
{
	if (kind == PL_PSTATS_COUNTED)
		pl_complain(im->cmd, 0, "note: %s does not say how long the "
			    "calls from each caller took: 0 here", path);
	else if (kind == PL_PSTATS_SAMPLED)
		pl_complain(im->cmd, 0, "note: %s is of a sampling profiler: "
			    "its calls are samples", path);
	else if (kind == PL_PSTATS_UNCOUNTED)
		pl_complain(im->cmd, 0, "note: %s has no numbers of calls: 0 "
			    "here", path);
}

static int add_file(const struct import *im, struct source *s, const char *path)
{
	enum pl_pstats_kind kind;
	struct pl_error err;
	int64_t mtime_ns = 0;
	char *data = NULL;
	size_t size = 0;
	int rc = read_file(im, path, &data, &size, &mtime_ns);

	if (rc >= 0)
		return rc;
	rc = pl_pstats_reader_add(s->reader, data, size, &kind, &err);
	free(data);
	if (rc == PL_ERR_FORMAT)
		return pl_complain(im->cmd, PL_EXIT_FAILED,
				   "%s is not a file "
				   "that cProfile writes: %s",
				   path, err.text);
	if (rc)
		return fail(im, path, err.text);
	add_note(im, path, kind);
	if (!s->started_ns || mtime_ns < s->started_ns)
		s->started_ns = mtime_ns;
	return PL_GO_ON;
}

/* "a.prof + b.prof" */
static char *label_of(const struct import *im, char **paths, size_t n)
{
	char *names = NULL, *label;
	size_t size;
	FILE *f;

	if (im->label)
		return pl_pytext_from_bytes(im->label);
	f = open_memstream(&names, &size);
	if (!f)
		return NULL;
	for (size_t i = 0; i < n; i++)
		fprintf(f, "%s%s", i ? " + " : "", paths[i]);
	if (fclose(f))
		return NULL;
	label = pl_pytext_from_bytes(names);
	free(names);
	return label;
}

/* The files @paths as one run.  As Stats(a, b, c) adds: the first, and then
 * the others from the last on, which decides the order of rows. */
static int read_source(const struct import *im, struct source *s, char **paths,
		       size_t n)
{
	struct pl_error err;
	int rc = PL_GO_ON;

	s->label = label_of(im, paths, n);
	if (!s->label || pl_pstats_reader_new(&s->reader, &err))
		return pl_complain(im->cmd, PL_EXIT_FAILED, "out of memory");
	for (size_t i = 0; i < n && rc < 0; i++)
		rc = add_file(im, s, paths[i ? n - i : 0]);
	return rc;
}

/* All are read before the first is written. */
static int read_sources(struct import *im, char **paths, size_t n)
{
	int rc = PL_GO_ON;

	im->sources = calloc(n, sizeof(*im->sources));
	if (!im->sources)
		return pl_complain(im->cmd, PL_EXIT_FAILED, "out of memory");
	im->n = im->merge ? 1 : n;
	for (size_t i = 0; i < im->n && rc < 0; i++)
		rc = read_source(im, &im->sources[i], paths + i,
				 im->merge ? n : 1);
	return rc;
}

static int write_sources(const struct import *im)
{
	struct pl_ingest_result result;
	struct pl_store *store;
	struct pl_error err;
	int rc = pl_store_open(&store, im->db, PL_STORE_WRITE, BUSY_MS, &err);

	for (size_t i = 0; i < im->n && !rc; i++) {
		const struct source *s = &im->sources[i];
		struct pl_profile p = *pl_pstats_reader_profile(s->reader);

		p.started_ns = s->started_ns;
		rc = pl_store_import(store, &p, s->label, NULL, 0, &result,
				     &err);
	}
	pl_store_close(store);
	return rc ? pl_complain(im->cmd, PL_EXIT_FAILED, "%s", err.text)
		  : PL_EXIT_OK;
}

static int parse(struct import *im, int argc, char **argv, size_t *n)
{
	struct pl_opts o;
	int opt;

	pl_opts_init(&o, im->cmd, argc, argv);
	while ((opt = pl_opts_next(&o)) >= 0) {
		if (opt == OPT_OUTPUT)
			im->db = o.arg;
		else if (opt == OPT_LABEL)
			im->label = o.arg;
		else
			im->merge = true;
	}
	if (opt != PL_OPT_END)
		return pl_opts_stop(&o, opt);
	*n = (size_t)o.n_operands;
	if (!*n)
		return pl_complain(im->cmd, PL_EXIT_USAGE, "which FILE?  Such "
				   "as: proflite import app.prof");
	return PL_GO_ON;
}

static int run(const struct pl_cmd *cmd, int argc, char **argv)
{
	struct import im = { .cmd = cmd, .db = PL_STORE_DEFAULT_DB };
	size_t n = 0;
	int status = parse(&im, argc, argv, &n);

	if (status < 0)
		status = read_sources(&im, argv, n);
	if (status < 0)
		status = write_sources(&im);
	for (size_t i = 0; i < im.n; i++) {
		pl_pstats_reader_free(im.sources[i].reader);
		free(im.sources[i].label);
	}
	free(im.sources);
	return status;
}

const struct pl_cmd pl_cmd_import = {
	.name = "import",
	.summary = "add files of cProfile to a database",
	.synopsis = "[OPTION]... FILE...",
	.options = options,
	.run = run,
};
