/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "sort.h"

#include <stdbool.h>
#include <string.h>

#define ONE(field, direction) { { field, direction } }, 1

const struct pl_sort_key pl_sort_keys[] = {
	{ "calls", "call count", ONE(PL_SORT_NC, -1), "0" },
	{ "ncalls", "call count", ONE(PL_SORT_NC, -1), NULL },
	{ "cumtime", "cumulative time", ONE(PL_SORT_CT, -1), NULL },
	{ "cumulative", "cumulative time", ONE(PL_SORT_CT, -1), "2" },
	{ "filename", "file name", ONE(PL_SORT_FILE, 1), NULL },
	{ "line", "line number", ONE(PL_SORT_LINE, 1), NULL },
	{ "module", "file name", ONE(PL_SORT_FILE, 1), NULL },
	{ "name", "function name", ONE(PL_SORT_NAME, 1), NULL },
	{ "nfl", "name/file/line",
	  { { PL_SORT_NAME, 1 }, { PL_SORT_FILE, 1 }, { PL_SORT_LINE, 1 } }, 3,
	  NULL },
	{ "pcalls", "primitive call count", ONE(PL_SORT_CC, -1), NULL },
	{ "stdname", "standard name", ONE(PL_SORT_STDNAME, 1), "-1" },
	{ "time", "internal time", ONE(PL_SORT_TT, -1), "1" },
	{ "tottime", "internal time", ONE(PL_SORT_TT, -1), NULL },
};

const size_t pl_n_sort_keys = sizeof(pl_sort_keys) / sizeof(*pl_sort_keys);

static size_t common_prefix(const char *a, const char *b)
{
	size_t n = 0;

	while (a[n] && a[n] == b[n])
		n++;
	return n;
}

/*
 * pstats cuts letters off each name in turn until what is left was met before,
 * and strikes that one out.  So ambiguous is what is the longest beginning that
 * a name shares with an earlier one, and nothing shorter: "c" and "cum" are,
 * "cu" is "cumtime".
 */
static bool is_struck_out(const char *word)
{
	size_t len = strlen(word);

	for (size_t i = 1; i < pl_n_sort_keys; i++) {
		size_t longest = 0;

		for (size_t k = 0; k < i; k++) {
			size_t n = common_prefix(pl_sort_keys[i].name,
						 pl_sort_keys[k].name);

			longest = n > longest ? n : longest;
		}
		if (longest == len && !strncmp(pl_sort_keys[i].name, word, len))
			return true;
	}
	return false;
}

static const struct pl_sort_key *find(const char *word)
{
	size_t len = strlen(word);

	if (!len)
		return NULL;
	for (size_t i = 0; i < pl_n_sort_keys; i++) {
		const struct pl_sort_key *key = &pl_sort_keys[i];

		if (!strncmp(key->name, word, len) ||
		    (key->number && !strcmp(key->number, word)))
			return key;
	}
	return NULL;
}

const struct pl_sort_key *pl_sort_key_find(const char *word,
					   struct pl_error *err)
{
	const struct pl_sort_key *key = find(word);
	char names[200] = "";

	if (key && !is_struck_out(word))
		return key;
	for (size_t i = 0; i < pl_n_sort_keys; i++) {
		strcat(names, i ? ", " : "");
		strcat(names, pl_sort_keys[i].name);
	}
	pl_fail(err, PL_ERR_ARG, "%s sort key \"%s\": want one of %s",
		key ? "ambiguous" : "unknown", word, names);
	return NULL;
}
