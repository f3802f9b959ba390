/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "probe/probe.h"

#include "base/hash.h"
#include "core/recorder_inline.h"
#include "probe/greenlets.h"
#include "probe/names.h"
#include "probe/sysprofile.h"

#include <pthread.h>
#include <string.h>

/* What the probe knows of a session: its `probe`. */
struct side {
	PyObject *owner;		/* borrowed while it is on */
	PyInterpreterState *interpreter; /* whose the objects kept are */
	bool c_calls;			/* counted in n_c_calls */
	struct pl_session *next;	/* in `disposed` */
	/* Objects kept alive, in order of first sight. */
	struct kept {
		PyObject *object;
		uint32_t func;
	} *kept;
	size_t n, capacity;
	size_t n_stuck;			/* that no sweep lets go of */
	size_t sweep_at;		/* so many are looked through */
	uint8_t recording[16];		/* whose numbers `func` are */
	/* Objects of other interpreters, let go of when those end. */
	struct stranger {
		PyObject *object;
		int64_t interpreter;
	} *strangers;
	size_t n_strangers, strangers_capacity;
	struct pl_session *session;
	struct side *next_side;
};

/* Of all sessions.  Guarded by event_lock. */
static struct side *sides;

/* How many sessions are on, and what they need.  Guarded by the GIL, as is all
 * below. */
static int n_sessions, n_all_threads, n_c_calls;

/* Events that have Python code running inside of them, and the sessions that
 * wait for their end to be freed. */
static int n_held;
static __thread int n_held_here;
static struct pl_session *disposed;

#ifdef PL_FREE_THREADED
static PyMutex life_lock;		/* who begins or ends a session */

static void lock_life(void)
{
	PyMutex_Lock(&life_lock);
}

static void unlock_life(void)
{
	PyMutex_Unlock(&life_lock);
}
#else
static inline void lock_life(void)
{
}

static inline void unlock_life(void)
{
}
#endif

/* Of first sights alone: free threads have them at the same time, and so do
 * interpreters with a GIL of their own. */
static pthread_mutex_t event_lock = PTHREAD_MUTEX_INITIALIZER;

static void lock_event(void)
{
	pthread_mutex_lock(&event_lock);
}

static void unlock_event(void)
{
	pthread_mutex_unlock(&event_lock);
}

void pl_probe_lock(void)
{
	lock_event();
}

void pl_probe_unlock(void)
{
	unlock_event();
}

/* The other threads are not in the child, and nothing of what they held. */
static void after_fork_child(void)
{
	pthread_mutex_init(&event_lock, NULL);
#ifdef PL_FREE_THREADED
	memset(&life_lock, 0, sizeof(life_lock));
#endif
	n_held = n_held_here;
}

static void watch_forks(void)
{
	pthread_atfork(lock_event, unlock_event, after_fork_child);
}

static const struct pl_probe_ops *back_end(void)
{
	return pl_py.version >= 0x030c ? &pl_probe_monitoring
				       : &pl_probe_setprofile;
}

/* --------------------------------------------------------- first sight -- */

static struct pl_session *session_of(struct pl_recorder *r)
{
	return ((struct pl_recorder_priv *)r->priv)->session;
}

/*
 * A program that compiles as it goes (eval of a text, templates, namedtuple)
 * makes code objects without end.  Those that nobody else holds any more will
 * not run again: when there are many more than there were, they are let go, all
 * but the first of each function, and their addresses forgotten.
 */
#define SWEEP_LEAST 4096

/* In the key of a callable that is known by its type: no address ends so. */
#define TYPE_KEY 2

/* Whether the count of references tells that only we hold a code object: free
 * threads count in another way. */
#ifdef PL_FREE_THREADED
static const bool can_sweep = false;
#else
static const bool can_sweep = true;
#endif

/* A forked child's recording numbers functions anew.  What the parent had seen
 * is found there by its address, or has no number yet. */
static void renumber(struct pl_session *s)
{
	const uint8_t *uuid = s->rec.header ? s->rec.header->uuid : NULL;
	struct side *side = s->probe;

	if (!uuid || !memcmp(side->recording, uuid, sizeof(side->recording)))
		return;
	memcpy(side->recording, uuid, sizeof(side->recording));
	for (size_t i = 0; i < side->n; i++) {
		uint64_t at = (uint64_t)(uintptr_t)side->kept[i].object;
		uint32_t func = pl_recording_key(&s->rec, at);

		side->kept[i].func = func ? func :
				     pl_recording_key(&s->rec, at | TYPE_KEY);
	}
}

static bool is_dead(const struct kept *k)
{
	return Py_TYPE(k->object) == pl_py.code_type &&
	       Py_REFCNT(k->object) == 1;
}

/* Addresses of the dead, ascending; @seen has room for a bit a function. */
static size_t find_dead(const struct side *side, uint8_t *seen, uint64_t *dead)
{
	size_t n = 0;

	for (size_t i = 0; i < side->n; i++) {
		const struct kept *k = &side->kept[i];
		uint8_t bit = (uint8_t)(1 << k->func % 8);

		if (seen[k->func / 8] & bit && is_dead(k))
			dead[n++] = (uint64_t)(uintptr_t)k->object;
		seen[k->func / 8] |= bit;
	}
	pl_keys_sort(dead, n);
	return n;
}

static void let_go(struct side *side, const uint64_t *dead, size_t n_dead)
{
	size_t n = 0;

	for (size_t i = 0; i < side->n; i++)
		if (!pl_key_is_among((uintptr_t)side->kept[i].object, dead,
				     n_dead))
			side->kept[n++] = side->kept[i];
	side->n = n;
	/* Last: a weak reference may have a function, which comes here. */
	for (size_t i = 0; i < n_dead; i++)
		Py_DECREF((PyObject *)(uintptr_t)dead[i]);
}

static void sweep(struct pl_session *s)
{
	struct side *side = s->probe;
	size_t seen_bytes = s->rec.next_page * PL_PAGE / 32 / 8 + 1;
	size_t dead_bytes = side->n * sizeof(uint64_t), n;
	uint8_t *seen = pl_pages_alloc(seen_bytes);
	uint64_t *dead = pl_pages_alloc(dead_bytes);

	renumber(s);
	if (seen && dead) {
		n = find_dead(side, seen, dead);
		if (pl_recording_forget_keys(&s->rec, dead, n))
			let_go(side, dead, n);
	}
	pl_pages_free(seen, seen_bytes);
	pl_pages_free(dead, dead_bytes);
	/* A sweep costs as much as there is to look through: so many new
	 * objects pay for the next one. */
	side->sweep_at = side->n + side->n / 4 + SWEEP_LEAST +
			 s->rec.header->n_nodes / 64;
}

/* Room for one more item of @size bytes in the array *@items. */
static bool reserve(void *items, size_t n, size_t *capacity, size_t size)
{
	void **array = items;
	size_t more = *capacity ? *capacity * 2 : 256;
	void *bigger;

	if (n < *capacity)
		return true;
	bigger = pl_pages_alloc(more * size);
	if (!bigger)
		return false;
	if (n)
		memcpy(bigger, *array, n * size);
	pl_pages_free(*array, *capacity * size);
	*array = bigger;
	*capacity = more;
	return true;
}

static int64_t current_interpreter(void)
{
	return PyInterpreterState_GetID(PyInterpreterState_Get());
}

/* The one that this thread has seen the end of begin. */
static __thread int64_t left_interpreter = -1;

static bool keep_stranger(struct side *k, PyObject *object, size_t most)
{
	int64_t interpreter = current_interpreter();

	if (interpreter == left_interpreter ||
	    (most && k->n_strangers >= most) ||
	    !reserve(&k->strangers, k->n_strangers, &k->strangers_capacity,
		     sizeof(*k->strangers)))
		return false;
	Py_INCREF(object);
	k->strangers[k->n_strangers++] =
		(struct stranger){ object, interpreter };
	return true;
}

static bool keep_own(struct side *k, PyObject *object, uint32_t func,
		     size_t most)
{
	bool stuck = !can_sweep || Py_TYPE(object) != pl_py.code_type;

	if ((stuck && most && k->n_stuck >= most) ||
	    !reserve(&k->kept, k->n, &k->capacity, sizeof(*k->kept)))
		return false;
	Py_INCREF(object);
	k->kept[k->n++] = (struct kept){ object, func };
	k->n_stuck += stuck;
	return true;
}

/*
 * Keep @object alive, which is of the function @func; @is_first: the first one.
 * False: it isn't kept, for want of memory or because there are as many as
 * there may be functions that can't be let go of again.
 */
static bool keep(struct pl_session *s, PyObject *object, uint32_t func,
		 bool is_first)
{
	struct side *k = s->probe;
	bool is_own = k->interpreter == PyInterpreterState_Get();
	size_t most = s->rec.max_functions;
	bool kept;

	if (is_own && can_sweep && k->n >= SWEEP_LEAST && k->n >= k->sweep_at)
		sweep(s);
	lock_event();
	renumber(s);
	/* First ones have a bound already, that of functions. */
	kept = is_own ? keep_own(k, object, func, is_first ? 0 : most)
		      : keep_stranger(k, object, most);
	unlock_event();
	return kept;
}

PyObject *pl_probe_object(struct pl_session *s, size_t i, uint32_t *func)
{
	struct side *k = s->probe;
	PyObject *object = NULL;

	lock_event();
	if (k && i < k->n) {
		renumber(s);
		*func = k->kept[i].func;
		object = k->kept[i].object;
	}
	unlock_event();
	return object;
}

/* What must live so that @callable's key is no other's: a callable that is
 * known by its type is itself free to go. */
static PyObject *holder_of(PyObject *callable, uint64_t key)
{
	return key == (uint64_t)(uintptr_t)callable ?
	       callable : (PyObject *)Py_TYPE(callable);
}

enum shape { CODE, CFUNCTION, METHODDESCR, OTHER };

/* *@key becomes that of the function where @callable isn't kept alive. */
static uint32_t name_it(struct pl_recorder *r, enum shape shape, uint64_t *key,
			PyObject *callable, PyObject *self)
{
	struct pl_recording *rec = &session_of(r)->rec;
	bool ok = false, is_kept = true, is_first;
	PyObject *type, *value, *traceback;
	uint32_t func = 0, n_funcs;
	struct pl_named named;

	pl_probe_hold();
	PyErr_Fetch(&type, &value, &traceback);
	switch (shape) {
	case CODE:
		ok = pl_name_code(callable, &named);
		break;
	case CFUNCTION:
		ok = pl_name_cfunction(callable, &named);
		break;
	case METHODDESCR:
		ok = pl_name_methoddescr(callable, self, &named);
		break;
	case OTHER:
		ok = pl_name_other(callable, *key != (uintptr_t)callable,
				   &named);
		break;
	}
	n_funcs = rec->func_set.n;
	if (ok) {
		func = pl_recording_func(rec, &named.desc);
		pl_named_release(&named);
	}
	is_first = rec->func_set.n != n_funcs;
	if (func && (shape == CODE || shape == OTHER))
		is_kept = keep(session_of(r), holder_of(callable, *key), func,
			       is_first);
	if (func && is_kept)
		pl_recording_set_key(rec, *key, func);
	else if (func)
		*key = pl_unheld_key(func);
	PyErr_Restore(type, value, traceback);
	pl_probe_unhold();
	return func;
}

static void name_thread(struct pl_recorder *r)
{
	PyObject *type, *value, *traceback;

	pl_probe_hold();
	PyErr_Fetch(&type, &value, &traceback);
	pl_name_thread(&session_of(r)->rec, r);
	PyErr_Restore(type, value, traceback);
	pl_probe_unhold();
}

static void notice_greenlets(struct pl_recorder *r, uint32_t func)
{
	const struct pl_func *f =
		(const struct pl_func *)(r->base + (uint64_t)func * 32);
	const struct pl_str *file =
		(const struct pl_str *)(r->base + (uint64_t)f->file * 8);
	const struct pl_str *name =
		(const struct pl_str *)(r->base + (uint64_t)f->name * 8);

	pl_greenlets_notice(file->bytes, name->bytes);
}

static struct pl_node *first_sight(struct pl_recorder *r, enum shape shape,
				   uint64_t key, PyObject *callable,
				   PyObject *self)
{
	uint32_t func = pl_recording_key(&session_of(r)->rec, key);

	/* By its 64th path a thread has long entered itself in the list.  A
	 * recorder of several threads has no name: there is no end of them. */
	if (!r->name && r->n_nodes < 64 && r->n_threads <= 1)
		name_thread(r);
	if (!func)
		func = name_it(r, shape, &key, callable, self);
	if (func)
		notice_greenlets(r, func);
	return pl_child_add(r, key, func);
}

uint32_t pl_probe_func(struct pl_recorder *r, uint64_t key)
{
	return pl_recording_key(&session_of(r)->rec, key);
}

struct pl_node *pl_probe_code(struct pl_recorder *r, PyObject *code)
{
	return first_sight(r, CODE, (uint64_t)(uintptr_t)code, code, NULL);
}

struct pl_node *pl_probe_cfunction(struct pl_recorder *r, PyObject *func,
				   uint64_t key)
{
	return first_sight(r, CFUNCTION, key, func, NULL);
}

struct pl_node *pl_probe_methoddescr(struct pl_recorder *r, PyObject *descr,
				     PyObject *self)
{
	uint64_t key =
		(uint64_t)(uintptr_t)((struct pl_methoddescr *)descr)->method;

	return first_sight(r, METHODDESCR, key, descr, self);
}

struct pl_node *pl_probe_other(struct pl_recorder *r, PyObject *callable,
			       uint64_t key)
{
	return first_sight(r, OTHER, key, callable, NULL);
}

/* Whether the type itself says that its instances have a name, as types of
 * functions do. */
static bool has_names(PyTypeObject *type)
{
	PyObject *error, *value, *traceback, *key, *found;
	bool has;

	PyErr_Fetch(&error, &value, &traceback);
	key = PyUnicode_FromString("__name__");
	found = key && pl_py.type_lookup ? pl_py.type_lookup(type, key) : NULL;
	has = found && (Py_TYPE(found) == &PyGetSetDescr_Type ||
			Py_TYPE(found) == &PyMemberDescr_Type);
	Py_XDECREF(key);
	PyErr_Clear();
	PyErr_Restore(error, value, traceback);
	return has;
}

/* Types live as long as the session that has asked. */
static struct {
	PyTypeObject *type;
	bool has_names;
} asked[64];

static void forget_asked(void)
{
	lock_event();
	memset(asked, 0, sizeof(asked));
	unlock_event();
}

uint64_t pl_key_other(PyObject *callable)
{
	PyTypeObject *type = Py_TYPE(callable);
	uint32_t at = pl_hash_u64((uint64_t)(uintptr_t)type) % 64;
	bool known, named;

	if (PyType_Check(callable) || type == &PyWrapperDescr_Type)
		return (uint64_t)(uintptr_t)callable;
	lock_event();
	known = asked[at].type == type;
	named = asked[at].has_names;
	unlock_event();
	if (!known) {
		named = has_names(type);
		lock_event();
		asked[at].has_names = named;
		asked[at].type = type;
		unlock_event();
	}
	return named ? (uint64_t)(uintptr_t)callable :
		       (uint64_t)(uintptr_t)type | TYPE_KEY;
}

/* ---------------------------------------------------- other interpreters -- */

static void add_side(struct pl_session *s, struct side *side)
{
	side->interpreter = PyInterpreterState_Get();
	side->session = s;
	lock_event();
	side->next_side = sides;
	sides = side;
	unlock_event();
}

static void remove_side(struct side *side)
{
	struct side **at = &sides;

	lock_event();
	while (*at && *at != side)
		at = &(*at)->next_side;
	if (*at)
		*at = side->next_side;
	unlock_event();
}

/*
 * Move the objects of @interpreter into @objects, their keys forgotten; how
 * many.  They stay where they are in a forked child whose recording is still
 * its parent's, and without memory.
 */
static size_t take_strangers(struct side *side, int64_t interpreter,
			     uint64_t *objects)
{
	struct stranger *list = side->strangers;
	size_t n = 0, n_left = 0;

	for (size_t i = 0; i < side->n_strangers; i++)
		if (list[i].interpreter == interpreter)
			objects[n++] = (uint64_t)(uintptr_t)list[i].object;
	pl_keys_sort(objects, n);
	if (side->session->fork_pending ||
	    !pl_recording_forget_keys(&side->session->rec, objects, n))
		return 0;
	for (size_t i = 0; i < side->n_strangers; i++)
		if (list[i].interpreter != interpreter)
			list[n_left++] = list[i];
	side->n_strangers = n_left;
	return n;
}

/* Objects are let go of last, and without the lock: a weak reference may have a
 * function, which comes back to us. */
void pl_probe_leave_interpreter(void)
{
	uint64_t *objects;
	size_t bytes = 0, n = 0;

	left_interpreter = current_interpreter();
	if (back_end()->leave)
		back_end()->leave();
	lock_event();
	for (struct side *side = sides; side; side = side->next_side)
		bytes += side->n_strangers * sizeof(*objects);
	objects = bytes ? pl_pages_alloc(bytes) : NULL;
	for (struct side *side = sides; objects && side;
	     side = side->next_side)
		n += take_strangers(side, left_interpreter, objects + n);
	unlock_event();
	for (size_t i = 0; i < n; i++)
		Py_DECREF((PyObject *)(uintptr_t)objects[i]);
	pl_pages_free(objects, bytes);
}

/* ------------------------------------------------- sessions and events -- */

static void count(struct pl_session *s, int by)
{
	struct side *side = s->probe;

	n_sessions += by;
	n_all_threads += s->all_threads ? by : 0;
	n_c_calls += side->c_calls ? by : 0;
}

static bool covers_this_thread(struct pl_session *s)
{
	struct pl_recorder *r = pl_session_recorder(s);

	return r && ((struct pl_recorder_priv *)r->priv)->attached;
}

static int begin(struct pl_session *s, PyObject *owner, struct pl_error *err)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	bool c_calls = s->options.builtins || s->options.all_calls;
	bool on = s->state == PL_SESSION_ON;
	struct side *side = s->probe;
	int rc;

	pthread_once(&once, watch_forks);
	if (on && (s->all_threads || covers_this_thread(s)))
		return 0;
	if (!side)
		side = s->probe = pl_pages_alloc(sizeof(*side));
	if (!side)
		return pl_fail(err, PL_ERR_NOMEM, "no memory");
	if (!side->interpreter)
		add_side(s, side);
	rc = back_end()->attach(s->all_threads, c_calls || n_c_calls, owner,
				err);
	if (rc)
		return rc;
#ifdef PL_FREE_THREADED
	s->quiesce = back_end()->quiesce;
#endif
	if (!on)
		pl_session_unwind(s);
	rc = pl_session_start(s, err);
	if (rc) {
		if (!n_sessions)
			back_end()->detach(s->all_threads, owner);
		return rc;
	}
	side->owner = owner;
	if (!on) {
		side->c_calls = c_calls;
		count(s, 1);
	}
	pl_sysprofile_watch();
	pl_greenlets_begin();
	return 0;
}

int pl_probe_begin(struct pl_session *s, PyObject *owner,
		   struct pl_error *err)
{
	int rc;

	lock_life();
	rc = begin(s, owner, err);
	unlock_life();
	return rc;
}

PyObject *pl_probe_owner(void)
{
	PyObject *owner = NULL;

	for (struct pl_recorder *r = pl_tls_first(); r;
	     r = (struct pl_recorder *)(uintptr_t)r->more) {
		struct side *side = session_of(r)->probe;

		if (side && side->owner)
			owner = side->owner;
	}
	return owner;
}

static void end(struct pl_session *s)
{
	struct side *side = s->probe;
	PyObject *owner;

	if (s->state != PL_SESSION_ON)
		return;
	count(s, -1);
	pl_session_stop(s);
	owner = side->owner;
	side->owner = NULL;
	if (!n_sessions)
		pl_greenlets_end();
	if (!n_sessions)
		back_end()->detach(true, owner);
	else if (!n_all_threads && !pl_tls_first())
		back_end()->detach(false, owner);
	else if (owner)
		back_end()->attach(false, n_c_calls > 0, pl_probe_owner(),
				   NULL);
}

void pl_probe_end(struct pl_session *s)
{
	lock_life();
	end(s);
	unlock_life();
}

bool pl_probe_is_on(void)
{
	return n_sessions > 0;
}

void pl_probe_hold(void)
{
	n_held_here++;
	__atomic_add_fetch(&n_held, 1, __ATOMIC_RELAXED);
}

void pl_probe_unhold(void)
{
	__atomic_sub_fetch(&n_held, 1, __ATOMIC_RELEASE);
	n_held_here--;
}

static bool is_held(void)
{
	return __atomic_load_n(&n_held, __ATOMIC_ACQUIRE);
}

static void free_side(struct side *k)
{
	pl_pages_free(k->kept, k->capacity * sizeof(*k->kept));
	/* The objects are for other interpreters to free: they leak. */
	pl_pages_free(k->strangers,
		      k->strangers_capacity * sizeof(*k->strangers));
	pl_pages_free(k, sizeof(*k));
}

void pl_probe_abandon(struct pl_session *s)
{
	struct side *k = s->probe;

	s->probe = NULL;
	if (!k)
		return;
	remove_side(k);
	free_side(k);
}

static void free_session(struct pl_session *s)
{
	struct side *k = s->probe;

	if (k)
		remove_side(k);
	s->probe = NULL;
	pl_session_close(s);
	pl_pages_free(s, sizeof(*s));
	if (!k)
		return;
	forget_asked();
	for (size_t i = 0; i < k->n; i++)
		Py_DECREF(k->kept[i].object);
	free_side(k);
}

/* The event that holds goes on for a few instructions after the last unhold;
 * no Python code runs in those, so nobody comes here. */
void pl_probe_dispose(struct pl_session *s)
{
	struct pl_session *list = NULL, *one = s;
	bool was_on_once = s->probe;

	lock_life();
	end(s);
	if (was_on_once) {
		((struct side *)s->probe)->next = disposed;
		disposed = s;
	}
	if (!is_held()) {
		list = disposed;
		disposed = NULL;
	}
	unlock_life();
	/* Objects go with it, and their code may come back to us. */
	if (!was_on_once)
		free_session(one);
	while ((one = list)) {
		list = ((struct side *)one->probe)->next;
		free_session(one);
	}
}

int pl_probe_join_interpreter(struct pl_error *err)
{
	pl_sysprofile_watch();
	return back_end()->attach(true, n_c_calls > 0, NULL, err);
}

void pl_probe_thread_keeps(unsigned int key, const void *value)
{
	if (back_end()->thread_keeps)
		back_end()->thread_keeps(key, value);
}

void pl_probe_profile_was_set(PyObject *function, bool is_first)
{
	back_end()->profile_was_set(function, is_first);
}

void pl_probe_forget(void)
{
	n_sessions = n_all_threads = n_c_calls = 0;
	forget_asked();
	pl_greenlets_forget();
	back_end()->forget();
}
