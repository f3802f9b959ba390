/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "names.h"

#include "export/places.h"
#include "pytext.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *pl_name_shown(const char *name, const char *file)
{
	size_t n = strlen(name);
	char *text = strdup(name);

	/* Without a file: "<built-in method x>". */
	if (text && !strcmp(file, "~") && n >= 2 && name[0] == '<' &&
	    name[n - 1] == '>') {
		text[0] = '{';
		text[n - 1] = '}';
	}
	return text;
}

char *pl_func_name(const struct pl_pfunc *f)
{
	return strcmp(f->file, "~") && f->qualname
		       ? strdup(f->qualname)
		       : pl_name_shown(f->name, f->file);
}

void pl_func_write(const struct pl_term *term, FILE *f, const char *name,
		   const char *file, int line, const char *cwd, size_t *left)
{
	char *text = pl_name_shown(name, file), *place;

	if (text)
		pl_term_put(term, f, text, left);
	free(text);
	if (!strcmp(file, "~") ||
	    asprintf(&place, "  %s:%d", pl_short_file(file, cwd), line) < 0)
		return;
	fputs(pl_term_color(term, PL_DIM), f);
	pl_term_put(term, f, place, left);
	fputs(pl_term_color(term, PL_PLAIN), f);
	free(place);
}

void pl_run_write(const struct pl_term *term, FILE *f, int64_t run, double ns,
		  uint64_t calls, const char *command)
{
	const struct pl_unit *unit = pl_unit_for(ns);
	size_t left = term->width;
	char *line;

	if (asprintf(&line, "run %" PRId64 ", %.3f %s in %" PRIu64 " calls%s%s",
		     run, ns / unit->ns, unit->name, calls, command ? ": " : "",
		     command ? command : "") < 0)
		return;
	pl_term_put(term, f, line, &left);
	putc('\n', f);
	free(line);
}

int pl_match_compile(const struct pl_cmd *cmd, const char *name,
		     const char *arg, struct pl_pattern **pattern)
{
	char *text = pl_pytext_from_bytes(arg);
	struct pl_error err;
	int rc;

	pl_pattern_free(*pattern);
	*pattern = NULL;
	if (!text)
		return pl_complain(cmd, PL_EXIT_FAILED, "out of memory");
	rc = pl_pattern_new(pattern, text, &err);
	free(text);
	if (!rc)
		return PL_GO_ON;
	return pl_complain(cmd,
			   rc == PL_ERR_ARG ? PL_EXIT_USAGE : PL_EXIT_FAILED,
			   "--%s=%s: %s", name, arg, err.text);
}

static char *make_label(const struct pl_pfunc *f, const char *name)
{
	char *raw, *label;

	if (!strcmp(f->file, "~") && !f->line && *name == '<')
		raw = pl_name_shown(name, f->file);
	else if (asprintf(&raw, "%s:%d(%s)", f->file, f->line, name) < 0)
		raw = NULL;
	label = raw ? pl_pytext_clean(raw) : NULL;
	free(raw);
	return label;
}

static int search(const struct pl_pattern *pattern, char *text)
{
	int found = text ? pl_pattern_search(pattern, text, strlen(text))
			 : PL_ERR_NOMEM;

	free(text);
	return found;
}

static int match(const struct pl_pattern *pattern, const struct pl_pfunc *f,
		 const char *name)
{
	int found = search(pattern, make_label(f, name));

	return found ? found : search(pattern, pl_pytext_clean(name));
}

int64_t pl_match_funcs(const struct pl_pattern *pattern,
		       const struct pl_profile *profile, uint8_t bit,
		       uint8_t *choice, struct pl_error *err)
{
	int64_t n = 0;

	for (uint32_t i = 0; i < profile->n_funcs; i++) {
		const struct pl_pfunc *f = &profile->funcs[i];
		int found = match(pattern, f, f->name);

		if (!found && f->qualname)
			found = match(pattern, f, f->qualname);
		if (found < 0)
			return pl_fail(
				err, found,
				found == PL_ERR_NOMEM
					? "out of memory"
					: "the search for the "
					  "regular expression takes too long: "
					  "make it simpler");
		if (!found)
			continue;
		choice[i] |= bit;
		n++;
	}
	return n;
}
