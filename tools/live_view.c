/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "live_view.h"

#include "names.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Threads that are shown above the functions. */
#define MOST_THREADS 8

const char *const pl_live_sort_names[] = {
	[PL_LIVE_NEW_SELF] = "now",
	[PL_LIVE_SELF] = "time",
	[PL_LIVE_NEW_CALLS] = "rate",
	[PL_LIVE_CALLS] = "calls",
};

/* ------------------------------------------------------- which functions -- */

static int64_t sort_value(const struct pl_live_func *f, enum pl_live_sort sort)
{
	switch (sort) {
	case PL_LIVE_NEW_SELF:
		return f->new_self_ns;
	case PL_LIVE_SELF:
		return f->self_ns;
	case PL_LIVE_NEW_CALLS:
		return (int64_t)f->new_calls;
	default:
		return (int64_t)f->calls;
	}
}

static int compare(const void *left, const void *right, void *context)
{
	const struct pl_live_func *a = *(struct pl_live_func *const *)left;
	const struct pl_live_func *b = *(struct pl_live_func *const *)right;
	enum pl_live_sort sort = *(const enum pl_live_sort *)context;
	int64_t x = sort_value(a, sort), y = sort_value(b, sort);

	if (x != y)
		return x > y ? -1 : 1;
	if (a->self_ns != b->self_ns)
		return a->self_ns > b->self_ns ? -1 : 1;
	return pl_label_compare(&a->label, &b->label);
}

static const char *name_of(const struct pl_live_func *f)
{
	return f->qualname && strcmp(f->label.file, "~") ? f->qualname
							 : f->label.name;
}

/* As restrictions of a report match: "file:line(name)". */
static bool matches(const struct pl_pattern *filter,
		    const struct pl_live_func *f)
{
	char *text;
	bool found;

	if (!filter)
		return true;
	if (asprintf(&text, "%s:%d(%s)", f->label.file, f->label.line,
		     name_of(f)) < 0)
		return false;
	found = pl_pattern_search(filter, text, strlen(text)) > 0;
	free(text);
	return found;
}

/* Sorted; *@n of them. */
static const struct pl_live_func **choose(const struct pl_live_look *look,
					  const struct pl_live_view *view,
					  size_t *n)
{
	const struct pl_live_func **list =
		calloc(look->n_funcs + 1, sizeof(*list));
	enum pl_live_sort sort = view->sort;

	*n = 0;
	for (uint32_t i = 0; list && i < look->n_funcs; i++)
		if (matches(view->filter, &look->funcs[i]))
			list[(*n)++] = &look->funcs[i];
	/* Nothing was seen before: there is no "now". */
	if (!look->interval_ns && sort == PL_LIVE_NEW_SELF)
		sort = PL_LIVE_SELF;
	if (!look->interval_ns && sort == PL_LIVE_NEW_CALLS)
		sort = PL_LIVE_CALLS;
	if (list)
		qsort_r(list, *n, sizeof(*list), compare, &sort);
	return list;
}

/* ----------------------------------------------------------------- lines -- */

struct lines {
	const struct pl_live_look *look;
	const struct pl_live_view *view;
	const struct pl_term *term;
	pl_live_put *put;
	void *ctx;
	size_t n;
};

static bool is_full(const struct lines *l)
{
	return l->view->height && l->n >= l->view->height;
}

/* A line in the making: what is printed into @f, cut to the terminal. */
struct line {
	FILE *f;
	char *text;
	size_t size, left;
};

static bool line_begin(struct line *line, const struct lines *l)
{
	line->left = l->term->width;
	line->text = NULL;
	line->f = open_memstream(&line->text, &line->size);
	return line->f != NULL;
}

static void line_end(struct line *line, struct lines *l,
		     enum pl_live_line kind)
{
	fclose(line->f);
	if (line->text && !is_full(l)) {
		l->put(l->ctx, kind, line->text);
		l->n++;
	}
	free(line->text);
}

static void put_line(struct lines *l, enum pl_live_line kind, const char *text)
{
	struct line line;

	if (!line_begin(&line, l))
		return;
	pl_term_put(l->term, line.f, text, &line.left);
	line_end(&line, l, kind);
}

/* "950", "12.3k", "4.56M": calls a second, to be read at a glance. */
static void put_rate(char buf[24], uint64_t n, int64_t interval_ns)
{
	static const char units[] = " kMGT";
	double rate = interval_ns > 0 ? (double)n * 1e9 / (double)interval_ns
				      : 0;
	size_t i = 0;

	for (; rate >= 999.5 && units[i + 1]; i++)
		rate /= 1000;
	if (i)
		snprintf(buf, 24, "%.*f%c", rate < 9.995 ? 2 : rate < 99.95,
			 rate, units[i]);
	else
		snprintf(buf, 24, "%.0f", rate);
}

static char *command_of(const struct pl_recfile *rf)
{
	size_t n;
	const char *argv = pl_recfile_str(rf, rf->header.argv, &n);
	char *text = malloc(n + 1);

	if (!text)
		return NULL;
	memcpy(text, argv, n);
	text[n] = '\0';
	for (size_t i = 0; i < n; i++)
		if (!text[i])
			text[i] = ' ';
	return text;
}

static void put_head(struct lines *l)
{
	const struct pl_live_look *look = l->look;
	char *command = command_of(&look->files[0]), *text, rate[24];
	int rc;

	put_rate(rate, look->new_calls, look->interval_ns);
	if (look->n_files == 1)
		rc = asprintf(&text, "pid %u: %s", look->files[0].header.pid,
			      command ? command : "?");
	else
		rc = asprintf(&text, "%zu processes: %s", look->n_files,
			      command ? command : "?");
	if (rc >= 0) {
		put_line(l, PL_LIVE_HEAD, text);
		free(text);
	}
	free(command);
	if (asprintf(&text, "running %.1f s, %" PRIu32 " thread%s, %" PRIu64
		     " calls%s%s%s, %" PRIu32 " functions",
		     (double)look->running_ns * 1e-9, look->n_threads,
		     look->n_threads == 1 ? "" : "s", look->calls,
		     look->interval_ns ? " (" : "",
		     look->interval_ns ? rate : "",
		     look->interval_ns ? "/s)" : "", look->n_funcs) >= 0) {
		put_line(l, PL_LIVE_TEXT, text);
		free(text);
	}
}

/* What is innermost matters most: a long stack loses its beginning. */
static void put_stack(const struct lines *l, struct line *line,
		      const char *stack)
{
	const char *at = stack;

	while (l->term->width && strlen(at) > line->left) {
		const char *next = strstr(at, " > ");

		if (!next)
			break;
		at = next + 3;
	}
	if (at != stack)
		pl_term_put(l->term, line->f,
			    l->term->utf8 ? "… " : "~ ", &line->left);
	if (at != stack && l->term->width && strlen(at) > line->left) {
		const char *next = strstr(at, " > ");

		at = next ? next + 3 : at;
	}
	pl_term_put(l->term, line->f, at, &line->left);
}

static void put_thread(struct lines *l, const struct pl_live_thread *t)
{
	struct line line;
	char head[100], rate[24], id[32];

	snprintf(id, sizeof(id), "tid %u", t->tid);
	put_rate(rate, t->new_calls, l->look->interval_ns);
	snprintf(head, sizeof(head), "%8s/s  %-16.40s ",
		 l->look->interval_ns ? rate : "-", t->name ? t->name : id);
	if (!line_begin(&line, l))
		return;
	pl_term_put(l->term, line.f, head, &line.left);
	if (t->stack && *t->stack)
		put_stack(l, &line, t->stack);
	else
		pl_term_put(l->term, line.f, "(in no call)", &line.left);
	line_end(&line, l, PL_LIVE_TEXT);
}

static int compare_threads(const void *left, const void *right)
{
	const struct pl_live_thread *a = left, *b = right;

	if (a->new_calls != b->new_calls)
		return a->new_calls > b->new_calls ? -1 : 1;
	return a->tid < b->tid ? -1 : a->tid > b->tid;
}

static void put_threads(struct lines *l)
{
	const struct pl_live_look *look = l->look;
	uint32_t n = look->n_threads < MOST_THREADS ? look->n_threads
						    : MOST_THREADS;
	char text[64];

	if (l->view->hide_threads || !n)
		return;
	put_line(l, PL_LIVE_TEXT, "");
	put_line(l, PL_LIVE_TITLE, "   calls   thread           stack");
	qsort(look->threads, look->n_threads, sizeof(*look->threads),
	      compare_threads);
	for (uint32_t i = 0; i < n; i++)
		put_thread(l, &look->threads[i]);
	if (n < look->n_threads) {
		snprintf(text, sizeof(text), "            and %" PRIu32 " more",
			 look->n_threads - n);
		put_line(l, PL_LIVE_TEXT, text);
	}
}

static double part(int64_t ns, int64_t all)
{
	return all > 0 ? 100 * (double)ns / (double)all : 0;
}

static void put_func(struct lines *l, const struct pl_live_func *f)
{
	const struct pl_live_look *look = l->look;
	const char *cwd = pl_recfile_str(&look->files[0],
					 look->files[0].header.cwd, NULL);
	double now = part(f->new_self_ns, look->new_self_ns);
	char head[120], rate[24], percent[16] = "-";
	struct pl_term plain = *l->term;
	struct line line;

	put_rate(rate, f->new_calls, look->interval_ns);
	if (look->interval_ns)
		snprintf(percent, sizeof(percent), "%.1f%%", now);
	snprintf(head, sizeof(head), "%7s %6.1f%% %10.3f %8s %12" PRIu64 "  ",
		 percent, part(f->self_ns, look->self_ns),
		 (double)f->self_ns * 1e-9, look->interval_ns ? rate : "-",
		 f->calls);
	if (!line_begin(&line, l))
		return;
	plain.color = false;
	pl_term_put(&plain, line.f, head, &line.left);
	pl_func_write(&plain, line.f, name_of(f), f->label.file, f->label.line,
		      cwd, &line.left);
	line_end(&line, l, now >= 10 ? PL_LIVE_HOT : PL_LIVE_TEXT);
}

int pl_live_render(const struct pl_live_look *look,
		   const struct pl_live_view *view, const struct pl_term *term,
		   pl_live_put *put, void *ctx, struct pl_error *err)
{
	struct lines l = { .look = look, .view = view, .term = term,
			   .put = put, .ctx = ctx };
	const struct pl_live_func **list;
	size_t n;

	list = choose(look, view, &n);
	if (!list)
		return pl_fail(err, PL_ERR_NOMEM, "out of memory");
	put_head(&l);
	put_threads(&l);
	put_line(&l, PL_LIVE_TEXT, "");
	put_line(&l, PL_LIVE_TITLE, "    now   self     self s  calls/s        "
		 "calls  function");
	for (size_t i = view->first; i < n && !is_full(&l); i++)
		put_func(&l, list[i]);
	if (!n)
		put_line(&l, PL_LIVE_TEXT, "no function is like that");
	free(list);
	return 0;
}

/* --------------------------------------------------------------- records -- */

static double rate_of(const struct pl_live_look *look, uint64_t n)
{
	return look->interval_ns ? (double)n * 1e9 /
				   (double)look->interval_ns : NAN;
}

int pl_live_records(const struct pl_live_look *look,
		    const struct pl_live_view *view,
		    enum pl_records_format format, struct pl_error *err)
{
	static const char *const columns[] = {
		"new_self_ns", "self_ns", "calls_per_s", "ncalls", "function",
		"filename", "line", NULL,
	};
	const struct pl_live_func **list;
	struct pl_records r;
	size_t n;

	list = choose(look, view, &n);
	if (!list)
		return pl_fail(err, PL_ERR_NOMEM, "out of memory");
	pl_records_begin(&r, stdout, format, columns);
	for (size_t i = 0; i < n; i++) {
		const struct pl_live_func *f = list[i];
		char *name = pl_name_shown(name_of(f), f->label.file);

		pl_records_int(&r, f->new_self_ns);
		pl_records_int(&r, f->self_ns);
		pl_records_real(&r, rate_of(look, f->new_calls));
		pl_records_int(&r, (int64_t)f->calls);
		pl_records_text(&r, name);
		pl_records_text(&r, f->label.file);
		pl_records_int(&r, f->label.line);
		free(name);
	}
	pl_records_end(&r);
	free(list);
	return 0;
}
