/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "script.h"

#include "core/recorder_inline.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The key of a name is an address in here. */
static uint64_t names[1 << 12];

void script_begin(struct script *s, enum pl_clock_kind clock)
{
	struct pl_error err = { 0 };

	memset(s, 0, sizeof(*s));
	pl_options_init(&s->session.options);
	ck_assert_int_eq(pl_session_open_private(&s->session, clock, &err), 0);
	ck_assert_int_eq(pl_session_start(&s->session, &err), 0);
}

void script_begin_file(struct script *s, const char *db,
		       const uint8_t run[16], const uint8_t parent[16])
{
	struct pl_options *o = &s->session.options;
	struct pl_error err = { 0 };

	memset(s, 0, sizeof(*s));
	pl_options_init(o);
	o->clock = PL_CLOCK_STEP;
	snprintf(o->out, sizeof(o->out), "%s", db);
	if (run)
		memcpy(o->run, run, sizeof(o->run));
	if (parent)
		memcpy(o->parent, parent, sizeof(o->parent));
	ck_assert_int_eq(pl_session_open_process(&s->session, NULL, &err), 0);
	ck_assert_ptr_nonnull(s->session.rec.path);
	ck_assert_int_eq(pl_session_start(&s->session, &err), 0);
}

static uint64_t key_of(const char *name)
{
	uint32_t hash = 5381;

	while (*name)
		hash = hash * 33 + (unsigned char)*name++;
	return (uint64_t)(uintptr_t)&names[hash % (1 << 12)];
}

static struct pl_recorder *recorder_of(struct script *s)
{
	struct pl_recorder *r;

	if (pl_tls.epoch != pl_epoch)
		pl_tls_sync(&pl_tls);
	r = pl_session_recorder(&s->session);
	/* No ck_assert, which allocates: see test_nomem.c. */
	if (!r)
		abort();
	return r;
}

void script_enter(struct script *s, const char *name, int resumed)
{
	struct pl_recorder *r = recorder_of(s);
	struct pl_node *n = pl_child(r, key_of(name));
	struct pl_funcdesc d = {
		.file = "f.py", .file_len = 4, .name = name,
		.name_len = strlen(name), .line = (unsigned char)*name,
	};

	if (!n)
		n = pl_child_add(r, key_of(name),
				 pl_recording_func(&s->session.rec, &d));
	pl_push(r, n, resumed, 0);
}

void script_leave(struct script *s)
{
	struct pl_recorder *r = recorder_of(s);

	pl_leave(r, ((struct pl_node *)(uintptr_t)r->cur)->key, 0);
}

void script_play(struct script *s, const char *text)
{
	for (int resumed = 0; *text; text++) {
		char name[2] = { *text, '\0' };

		if (*text == ')')
			script_leave(s);
		else if (*text != ' ' && *text != '(' && *text != '*')
			script_enter(s, name, resumed);
		resumed = *text == '*';
	}
}

struct pl_recfile *script_read(struct script *s)
{
	struct pl_error err = { 0 };

	if (s->is_open)
		pl_recfile_close(&s->rf);
	pl_recording_sync(&s->session.rec);
	ck_assert_int_eq(pl_recfile_view(&s->rf, s->session.rec.base,
					 pl_session_bytes(&s->session), &err),
			 0);
	s->is_open = true;
	return &s->rf;
}

void script_end(struct script *s)
{
	if (s->is_open)
		pl_recfile_close(&s->rf);
	pl_session_stop(&s->session);
	pl_session_close(&s->session);
}

const char *script_name(const struct pl_recfile *rf, uint32_t func)
{
	const struct pl_func *f = func == UINT32_MAX ? NULL :
		pl_recfile_func(rf, rf->func_ids[func]);

	return f ? pl_recfile_str(rf, f->name, NULL) : "-";
}

const char *script_tree(const struct pl_recfile *rf,
			const struct pl_tree *tree)
{
	static char text[1 << 16];
	char *out = text;
	uint32_t open[256], depth = 0;

	text[0] = '\0';
	for (uint32_t i = 0; i < tree->n; i++) {
		const struct pl_tree_node *t = &tree->nodes[i];

		while (depth && tree->nodes[open[depth - 1]].end <= i) {
			out += sprintf(out, "}");
			depth--;
		}
		ck_assert_uint_lt(depth, 256);
		if (i)
			out += sprintf(out, "%s%s:%llu", out[-1] == '{' ? "" :
				       " ", script_name(rf, t->func),
				       (unsigned long long)t->calls);
		if (t->resumes)
			out += sprintf(out, "+%llu",
				       (unsigned long long)t->resumes);
		out += sprintf(out, "%s%lld-%lld", i ? "/" : "",
			       (long long)t->total_ns, (long long)t->self_ns);
		if (t->end > i + 1) {
			out += sprintf(out, "{");
			open[depth++] = i;
		}
	}
	while (depth--)
		out += sprintf(out, "}");
	return text;
}
