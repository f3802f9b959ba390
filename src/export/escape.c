/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "export/escape.h"

#include "export/stacks.h"
#include "export/wtf8.h"

#include <stdlib.h>
#include <string.h>

static bool is_control(char c)
{
	return (unsigned char)c < ' ' || c == 127;
}

static bool is_surrogate(int32_t c)
{
	return c >= 0xd800 && c <= 0xdfff;
}

void pl_escape_put(FILE *out, const char *text, pl_escape_fn *escape)
{
	size_t n = strlen(text), len;

	for (; n; text += len, n -= len) {
		int32_t c;

		if ((unsigned char)*text < 128) {
			len = 1;
			if (!escape(out, *text))
				putc_unlocked(*text, out);
			continue;
		}
		c = pl_wtf8_next(text, n, &len);
		/* A byte that is no text, as Python would have it. */
		if (c < 0)
			c = 0xdc00 + (unsigned char)*text;
		if (is_surrogate(c))
			fprintf(out, "\\u%04x", (unsigned)c);
		else
			fwrite(text, 1, len, out);
	}
}

bool pl_escape_json(FILE *out, char c)
{
	if (c == '"' || c == '\\')
		fprintf(out, "\\%c", c);
	else if (is_control(c))
		fprintf(out, "\\u%04x", (unsigned)c);
	else
		return false;
	return true;
}

bool pl_escape_line(FILE *out, char c)
{
	if (!is_control(c))
		return false;
	putc(' ', out);
	return true;
}

void pl_json_put(FILE *out, const char *text)
{
	if (!text) {
		fputs("null", out);
		return;
	}
	putc('"', out);
	pl_escape_put(out, text, pl_escape_json);
	putc('"', out);
}

static bool escape_csv(FILE *out, char c)
{
	if (c != '"')
		return false;
	fputs("\"\"", out);
	return true;
}

void pl_csv_put(FILE *out, const char *text)
{
	bool marked = *text && strchr("=+-@\t\r\n'", *text);
	bool quoted = marked || !*text || text[strcspn(text, ",\"\r\n")];

	if (quoted)
		putc('"', out);
	if (marked)
		putc('\'', out);
	pl_escape_put(out, text, escape_csv);
	if (quoted)
		putc('"', out);
}

void pl_name_put(FILE *out, const struct pl_pfunc *f, pl_escape_fn *escape)
{
	size_t n = strlen(f->name);
	char *bare;

	if (strcmp(f->file, "~") || f->line || n < 2 || f->name[0] != '<' ||
	    f->name[n - 1] != '>') {
		pl_escape_put(out, f->qualname ? f->qualname : f->name,
			      escape);
		return;
	}
	bare = strndup(f->name + 1, n - 2);
	putc('{', out);
	pl_escape_put(out, bare ? bare : f->name, escape);
	putc('}', out);
	free(bare);
}

static char *make_frame(const struct pl_pfunc *f, pl_escape_fn *escape)
{
	size_t size;
	char *name = NULL;
	FILE *out = open_memstream(&name, &size);

	if (!out)
		return NULL;
	pl_name_put(out, f, escape);
	if (strcmp(f->file, "~")) {
		fputs(" (", out);
		pl_escape_put(out, f->file, escape);
		fprintf(out, ":%d)", f->line);
	}
	return fclose(out) ? NULL : name;
}

int pl_frames_init(struct pl_frames *frames, const struct pl_profile *p,
		   pl_escape_fn *escape, struct pl_error *err)
{
	bool failed;

	frames->names = calloc((size_t)p->n_funcs + PL_STACKS_EXTRA,
			       sizeof(*frames->names));
	failed = !frames->names;
	for (uint32_t i = 0; !failed && i < p->n_funcs; i++) {
		frames->names[i] = make_frame(&p->funcs[i], escape);
		failed = !frames->names[i];
		frames->n = i + 1;
	}
	for (uint32_t i = 0; !failed && i < PL_STACKS_EXTRA; i++) {
		frames->names[frames->n] = strdup(pl_stacks_extra[i]);
		failed = !frames->names[frames->n++];
	}
	if (!failed)
		return 0;
	pl_frames_release(frames);
	return pl_fail(err, PL_ERR_NOMEM, "out of memory");
}

void pl_frames_release(struct pl_frames *frames)
{
	for (uint32_t i = 0; frames->names && i < frames->n; i++)
		free(frames->names[i]);
	free(frames->names);
	memset(frames, 0, sizeof(*frames));
}
