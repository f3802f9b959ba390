/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "core/session.h"

#include "base/hash.h"
#include "core/clock.h"
#include "core/fallback.h"
#include "core/live.h"
#include "core/notice.h"
#include "core/recorder_inline.h"
#include "core/uuid.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

__thread struct pl_tls pl_tls;
uint32_t pl_epoch = 1;
char *pl_session_parent_digits;

/* Every session that is ON or was; guarded by registry_lock. */
static struct pl_session *registry;
static pthread_mutex_t registry_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t thread_end_key;

/* Not a counter that other threads wait on: any change will do. */
static void bump_epoch(void)
{
	__atomic_add_fetch(&pl_epoch, 1, __ATOMIC_RELEASE);
}

/* ------------------------------------------------------- thread lists -- */

static struct pl_recorder_priv *find_priv(struct pl_session *s,
					  const struct pl_tls *tls)
{
	for (struct pl_recorder_priv *p = s->recorders; p; p = p->next)
		if (p->tls == tls)
			return p;
	return NULL;
}

/* One that has ended and may go on as a new one of @s would be. */
static bool fits(const struct pl_session *s, const struct pl_recorder *r)
{
	return r->scope_id == s->scope_id && r->scope == s->scope &&
	       !(r->flags & PL_RECORDER_NO_SUBCALLS) == !s->no_subcalls &&
	       !(r->flags & PL_RECORDER_WITHIN) == !s->inside;
}

static struct pl_recorder_priv *take_over(struct pl_session *s)
{
	struct pl_recorder_priv *p, **at = &s->ended;

	if (!s->options.max_threads ||
	    s->n_recorders < s->options.max_threads)
		return NULL;
	while ((p = *at) && !fits(s, p->r))
		at = &p->next;
	if (!p || !pl_recorder_take_over(p->r))
		return NULL;
	*at = p->next;
	return p;
}

static struct pl_recorder_priv *make(struct pl_session *s)
{
	struct pl_recorder *r = pl_recorder_new(s);

	if (!r)
		return NULL;
	r->scope_id = s->scope_id;
	r->scope = s->scope;
	s->n_recorders++;
	return (struct pl_recorder_priv *)r->priv;
}

/* The calling thread's recorder in @s, made if need be; NULL: no room. */
static struct pl_recorder_priv *attach(struct pl_session *s,
				       struct pl_tls *tls)
{
	struct pl_recorder_priv *p = find_priv(s, tls);

	if (!p) {
		p = take_over(s);
		if (!p)
			p = make(s);
		if (!p)
			return NULL;
		p->tls = tls;
		p->next = s->recorders;
		s->recorders = p;
		if (!tls->registered) {
			pthread_setspecific(thread_end_key, tls);
			tls->registered = true;
		}
	}
	p->attached = true;
	return p;
}

/* End @p, one of the list of those in use at *@at; its place there is the next
 * one's. */
static void end_recorder(struct pl_session *s, struct pl_recorder_priv **at)
{
	struct pl_recorder_priv *p = *at;

	pl_recorder_end(p->r);
	p->tls = NULL;
	p->attached = false;
	*at = p->next;
	p->next = s->ended;
	s->ended = p;
}

static void rebuild(struct pl_tls *tls)
{
	tls->first = NULL;
	for (struct pl_session *s = registry; s; s = s->next) {
		struct pl_recorder_priv *p;

		if (s->state != PL_SESSION_ON)
			continue;
		p = s->all_threads ? attach(s, tls) : find_priv(s, tls);
		if (p && p->attached) {
			p->r->more = (uint64_t)(uintptr_t)tls->first;
			tls->first = p->r;
		}
	}
	tls->only = tls->first && !tls->first->more &&
		    !(tls->first->clock | tls->first->ticks_ns) &&
		    !(tls->first->flags & PL_RECORDER_WITHIN) ?
			    tls->first : NULL;
}

static void reborn(struct pl_session *s, struct pl_tls *tls);
static int open_process(struct pl_session *s, const uint8_t uuid[16],
			struct pl_error *err);
static uint32_t put_str(struct pl_recording *rec, const char *text, size_t len);

void pl_tls_sync(struct pl_tls *tls)
{
	void (*chore)(void) = tls->chore;

	pthread_mutex_lock(&registry_lock);
	for (struct pl_session *s = registry; s; s = s->next)
		if (s->fork_pending)
			reborn(s, tls);
	tls->epoch = __atomic_load_n(&pl_epoch, __ATOMIC_ACQUIRE);
	rebuild(tls);
	pthread_mutex_unlock(&registry_lock);
	tls->chore = NULL;
	if (chore)
		chore();
}

void pl_tls_at_next_event(void (*chore)(void))
{
	pl_tls.chore = chore;
	pl_tls.epoch = __atomic_load_n(&pl_epoch, __ATOMIC_RELAXED) - 1;
}

/* A list may hold an old recorder of a reused address. */
static void thread_leaves(struct pl_session *s, const struct pl_tls *tls)
{
	struct pl_recorder_priv **at = &s->recorders, *p;

	while ((p = *at)) {
		if (p->tls == tls && s->state != PL_SESSION_DONE) {
			end_recorder(s, at);
			continue;
		}
		if (p->tls == tls) {
			p->tls = NULL;
			p->attached = false;
		}
		at = &p->next;
	}
}

static void thread_ends(void *arg)
{
	struct pl_tls *tls = arg;

	pthread_mutex_lock(&registry_lock);
	for (struct pl_session *s = registry; s; s = s->next)
		if (!s->fork_pending)
			thread_leaves(s, tls);
	tls->first = tls->only = NULL;
	tls->registered = false;
	pthread_mutex_unlock(&registry_lock);
}

struct pl_recorder *pl_session_recorder(struct pl_session *s)
{
	struct pl_recorder_priv *p;

	pthread_mutex_lock(&registry_lock);
	p = find_priv(s, &pl_tls);
	pthread_mutex_unlock(&registry_lock);
	return p ? p->r : NULL;
}

/* ---------------------------------------------------------------- fork -- */

/*
 * The child shares the parent's mapped file and must not write to it.  Its own
 * recording begins at its first event, not at the fork: most children exec at
 * once and never have one.  By then the parent may have gone on, so the open
 * call path is copied before the fork.
 */
static void snapshot_path(struct pl_session *s)
{
	struct pl_recorder_priv *p = find_priv(s, &pl_tls);
	struct pl_frame *frames;
	size_t n;

	s->carry.n = 0;
	if (!p || s->state != PL_SESSION_ON)
		return;
	frames = (struct pl_frame *)p->r->stack;
	n = (p->r->sp - p->r->stack) / sizeof(*frames);
	if (n > s->carry.capacity) {
		pl_pages_free(s->carry.calls,
			      s->carry.capacity * sizeof(*s->carry.calls));
		s->carry.capacity = n * 2 + 256;
		s->carry.calls = pl_pages_alloc(s->carry.capacity *
						sizeof(*s->carry.calls));
		if (!s->carry.calls) {
			s->carry.capacity = 0;
			return;
		}
	}
	for (size_t i = 1; i < n; i++) {
		struct pl_node *node = pl_node_at(p->r, frames[i].node);

		s->carry.calls[s->carry.n++] = (struct pl_carried){
			.key = node->key, .func = node->func,
			.flags = frames[i].flags,
		};
	}
}

static void before_fork(void)
{
	pthread_mutex_lock(&registry_lock);
	for (struct pl_session *s = registry; s; s = s->next) {
		pthread_mutex_lock(&s->rec.lock);
		if (s->rec.fd >= 0 && !s->fork_pending)
			snapshot_path(s);
	}
}

static void after_fork_parent(void)
{
	for (struct pl_session *s = registry; s; s = s->next)
		pthread_mutex_unlock(&s->rec.lock);
	pthread_mutex_unlock(&registry_lock);
}

/*
 * A recording in private memory goes on in the child with what it has, as a
 * recording of its own: under the parent's uuid only one of the two would get
 * into a database.
 */
static void adopt(struct pl_session *s)
{
	struct pl_rec_header *h = s->rec.header;
	struct pl_recorder_priv *p = find_priv(s, &pl_tls);

	memcpy(h->parent_uuid, h->uuid, 16);
	pl_recording_name(&s->rec);
	h->flags |= PL_REC_F_FORKED;
	if (p)
		p->r->tid = (uint32_t)syscall(SYS_gettid);
}

/* Threads other than the one that forked are not in the child. */
static void drop_other_threads(struct pl_session *s)
{
	struct pl_recorder_priv **at = &s->recorders;

	while (*at)
		if ((*at)->tls && (*at)->tls != &pl_tls)
			end_recorder(s, at);
		else
			at = &(*at)->next;
}

static void after_fork_child(void)
{
	for (struct pl_session *s = registry; s; s = s->next) {
		pthread_mutex_init(&s->rec.lock, NULL);
		pl_recording_leave_life(&s->rec);
		if (s->rec.fd < 0 && s->state != PL_SESSION_DONE) {
			adopt(s);
			drop_other_threads(s);
		} else if (s->state != PL_SESSION_DONE) {
			s->fork_pending = true;
		}
	}
	pl_tls.first = NULL;
	pl_tls.epoch = 0;
	bump_epoch();
	if (!pl_epoch)
		bump_epoch();
	pthread_mutex_init(&registry_lock, NULL);
}

static void forget_list(struct pl_recorder_priv **list)
{
	struct pl_recorder_priv *p;

	while ((p = *list)) {
		*list = p->next;
		pl_recorder_free_priv(p);
	}
}

static void forget_recorders(struct pl_session *s)
{
	forget_list(&s->recorders);
	forget_list(&s->ended);
	s->n_recorders = 0;
}

static uint32_t copy_func(struct pl_recording *to,
			  const struct pl_recording *from, uint32_t id)
{
	const struct pl_func *f =
		(const struct pl_func *)(from->base + (uint64_t)id * 32);
	struct pl_funcdesc d = { .line = f->line, .kind = f->kind };
	const struct {
		uint32_t id;
		const char **text;
		size_t *len;
	} parts[] = {
		{ f->file, &d.file, &d.file_len },
		{ f->name, &d.name, &d.name_len },
		{ f->qualname, &d.qualname, &d.qualname_len },
		{ f->module, &d.module, &d.module_len },
	};

	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
		const struct pl_str *s;

		if (!parts[i].id)
			continue;
		s = (const struct pl_str *)(from->base +
					    (uint64_t)parts[i].id * 8);
		*parts[i].text = s->bytes;
		*parts[i].len = s->len;
	}
	return id ? pl_recording_func(to, &d) : 0;
}

static uint32_t copy_str(struct pl_recording *to,
			 const struct pl_recording *from, uint32_t id)
{
	const struct pl_str *s =
		(const struct pl_str *)(from->base + (uint64_t)id * 8);

	return id ? put_str(to, s->bytes, s->len) : 0;
}

/* Open the calls that were open at the fork, with no call counted. */
static void carry_path(struct pl_session *s, struct pl_recorder *r,
		       const struct pl_recording *from)
{
	for (size_t i = 0; i < s->carry.n; i++) {
		struct pl_carried *c = &s->carry.calls[i];
		uint32_t func = copy_func(&s->rec, from, c->func);
		struct pl_node *n;

		if (!func)
			continue;
		pl_recording_set_key(&s->rec, c->key, func);
		n = pl_child_add(r, c->key, func);
		pl_push(r, n, 0, c->flags | PL_FRAME_CARRIED);
		n->calls--;
	}
}

static void copy_costs(struct pl_rec_header *to,
		       const struct pl_rec_header *from)
{
	to->cost_py_in = from->cost_py_in;
	to->cost_py_out = from->cost_py_out;
	to->cost_c_in = from->cost_c_in;
	to->cost_c_out = from->cost_c_out;
	to->cost_error = from->cost_error;
}

static void reborn(struct pl_session *s, struct pl_tls *tls)
{
	struct pl_recording from = s->rec;
	struct pl_rec_header old = *from.header;
	struct pl_recorder_priv *p;
	struct pl_error err = { 0 };

	forget_recorders(s);
	memcpy(s->options.run, old.run_uuid, 16);
	memcpy(s->options.parent, old.uuid, 16);
	if (open_process(s, NULL, &err)) {
		s->rec = from;
		s->state = PL_SESSION_DONE;
		s->fork_pending = false;
		if (s->complain)
			s->complain(&err);
		if (s->options.collected)
			pl_notice_send(s->options.run, PL_NOTICE_FAILED, NULL,
				       err.text, -1);
		return;
	}
	if (*err.text && s->complain)
		s->complain(&err);
	s->rec.header->flags |= PL_REC_F_FORKED |
		(s->state == PL_SESSION_ON ? 0 : PL_REC_F_STOPPED);
	s->rec.header->python = copy_str(&s->rec, &from, old.python);
	copy_costs(s->rec.header, &old);
	p = s->state == PL_SESSION_ON ? attach(s, tls) : NULL;
	if (p)
		carry_path(s, p->r, &from);
	/* Shared with the parent: unmap it, its file is not ours to change. */
	pl_recording_close(&from);
	/* Last: until then a signal's handler that ends the process finds
	 * nothing to be finished. */
	__atomic_store_n(&s->fork_pending, false, __ATOMIC_RELEASE);
}

/* ------------------------------------------------------------ registry -- */

static void init_once(void)
{
	pthread_key_create(&thread_end_key, thread_ends);
	pthread_atfork(before_fork, after_fork_parent, after_fork_child);
}

static void register_session(struct pl_session *s)
{
	pthread_once(&once, init_once);
	pthread_mutex_lock(&registry_lock);
	s->next = registry;
	registry = s;
	pthread_mutex_unlock(&registry_lock);
}

static void unregister_session(struct pl_session *s)
{
	pthread_mutex_lock(&registry_lock);
	for (struct pl_session **at = &registry; *at; at = &(*at)->next) {
		if (*at == s) {
			*at = s->next;
			break;
		}
	}
	pthread_mutex_unlock(&registry_lock);
}

/* If the process ends with no word now, its recording has all that it was to
 * have.  A forked child has not got a recording of its own yet. */
static void note_stopped(struct pl_session *s)
{
	uint32_t *flags = &s->rec.header->flags;

	if (s->fork_pending)
		return;
	if (s->state == PL_SESSION_ON)
		__atomic_and_fetch(flags, ~(uint32_t)PL_REC_F_STOPPED,
				   __ATOMIC_RELEASE);
	else
		__atomic_or_fetch(flags, PL_REC_F_STOPPED, __ATOMIC_RELEASE);
}

int pl_session_start(struct pl_session *s, struct pl_error *err)
{
	bool ok;

	if (s->state == PL_SESSION_DONE)
		return pl_fail(err, PL_ERR_ARG, "the recording is finished");
	pthread_mutex_lock(&registry_lock);
	ok = s->all_threads || attach(s, &pl_tls);
	if (ok) {
		s->state = PL_SESSION_ON;
		note_stopped(s);
		bump_epoch();
	}
	pthread_mutex_unlock(&registry_lock);
	if (!ok)
		return pl_fail(err, PL_ERR_NOMEM, "no memory for a recorder");
	pl_tls_sync(&pl_tls);
	return 0;
}

static void unwind_all(struct pl_session *s, bool may_call)
{
	for (struct pl_recorder_priv *p = s->recorders; p; p = p->next)
		pl_recorder_unwind(p->r, may_call);
}

/*
 * A timer of the user's runs Python code, which has events, which may want the
 * lock: the list is looked at under the lock, and may change between two
 * recorders.
 */
static void unwind_by_timer(struct pl_session *s)
{
	struct pl_recorder_priv *p;

	for (;;) {
		pthread_mutex_lock(&registry_lock);
		p = s->recorders;
		while (p && !pl_recorder_is_open(p->r))
			p = p->next;
		pthread_mutex_unlock(&registry_lock);
		if (!p)
			return;
		pl_recorder_unwind(p->r, true);
	}
}

void pl_session_stop(struct pl_session *s)
{
	bool was_on;

	pthread_mutex_lock(&registry_lock);
	was_on = s->state == PL_SESSION_ON;
	if (was_on) {
		s->state = PL_SESSION_IDLE;
		for (struct pl_recorder_priv *p = s->recorders; p; p = p->next)
			p->attached = false;
		bump_epoch();
	}
	was_on = was_on && !s->fork_pending;
	if (was_on && s->quiesce) {
		/* A thread that waits for our lock is in an event. */
		pthread_mutex_unlock(&registry_lock);
		s->quiesce();
		pthread_mutex_lock(&registry_lock);
	}
	if (was_on && !s->timer) {
		unwind_all(s, true);
		note_stopped(s);
	}
	pthread_mutex_unlock(&registry_lock);
	pl_tls_sync(&pl_tls);
	if (was_on && s->timer)
		unwind_by_timer(s);
}

void pl_session_unwind(struct pl_session *s)
{
	pthread_mutex_lock(&registry_lock);
	if (!s->fork_pending)
		unwind_all(s, false);
	pthread_mutex_unlock(&registry_lock);
}

void pl_session_builtins(struct pl_session *s, bool builtins)
{
	pthread_mutex_lock(&registry_lock);
	s->options.builtins = builtins;
	for (struct pl_recorder_priv *p = s->recorders; p; p = p->next) {
		if (s->fork_pending)
			break;
		p->r->flags &= ~(uint32_t)PL_RECORDER_BUILTINS;
		p->r->flags |= builtins ? PL_RECORDER_BUILTINS : 0;
	}
	pthread_mutex_unlock(&registry_lock);
}

void pl_session_split(struct pl_session *s)
{
	pthread_mutex_lock(&registry_lock);
	while (s->recorders && s->state == PL_SESSION_IDLE && !s->fork_pending)
		end_recorder(s, &s->recorders);
	pthread_mutex_unlock(&registry_lock);
}

/*
 * Calls still open stay open: a reader adds their time until the end.  Other
 * threads may be in the middle of an event just now (exit() from a C thread,
 * say), and their stacks are theirs.
 */
void pl_session_finish_now(struct pl_session *s, enum pl_end end, int status)
{
	if (s->state != PL_SESSION_DONE && !s->fork_pending) {
		pl_recording_sync(&s->rec);
		s->rec.header->end_status = status;
		__atomic_store_n(&s->rec.header->end, end, __ATOMIC_RELEASE);
	}
	s->state = PL_SESSION_DONE;
	bump_epoch();
}

void pl_session_finish(struct pl_session *s, enum pl_end end, int status)
{
	pthread_mutex_lock(&registry_lock);
	pl_session_finish_now(s, end, status);
	pthread_mutex_unlock(&registry_lock);
}

void pl_session_close(struct pl_session *s)
{
	unregister_session(s);
	forget_recorders(s);
	if (s->rec.base)
		pl_recording_close(&s->rec);
	pl_pages_free(s->carry.calls,
		      s->carry.capacity * sizeof(*s->carry.calls));
	memset(&s->carry, 0, sizeof(s->carry));
}

void pl_session_trim_all(void)
{
	pthread_mutex_lock(&registry_lock);
	for (struct pl_session *s = registry; s; s = s->next)
		if (!s->fork_pending)
			pl_recording_trim(&s->rec);
	pthread_mutex_unlock(&registry_lock);
}

size_t pl_session_bytes(const struct pl_session *s)
{
	return (size_t)s->rec.header->n_cells * PL_CELL;
}

/* ------------------------------------------------------------- opening -- */

static uint32_t put_str(struct pl_recording *rec, const char *text, size_t len)
{
	return len ? pl_recording_str(rec, text, len) : 0;
}

static uint32_t put_file(struct pl_recording *rec, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t size = 1u << 17;		/* most of a long command line */
	char *buf = fd < 0 ? NULL : pl_pages_alloc(size);
	uint32_t id = 0;
	size_t n = 0;
	ssize_t got;

	while (buf && n < size && (got = read(fd, buf + n, size - n)) > 0)
		n += (size_t)got;
	if (n && !buf[n - 1])
		n--;
	if (buf)
		id = put_str(rec, buf, n);
	pl_pages_free(buf, size);
	if (fd >= 0)
		close(fd);
	return id;
}

/* Who we are, for the run's history. */
static void describe(struct pl_session *s)
{
	struct pl_recording *rec = &s->rec;
	struct pl_rec_header *h = rec->header;
	char buf[4096];
	ssize_t n;

	h->argv = put_file(rec, "/proc/self/cmdline");
	n = readlink("/proc/self/exe", buf, sizeof(buf));
	h->exe = n > 0 ? put_str(rec, buf, (size_t)n) : 0;
	if (getcwd(buf, sizeof(buf)))
		h->cwd = put_str(rec, buf, strlen(buf));
	if (!gethostname(buf, sizeof(buf)))
		h->host = put_str(rec, buf, strnlen(buf, sizeof(buf)));
	h->label = put_str(rec, s->options.label, strlen(s->options.label));
	h->db_path = put_str(rec, s->options.out, strlen(s->options.out));
	memcpy(h->run_uuid, s->options.run, 16);
	memcpy(h->parent_uuid, s->options.parent, 16);
	h->max_nodes = s->options.max_nodes;
	rec->max_functions = s->options.max_functions;
	h->flags |= (s->options.builtins ? PL_REC_F_BUILTINS : 0) |
		    (s->options.all_calls ? PL_REC_F_ALL_CALLS : 0);
}

void pl_session_scope(struct pl_session *s, const char *text, size_t len)
{
	pl_session_split(s);
	s->scope_id++;
	s->scope = put_str(&s->rec, text, len);
}

void pl_session_join(struct pl_session *s, const uint8_t run[16],
		     const char *label, size_t len)
{
	if (run)
		memcpy(s->rec.header->run_uuid, run, 16);
	s->rec.header->label = put_str(&s->rec, label, len);
}

static int create_in(struct pl_session *s, const char *stem,
		     const uint8_t uuid[16], struct pl_error *err)
{
	char path[sizeof(s->options.out) + 64], hex[33];
	int rc, n;

	pl_uuid_format(uuid, hex);
	n = snprintf(path, sizeof(path), "%s.%u-%.8s" PL_REC_SUFFIX, stem,
		     (unsigned)getpid(), hex);
	if (n < 0 || (size_t)n >= sizeof(path))
		return pl_fail(err, PL_ERR_ARG, "%s: name too long", stem);
	rc = pl_recording_create(&s->rec, path, s->options.clock, err);
	if (!rc)
		memcpy(s->rec.header->uuid, uuid, 16);
	return rc;
}

/* out= made absolute: the program may change its folder. */
static int make_absolute(struct pl_options *o, struct pl_error *err)
{
	char cwd[sizeof(o->out)];
	size_t len = strlen(o->out), cwd_len;

	if (*o->out == '/')
		return 0;
	if (!getcwd(cwd, sizeof(cwd)))
		return pl_fail_errno(err, PL_ERR_SYS, "no current folder");
	cwd_len = strlen(cwd);
	if (cwd_len + 1 + len >= sizeof(o->out))
		return pl_fail(err, PL_ERR_ARG, "out=%s: name too long",
			       o->out);
	memmove(o->out + cwd_len + 1, o->out, len + 1);
	memcpy(o->out, cwd, cwd_len);
	o->out[cwd_len] = '/';
	return 0;
}

/* Children find in their environment whose children they are. */
static void tell_children(const struct pl_session *s)
{
	char hex[33];

	if (!pl_session_parent_digits)
		return;
	pl_uuid_format(s->rec.header->uuid, hex);
	memcpy(pl_session_parent_digits, hex, 32);
}

/* Create the recording where the calling user may. */
static int create_elsewhere(struct pl_session *s, const uint8_t uuid[16],
			    struct pl_error *err)
{
	const char *slash = strrchr(s->options.out, '/');
	char dir[512], stem[1024];

	for (unsigned int i = 0; i < PL_N_FALLBACKS; i++) {
		if (!pl_fallback_make(i, dir, sizeof(dir)))
			continue;
		snprintf(stem, sizeof(stem), "%s%.255s", dir, slash);
		if (!create_in(s, stem, uuid, err)) {
			s->is_elsewhere = true;
			return 0;
		}
	}
	return PL_ERR_SYS;
}

static int open_process(struct pl_session *s, const uint8_t uuid[16],
			struct pl_error *err)
{
	struct pl_error first = { 0 }, second = { 0 };
	uint8_t id[16];
	int rc;

	rc = make_absolute(&s->options, err);
	if (!rc)
		rc = pl_options_check_database(s->options.out, err);
	if (rc)
		return rc;
	if (uuid)
		memcpy(id, uuid, 16);
	else
		pl_uuid_make(id);
	if (pl_uuid_is_zero(s->options.run))
		pl_uuid_make(s->options.run);
	s->all_threads = true;
	s->is_elsewhere = false;
	rc = create_in(s, s->options.out, id, &first);
	if (rc)
		rc = create_elsewhere(s, id, &second);
	if (rc)
		rc = pl_recording_create(&s->rec, NULL, s->options.clock,
					 &second);
	if (rc)
		return pl_fail(err, rc, "%s", first.text);
	if (!s->rec.path)
		memcpy(s->rec.header->uuid, id, 16);
	describe(s);
	tell_children(s);
	/* The launcher has the file then, wherever it is. */
	s->is_collected = s->options.collected &&
			  pl_session_tell(s, PL_NOTICE_BEGUN) && s->rec.path;
	if (*first.text && err && !s->is_collected)
		pl_fail(err, PL_OK, "%s; recording in %s instead", first.text,
			s->rec.path ? s->rec.path : "memory");
	return 0;
}

bool pl_session_tell(const struct pl_session *s, enum pl_notice_kind kind)
{
	return pl_notice_send(s->options.run, kind, s->rec.header->uuid,
			      s->rec.path ? s->rec.path : "", s->rec.fd);
}

static bool make_fallback(char *dir, size_t size)
{
	for (unsigned int i = 0; i < PL_N_FALLBACKS; i++)
		if (pl_fallback_make(i, dir, size))
			return true;
	return false;
}

/* A file for what belongs to the database @db, in our fallback folder. */
static int open_fallback(const char *db, const struct pl_rec_header *h,
			 char *path, size_t size, struct pl_error *err)
{
	const char *slash = strrchr(db, '/');
	char dir[512], hex[33];
	int fd, n;

	if (!make_fallback(dir, sizeof(dir)))
		return pl_fail(err, PL_ERR_SYS, "there is no folder to keep "
			       "a recording in");
	pl_uuid_format(h->uuid, hex);
	n = snprintf(path, size, "%s/%s.%u-%.8s" PL_REC_SUFFIX, dir,
		     slash ? slash + 1 : db, (unsigned)h->pid, hex);
	if (n < 0 || (size_t)n >= size)
		return pl_fail(err, PL_ERR_ARG, "%s: name too long", db);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
		  0600);
	return fd >= 0 ? fd : pl_fail_errno(err, PL_ERR_SYS,
					    "cannot create %s", path);
}

int pl_session_keep(const char *db, const void *recording, size_t bytes,
		    char *path, size_t size, struct pl_error *err)
{
	const char *from = recording;
	int fd = open_fallback(db, recording, path, size, err), rc = 0;

	if (fd < 0)
		return fd;
	while (!rc && bytes) {
		ssize_t n = write(fd, from, bytes < 1u << 20 ? bytes
							     : 1u << 20);

		if (n > 0) {
			from += n;
			bytes -= (size_t)n;
		} else if (n == 0 || errno != EINTR) {
			rc = pl_fail_errno(err, PL_ERR_FULL, "cannot write %s",
					   path);
		}
	}
	close(fd);
	if (rc)
		unlink(path);
	return rc;
}

int pl_session_open_process(struct pl_session *s, const uint8_t uuid[16],
			    struct pl_error *err)
{
	int rc = open_process(s, uuid, err);

	if (!rc)
		register_session(s);
	return rc;
}

int pl_session_open_private(struct pl_session *s, enum pl_clock_kind clock,
			    struct pl_error *err)
{
	int rc = pl_recording_create(&s->rec, NULL, clock, err);

	if (rc)
		return rc;
	s->is_scope = true;
	s->options.clock = clock;
	describe(s);
	register_session(s);
	return 0;
}
