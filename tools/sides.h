/* SPDX-License-Identifier: MIT */
/*
 * sides.h: what `proflite diff` compares: runs of a database, twice.
 *
 *	DB		the latest run; if it has a label, all runs that have it
 *	DB:RUNS		RUNS: 7 or 3,5 or 3-7, "all", or a label
 *	RUNS		of the database that the other side names, or of
 *			proflite.db
 */
#ifndef PL_TOOLS_SIDES_H
#define PL_TOOLS_SIDES_H

#include "cmd.h"
#include "store/store.h"

/* Zero-initialise, release. */
struct pl_side {
	struct pl_store *store;		/* owned */
	char *db;			/* owned */
	const struct pl_run **runs;	/* owned: those to compare */
	size_t n;

	struct pl_run *all;		/* owned: of the database */
	size_t n_all;
};

/* Split an operand at the colon before RUNS.  *@db is malloc'ed, or NULL when
 * it names none; *@runs points into @operand, or is NULL.  0 or
 * PL_ERR_NOMEM. */
int pl_side_split(const char *operand, char **db, const char **runs);

/*
 * Open and choose.  @db NULL: proflite.db; @runs NULL: as for "DB" above.
 * PL_GO_ON, or an exit status after complaining.
 */
int pl_side_open(struct pl_side *side, const struct pl_cmd *cmd,
		 const char *db, const char *runs);
/* The runs labelled @label. */
int pl_side_open_label(struct pl_side *side, const struct pl_cmd *cmd,
		       const char *db, const char *label);
/* The run @back before the latest, 0 being that one. */
int pl_side_open_recent(struct pl_side *side, const struct pl_cmd *cmd,
			const char *db, size_t back);
void pl_side_release(struct pl_side *side);

/* Choose runs by RUNS of @side->all.  PL_ERR_ARG, PL_ERR_NOENT, PL_ERR_NOMEM.
 * For pl_side_open, and for tests. */
int pl_side_choose(struct pl_side *side, const char *runs,
		   struct pl_error *err);

#endif
