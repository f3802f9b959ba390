/* SPDX-License-Identifier: MIT */
/* merge: many databases into one. */
#include <config.h>

#include "cmd.h"
#include "source.h"
#include "store/store.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define BUSY_MS 30000

enum { OPT_OUTPUT };

static const struct pl_opt options[] = {
	[OPT_OUTPUT] = { "output", 'o', "DB", "the database to add to" },
	{ NULL, 0, NULL, NULL },
};

/* So that `merge *.db -o all.db` can be repeated. */
static bool is_same_file(const char *a, const char *b)
{
	struct stat x, y;

	return !stat(a, &x) && !stat(b, &y) && x.st_dev == y.st_dev &&
	       x.st_ino == y.st_ino;
}

/* Opening says what is wrong with it, and takes in what lies beside it. */
static int check(const struct pl_cmd *cmd, const char *db)
{
	struct pl_source source = { .db = db };
	struct pl_store *store;
	int rc = pl_source_open(&source, cmd, &store);

	if (!rc)
		pl_store_close(store);
	return rc;
}

static int merge_one(const struct pl_cmd *cmd, const char *path,
		     const char *from)
{
	struct pl_merge_result r;
	struct pl_store *to;
	struct pl_error err;
	int rc = check(cmd, from);

	if (rc)
		return rc;
	rc = pl_store_open(&to, path, PL_STORE_WRITE, BUSY_MS, &err);
	if (rc)
		return pl_complain(cmd, PL_EXIT_FAILED, "%s", err.text);
	rc = pl_store_merge(to, from, &r, &err);
	pl_store_close(to);
	if (rc)
		return pl_complain(cmd, PL_EXIT_FAILED, "%s is not merged: %s",
				   from, err.text);
	printf("%s: %" PRId64 " process%s of %" PRId64 " run%s", from,
	       r.n_processes, r.n_processes == 1 ? "" : "es", r.n_runs,
	       r.n_runs == 1 ? "" : "s");
	if (r.n_already)
		printf(", %" PRId64 " %s there already", r.n_already,
		       r.n_already == 1 ? "was" : "were");
	putchar('\n');
	return 0;
}

static int run(const struct pl_cmd *cmd, int argc, char **argv)
{
	const char *output = NULL;
	int opt, status = PL_EXIT_OK;
	struct pl_opts o;

	pl_opts_init(&o, cmd, argc, argv);
	while ((opt = pl_opts_next(&o)) >= 0)
		output = o.arg;
	if (opt != PL_OPT_END)
		return pl_opts_stop(&o, opt);
	if (!output)
		return pl_complain(cmd, PL_EXIT_USAGE, "into which database?  "
				   "Name it with -o");
	if (!o.n_operands)
		return pl_complain(cmd, PL_EXIT_USAGE,
				   "which databases are to be merged?");
	/* One that is damaged does not keep the others out. */
	for (int i = 0; i < o.n_operands; i++)
		if (!is_same_file(argv[i], output) &&
		    merge_one(cmd, output, argv[i]))
			status = PL_EXIT_FAILED;
	return status;
}

const struct pl_cmd pl_cmd_merge = {
	.name = "merge",
	.summary = "add the runs of other databases to one",
	.synopsis = "-o DB DB...",
	.options = options,
	.run = run,
};
