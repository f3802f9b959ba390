/* SPDX-License-Identifier: MIT */
/*
 * parking.h: open calls of a thread that has gone to another stack.
 *
 * A greenlet leaves its thread in the middle of calls, another one goes on, and
 * no event tells.  Each has its own part of the shadow stack then:
 *
 *	stack    [root][main][switch]			parked: –
 *	switch from main to g
 *	stack    [root]					parked: main [main][switch]
 *	enter f, enter switch, switch from g to main
 *	stack    [root][main][switch]			parked: g [f][switch]
 *
 * What is parked has its time so far in the tree, so that a reader finds it
 * there, and the time it spends here is not its own.
 */
#ifndef PL_CORE_PARKING_H
#define PL_CORE_PARKING_H

#include "core/format.h"

struct pl_parking {
	struct pl_frame *frames;	/* blocks of 16, 32, 64... */
	uint32_t n, capacity;
	uint32_t free[32];		/* by size: first free block, or 0 */
	struct pl_parked {
		uint64_t id;
		uint64_t since;
		uint32_t block;		/* in `frames`, 0 for none */
		uint32_t size;		/* 16 << size frames */
		uint32_t n;
		uint32_t spare;
	} *slots;
	uint32_t mask, n_slots;
};

/*
 * The calling thread of @r has left the stack @from for the stack @to: whatever
 * numbers but 0 tell them apart.  Without memory everything stays as it is.
 */
void pl_recorder_switch(struct pl_recorder *r, uint64_t from, uint64_t to);

/* Nothing is parked any longer. */
void pl_parking_clear(struct pl_parking *p);

#endif
