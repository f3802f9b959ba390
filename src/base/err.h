/* SPDX-License-Identifier: MIT */
/*
 * err.h: how a function of ours says that it failed.
 *
 * A function that can fail returns 0 or a negative enum pl_err, and, where a
 * human will want to know more, fills a caller-owned struct pl_error with one
 * sentence that names the thing and what would have been right.  Nothing here
 * prints and nothing exits: only the command line tool does either.
 */
#ifndef PL_BASE_ERR_H
#define PL_BASE_ERR_H

enum pl_err {
	PL_OK = 0,
	PL_ERR_NOMEM = -1,	/* memory or address space */
	PL_ERR_SYS = -2,	/* a system call failed: see the sentence */
	PL_ERR_FULL = -3,	/* disk full, or a cap of ours was reached */
	PL_ERR_FORMAT = -4,	/* not our file, a newer one, or damaged */
	PL_ERR_ARG = -5,	/* bad option or argument */
	PL_ERR_BUSY = -6,	/* locked by somebody else for too long */
	PL_ERR_NOENT = -7,	/* no such file, run, function */
	PL_ERR_SQL = -8,	/* SQLite said no: see the sentence */
	PL_ERR_OWNER = -9,	/* another user's file: see owner.h */
};

/* Caller-owned; set_by whoever returns non-zero.  Empty until then. */
struct pl_error {
	enum pl_err code;
	char text[508];		/* one line, UTF-8, no newline at its end */
};

/*
 * Set the sentence of @err (which may be NULL) and return @code, so that a
 * failing function can end in `return pl_fail(err, PL_ERR_ARG, "...")`.
 * The text is cut, never overflowed.
 */
int pl_fail(struct pl_error *err, enum pl_err code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The same for a failed system call: appends ": " and strerror(errno). */
int pl_fail_errno(struct pl_error *err, enum pl_err code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
