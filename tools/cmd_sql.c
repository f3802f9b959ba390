/* SPDX-License-Identifier: MIT */
/*
 * sql: ask the database yourself.
 *
 * Runs sqlite3, SQLite's own program, on the database, read-only.  We come
 * before it to say what is wrong with a database in our words, and to take in
 * what lies beside it.
 */
#include <config.h>

#include "base/owner.h"
#include "cmd.h"
#include "filesignal.h"
#include "source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { OPT_OUTPUT };

static const struct pl_opt options[] = {
	[OPT_OUTPUT] = { "output", 'o', "FORMAT",
			 "table (default), csv, json, markdown, ..." },
	{ NULL, 0, NULL, NULL },
};

static const char banner[] =
	"The database is open for reading.  Times of the views are seconds.\n"
	"\n"
	"  pstats      run_id ncalls primcalls tottime cumtime filename line "
	"function\n"
	"  callers     the same, with caller_filename, caller_line, "
	"caller_function\n"
	"  callees     the same, with callee_filename, callee_line, "
	"callee_function\n"
	"  call_paths  run_id process_id thread_id node_id path ncalls tottime "
	"cumtime\n"
	"\n"
	"  tables: runs, processes, threads, functions, nodes, function_stats,\n"
	"  call_stats;"
	" .schema TABLE explains one, and .quit leaves.  For example:\n"
	"\n"
	"  select * from pstats where run_id = (select max(id) from runs)\n"
	"    order by tottime desc limit 10;\n"
	"\n";

/* What sqlite3 calls its modes. */
static const char *const modes[] = {
	"table", "csv", "json", "markdown", "box", "column", "html", "line",
	"list", "quote", "tabs", "insert", NULL,
};

static bool is_mode(const char *name)
{
	for (size_t i = 0; modes[i]; i++)
		if (!strcmp(modes[i], name))
			return true;
	return false;
}

static bool is_foreign(const char *folder)
{
	struct stat st;

	return folder && !stat(folder, &st) && !pl_owner_is_ours(st.st_uid);
}

/* sqlite3 runs the commands of a file there; sudo may leave HOME as it was. */
static bool is_home_foreign(void)
{
	return is_foreign(getenv("HOME")) ||
	       is_foreign(getenv("XDG_CONFIG_HOME"));
}

static int run_sqlite3(const struct pl_cmd *cmd, const char *path,
		       const char *mode, char *query)
{
	char *argv[16], *command;
	int n = 0;

	if (asprintf(&command, ".mode %s", mode) < 0)
		return pl_complain(cmd, PL_EXIT_FAILED, "out of memory");
	argv[n++] = (char *)"sqlite3";
	/* The user's own settings are for queries that are typed, not for
	 * scripts. */
	if (query || !isatty(STDIN_FILENO) || is_home_foreign()) {
		argv[n++] = (char *)"-batch";
		argv[n++] = (char *)"-init";
		argv[n++] = (char *)"/dev/null";
	}
	/* A view of a planted database could run a shell: edit(). */
	argv[n++] = (char *)"-safe";
	argv[n++] = (char *)"-readonly";
	argv[n++] = (char *)"-bail";
	argv[n++] = (char *)"-cmd";
	argv[n++] = command;
	argv[n++] = (char *)"-cmd";
	argv[n++] = (char *)".headers on";
	argv[n++] = (char *)path;
	if (query)
		argv[n++] = query;
	argv[n] = NULL;
	fflush(stdout);
	pl_filesignal_restore();
	execvp(argv[0], argv);
	free(command);
	if (errno == ENOENT)
		return pl_complain(cmd, PL_EXIT_FAILED, "this runs sqlite3, "
				   "which is not there: install sqlite3");
	return pl_complain(cmd, PL_EXIT_FAILED, "cannot run sqlite3: %s",
			   strerror(errno));
}

static int ask(const struct pl_cmd *cmd, const char *db, const char *mode,
	       char *query)
{
	struct pl_source source = { .db = db };
	struct pl_store *store;
	char *path;
	int rc = pl_source_open(&source, cmd, &store);

	if (rc)
		return rc;
	pl_store_close(store);
	db = db ? db : PL_STORE_DEFAULT_DB;
	/* So that "file:x" and "-x" are names of files. */
	if (asprintf(&path, "%s%s", *db == '/' ? "" : "./", db) < 0)
		return pl_complain(cmd, PL_EXIT_FAILED, "out of memory");
	if (!query && isatty(STDIN_FILENO))
		fputs(banner, stdout);
	rc = run_sqlite3(cmd, path, mode, query);
	free(path);
	return rc;
}

static int run(const struct pl_cmd *cmd, int argc, char **argv)
{
	const char *mode = "table", *db = NULL;
	struct pl_opts o;
	int opt, at = 0;

	pl_opts_init(&o, cmd, argc, argv);
	while ((opt = pl_opts_next(&o)) >= 0) {
		mode = o.arg;
		if (!is_mode(mode))
			return pl_complain(cmd, PL_EXIT_USAGE, "--output=%s: "
					   "want one of sqlite3's modes, such "
					   "as table, csv or json", mode);
	}
	if (opt != PL_OPT_END)
		return pl_opts_stop(&o, opt);
	/* A query may have a slash in it, and has a blank. */
	if (o.n_operands && !strpbrk(argv[0], " \t\n") &&
	    pl_source_is_db(argv[0]))
		db = argv[at++];
	else if (o.n_operands > 1)
		db = argv[at++];
	if (o.n_operands > at + 1)
		return pl_complain(cmd, PL_EXIT_USAGE, "one query at a time, "
				   "in quotes: what is %s?", argv[at + 1]);
	return ask(cmd, db, mode, o.n_operands > at ? argv[at] : NULL);
}

static void more_help(FILE *f)
{
	fputs(banner, f);
}

const struct pl_cmd pl_cmd_sql = {
	.name = "sql",
	.summary = "ask the database in SQL, with sqlite3",
	.synopsis = "[OPTION]... [DB] [QUERY]",
	.options = options,
	.more = more_help,
	.run = run,
};
