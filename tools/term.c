/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "term.h"

#include "filesignal.h"

#include "export/wtf8.h"
#include "pytext.h"

#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wchar.h>

#define LEAST_WIDTH 40
#define LEAST_HEIGHT 10

static pid_t pager;

static bool is_set(const char *name)
{
	const char *value = getenv(name);

	return value && *value;
}

/* As the environment has it, else as the terminal does. */
static size_t find_size(const char *name, size_t seen, long usual, long least)
{
	const char *said = getenv(name);
	long n = said ? strtol(said, NULL, 10) : 0;

	if (n <= 0)
		n = seen ? (long)seen : usual;
	return (size_t)(n < least ? least : n);
}

void pl_term_look(struct pl_term *term)
{
	const char *name = getenv("TERM");
	bool is_terminal = isatty(STDOUT_FILENO);
	struct winsize size = { 0 };

	memset(term, 0, sizeof(*term));
	/* Nothing else of the locale is wanted, numbers least of all. */
	setlocale(LC_CTYPE, "");
	term->utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8");
	if (!is_terminal)
		return;
	ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
	term->width = find_size("COLUMNS", size.ws_col, 80, LEAST_WIDTH);
	term->height = find_size("LINES", size.ws_row, 24, LEAST_HEIGHT);
	term->color = name && strcmp(name, "dumb") && !is_set("NO_COLOR");
}

static const char *find_pager(void)
{
	static const char *const names[] = { "PROFLITE_PAGER", "PAGER" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (getenv(names[i]))
			return getenv(names[i]);
	return "less";
}

static void run_pager(const char *command, int in)
{
	dup2(in, STDIN_FILENO);
	close(in);
	setenv("LESS", "FRX", 0);
	setenv("LV", "-c", 0);
	pl_filesignal_restore();
	/* A pager that is not there: as if there had been none. */
	execl("/bin/sh", "sh", "-c", command, (char *)NULL);
	_exit(127);
}

/* Its first word, without any of the shell's own characters in it. */
static bool exists(const char *command)
{
	size_t n = strcspn(command, " \t\"'\\$`;&|<>()");
	char *line;
	int status;

	if (asprintf(&line, "command -v -- '%.*s' >/dev/null 2>&1", (int)n,
		     command) < 0)
		return false;
	status = system(line);
	free(line);
	return !status;
}

/* Until the reader has left, too. */
static void end_pager(void)
{
	fflush(stdout);
	close(STDOUT_FILENO);
	while (waitpid(pager, NULL, 0) < 0 && errno == EINTR)
		;
}

void pl_term_page(void)
{
	const char *command = find_pager();
	int fds[2];

	if (pager || !isatty(STDOUT_FILENO) || !*command ||
	    !strcmp(command, "cat") || !exists(command) || pipe(fds))
		return;
	fflush(stdout);
	pager = fork();
	if (!pager) {
		close(fds[1]);
		run_pager(command, fds[0]);
	}
	if (pager > 0 && !atexit(end_pager)) {
		/* ^C is for the pager, which may be in a search. */
		signal(SIGINT, SIG_IGN);
		signal(SIGPIPE, SIG_IGN);
		dup2(fds[1], STDOUT_FILENO);
	}
	close(fds[0]);
	close(fds[1]);
}

/* ------------------------------------------------------------ printing -- */

const char *pl_term_color(const struct pl_term *term, enum pl_color color)
{
	static const char *const words[] = {
		[PL_PLAIN] = "\033[0m",	 [PL_DIM] = "\033[2m",
		[PL_BOLD] = "\033[1m",	 [PL_RED] = "\033[31m",
		[PL_GREEN] = "\033[32m", [PL_YELLOW] = "\033[33m",
	};

	return term->color ? words[color] : "";
}

enum pl_color pl_heat(double percent)
{
	return percent >= 50   ? PL_RED
	       : percent >= 10 ? PL_YELLOW
	       : percent < 1   ? PL_DIM
			       : PL_PLAIN;
}

const struct pl_unit *pl_unit_for(double ns)
{
	static const struct pl_unit units[] = {
		{ "s", 1e9 },
		{ "ms", 1e6 },
		{ "us", 1e3 },
		{ "ns", 1 },
	};
	size_t i = 0;

	while (i < 3 && ns < units[i].ns)
		i++;
	return &units[i];
}

/* Columns of a terminal. */
static size_t width_of(int32_t c)
{
	int width = wcwidth((wchar_t)c);

	return width < 0 ? 1 : (size_t)width;
}

/* As much of @text as fits into @columns, controls replaced, malloc'ed. */
static char *cut(const char *text, size_t columns, size_t *used)
{
	char *copy = pl_pytext_clean(text);
	size_t at = 0, len;

	*used = 0;
	if (copy)
		pl_pytext_tame(copy);
	for (; copy && copy[at]; at += len) {
		int32_t c = pl_wtf8_next(copy + at, strlen(copy + at), &len);

		if (*used + width_of(c) > columns)
			break;
		*used += width_of(c);
	}
	if (copy)
		copy[at] = '\0';
	return copy;
}

void pl_term_put(const struct pl_term *term, FILE *f, const char *text,
		 size_t *left)
{
	size_t columns = term->width ? *left : SIZE_MAX, used;
	char *fits = cut(text, columns, &used);

	if (!fits)
		return;
	if (strlen(fits) < strlen(text) && term->width && columns) {
		free(fits);
		fits = cut(text, columns - 1, &used);
		if (fits)
			pl_pytext_put(f, fits);
		fputs(term->utf8 ? "…" : "~", f);
		used = columns;
	} else {
		pl_pytext_put(f, fits);
	}
	free(fits);
	if (term->width)
		*left -= used;
}
