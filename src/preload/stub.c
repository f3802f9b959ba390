/* SPDX-License-Identifier: MIT */
/*
 * stub.c: what LD_PRELOAD puts into every process of a tree, and the C API.
 *
 * LD_PRELOAD reaches sh, ls and gcc too, so there is no Python symbol here and
 * nothing is done in a process that has no Python: not a byte printed, not a
 * file made.  Inside a Python, an audit hook is added before the interpreter
 * is initialised; the engine is opened when the interpreter is ready and user
 * code is about to run:
 *
 *	constructor ── PySys_AddAuditHook ──► cpython.run_*        start
 *	                                      first code of a host start
 *	                                      PyInterpreterState_Clear  finish
 *	_exit, quick_exit, exec*  ──────────► nets under it
 *	pthread_setspecific       ──────────► a thread of C begins with Python
 *
 * A host may open libpython later, with dlopen: then the first call of
 * pthread_setspecific that comes from there, while Python is initialised, does
 * what the constructor does.
 *
 * Everything is found with dlsym.  errno is the host's: saved and restored.
 */
#include <config.h>

#include "proflite.h"

#include "base/filelimit.h"
#include "base/mark.h"
#include "core/format.h"
#include "core/notice.h"
#include "preload/dormant.h"
#include "preload/follow.h"

#include <dlfcn.h>
#include <errno.h>
#include <glob.h>
#include <link.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/random.h>
#include <unistd.h>

#define ENV_NAME "PROFLITE_OPTIONS"

typedef int (*audit_hook)(const char *event, void *args, void *data);

/* The engine's functions, once it is open. */
static struct engine {
	int (*start)(const char *text, const uint8_t *uuid,
		     char *parent_digits, char *msg, size_t size);
	void (*finish)(int end, int status, int ingest_now);
	void (*exit_now)(int status);
	void (*exec)(int begin);
	void (*interpreter_starts)(void);
	void (*interpreter_ends)(void);
	void (*limits)(void);
	void (*thread_keeps)(unsigned int key, const void *value);
	void (*serve)(uint32_t number);
	int (*is_on)(void);
	int (*stop)(char *msg, size_t size);
	int (*save)(const char *db, char *msg, size_t size);
} engine;

/* What of Python the stub itself needs. */
static struct python {
	int (*add_audit_hook)(audit_hook, void *);
	int (*is_initialized)(void);
	void *(*current_frame)(void);
	void *(*interpreter)(void);
	int64_t (*interpreter_id)(void *);
	int (*at_exit)(void (*)(void));
	int (*add_pending_call)(int (*)(void *), void *);
	void (*clear_error)(void);
} py;

static char error_text[512];
static const char *options_text;	/* ours, from the environment */
static char *environment;		/* "PROFLITE_OPTIONS=…" for children */
static char *parent_digits;		/* in it */
static uint8_t uuid[16];		/* of the next recording, once it is */
static struct pl_mark has_uuid;		/* drawn; not set in a forked child */
static bool started, dead, hooked;

/* No Python was there when the process began. */
static bool waiting;
static bool late;			/* and it was opened since */
static char late_path[4096];
static const char *late_options;	/* what begins then */
static bool late_is_hidden;

static void complain(const char *text)
{
	char line[sizeof(error_text) + 16];
	struct pl_filelimit limit;
	int n = snprintf(line, sizeof(line), "proflite: %s\n", text);

	pl_filelimit_begin(&limit);
	if (n > 0 && write(STDERR_FILENO, line, (size_t)n) < 0) {
		/* nowhere left to say it */
	}
	pl_filelimit_end(&limit);
}

/* -------------------------------------------------------------- engine -- */

/*
 * The engine lies in the Python package: beside this file in a wheel, in
 * proflite/python/proflite below it when installed by make.
 */
static void *open_engine_at(const char *path)
{
	void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);

	if (!handle)
		snprintf(error_text, sizeof(error_text), "%s", dlerror());
	return handle;
}

/* "313t" of a free-threaded interpreter, else "". */
static void free_threaded_tag(char *tag, size_t size)
{
	const char *(*version)(void) = NULL;
	unsigned int major, minor;

	*tag = '\0';
	*(void **)&version = dlsym(RTLD_DEFAULT, "Py_GetVersion");
	if (version && strstr(version(), "free-threading build") &&
	    sscanf(version(), "%u.%u", &major, &minor) == 2)
		snprintf(tag, size, "%u%ut", major, minor);
}

/* Its engine has the name that this interpreter would import. */
static void *open_free_threaded(const char *dir, size_t dir_len,
				const char *tag)
{
	static const char *const places[] = { "proflite/python/proflite/", "",
					      "../" };
	char pattern[4096];
	void *handle;
	glob_t found;

	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		snprintf(pattern, sizeof(pattern), "%.*s%s_proflite.cpython-%s-*.so",
			 (int)dir_len, dir, places[i], tag);
		if (glob(pattern, 0, NULL, &found))
			continue;
		handle = open_engine_at(found.gl_pathv[0]);
		globfree(&found);
		return handle;
	}
	snprintf(error_text, sizeof(error_text),
		 "this Python is free-threaded and needs an engine of its own "
		 "(%s): configure proflite with --with-python naming it", tag);
	return NULL;
}

static void *open_engine(void)
{
	static const char *const places[] = {
		"proflite/python/proflite/_proflite.so",
		"_proflite.so",
		"_proflite.abi3.so",
		"../_proflite.abi3.so",
	};
	char path[4096], tag[16];
	size_t dir_len;
	Dl_info info;

	if (!dladdr((void *)&open_engine, &info) || !info.dli_fname)
		return NULL;
	dir_len = strlen(info.dli_fname);
	while (dir_len && info.dli_fname[dir_len - 1] != '/')
		dir_len--;
	free_threaded_tag(tag, sizeof(tag));
	if (*tag)
		return open_free_threaded(info.dli_fname, dir_len, tag);
	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		if (dir_len + strlen(places[i]) + 1 > sizeof(path))
			return NULL;
		memcpy(path, info.dli_fname, dir_len);
		strcpy(path + dir_len, places[i]);
		if (access(path, R_OK))
			continue;
		return open_engine_at(path);
	}
	snprintf(error_text, sizeof(error_text),
		 "the engine is not installed beside %s", info.dli_fname);
	return NULL;
}

static bool load_engine(void)
{
	static const struct {
		const char *symbol;
		void *slot;
	} wanted[] = {
		{ "proflite_engine_start", &engine.start },
		{ "proflite_engine_finish", &engine.finish },
		{ "proflite_engine_exit_now", &engine.exit_now },
		{ "proflite_engine_exec", &engine.exec },
		{ "proflite_engine_interpreter_starts",
		  &engine.interpreter_starts },
		{ "proflite_engine_interpreter_ends",
		  &engine.interpreter_ends },
		{ "proflite_engine_limits", &engine.limits },
		{ "proflite_engine_thread_keeps", &engine.thread_keeps },
		{ "proflite_engine_serve", &engine.serve },
		{ "proflite_engine_is_on", &engine.is_on },
		{ "proflite_engine_stop", &engine.stop },
		{ "proflite_engine_save", &engine.save },
	};
	void *handle;

	if (engine.start)
		return true;
	handle = open_engine();
	if (!handle)
		return false;
	/* From the last to the first: `start` is the one that is tested. */
	for (size_t i = sizeof(wanted) / sizeof(*wanted); i-- > 0;) {
		void *p = dlsym(handle, wanted[i].symbol);

		if (!p) {
			snprintf(error_text, sizeof(error_text),
				 "the engine is of another version: it has no "
				 "%s", wanted[i].symbol);
			return false;
		}
		*(void **)wanted[i].slot = p;
	}
	return true;
}

static void find_python_in(void *handle)
{
	static const struct {
		const char *symbol;
		void *slot;
	} wanted[] = {
		{ "PySys_AddAuditHook", &py.add_audit_hook },
		{ "Py_IsInitialized", &py.is_initialized },
		{ "PyEval_GetFrame", &py.current_frame },
		{ "PyInterpreterState_Get", &py.interpreter },
		{ "PyInterpreterState_GetID", &py.interpreter_id },
		{ "Py_AtExit", &py.at_exit },
		{ "Py_AddPendingCall", &py.add_pending_call },
		{ "PyErr_Clear", &py.clear_error },
	};

	for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++)
		*(void **)wanted[i].slot = dlsym(handle, wanted[i].symbol);
}

static void find_python(void)
{
	find_python_in(RTLD_DEFAULT);
}

static int digit_of(char c)
{
	return c <= '9' ? c - '0' : c - 'a' + 10;
}

/* Of a run that proflite record began: it is told that nothing is recorded
 * here, and why. */
static void tell_launcher(void)
{
	/* "run=", 32 digits, ",parent=", digits */
	const char *digits = parent_digits ? parent_digits - 40 : NULL;
	uint8_t run[16];

	if (!digits || !strstr(environment, "collected"))
		return;
	for (int i = 0; i < 16; i++)
		run[i] = (uint8_t)(digit_of(digits[2 * i]) << 4 |
				   digit_of(digits[2 * i + 1]));
	pl_notice_send(run, PL_NOTICE_FAILED, NULL, error_text, -1);
}

/* The engine finds Python's symbols among those that all libraries see.  A
 * host that opened libpython for itself alone cannot import extension modules
 * of C either, until it does this. */
static void show_python(void)
{
	if (late && !dlsym(RTLD_DEFAULT, "Py_IsInitialized"))
		dlopen(late_path, RTLD_NOW | RTLD_NOLOAD | RTLD_GLOBAL);
}

static void be_a_child(void);

static void start(void)
{
	int saved = errno, rc = -1;

	started = true;
	show_python();
	if (!pl_mark_is_set(&has_uuid))
		be_a_child();
	if (load_engine())
		rc = engine.start(options_text, uuid, parent_digits,
				  error_text, sizeof(error_text));
	if (rc < 0) {
		dead = true;
		complain(error_text);
		tell_launcher();
	} else if (rc > 0) {
		pl_dormant_begin(py.add_pending_call, engine.serve);
	}
	errno = saved;
}

/* ---------------------------------------------------------- audit hook -- */

static bool begins_with(const char *s, const char *prefix)
{
	return !strncmp(s, prefix, strlen(prefix));
}

/*
 * Code is about to run with no frame below it: a host's PyRun or import, after
 * initialisation.  The import of site has no frame either, but is followed by
 * cpython.run_* in the python program; its own code runs in frames.
 */
static bool is_host_code(const char *event)
{
	/* Frozen programs run code that they have read. */
	if (strcmp(event, "exec") && strcmp(event, "compile") &&
	    !(late && (!strcmp(event, "marshal.loads") ||
		       !strcmp(event, "code.__new__"))))
		return false;
	return py.is_initialized && py.is_initialized() && py.current_frame &&
	       !py.current_frame();
}

/* Interpreters that have joined, by id; those beyond join at every event,
 * which does no harm. */
static uint64_t joined = 1;

static void join_interpreter(void)
{
	int64_t id;

	if (!py.interpreter || !py.interpreter_id)
		return;
	id = py.interpreter_id(py.interpreter());
	if (id < 0 || id > 63 ||
	    __atomic_load_n(&joined, __ATOMIC_RELAXED) >> id & 1)
		return;
	__atomic_or_fetch(&joined, UINT64_C(1) << id, __ATOMIC_RELAXED);
	engine.interpreter_starts();
}

/* The node that struct allocator is about. */
static void hooks_are_freed(void);
static void add_hook(void);
static void name_recording(void);

/* A host's interpreter is gone, and our hook with it; it may initialise
 * another one, which is another recording. */
static void await_next_life(void)
{
	started = dead = false;
	joined = 1;
	name_recording();
	add_hook();
}

static void start_in_host(void)
{
	start();
	if (!dead && py.at_exit)
		py.at_exit(await_next_life);
}

/*
 * Called for every audited operation: a few compares for the common ones.
 * The result is always 0, anything else would abort the operation.
 */
static int on_audit(const char *event, void *args, void *data)
{
	(void)args, (void)data;
	if (dead && *event != 'c')
		return 0;
	switch (*event) {
	case 'c':
		if (!started && begins_with(event, "cpython.run_"))
			start();
		else if (!started && is_host_code(event))
			start_in_host();
		else if (!strcmp(event, "cpython.PyInterpreterState_Clear")) {
			if (started && !dead)
				engine.interpreter_ends();
		} else if (!strcmp(event, "cpython._PySys_ClearAuditHooks")) {
			hooks_are_freed();
		}
		break;
	case 'm':
		if (!started && is_host_code(event))
			start_in_host();
		break;
	case 'e':
		if (!started && is_host_code(event))
			start_in_host();
		else if (started && !strcmp(event, "exec"))
			join_interpreter();
		break;
	case 'r':
		if (started && (!strcmp(event, "resource.setrlimit") ||
				!strcmp(event, "resource.prlimit")))
			engine.limits();
		break;
	}
	return 0;
}

/*
 * The interpreter frees the hook's node with the raw allocator in force at its
 * end; we add it before the debug allocators (-X dev, PYTHONMALLOC=debug) are
 * installed, and their free() aborts on a block that is not theirs.  So the
 * node's address is learnt while it is allocated, and when the hooks are about
 * to be freed, a raw allocator is put in place that leaves this one alone.
 */
struct allocator {			/* PyMemAllocatorEx */
	void *ctx;
	void *(*malloc)(void *ctx, size_t size);
	void *(*calloc)(void *ctx, size_t n, size_t size);
	void *(*realloc)(void *ctx, void *p, size_t size);
	void (*free)(void *ctx, void *p);
};

static struct {
	void (*get)(int domain, struct allocator *);
	void (*set)(int domain, struct allocator *);
	struct allocator real;
	void *node;
} raw;

static void *note_malloc(void *ctx, size_t size)
{
	(void)ctx;
	return raw.node = raw.real.malloc(raw.real.ctx, size);
}

static void *note_calloc(void *ctx, size_t n, size_t size)
{
	(void)ctx;
	return raw.node = raw.real.calloc(raw.real.ctx, n, size);
}

static void *pass_malloc(void *ctx, size_t size)
{
	(void)ctx;
	return raw.real.malloc(raw.real.ctx, size);
}

static void *pass_calloc(void *ctx, size_t n, size_t size)
{
	(void)ctx;
	return raw.real.calloc(raw.real.ctx, n, size);
}

static void *pass_realloc(void *ctx, void *p, size_t size)
{
	(void)ctx;
	return raw.real.realloc(raw.real.ctx, p, size);
}

static void pass_free(void *ctx, void *p)
{
	(void)ctx;
	if (p == raw.node && p) {
		raw.node = NULL;	/* leaked, 24 bytes, once */
		raw.set(0, &raw.real);
		return;
	}
	raw.real.free(raw.real.ctx, p);
}

static void hooks_are_freed(void)
{
	struct allocator skip = { NULL, pass_malloc, pass_calloc, pass_realloc,
				  pass_free };

	hooked = false;
	if (!raw.node)
		return;
	raw.get(0, &raw.real);
	raw.set(0, &skip);
}

static void add_hook(void)
{
	struct allocator note = { NULL, note_malloc, note_calloc, pass_realloc,
				  pass_free };

	hooked = true;
	*(void **)&raw.get = dlsym(RTLD_DEFAULT, "PyMem_GetAllocator");
	*(void **)&raw.set = dlsym(RTLD_DEFAULT, "PyMem_SetAllocator");
	if (!raw.get || !raw.set) {
		py.add_audit_hook(on_audit, NULL);
		return;
	}
	raw.get(0, &raw.real);
	raw.set(0, &note);
	py.add_audit_hook(on_audit, NULL);
	raw.set(0, &raw.real);
}

/* --------------------------------------------------------- environment -- */

static void put_hex(char *to, const uint8_t id[16])
{
	static const char digit[] = "0123456789abcdef";

	for (int i = 0; i < 16; i++) {
		*to++ = digit[id[i] >> 4];
		*to++ = digit[id[i] & 15];
	}
}

/* Where the next item of @s begins, or its end: see core/options.h. */
static char *next_item(char *s)
{
	while (*s && *s != ',')
		s += *s == '\\' && s[1] ? 2 : 1;
	return *s ? s + 1 : s;
}

/* The item of @s that is @key ("run=") and an id, or NULL.  The same text in a
 * label or a file's name is none. */
static char *find_id(char *s, const char *key)
{
	size_t len = strlen(key);

	for (; *s; s = next_item(s))
		if (!strncmp(s, key, len) && strcspn(s + len, ",") == 32)
			return s;
	return NULL;
}

/* Take the items that are @key and an id out of @s. */
static void cut_id(char *s, const char *key)
{
	char *at;

	while ((at = find_id(s, key))) {
		char *end = next_item(at);

		if (!*end && at > s)
			at--; /* the comma before it */
		memmove(at, end, strlen(end) + 1);
	}
}

/* A number for the next recording, and for children to know it by.  Zeros: the
 * engine draws it. */
static void name_recording(void)
{
	memset(uuid, 0, 16);
	if (getrandom(uuid, 16, GRND_NONBLOCK) != 16)
		memset(uuid, 0, 16);
	else if (parent_digits)
		put_hex(parent_digits, uuid);
	pl_mark_set(&has_uuid);
}

/* The process was forked before anything was recorded: the number it found is
 * the recording of whoever forked it. */
static void be_a_child(void)
{
	static const char item[] = ",parent=";
	const char *text = options_text ? options_text : "";
	char *longer = malloc(strlen(text) + sizeof(item) + 32);

	if (longer) {
		char *end = stpcpy(stpcpy(longer, text), item);

		put_hex(end, uuid);
		end[32] = '\0';
		options_text = longer;
	}
	name_recording();
}

/*
 * Children find in the environment which run they belong to and whose children
 * they are.  The digits of the parent are overwritten after a fork, in place:
 * setenv would allocate.
 */
static void prepare_environment(const char *text, bool is_hidden)
{
	static const uint8_t zero[16];
	char *own = strdup(text), *rest = strdup(text);
	const char *run = own ? find_id(own, "run=") : NULL;
	uint8_t run_id[16];
	size_t n;

	name_recording();
	if (getrandom(run_id, 16, GRND_NONBLOCK) != 16 ||
	    !memcmp(uuid, zero, 16) || !own || !rest)
		return;
	n = strlen(text) + sizeof(ENV_NAME) + 96;
	environment = malloc(n);
	if (!environment)
		return;
	cut_id(rest, "run=");
	cut_id(rest, "parent=");
	n = (size_t)sprintf(environment, "%s=%s%s", ENV_NAME, rest,
			    *rest ? "," : "");
	strcpy(environment + n, "run=");
	if (run)
		memcpy(environment + n + 4, run + 4, 32);
	else
		put_hex(environment + n + 4, run_id);
	strcpy(environment + n + 36, ",parent=");
	parent_digits = environment + n + 44;
	put_hex(parent_digits, uuid);
	parent_digits[32] = '\0';
	if (!run) {
		/* our own options name the new run as well */
		char *longer = malloc(strlen(text) + 48);

		if (longer) {
			sprintf(longer, "%s%s%.36s", text, *text ? "," : "",
				environment + n);
			free(own);
			own = longer;
		}
	}
	options_text = own;
	free(rest);
	pl_follow_text(environment + sizeof(ENV_NAME), parent_digits);
	if (!is_hidden)
		putenv(environment);
}

#ifdef DLFO_STRUCT_HAS_EH_DBASE
static int (*find_object)(void *at, struct dl_find_object *result);
#else
static int (*find_object)(void *at, void *result);
#endif

/*
 * A process with more rights than its user must not be made to write files by
 * a variable; glibc ignores LD_PRELOAD there too, but not for a library that
 * is in the system's folders and setuid itself.
 */
__attribute__((constructor)) static void constructor(void)
{
	int saved = errno, is_hidden = 0;
	const char *text = getauxval(AT_SECURE) ? NULL :
						  pl_follow_begin(&is_hidden);

	if (text) {
		find_python();
		if (py.add_audit_hook) {
			options_text = text;
			prepare_environment(text, is_hidden);
			add_hook();
		} else {
			*(void **)&find_object =
				dlsym(RTLD_DEFAULT, "_dl_find_object");
			late_options = text;
			late_is_hidden = is_hidden;
			waiting = true;
		}
	}
	errno = saved;
}

/* ------------------------------------------------- Python opened later -- */

/* The object that has the code @at: where it begins and ends, and its path. */
struct object {
	uintptr_t begin, end;
	const char *path;
};

/*
 * dladdr takes the loader's lock, which another thread may hold while it waits
 * for this one; glibc 2.35 has a look-up without one.
 */
static bool find_object_of(void *at, struct object *o)
{
	Dl_info info;
#ifdef DLFO_STRUCT_HAS_EH_DBASE
	struct dl_find_object found;

	if (find_object) {
		if (find_object(at, &found))
			return false;
		o->begin = (uintptr_t)found.dlfo_map_start;
		o->end = (uintptr_t)found.dlfo_map_end;
		o->path = found.dlfo_link_map->l_name;
		return true;
	}
#endif
	if (!dladdr(at, &info) || !info.dli_fname)
		return false;
	o->begin = (uintptr_t)at;
	o->end = (uintptr_t)at + 1;
	o->path = info.dli_fname;
	return true;
}

/* libpython3.11.so.1.0, or a plugin that has Python in it */
static bool is_python_by_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return strstr(slash ? slash + 1 : path, "python");
}

/* From within its initialisation, so no lock of the loader's is in the way. */
static void begin_late(const char *path)
{
	void *handle = dlopen(path, RTLD_LAZY | RTLD_NOLOAD);

	if (!handle)
		return;
	if (strlen(path) < sizeof(late_path))
		find_python_in(handle);
	if (py.add_audit_hook &&
	    __atomic_exchange_n(&waiting, false, __ATOMIC_ACQ_REL)) {
		late = true;
		strcpy(late_path, path);
		options_text = late_options;
		prepare_environment(late_options, late_is_hidden);
		add_hook();
	}
	dlclose(handle);		/* the host keeps it, or does not */
}

static void look_again(void *caller)
{
	/* A library that is not Python; torn by another thread it is looked
	 * up once more. */
	static uintptr_t known_begin, known_end;
	uintptr_t at = (uintptr_t)caller;
	struct object o;

	if (at >= __atomic_load_n(&known_begin, __ATOMIC_RELAXED) &&
	    at < __atomic_load_n(&known_end, __ATOMIC_RELAXED))
		return;
	if (!find_object_of(caller, &o))
		return;
	if (is_python_by_name(o.path)) {
		begin_late(o.path);
		return;
	}
	__atomic_store_n(&known_end, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&known_begin, o.begin, __ATOMIC_RELAXED);
	__atomic_store_n(&known_end, o.end, __ATOMIC_RELAXED);
}

/* ---------------------------------------------------------------- nets -- */

static void *next_symbol(const char *name)
{
	return dlsym(RTLD_NEXT, name);
}

static void before_exit(int status)
{
	int saved = errno;

	if (started && !dead && engine.exit_now)
		engine.exit_now(status);
	errno = saved;
}

PROFLITE_API void _exit(int status)
{
	void (*real)(int) __attribute__((noreturn));

	*(void **)&real = next_symbol("_exit");
	before_exit(status);
	real(status);
}

PROFLITE_API void _Exit(int status)
{
	void (*real)(int) __attribute__((noreturn));

	*(void **)&real = next_symbol("_Exit");
	before_exit(status);
	real(status);
}

PROFLITE_API void quick_exit(int status)
{
	void (*real)(int) __attribute__((noreturn));

	*(void **)&real = next_symbol("quick_exit");
	before_exit(status);
	real(status);
}

void pl_around_exec(int begin)
{
	int saved = errno;

	if (started && !dead && engine.exec)
		engine.exec(begin);
	errno = saved;
}

/*
 * Nothing tells of a thread state that a library in C asks for, in a thread of
 * its own; but the interpreter keeps it where the thread finds it again.
 */
PROFLITE_API int pthread_setspecific(pthread_key_t key, const void *value)
{
	static int (*real)(pthread_key_t, const void *);
	int rc, saved = errno;

	if (!real)
		*(void **)&real = next_symbol("pthread_setspecific");
	rc = real(key, value);
	if (waiting && value)
		look_again(__builtin_return_address(0));
	if (started && !dead && value && engine.thread_keeps)
		engine.thread_keeps(key, value);
	errno = saved;
	return rc;
}

/* --------------------------------------------------------------- C API -- */

/*
 * This interpreter is recorded, the others join by what the hook hears of them.
 * It is added after the debug allocators and needs none of add_hook's care.
 * Who forbids hooks is obeyed.
 */
static void hear_of_interpreters(void)
{
	int64_t id = py.interpreter && py.interpreter_id ?
			     py.interpreter_id(py.interpreter()) : 0;

	joined = id >= 0 && id < 64 ? UINT64_C(1) << id : 0;
	if (hooked || !py.add_audit_hook)
		return;
	if (!py.add_audit_hook(on_audit, NULL))
		hooked = true;
	else if (py.clear_error)
		py.clear_error();
}

int proflite_start(const char *options)
{
	int rc;

	find_python();
	if (!py.is_initialized || !py.is_initialized()) {
		snprintf(error_text, sizeof(error_text),
			 "no Python is initialised in this process");
		return -1;
	}
	if (!load_engine())
		return -1;
	if (engine.is_on())
		return 0;
	rc = engine.start(options, NULL, NULL, error_text, sizeof(error_text));
	if (rc > 0)
		snprintf(error_text, sizeof(error_text),
			 "start=no: want yes, or no such option");
	if (rc)
		return -1;
	started = true;
	dead = false;
	hear_of_interpreters();
	return 0;
}

int proflite_stop(void)
{
	return engine.stop ? engine.stop(error_text, sizeof(error_text)) : 0;
}

int proflite_flush(const char *db)
{
	if (engine.save)
		return engine.save(db, error_text, sizeof(error_text));
	snprintf(error_text, sizeof(error_text),
		 "nothing is being recorded: call proflite_start first");
	return -1;
}

const char *proflite_error(void)
{
	return error_text;
}

const char *proflite_version(void)
{
	return PACKAGE_VERSION;
}
