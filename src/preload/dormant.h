/* SPDX-License-Identifier: MIT */
/*
 * dormant.h: a process that is preloaded and waits to be attached to.
 *
 * `proflite attach` sends it a real-time signal that the program does not use.
 * The handler asks the interpreter for a call at the next safe point, and that
 * looks at what is wanted.  To the program the signal is one that nobody
 * handles: sigaction says so, a program that wants it gets it (and cannot be
 * attached to then), and when it comes from elsewhere, it does what it would
 * have done.
 */
#ifndef PL_PRELOAD_DORMANT_H
#define PL_PRELOAD_DORMANT_H

#include <stdint.h>

/* Take a signal; @serve is called with the number that it brought, with the
 * GIL held. */
void pl_dormant_begin(int (*add_pending_call)(int (*)(void *), void *),
		      void (*serve)(uint32_t number));

#endif
