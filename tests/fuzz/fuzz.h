/* SPDX-License-Identifier: MIT */
/*
 * fuzz.h: what is fed with bytes of anybody's making.
 *
 * A target takes bytes, and must neither crash nor hang nor break a promise of
 * what it calls (then it says which, and aborts).  clang's libFuzzer looks for
 * such bytes (run, in this folder); the unit tests give every target its
 * corpus, with whatever compiler there is, so that what was found once stays
 * found.
 *
 * A new one: NAME.c with `void fuzz_NAME(const uint8_t *, size_t)`, a line
 * here and in tests/local.mk, and seeds from `corpus.py`.
 */
#ifndef PL_TESTS_FUZZ_H
#define PL_TESTS_FUZZ_H

#include "base/err.h"
#include "core/tree.h"
#include "store/store.h"

#include <stddef.h>
#include <stdint.h>

/* Target, and the folder of its corpus. */
#define PL_FUZZ_TARGETS(X)                                                     \
	X(recording, recording)                                                \
	X(ingest, recording)                                                   \
	X(database, database)                                                  \
	X(exports, database)                                                   \
	X(pstats, pstats)                                                      \
	X(options, options)                                                    \
	X(expressions, expressions)

#define PL_FUZZ_DECLARE(name, corpus) \
	void fuzz_##name(const uint8_t *data, size_t size);
PL_FUZZ_TARGETS(PL_FUZZ_DECLARE)
#undef PL_FUZZ_DECLARE

/* A promise was broken: say which, and abort. */
void fuzz_broken(const char *promise, const struct pl_error *err);

/* A folder of this process's own, in memory where there is such a file system;
 * gone when the process ends. */
const char *fuzz_folder(void);
/* Make the file @name in it of @data; its path, valid until the next call. */
const char *fuzz_file(const char *name, const uint8_t *data, size_t size);
/* An empty database of ours there, open for writing. */
struct pl_store *fuzz_store(void);

/* Is @tree one, and all of its functions below @n_funcs? */
void fuzz_check_tree(const struct pl_tree *tree, uint32_t n_funcs);
/* Read the whole of a database: runs, processes, threads, trees. */
void fuzz_read_store(struct pl_store *store);

#endif
