/* SPDX-License-Identifier: MIT */
/*
 * What is rewritten, because PCRE2 means something else by it:
 *
 *	\Z		\z			the very end
 *	\v		\x0b			one character, not a class
 *	\uXXXX \UXXXXXXXX	\x{...}
 *	{,n}		{0,n}
 *	{ elsewhere	\{
 *	[ in a set	\[			no [:alpha:] in Python
 *	(?u)		nothing			the default
 *	(?a) in front	without UCP
 *
 * What is refused, because Python refuses it: escapes of other letters
 * (\h, \R, \K, \Q, \p, ...), \x without two digits, (*VERB), (?<name>...),
 * (?R), (?1), (?&name), (?|...), (?'name'...), flags for the whole pattern
 * elsewhere than in front (an error since 3.11, a warning before).
 * \N{NAME} is refused too: it would take the table of names.
 */
#include <config.h>

#include "pattern.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

struct pl_pattern {
	pcre2_code *code;
	pcre2_match_data *match;
};

/* ------------------------------------------------------- the translation -- */

struct translation {
	const char *regex, *at;
	FILE *out;
	bool in_set;
	bool ascii;			/* (?a) */
	bool started;			/* past flags and comments in front */
	struct pl_error *err;
};

static int refuse(struct translation *t, const char *what)
{
	return pl_fail(t->err, PL_ERR_ARG,
		       "%s at position %zu of the regular expression", what,
		       (size_t)(t->at - t->regex));
}

/* \xHH, \uHHHH, \UHHHHHHHH: t->at is at the letter. */
static int put_code_point(struct translation *t, size_t digits)
{
	const char *hex = t->at + 1;
	size_t n = strspn(hex, "0123456789abcdefABCDEF");
	unsigned long c;
	char copy[9];

	if (n < digits)
		return refuse(t, "an escape that wants more digits");
	memcpy(copy, hex, digits);
	copy[digits] = '\0';
	c = strtoul(copy, NULL, 16);
	if (c > 0x10ffff)
		return refuse(t, "an escape beyond Unicode");
	fprintf(t->out, "\\x{%lx}", c);
	t->at = hex + digits;
	return 0;
}

/* t->at is at the backslash. */
static int put_escape(struct translation *t)
{
	char c = *++t->at;

	switch (c) {
	case '\0':
		return refuse(t, "a backslash that escapes nothing");
	case 'x':
		return put_code_point(t, 2);
	case 'u':
		return put_code_point(t, 4);
	case 'U':
		return put_code_point(t, 8);
	case 'v':
		fputs("\\x0b", t->out);
		break;
	case 'Z':
	case 'z':
		if (t->in_set)
			return refuse(t, "a bad escape");
		fputs("\\z", t->out);
		break;
	default:
		if (((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) &&
		    !strchr(t->in_set ? "abdDfnrsStwW" : "AabBdDfnrsStwW", c))
			return refuse(t, "a bad escape");
		putc('\\', t->out);
		putc(c, t->out);
	}
	t->at++;
	return 0;
}

/* A brace outside of a set: repetition, or itself. */
static void put_brace(struct translation *t)
{
	const char *low = t->at + 1, *p = low + strspn(low, "0123456789");
	const char *comma = *p == ',' ? p : NULL;

	if (comma)
		p = comma + 1 + strspn(comma + 1, "0123456789");
	if (*p != '}' || p == low) {
		fputs("\\{", t->out);
		t->at++;
		return;
	}
	putc('{', t->out);
	if (low == comma)
		putc('0', t->out);
	fwrite(low, 1, (size_t)(p + 1 - low), t->out);
	t->at = p + 1;
}

/* "(?" and flags, "-", ")" or ":"; false when it is something else. */
static bool is_flags(const char *s, size_t *len)
{
	size_t n = strspn(s, "aiLmsux");

	if (s[n] == '-')
		n += 1 + strspn(s + n + 1, "aiLmsux");
	*len = n;
	return n && (s[n] == ')' || s[n] == ':');
}

static int put_flags(struct translation *t, size_t len)
{
	const char *flags = t->at + 2;
	bool global = flags[len] == ')';

	if (global && t->started)
		return refuse(t, "flags that are not at the start");
	fputs("(?", t->out);
	for (size_t i = 0; i < len; i++) {
		if (flags[i] == 'a' && global)
			t->ascii = true;
		else if (flags[i] == 'a' || flags[i] == 'L')
			return refuse(t, "a flag that is not known here");
		else if (flags[i] != 'u')
			putc(flags[i], t->out);
	}
	putc(flags[len], t->out);
	t->at = flags + len + 1;
	t->started = !global;
	return 0;
}

/* As it is, to its end. */
static void put_comment(struct translation *t)
{
	size_t len = strcspn(t->at, ")");

	len += t->at[len] == ')';
	fwrite(t->at, 1, len, t->out);
	t->at += len;
}

static int put_group(struct translation *t)
{
	static const char *const known[] = {
		"?:", "?=", "?!", "?#", "?>", "?(", "?<=", "?<!", "?P<", "?P=",
	};
	const char *s = t->at + 1;
	size_t len;

	if (*s == '*')
		return refuse(t, "nothing to repeat");
	if (*s == '?' && is_flags(s + 1, &len))
		return put_flags(t, len);
	if (*s != '?') {
		t->started = true;
		putc('(', t->out);
		t->at++;
		return 0;
	}
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		size_t n = strlen(known[i]);

		if (strncmp(s, known[i], n))
			continue;
		fprintf(t->out, "(%s", known[i]);
		t->at += 1 + n;
		if (s[1] != '#')
			t->started = true;
		else
			put_comment(t);
		return 0;
	}
	return refuse(t, "an unknown extension of a group");
}

/* An opening bracket; a "]" that comes first is a member. */
static void open_set(struct translation *t)
{
	putc(*t->at++, t->out);
	if (*t->at == '^')
		putc(*t->at++, t->out);
	if (*t->at == ']') {
		fputs("\\]", t->out);
		t->at++;
	}
	t->in_set = true;
}

static int put_next(struct translation *t)
{
	char c = *t->at;

	if (c == '(' && !t->in_set)
		return put_group(t);
	t->started = true;
	if (c == '\\')
		return put_escape(t);
	if (t->in_set) {
		if (c == '[')
			putc('\\', t->out);
		t->in_set = c != ']';
	} else if (c == '[') {
		open_set(t);
		return 0;
	} else if (c == '{') {
		put_brace(t);
		return 0;
	}
	putc(c, t->out);
	t->at++;
	return 0;
}

static int translate(const char *regex, char **text, bool *ascii,
		     struct pl_error *err)
{
	struct translation t = { .regex = regex, .at = regex, .err = err };
	size_t size;
	int rc = 0;

	*text = NULL;
	t.out = open_memstream(text, &size);
	if (!t.out)
		return pl_fail(err, PL_ERR_NOMEM, "out of memory");
	while (*t.at && !rc)
		rc = put_next(&t);
	if (fclose(t.out) && !rc)
		rc = pl_fail(err, PL_ERR_NOMEM, "out of memory");
	if (rc) {
		free(*text);
		*text = NULL;
	}
	*ascii = t.ascii;
	return rc;
}

/* ----------------------------------------------------------- the library -- */

/*
 * Our texts may hold surrogates, which the library's own check of UTF-8 would
 * refuse; they are well-formed otherwise, and it handles surrogates as it does
 * any other code point, so its check is switched off.
 */
#define PATTERN_FLAGS \
	(PCRE2_UTF | PCRE2_NO_UTF_CHECK | PCRE2_NEVER_BACKSLASH_C)

static int compile(struct pl_pattern **pattern, const char *regex,
		   uint32_t flags, struct pl_error *err)
{
	pcre2_compile_context *cc = pcre2_compile_context_create(NULL);
	struct pl_pattern *p = calloc(1, sizeof(*p));
	PCRE2_SIZE at = 0;
	int code = 0, rc = 0;

	if (!cc || !p) {
		rc = pl_fail(err, PL_ERR_NOMEM, "out of memory");
		goto out;
	}
	pcre2_set_newline(cc, PCRE2_NEWLINE_LF);
	pcre2_set_compile_extra_options(cc,
					PCRE2_EXTRA_ALLOW_SURROGATE_ESCAPES);
	p->code = pcre2_compile((PCRE2_SPTR)regex, PCRE2_ZERO_TERMINATED,
				flags, &code, &at, cc);
	if (!p->code) {
		PCRE2_UCHAR why[200] = "";

		pcre2_get_error_message(code, why, sizeof(why));
		rc = pl_fail(err, PL_ERR_ARG,
			     "%s at position %zu of the regular expression",
			     (const char *)why, (size_t)at);
		goto out;
	}
	p->match = pcre2_match_data_create(1, NULL);
	if (!p->match)
		rc = pl_fail(err, PL_ERR_NOMEM, "out of memory");
out:
	pcre2_compile_context_free(cc);
	if (rc) {
		pl_pattern_free(p);
		p = NULL;
	}
	*pattern = p;
	return rc;
}

int pl_pattern_new_raw(struct pl_pattern **pattern, const char *regex,
		       struct pl_error *err)
{
	return compile(pattern, regex, PATTERN_FLAGS | PCRE2_UCP, err);
}

int pl_pattern_new(struct pl_pattern **pattern, const char *regex,
		   struct pl_error *err)
{
	bool ascii = false;
	char *text;
	int rc = translate(regex, &text, &ascii, err);

	*pattern = NULL;
	if (rc)
		return rc;
	rc = compile(pattern, text, PATTERN_FLAGS | (ascii ? 0 : PCRE2_UCP),
		     err);
	free(text);
	return rc;
}

void pl_pattern_free(struct pl_pattern *pattern)
{
	if (!pattern)
		return;
	pcre2_match_data_free(pattern->match);
	pcre2_code_free(pattern->code);
	free(pattern);
}

int pl_pattern_search(const struct pl_pattern *pattern, const char *text,
		      size_t len)
{
	int rc = pcre2_match(pattern->code, (PCRE2_SPTR)text, len, 0,
			     PCRE2_NO_UTF_CHECK, pattern->match, NULL);

	/* 0: it matched, and the pairs of its groups did not fit. */
	if (rc >= 0)
		return 1;
	return rc == PCRE2_ERROR_NOMATCH ? 0 : PL_ERR_FULL;
}
