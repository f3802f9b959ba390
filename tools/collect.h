/* SPDX-License-Identifier: MIT */
/*
 * collect.h: take in what the processes of a run record, while they run.
 *
 * A process tells that it begins, with the descriptor of its recording, and
 * that it is done (core/notice.h); a thread of this program puts what is done
 * into the database, many at a time.  What ended without a word, or could not
 * tell, is found at the end.
 */
#ifndef PL_TOOLS_COLLECT_H
#define PL_TOOLS_COLLECT_H

#include "cmd.h"
#include "core/options.h"
#include "store/store.h"

struct pl_collect;

/* What became of the run, once all of it is collected. */
struct pl_collected {
	bool alive;			/* processes still record */
	bool lost;			/* something was recorded and is lost */
	uint32_t n_begun;		/* processes that began to record */
	uint32_t n_failed;		/* those that could not */
	uint32_t pid;			/* of the first that could not, */
	char why[512];			/* and its reason */
};

/* Before the command begins.  @o->out is followed when its folder gets another
 * name.  NULL without memory. */
struct pl_collect *pl_collect_new(const struct pl_cmd *cmd,
				  struct pl_options *o);

/* After it has begun. */
void pl_collect_start(struct pl_collect *c);

/* Hold still, with no lock on the database, and go on. */
void pl_collect_pause(struct pl_collect *c, bool begin);

/* The command has ended: take in all that there is.  What went wrong has been
 * complained of; a negative enum pl_err when the database cannot be written. */
int pl_collect_finish(struct pl_collect *c, struct pl_collected *result,
		      struct pl_error *err);
void pl_collect_free(struct pl_collect *c);

#endif
