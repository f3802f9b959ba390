/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "sides.h"

#include "source.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static int no_memory(struct pl_error *err)
{
	return pl_fail(err, PL_ERR_NOMEM, "out of memory");
}

/* The colon behind the name of a file that is there, as labels may have colons,
 * too; the last one if there is none. */
static const char *find_colon(const char *operand)
{
	const char *colon = strchr(operand, ':');
	struct stat st;

	while (colon) {
		char *name = strndup(operand, (size_t)(colon - operand));
		bool found = name && !stat(name, &st) && S_ISREG(st.st_mode);

		free(name);
		if (found)
			return colon;
		colon = strchr(colon + 1, ':');
	}
	return strrchr(operand, ':');
}

int pl_side_split(const char *operand, char **db, const char **runs)
{
	const char *colon = find_colon(operand);
	struct stat st;

	*runs = NULL;
	/* A file's name, or that of its folder, may have a colon in it. */
	if (colon && stat(operand, &st)) {
		*db = strndup(operand, (size_t)(colon - operand));
		if (!*db)
			return PL_ERR_NOMEM;
		*runs = colon + 1;
		if (pl_source_is_db(*db))
			return 0;
		free(*db);
	}
	*db = NULL;
	*runs = operand;
	if (!pl_source_is_db(operand))
		return 0;
	*runs = NULL;
	*db = strdup(operand);
	return *db ? 0 : PL_ERR_NOMEM;
}

/* -------------------------------------------------------------- choosing -- */

static bool has_label(const struct pl_run *run, const char *label)
{
	return run->label && !strcmp(run->label, label);
}

static bool is_label(const struct pl_side *s, const char *label)
{
	for (size_t i = 0; i < s->n_all; i++)
		if (has_label(&s->all[i], label))
			return true;
	return false;
}

static int choose_label(struct pl_side *s, const char *label,
			struct pl_error *err)
{
	for (size_t i = 0; i < s->n_all; i++)
		if (has_label(&s->all[i], label))
			s->runs[s->n++] = &s->all[i];
	if (s->n)
		return 0;
	return pl_fail(err, PL_ERR_NOENT, "%s has no run that is labelled "
		       "\"%s\"", s->db, label);
}

static int choose_latest(struct pl_side *s, struct pl_error *err)
{
	const struct pl_run *latest;

	if (!s->n_all)
		return pl_fail(err, PL_ERR_NOENT, "%s has no runs yet", s->db);
	latest = &s->all[s->n_all - 1];
	if (latest->label)
		return choose_label(s, latest->label, err);
	s->runs[s->n++] = latest;
	return 0;
}

/* Each once, however often it is named. */
static size_t choose_range(struct pl_side *s, int64_t first, int64_t last)
{
	size_t n_found = 0;

	for (size_t i = 0; i < s->n_all; i++) {
		bool chosen = false;

		if (s->all[i].id < first || s->all[i].id > last)
			continue;
		n_found++;
		for (size_t k = 0; k < s->n; k++)
			chosen |= s->runs[k] == &s->all[i];
		if (!chosen)
			s->runs[s->n++] = &s->all[i];
	}
	return n_found;
}

/* "3", "3,5", "3-7,9"; -1 when it is no such thing. */
static int choose_numbers(struct pl_side *s, const char *text,
			  struct pl_error *err)
{
	const char *at = text;

	if (text[strspn(text, "0123456789,-")])
		return -1;
	while (*at) {
		const char *item = at;
		int64_t first, last;
		char *end;

		if (*at < '0' || *at > '9')
			return -1;
		first = last = strtoll(at, &end, 10);
		if (*end == '-') {
			at = end + 1;
			if (*at < '0' || *at > '9')
				return -1;
			last = strtoll(at, &end, 10);
		}
		if (!choose_range(s, first, last))
			return pl_fail(err, PL_ERR_NOENT, "%s has no run %.*s",
				       s->db, (int)(end - item), item);
		at = end + (*end == ',');
	}
	return s->n ? 0 : -1;
}

int pl_side_choose(struct pl_side *s, const char *runs, struct pl_error *err)
{
	int rc;

	s->runs = calloc(s->n_all + 1, sizeof(*s->runs));
	s->n = 0;
	if (!s->runs)
		return no_memory(err);
	if (!runs)
		return choose_latest(s, err);
	if (!strcmp(runs, "all")) {
		choose_range(s, INT64_MIN, INT64_MAX);
		return s->n ? 0 : choose_latest(s, err);
	}
	rc = choose_numbers(s, runs, err);
	if (!rc)
		return 0;
	/* A label may look like numbers: a date, say. */
	s->n = 0;
	if (rc != PL_ERR_NOENT || is_label(s, runs))
		return choose_label(s, runs, err);
	return rc;
}

/* --------------------------------------------------------------- opening -- */

static int open_db(struct pl_side *s, const struct pl_cmd *cmd, const char *db)
{
	struct pl_source source = { .db = db };
	struct pl_error err;
	int rc;

	s->db = strdup(db ? db : PL_STORE_DEFAULT_DB);
	if (!s->db)
		return pl_complain(cmd, PL_EXIT_FAILED, "out of memory");
	rc = pl_source_open(&source, cmd, &s->store);
	if (rc)
		return rc;
	rc = pl_store_runs(s->store, &s->all, &s->n_all, &err);
	return rc ? pl_complain(cmd, PL_EXIT_FAILED, "%s", err.text)
		  : PL_GO_ON;
}

static int finish(const struct pl_cmd *cmd, int rc, const struct pl_error *err)
{
	return rc ? pl_complain(cmd, PL_EXIT_FAILED, "%s", err->text)
		  : PL_GO_ON;
}

int pl_side_open(struct pl_side *s, const struct pl_cmd *cmd, const char *db,
		 const char *runs)
{
	int status = open_db(s, cmd, db);
	struct pl_error err;

	return status != PL_GO_ON ? status :
	       finish(cmd, pl_side_choose(s, runs, &err), &err);
}

int pl_side_open_label(struct pl_side *s, const struct pl_cmd *cmd,
		       const char *db, const char *label)
{
	int status = open_db(s, cmd, db);
	struct pl_error err;

	if (status != PL_GO_ON)
		return status;
	s->runs = calloc(s->n_all + 1, sizeof(*s->runs));
	return finish(cmd, s->runs ? choose_label(s, label, &err)
				   : no_memory(&err), &err);
}

int pl_side_open_recent(struct pl_side *s, const struct pl_cmd *cmd,
			const char *db, size_t back)
{
	int status = open_db(s, cmd, db);
	struct pl_error err;

	if (status != PL_GO_ON)
		return status;
	s->runs = calloc(s->n_all + 1, sizeof(*s->runs));
	if (!s->runs)
		return finish(cmd, no_memory(&err), &err);
	if (back >= s->n_all)
		return pl_complain(cmd, PL_EXIT_FAILED, "%s has %zu run%s: "
				   "there is nothing to compare with", s->db,
				   s->n_all, s->n_all == 1 ? "" : "s");
	s->runs[s->n++] = &s->all[s->n_all - 1 - back];
	return PL_GO_ON;
}

void pl_side_release(struct pl_side *s)
{
	pl_store_close(s->store);
	pl_runs_free(s->all, s->n_all);
	free(s->runs);
	free(s->db);
	memset(s, 0, sizeof(*s));
}
