/* SPDX-License-Identifier: MIT */
/* recording: a recording file, its trees and sums.  ingest: and into a
 * database with it. */
#include <config.h>

#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

/* A copy as a mapping would be: aligned, and nothing behind its end. */
static void *copy_of(const uint8_t *data, size_t size)
{
	void *copy;

	if (posix_memalign(&copy, PL_PAGE, size ? size : 1))
		exit(1);
	memcpy(copy, data, size);
	return copy;
}

static void read_texts(const struct pl_recfile *rf)
{
	const struct pl_rec_header *h = &rf->header;
	const uint32_t ids[] = { h->argv, h->cwd, h->exe, h->host, h->python,
				 h->label, h->db_path, h->git };
	size_t len;

	for (size_t i = 0; i < sizeof(ids) / sizeof(*ids); i++)
		if (pl_recfile_str(rf, ids[i], &len)[len])
			fuzz_broken("text ends in NUL", NULL);
	for (uint32_t i = 0; i < rf->n_func_slots; i++) {
		const struct pl_func *f = pl_recfile_func(rf, rf->func_ids[i]);

		if (f && pl_recfile_str(rf, f->name, &len)[len])
			fuzz_broken("a name ends in NUL", NULL);
	}
}

void fuzz_recording(const uint8_t *data, size_t size)
{
	struct pl_tree tree = { 0 };
	struct pl_aggregate agg;
	struct pl_recfile rf;
	struct pl_error err;
	void *copy = copy_of(data, size);

	if (!pl_recfile_view(&rf, copy, size, &err)) {
		read_texts(&rf);
		if (pl_aggregate_init(&agg, rf.n_func_slots, &err))
			fuzz_broken("sums have room", &err);
		for (uint32_t i = 0; i < rf.n_recorders; i++) {
			if (pl_tree_load_completed(&tree, &rf, rf.recorders[i],
						   &err))
				fuzz_broken("a profile can be read", &err);
			fuzz_check_tree(&tree, rf.n_func_slots);
			if (pl_tree_load(&tree, &rf, rf.recorders[i], &err))
				fuzz_broken("a tree can be read", &err);
			fuzz_check_tree(&tree, rf.n_func_slots);
			if (pl_aggregate_add(&agg, &tree, &err))
				fuzz_broken("a tree adds up", &err);
		}
		pl_aggregate_release(&agg);
		pl_tree_release(&tree);
		pl_recfile_close(&rf);
	}
	free(copy);
}

/* What can be read of a damaged recording gets into the database, always. */
void fuzz_ingest(const uint8_t *data, size_t size)
{
	struct pl_ingest_result result;
	struct pl_store *store;
	struct pl_recfile rf;
	struct pl_error err;
	void *copy = copy_of(data, size);

	if (!pl_recfile_view(&rf, copy, size, &err)) {
		store = fuzz_store();
		if (pl_store_ingest(store, &rf, PL_END_KILLED, -1, &result,
				    &err))
			fuzz_broken("a recording can be taken in", &err);
		fuzz_read_store(store);
		pl_store_close(store);
		pl_recfile_close(&rf);
	}
	free(copy);
}
