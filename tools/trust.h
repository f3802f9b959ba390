/* SPDX-License-Identifier: MIT */
/*
 * trust.h: the program's policy on files of other users (base/owner.h), and
 * its answer to a file that is cut off while it is read.
 */
#ifndef PL_TOOLS_TRUST_H
#define PL_TOOLS_TRUST_H

/* To be called before any file is opened. */
void pl_trust_begin(void);

/* The option --trust, which every command has. */
void pl_trust_anybody(void);

#endif
