/* SPDX-License-Identifier: MIT */
/* database: a database that is damaged, or made to look like one of ours. */
#include <config.h>

#include "export/exporter.h"
#include "export/paths.h"
#include "export/stacks.h"
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

static void fold(struct pl_store *store, const struct pl_select *sel)
{
	struct pl_paths paths = { .fold = true };
	struct pl_stacks s;
	struct pl_error err;

	if (!pl_stacks_open(&s, store, sel, 0, &err) &&
	    !pl_paths_init(&paths, s.profile.n_funcs + PL_STACKS_EXTRA, &err)) {
		while (pl_stacks_next(&s, &err) > 0)
			pl_paths_add(&paths, 0, &s.tree, &err);
		pl_paths_add_up(&paths);
	}
	pl_paths_release(&paths);
	pl_stacks_close(&s);
}

/* Its figures may be any: their sums, and what is written of them. */
void fuzz_exports(const uint8_t *data, size_t size)
{
	const char *path = fuzz_file("p.db", data, size);
	const struct pl_select latest = { .compensated = size & 1 };
	FILE *out = fopen("/dev/null", "wb");
	struct pl_store *store;
	struct pl_error err;

	if (pl_store_open(&store, path, PL_STORE_READ, 0, &err)) {
		fclose(out);
		return;
	}
	for (size_t i = 0; pl_exporters[i]; i++)
		for (uint32_t depth = 0; depth < 2; depth++) {
			const struct pl_export_options options = {
				.max_depth = depth
			};

			pl_exporters[i]->write(store, &latest, &options, out,
					       &err);
		}
	fold(store, &latest);
	pl_store_close(store);
	fclose(out);
}
