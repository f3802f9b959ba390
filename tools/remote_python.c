/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "remote_python.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Bounds on what is read of a process that may be hostile. */
#define MAPPING_MOST (UINT64_C(64) << 20)
#define ALL_MOST (UINT64_C(256) << 20)
#define CHUNK 65536

/*
 * Indexes into the table, whose entries are 64 bits wide.  CPython changes it
 * between minor versions only: struct _Py_DebugOffsets in
 * Include/internal/pycore_debug_offsets.h.
 */
enum { WORD_VERSION = 1, WORD_INTERPRETERS = 5, WORD_MAIN_THREAD = 10 };

/* struct _debugger_support in it */
struct support {
	uint64_t eval_breaker; /* offset in the thread state */
	uint64_t support; /* offset in the thread state */
	uint64_t enabled; /* offset in the interpreter state */
	uint64_t pending_call; /* offset in the support structure */
	uint64_t script_path; /* offset in the support structure */
	uint64_t script_path_size;
};

static const struct {
	uint32_t minor;
	unsigned int support; /* index of struct support */
} layouts[] = {{14, 89}, {15, 105}};

#define N_LAYOUTS (sizeof(layouts) / sizeof(*layouts))

#define EVAL_PLEASE_STOP (1u << 5)

/* -------------------------------------------------------------- memory -- */

static bool read_memory(const struct pl_remote_python *python, uint64_t at,
			void *bytes, size_t n)
{
	return at && at <= (uint64_t)INT64_MAX - n &&
	       pread(python->memory, bytes, n, (off_t)at) == (ssize_t)n;
}

static bool write_memory(const struct pl_remote_python *python, uint64_t at,
			 const void *bytes, size_t n)
{
	return at && at <= (uint64_t)INT64_MAX - n &&
	       pwrite(python->memory, bytes, n, (off_t)at) == (ssize_t)n;
}

/* The memory first: when it is still alive afterwards, the maps, which may only
 * be of a later program, are of the same one. */
int pl_remote_python_open(struct pl_remote_python *python, int process,
			  int *maps)
{
	memset(python, 0, sizeof(*python));
	python->memory = openat(process, "mem", O_RDWR | O_CLOEXEC);
	if (python->memory < 0)
		return errno;
	*maps = openat(process, "maps", O_RDONLY | O_CLOEXEC);
	return *maps < 0 ? errno : 0;
}

/* -------------------------------------------------------------- finding -- */

const char *pl_remote_maps_path(const char *line, uint64_t *start,
				uint64_t *end, char mode[8])
{
	int n = 0;

	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s %*x %*x:%*x %*u %n",
		   start, end, mode, &n) < 3 ||
	    !n || *end < *start)
		return NULL;
	return line + n;
}

/* Is there a table at @at, of a runtime that has an interpreter? */
static bool take_table(struct pl_remote_python *python, uint64_t at)
{
	uint64_t head = 0;

	if (!read_memory(python, at, python->table, sizeof(python->table)))
		return false;
	python->version = (uint32_t)python->table[WORD_VERSION];
	if (python->version >> 24 != 3 ||
	    !read_memory(python, at + python->table[WORD_INTERPRETERS], &head,
			 sizeof(head)) ||
	    !head)
		return false;
	python->runtime = at;
	return true;
}

static bool search(struct pl_remote_python *python, uint64_t start,
		   uint64_t end)
{
	static uint64_t chunk[CHUNK / 8];
	uint64_t cookie;

	memcpy(&cookie, "xdebugpy", sizeof(cookie));
	for (uint64_t at = start; at < end; at += CHUNK) {
		size_t n = end - at < CHUNK ? (size_t)(end - at) : CHUNK;

		if (!read_memory(python, at, chunk, n))
			return false;
		for (size_t i = 0; i < n / 8; i++)
			if (chunk[i] == cookie &&
			    take_table(python, at + 8 * i))
				return true;
	}
	return false;
}

void pl_remote_python_find(struct pl_remote_python *python, int maps)
{
	FILE *f = fdopen(maps, "r");
	uint64_t start, end, left = ALL_MOST;
	size_t room = 0;
	char *line = NULL, mode[8];
	const char *path;

	while (f && !python->runtime && getline(&line, &room, f) > 0) {
		path = pl_remote_maps_path(line, &start, &end, mode);
		/* The data of a program or library */
		if (!path || *path != '/' || strcmp(mode, "rw-p") ||
		    end - start > MAPPING_MOST || end - start > left)
			continue;
		left -= end - start;
		search(python, start, end);
	}
	free(line);
	if (f)
		fclose(f);
	else
		close(maps);
}

/* -------------------------------------------------------------- running -- */

static int no_layout(const struct pl_remote_python *python,
		     struct pl_error *err)
{
	return pl_fail(err, PL_ERR_FORMAT,
		       "this proflite does not know the runtime of "
		       "Python %u.%u (%08x)",
		       python->version >> 24, python->version >> 16 & 255,
		       python->version);
}

/* Pre-releases may have another layout than the version they precede; what
 * their numbers say decides. */
static int find_support(const struct pl_remote_python *python,
			struct support *s, struct pl_error *err)
{
	for (size_t i = 0; i < N_LAYOUTS; i++) {
		if (layouts[i].minor != (python->version >> 16 & 255))
			continue;
		memcpy(s, python->table + layouts[i].support, sizeof(*s));
		if (s->eval_breaker < 65536 && s->support < 65536 &&
		    s->enabled < 1 << 24 && s->pending_call == 0 &&
		    s->script_path == 4 && s->script_path_size == 512)
			return 0;
	}
	return no_layout(python, err);
}

static int find_main_thread(const struct pl_remote_python *python,
			    const struct support *s, uint64_t *thread,
			    struct pl_error *err)
{
	const uint64_t *table = python->table;
	uint64_t interpreter = 0;
	int32_t enabled = 0;

	*thread = 0;
	if (!read_memory(python, python->runtime + table[WORD_INTERPRETERS],
			 &interpreter, sizeof(interpreter)) ||
	    !read_memory(python, interpreter + s->enabled, &enabled,
			 sizeof(enabled)))
		return pl_fail(err, PL_ERR_SYS, "it has no interpreter");
	if (enabled != 1)
		return pl_fail(err, PL_ERR_ARG,
			       "it was started with "
			       "-X disable-remote-debug or "
			       "PYTHON_DISABLE_REMOTE_DEBUG");
	if (!read_memory(python, interpreter + table[WORD_MAIN_THREAD], thread,
			 sizeof(*thread)) ||
	    !*thread)
		return pl_fail(err, PL_ERR_SYS, "it has no main thread");
	return 0;
}

int pl_remote_python_run(struct pl_remote_python *python, const char *path,
			 struct pl_error *err)
{
	const int32_t pending = 1;
	struct support s;
	uint64_t thread;
	uint8_t breaker; /* the lowest byte: the others are no flags */
	int rc = find_support(python, &s, err);

	if (!rc)
		rc = find_main_thread(python, &s, &thread, err);
	if (rc)
		return rc;
	if (strlen(path) >= s.script_path_size)
		return pl_fail(err, PL_ERR_SYS, "%s: too long", path);
	if (!write_memory(python, thread + s.support + s.script_path, path,
			  strlen(path) + 1) ||
	    !write_memory(python, thread + s.support + s.pending_call, &pending,
			  sizeof(pending)) ||
	    !read_memory(python, thread + s.eval_breaker, &breaker,
			 sizeof(breaker)))
		return pl_fail_errno(err, PL_ERR_SYS,
				     "cannot write into its memory");
	breaker |= EVAL_PLEASE_STOP;
	if (!write_memory(python, thread + s.eval_breaker, &breaker,
			  sizeof(breaker)))
		return pl_fail_errno(err, PL_ERR_SYS,
				     "cannot write into its memory");
	return 0;
}
