/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "probe/engine.h"

#include "base/filelimit.h"
#include "base/hash.h"
#include "base/mark.h"
#include "core/recorder_inline.h"
#include "core/uuid.h"
#include "probe/attach.h"
#include "probe/calibrate.h"
#include "probe/probe.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

/* How long a process may be held up at its end by a locked database.  After
 * that the recording stays and the next command takes it in. */
#define FINISH_BUSY_MS 2000
#define SAVE_BUSY_MS 10000

/* The one process-wide session.  Guarded by the GIL until finish. */
static struct pl_session *session;
static uint8_t run_uuid[16];

/* PROFLITE_OPTIONS as read by the stub; valid when have_base is set. */
static struct pl_options base_options;
static bool have_base;

/*
 * By what children know this process: the uuid of its recording, or of the one
 * it will begin.  The first recording has the one that stands in the
 * environment.  Where the mark is not set, a fork has been in between, and the
 * uuid is the parent's.
 */
static struct {
	uint8_t uuid[16];
	bool is_free;			/* no recording has it yet */
	struct pl_mark is_ours;
} identity;

/* The session is that of `proflite attach`; or it is about to be. */
static bool attached, attaching;

/* Python keeps no more than 32 of these. */
static bool at_exit_is_set;

typedef int (*store_finish_fn)(const char *rec_path, const char *db_path,
			       int busy_ms, char *msg, size_t size);
typedef int (*store_save_fn)(const void *recording, size_t bytes,
			     const char *db_path, int busy_ms, char *msg,
			     size_t size);

void pl_engine_complain(const struct pl_error *err)
{
	char line[sizeof(err->text) + 16];
	struct pl_filelimit limit;
	int saved = errno;
	int n = snprintf(line, sizeof(line), "proflite: %s\n", err->text);

	pl_filelimit_begin(&limit);
	if (n > 0 && write(STDERR_FILENO, line, (size_t)n) < 0) {
		/* nowhere left to say it */
	}
	pl_filelimit_end(&limit);
	errno = saved;
}

/* --------------------------------------------------------------- store -- */

/* The store lies beside the engine. */
static void *open_store(struct pl_error *err)
{
	static void *handle;
	char path[4096];
	Dl_info info;
	char *slash;

	if (handle)
		return handle;
	if (!dladdr((void *)&open_store, &info) || !info.dli_fname ||
	    strlen(info.dli_fname) + 16 > sizeof(path)) {
		pl_fail(err, PL_ERR_SYS, "cannot tell where the store is");
		return NULL;
	}
	strcpy(path, info.dli_fname);
	slash = strrchr(path, '/');
	strcpy(slash ? slash + 1 : path, "_store.so");
	handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!handle)
		pl_fail(err, PL_ERR_SYS, "cannot load the store: %s",
			dlerror());
	return handle;
}

/*
 * Held by whoever is in the store, as by many readers.  A fork waits for them:
 * the child would find SQLite's own locks taken by threads that are not there.
 */
static pthread_rwlock_t store_lock = PTHREAD_RWLOCK_INITIALIZER;

static void before_fork(void)
{
	pthread_rwlock_wrlock(&store_lock);
}

static void after_fork_parent(void)
{
	pthread_rwlock_unlock(&store_lock);
}

static void after_fork_child(void)
{
	pthread_rwlock_init(&store_lock, NULL);
}

static void watch_forks(void)
{
	pthread_atfork(before_fork, after_fork_parent, after_fork_child);
}

static void enter_store(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, watch_forks);
	pthread_rwlock_rdlock(&store_lock);
}

static void leave_store(void)
{
	pthread_rwlock_unlock(&store_lock);
}

static int save_session(struct pl_session *s, const char *db, int busy_ms,
			struct pl_error *err)
{
	void *store = open_store(err);
	store_save_fn save = NULL;
	char msg[sizeof(err->text)] = "";
	int rc;

	if (store)
		*(void **)&save = dlsym(store, "proflite_store_save");
	if (!save)
		return PL_ERR_SYS;
	pl_recording_sync(&s->rec);
	rc = save(s->rec.base, pl_session_bytes(s), db, busy_ms, msg,
		  sizeof(msg));
	if (rc)
		pl_fail(err, rc, "%s", msg);
	return rc;
}

int pl_engine_save_session(struct pl_session *s, const char *db,
			   struct pl_error *err)
{
	int rc;

	enter_store();
	rc = save_session(s, db, SAVE_BUSY_MS, err);
	leave_store();
	return rc;
}

static int ingest_file(struct pl_session *s, struct pl_error *err)
{
	void *store = open_store(err);
	store_finish_fn finish = NULL;
	char msg[sizeof(err->text)] = "";
	int rc;

	if (store)
		*(void **)&finish = dlsym(store, "proflite_store_finish");
	if (!finish) {
		memcpy(msg, err->text, sizeof(msg));
		return pl_fail(err, PL_ERR_SYS, "%s; the recording stays in %s",
			       msg, s->rec.path);
	}
	rc = finish(s->rec.path, s->options.out, FINISH_BUSY_MS, msg,
		    sizeof(msg));
	if (rc)
		pl_fail(err, rc, "%s; the recording stays in %s", msg,
			s->rec.path);
	return rc;
}

/* Its folder is gone, and nothing can be written where it was.  @rc, @err: what
 * is reported if the recording cannot be kept. */
static int keep(struct pl_session *s, int rc, struct pl_error *err)
{
	char path[sizeof(s->options.out) + 64];
	struct pl_error why = { 0 };

	if (pl_session_keep(s->options.out, s->rec.base, pl_session_bytes(s),
			    path, sizeof(path), &why))
		return rc;
	return pl_fail(err, PL_ERR_NOENT, "the folder of %s is gone; the "
		       "recording is kept in %s: make the folder again and "
		       "run proflite report", s->options.out, path);
}

/* The file is gone.  A command was faster, and the database has it; or somebody
 * removed it, and it goes into the database out of memory.  @rc, @err: what is
 * said if it can't. */
static int ingest_memory(struct pl_session *s, int rc, struct pl_error *err)
{
	struct pl_error why = { 0 };
	int again = save_session(s, s->options.out, FINISH_BUSY_MS, &why);

	if (again && again != PL_ERR_BUSY)
		return keep(s, rc, err);
	*err = why;
	return again;
}

static int ingest(struct pl_session *s, struct pl_error *err)
{
	int rc;

	if (!s->rec.path) /* recorded in memory: now or never */
		return pl_engine_save_session(s, s->options.out, err);
	enter_store();
	rc = ingest_file(s, err);
	if (rc == PL_ERR_NOENT && access(s->rec.path, F_OK))
		rc = ingest_memory(s, rc, err);
	leave_store();
	return rc;
}

/* ------------------------------------------------------------ the life -- */

struct pl_session *pl_engine_session(void)
{
	return session;
}

bool pl_engine_is_on(void)
{
	return session && session->state == PL_SESSION_ON;
}

/* Py_AtExit: all interpreters are gone, and another may come. */
static void finish_at_exit(void)
{
	at_exit_is_set = false;
	pl_engine_finish(PL_END_EXIT, -1, true);
	pl_probe_forget();
}

/* A net under everything else: exit() without finalising Python. */
__attribute__((destructor)) static void finish_at_unload(void)
{
	pl_engine_finish(PL_END_EXIT, -1, true);
}

static void identify(const uint8_t uuid[16], bool is_free)
{
	memcpy(identity.uuid, uuid, 16);
	identity.is_free = is_free && !pl_uuid_is_zero(uuid);
	pl_mark_set(&identity.is_ours);
}

/* The uuid for the next recording of @s, or NULL for a new one.  A child of a
 * fork that recorded nothing yet is no less a child. */
static const uint8_t *next_uuid(struct pl_session *s)
{
	if (pl_mark_is_set(&identity.is_ours))
		return identity.is_free ? identity.uuid : NULL;
	if (!pl_uuid_is_zero(identity.uuid))
		memcpy(s->options.parent, identity.uuid, 16);
	return NULL;
}

/* A recording in memory would be lost at the end. */
static int cannot_attach(struct pl_session *s, struct pl_error *err)
{
	pl_session_close(s);
	pl_pages_free(s, sizeof(*s));
	return pl_fail(err, PL_ERR_SYS,
		       "its user can write neither beside the database nor "
		       "into a folder of its own in /tmp: name another with -o");
}

static int open_session(const struct pl_options *options, struct pl_error *err)
{
	struct pl_session *s = pl_pages_alloc(sizeof(*s));
	int rc;

	if (!s)
		return pl_fail(err, PL_ERR_NOMEM, "no memory");
	s->options = *options;
	s->complain = pl_engine_complain;
	/* Initialised and finalised again: still the same run. */
	if (pl_uuid_is_zero(s->options.run))
		memcpy(s->options.run, run_uuid, 16);
	rc = pl_session_open_process(s, next_uuid(s), err);
	if (rc) {
		pl_pages_free(s, sizeof(*s));
		return rc;
	}
	if (attaching && !s->rec.path)
		return cannot_attach(s, err);
	if (err && *err->text) {
		if (!attaching)
			pl_engine_complain(err);
		*err->text = '\0';
	}
	memcpy(run_uuid, s->options.run, 16);
	identify(s->rec.header->uuid, false);
	s->rec.header->python = pl_recording_str(
		&s->rec, Py_GetVersion(), strlen(Py_GetVersion()));
	session = s;
	return 0;
}

static void drop_finished(void)
{
	struct pl_session *s = session;

	if (!s || s->state != PL_SESSION_DONE)
		return;
	session = NULL;
	attached = false;
	/* A fork has been in between: before this recording, or after it. */
	if (!pl_mark_is_set(&identity.is_ours)) {
		if (s->rec.header->pid == (uint32_t)getpid())
			identify(s->rec.header->uuid, false);
		else
			memcpy(identity.uuid, s->rec.header->uuid, 16);
	}
	pl_probe_abandon(s);
	pl_session_close(s);
	pl_pages_free(s, sizeof(*s));
}

int pl_engine_start(const struct pl_options *options, struct pl_error *err)
{
	PyObject *type, *value, *traceback;
	int rc;

	rc = pl_pyapi_init(err);
	if (rc)
		return rc;
	drop_finished();
	if (!session) {
		rc = open_session(options, err);
		if (rc)
			return rc;
		if (!at_exit_is_set)
			at_exit_is_set = !Py_AtExit(finish_at_exit);
	}
	pl_calibrate(session);
	/* What a signal's handler has raised meanwhile is the caller's. */
	PyErr_Fetch(&type, &value, &traceback);
	rc = pl_probe_begin(session, NULL, err);
	PyErr_Restore(type, value, traceback);
	return rc;
}

void pl_engine_stop(void)
{
	if (session)
		pl_probe_end(session);
}

int pl_engine_attach(const struct pl_options *options, struct pl_error *err)
{
	int rc;

	drop_finished();
	if (session)
		return pl_fail(err, PL_ERR_BUSY, "it is being recorded already");
	attaching = true;
	rc = pl_engine_start(options, err);
	attaching = false;
	if (!rc) {
		attached = true;
	} else if (session) {
		/* As if nobody had asked. */
		pl_session_finish(session, PL_END_STOPPED, -1);
		pl_probe_dispose(session);
		session = NULL;
	}
	return rc;
}

int pl_engine_detach(struct pl_error *err)
{
	struct pl_session *s = session;

	if (!s || !attached || s->state == PL_SESSION_DONE)
		return pl_fail(err, PL_ERR_NOENT, "nobody is attached to it");
	pl_probe_end(s);
	pl_session_finish(s, PL_END_STOPPED, -1);
	attached = false;
	session = NULL;
	pl_probe_dispose(s);
	return 0;
}

int pl_engine_save(const char *db, struct pl_error *err)
{
	if (!session)
		return pl_fail(err, PL_ERR_NOENT,
			       "nothing is being recorded: call start() first");
	return pl_engine_save_session(session, db ? db : session->options.out,
				      err);
}

/* Is there less in the recording than there was to record? */
static bool has_lost(const struct pl_session *s, struct pl_error *err)
{
	const struct pl_rec_header *h = s->rec.header;

	if (!(__atomic_load_n(&h->flags, __ATOMIC_RELAXED) & PL_REC_F_LOST))
		return false;
	pl_fail(err, PL_ERR_FULL, "calls are missing: %s",
		*s->rec.lost.text ? s->rec.lost.text : "no memory");
	return true;
}

/* Hundreds of processes that end at once would wait for one another, and each
 * transaction syncs the disk: proflite record takes in many at a time. */
static bool is_taken(const struct pl_session *s)
{
	return s->is_collected && pl_session_tell(s, PL_NOTICE_DONE);
}

void pl_engine_finish(enum pl_end end, int status, bool may_ingest)
{
	struct pl_session *s = session;
	struct pl_error err = { 0 };
	int saved = errno, rc = 0;

	/* A vforked child runs in its parent's memory; a forked one that had
	 * no event yet has nothing of its own. */
	if (!s || s->state == PL_SESSION_DONE || s->fork_pending ||
	    s->rec.header->pid != (uint32_t)getpid())
		return;
	if (may_ingest)
		pl_session_finish(s, end, status);
	else
		pl_session_finish_now(s, end, status);
	if (may_ingest && s->options.ingest && !is_taken(s))
		rc = ingest(s, &err);
	/* It comes after us all the same. */
	if (rc == PL_ERR_BUSY && s->options.collected && s->rec.path)
		rc = 0;
	/* Without a launcher, where the recording stays has been said at the start. */
	if (rc == PL_ERR_SYS && s->is_elsewhere)
		rc = 0;
	if (rc || has_lost(s, &err))
		pl_engine_complain(&err);
	if (rc && s->options.collected)
		pl_notice_send(s->options.run, PL_NOTICE_FAILED,
			       s->rec.header->uuid, err.text, -1);
	errno = saved;
}

/* ----------------------------------------- what the stub calls by name -- */

EXPORT int proflite_engine_start(const char *text, const uint8_t *uuid,
				 char *parent_digits, char *msg, size_t size);
EXPORT void proflite_engine_finish(int end, int status, int ingest_now);
EXPORT void proflite_engine_exit_now(int status);
EXPORT void proflite_engine_exec(int begin);
EXPORT void proflite_engine_interpreter_starts(void);
EXPORT void proflite_engine_interpreter_ends(void);
EXPORT void proflite_engine_limits(void);
EXPORT void proflite_engine_thread_keeps(unsigned int key, const void *value);
EXPORT void proflite_engine_serve(uint32_t number);
EXPORT int proflite_engine_is_on(void);
EXPORT int proflite_engine_stop(char *msg, size_t size);
EXPORT int proflite_engine_save(const char *db, char *msg, size_t size);

static int report(int rc, const struct pl_error *err, char *msg, size_t size)
{
	if (rc && size)
		snprintf(msg, size, "%s", err->text);
	return rc ? -1 : 0;
}

/* Here no exception can be raised: Ctrl-C is put off until one can. */
static void raise_later(void)
{
	if (!PyErr_ExceptionMatches(PyExc_KeyboardInterrupt)) {
		PyErr_WriteUnraisable(NULL);
		return;
	}
	PyErr_Clear();
	PyErr_SetInterrupt();
}

int proflite_engine_start(const char *text, const uint8_t *uuid,
			  char *parent_digits, char *msg, size_t size)
{
	PyObject *type, *value, *traceback;
	struct pl_error err = { 0 };
	int rc;

	/* A host may call us in the middle of its own trouble. */
	PyErr_Fetch(&type, &value, &traceback);
	pl_options_init(&base_options);
	rc = pl_options_parse(&base_options, text ? text : "", &err);
	if (parent_digits)
		pl_session_parent_digits = parent_digits;
	if (uuid)
		identify(uuid, true);
	have_base = !rc;
	if (!rc && base_options.start)
		rc = pl_engine_start(&base_options, &err);
	if (base_options.start && PyErr_Occurred())
		raise_later();
	PyErr_Restore(type, value, traceback);
	/* 1: it waits to be started */
	return report(rc, &err, msg, size) ? -1 : !base_options.start;
}

void proflite_engine_serve(uint32_t number)
{
	pl_attach_serve(number);
}

void pl_engine_base_options(struct pl_options *options)
{
	if (have_base)
		*options = base_options;
	else
		pl_options_init(options);
}

void proflite_engine_finish(int end, int status, int ingest_now)
{
	pl_engine_finish((enum pl_end)end, status, ingest_now);
}

/*
 * _exit() was called.  From os._exit this is an ordinary place, and the
 * database can be written; from a signal handler it is not, and nothing may be
 * called that locks.  The innermost open call tells the two apart.
 */
void proflite_engine_exit_now(int status)
{
	struct pl_recorder *r =
		session && !session->fork_pending ? pl_tls_known() : NULL;
	bool from_python = false;

	if (r && r->sp > r->stack + sizeof(struct pl_frame)) {
		struct pl_node *n = (struct pl_node *)(uintptr_t)r->cur;
		const struct pl_func *f = (const struct pl_func *)
			(r->base + (uint64_t)n->func * 32);
		const struct pl_str *name = (const struct pl_str *)
			(r->base + (uint64_t)f->name * 8);

		from_python = n->func && f->name &&
			      strstr(name->bytes, "_exit>") != NULL;
	}
	pl_engine_finish(PL_END_UNDERSCORE_EXIT, status, from_python);
}

/* Before and, if it failed, after an exec: when it works there is no after. */
void proflite_engine_exec(int begin)
{
	struct pl_rec_header *h;

	if (!session || session->state == PL_SESSION_DONE ||
	    session->fork_pending)
		return;
	h = session->rec.header;
	if (h->pid != (uint32_t)getpid())
		return;
	if (begin) {
		pl_recording_sync(&session->rec);
		__atomic_or_fetch(&h->flags, PL_REC_F_EXEC_PENDING,
				  __ATOMIC_RELEASE);
	} else {
		__atomic_and_fetch(&h->flags, ~(uint32_t)PL_REC_F_EXEC_PENDING,
				   __ATOMIC_RELEASE);
	}
}

void proflite_engine_interpreter_starts(void)
{
	struct pl_error err = { 0 };

	if (pl_engine_is_on() && pl_probe_join_interpreter(&err))
		pl_engine_complain(&err);
}

/* `cpython.PyInterpreterState_Clear`, raised for every interpreter. */
void proflite_engine_interpreter_ends(void)
{
	if (!session)
		return;
	if (PyInterpreterState_Get() != pl_py.main_interpreter()) {
		pl_probe_leave_interpreter();
		return;
	}
	pl_engine_finish(PL_END_EXIT, -1, true);
	pl_probe_forget();
}

/* The program is about to set a limit for itself. */
void proflite_engine_limits(void)
{
	pl_session_trim_all();
}

/* pthread_setspecific() was called, by whomever. */
void proflite_engine_thread_keeps(unsigned int key, const void *value)
{
	pl_probe_thread_keeps(key, value);
}

int proflite_engine_is_on(void)
{
	return pl_engine_is_on();
}

int proflite_engine_stop(char *msg, size_t size)
{
	struct pl_error err = { 0 };
	int rc = 0;

	if (!session)
		return 0;
	pl_engine_stop();
	if (session->state != PL_SESSION_DONE) {
		pl_session_finish(session, PL_END_STOPPED, -1);
		rc = ingest(session, &err);
	}
	return report(rc, &err, msg, size);
}

int proflite_engine_save(const char *db, char *msg, size_t size)
{
	struct pl_error err = { 0 };

	return report(pl_engine_save(db, &err), &err, msg, size);
}
