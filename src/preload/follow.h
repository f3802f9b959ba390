/* SPDX-License-Identifier: MIT */
/*
 * follow.h: children of a recorded process are recorded too, also when they
 * are given an environment without our variables (env={}, env -i).
 *
 * The functions of the exec and posix_spawn families put LD_PRELOAD and
 * PROFLITE_INHERITED into an environment that has neither LD_PRELOAD nor
 * PROFLITE_OPTIONS.  In the child the library takes both out again before
 * anything else runs, so that the program finds the environment that it was
 * given.  An environment with one of our variables is left as it is:
 * LD_PRELOAD= (empty) keeps a child out.
 */
#ifndef PL_PRELOAD_FOLLOW_H
#define PL_PRELOAD_FOLLOW_H

/* The value of PROFLITE_OPTIONS, or of what a parent has put in its place,
 * which is taken out of the environment; NULL: there is none.  Ours, and never
 * freed.  *@is_hidden: the program has not been given any.  Once, before the
 * program begins. */
const char *pl_follow_begin(int *is_hidden);

/* From now on children get @text instead.  The 32 bytes at @digits, which lie
 * in it, may change later on: children get them as they are then. */
void pl_follow_text(const char *text, const char *digits);

/* In stub.c: before (1) and, if it failed, after (0) an exec. */
void pl_around_exec(int begin);

#endif
