/* SPDX-License-Identifier: MIT */
/*
 * csv.c: the functions as comma-separated values (RFC 4180), with a header,
 * the most time first.  Times are seconds to the nanosecond.
 */
#include <config.h>

#include "export/escape.h"
#include "export/exporter.h"

#include <inttypes.h>
#include <stdlib.h>

/* NULL and "" are both empty. */
static void put_text(FILE *out, const char *text)
{
	putc(',', out);
	if (text && *text)
		pl_csv_put(out, text);
}

static void put_seconds(FILE *out, int64_t ns)
{
	uint64_t n = ns < 0 ? -(uint64_t)ns : (uint64_t)ns;

	fprintf(out, ",%s%" PRIu64 ".%09" PRIu64, ns < 0 ? "-" : "",
		n / 1000000000, n % 1000000000);
}

static const char *const kinds[] = {
	[PL_FUNC_PYTHON] = "python",
	[PL_FUNC_C] = "c",
	[PL_FUNC_OTHER] = "other",
	[PL_FUNC_SPECIAL] = "special",
};

static void put_func(FILE *out, const struct pl_pfunc *f)
{
	fprintf(out, "%" PRIu64 ",%" PRIu64, f->f.calls + f->f.resumes,
		f->f.primitive);
	put_seconds(out, f->f.self_ns);
	put_seconds(out, f->f.cum_ns);
	if (f->f.min_ns < 0) {
		fputs(",,", out);
	} else {
		put_seconds(out, f->f.min_ns);
		put_seconds(out, f->f.max_ns);
	}
	fprintf(out, ",%" PRIu64, f->f.resumes);
	put_text(out, f->file);
	fprintf(out, ",%d", f->line);
	put_text(out, f->name);
	put_text(out, f->qualname);
	put_text(out, f->module);
	put_text(out, kinds[f->kind]);
	fputs("\r\n", out);
}

/* Equal ones by id, for the order to be the same each time. */
static int by_self(const void *a, const void *b)
{
	const struct pl_pfunc *x = a, *y = b;

	if (x->f.self_ns != y->f.self_ns)
		return x->f.self_ns > y->f.self_ns ? -1 : 1;
	return x->id < y->id ? -1 : x->id > y->id;
}

static int write_csv(struct pl_store *store, const struct pl_select *sel,
		     const struct pl_export_options *options, FILE *out,
		     struct pl_error *err)
{
	struct pl_profile p;
	int rc = pl_store_load(store, sel, false, &p, err);

	(void)options;
	if (rc)
		return rc;
	qsort(p.funcs, p.n_funcs, sizeof(*p.funcs), by_self);
	fputs("ncalls,primcalls,tottime,cumtime,min,max,resumes,filename,line,"
	      "function,qualname,module,kind\r\n", out);
	for (uint32_t i = 0; i < p.n_funcs; i++)
		put_func(out, &p.funcs[i]);
	pl_profile_release(&p);
	return 0;
}

const struct pl_exporter pl_export_csv = {
	.name = "csv",
	.suffix = ".csv",
	.summary = "the functions as comma-separated values",
	.write = write_csv,
};
