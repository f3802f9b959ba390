/* SPDX-License-Identifier: MIT */
/*
 * names.h: what functions are called on the screen, and choosing them by
 * regular expressions.
 */
#ifndef PL_TOOLS_NAMES_H
#define PL_TOOLS_NAMES_H

#include "cmd.h"
#include "export/places.h"
#include "pattern.h"
#include "store/store.h"
#include "term.h"

#include <stdint.h>

/* @name of a function in @file; "{built-in method …}" as pstats prints it if it
 * is built in.  malloc'ed, or NULL. */
char *pl_name_shown(const char *name, const char *file);

/* A function's name, with its classes when they are known; of one that is
 * built in as pstats prints it: "{built-in method …}".  malloc'ed, or NULL. */
char *pl_func_name(const struct pl_pfunc *func);

/* Write "name  file:line" into @*left columns, as pl_term_put. */
void pl_func_write(const struct pl_term *term, FILE *f, const char *name,
		   const char *file, int line, const char *cwd, size_t *left);

/* Write "run 1, 2.345 ms in 12 calls: COMMAND", which may be NULL. */
void pl_run_write(const struct pl_term *term, FILE *f, int64_t run, double ns,
		  uint64_t calls, const char *command);

/* Compile the argument of option @name.  PL_GO_ON, or an exit status after
 * complaining. */
int pl_match_compile(const struct pl_cmd *cmd, const char *name,
		     const char *arg, struct pl_pattern **pattern);

/*
 * Set @bit in @choice[i] of every function i in whose label, "file:line(name)"
 * or "{name}" as the report prints it, @pattern is found, or in whose name
 * alone (which "^" and "$" tell apart), with or without the name's classes.
 * Returns how many, or a negative enum pl_err.
 */
int64_t pl_match_funcs(const struct pl_pattern *pattern,
		       const struct pl_profile *profile, uint8_t bit,
		       uint8_t *choice, struct pl_error *err);

#endif
