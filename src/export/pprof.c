/* SPDX-License-Identifier: MIT */
/*
 * pprof.c: for `go tool pprof`, Pyroscope, Parca and others.
 *
 * https://github.com/google/pprof/tree/main/proto: a protobuf message in gzip
 * (profile.proto).  A sample is a call path with two values, the calls that
 * end there and their self time, and labels for its process and thread.
 * A sample is as long as its path, so recursion is folded in threads whose paths
 * are very long (stacks.h).  Lost in translation: min and max.
 *
 * A message is written in parts, one sample at a time.  Parts of a message, one
 * behind the other, are the message: that is how protobuf merges.  So a
 * profile of any size needs memory for one path.
 */
#include <config.h>

#include "export/escape.h"
#include "export/exporter.h"
#include "export/gzip.h"
#include "export/labels.h"
#include "export/profile.pb-c.h"
#include "export/stacks.h"

#include <stdlib.h>
#include <string.h>

#define N_VALUES 2
#define N_LABELS 3

struct writer {
	struct pl_gzip *gzip;
	struct pl_stacks s;
	struct pl_error *err;
	uint8_t *buffer;
	size_t buffer_bytes;

	struct pl_labels strings;	/* name: the text; number: the string's */
	uint64_t *path;			/* locations, innermost first */
	size_t path_capacity;
	Pprof__Label labels[N_LABELS];	/* of the thread at hand */
};

static int no_memory(struct writer *w)
{
	return pl_fail(w->err, PL_ERR_NOMEM, "out of memory");
}

static int put_part(struct writer *w, const Pprof__Profile *part)
{
	size_t n = pprof__profile__get_packed_size(part);

	if (n > w->buffer_bytes) {
		free(w->buffer);
		w->buffer_bytes = 2 * n;
		w->buffer = malloc(w->buffer_bytes);
		if (!w->buffer)
			return no_memory(w);
	}
	pprof__profile__pack(part, w->buffer);
	pl_gzip_write(w->gzip, w->buffer, n);
	return 0;
}

/* --------------------------------------------------------------- strings -- */

static int intern(struct writer *w, char *text, int64_t *number)
{
	uint32_t before = w->strings.n, n = 0;
	struct pl_label label = { .file = "", .name = text };
	int rc = text ? pl_labels_add(&w->strings, label, &n, w->err)
		      : no_memory(w);

	if (rc || w->strings.n == before)
		free(text);
	*number = n;
	return rc;
}

static bool as_it_is(FILE *out, char c)
{
	(void)out;
	(void)c;
	return false;
}

static bool is_ascii(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text >= 128)
			return false;
	return true;
}

/* Text from the database, which may not be UTF-8. */
static int intern_text(struct writer *w, const char *text, int64_t *number)
{
	char *copy = NULL;
	size_t n;
	FILE *f;

	if (!text || is_ascii(text))
		return intern(w, strdup(text ? text : ""), number);
	f = open_memstream(&copy, &n);
	if (f) {
		pl_escape_put(f, text ? text : "", as_it_is);
		fclose(f);
	}
	return intern(w, copy, number);
}

static int intern_name(struct writer *w, const struct pl_pfunc *func,
		       int64_t *number)
{
	char *copy = NULL;
	size_t n;
	FILE *f;

	if (func->kind == PL_FUNC_PYTHON)
		return intern_text(w, func->qualname ? func->qualname
						     : func->name, number);
	f = open_memstream(&copy, &n);
	if (f) {
		pl_name_put(f, func, as_it_is);
		fclose(f);
	}
	return intern(w, copy, number);
}

static int put_strings(struct writer *w)
{
	int rc = 0;

	for (uint32_t i = 0; !rc && i < w->strings.n; i++) {
		Pprof__Profile part = PPROF__PROFILE__INIT;
		char *text = (char *)w->strings.labels[i].name;

		part.n_string_table = 1;
		part.string_table = &text;
		rc = put_part(w, &part);
	}
	return rc;
}

/* ------------------------------------------------------------- functions -- */

static int put_function(struct writer *w, Pprof__Function *f)
{
	Pprof__Line line = PPROF__LINE__INIT, *lines = &line;
	Pprof__Location location = PPROF__LOCATION__INIT;
	Pprof__Location *locations = &location;
	Pprof__Profile part = PPROF__PROFILE__INIT;

	line.function_id = f->id;
	line.line = f->start_line;
	location.id = f->id;
	location.mapping_id = 1;
	location.n_line = 1;
	location.line = &lines;
	part.n_function = 1;
	part.function = &f;
	part.n_location = 1;
	part.location = &locations;
	return put_part(w, &part);
}

static int put_functions(struct writer *w)
{
	const struct pl_profile *p = &w->s.profile;
	int rc = 0;

	for (uint32_t i = 0; !rc && i < p->n_funcs + PL_STACKS_EXTRA; i++) {
		Pprof__Function f = PPROF__FUNCTION__INIT;

		f.id = i + 1;
		if (i < p->n_funcs) {
			rc = intern_name(w, &p->funcs[i], &f.name);
			if (!rc)
				rc = intern_text(w, p->funcs[i].name,
						 &f.system_name);
			if (!rc)
				rc = intern_text(w, p->funcs[i].file,
						 &f.filename);
			f.start_line = p->funcs[i].line;
		} else {
			rc = intern_text(w, pl_stacks_extra[i - p->n_funcs],
					 &f.name);
		}
		if (!rc)
			rc = put_function(w, &f);
	}
	return rc;
}

/* --------------------------------------------------------------- samples -- */

static int put_sample(struct writer *w, const struct pl_tree_node *t, size_t n)
{
	Pprof__Label *labels[N_LABELS];
	int64_t values[N_VALUES] = { (int64_t)(t->calls + t->resumes),
				     t->self_ns };
	Pprof__Sample sample = PPROF__SAMPLE__INIT, *samples = &sample;
	Pprof__Profile part = PPROF__PROFILE__INIT;

	for (size_t i = 0; i < N_LABELS; i++)
		labels[i] = &w->labels[i];
	/* The path stands at the end of its memory. */
	sample.n_location_id = n;
	sample.location_id = w->path + w->path_capacity - n;
	sample.n_value = N_VALUES;
	sample.value = values;
	sample.n_label = N_LABELS;
	sample.label = labels;
	part.n_sample = 1;
	part.sample = &samples;
	return put_part(w, &part);
}

/* Grows from the end of the memory to its beginning, as a stack does, so that
 * the innermost call comes first. */
static int make_room(struct writer *w, size_t n)
{
	size_t capacity = 2 * (w->path_capacity + 512);
	uint64_t *path;

	if (n <= w->path_capacity)
		return 0;
	path = malloc(capacity * sizeof(*path));
	if (!path)
		return no_memory(w);
	if (w->path)
		memcpy(path + capacity - w->path_capacity, w->path,
		       w->path_capacity * sizeof(*path));
	free(w->path);
	w->path = path;
	w->path_capacity = capacity;
	return 0;
}

static int put_samples(struct writer *w)
{
	const struct pl_tree *tree = &w->s.tree;
	uint32_t open = 0;
	size_t depth = 0;
	int rc = 0;

	for (uint32_t i = 1; !rc && i < tree->n; i++) {
		const struct pl_tree_node *t = &tree->nodes[i];

		for (; open != t->parent; open = tree->nodes[open].parent)
			depth--;
		rc = make_room(w, ++depth);
		if (rc)
			break;
		w->path[w->path_capacity - depth] = t->func + 1;
		open = i;
		if (t->calls || t->resumes || t->self_ns)
			rc = put_sample(w, t, depth);
	}
	return rc;
}

static int name_thread(struct writer *w)
{
	static const char *const keys[N_LABELS] = { "process_id", "thread_id",
						    "thread_name" };
	const struct pl_thread *t = w->s.thread;
	char pid[16], tid[16];
	const char *const values[N_LABELS] = { pid, tid,
					       t->name ? t->name : "" };
	int rc = 0;

	snprintf(pid, sizeof(pid), "%u", t->pid);
	snprintf(tid, sizeof(tid), "%u", t->tid);
	for (size_t i = 0; !rc && i < N_LABELS; i++) {
		w->labels[i] = (Pprof__Label)PPROF__LABEL__INIT;
		rc = intern_text(w, keys[i], &w->labels[i].key);
		if (!rc)
			rc = intern_text(w, values[i], &w->labels[i].str);
	}
	return rc;
}

/* ------------------------------------------------------------- the whole -- */

/* What the clock counts, as readers name it. */
static const char *time_name(const struct pl_stacks *s)
{
	const char *clock = s->n_processes ? s->processes[0].clock : NULL;

	if (clock && !strcmp(clock, "cpu"))
		return "cpu";
	return clock && strcmp(clock, "wall") ? "time" : "wall";
}

static int put_types(struct writer *w, Pprof__Profile *part)
{
	Pprof__ValueType calls = PPROF__VALUE_TYPE__INIT;
	Pprof__ValueType time = PPROF__VALUE_TYPE__INIT;
	Pprof__ValueType *types[N_VALUES] = { &calls, &time };
	int rc = intern_text(w, "calls", &calls.type);

	if (!rc)
		rc = intern_text(w, "count", &calls.unit);
	if (!rc)
		rc = intern_text(w, time_name(&w->s), &time.type);
	if (!rc)
		rc = intern_text(w, "nanoseconds", &time.unit);
	part->n_sample_type = N_VALUES;
	part->sample_type = types;
	part->default_sample_type = time.type;
	part->period_type = &time;
	part->period = 1;
	return rc ? rc : put_part(w, part);
}

static int put_head(struct writer *w)
{
	Pprof__Mapping mapping = PPROF__MAPPING__INIT, *mappings = &mapping;
	Pprof__Profile part = PPROF__PROFILE__INIT;
	const struct pl_process *first = w->s.n_processes ? w->s.processes
							  : NULL;
	int64_t nothing, command = 0, program = 0;
	int rc = intern_text(w, "", &nothing);

	if (!rc)
		rc = intern_text(w, first && first->command ? first->command
							    : "python",
				 &command);
	/* Readers show what follows the last "/" of it. */
	if (!rc)
		rc = intern_text(w, first && first->exe ? first->exe : "python",
				 &program);
	if (rc)
		return rc;
	mapping.id = 1;
	mapping.filename = program;
	mapping.has_functions = mapping.has_filenames = true;
	mapping.has_line_numbers = true;
	part.n_mapping = 1;
	part.mapping = &mappings;
	part.n_comment = 1;
	part.comment = &command;
	part.time_nanos = w->s.profile.started_ns;
	part.duration_nanos =
		pl_sub_ns(pl_stacks_ended_ns(&w->s), part.time_nanos);
	return put_types(w, &part);
}

/* So that the file says it, too. */
static int put_note(struct writer *w)
{
	Pprof__Profile part = PPROF__PROFILE__INIT;
	int64_t note;
	int rc = intern_text(w, "recursion is folded in threads with very "
			     "long call paths", &note);

	part.n_comment = 1;
	part.comment = &note;
	return rc ? rc : put_part(w, &part);
}

static int write_all(struct writer *w)
{
	int rc = put_head(w);

	if (!rc)
		rc = put_functions(w);
	while (!rc && (rc = pl_stacks_next(&w->s, w->err)) > 0) {
		rc = name_thread(w);
		if (!rc)
			rc = put_samples(w);
	}
	if (!rc && w->s.left && w->s.left->n_folded)
		rc = put_note(w);
	return rc ? rc : put_strings(w);
}

static void release(struct writer *w)
{
	for (uint32_t i = 0; i < w->strings.n; i++)
		free((char *)w->strings.labels[i].name);
	pl_labels_release(&w->strings);
	pl_gzip_close(w->gzip);
	pl_stacks_close(&w->s);
	free(w->buffer);
	free(w->path);
}

static int write_pprof(struct pl_store *store, const struct pl_select *sel,
		       const struct pl_export_options *options, FILE *out,
		       struct pl_error *err)
{
	struct writer w = { .err = err };
	int rc = pl_stacks_open(&w.s, store, sel, options->max_depth, err);

	if (!rc)
		pl_stacks_bound(&w.s, options, PL_BOUND_DEPTH);
	if (!rc)
		rc = pl_gzip_open(&w.gzip, out, err);
	if (!rc)
		rc = write_all(&w);
	release(&w);
	return rc;
}

const struct pl_exporter pl_export_pprof = {
	.name = "pprof",
	.suffix = ".pb.gz",
	.summary = "for go tool pprof, Pyroscope, Parca, ...",
	.is_binary = true,
	.write = write_pprof,
};
