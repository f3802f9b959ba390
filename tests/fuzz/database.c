/* SPDX-License-Identifier: MIT */
/* database: a database that is damaged, or made to look like one of ours. */
#include <config.h>

#include "fuzz.h"

static void merge_from(const char *path)
{
	struct pl_merge_result result;
	struct pl_store *store = fuzz_store();
	struct pl_error err;

	if (!pl_store_merge(store, path, &result, &err))
		fuzz_read_store(store);
	pl_store_close(store);
}

void fuzz_database(const uint8_t *data, size_t size)
{
	const char *path = fuzz_file("p.db", data, size);
	struct pl_store *store;
	struct pl_error err;

	if (pl_store_open(&store, path, PL_STORE_READ, 0, &err))
		return;
	fuzz_read_store(store);
	pl_store_close(store);
	merge_from(fuzz_file("p.db", data, size));
}
