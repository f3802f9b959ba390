/* SPDX-License-Identifier: MIT */
/*
 * expressions: what is typed to the tools.  The first byte chooses:
 *
 *	r	a restriction (regular expression), NUL, a text to search in
 *	g	a condition of `diff --fail-if`
 *	m	the name of a metric
 */
#include <config.h>

#include "fuzz.h"

#include "../../tools/gate.h"
#include "../../tools/pattern.h"
#include "../../tools/pytext.h"

#include <stdlib.h>
#include <string.h>

static void search(const char *regex, const char *text)
{
	char *python = pl_pytext_from_bytes(regex);
	char *where = pl_pytext_from_bytes(text);
	struct pl_pattern *pattern;
	struct pl_error err;
	int rc;

	if (!python || !where)
		exit(1);
	if (!pl_pattern_new(&pattern, python, &err)) {
		rc = pl_pattern_search(pattern, where, strlen(where));
		if (rc != 0 && rc != 1 && rc != PL_ERR_FULL)
			fuzz_broken("a search has an outcome", NULL);
	}
	pl_pattern_free(pattern);
	free(python);
	free(where);
}

static void judge(const char *expression)
{
	static const struct pl_change changes[PL_N_METRICS] = {
		{ 1, 2, 1, 1, 2, 2, 10, false },
		{ 3, 3, 3, 3, 3, 3, 10, false },
		{ 0, 5, 0, 0, 5, 5, 10, false },
		{ 7, 0, 7, 8, 0, 7, 0, false },
	};
	struct pl_gate *gate;
	struct pl_error err;

	if (pl_gate_parse(&gate, expression, &err))
		return;
	pl_gate_holds(gate, changes);
	if ((unsigned int)pl_gate_metric(gate) >= PL_N_METRICS)
		fuzz_broken("a condition is about a metric", NULL);
	pl_gate_free(gate);
}

void fuzz_expressions(const uint8_t *data, size_t size)
{
	char *text;

	if (!size)
		return;
	/* Two NULs behind it: the text to search in may be missing. */
	text = calloc(1, size + 1);
	if (!text)
		exit(1);
	memcpy(text, data + 1, size - 1);
	if (*data == 'r')
		search(text, text + (strlen(text) + 1 < size ?
				     strlen(text) + 1 : size));
	else if (*data == 'g')
		judge(text);
	else if (*data == 'm')
		pl_metric_find(text, strlen(text));
	free(text);
}
