/* SPDX-License-Identifier: MIT */
/*
 * live: what is it doing now?  A screen like top's of processes that are being
 * recorded, read from their mapped recordings.
 */
#include <config.h>

#include "cmd.h"
#include "core/clock.h"
#include "live_view.h"
#include "names.h"
#include "pytext.h"
#include "source.h"

#include <curses.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { OPT_ONCE, OPT_INTERVAL, OPT_SORT, OPT_FILTER, OPT_LINES, OPT_OUTPUT };

static const struct pl_opt options[] = {
	[OPT_ONCE] = { "once", 0, NULL, "print one screen and end" },
	[OPT_INTERVAL] = { "interval", 'i', "SECONDS",
			   "between two looks (default: 1)" },
	[OPT_SORT] = { "sort", 's', "KEY",
		       "now, time, rate or calls (default: now)" },
	[OPT_FILTER] = { "filter", 'f', "RE", "only functions that match" },
	[OPT_LINES] = { "lines", 'n', "N",
			"print N lines at most, 0 for all" },
	[OPT_OUTPUT] = { "output", 'o', "FORMAT",
			 "text, json or csv (with --once)" },
	{ NULL, 0, NULL, NULL },
};

struct args {
	struct pl_live live;
	struct pl_live_view view;
	struct pl_pattern *filter;
	enum pl_records_format format;
	double interval;
	bool once;
};

/* ------------------------------------------------------------------ once -- */

static void pass(double seconds)
{
	struct timespec ts = { (time_t)seconds,
			       (long)((seconds - (double)(time_t)seconds) *
				      1e9) };

	while (nanosleep(&ts, &ts))
		;
}

static void print_line(void *ctx, enum pl_live_line kind, const char *text)
{
	const struct pl_term *term = ctx;
	enum pl_color color = kind == PL_LIVE_HEAD || kind == PL_LIVE_TITLE
				      ? PL_BOLD
			      : kind == PL_LIVE_HOT ? PL_YELLOW
						    : PL_PLAIN;

	if (color != PL_PLAIN)
		fputs(pl_term_color(term, color), stdout);
	pl_pytext_put(stdout, text);
	puts(color != PL_PLAIN ? pl_term_color(term, PL_PLAIN) : "");
}

static int print_once(struct args *a, const struct pl_cmd *cmd)
{
	struct pl_live_look look;
	struct pl_term term;
	struct pl_error err;
	int rc = pl_live_take(&a->live, &look, &err);

	if (!rc && a->interval > 0) {
		pl_live_look_release(&look);
		pass(a->interval);
		rc = pl_live_take(&a->live, &look, &err);
	}
	pl_term_look(&term);
	if (!rc && a->format)
		rc = pl_live_records(&look, &a->view, a->format, &err);
	else if (!rc)
		rc = pl_live_render(&look, &a->view, &term, print_line, &term,
				    &err);
	if (rc)
		pl_complain(cmd, 0, "%s", err.text);
	pl_live_look_release(&look);
	return rc ? PL_EXIT_FAILED : PL_EXIT_OK;
}

/* ---------------------------------------------------------------- screen -- */

struct screen {
	struct args *a;
	struct pl_live_look look;
	struct pl_term term;
	struct pl_error err;
	int line;			/* to be written next */
	bool paused, over;		/* the processes are gone */
	bool helps;
	char typed[200];		/* the filter, while it is typed */
	bool types;
	const char *wrong;		/* with the filter */
};

static void draw_line(void *ctx, enum pl_live_line kind, const char *text)
{
	struct screen *s = ctx;
	int attribute = kind == PL_LIVE_HEAD	? A_BOLD
			: kind == PL_LIVE_TITLE ? A_REVERSE
			: kind == PL_LIVE_HOT && s->term.color
				? COLOR_PAIR(1)
				: A_NORMAL;

	attron(attribute);
	mvaddstr(s->line, 0, text);
	/* A title goes through to the edge. */
	for (int x = getcurx(stdscr); kind == PL_LIVE_TITLE &&
	     getcury(stdscr) == s->line && x < COLS - 1; x++)
		addch(' ');
	attroff(attribute);
	s->line++;
}

static void draw_help(void)
{
	static const char *const text[] = {
		"q        quit",
		"p, blank pause; again: go on",
		"s        sort by the next of: now, time, rate, calls",
		"/        show only functions that match a regular expression",
		"t        show or hide the threads",
		"+ -      look less or more often",
		"up down  scroll (also: Page Up, Page Down, Home)",
		"",
		"now      share of the internal time since the look before",
		"self     share, and seconds, of the internal time since the start",
		"calls/s  calls since the look before",
		"",
		"any key: back",
	};

	for (size_t i = 0; i < sizeof(text) / sizeof(*text); i++)
		mvaddstr((int)i + 1, 2, text[i]);
}

static void draw_status(const struct screen *s)
{
	char text[400];
	size_t left = s->term.width ? s->term.width : 80;

	if (s->types)
		snprintf(text, sizeof(text), "filter: %s_", s->typed);
	else if (s->wrong)
		snprintf(text, sizeof(text), "%s", s->wrong);
	else
		snprintf(text, sizeof(text), "%s%sby %s, every %g s%s%s   "
			 "q quit  p pause  s sort  / filter  t threads  ? help",
			 s->over ? "ended  " : "", s->paused ? "PAUSED  " : "",
			 pl_live_sort_names[s->a->view.sort], s->a->interval,
			 *s->typed ? ", only " : "", s->typed);
	text[left < sizeof(text) ? left - 1 : sizeof(text) - 1] = '\0';
	attron(A_DIM);
	mvaddstr(LINES - 1, 0, text);
	attroff(A_DIM);
}

static void draw(struct screen *s)
{
	s->term.width = COLS > 1 ? (size_t)COLS : 80;
	s->a->view.height = LINES > 2 ? (size_t)LINES - 1 : 1;
	s->line = 0;
	erase();
	if (s->helps)
		draw_help();
	else if (s->look.n_files)
		pl_live_render(&s->look, &s->a->view, &s->term, draw_line, s,
			       &s->err);
	draw_status(s);
	refresh();
}

/* The last look stays on the screen when the processes have ended. */
static void look_again(struct screen *s)
{
	struct pl_live_look look;

	if (pl_live_take(&s->a->live, &look, &s->err)) {
		s->over = true;
		return;
	}
	s->over = false;
	pl_live_look_release(&s->look);
	s->look = look;
}

static void set_filter(struct screen *s)
{
	struct pl_pattern *pattern = NULL;

	s->wrong = NULL;
	if (*s->typed && pl_pattern_new(&pattern, s->typed, &s->err)) {
		s->wrong = s->err.text;
		return;
	}
	pl_pattern_free(s->a->filter);
	s->a->view.filter = s->a->filter = pattern;
	s->a->view.first = 0;
}

static void type(struct screen *s, int key)
{
	size_t n = strlen(s->typed);

	if (key == '\n' || key == '\r' || key == KEY_ENTER) {
		s->types = false;
		set_filter(s);
	} else if (key == 27) {
		s->types = false;
		*s->typed = '\0';
		set_filter(s);
	} else if (key == KEY_BACKSPACE || key == 127 || key == 8) {
		/* a character may be several bytes */
		while (n && ((unsigned char)s->typed[n - 1] & 0xc0) == 0x80)
			n--;
		s->typed[n ? n - 1 : 0] = '\0';
	} else if (key >= ' ' && key < 256 && n + 1 < sizeof(s->typed)) {
		s->typed[n] = (char)key;
		s->typed[n + 1] = '\0';
	}
}

static void scroll_by(struct screen *s, int rows)
{
	size_t *first = &s->a->view.first;

	if (rows < 0 && *first < (size_t)-rows)
		*first = 0;
	else
		*first += (size_t)rows;
	if (*first >= s->look.n_funcs)
		*first = s->look.n_funcs ? s->look.n_funcs - 1 : 0;
}

/* False: quit. */
static bool press(struct screen *s, int key)
{
	struct args *a = s->a;

	if (s->types) {
		type(s, key);
		return true;
	}
	if (s->helps) {
		s->helps = false;
		return true;
	}
	switch (key) {
	case 'q':
	case 3:
		return false;
	case 'p':
	case ' ':
		s->paused = !s->paused;
		break;
	case 's':
		a->view.sort = (a->view.sort + 1) % PL_LIVE_N_SORTS;
		break;
	case '/':
		s->types = true;
		s->wrong = NULL;
		*s->typed = '\0';
		break;
	case 't':
		a->view.hide_threads = !a->view.hide_threads;
		break;
	case '+':
		a->interval *= 2;
		break;
	case '-':
		if (a->interval > 0.1)
			a->interval /= 2;
		break;
	case '?':
	case 'h':
		s->helps = true;
		break;
	case KEY_DOWN:
		scroll_by(s, 1);
		break;
	case KEY_UP:
		scroll_by(s, -1);
		break;
	case KEY_NPAGE:
		scroll_by(s, LINES / 2);
		break;
	case KEY_PPAGE:
		scroll_by(s, -LINES / 2);
		break;
	case KEY_HOME:
		a->view.first = 0;
		break;
	}
	return true;
}

/* Milliseconds until the next look. */
static int time_left(const struct screen *s)
{
	double left;

	if (s->paused)
		return -1;
	left = s->a->interval - (double)(pl_clock_ns(CLOCK_MONOTONIC) -
					 s->a->live.before_ns) * 1e-9;
	/* Of those that are gone there is nothing new, but others may come. */
	if (s->over)
		left = s->a->interval;
	return left > 0 ? (int)(left * 1000) + 1 : 0;
}

static void run_screen(struct screen *s)
{
	int key;

	do {
		draw(s);
		timeout(time_left(s));
		key = getch();
		if (key == ERR && !s->paused)
			look_again(s);
	} while (key == ERR || press(s, key));
}

static int show_screen(struct args *a, const struct pl_cmd *cmd)
{
	struct screen s = { .a = a };
	SCREEN *terminal;
	int rc;

	pl_term_look(&s.term);
	rc = pl_live_take(&a->live, &s.look, &s.err);
	if (rc)
		return pl_complain(cmd, PL_EXIT_FAILED, "%s", s.err.text);
	terminal = newterm(NULL, stdout, stdin);
	if (!terminal) {
		pl_live_look_release(&s.look);
		return pl_complain(cmd, PL_EXIT_FAILED, "this terminal cannot "
				   "be drawn on (TERM=%s): try --once",
				   getenv("TERM") ? getenv("TERM") : "");
	}
	cbreak();
	noecho();
	keypad(stdscr, TRUE);
	curs_set(0);
	set_escdelay(50);
	if (s.term.color && has_colors()) {
		start_color();
		use_default_colors();
		init_pair(1, COLOR_YELLOW, -1);
	} else {
		s.term.color = false;
	}
	run_screen(&s);
	endwin();
	delscreen(terminal);
	pl_live_look_release(&s.look);
	return PL_EXIT_OK;
}

/* ----------------------------------------------------------- the command -- */

static int take_seconds(const struct pl_cmd *cmd, const char *arg,
			double *seconds)
{
	if (pl_opts_number(arg, seconds) && *seconds <= 3600)
		return PL_GO_ON;
	return pl_complain(cmd, PL_EXIT_USAGE, "--interval=%s: want seconds, "
			   "3600 at most", arg);
}

static int take_sort(const struct pl_cmd *cmd, const char *arg,
		     enum pl_live_sort *sort)
{
	for (size_t i = 0; i < PL_LIVE_N_SORTS; i++)
		if (!strcmp(pl_live_sort_names[i], arg)) {
			*sort = (enum pl_live_sort)i;
			return PL_GO_ON;
		}
	return pl_complain(cmd, PL_EXIT_USAGE, "--sort=%s: want now, time, "
			   "rate or calls", arg);
}

static int take_option(struct args *a, const struct pl_cmd *cmd, int opt,
		       const char *arg)
{
	int64_t lines;
	int rc;

	switch (opt) {
	case OPT_ONCE:
		a->once = true;
		return PL_GO_ON;
	case OPT_INTERVAL:
		return take_seconds(cmd, arg, &a->interval);
	case OPT_SORT:
		return take_sort(cmd, arg, &a->view.sort);
	case OPT_FILTER:
		return pl_match_compile(cmd, "filter", arg, &a->filter);
	case OPT_LINES:
		rc = pl_opts_lines(cmd, arg, &lines);
		a->view.height = (size_t)lines;
		return rc;
	}
	if (pl_records_parse(arg, &a->format))
		return PL_GO_ON;
	return pl_complain(cmd, PL_EXIT_USAGE, "--output=%s: want text, json "
			   "or csv", arg);
}

/* A number is a process, unless there is such a file. */
static void take_target(struct args *a, const char *word)
{
	char *end;
	unsigned long pid = word ? strtoul(word, &end, 10) : 0;

	a->live.db = word ? word : PL_STORE_DEFAULT_DB;
	if (word && *word >= '1' && *word <= '9' && !*end &&
	    pid <= UINT32_MAX && access(word, F_OK))
		a->live.pid = (uint32_t)pid;
}

static int parse(struct args *a, const struct pl_cmd *cmd, int argc,
		 char **argv)
{
	struct pl_opts o;
	int opt, rc;

	pl_opts_init(&o, cmd, argc, argv);
	while ((opt = pl_opts_next(&o)) >= 0) {
		rc = take_option(a, cmd, opt, o.arg);
		if (rc != PL_GO_ON)
			return rc;
	}
	if (opt != PL_OPT_END)
		return pl_opts_stop(&o, opt);
	if (o.n_operands > 1)
		return pl_complain(cmd, PL_EXIT_USAGE, "one database, or one "
				   "process, at a time: what is %s?", argv[1]);
	take_target(a, o.n_operands ? argv[0] : NULL);
	a->view.filter = a->filter;
	if (!a->once && a->format)
		return pl_complain(cmd, PL_EXIT_USAGE, "--output is for "
				   "--once");
	if (!a->once && a->interval < 0.05)
		a->interval = 0.05;
	return PL_GO_ON;
}

static int run(const struct pl_cmd *cmd, int argc, char **argv)
{
	struct args a = { .interval = 1, .view = { .height = 40 } };
	int status = parse(&a, cmd, argc, argv);

	if (status == PL_GO_ON && !a.once &&
	    (!isatty(STDOUT_FILENO) || !isatty(STDIN_FILENO)))
		status = pl_complain(cmd, PL_EXIT_USAGE, "this is no terminal: "
				     "use --once");
	if (status == PL_GO_ON)
		status = a.once ? print_once(&a, cmd) : show_screen(&a, cmd);
	pl_pattern_free(a.filter);
	pl_live_release(&a.live);
	return status;
}

const struct pl_cmd pl_cmd_live = {
	.name = "live",
	.summary = "watch processes that are being recorded",
	.synopsis = "[OPTION]... [PID | DB]",
	.options = options,
	.run = run,
};
