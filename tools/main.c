/* SPDX-License-Identifier: MIT */
/*
 * main.c: the `proflite` program: find the command, run it, and see that what
 * it printed arrived.
 */
#include <config.h>

#include "cmd.h"
#include "core/options.h"
#include "filesignal.h"
#include "outfile.h"
#include "trust.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static const struct pl_cmd *const commands[] = {
	&pl_cmd_record, &pl_cmd_report, &pl_cmd_callers, &pl_cmd_callees,
	&pl_cmd_tree, &pl_cmd_diff, &pl_cmd_live, &pl_cmd_attach, &pl_cmd_runs, &pl_cmd_export,
	&pl_cmd_import, &pl_cmd_merge, &pl_cmd_push, &pl_cmd_sql,
};

#define N_COMMANDS (sizeof(commands) / sizeof(*commands))

static const struct pl_cmd *find_command(const char *name)
{
	for (size_t i = 0; i < N_COMMANDS; i++)
		if (!strcmp(commands[i]->name, name))
			return commands[i];
	return NULL;
}

static void print_overview(FILE *f)
{
	fputs("usage: proflite COMMAND [ARGUMENT]...\n\n"
	      "A tracing profiler for CPython.  Try:\n"
	      "  proflite record python3 app.py\n"
	      "  proflite report\n\n"
	      "commands:\n", f);
	for (size_t i = 0; i < N_COMMANDS; i++)
		fprintf(f, "  %-10s %s\n", commands[i]->name,
			commands[i]->summary);
	fputs("  help       explain a command, or \"options\" of "
	      PL_OPTIONS_ENV "\n\n"
	      "See also the manual page, proflite(1).\n", f);
}

/* What a process reads that is preloaded by hand. */
static void print_options(FILE *f)
{
	fputs("Settings of a recording, in the variable " PL_OPTIONS_ENV
	      ":\nkey=value pairs separated by commas, with a backslash before "
	      "a comma in a value.\nHere with their defaults.\n\n", f);
	for (size_t i = 0; i < pl_n_option_rows; i++) {
		const struct pl_option_row *row = &pl_option_rows[i];

		fprintf(f, "  %s=%s\n      %s\n", row->key, row->fallback,
			row->help);
	}
}

static int unknown_command(const char *name)
{
	return pl_complain(NULL, PL_EXIT_USAGE,
			   "unknown command \"%s\": see proflite help", name);
}

static int help(const char *topic)
{
	const struct pl_cmd *cmd;

	if (!topic) {
		print_overview(stdout);
	} else if (!strcmp(topic, "options")) {
		print_options(stdout);
	} else {
		cmd = find_command(topic);
		if (!cmd)
			return unknown_command(topic);
		pl_cmd_help(stdout, cmd);
	}
	return PL_EXIT_OK;
}

static int dispatch(int argc, char **argv)
{
	const struct pl_cmd *cmd;

	if (argc < 2) {
		print_overview(stderr);
		return PL_EXIT_USAGE;
	}
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) {
		puts("proflite " PACKAGE_VERSION);
		return PL_EXIT_OK;
	}
	if (!strcmp(argv[1], "help") || !strcmp(argv[1], "--help") ||
	    !strcmp(argv[1], "-h"))
		return help(argv[2]);
	cmd = find_command(argv[1]);
	return cmd ? cmd->run(cmd, argc - 2, argv + 2)
		   : unknown_command(argv[1]);
}

int main(int argc, char **argv)
{
	int status;

	pl_filesignal_ignore();
	pl_trust_begin();
	/* Not a page at a time, unless somebody watches. */
	if (!isatty(STDOUT_FILENO))
		setvbuf(stdout, NULL, _IOFBF, 1 << 16);
	status = dispatch(argc, argv);
	int failed = pl_stream_flush(stdout);

	if (!failed)
		return status;
	/* Who read us may leave when he has seen enough. */
	if (failed != EPIPE)
		pl_complain(NULL, 0, "cannot write the output: %s",
			    strerror(failed));
	return status ? status : PL_EXIT_FAILED;
}
