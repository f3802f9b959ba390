/* SPDX-License-Identifier: MIT */
/*
 * script.h: make a recording from a tiny notation, with the step clock, so
 * that every figure is exact.
 *
 *	a(	enter a		*a(	enter a in the middle (a generator)
 *	)	leave the innermost
 *
 * What is still open at the end stays open.
 */
#ifndef PL_TESTS_SCRIPT_H
#define PL_TESTS_SCRIPT_H

#include "core/session.h"
#include "store/store.h"

struct script {
	struct pl_session session;
	struct pl_recfile rf;
	bool is_open;
};

/* A private recording; @clock is PL_CLOCK_STEP in most tests. */
void script_begin(struct script *s, enum pl_clock_kind clock);

/* The same in a file beside the database @db, as a process of its own has it.
 * @run and @parent may be NULL. */
void script_begin_file(struct script *s, const char *db,
		       const uint8_t run[16], const uint8_t parent[16]);

/* The calling thread does what @text says. */
void script_play(struct script *s, const char *text);
void script_enter(struct script *s, const char *name, int resumed);
void script_leave(struct script *s);

/* Read what was recorded so far (again). */
struct pl_recfile *script_read(struct script *s);

void script_end(struct script *s);

/* "a:calls[+resumes]/total-self{children}", children in order; the root's total
 * and self first. */
const char *script_tree(const struct pl_recfile *rf,
			const struct pl_tree *tree);

/* Name of a function by its dense index, "-" for none. */
const char *script_name(const struct pl_recfile *rf, uint32_t func);

#endif
