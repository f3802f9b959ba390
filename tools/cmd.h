/* SPDX-License-Identifier: MIT */
/*
 * cmd.h: one command of the `proflite` program.
 *
 * A command is a file cmd_NAME.c that ends in a `const struct pl_cmd`, and a
 * line in the table of main.c.  Exit status: 0 done, 1 failed or gate tripped,
 * 2 usage.  Only this folder prints or exits.
 */
#ifndef PL_TOOLS_CMD_H
#define PL_TOOLS_CMD_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum pl_exit {
	PL_EXIT_OK = 0,
	PL_EXIT_FAILED = 1,
	PL_EXIT_USAGE = 2,
	PL_GO_ON = -1,			/* a step of a command: no end yet */
};

/* One option of a command: a row, so that parsing, --help and the check that
 * the man page names it work from the same table. */
struct pl_opt {
	const char *name;		/* long name without "--" */
	char letter;			/* short form, or 0 */
	const char *arg;		/* name of its argument, or NULL */
	const char *help;		/* one line */
};

struct pl_cmd {
	const char *name;
	const char *summary;		/* one line for the list of commands */
	const char *synopsis;		/* "[OPTION]... [DB]" */
	const struct pl_opt *options;	/* ends with a row whose name is NULL */
	bool stops_at_operand;		/* what follows is somebody else's */
	void (*more)(FILE *f);		/* end of its --help, or NULL */
	int (*run)(const struct pl_cmd *cmd, int argc, char **argv);
};

extern const struct pl_cmd pl_cmd_attach, pl_cmd_callees, pl_cmd_callers,
	pl_cmd_diff, pl_cmd_export, pl_cmd_import, pl_cmd_live, pl_cmd_merge,
	pl_cmd_push, pl_cmd_record, pl_cmd_report, pl_cmd_runs, pl_cmd_sql,
	pl_cmd_tree;

/* What pl_opts_next returns besides an index into the table.  PL_OPT_BAD has
 * been complained of already. */
enum { PL_OPT_END = -1, PL_OPT_BAD = -2, PL_OPT_HELP = -3 };

/*
 * Cursor over argv.  Options may stand
 * among the operands, unless the command stops at the first one; "--" ends
 * them.  "-" and what looks like a negative number are operands.
 */
struct pl_opts {
	int argc;
	char **argv;
	int at;				/* next word */
	int in_word;			/* place in a bundle of letters */
	const char *arg;		/* of the option just returned */
	int n_operands;			/* so many stand at the start of argv,
					   all of them when PL_OPT_END came */
	const struct pl_cmd *cmd;
};

/* @argc and @argv without the command's name; argv[argc] is NULL, as main has
 * it.  argv is reordered, and the operands end with NULL as well. */
void pl_opts_init(struct pl_opts *o, const struct pl_cmd *cmd, int argc,
		  char **argv);
int pl_opts_next(struct pl_opts *o);

/*
 * The usual end of a loop over options: PL_OPT_HELP prints the help.  Returns
 * the command's exit status.
 */
int pl_opts_stop(const struct pl_opts *o, int opt);

/* Whether an argument is a number that is not negative: 10, .5, 1e3. */
bool pl_opts_number(const char *arg, double *number);

/* The same of a whole number; one that is too large is the largest. */
bool pl_opts_whole(const char *arg, int64_t *number);

/* What -n was given: PL_GO_ON, or PL_EXIT_USAGE when it is no whole number. */
int pl_opts_lines(const struct pl_cmd *cmd, const char *arg, int64_t *lines);

/* What `proflite help CMD` prints. */
void pl_cmd_help(FILE *f, const struct pl_cmd *cmd);

/* `proflite CMD: SENTENCE` on stderr, on one line whatever names are in it;
 * returns @status for `return`.  @cmd is NULL for the program itself. */
int pl_complain(const struct pl_cmd *cmd, int status, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
