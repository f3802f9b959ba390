/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "live_sample.h"

#include "base/owner.h"
#include "core/clock.h"
#include "core/live.h"
#include "base/text.h"
#include "names.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Waiting for a database is not worth a frame. */
#define BUSY_MS 50

/* What was seen of a recording: calls and self time by function, calls by
 * recorder. */
struct pl_live_past {
	uint8_t uuid[16];
	struct pl_figures *funcs;
	uint32_t n_funcs;
	uint64_t *calls;
	uint32_t n_recorders;
	double ns_per_tick;
};

static int no_memory(struct pl_error *err)
{
	return pl_fail(err, PL_ERR_NOMEM, "out of memory");
}

void pl_live_look_release(struct pl_live_look *look)
{
	for (size_t i = 0; i < look->n_files; i++)
		pl_recfile_close(&look->files[i]);
	for (uint32_t i = 0; i < look->n_threads; i++) {
		free(look->threads[i].name);
		free(look->threads[i].stack);
	}
	free(look->files);
	free(look->funcs);
	for (size_t i = 0; i < look->n_texts; i++)
		free(look->texts[i]);
	free(look->texts);
	free(look->threads);
	pl_labels_release(&look->labels);
	memset(look, 0, sizeof(*look));
}

void pl_live_release(struct pl_live *live)
{
	for (size_t i = 0; i < live->n_past; i++) {
		free(live->past[i].funcs);
		free(live->past[i].calls);
	}
	free(live->past);
	live->past = NULL;
	live->n_past = 0;
}

/* ------------------------------------------------------------ recordings -- */

struct finder {
	struct pl_live_look *look;
	struct pl_error *err;
	int rc;
};

/* Take the recording @fd in if its process records.  It stays ours until the
 * next look, even when the process has deleted it by then. */
static void add_file(struct finder *f, int fd, const char *path)
{
	struct pl_live_look *look = f->look;
	struct pl_recfile rf;
	void *p;

	if (pl_recfile_open_fd(&rf, fd, path, f->err))
		return;
	if (!pl_live_is(fd, &rf.header)) {
		pl_recfile_close(&rf);
		return;
	}
	p = realloc(look->files, (look->n_files + 1) * sizeof(*look->files));
	if (!p) {
		pl_recfile_close(&rf);
		f->rc = no_memory(f->err);
		return;
	}
	look->files = p;
	look->files[look->n_files++] = rf;
}

static void found(void *ctx, const char *path, enum pl_found what,
		  const struct pl_recfile *rf, const struct pl_error *e)
{
	int fd;

	(void)rf;
	(void)e;
	if (what != PL_FOUND_ALIVE)
		return;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
	if (fd < 0)
		return;
	/* Opened once more, by name: it may be another one by now. */
	if (!pl_owner_check(fd, NULL, path, NULL))
		add_file(ctx, fd, path);
	close(fd);
}

static int find_by_db(const struct pl_live *live, struct finder *f)
{
	int rc = pl_store_ingest_pending(live->db, BUSY_MS, found, f, f->err);

	/* What is over can wait. */
	if (rc < 0 && !f->look->n_files && rc != PL_ERR_NOENT &&
	    rc != PL_ERR_BUSY && rc != PL_ERR_FORMAT)
		return rc;
	if (f->rc || f->look->n_files)
		return f->rc;
	return pl_fail(f->err, PL_ERR_NOENT, "nothing is being recorded into "
		       "%s now", live->db);
}

/* The process has its recording open: its own descriptors name it, wherever
 * it is.  It may be another user's, since the caller named the process. */
static int find_by_pid(const struct pl_live *live, struct finder *f)
{
	char folder[40], path[300], target[4096];
	struct dirent *entry;
	DIR *dir;

	snprintf(folder, sizeof(folder), "/proc/%u/fd", live->pid);
	dir = opendir(folder);
	if (!dir)
		return pl_fail(f->err, PL_ERR_NOENT, errno == ENOENT
			       ? "there is no process %u"
			       : "process %u is not yours to look at",
			       live->pid);
	while ((entry = readdir(dir)) && !f->rc) {
		ssize_t n;
		int fd;

		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		n = readlink(path, target, sizeof(target) - 1);
		if (n < 0)
			continue;
		target[n] = '\0';
		if (!strstr(target, PL_REC_SUFFIX))
			continue;
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		if (fd < 0)
			continue;
		add_file(f, fd, target);
		close(fd);
	}
	closedir(dir);
	if (f->rc || f->look->n_files)
		return f->rc;
	return pl_fail(f->err, PL_ERR_NOENT, "process %u is not being recorded "
		       "(by proflite, into a file)", live->pid);
}

/* ------------------------------------------------------------- the past -- */

static struct pl_live_past *past_of(struct pl_live *live, const uint8_t *uuid)
{
	struct pl_live_past *p;

	for (size_t i = 0; i < live->n_past; i++)
		if (!memcmp(live->past[i].uuid, uuid, 16))
			return &live->past[i];
	p = realloc(live->past, (live->n_past + 1) * sizeof(*p));
	if (!p)
		return NULL;
	live->past = p;
	p += live->n_past++;
	memset(p, 0, sizeof(*p));
	memcpy(p->uuid, uuid, 16);
	return p;
}

/* --------------------------------------------------------------- looking -- */

struct reader {
	struct pl_live_look *look;
	const struct pl_recfile *rf;
	struct pl_live_past *past;
	struct pl_aggregate sums;
	struct pl_tree tree;
	struct pl_error *err;
};

/* A text of the recording, and a copy of it if there is a NUL to escape, which
 * the look owns.  "" without memory. */
static const char *text_of(struct pl_live_look *look,
			   const struct pl_recfile *rf, uint32_t id)
{
	size_t len;
	const char *text = pl_recfile_str(rf, id, &len);
	char **texts, *copy;

	if (!pl_text_count_nul(text, len))
		return text;
	texts = realloc(look->texts, (look->n_texts + 1) * sizeof(*texts));
	if (!texts)
		return "";
	look->texts = texts;
	copy = malloc(pl_text_escaped_length(text, len) + 1);
	if (!copy)
		return "";
	pl_text_escape_nul(copy, text, len);
	return texts[look->n_texts++] = copy;
}

/* "Parser.parse", "{built-in method len}"; malloc'ed, NULL if it is not
 * known. */
static char *name_of_func(struct pl_live_look *look,
			  const struct pl_recfile *rf, uint32_t id)
{
	const struct pl_func *func = pl_recfile_func(rf, id);
	const char *qualname, *file;

	if (!func)
		return NULL;
	file = text_of(look, rf, func->file);
	qualname = text_of(look, rf, func->qualname);
	return pl_name_shown(*qualname && strcmp(file, "~")
				     ? qualname
				     : text_of(look, rf, func->name),
			     file);
}

static void put_times(FILE *f, size_t times)
{
	if (times > 1)
		fprintf(f, " (%zu times)", times);
}

/* "main > load > parse (3 times) > len" */
static char *stack_text(struct pl_live_look *look,
			const struct pl_recfile *rf,
			const struct pl_recorder *r)
{
	const struct pl_frame *frames;
	size_t size, n, times = 0;
	uint32_t last = 0;
	char *text = NULL;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	frames = pl_recfile_frames(rf, r, &n);
	for (size_t i = 1; frames && i < n; i++) {
		const struct pl_node *node =
			pl_recfile_node(rf, frames[i].node);
		char *name;

		if (node && node->func == last) {
			times++;
			continue;
		}
		name = node ? name_of_func(look, rf, node->func) : NULL;
		if (!name)
			continue;
		put_times(f, times);
		fprintf(f, "%s%s", last ? " > " : "", name);
		free(name);
		last = node->func;
		times = 1;
	}
	put_times(f, times);
	fclose(f);
	return text;
}

static uint64_t calls_in(const struct pl_tree *tree)
{
	uint64_t calls = 0;

	for (uint32_t i = 1; i < tree->n; i++)
		calls += tree->nodes[i].calls + tree->nodes[i].resumes;
	return calls;
}

/* @at: of the recording's recorders, which never go away. */
static int read_thread(struct reader *rd, uint32_t at)
{
	const struct pl_recorder *r =
		pl_recfile_recorder(rd->rf, rd->rf->recorders[at]);
	struct pl_live_look *look = rd->look;
	const char *name = text_of(look, rd->rf, r->name);
	struct pl_live_thread *t;
	int rc;

	rc = pl_tree_load(&rd->tree, rd->rf, rd->rf->recorders[at], rd->err);
	if (!rc)
		rc = pl_aggregate_add(&rd->sums, &rd->tree, rd->err);
	if (rc)
		return rc;
	t = realloc(look->threads, (look->n_threads + 1) * sizeof(*t));
	if (!t)
		return no_memory(rd->err);
	look->threads = t;
	t += look->n_threads;
	*t = (struct pl_live_thread){ .pid = rd->rf->header.pid,
				      .tid = r->tid };
	t->calls = calls_in(&rd->tree);
	t->new_calls = t->calls - rd->past->calls[at];
	rd->past->calls[at] = t->calls;
	if (r->flags & PL_RECORDER_ENDED)
		return 0;		/* counted, not listed */
	t->name = *name ? strdup(name) : NULL;
	t->stack = stack_text(look, rd->rf, r);
	look->n_threads++;
	return 0;
}

static int grow_past(struct reader *rd)
{
	struct pl_live_past *past = rd->past;
	uint32_t n = rd->rf->n_func_slots, k = rd->rf->n_recorders;
	void *p;

	if (n > past->n_funcs) {
		p = realloc(past->funcs, n * sizeof(*past->funcs));
		if (!p)
			return no_memory(rd->err);
		past->funcs = p;
		memset(past->funcs + past->n_funcs, 0,
		       (n - past->n_funcs) * sizeof(*past->funcs));
		past->n_funcs = n;
	}
	if (k > past->n_recorders) {
		p = realloc(past->calls, k * sizeof(*past->calls));
		if (!p)
			return no_memory(rd->err);
		past->calls = p;
		memset(past->calls + past->n_recorders, 0,
		       (k - past->n_recorders) * sizeof(*past->calls));
		past->n_recorders = k;
	}
	return 0;
}

/* A Profile object's own recorder sees what the process's sees, too. */
static bool is_wanted(const struct pl_recfile *rf, uint32_t at)
{
	bool has_process = false;

	for (uint32_t i = 0; i < rf->n_recorders; i++)
		has_process |= !(pl_recfile_recorder(rf, rf->recorders[i])
				 ->flags & PL_RECORDER_SCOPE);
	return !has_process ||
	       !(pl_recfile_recorder(rf, rf->recorders[at])->flags &
		 PL_RECORDER_SCOPE);
}

static int add_func(struct reader *rd, uint32_t index)
{
	const struct pl_figures *now = &rd->sums.funcs[index];
	struct pl_figures *past = &rd->past->funcs[index];
	const struct pl_func *func =
		pl_recfile_func(rd->rf, rd->rf->func_ids[index]);
	struct pl_live_look *look = rd->look;
	uint64_t calls = now->calls + now->resumes;
	struct pl_live_func *f;
	struct pl_label label;
	uint32_t n;

	if (!func || !pl_figures_seen(now))
		return 0;
	label.file = text_of(look, rd->rf, func->file);
	label.name = text_of(look, rd->rf, func->name);
	label.line = func->line;
	if (pl_labels_add(&look->labels, label, &n, rd->err))
		return PL_ERR_NOMEM;
	if (n >= look->n_funcs) {
		if (!(look->n_funcs & (look->n_funcs - 1))) {
			size_t size = look->n_funcs ? 2 * look->n_funcs : 1;

			f = realloc(look->funcs, size * sizeof(*f));
			if (!f)
				return no_memory(rd->err);
			look->funcs = f;
		}
		look->funcs[look->n_funcs++] = (struct pl_live_func){
			.label = label,
			.qualname = func->qualname ? text_of(
				look, rd->rf, func->qualname) : NULL,
		};
	}
	f = &look->funcs[n];
	f->calls += calls;
	f->new_calls += calls - past->calls;
	f->self_ns += now->self_ns;
	/* A counter may have been read a moment late. */
	if (now->self_ns > past->self_ns)
		f->new_self_ns += now->self_ns - past->self_ns;
	past->calls = calls;
	past->self_ns = now->self_ns;
	return 0;
}

static int read_file(struct pl_live *live, struct pl_live_look *look,
		     struct pl_recfile *rf, struct pl_error *err)
{
	struct reader rd = { .look = look, .rf = rf, .err = err };
	int rc;

	rd.past = past_of(live, rf->header.uuid);
	if (!rd.past)
		return no_memory(err);
	/* The rate gets more exact with time; what did not go on must not seem
	 * to. */
	if (rd.past->ns_per_tick > 0)
		rf->ns_per_tick = rd.past->ns_per_tick;
	rd.past->ns_per_tick = rf->ns_per_tick;
	pl_recfile_until_now(rf);
	rc = grow_past(&rd);
	if (!rc)
		rc = pl_aggregate_init(&rd.sums, rf->n_func_slots, err);
	for (uint32_t i = 0; !rc && i < rf->n_recorders; i++)
		if (is_wanted(rf, i))
			rc = read_thread(&rd, i);
	for (uint32_t i = 0; !rc && i < rf->n_func_slots; i++)
		rc = add_func(&rd, i);
	pl_aggregate_release(&rd.sums);
	pl_tree_release(&rd.tree);
	return rc;
}

static void add_up(struct pl_live_look *look)
{
	for (uint32_t i = 0; i < look->n_funcs; i++) {
		look->calls += look->funcs[i].calls;
		look->new_calls += look->funcs[i].new_calls;
		look->self_ns += look->funcs[i].self_ns;
		look->new_self_ns += look->funcs[i].new_self_ns;
	}
	for (size_t i = 0; i < look->n_files; i++) {
		int64_t since = pl_clock_ns(CLOCK_REALTIME) -
				look->files[i].header.start.real_ns;

		if (since > look->running_ns)
			look->running_ns = since;
	}
}

int pl_live_take(struct pl_live *live, struct pl_live_look *look,
		 struct pl_error *err)
{
	struct finder f = { .look = look, .err = err };
	int rc;

	memset(look, 0, sizeof(*look));
	rc = live->pid ? find_by_pid(live, &f) : find_by_db(live, &f);
	look->taken_ns = pl_clock_ns(CLOCK_MONOTONIC);
	if (live->before_ns)
		look->interval_ns = look->taken_ns - live->before_ns;
	for (size_t i = 0; !rc && i < look->n_files; i++)
		rc = read_file(live, look, &look->files[i], err);
	if (rc) {
		pl_live_look_release(look);
		return rc;
	}
	live->before_ns = look->taken_ns;
	add_up(look);
	return 0;
}
