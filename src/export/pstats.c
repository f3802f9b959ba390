/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "export/pstats.h"

#include "base/hash.h"
#include "base/text.h"
#include "export/exporter.h"
#include "export/labels.h"
#include "export/marshal.h"
#include "export/stats.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------ writing -- */

struct writer {
	FILE *f;
	const struct pl_stats *stats;
	uint32_t *refs;			/* of a label's tuple + 1; 0: not yet */
	uint32_t n_refs;
};

/* A label stands once as a key and once for each function it calls, so its
 * tuple is written once and referred to from then on. */
static void put_label(struct writer *w, uint32_t i)
{
	const struct pl_label *label = &w->stats->stats[i].label;

	if (w->refs[i]) {
		pl_marshal_put_ref(w->f, w->refs[i] - 1);
		return;
	}
	w->refs[i] = ++w->n_refs;
	pl_marshal_put_tuple(w->f, 3, 1);
	pl_marshal_put_str(w->f, label->file);
	pl_marshal_put_int(w->f, label->line);
	pl_marshal_put_str(w->f, label->name);
}

static void put_caller(struct writer *w, const struct pl_stat_caller *c)
{
	struct pl_stat_figures f = pl_stat_caller_figures(w->stats, c->figures);

	put_label(w, c->caller);
	pl_marshal_put_tuple(w->f, 4, 0);
	pl_marshal_put_int(w->f, (int64_t)f.nc);
	pl_marshal_put_int(w->f, (int64_t)f.cc);
	pl_marshal_put_float(w->f, f.tt);
	pl_marshal_put_float(w->f, f.ct);
}

static void put_stat(struct writer *w, uint32_t i)
{
	const struct pl_stat *s = &w->stats->stats[i];
	struct pl_stat_figures f = pl_stat_figures_of(w->stats, s);

	put_label(w, i);
	pl_marshal_put_tuple(w->f, 5, 0);
	pl_marshal_put_int(w->f, (int64_t)f.cc);
	pl_marshal_put_int(w->f, (int64_t)f.nc);
	pl_marshal_put_float(w->f, f.tt);
	pl_marshal_put_float(w->f, f.ct);
	pl_marshal_put_dict(w->f);
	for (uint32_t k = 0; k < s->n_callers; k++)
		put_caller(w, &w->stats->callers[s->first_caller + k]);
	pl_marshal_put_end(w->f);
}

int pl_pstats_write(const struct pl_profile *profile, FILE *out,
		    struct pl_error *err)
{
	struct pl_stats stats;
	struct writer w = { .f = out, .stats = &stats };
	int rc = pl_stats_init(&stats, profile, err);

	if (rc)
		return rc;
	w.refs = calloc((size_t)stats.n + 1, sizeof(*w.refs));
	if (!w.refs) {
		rc = pl_fail(err, PL_ERR_NOMEM, "out of memory");
	} else {
		pl_marshal_put_dict(out);
		for (uint32_t i = 0; i < stats.n_items; i++)
			put_stat(&w, i);
		pl_marshal_put_end(out);
	}
	free(w.refs);
	pl_stats_release(&stats);
	return rc;
}

static int write_selected(struct pl_store *store, const struct pl_select *sel,
			  const struct pl_export_options *options, FILE *out,
			  struct pl_error *err)
{
	struct pl_profile profile;
	int rc = pl_store_load(store, sel, true, &profile, err);

	(void)options;
	if (rc)
		return rc;
	rc = pl_pstats_write(&profile, out, err);
	pl_profile_release(&profile);
	return rc;
}

const struct pl_exporter pl_export_pstats = {
	.name = "pstats",
	.suffix = ".prof",
	.summary = "what cProfile dumps: for pstats, snakeviz, ...",
	.is_binary = true,
	.write = write_selected,
};

/* ------------------------------------------------------------ reading -- */

/*
 * Functions are numbered by their labels, and `funcs` is indexed by that
 * number; label i owns its text.  Pairs are found by a table of their own.
 */
struct pl_pstats_reader {
	struct pl_profile profile;
	struct pl_labels labels;
	uint32_t funcs_capacity, edges_capacity;
	uint32_t *edge_slots;		/* index + 1, 0 = empty */
	uint32_t n_edge_slots;		/* a power of two */
	char *text;			/* a label, while it is looked up */
	size_t text_size;
	uint64_t bytes;			/* of all files: bounds the pairs */
};

static const char no_memory[] = "out of memory";
static const char not_a_profile[] = "not a profile that cProfile writes";

int pl_pstats_reader_new(struct pl_pstats_reader **reader,
			 struct pl_error *err)
{
	*reader = calloc(1, sizeof(**reader));
	return *reader ? 0 : pl_fail(err, PL_ERR_NOMEM, no_memory);
}

void pl_pstats_reader_free(struct pl_pstats_reader *rd)
{
	if (!rd)
		return;
	for (uint32_t i = 0; i < rd->labels.n; i++)
		free((char *)rd->labels.labels[i].file);
	pl_labels_release(&rd->labels);
	free(rd->profile.funcs);
	free(rd->profile.edges);
	free(rd->edge_slots);
	free(rd->text);
	free(rd);
}

const struct pl_profile *pl_pstats_reader_profile(struct pl_pstats_reader *rd)
{
	return &rd->profile;
}

/* Room for @n items of @size, at least doubling. */
static int reserve(void **array, uint32_t *capacity, uint32_t n, size_t size,
		   struct pl_error *err)
{
	uint32_t want = *capacity ? *capacity : 256;
	void *p;

	if (n <= *capacity)
		return 0;
	while (want < n && want <= UINT32_MAX / 2)
		want *= 2;
	p = want < n ? NULL : realloc(*array, want * size);
	if (!p)
		return pl_fail(err, PL_ERR_NOMEM, no_memory);
	*array = p;
	*capacity = want;
	return 0;
}

/* A name of a label as it goes into rd->text, or with @to NULL its length.
 * `profile` names the code that it ran by the code object, whose repr() pstats
 * shows; its address means nothing in a file. */
static size_t put_name(const struct pl_marshal *m, const struct pl_mvalue *name,
		       char *to)
{
	const struct pl_mvalue *file, *line, *bare;
	const char *text = (const char *)m->data + name->u.text.offset;
	char number[16];
	size_t n;

	if (name->type == PL_M_STR) {
		if (to)
			pl_text_escape_nul(to, text, name->u.text.len);
		return pl_text_escaped_length(text, name->u.text.len);
	}
	file = pl_marshal_first(m, name);
	line = pl_marshal_next(m, file);
	bare = pl_marshal_next(m, line);
	snprintf(number, sizeof(number), "%" PRId64, line->u.i);
	n = strlen("<code object , file \"\", line >") + strlen(number) +
	    put_name(m, file, NULL) + put_name(m, bare, NULL);
	if (to) {
		to = stpcpy(to, "<code object ");
		to += put_name(m, bare, to);
		to = stpcpy(to, ", file \"");
		to += put_name(m, file, to);
		sprintf(to, "\", line %s>", number);
	}
	return n;
}

static bool is_name(const struct pl_marshal *m, const struct pl_mvalue *v)
{
	const struct pl_mvalue *file, *name;

	if (v->type != PL_M_CODE)
		return v->type == PL_M_STR;
	file = pl_marshal_first(m, v);
	name = pl_marshal_next(m, pl_marshal_next(m, file));
	return file->type == PL_M_STR && name->type == PL_M_STR;
}

/* The key, "file\0name\0", in rd->text; *@name points into it. */
static int copy_label(struct pl_pstats_reader *rd, const struct pl_marshal *m,
		      const struct pl_mvalue *file,
		      const struct pl_mvalue *name, struct pl_label *label,
		      struct pl_error *err)
{
	size_t n_file = put_name(m, file, NULL);
	size_t size = n_file + put_name(m, name, NULL) + 2;

	if (size > rd->text_size) {
		char *text = realloc(rd->text, size * 2);

		if (!text)
			return pl_fail(err, PL_ERR_NOMEM, no_memory);
		rd->text = text;
		rd->text_size = size * 2;
	}
	put_name(m, file, rd->text);
	put_name(m, name, rd->text + n_file + 1);
	label->file = rd->text;
	label->name = rd->text + n_file + 1;
	return 0;
}

/* A label seen for the first time: own its text, and give it a row. */
static int adopt_label(struct pl_pstats_reader *rd, uint32_t number,
		       struct pl_error *err)
{
	struct pl_label *label = &rd->labels.labels[number];
	size_t size = (size_t)(label->name - label->file) +
		      strlen(label->name) + 1;
	struct pl_pfunc *f;
	char *own;
	int rc;

	own = malloc(size);
	if (own)
		memcpy(own, label->file, size);
	label->name = own ? own + (label->name - label->file) : NULL;
	label->file = own;
	if (!own)
		return pl_fail(err, PL_ERR_NOMEM, no_memory);
	rc = reserve((void **)&rd->profile.funcs, &rd->funcs_capacity,
		     number + 1, sizeof(*rd->profile.funcs), err);
	if (rc)
		return rc;
	f = &rd->profile.funcs[number];
	memset(f, 0, sizeof(*f));
	f->file = label->file;
	f->name = label->name;
	f->line = label->line;
	f->f.min_ns = -1;		/* not known */
	f->only_calls = true;		/* until its row comes */
	f->kind = !f->line && !strcmp(f->file, "~") ? PL_FUNC_C
						     : PL_FUNC_PYTHON;
	rd->profile.n_funcs = number + 1;
	return 0;
}

/* The function that the tuple @key names. */
static int find_func(struct pl_pstats_reader *rd, const struct pl_marshal *m,
		     const struct pl_mvalue *key, uint32_t *number,
		     struct pl_error *err)
{
	const struct pl_mvalue *file, *line, *name;
	struct pl_label label;
	uint32_t known = rd->labels.n;
	int rc;

	if (key->type != PL_M_TUPLE || key->u.items.n != 3)
		return pl_fail(err, PL_ERR_FORMAT, not_a_profile);
	file = pl_marshal_first(m, key);
	line = pl_marshal_next(m, file);
	name = pl_marshal_next(m, line);
	if (file->type != PL_M_STR || !is_name(m, name) || line->type != PL_M_INT || line->u.i < INT32_MIN ||
	    line->u.i > INT32_MAX)
		return pl_fail(err, PL_ERR_FORMAT, not_a_profile);
	label.line = (int)line->u.i;
	rc = copy_label(rd, m, file, name, &label, err);
	if (!rc)
		rc = pl_labels_add(&rd->labels, label, number, err);
	if (!rc && *number == known)
		rc = adopt_label(rd, *number, err);
	return rc;
}

static uint32_t *edge_slot(const struct pl_pstats_reader *rd, uint32_t caller,
			   uint32_t callee)
{
	uint32_t mask = rd->n_edge_slots - 1;
	uint32_t i = pl_hash_u64((uint64_t)caller << 32 | callee) & mask;

	for (; rd->edge_slots[i]; i = (i + 1) & mask) {
		const struct pl_pedge *e =
			&rd->profile.edges[rd->edge_slots[i] - 1];

		if (e->caller == caller && e->callee == callee)
			break;
	}
	return &rd->edge_slots[i];
}

static int grow_edge_slots(struct pl_pstats_reader *rd, struct pl_error *err)
{
	uint32_t n = rd->n_edge_slots ? rd->n_edge_slots * 2 : 512;
	uint32_t *slots = n ? calloc(n, sizeof(*slots)) : NULL;

	if (!slots)
		return pl_fail(err, PL_ERR_NOMEM, no_memory);
	free(rd->edge_slots);
	rd->edge_slots = slots;
	rd->n_edge_slots = n;
	for (uint32_t i = 0; i < rd->profile.n_edges; i++) {
		const struct pl_pedge *e = &rd->profile.edges[i];

		*edge_slot(rd, e->caller, e->callee) = i + 1;
	}
	return 0;
}

static int find_edge(struct pl_pstats_reader *rd, uint32_t caller,
		     uint32_t callee, struct pl_pedge **edge,
		     struct pl_error *err)
{
	struct pl_profile *p = &rd->profile;
	uint32_t *slot;
	int rc;

	rc = reserve((void **)&p->edges, &rd->edges_capacity, p->n_edges + 1,
		     sizeof(*p->edges), err);
	if (!rc && p->n_edges >= rd->n_edge_slots / 2)
		rc = grow_edge_slots(rd, err);
	if (rc)
		return rc;
	slot = edge_slot(rd, caller, callee);
	if (!*slot) {
		/* A dictionary of callers may be referred to again and again:
		 * a small file could make any number of pairs. */
		if (p->n_edges >= rd->bytes)
			return pl_fail(err, PL_ERR_FORMAT, not_a_profile);
		memset(&p->edges[p->n_edges], 0, sizeof(*p->edges));
		p->edges[p->n_edges].caller = caller;
		p->edges[p->n_edges].callee = callee;
		p->edges[p->n_edges].f.min_ns = -1;
		*slot = ++p->n_edges;
	}
	*edge = &p->edges[*slot - 1];
	return 0;
}

/* A sampling profiler that has no number of calls writes -1: then 0 is added,
 * and *@kind says so. */
static int add_count(uint64_t *sum, const struct pl_mvalue *v,
		     enum pl_pstats_kind *kind, struct pl_error *err)
{
	if (v->type == PL_M_INT && v->u.i == -1) {
		*kind = PL_PSTATS_UNCOUNTED;
		return 0;
	}
	if (v->type != PL_M_INT || v->u.i < 0)
		return pl_fail(err, PL_ERR_FORMAT,
			       "an invalid number of calls");
	if (*sum + (uint64_t)v->u.i > INT64_MAX)
		return pl_fail(err, PL_ERR_FORMAT, "more calls than we count");
	*sum += (uint64_t)v->u.i;
	return 0;
}

static int add_seconds(int64_t *sum, const struct pl_mvalue *v,
		       struct pl_error *err)
{
	double s = v->type == PL_M_FLOAT ? v->u.f : (double)v->u.i;

	if (v->type != PL_M_FLOAT && v->type != PL_M_INT)
		return pl_fail(err, PL_ERR_FORMAT, "an invalid time");
	/* 2^63 ns are 292 years; NaN fails this too. */
	if (!(s > -9e9 && s < 9e9) ||
	    __builtin_add_overflow(
		    *sum, (int64_t)(s * 1e9 + (s < 0 ? -.5 : .5)), sum))
		return pl_fail(err, PL_ERR_FORMAT,
			       "a time of more than 280 years");
	return 0;
}

/* @v and the three behind it: two counts, two times. */
static int add_figures(struct pl_figures *f, const struct pl_marshal *m,
		       const struct pl_mvalue *v, bool primitive_first,
		       enum pl_pstats_kind *kind, struct pl_error *err)
{
	int rc = add_count(primitive_first ? &f->primitive : &f->calls, v,
			   kind, err);

	v = pl_marshal_next(m, v);
	if (!rc)
		rc = add_count(primitive_first ? &f->calls : &f->primitive, v,
			       kind, err);
	v = pl_marshal_next(m, v);
	if (!rc)
		rc = add_seconds(&f->self_ns, v, err);
	v = pl_marshal_next(m, v);
	if (!rc)
		rc = add_seconds(&f->cum_ns, v, err);
	return rc;
}

/* `profile` and the sampling profiler count calls and no more. */
static int add_caller(struct pl_pstats_reader *rd, const struct pl_marshal *m,
		      uint32_t callee, const struct pl_mvalue *key,
		      const struct pl_mvalue *value, enum pl_pstats_kind *kind,
		      struct pl_error *err)
{
	struct pl_pedge *e = NULL;
	uint32_t caller;
	int rc = find_func(rd, m, key, &caller, err);

	if (!rc)
		rc = find_edge(rd, caller, callee, &e, err);
	if (rc)
		return rc;
	if (value->type == PL_M_TUPLE && value->u.items.n == 4)
		return add_figures(&e->f, m, pl_marshal_first(m, value), false,
				   kind, err);
	if (*kind == PL_PSTATS_TRACED)
		*kind = PL_PSTATS_COUNTED;
	rc = add_count(&e->f.calls, value, kind, err);
	return rc ? rc : add_count(&e->f.primitive, value, kind, err);
}

static int add_callers(struct pl_pstats_reader *rd, const struct pl_marshal *m,
		       const struct pl_mvalue *stat_key,
		       const struct pl_mvalue *stat, enum pl_pstats_kind *kind,
		       struct pl_error *err)
{
	const struct pl_mvalue *callers = pl_marshal_first(m, stat), *key;
	uint32_t callee;
	int rc = find_func(rd, m, stat_key, &callee, err);

	for (int i = 0; i < 4; i++)
		callers = pl_marshal_next(m, callers);
	if (callers->type != PL_M_DICT)
		return pl_fail(err, PL_ERR_FORMAT, not_a_profile);
	for (key = pl_marshal_first(m, callers); key && !rc;) {
		const struct pl_mvalue *value = pl_marshal_next(m, key);

		rc = add_caller(rd, m, callee, key, value, kind, err);
		key = pl_marshal_next(m, value);
	}
	return rc;
}

/* ('__sampled__',): True, which Python 3.15's sampling profiler adds. */
static bool is_sampled_mark(const struct pl_marshal *m,
			    const struct pl_mvalue *key)
{
	static const char mark[] = "__sampled__";
	const struct pl_mvalue *v;

	if (key->type != PL_M_TUPLE || key->u.items.n != 1)
		return false;
	v = pl_marshal_first(m, key);
	return v->type == PL_M_STR && v->u.text.len == strlen(mark) &&
	       !memcmp(m->data + v->u.text.offset, mark, strlen(mark));
}

static int add_stat(struct pl_pstats_reader *rd, const struct pl_marshal *m,
		    const struct pl_mvalue *key, const struct pl_mvalue *value,
		    enum pl_pstats_kind *kind, struct pl_error *err)
{
	uint32_t i;
	int rc;

	if (value->type != PL_M_TUPLE || value->u.items.n != 5)
		return pl_fail(err, PL_ERR_FORMAT, not_a_profile);
	rc = find_func(rd, m, key, &i, err);
	if (rc)
		return rc;
	rd->profile.funcs[i].only_calls = false;
	return add_figures(&rd->profile.funcs[i].f, m,
			   pl_marshal_first(m, value), true, kind, err);
}

/* Two rounds, so that functions stand in the order of their own rows. */
static int add_dict(struct pl_pstats_reader *rd, const struct pl_marshal *m,
		    enum pl_pstats_kind *kind, struct pl_error *err)
{
	const struct pl_mvalue *key, *value;
	int rc = 0;

	if (pl_marshal_root(m)->type != PL_M_DICT)
		return pl_fail(err, PL_ERR_FORMAT, not_a_profile);
	for (int round = 0; round < 2; round++) {
		key = pl_marshal_first(m, pl_marshal_root(m));
		for (; key && !rc; key = pl_marshal_next(m, value)) {
			value = pl_marshal_next(m, key);
			if (is_sampled_mark(m, key))
				*kind = PL_PSTATS_SAMPLED;
			else if (!round)
				rc = add_stat(rd, m, key, value, kind, err);
			else
				rc = add_callers(rd, m, key, value, kind, err);
		}
	}
	return rc;
}

int pl_pstats_reader_add(struct pl_pstats_reader *rd, const void *data,
			 size_t bytes, enum pl_pstats_kind *kind,
			 struct pl_error *err)
{
	struct pl_marshal m;
	int rc = pl_marshal_parse(&m, data, bytes, err);

	if (rc)
		return rc;
	*kind = PL_PSTATS_TRACED;
	rd->bytes += bytes;
	rc = add_dict(rd, &m, kind, err);
	pl_marshal_release(&m);
	return rc;
}
