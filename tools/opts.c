/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "cmd.h"
#include "pytext.h"
#include "trust.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int pl_complain(const struct pl_cmd *cmd, int status, const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;

	fflush(stdout); /* what was printed came before */
	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	va_end(ap);
	if (text)
		pl_pytext_tame(text);
	fprintf(stderr, "proflite%s%s: %s\n", cmd ? " " : "",
		cmd ? cmd->name : "", text ? text : "out of memory");
	free(text);
	return status;
}

/* What every command has, besides --help; pl_opts_next takes it. */
static const struct pl_opt trust_option = {
	"trust", 0, NULL, "use files of other users, too"
};

void pl_opts_init(struct pl_opts *o, const struct pl_cmd *cmd, int argc,
		  char **argv)
{
	*o = (struct pl_opts){ .argc = argc, .argv = argv, .cmd = cmd };
}

static int bad_option(struct pl_opts *o, const char *what, const char *word,
		      size_t len)
{
	pl_complain(o->cmd, 0, "%s %.*s: see proflite help %s", what, (int)len,
		    word, o->cmd->name);
	return PL_OPT_BAD;
}

/* The argument of row @i, which may be the rest of the word, or the next. */
static int take_arg(struct pl_opts *o, int i, const char *rest,
		    const char *option, size_t len)
{
	const struct pl_opt *opt = &o->cmd->options[i];

	o->arg = rest;
	if (!opt->arg) {
		if (rest)
			return bad_option(o, "no argument is wanted by", option,
					  len);
		return i;
	}
	if (!rest && o->at == o->argc) {
		pl_complain(o->cmd, 0, "option %.*s wants its %s", (int)len,
			    option, opt->arg);
		return PL_OPT_BAD;
	}
	if (!rest)
		o->arg = o->argv[o->at++];
	return i;
}

static bool is_long(const char *word, size_t len, const char *name)
{
	return len == strlen(name) && !memcmp(word + 2, name, len);
}

static int next_long(struct pl_opts *o, const char *word)
{
	size_t len = strcspn(word + 2, "=");
	const char *value = word[2 + len] ? word + 2 + len + 1 : NULL;
	const struct pl_opt *table = o->cmd->options;

	o->at++;
	if (is_long(word, len, "help"))
		return PL_OPT_HELP;
	if (is_long(word, len, trust_option.name)) {
		if (value)
			return bad_option(o, "no argument is wanted by", word,
					  len + 2);
		pl_trust_anybody();
		return pl_opts_next(o);
	}
	for (int i = 0; table[i].name; i++)
		if (is_long(word, len, table[i].name))
			return take_arg(o, i, value, word, len + 2);
	return bad_option(o, "unknown option", word, len + 2);
}

/* One letter of a bundle such as -rn5. */
static int next_short(struct pl_opts *o, const char *word)
{
	const struct pl_opt *table = o->cmd->options;
	char option[3] = { '-', word[++o->in_word], '\0' };
	const char *rest = word + o->in_word + 1;
	int i;

	for (i = 0; table[i].name; i++)
		if (table[i].letter == option[1])
			break;
	if (!table[i].name) {
		if (option[1] == 'h')
			return PL_OPT_HELP;
		return bad_option(o, "unknown option", option, 2);
	}
	if (*rest && !table[i].arg)
		return i;
	o->at++;
	o->in_word = 0;
	return take_arg(o, i, *rest ? rest : NULL, option, 2);
}

/* "-1" is an operand here: a restriction, or pstats' old sort key. */
static int is_option(const char *word)
{
	return word[0] == '-' && word[1] && !strchr(".0123456789", word[1]);
}

int pl_opts_next(struct pl_opts *o)
{
	const char *word;

	o->arg = NULL;
	for (; o->at < o->argc; o->at++) {
		word = o->argv[o->at];
		if (o->in_word)
			return next_short(o, word);
		if (!strcmp(word, "--")) {
			o->at++;
			break;
		}
		if (is_option(word))
			return word[1] == '-' ? next_long(o, word)
					      : next_short(o, word);
		if (o->cmd->stops_at_operand)
			break;
		/* Options may follow: operands gather in front. */
		o->argv[o->n_operands++] = o->argv[o->at];
	}
	while (o->at < o->argc)
		o->argv[o->n_operands++] = o->argv[o->at++];
	o->argv[o->n_operands] = NULL;	/* ready for exec */
	return PL_OPT_END;
}

/* "-s, --sort=KEY" */
static void print_option(FILE *f, const struct pl_opt *opt)
{
	char text[80];

	snprintf(text, sizeof(text), "%c%c%s--%s%s%s", opt->letter ? '-' : ' ',
		 opt->letter ? opt->letter : ' ', opt->letter ? ", " : "  ",
		 opt->name, opt->arg ? "=" : "", opt->arg ? opt->arg : "");
	if (strlen(text) > 25)
		fprintf(f, "  %s\n  %-25s %s\n", text, "", opt->help);
	else
		fprintf(f, "  %-25s %s\n", text, opt->help);
}

void pl_cmd_help(FILE *f, const struct pl_cmd *cmd)
{
	fprintf(f, "usage: proflite %s %s\n\n%s.\n", cmd->name, cmd->synopsis,
		cmd->summary);
	fputs("\noptions:\n", f);
	for (const struct pl_opt *opt = cmd->options; opt->name; opt++)
		print_option(f, opt);
	print_option(f, &trust_option);
	if (cmd->more) {
		putc('\n', f);
		cmd->more(f);
	}
}

bool pl_opts_number(const char *arg, double *number)
{
	char *end;

	*number = strtod(arg, &end);
	return ((*arg >= '0' && *arg <= '9') || *arg == '.') && !*end;
}

bool pl_opts_whole(const char *arg, int64_t *number)
{
	*number = strtoll(arg, NULL, 10);
	return *arg && !arg[strspn(arg, "0123456789")];
}

int pl_opts_lines(const struct pl_cmd *cmd, const char *arg, int64_t *lines)
{
	if (pl_opts_whole(arg, lines))
		return PL_GO_ON;
	return pl_complain(cmd, PL_EXIT_USAGE,
			   "-n %s: want a whole number, 0 for all", arg);
}

int pl_opts_stop(const struct pl_opts *o, int opt)
{
	if (opt != PL_OPT_HELP)
		return PL_EXIT_USAGE;
	pl_cmd_help(stdout, o->cmd);
	return PL_EXIT_OK;
}
