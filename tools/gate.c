/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "gate.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

const struct pl_metric pl_metrics[PL_N_METRICS] = {
	[PL_NCALLS] = { "ncalls", "calls", false },
	[PL_PRIMCALLS] = { "primcalls", "pcalls", false },
	[PL_TOTTIME] = { "tottime", "time", true },
	[PL_CUMTIME] = { "cumtime", "cumulative", true },
};

/* Expressions are typed by hand. */
#define MOST_TERMS 64

enum operator { GREATER, GREATER_EQUAL, LESS, LESS_EQUAL, EQUAL, NOT_EQUAL };

/* The longer ones first. */
static const struct {
	const char *text;
	enum operator operator;
} operators[] = {
	{ ">=", GREATER_EQUAL }, { "<=", LESS_EQUAL }, { "==", EQUAL },
	{ "!=", NOT_EQUAL },	 { ">", GREATER },     { "<", LESS },
};

enum measure { VALUE, CHANGE, SHARE, CHANGE_SHARE };

/* By the unit as it is written. */
static const struct unit {
	const char *text;
	bool is_time, is_share;
	double factor;
} units[] = {
	{ "%", false, true, 0.01 },    { "ns", true, false, 1 },
	{ "us", true, false, 1e3 },    { "µs", true, false, 1e3 },
	{ "ms", true, false, 1e6 },    { "s", true, false, 1e9 },
	{ "", false, false, 1 },
};

struct term {
	enum pl_metric_id metric;
	enum operator operator;
	enum measure measure;
	double number;
	bool is_last;			/* of its clause */
};

struct pl_gate {
	char *text;
	struct term terms[MOST_TERMS];
	size_t n;
};

int pl_metric_find(const char *name, size_t len)
{
	for (int i = 0; i < PL_N_METRICS; i++) {
		const struct pl_metric *m = &pl_metrics[i];

		if ((strlen(m->name) == len && !memcmp(m->name, name, len)) ||
		    (strlen(m->alias) == len && !memcmp(m->alias, name, len)))
			return i;
	}
	return -1;
}

/* --------------------------------------------------------------- parsing -- */

struct parser {
	struct pl_gate *gate;
	const char *at;
	struct pl_error *err;
};

static const char *skip_blanks(const char *s)
{
	return s + strspn(s, " \t\r\n");
}

static size_t word_length(const char *s)
{
	size_t n = 0;

	while (isalpha((unsigned char)s[n]) || s[n] == '_')
		n++;
	return n;
}

/* "...: want WHAT, not "the rest"" */
static int fail(struct parser *p, const char *want)
{
	if (!*p->at)
		return pl_fail(p->err, PL_ERR_ARG, "\"%s\": want %s at the end",
			       p->gate->text, want);
	return pl_fail(p->err, PL_ERR_ARG, "\"%s\": want %s where \"%.30s\" "
		       "begins", p->gate->text, want, p->at);
}

static int parse_metric(struct parser *p, struct term *t)
{
	size_t n = word_length(p->at);
	int metric = pl_metric_find(p->at, n);

	if (!n && p->gate->n) {
		t->metric = t[-1].metric;
		return 0;
	}
	if (metric < 0)
		return fail(p, "ncalls, primcalls, tottime or cumtime");
	t->metric = metric;
	p->at = skip_blanks(p->at + n);
	return 0;
}

static int parse_operator(struct parser *p, struct term *t)
{
	for (size_t i = 0; i < sizeof(operators) / sizeof(*operators); i++) {
		size_t n = strlen(operators[i].text);

		if (strncmp(p->at, operators[i].text, n))
			continue;
		t->operator = operators[i].operator;
		p->at = skip_blanks(p->at + n);
		return 0;
	}
	return fail(p, "one of > >= < <= == !=");
}

/* Digits and a point; strtod alone would take "inf", "nan" and "0x1p4". */
static size_t number_length(const char *s)
{
	size_t n = strspn(s, "0123456789");

	if (s[n] == '.')
		n += 1 + strspn(s + n + 1, "0123456789");
	return n == 1 && *s == '.' ? 0 : n;
}

static const struct unit *find_unit(const char *s, size_t n)
{
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++)
		if (strlen(units[i].text) == n && !memcmp(units[i].text, s, n))
			return &units[i];
	return NULL;
}

static int parse_unit(struct parser *p, struct term *t, bool is_change)
{
	bool is_time = pl_metrics[t->metric].is_time;
	size_t n = *p->at == '%' ? 1 : strcspn(p->at, " \t\r\n<>=!");
	const struct unit *unit = find_unit(p->at, n);

	if (!unit || (!unit->is_share && unit->is_time != is_time))
		return fail(p, is_time ? "a unit, one of % ns us ms s,"
				       : "% or nothing, for a number of calls,");
	p->at += n;
	t->number *= unit->factor;
	t->measure = is_change ? (unit->is_share ? CHANGE_SHARE : CHANGE)
			       : (unit->is_share ? SHARE : VALUE);
	return 0;
}

static int parse_number(struct parser *p, struct term *t)
{
	bool is_change = *p->at == '+' || *p->at == '-';
	bool negative = *p->at == '-';
	const char *digits = p->at + is_change;
	size_t n = number_length(digits);
	char copy[64];

	if (!n || n >= sizeof(copy))
		return fail(p, "a number, such as +10% or 5ms,");
	memcpy(copy, digits, n);
	copy[n] = '\0';
	t->number = strtod(copy, NULL) * (negative ? -1 : 1);
	p->at = digits + n;
	return parse_unit(p, t, is_change);
}

static int parse_term(struct parser *p)
{
	struct term *t = &p->gate->terms[p->gate->n];
	int rc;

	if (p->gate->n == MOST_TERMS)
		return pl_fail(p->err, PL_ERR_ARG, "more than %d conditions "
			       "in one expression", MOST_TERMS);
	*t = (struct term){ .is_last = true };
	p->at = skip_blanks(p->at);
	rc = parse_metric(p, t);
	if (!rc)
		rc = parse_operator(p, t);
	if (!rc)
		rc = parse_number(p, t);
	p->gate->n++;
	p->at = skip_blanks(p->at);
	return rc;
}

static int parse(struct parser *p)
{
	int rc = parse_term(p);

	while (!rc && *p->at) {
		size_t n = word_length(p->at);
		bool and = n == 3 && !memcmp(p->at, "and", 3);

		if (!and && !(n == 2 && !memcmp(p->at, "or", 2)))
			return fail(p, "\"and\" or \"or\"");
		p->gate->terms[p->gate->n - 1].is_last = !and;
		p->at += n;
		rc = parse_term(p);
	}
	return rc;
}

int pl_gate_parse(struct pl_gate **gate, const char *text, struct pl_error *err)
{
	struct parser p = { .gate = calloc(1, sizeof(*p.gate)), .err = err };
	int rc;

	*gate = NULL;
	if (!p.gate || !(p.gate->text = strdup(text))) {
		free(p.gate);
		return pl_fail(err, PL_ERR_NOMEM, "out of memory");
	}
	/* It may come back in a sentence, which is one line. */
	for (char *c = p.gate->text; *c; c++)
		if (iscntrl((unsigned char)*c))
			*c = ' ';
	p.at = p.gate->text;
	rc = parse(&p);
	if (rc)
		pl_gate_free(p.gate);
	else
		*gate = p.gate;
	return rc;
}

void pl_gate_free(struct pl_gate *gate)
{
	if (!gate)
		return;
	free(gate->text);
	free(gate);
}

const char *pl_gate_text(const struct pl_gate *gate)
{
	return gate->text;
}

enum pl_metric_id pl_gate_metric(const struct pl_gate *gate)
{
	return gate->terms[0].metric;
}

bool pl_gate_has_times(const struct pl_gate *gate)
{
	for (size_t i = 0; i < gate->n; i++)
		if (pl_metrics[gate->terms[i].metric].is_time)
			return true;
	return false;
}

/* --------------------------------------------------------------- judging -- */

bool pl_change_is_noise(const struct pl_change *c)
{
	bool single = c->a_low == c->a_high && c->b_low == c->b_high;

	return !single && c->a_low <= c->b_high && c->b_low <= c->a_high;
}

static double measure(const struct term *t, const struct pl_change *c)
{
	double change = c->b - c->a;

	switch (t->measure) {
	case VALUE:
		return c->b;
	case CHANGE:
		return change;
	case SHARE:
		return c->all > 0 ? c->b / c->all : 0;
	case CHANGE_SHARE:
		break;
	}
	if (c->a > 0)
		return change / c->a;
	return change > 0 ? INFINITY : change < 0 ? -INFINITY : 0;
}

static bool term_holds(const struct term *t, const struct pl_change *c)
{
	double value = measure(t, c);

	if ((t->measure == CHANGE || t->measure == CHANGE_SHARE) &&
	    pl_change_is_noise(c))
		return false;
	if (t->measure == SHARE && c->is_all)
		return false;
	switch (t->operator) {
	case GREATER:
		return value > t->number;
	case GREATER_EQUAL:
		return value >= t->number;
	case LESS:
		return value < t->number;
	case LESS_EQUAL:
		return value <= t->number;
	case EQUAL:
		return value == t->number;
	case NOT_EQUAL:
		return value != t->number;
	}
	return false;
}

bool pl_gate_holds(const struct pl_gate *gate, const struct pl_change *changes)
{
	bool clause = true;

	for (size_t i = 0; i < gate->n; i++) {
		const struct term *t = &gate->terms[i];

		clause = clause && term_holds(t, &changes[t->metric]);
		if (!t->is_last)
			continue;
		if (clause)
			return true;
		clause = true;
	}
	return false;
}
