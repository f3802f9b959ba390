/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "export/stats.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static void add_times(struct pl_times *target, const struct pl_times *source)
{
	target->self_ns = pl_add_ns(target->self_ns, source->self_ns);
	target->cum_ns = pl_add_ns(target->cum_ns, source->cum_ns);
}

/* pstats adds source + target, ints and floats alike; so do we. */
static void add_figures(struct pl_stat_figures *target,
			const struct pl_stat_figures *source)
{
	target->nc = source->nc + target->nc;
	target->cc = source->cc + target->cc;
	target->tt = source->tt + target->tt;
	target->ct = source->ct + target->ct;
	target->resumes += source->resumes;
	target->self_ns = pl_add_ns(target->self_ns, source->self_ns);
	target->cum_ns = pl_add_ns(target->cum_ns, source->cum_ns);
	if (source->min_ns >= 0 &&
	    (target->min_ns < 0 || source->min_ns < target->min_ns))
		target->min_ns = source->min_ns;
	if (source->max_ns > target->max_ns)
		target->max_ns = source->max_ns;
	add_times(&target->both.raw, &source->both.raw);
	add_times(&target->both.comp, &source->both.comp);
}

/* -------------------------------------------------- from one to another -- */

/*
 * Build @to from @from under new labels:
 *
 *	number[i]	new index of the old stat i, in order of first sight
 *	members		old indices, grouped by new index (start[k]..start[k+1])
 *	seen[k]		where new caller k stands in the list at hand, + 1
 *
 * Sums that @from has stay as they are until all is built; @first_sum is the
 * first one that is new.
 */
struct regroup {
	struct pl_stats *from;
	struct pl_stats to;
	struct pl_labels labels;
	uint32_t *number, *members, *start;
	uint32_t *seen_here, *seen_before;
	struct pl_stat_caller *here;	/* callers of one old stat */
	uint32_t first_sum;
	bool overwrite;			/* equal callers of one old stat */
	bool failed;			/* no memory for a sum */
};

static void regroup_release(struct regroup *g)
{
	pl_labels_release(&g->labels);
	free(g->number);
	free(g->members);
	free(g->start);
	free(g->seen_here);
	free(g->seen_before);
	free(g->here);
	free(g->to.stats);
	free(g->to.callers);
}

static int no_memory(struct pl_error *err)
{
	return pl_fail(err, PL_ERR_NOMEM, "out of memory");
}

/* One more than needed: malloc(0) may be NULL. */
static void *alloc(size_t n, size_t size)
{
	return calloc(n + 1, size);
}

static int regroup_alloc(struct regroup *g, struct pl_error *err)
{
	uint32_t n = g->from->n;

	g->members = alloc(n, sizeof(*g->members));
	g->start = alloc(n + 1, sizeof(*g->start));
	g->seen_here = alloc(n, sizeof(*g->seen_here));
	g->seen_before = alloc(n, sizeof(*g->seen_before));
	g->here = alloc(n, sizeof(*g->here));
	g->to.stats = alloc(n, sizeof(*g->to.stats));
	g->to.callers = alloc(g->from->n_callers, sizeof(*g->to.callers));
	return g->members && g->start && g->seen_here && g->seen_before &&
	       g->here && g->to.stats && g->to.callers ? 0 : no_memory(err);
}

static int number_stats(struct regroup *g,
			struct pl_label (*relabel)(struct pl_label),
			struct pl_error *err)
{
	const struct pl_stats *from = g->from;
	int rc = 0;

	g->number = alloc(from->n, sizeof(*g->number));
	if (!g->number)
		return no_memory(err);
	for (uint32_t i = 0; !rc && i < from->n; i++)
		rc = pl_labels_add(&g->labels, relabel(from->stats[i].label),
				   &g->number[i], err);
	return rc;
}

static void group(struct regroup *g)
{
	const struct pl_stats *from = g->from;

	for (uint32_t i = 0; i < from->n; i++)
		g->start[g->number[i] + 1]++;
	for (uint32_t k = 0; k < g->labels.n; k++)
		g->start[k + 1] += g->start[k];
	for (uint32_t i = from->n; i-- > 0;)
		g->members[--g->start[g->number[i] + 1]] = i;
	/* Counting down has moved every bound one place: start[k + 1] is the
	 * first of k now. */
	memmove(g->start, g->start + 1, g->labels.n * sizeof(*g->start));
	g->start[g->labels.n] = from->n;
}

static struct pl_stat_figures *new_sum(struct regroup *g)
{
	struct pl_stats *s = g->from;

	if (s->n_sums == s->sums_capacity) {
		uint32_t n = s->sums_capacity ? s->sums_capacity * 2 : 64;
		void *sums = realloc(s->sums, n * sizeof(*s->sums));

		if (!sums) {
			g->failed = true;
			return NULL;
		}
		s->sums = sums;
		s->sums_capacity = n;
	}
	return &s->sums[s->n_sums++];
}

/* Add @figures to the sum of number *@sum; @base is the number of sum 0.  What
 * is not a sum of this round becomes one: @value is its figures. */
static void add_to(struct regroup *g, pl_stat_number *sum, uint32_t base,
		   struct pl_stat_figures value, struct pl_stat_figures figures)
{
	struct pl_stat_figures *to;

	if (*sum >= base && *sum - base >= g->first_sum) {
		add_figures(&g->from->sums[*sum - base], &figures);
		return;
	}
	to = new_sum(g);
	if (!to)
		return;
	*to = value;
	*sum = base + g->from->n_sums - 1;
	add_figures(to, &figures);
}

static void add_stat(struct regroup *g, struct pl_stat *to,
		     const struct pl_stat *stat)
{
	add_to(g, &to->figures, g->from->profile->n_funcs,
	       pl_stat_figures_of(g->from, to),
	       pl_stat_figures_of(g->from, stat));
}

static void add_caller(struct regroup *g, struct pl_stat_caller *to,
		       const struct pl_stat_caller *caller)
{
	add_to(g, &to->figures, g->from->profile->n_edges,
	       pl_stat_caller_figures(g->from, to->figures),
	       pl_stat_caller_figures(g->from, caller->figures));
}

/* newcallers of strip_dirs, for the old stat @s; returns how many. */
static uint32_t relabel_callers(struct regroup *g, const struct pl_stat *s)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < s->n_callers; i++) {
		const struct pl_stat_caller *c =
			&g->from->callers[s->first_caller + i];
		uint32_t k = g->number[c->caller];

		if (!g->seen_here[k]) {
			g->here[n].caller = k;
			g->here[n].figures = c->figures;
			g->seen_here[k] = ++n;
		} else if (g->overwrite) {
			g->here[g->seen_here[k] - 1].figures = c->figures;
		} else {
			add_caller(g, &g->here[g->seen_here[k] - 1], c);
		}
	}
	for (uint32_t i = 0; i < n; i++)
		g->seen_here[g->here[i].caller] = 0;
	return n;
}

/* add_callers(): those in g->here to the callers of the new stat @to. */
static void add_callers(struct regroup *g, struct pl_stat *to, uint32_t n)
{
	struct pl_stat_caller *list = g->to.callers + to->first_caller;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t *seen = &g->seen_before[g->here[i].caller];

		if (*seen) {
			add_caller(g, &list[*seen - 1], &g->here[i]);
		} else {
			list[to->n_callers] = g->here[i];
			*seen = ++to->n_callers;
			g->to.n_callers++;
		}
	}
}

static void merge_members(struct regroup *g, uint32_t k)
{
	struct pl_stat *to = &g->to.stats[k];

	to->label = g->labels.labels[k];
	to->first_caller = g->to.n_callers;
	for (uint32_t m = g->start[k]; m < g->start[k + 1]; m++) {
		const struct pl_stat *s = &g->from->stats[g->members[m]];

		if (m == g->start[k]) {
			to->figures = s->figures;
			to->qualname = s->qualname;
		} else {
			add_stat(g, to, s);
		}
		to->is_item |= s->is_item;
		add_callers(g, to, relabel_callers(g, s));
	}
	for (uint32_t i = 0; i < to->n_callers; i++)
		g->seen_before[g->to.callers[to->first_caller + i].caller] = 0;
}

static int merge(struct regroup *g, struct pl_error *err)
{
	struct pl_stats *stats = g->from;
	int rc = regroup_alloc(g, err);

	if (rc)
		return rc;
	group(g);
	for (uint32_t k = 0; k < g->labels.n; k++)
		merge_members(g, k);
	if (g->failed) {
		stats->n_sums = g->first_sum;
		return no_memory(err);
	}
	free(stats->stats);
	free(stats->callers);
	stats->stats = g->to.stats;
	stats->callers = g->to.callers;
	stats->n = g->labels.n;
	stats->n_callers = g->to.n_callers;
	g->to.stats = NULL;
	g->to.callers = NULL;
	return 0;
}

/* Replace @stats by itself under new labels. */
static int regroup(struct pl_stats *stats, bool overwrite,
		   struct pl_label (*relabel)(struct pl_label),
		   struct pl_error *err)
{
	struct regroup g = { .from = stats, .overwrite = overwrite,
			     .first_sum = stats->n_sums };
	int rc = number_stats(&g, relabel, err);

	/* Without equal labels the numbers are the indices. */
	for (uint32_t i = 0; !rc && g.labels.n == stats->n && i < stats->n; i++)
		stats->stats[i].label = g.labels.labels[i];
	if (!rc && g.labels.n < stats->n)
		rc = merge(&g, err);
	stats->n_items = 0;
	for (uint32_t i = 0; i < stats->n; i++)
		stats->n_items += stats->stats[i].is_item;
	regroup_release(&g);
	return rc;
}

/* ------------------------------------------------------------------------ */

/* @place: index of a function -> of its stat. */
static void copy_edges(struct pl_stats *stats, const struct pl_profile *p,
		       const uint32_t *place)
{
	uint32_t at = 0;

	for (uint32_t i = 0; i < p->n_edges; i++)
		stats->stats[place[p->edges[i].callee]].n_callers++;
	for (uint32_t i = 0; i < stats->n; i++) {
		stats->stats[i].first_caller = at;
		at += stats->stats[i].n_callers;
		stats->stats[i].n_callers = 0;
	}
	for (uint32_t i = 0; i < p->n_edges; i++) {
		const struct pl_pedge *e = &p->edges[i];
		struct pl_stat *s = &stats->stats[place[e->callee]];

		stats->callers[s->first_caller + s->n_callers++] =
			(struct pl_stat_caller){ place[e->caller], i };
	}
	stats->n_callers = p->n_edges;
}

/* Items first, so that they stay first, and in order, under any labels. */
static void copy_funcs(struct pl_stats *stats, const struct pl_profile *p,
		       uint32_t *place)
{
	for (int is_item = 1; is_item >= 0; is_item--)
		for (uint32_t i = 0; i < p->n_funcs; i++) {
			const struct pl_pfunc *f = &p->funcs[i];

			if (f->only_calls == is_item)
				continue;
			place[i] = stats->n;
			stats->stats[stats->n++] = (struct pl_stat){
				.label = { f->file, f->name, f->line },
				.qualname = f->qualname,
				.is_item = is_item,
				.figures = i,
			};
		}
}

static struct pl_label same_label(struct pl_label label)
{
	return label;
}

int pl_stats_init(struct pl_stats *stats, const struct pl_profile *profile,
		  struct pl_error *err)
{
	uint32_t *place = alloc(profile->n_funcs, sizeof(*place));
	int rc = 0;

	memset(stats, 0, sizeof(*stats));
	stats->profile = profile;
	stats->stats = alloc(profile->n_funcs, sizeof(*stats->stats));
	stats->callers = alloc(profile->n_edges, sizeof(*stats->callers));
	if (!place || !stats->stats || !stats->callers) {
		rc = no_memory(err);
	} else {
		copy_funcs(stats, profile, place);
		copy_edges(stats, profile, place);
	}
	free(place);
	if (!rc)
		rc = regroup(stats, false, same_label, err);
	if (rc)
		pl_stats_release(stats);
	return rc;
}

static struct pl_label without_folder(struct pl_label label)
{
	label.file = basename(label.file);
	return label;
}

int pl_stats_strip_dirs(struct pl_stats *stats, struct pl_error *err)
{
	return regroup(stats, true, without_folder, err);
}

void pl_stats_release(struct pl_stats *stats)
{
	free(stats->stats);
	free(stats->callers);
	free(stats->sums);
	memset(stats, 0, sizeof(*stats));
}
