/* SPDX-License-Identifier: MIT */
/*
 * live_sample.h: what processes that are being recorded do now.
 *
 * Their recordings are mapped and read, nothing else: no ptrace, no signal, no
 * word to the process.  Two looks at the same recording differ by what went on
 * between them.
 */
#ifndef PL_TOOLS_LIVE_SAMPLE_H
#define PL_TOOLS_LIVE_SAMPLE_H

#include "base/err.h"
#include "core/recfile.h"
#include "core/tree.h"
#include "export/labels.h"
#include "store/store.h"

#include <stdbool.h>
#include <stdint.h>

/* A function, over all processes and threads. */
struct pl_live_func {
	struct pl_label label;		/* text: in the recordings */
	const char *qualname;		/* or NULL */
	uint64_t calls, new_calls;	/* since the start; since the look before */
	int64_t self_ns, new_self_ns;
};

struct pl_live_thread {
	uint32_t pid, tid;
	char *name;			/* owned, or NULL */
	uint64_t calls, new_calls;
	char *stack;			/* "main > load > parse", owned */
};

/* One look.  Zero-initialise. */
struct pl_live_look {
	struct pl_recfile *files;	/* open: the text is theirs */
	size_t n_files;
	struct pl_live_func *funcs;
	struct pl_live_thread *threads;
	uint32_t n_funcs, n_threads;
	struct pl_labels labels;
	uint64_t calls, new_calls;
	int64_t self_ns, new_self_ns;
	int64_t taken_ns;		/* CLOCK_MONOTONIC */
	int64_t interval_ns;		/* since the look before; 0: none */
	int64_t running_ns;		/* since the first process began */
	char **texts;			/* private: names with a NUL */
	size_t n_texts;
};

void pl_live_look_release(struct pl_live_look *look);

/* Where to look, and what was seen before.  Zero-initialise. */
struct pl_live {
	const char *db;			/* all that record for it; or */
	uint32_t pid;			/* this one */
	struct pl_live_past *past;	/* private: by recording */
	size_t n_past;
	int64_t before_ns;
};

/* PL_ERR_NOENT: nothing is being recorded there (any more). */
int pl_live_take(struct pl_live *live, struct pl_live_look *look,
		 struct pl_error *err);
void pl_live_release(struct pl_live *live);

#endif
