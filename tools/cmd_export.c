/* SPDX-License-Identifier: MIT */
/* export: the same profile for somebody else's viewer. */
#include <config.h>

#include "cmd.h"
#include "export/exporter.h"
#include "export/stacks.h"
#include "outfile.h"
#include "progress.h"
#include "source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OPT_FORMAT, OPT_OUTPUT, OPT_MAX_DEPTH, OPT_PERCENT, OPT_UNFOLD,
       OPT_BASE };

static const struct pl_opt options[] = {
	[OPT_FORMAT] = { "format", 'f', "FORMAT",
			 "see below; default: by the end of FILE's name" },
	[OPT_OUTPUT] = { "output", 'o', "FILE",
			 "write to FILE, - for standard output (default)" },
	[OPT_MAX_DEPTH] = { "max-depth", 0, "N",
			    "end longer call paths in one \"(deeper)\"" },
	[OPT_PERCENT] = { "min-percent", 0, "P",
			  "gather paths that take less than P percent" },
	[OPT_UNFOLD] = { "unfold", 0, NULL,
			 "keep paths of any length (pprof, collapsed)" },
	[OPT_BASE] = { "base", 0, "RUN",
		       "compare with this run: a number or a label (html)" },
	PL_SOURCE_OPTIONS,
	{ NULL, 0, NULL, NULL },
};

static void more_help(FILE *f)
{
	fputs("FORMAT:\n", f);
	for (size_t i = 0; pl_exporters[i]; i++)
		fprintf(f, "  %-11s %-16s %s\n", pl_exporters[i]->name,
			pl_exporters[i]->suffix, pl_exporters[i]->summary);
}

static int unknown_format(const struct pl_cmd *cmd, const char *name)
{
	char known[256] = "";

	for (size_t i = 0; pl_exporters[i]; i++) {
		strncat(known, i ? ", " : "",
			sizeof(known) - strlen(known) - 1);
		strncat(known, pl_exporters[i]->name,
			sizeof(known) - strlen(known) - 1);
	}
	if (name)
		return pl_complain(cmd, PL_EXIT_USAGE,
				   "unknown format \"%s\": want one of %s",
				   name, known);
	return pl_complain(cmd, PL_EXIT_USAGE,
			   "which format?  -f wants one of %s", known);
}

/* One line for what the file does not have. */
static void note_left(const struct pl_cmd *cmd,
		      const struct pl_export_left *left)
{
	if (left->n_folded)
		pl_complain(cmd, 0, "note: recursion is folded in %u thread%s "
			    "with call paths of more than %d calls: --unfold "
			    "keeps them", left->n_folded,
			    left->n_folded == 1 ? "" : "s", PL_STACKS_DEPTH);
	if (left->n_light)
		pl_complain(cmd, 0, "note: %llu light call paths, %.1f%% of "
			    "the time, are in \"(lighter)\": --min-percent=0 "
			    "keeps them", (unsigned long long)left->n_light,
			    left->total_ns > 0 ? 100 * (double)left->light_ns /
			    (double)left->total_ns : 0);
}

static int write_format(const struct pl_cmd *cmd, struct pl_store *store,
			const struct pl_source *source,
			const struct pl_exporter *format,
			struct pl_export_options *how, const char *path)
{
	struct pl_export_left left = { 0 };
	struct pl_outfile out;
	struct pl_error err;
	int rc = pl_outfile_open(&out, path, &err);

	how->left = &left;
	if (!rc) {
		FILE *f = pl_progress_open(out.f, "proflite export");

		rc = format->write(store, &source->select, how, f, &err);
		pl_progress_close(f, out.f);
		if (rc)
			pl_outfile_discard(&out);
		else
			rc = pl_outfile_commit(&out, &err);
	}
	if (!rc) {
		note_left(cmd, &left);
		return PL_EXIT_OK;
	}
	/* The reader of a pipe may leave when it has seen enough. */
	if (rc == PL_ERR_SYS && errno == EPIPE)
		return PL_EXIT_FAILED;
	return pl_complain(cmd, PL_EXIT_FAILED, "%s", err.text);
}

/* The run of that number, or else the latest of that label. */
static int find_base(const struct pl_cmd *cmd, struct pl_store *store,
		     const char *base, int64_t *id)
{
	int64_t number, of_number = 0, of_label = 0;
	bool is_number = pl_opts_whole(base, &number);
	struct pl_run *runs;
	struct pl_error err;
	size_t n;

	if (pl_store_runs(store, &runs, &n, &err))
		return pl_complain(cmd, PL_EXIT_FAILED, "%s", err.text);
	for (size_t i = 0; i < n; i++) {
		if (is_number && runs[i].id == number)
			of_number = number;
		if (runs[i].label && !strcmp(runs[i].label, base))
			of_label = runs[i].id;
	}
	*id = of_number ? of_number : of_label;
	pl_runs_free(runs, n);
	if (*id)
		return 0;
	return pl_complain(cmd, PL_EXIT_FAILED, "--base=%s: there is no run of "
			   "that number or label", base);
}

static int export_to(const struct pl_cmd *cmd, const struct pl_source *source,
		     const struct pl_exporter *format,
		     struct pl_export_options *how, const char *base,
		     const char *path)
{
	struct pl_store *store;
	int rc = pl_source_open(source, cmd, &store);

	if (!rc && base)
		rc = find_base(cmd, store, base, &how->base.run_id);
	if (!rc)
		pl_source_note_remarks(cmd, store, source->select.run_id);
	if (!rc)
		rc = write_format(cmd, store, source, format, how, path);
	pl_store_close(store);
	return rc;
}

static bool take_depth(const struct pl_cmd *cmd, const char *arg,
		       uint32_t *depth)
{
	char *end;
	unsigned long n = strtoul(arg, &end, 10);

	*depth = n < UINT32_MAX / 2 ? (uint32_t)n : UINT32_MAX / 2;
	if (*arg >= '1' && *arg <= '9' && !*end)
		return true;
	pl_complain(cmd, 0, "--max-depth=%s: want a number of calls from 1 on",
		    arg);
	return false;
}

static bool take_percent(const struct pl_cmd *cmd, const char *arg,
			 struct pl_export_options *how)
{
	char *end;

	how->least_percent = strtod(arg, &end);
	how->has_least = true;
	if (*arg >= '0' && *arg <= '9' && !*end && how->least_percent <= 100)
		return true;
	pl_complain(cmd, 0, "--min-percent=%s: want a number from 0 to 100",
		    arg);
	return false;
}

static int run(const struct pl_cmd *cmd, int argc, char **argv)
{
	const char *name = NULL, *path = "-", *base = NULL;
	const struct pl_exporter *format;
	struct pl_export_options how = { 0 };
	struct pl_source source = { 0 };
	struct pl_opts o;
	int opt;

	pl_opts_init(&o, cmd, argc, argv);
	while ((opt = pl_opts_next(&o)) >= 0) {
		if (opt == OPT_FORMAT)
			name = o.arg;
		else if (opt == OPT_OUTPUT)
			path = o.arg;
		else if (opt == OPT_BASE)
			base = o.arg;
		else if (opt == OPT_UNFOLD)
			how.unfold = true;
		else if (opt == OPT_PERCENT) {
			if (!take_percent(cmd, o.arg, &how))
				return PL_EXIT_USAGE;
		} else if (opt == OPT_MAX_DEPTH) {
			if (!take_depth(cmd, o.arg, &how.max_depth))
				return PL_EXIT_USAGE;
		} else if (pl_source_option(&source, cmd, options[opt].name,
					  o.arg) < 0)
			return PL_EXIT_USAGE;
	}
	if (opt != PL_OPT_END)
		return pl_opts_stop(&o, opt);
	opt = pl_source_operand(&o, &source.db);
	if (opt != PL_GO_ON)
		return opt;
	if (!*path)
		return pl_complain(cmd, PL_EXIT_USAGE,
				   "--output=: want the "
				   "name of a file, or - for standard output");
	format = name ? pl_exporter_named(name) : pl_exporter_for_file(path);
	if (!format)
		return unknown_format(cmd, name);
	if (format->is_binary && !strcmp(path, "-") && isatty(STDOUT_FILENO))
		return pl_complain(cmd, PL_EXIT_USAGE,
				   "%s is binary and standard output a "
				   "terminal: name a file with -o",
				   format->name);
	if (base && !format->compares)
		return pl_complain(cmd, PL_EXIT_USAGE, "--base=%s: %s shows "
				   "one run; html shows a difference", base,
				   format->name);
	return export_to(cmd, &source, format, &how, base, path);
}

const struct pl_cmd pl_cmd_export = {
	.name = "export",
	.summary = "write a run in another tool's format",
	.synopsis = "[-f FORMAT] [-o FILE] [OPTION]... [DB]",
	.options = options,
	.more = more_help,
	.run = run,
};
