/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "core/options.h"

#include "core/clock.h"
#include "core/uuid.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PL_OPTION(key_, type_, field_, default_, help_)                        \
	{ key_, type_, offsetof(struct pl_options, field_),                    \
	  sizeof(((struct pl_options *)0)->field_), default_, help_ },
const struct pl_option_row pl_option_rows[] = {
#include "core/options.def"
};
#undef PL_OPTION

const size_t pl_n_option_rows =
	sizeof(pl_option_rows) / sizeof(*pl_option_rows);

static const struct pl_option_row *find_row(const char *key)
{
	for (size_t i = 0; i < pl_n_option_rows; i++)
		if (!strcmp(pl_option_rows[i].key, key))
			return &pl_option_rows[i];
	return NULL;
}

static bool parse_flag(const char *s, bool *out)
{
	static const char *const yes[] = { "yes", "on", "true", "1" };
	static const char *const no[] = { "no", "off", "false", "0" };

	for (size_t i = 0; i < sizeof(yes) / sizeof(*yes); i++) {
		if (!strcmp(s, yes[i]))
			return *out = true, true;
		if (!strcmp(s, no[i]))
			return *out = false, true;
	}
	return false;
}

static bool parse_count(const char *s, uint32_t *out)
{
	unsigned long long v;
	char *end;

	if (*s < '0' || *s > '9')
		return false;
	errno = 0;
	v = strtoull(s, &end, 10);
	if (*end || errno || v > UINT32_MAX)
		return false;
	*out = (uint32_t)v;
	return true;
}

static int set_row(struct pl_options *o, const struct pl_option_row *row,
		   const char *value, struct pl_error *err)
{
	void *field = (char *)o + row->offset;
	size_t len = strlen(value);

	switch (row->type) {
	case PL_OPTION_PATH:
		if (!len)
			return pl_fail(err, PL_ERR_ARG,
				       "%s= wants a file name", row->key);
		/* fall through */
	case PL_OPTION_TEXT:
		if (len >= row->size)
			return pl_fail(err, PL_ERR_ARG,
				       "%s= is too long (%zu bytes, at most %zu)",
				       row->key, len, row->size - 1);
		memcpy(field, value, len + 1);
		return 0;
	case PL_OPTION_FLAG:
		if (parse_flag(value, field))
			return 0;
		return pl_fail(err, PL_ERR_ARG, "%s=%s: want yes or no",
			       row->key, value);
	case PL_OPTION_COUNT:
		if (parse_count(value, field))
			return 0;
		return pl_fail(err, PL_ERR_ARG,
			       "%s=%s: want a whole number from 0 to %u",
			       row->key, value, UINT32_MAX);
	case PL_OPTION_CLOCK:
		if (pl_clock_parse(value, field))
			return 0;
		return pl_fail(err, PL_ERR_ARG,
			       "%s=%s: want wall, cpu or step", row->key, value);
	case PL_OPTION_ID:
		if (!len) {
			memset(field, 0, row->size);
			return 0;
		}
		if (len == 32 && pl_uuid_parse(value, field))
			return 0;
		return pl_fail(err, PL_ERR_ARG,
			       "%s=%s: want 32 hexadecimal digits", row->key,
			       value);
	}
	return PL_ERR_ARG;
}

void pl_options_init(struct pl_options *o)
{
	memset(o, 0, sizeof(*o));
	for (size_t i = 0; i < pl_n_option_rows; i++)
		if (pl_option_rows[i].type != PL_OPTION_PATH ||
		    *pl_option_rows[i].fallback)
			set_row(o, &pl_option_rows[i],
				pl_option_rows[i].fallback, NULL);
}

int pl_options_set(struct pl_options *o, const char *key, const char *value,
		   struct pl_error *err)
{
	const struct pl_option_row *row = find_row(key);
	char known[256] = "";

	if (row)
		return set_row(o, row, value, err);
	for (size_t i = 0; i < pl_n_option_rows; i++) {
		strncat(known, i ? ", " : "", sizeof(known) - strlen(known) - 1);
		strncat(known, pl_option_rows[i].key,
			sizeof(known) - strlen(known) - 1);
	}
	return pl_fail(err, PL_ERR_ARG, "no option \"%s\": want one of %s", key,
		       known);
}

/* A link to nowhere: SQLite would fail at the end of the run, and a link to a
 * file that does not exist yet may be somebody else's trap. */
static int check_link(const char *path, struct pl_error *err)
{
	char target[PATH_MAX];
	struct stat st;
	ssize_t n;

	if (!stat(path, &st) || lstat(path, &st) || !S_ISLNK(st.st_mode))
		return 0;
	n = readlink(path, target, sizeof(target) - 1);
	target[n < 0 ? 0 : n] = '\0';
	return pl_fail(err, PL_ERR_ARG, "%s is a symbolic link to %s, which "
		       "cannot be opened: name the database itself, or remove "
		       "the link", path, target);
}

int pl_options_check_database(const char *path, struct pl_error *err)
{
	const char *slash = strrchr(path, '/');
	size_t len = strlen(slash ? slash + 1 : path);

	if (len > PL_DATABASE_NAME_MAX)
		return pl_fail(err, PL_ERR_ARG, "the name of the database is "
			       "too long (%zu bytes, at most %d): %s", len,
			       PL_DATABASE_NAME_MAX, slash ? slash + 1 : path);
	if (strlen(path) + (NAME_MAX - PL_DATABASE_NAME_MAX) >= PATH_MAX)
		return pl_fail(err, PL_ERR_ARG, "the path of the database is "
			       "too long (%zu bytes, at most %d)", strlen(path),
			       PATH_MAX - 1 - (NAME_MAX - PL_DATABASE_NAME_MAX));
	return check_link(path, err);
}

/* Take one item, "key=value", up to an unescaped comma; undo the escapes. */
static const char *next_item(const char *text, char *item, size_t size)
{
	size_t n = 0;

	while (*text && *text != ',') {
		if (*text == '\\' && text[1])
			text++;
		if (n + 1 < size)
			item[n++] = *text;
		text++;
	}
	item[n] = '\0';
	return *text ? text + 1 : text;
}

int pl_options_parse(struct pl_options *o, const char *text,
		     struct pl_error *err)
{
	char item[sizeof(o->out) + 64];

	while (*text) {
		char *value;
		int rc;

		text = next_item(text, item, sizeof(item));
		if (!*item)
			continue;
		value = strchr(item, '=');
		if (value)
			*value++ = '\0';
		rc = pl_options_set(o, item, value ? value : "yes", err);
		if (rc)
			return rc;
	}
	return 0;
}

/* ------------------------------------------------------------------------ */

struct sink {
	char *buf;
	size_t size, len;
};

static void put(struct sink *s, char c)
{
	if (s->len + 1 < s->size)
		s->buf[s->len] = c;
	s->len++;
}

static void put_escaped(struct sink *s, const char *text)
{
	for (; *text; text++) {
		if (*text == ',' || *text == '\\')
			put(s, '\\');
		put(s, *text);
	}
}

static void value_text(const struct pl_options *o,
		       const struct pl_option_row *row, char *buf, size_t size)
{
	const void *field = (const char *)o + row->offset;
	char digits[16];
	uint32_t v;
	int i = 15;

	buf[0] = '\0';
	switch (row->type) {
	case PL_OPTION_PATH:
	case PL_OPTION_TEXT:
		strncpy(buf, field, size - 1);
		buf[size - 1] = '\0';
		break;
	case PL_OPTION_FLAG:
		strcpy(buf, *(const bool *)field ? "yes" : "no");
		break;
	case PL_OPTION_CLOCK:
		strcpy(buf, pl_clock_name(*(const enum pl_clock_kind *)field));
		break;
	case PL_OPTION_COUNT:
		/* No stdio: this runs in the profiled process, in odd places. */
		v = *(const uint32_t *)field;
		digits[i] = '\0';
		do
			digits[--i] = (char)('0' + v % 10);
		while (v /= 10);
		strcpy(buf, digits + i);
		break;
	case PL_OPTION_ID:
		if (!pl_uuid_is_zero(field))
			pl_uuid_format(field, buf);
		break;
	}
}

size_t pl_options_format(const struct pl_options *o, char *buf, size_t size)
{
	struct sink s = { buf, size, 0 };
	char value[sizeof(o->out)];

	for (size_t i = 0; i < pl_n_option_rows; i++) {
		const struct pl_option_row *row = &pl_option_rows[i];

		value_text(o, row, value, sizeof(value));
		if (!strcmp(value, row->fallback))
			continue;
		if (s.len)
			put(&s, ',');
		put_escaped(&s, row->key);
		put(&s, '=');
		put_escaped(&s, value);
	}
	if (size)
		s.buf[s.len < size ? s.len : size - 1] = '\0';
	return s.len;
}
