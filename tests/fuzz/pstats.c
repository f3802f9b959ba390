/* SPDX-License-Identifier: MIT */
/* pstats: a .prof file; what can be read can be written, read again, and put
 * into a database. */
#include <config.h>

#include "fuzz.h"

#include "export/pstats.h"

#include <stdio.h>
#include <stdlib.h>

static void read_again(const struct pl_profile *profile)
{
	struct pl_pstats_reader *reader;
	enum pl_pstats_kind kind;
	struct pl_error err;
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);

	if (!f || pl_pstats_reader_new(&reader, &err))
		exit(1);
	if (pl_pstats_write(profile, f, &err))
		fuzz_broken("a profile can be written", &err);
	fclose(f);
	if (pl_pstats_reader_add(reader, text, size, &kind, &err))
		fuzz_broken("what we write we can read", &err);
	if (pl_pstats_reader_profile(reader)->n_funcs > profile->n_funcs)
		fuzz_broken("functions do not multiply", NULL);
	pl_pstats_reader_free(reader);
	free(text);
}

static void import(const struct pl_profile *profile)
{
	struct pl_ingest_result result;
	struct pl_store *store = fuzz_store();
	struct pl_error err;

	if (pl_store_import(store, profile, "x.prof", NULL, 0, &result, &err))
		fuzz_broken("what can be read can be imported", &err);
	fuzz_read_store(store);
	pl_store_close(store);
}

void fuzz_pstats(const uint8_t *data, size_t size)
{
	struct pl_pstats_reader *reader;
	enum pl_pstats_kind kind;
	struct pl_error err;

	if (pl_pstats_reader_new(&reader, &err))
		exit(1);
	if (!pl_pstats_reader_add(reader, data, size, &kind, &err)) {
		read_again(pl_pstats_reader_profile(reader));
		import(pl_pstats_reader_profile(reader));
	}
	pl_pstats_reader_free(reader);
}
