/* SPDX-License-Identifier: MIT */
/*
 * live_view.h: one look at running processes as lines of text, for a screen
 * and for a pipe.
 */
#ifndef PL_TOOLS_LIVE_VIEW_H
#define PL_TOOLS_LIVE_VIEW_H

#include "live_sample.h"
#include "pattern.h"
#include "records.h"
#include "term.h"

#include <stddef.h>

enum pl_live_sort {
	PL_LIVE_NEW_SELF, PL_LIVE_SELF, PL_LIVE_NEW_CALLS, PL_LIVE_CALLS,
	PL_LIVE_N_SORTS,
};

extern const char *const pl_live_sort_names[PL_LIVE_N_SORTS];

struct pl_live_view {
	enum pl_live_sort sort;
	const struct pl_pattern *filter; /* functions; NULL: all */
	size_t height;			/* lines at most; 0: all */
	size_t first;			/* function in the first row */
	bool hide_threads;
};

/* What a line is. */
enum pl_live_line { PL_LIVE_HEAD, PL_LIVE_TITLE, PL_LIVE_TEXT, PL_LIVE_HOT };

typedef void pl_live_put(void *ctx, enum pl_live_line kind, const char *text);

/* Put the lines of @look one after the other; text is cut to @term. */
int pl_live_render(const struct pl_live_look *look,
		   const struct pl_live_view *view, const struct pl_term *term,
		   pl_live_put *put, void *ctx, struct pl_error *err);

/* The functions for scripts, times in nanoseconds, on standard output. */
int pl_live_records(const struct pl_live_look *look,
		    const struct pl_live_view *view,
		    enum pl_records_format format, struct pl_error *err);

#endif
