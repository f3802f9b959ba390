/* SPDX-License-Identifier: MIT */
/*
 * dot.c: the call graph as Graphviz draws it, in the manner of gprof2dot.
 *
 * https://graphviz.org/doc/info/lang.html.  Functions below half a percent of
 * the time and calls below a tenth of one are left out, as gprof2dot leaves
 * them out, and the graph's label says how many.  A box has the function, its
 * share of the time with and without callees, and its calls; the more time, the
 * redder.
 */
#include <config.h>

#include "export/escape.h"
#include "export/exporter.h"

#include <inttypes.h>
#include <stdlib.h>

#define LEAST_NODE 0.005
#define LEAST_EDGE 0.001

struct graph {
	FILE *out;
	const struct pl_profile *p;
	double total;
	uint32_t n_funcs, n_edges;	/* shown */
};

static double share(const struct graph *g, int64_t ns)
{
	double part = g->total > 0 ? (double)ns / g->total : 0;

	return part < 0 ? 0 : part > 1 ? 1 : part;
}

static bool is_shown(const struct graph *g, uint32_t func)
{
	return share(g, g->p->funcs[func].f.cum_ns) >= LEAST_NODE;
}

/* Hue from blue to red, as a hot thing has it. */
static void put_color(const struct graph *g, double part)
{
	fprintf(g->out, "\"%.3f 0.85 %.3f\"", 0.66 * (1 - part),
		0.35 + 0.45 * part);
}

static void put_func(struct graph *g, uint32_t i)
{
	const struct pl_pfunc *f = &g->p->funcs[i];
	double part = share(g, f->f.cum_ns);

	fprintf(g->out, "\tf%" PRIu32 " [label=\"", i);
	pl_name_put(g->out, f, pl_escape_json);
	fputs("\\n", g->out);
	if (f->kind == PL_FUNC_PYTHON) {
		pl_escape_put(g->out, f->file, pl_escape_json);
		fprintf(g->out, ":%d\\n", f->line);
	}
	fprintf(g->out, "%.2f%% (%.2f%%)\\n%" PRIu64 "×\", fillcolor=",
		100 * part, 100 * share(g, f->f.self_ns),
		f->f.calls + f->f.resumes);
	put_color(g, part);
	fputs("];\n", g->out);
	g->n_funcs++;
}

static void put_edge(struct graph *g, const struct pl_pedge *e)
{
	double part = share(g, e->f.cum_ns);

	fprintf(g->out, "\tf%" PRIu32 " -> f%" PRIu32 " [label=\"%.2f%%\\n%"
		PRIu64 "×\", penwidth=%.2f, color=", e->caller, e->callee,
		100 * part, e->f.calls + e->f.resumes, 0.5 + 3.5 * part);
	put_color(g, part);
	fputs("];\n", g->out);
	g->n_edges++;
}

static void write_graph(struct graph *g)
{
	const struct pl_profile *p = g->p;

	for (uint32_t i = 0; i < p->n_funcs; i++)
		g->total += (double)p->funcs[i].f.self_ns;
	fputs("digraph proflite {\n"
	      "\tgraph [fontname=\"Helvetica\", nodesep=0.2, ranksep=0.3];\n"
	      "\tnode [shape=box, style=filled, fontname=\"Helvetica\", "
	      "fontcolor=white, fontsize=10, width=0, height=0];\n"
	      "\tedge [fontname=\"Helvetica\", fontsize=9];\n", g->out);
	for (uint32_t i = 0; i < p->n_funcs; i++)
		if (is_shown(g, i))
			put_func(g, i);
	for (uint32_t i = 0; i < p->n_edges; i++) {
		const struct pl_pedge *e = &p->edges[i];

		if (share(g, e->f.cum_ns) >= LEAST_EDGE &&
		    is_shown(g, e->caller) && is_shown(g, e->callee))
			put_edge(g, e);
	}
	fprintf(g->out, "\tlabel=\"run %" PRId64 ", %.9f seconds; left out: %"
		PRIu32 " functions below %g%%, %" PRIu32 " calls below %g%%\";"
		"\n}\n", p->run_id, g->total * 1e-9, p->n_funcs - g->n_funcs,
		100 * LEAST_NODE, p->n_edges - g->n_edges, 100 * LEAST_EDGE);
}

static int write_dot(struct pl_store *store, const struct pl_select *sel,
		     const struct pl_export_options *options, FILE *out,
		     struct pl_error *err)
{
	struct pl_profile profile;
	struct graph g = { .out = out, .p = &profile };
	int rc = pl_store_load(store, sel, true, &profile, err);

	(void)options;
	if (rc)
		return rc;
	write_graph(&g);
	pl_profile_release(&profile);
	return 0;
}

const struct pl_exporter pl_export_dot = {
	.name = "dot",
	.suffix = ".dot",
	.summary = "the call graph as a drawing: for Graphviz's dot",
	.write = write_dot,
};
