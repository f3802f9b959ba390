/* SPDX-License-Identifier: MIT */
/*
 * exporter.h: other tools' formats, one file each.
 *
 * A format is a file NAME.c that ends in a `const struct pl_exporter`, and a
 * line in the table of exporter.c.  Each loads from the store what it needs:
 * pstats wants functions and pairs, a flame graph the whole tree.
 */
#ifndef PL_EXPORT_EXPORTER_H
#define PL_EXPORT_EXPORTER_H

#include "base/err.h"
#include "store/store.h"

#include <stdbool.h>
#include <stdio.h>

/* What a format has left out by default; see stacks.h. */
struct pl_export_left {
	uint32_t n_folded;		/* threads with recursion folded */
	uint64_t n_light;		/* call paths that became "(lighter)" */
	int64_t light_ns, total_ns;	/* their time; of the run */
};

/* Zero-initialise: the usual limits. */
struct pl_export_options {
	uint32_t max_depth;		/* of formats of stacks; 0: the format's
					   own, which folds recursion */
	bool unfold;			/* paths of any length */
	bool has_least;
	double least_percent;		/* if has_least */
	struct pl_export_left *left;	/* filled in; or NULL */
	struct pl_select base;		/* a run to compare with, in formats
					   that compare; run_id 0: none */
};

struct pl_exporter {
	const char *name;		/* of -f */
	const char *suffix;		/* ".prof": -o x.prof chooses it */
	const char *summary;		/* one line */
	bool is_binary;			/* not for a terminal */
	bool compares;			/* options.base means something to it */
	/* Write what @sel selects to @out.  Errors of @out are left in it. */
	int (*write)(struct pl_store *store, const struct pl_select *sel,
		     const struct pl_export_options *options, FILE *out,
		     struct pl_error *err);
};

/* Ends with NULL. */
extern const struct pl_exporter *const pl_exporters[];

extern const struct pl_exporter pl_export_callgrind, pl_export_chrome,
	pl_export_collapsed, pl_export_csv, pl_export_dot, pl_export_html, pl_export_json,
	pl_export_pprof, pl_export_pstats, pl_export_speedscope;

/* By name; by the end of a file's name.  NULL when there is none. */
const struct pl_exporter *pl_exporter_named(const char *name);
const struct pl_exporter *pl_exporter_for_file(const char *path);

#endif
