/* SPDX-License-Identifier: MIT */
/*
 * module.c: the extension module proflite._proflite.
 *
 * Profiler is what _lsprof.Profiler is to cProfile: the Python class
 * proflite.Profile derives from it.  A Profiler owns a session in private
 * memory; it covers the thread that enables it, or all with threads=True.
 *
 * The process-wide session (start, stop, save) is the engine's, the same one
 * that LD_PRELOAD starts.
 */
#include <config.h>

#include "base/hash.h"
#include "core/recfile.h"
#include "core/tree.h"
#include "core/uuid.h"
#include "probe/attach.h"
#include "probe/calibrate.h"
#include "probe/engine.h"
#include "probe/probe.h"

#include <string.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

struct profiler {
	PyObject ob_base;
	struct pl_session *session;	/* NULL until the first enable */
	PyObject *timer;		/* callable, or NULL */
	double timeunit;		/* of one tick of an integer timer, s */
	PyObject *var, *value;		/* within: only where var is value */
	pid_t saving; /* where other threads run meanwhile */
	bool subcalls, builtins, all_calls, threads;
	double ns_per_tick;		/* 0: not found out since it was on */
};

/* The calls of timers that this thread is inside of, innermost first. */
struct timing {
	struct profiler *p;
	struct timing *outer;
};

static __thread struct timing *timings;

static PyTypeObject *profiler_type, *entry_type, *subentry_type;

static PyObject *raise(const struct pl_error *err)
{
	PyErr_SetString(err->code == PL_ERR_NOMEM ? PyExc_MemoryError :
			err->code == PL_ERR_ARG ? PyExc_ValueError :
			err->code == PL_ERR_BUSY ? PyExc_ValueError :
			PyExc_OSError, err->text);
	return NULL;
}

/* --------------------------------------------------------------- timer -- */

static int64_t out_of_range(void)
{
	if (!PyErr_Occurred())
		PyErr_SetString(PyExc_OverflowError,
				"timer value out of range");
	return 0;
}

/* Of a timer with a unit: an integer, or what has an __index__ (numpy's). */
static int64_t timer_units(PyObject *value)
{
	PyObject *number = PyNumber_Index(value);
	int64_t units;

	if (!number) {
		PyErr_SetString(PyExc_TypeError, "a timer with a timeunit has "
				"to return integers");
		return 0;
	}
	units = PyLong_AsLongLong(number);
	Py_DECREF(number);
	return units;
}

/* A tick: of the user's own unit when one is given, else a nanosecond. */
static int64_t timer_value(struct profiler *p, PyObject *value)
{
	double seconds;
	int64_t ns;

	if (p->timeunit > 0)
		return timer_units(value);
	if (PyLong_Check(value)) {
		if (__builtin_mul_overflow(PyLong_AsLongLong(value),
					   1000000000, &ns))
			return out_of_range();
		return ns;
	}
	seconds = PyFloat_AsDouble(value) * 1e9;
	if (!(seconds >= -0x1p63 && seconds < 0x1p63))
		return out_of_range();
	/* floor, without libm */
	return (int64_t)seconds - ((double)(int64_t)seconds > seconds);
}

/* An exception in a timer is shown and counts as 0, as in cProfile. */
static uint64_t read_timer(void *ctx)
{
	struct profiler *p = ctx;
	struct timing timing = { .p = p, .outer = timings };
	PyObject *type, *value, *traceback, *result;
	PyObject *timer = p->timer;
	int64_t ticks = 0;

	PyErr_Fetch(&type, &value, &traceback);
	timings = &timing;
	pl_probe_hold();
	Py_INCREF(p);
	Py_INCREF(timer);
	result = PyObject_CallObject(timer, NULL);
	if (result)
		ticks = timer_value(p, result);
	if (PyErr_Occurred()) {
		PyErr_WriteUnraisable(timer);
		ticks = 0;
	}
	Py_XDECREF(result);
	Py_DECREF(timer);
	Py_DECREF(p);
	pl_probe_unhold();
	timings = timing.outer;
	PyErr_Restore(type, value, traceback);
	return (uint64_t)ticks;
}

/* The timer of a profile that is gone. */
static uint64_t no_timer(void *ctx)
{
	(void)ctx;
	return 0;
}

static bool refuse_now(struct profiler *p, const char *what)
{
	const struct timing *t = timings;

	if (p->saving == getpid()) { /* not in a child forked meanwhile */
		PyErr_Format(PyExc_RuntimeError,
			     "cannot %s profiler while it is saved", what);
		return true;
	}
	while (t && t->p != p)
		t = t->outer;
	if (t)
		PyErr_Format(PyExc_RuntimeError,
			     "cannot %s profiler in external timer", what);
	return t != NULL;
}

/* -------------------------------------------------------------- within -- */

/* Runs no Python code: a look into the context that is current. */
static bool is_inside(void *ctx)
{
	struct profiler *p = ctx;
	PyObject *value = NULL;

	if (pl_py.contextvar_get(p->var, NULL, &value)) {
		PyErr_Clear();
		return false;
	}
	Py_XDECREF(value);
	return value == p->value;
}

/* Of a profile that is gone. */
static bool is_nowhere(void *ctx)
{
	(void)ctx;
	return false;
}

/* within=(var, value); None is everywhere. */
static int set_within(struct profiler *p, PyObject *within)
{
	PyObject *var = NULL, *value = NULL, *now = NULL;
	PyObject *old_var = p->var, *old_value = p->value;

	if (within && within != Py_None) {
		if (!PyTuple_Check(within) || PyTuple_Size(within) != 2) {
			PyErr_SetString(PyExc_TypeError, "within: want a pair "
					"(ContextVar, value)");
			return -1;
		}
		var = PyTuple_GetItem(within, 0);
		value = PyTuple_GetItem(within, 1);
		if (pl_py.contextvar_get(var, NULL, &now))
			return -1;	/* not a ContextVar */
		Py_XDECREF(now);
	}
	Py_XINCREF(var);
	Py_XINCREF(value);
	p->var = var;
	p->value = value;
	Py_XDECREF(old_var);
	Py_XDECREF(old_value);
	return 0;
}

/* ------------------------------------------------------------- session -- */

static int open_session(struct profiler *p)
{
	enum pl_clock_kind clock = p->timer ? PL_CLOCK_CALLABLE
					    : PL_CLOCK_WALL;
	struct pl_error err = { 0 };
	struct pl_session *s;

	if (pl_pyapi_init(&err)) {
		raise(&err);
		return -1;
	}
	s = pl_pages_alloc(sizeof(*s));
	if (!s) {
		PyErr_NoMemory();
		return -1;
	}
	pl_options_init(&s->options);
	s->options.builtins = p->builtins;
	s->options.all_calls = p->all_calls;
	s->no_subcalls = !p->subcalls;
	s->all_threads = p->threads;
	if (p->timer) {
		s->timer = read_timer;
		s->timer_ctx = p;
	}
	if (p->var) {
		s->all_threads = true;
		s->inside = is_inside;
		s->inside_ctx = p;
	}
	if (pl_session_open_private(s, clock, &err)) {
		pl_pages_free(s, sizeof(*s));
		raise(&err);
		return -1;
	}
	if (p->timer && p->timeunit > 0)
		s->rec.header->tick_hz = (uint64_t)(1 / p->timeunit + 0.5);
	p->session = s;
	return 0;
}

/* Calls that are open go unfinished; the timer is not called any more. */
static void drop_session(struct profiler *p)
{
	struct pl_session *s = p->session;

	if (!s)
		return;
	p->session = NULL;
	if (s->timer)
		s->timer = no_timer;
	if (s->inside)
		s->inside = is_nowhere;
	pl_probe_dispose(s);
}

static bool is_enabled(const struct profiler *p)
{
	return p->session && p->session->state == PL_SESSION_ON;
}

/* Whether callers are kept is a recorder's for all its life, so another choice
 * takes effect when the profile is enabled the next time. */
static void apply_flags(struct profiler *p)
{
	struct pl_session *s = p->session;

	if (s->state != PL_SESSION_ON && s->no_subcalls == p->subcalls) {
		s->no_subcalls = !p->subcalls;
		pl_session_split(s);
	}
	pl_session_builtins(s, p->builtins);
}

static int begin(struct profiler *p)
{
	struct pl_error err = { 0 };

	if (!p->session && open_session(p))
		return -1;
	p->ns_per_tick = 0;
	apply_flags(p);
	if (pl_probe_begin(p->session, (PyObject *)p, &err)) {
		raise(&err);
		return -1;
	}
	return 0;
}

/*
 * Up to 3.11 the interpreter's hook holds the Profile that is enabled.  One
 * that nobody else holds could be disabled by nobody; cProfile's disable
 * takes the hook off whosever it is, and this is what programs that rely on
 * that get.
 */
static void end_unreachable(void)
{
	PyObject *getprofile = PySys_GetObject("getprofile");
	PyObject *hook = NULL;

	if (pl_py.version < 0x030c && getprofile)
		hook = PyObject_CallObject(getprofile, NULL);
	if (!hook)
		PyErr_Clear();
	else if (PyObject_TypeCheck(hook, profiler_type) &&
		 Py_REFCNT(hook) == 2 && is_enabled((struct profiler *)hook))
		pl_probe_end(((struct profiler *)hook)->session);
	Py_XDECREF(hook);
}

/* -------------------------------------------------------------- methods -- */

static PyObject *profiler_enable(PyObject *self, PyObject *args, PyObject *kw)
{
	static char *names[] = { "subcalls", "builtins", NULL };
	struct profiler *p = (struct profiler *)self;
	int subcalls = -1, builtins = -1;

	if (!PyArg_ParseTupleAndKeywords(args, kw, "|pp:enable", names,
					 &subcalls, &builtins))
		return NULL;
	if (refuse_now(p, "enable"))
		return NULL;
	if (subcalls >= 0)
		p->subcalls = subcalls;
	if (builtins >= 0)
		p->builtins = builtins;
	if (begin(p))
		return NULL;
	Py_RETURN_NONE;
}

static PyObject *profiler_disable(PyObject *self, PyObject *unused)
{
	struct profiler *p = (struct profiler *)self;

	(void)unused;
	if (refuse_now(p, "disable"))
		return NULL;
	if (is_enabled(p))
		pl_probe_end(p->session);
	else
		end_unreachable();
	Py_RETURN_NONE;
}

static PyObject *profiler_clear(PyObject *self, PyObject *unused)
{
	struct profiler *p = (struct profiler *)self;
	bool enabled = is_enabled(p);

	(void)unused;
	if (refuse_now(p, "clear"))
		return NULL;
	drop_session(p);
	if (enabled && begin(p))
		return NULL;
	Py_RETURN_NONE;
}

/* ---------------------------------------------------------- aggregation -- */

struct reading {
	struct pl_recfile rf;
	struct pl_aggregate agg;
	struct pl_aggregate flat;	/* of what was made without subcalls */
	PyObject **labels;		/* by dense function index; or NULL */
	bool open, has_agg, has_flat;
};

static void reading_release(struct reading *rd)
{
	for (uint32_t i = 0; rd->labels && i < rd->rf.n_func_slots; i++)
		Py_XDECREF(rd->labels[i]);
	PyMem_Free(rd->labels);
	if (rd->has_agg)
		pl_aggregate_release(&rd->agg);
	if (rd->has_flat)
		pl_aggregate_release(&rd->flat);
	if (rd->open)
		pl_recfile_close(&rd->rf);
}

static int add_recorders(struct reading *rd, struct pl_error *err)
{
	struct pl_tree tree = { 0 };
	int rc = 0;

	for (uint32_t i = 0; !rc && i < rd->rf.n_recorders; i++) {
		const struct pl_recorder *r = pl_recfile_recorder(
			&rd->rf, rd->rf.recorders[i]);
		bool subcalls = !(r->flags & PL_RECORDER_NO_SUBCALLS);

		rc = pl_tree_load_completed(&tree, &rd->rf,
					    rd->rf.recorders[i], err);
		if (!rc)
			rc = pl_aggregate_add(subcalls ? &rd->agg :
					      &rd->flat, &tree, err);
	}
	pl_tree_release(&tree);
	return rc;
}

/* Made with subcalls=False: a function's figures count, its callers don't. */
static void add_flat(struct reading *rd)
{
	for (uint32_t i = 0; i < rd->rf.n_func_slots; i++) {
		struct pl_figures *to = &rd->agg.funcs[i];
		const struct pl_figures *from = &rd->flat.funcs[i];

		to->calls += from->calls;
		to->resumes += from->resumes;
		to->primitive += from->primitive;
		to->self_ns += from->self_ns;
		to->cum_ns += from->cum_ns;
	}
}

static int reading_init(struct reading *rd, struct profiler *p)
{
	struct pl_error err = { 0 };
	int rc;

	memset(rd, 0, sizeof(*rd));
	pl_recording_sync(&p->session->rec);
	rc = pl_recfile_view(&rd->rf, p->session->rec.base,
			     pl_session_bytes(p->session), &err);
	if (!rc) {
		rd->open = true;
		/* Ticks of a timer are multiplied by its unit at the end.  The
		 * clock's rate is known better and better, but a profile that
		 * is read twice is to have the same figures twice. */
		if (p->timer)
			rd->rf.ns_per_tick = 1;
		else if (p->ns_per_tick > 0)
			rd->rf.ns_per_tick = p->ns_per_tick;
		else if (!is_enabled(p))
			p->ns_per_tick = rd->rf.ns_per_tick;
		rc = pl_aggregate_init(&rd->agg, rd->rf.n_func_slots, &err);
	}
	if (!rc) {
		rd->has_agg = true;
		rc = pl_aggregate_init(&rd->flat, rd->rf.n_func_slots, &err);
	}
	if (!rc) {
		rd->has_flat = true;
		rc = add_recorders(rd, &err);
	}
	if (!rc) {
		add_flat(rd);
		rd->labels = PyMem_Malloc((rd->rf.n_func_slots + 1) *
					  sizeof(PyObject *));
		if (!rd->labels)
			rc = pl_fail(&err, PL_ERR_NOMEM, "no memory");
		else
			memset(rd->labels, 0, (rd->rf.n_func_slots + 1) *
						      sizeof(PyObject *));
	}
	if (rc) {
		raise(&err);
		reading_release(rd);
	}
	return rc;
}

static PyObject *text_of(struct reading *rd, uint32_t str)
{
	size_t len;
	const char *text = pl_recfile_str(&rd->rf, str, &len);

	return PyUnicode_DecodeUTF8(text, (Py_ssize_t)len, "surrogatepass");
}

static const struct pl_func *func_at(struct reading *rd, uint32_t i)
{
	return pl_recfile_func(&rd->rf, rd->rf.func_ids[i]);
}

static double seconds(struct profiler *p, int64_t ns)
{
	return (double)ns * (p->timer && p->timeunit > 0 ? p->timeunit : 1e-9);
}

static bool is_seen(const struct pl_figures *f)
{
	return f->calls + f->resumes > 0;
}

/* No code object of its own names it. */
static bool stands_for_more(struct reading *rd, uint32_t i)
{
	const struct pl_func *f = func_at(rd, i);

	return f && !f->line && !strcmp(pl_recfile_str(&rd->rf, f->name, NULL),
					PL_MORE_FUNCTIONS);
}

/* Labels for getstats: Python functions by their code objects, of several with
 * the same name the one seen first. */
static void label_by_code(struct profiler *p, struct reading *rd)
{
	PyObject *object;
	uint32_t func;

	for (size_t i = 0; (object = pl_probe_object(p->session, i, &func));
	     i++) {
		uint32_t at = pl_recfile_func_index(&rd->rf, func);

		if (Py_TYPE(object) != pl_py.code_type || at == UINT32_MAX ||
		    rd->labels[at] || stands_for_more(rd, at))
			continue;
		Py_INCREF(object);
		rd->labels[at] = object;
	}
}

/* What getstats gives as `code`: the code object, or the text of a C function.
 * Borrowed from the reading. */
static PyObject *code_of(struct reading *rd, uint32_t i)
{
	const struct pl_func *f = func_at(rd, i);

	if (!rd->labels[i] && f)
		rd->labels[i] = text_of(rd, f->name);
	return rd->labels[i];
}

static int set_item(PyObject *seq, Py_ssize_t i, PyObject *value)
{
	if (!value)
		return -1;
	PyStructSequence_SetItem(seq, i, value);
	return 0;
}

/* One profiler_entry (with a place for `calls`) or profiler_subentry. */
static PyObject *make_entry(struct profiler *p, PyTypeObject *type,
			    PyObject *code, const struct pl_figures *f)
{
	uint64_t n = f->calls + f->resumes;
	PyObject *e = code ? PyStructSequence_New(type) : NULL;

	if (!e)
		return NULL;
	Py_INCREF(code);
	PyStructSequence_SetItem(e, 0, code);
	if (set_item(e, 1, PyLong_FromUnsignedLongLong(n)) ||
	    set_item(e, 2, PyLong_FromUnsignedLongLong(n - f->primitive)) ||
	    set_item(e, 3, PyFloat_FromDouble(seconds(p, f->cum_ns))) ||
	    set_item(e, 4, PyFloat_FromDouble(seconds(p, f->self_ns)))) {
		Py_DECREF(e);
		return NULL;
	}
	if (type == entry_type) {
		Py_INCREF(Py_None);
		PyStructSequence_SetItem(e, 5, Py_None);
	}
	return e;
}

static int append_subentry(struct profiler *p, struct reading *rd,
			   PyObject **entries, const struct pl_edge *edge)
{
	PyObject *entry = entries[edge->caller], *calls, *sub;
	int rc;

	if (!entry)
		return 0;
	calls = PyStructSequence_GetItem(entry, 5);
	if (calls == Py_None) {
		calls = PyList_New(0);
		if (!calls)
			return -1;
		PyStructSequence_SetItem(entry, 5, calls);
		Py_DECREF(Py_None);
	}
	sub = make_entry(p, subentry_type, code_of(rd, edge->callee),
			 &edge->f);
	if (!sub)
		return -1;
	rc = PyList_Append(calls, sub);
	Py_DECREF(sub);
	return rc;
}

static int fill_entries(struct profiler *p, struct reading *rd,
			PyObject **entries, PyObject *list)
{
	for (uint32_t i = 0; i < rd->rf.n_func_slots; i++) {
		if (!is_seen(&rd->agg.funcs[i]))
			continue;
		entries[i] = make_entry(p, entry_type, code_of(rd, i),
					&rd->agg.funcs[i]);
		if (!entries[i] || PyList_Append(list, entries[i]))
			return -1;
	}
	for (uint32_t i = 0; i < rd->agg.n_edges; i++)
		if (append_subentry(p, rd, entries, &rd->agg.edges[i]))
			return -1;
	return 0;
}

static PyObject *profiler_getstats(PyObject *self, PyObject *unused)
{
	struct profiler *p = (struct profiler *)self;
	PyObject *list = PyList_New(0), **entries;
	struct reading rd;
	int rc;

	(void)unused;
	if (!list || !p->session)
		return list;
	if (reading_init(&rd, p)) {
		Py_DECREF(list);
		return NULL;
	}
	entries = PyMem_Malloc((rd.rf.n_func_slots + 1) * sizeof(*entries));
	if (entries)
		memset(entries, 0,
		       (rd.rf.n_func_slots + 1) * sizeof(*entries));
	label_by_code(p, &rd);
	rc = entries ? fill_entries(p, &rd, entries, list) : -1;
	for (uint32_t i = 0; entries && i < rd.rf.n_func_slots; i++)
		Py_XDECREF(entries[i]);
	if (!entries)
		PyErr_NoMemory();
	PyMem_Free(entries);
	reading_release(&rd);
	if (rc) {
		Py_DECREF(list);
		return NULL;
	}
	return list;
}

/* ---- the dictionary pstats works on, straight from the aggregate ---- */

/* (file, line, name), borrowed from the reading */
static PyObject *label_of(struct reading *rd, uint32_t i)
{
	const struct pl_func *f = func_at(rd, i);
	PyObject *file, *name;

	if (rd->labels[i] || !f)
		return rd->labels[i];
	file = text_of(rd, f->file);
	name = text_of(rd, f->name);
	if (file && name)
		rd->labels[i] = Py_BuildValue("(OiO)", file, (int)f->line,
					      name);
	Py_XDECREF(file);
	Py_XDECREF(name);
	return rd->labels[i];
}

static int put_function(struct profiler *p, struct reading *rd,
			PyObject *stats, PyObject **callers, uint32_t i)
{
	const struct pl_figures *f = &rd->agg.funcs[i];
	PyObject *label = label_of(rd, i), *row;
	int rc;

	callers[i] = PyDict_New();
	if (!label || !callers[i])
		return -1;
	row = Py_BuildValue("(KKddO)", (unsigned long long)f->primitive,
			    (unsigned long long)(f->calls + f->resumes),
			    seconds(p, f->self_ns), seconds(p, f->cum_ns),
			    callers[i]);
	rc = row ? PyDict_SetItem(stats, label, row) : -1;
	Py_XDECREF(row);
	return rc;
}

static int put_caller(struct profiler *p, struct reading *rd,
		      PyObject **callers, const struct pl_edge *edge)
{
	PyObject *label = label_of(rd, edge->caller), *row;
	int rc;

	if (!label)
		return PyErr_Occurred() ? -1 : 0;
	/* nc, cc: the other way round than in a function's row */
	row = Py_BuildValue("(KKdd)",
			    (unsigned long long)(edge->f.calls +
						 edge->f.resumes),
			    (unsigned long long)edge->f.primitive,
			    seconds(p, edge->f.self_ns),
			    seconds(p, edge->f.cum_ns));
	rc = row ? PyDict_SetItem(callers[edge->callee], label, row) : -1;
	Py_XDECREF(row);
	return rc;
}

static int fill_stats(struct profiler *p, struct reading *rd, PyObject *stats,
		      PyObject **callers)
{
	for (uint32_t i = 0; i < rd->rf.n_func_slots; i++)
		if (is_seen(&rd->agg.funcs[i]) &&
		    put_function(p, rd, stats, callers, i))
			return -1;
	for (uint32_t i = 0; i < rd->agg.n_edges; i++)
		if (callers[rd->agg.edges[i].callee] &&
		    is_seen(&rd->agg.funcs[rd->agg.edges[i].caller]) &&
		    put_caller(p, rd, callers, &rd->agg.edges[i]))
			return -1;
	return 0;
}

static PyObject *profiler_pstats(PyObject *self, PyObject *unused)
{
	struct profiler *p = (struct profiler *)self;
	PyObject *stats = PyDict_New(), **callers;
	struct reading rd;
	int rc;

	(void)unused;
	if (!stats || !p->session)
		return stats;
	if (reading_init(&rd, p)) {
		Py_DECREF(stats);
		return NULL;
	}
	callers = PyMem_Malloc((rd.rf.n_func_slots + 1) * sizeof(*callers));
	if (callers)
		memset(callers, 0,
		       (rd.rf.n_func_slots + 1) * sizeof(*callers));
	else
		PyErr_NoMemory();
	rc = callers ? fill_stats(p, &rd, stats, callers) : -1;
	for (uint32_t i = 0; callers && i < rd.rf.n_func_slots; i++)
		Py_XDECREF(callers[i]);
	PyMem_Free(callers);
	reading_release(&rd);
	if (rc) {
		Py_DECREF(stats);
		return NULL;
	}
	return stats;
}

static PyObject *path_bytes(PyObject *path)
{
	PyObject *bytes = NULL;

	return PyUnicode_FSConverter(path, &bytes) ? bytes : NULL;
}

/* While it is saved, other threads run only where that is asked for: a fork of
 * theirs waits for its end. */
static int save(struct profiler *p, const char *db, bool let_run,
		struct pl_error *err)
{
	PyThreadState *state;
	int rc;

	if (!let_run || is_enabled(p))
		return pl_engine_save_session(p->session, db, err);
	p->saving = getpid();
	state = PyEval_SaveThread();
	rc = pl_engine_save_session(p->session, db, err);
	PyEval_RestoreThread(state);
	p->saving = 0;
	return rc;
}

static PyObject *profiler_save(PyObject *self, PyObject *args)
{
	struct profiler *p = (struct profiler *)self;
	struct pl_error err = { 0 };
	PyObject *path, *bytes;
	const char *label = NULL;
	Py_ssize_t len = 0;
	int let_run = 0, rc;

	if (!PyArg_ParseTuple(args, "O|z#p:_save", &path, &label, &len,
			      &let_run))
		return NULL;
	if (p->saving == getpid() && refuse_now(p, "save"))
		return NULL;
	if (!p->session && open_session(p))
		return NULL;
	bytes = path_bytes(path);
	if (!bytes)
		return NULL;
	if (!is_enabled(p))
		pl_calibrate(p->session);
	if (PyErr_Occurred()) {
		Py_DECREF(bytes);
		return NULL;
	}
	if (label)
		pl_session_join(p->session, NULL, label, (size_t)len);
	rc = save(p, PyBytes_AsString(bytes), let_run, &err);
	Py_DECREF(bytes);
	if (rc)
		return raise(&err);
	Py_RETURN_NONE;
}

/* Several profiles in one recording: what is recorded after this is apart from
 * what was before.  Tells how large the recording is. */
static PyObject *profiler_scope(PyObject *self, PyObject *args)
{
	struct profiler *p = (struct profiler *)self;
	const char *label;
	Py_ssize_t len;

	if (!PyArg_ParseTuple(args, "s#:_scope", &label, &len))
		return NULL;
	if (refuse_now(p, "split"))
		return NULL;
	if (is_enabled(p)) {
		PyErr_SetString(PyExc_ValueError,
				"a scope begins while the profile is disabled");
		return NULL;
	}
	if (!p->session && open_session(p))
		return NULL;
	pl_session_scope(p->session, label, (size_t)len);
	return PyLong_FromSize_t(pl_session_bytes(p->session));
}

static PyObject *profiler_join(PyObject *self, PyObject *args)
{
	struct profiler *p = (struct profiler *)self;
	const char *hex, *label;
	Py_ssize_t len;
	uint8_t run[16];

	if (!PyArg_ParseTuple(args, "ss#:_join", &hex, &label, &len))
		return NULL;
	if (!pl_uuid_parse(hex, run)) {
		PyErr_Format(PyExc_ValueError,
			     "want 32 hexadecimal digits, not %s", hex);
		return NULL;
	}
	if (!p->session && open_session(p))
		return NULL;
	pl_session_join(p->session, run, label, (size_t)len);
	Py_RETURN_NONE;
}

/* ------------------------------------------------------------- the type -- */

static int profiler_init(PyObject *self, PyObject *args, PyObject *kw)
{
	static char *names[] = { "timer", "timeunit", "subcalls", "builtins",
				 "threads", "all_calls", "within", NULL };
	struct profiler *p = (struct profiler *)self;
	int subcalls = 1, builtins = 1, threads = 0, all_calls = 0;
	PyObject *timer = NULL, *within = NULL, *old;
	double timeunit = 0;

	if (!PyArg_ParseTupleAndKeywords(args, kw, "|Odpp$ppO:Profiler", names,
					 &timer, &timeunit, &subcalls,
					 &builtins, &threads, &all_calls,
					 &within))
		return -1;
	if (refuse_now(p, "initialise"))
		return -1;
	if (all_calls && pl_py.version < 0x030c &&
	    PyErr_WarnEx(PyExc_RuntimeWarning, "all_calls needs Python 3.12: "
			 "older ones report calls of C functions only", 1))
		return -1;
	drop_session(p);
	if (set_within(p, within))
		return -1;
	old = p->timer;
	p->timer = timer == Py_None ? NULL : timer;
	Py_XINCREF(p->timer);
	Py_XDECREF(old);
	p->timeunit = timeunit;
	p->subcalls = subcalls;
	p->builtins = builtins;
	p->threads = threads;
	p->all_calls = all_calls;
	return 0;
}

static int profiler_traverse(PyObject *self, visitproc visit, void *arg)
{
	struct profiler *p = (struct profiler *)self;
	PyObject *object;
	uint32_t func;

	Py_VISIT(Py_TYPE(self));
	Py_VISIT(p->timer);
	Py_VISIT(p->var);
	Py_VISIT(p->value);
	for (size_t i = 0; p->session &&
	     (object = pl_probe_object(p->session, i, &func)); i++)
		Py_VISIT(object);
	return 0;
}

static int profiler_tp_clear(PyObject *self)
{
	/* Without its timer a session can't go on. */
	drop_session((struct profiler *)self);
	Py_CLEAR(((struct profiler *)self)->timer);
	Py_CLEAR(((struct profiler *)self)->var);
	Py_CLEAR(((struct profiler *)self)->value);
	return 0;
}

static void profiler_dealloc(PyObject *self)
{
	PyTypeObject *type = Py_TYPE(self);
	freefunc free_it = (freefunc)PyType_GetSlot(type, Py_tp_free);

	PyObject_GC_UnTrack(self);
	profiler_tp_clear(self);
	free_it(self);
	Py_DECREF(type);
}

static PyMethodDef profiler_methods[] = {
	{ "enable", (PyCFunction)(void (*)(void))profiler_enable,
	  METH_VARARGS | METH_KEYWORDS,
	  "enable($self, /, subcalls=True, builtins=True)\n--\n\nStart collecting profiling "
	  "information.\n\nsubcalls: also record, for each function, "
	  "statistics by its callers.\nbuiltins: also record the time spent in built-in "
	  "functions." },
	{ "disable", profiler_disable, METH_NOARGS,
	  "disable($self, /)\n--\n\nStop collecting profiling information." },
	{ "clear", profiler_clear, METH_NOARGS,
	  "clear($self, /)\n--\n\nClear all profiling information collected so far." },
	{ "getstats", profiler_getstats, METH_NOARGS,
	  "getstats($self, /)\n--\n\nA list of profiler_entry objects.\n\n"
	  "profiler_entry: code (a code object, or a str for C functions),\n"
	  "callcount, reccallcount, totaltime, inlinetime (seconds), calls "
	  "(None or\na list of profiler_subentry: the same of one callee)." },
	{ "_pstats", profiler_pstats, METH_NOARGS,
	  "The dictionary that pstats.Stats works on." },
	{ "_save", profiler_save, METH_VARARGS, "Write into an SQLite database." },
	{ "_scope", profiler_scope, METH_VARARGS,
	  "Begin a scope of that label; the recording's size." },
	{ "_join", profiler_join, METH_VARARGS,
	  "Belong to a run (32 digits) of that label." },
	{ NULL, NULL, 0, NULL },
};

static PyType_Slot profiler_slots[] = {
	{ Py_tp_doc, "Profiler(timer=None, timeunit=0.0, subcalls=True, "
		     "builtins=True, *, threads=False, all_calls=False, "
		     "within=None)\n"
		     "--\n\nBuild a profile of the calls made." },
	{ Py_tp_init, (void *)profiler_init },
	{ Py_tp_new, (void *)PyType_GenericNew },
	{ Py_tp_dealloc, (void *)profiler_dealloc },
	{ Py_tp_traverse, (void *)profiler_traverse },
	{ Py_tp_clear, (void *)profiler_tp_clear },
	{ Py_tp_methods, profiler_methods },
	{ 0, NULL },
};

/*
 * Under cProfile's own name for it: reports name the type, for every profile
 * has a row {method 'disable' of '_lsprof.Profiler' objects}, and are to be the
 * same.
 */
static PyType_Spec profiler_spec = {
	.name = "_lsprof.Profiler",
	.basicsize = sizeof(struct profiler),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
	.slots = profiler_slots,
};

static PyStructSequence_Field entry_fields[] = {
	{ "code", "code object or built-in function name" },
	{ "callcount", "how many times this was called" },
	{ "reccallcount", "how many times called recursively" },
	{ "totaltime", "total time in this entry" },
	{ "inlinetime", "inline time in this entry (not in subcalls)" },
	{ "calls", "details of the calls" },
	{ NULL, NULL },
};

static PyStructSequence_Field subentry_fields[] = {
	{ "code", "called code object or built-in function name" },
	{ "callcount", "how many times this is called" },
	{ "reccallcount", "how many times this is called recursively" },
	{ "totaltime", "total time spent in this call" },
	{ "inlinetime", "inline time (not in further subcalls)" },
	{ NULL, NULL },
};

static PyStructSequence_Desc entry_desc = {
	"_lsprof.profiler_entry", NULL, entry_fields, 6,
};

static PyStructSequence_Desc subentry_desc = {
	"_lsprof.profiler_subentry", NULL, subentry_fields, 5,
};

/* ------------------------------------------------- process-wide session -- */

static PyObject *module_start(PyObject *self, PyObject *args)
{
	static struct pl_options options;
	struct pl_error err = { 0 };
	const char *text;

	(void)self;
	if (!PyArg_ParseTuple(args, "y:start", &text))
		return NULL;
	pl_engine_base_options(&options);
	if (pl_options_parse(&options, text, &err) ||
	    pl_engine_start(&options, &err))
		return raise(&err);
	if (PyErr_Occurred())		/* by a signal's handler */
		return NULL;
	Py_RETURN_NONE;
}

static PyObject *module_stop(PyObject *self, PyObject *unused)
{
	(void)self, (void)unused;
	pl_engine_stop();
	Py_RETURN_NONE;
}

static PyObject *module_save(PyObject *self, PyObject *path)
{
	struct pl_error err = { 0 };
	PyObject *bytes = NULL;
	int rc;

	(void)self;
	if (path != Py_None) {
		bytes = path_bytes(path);
		if (!bytes)
			return NULL;
	}
	rc = pl_engine_save(bytes ? PyBytes_AsString(bytes) : NULL, &err);
	Py_XDECREF(bytes);
	if (rc)
		return raise(&err);
	Py_RETURN_NONE;
}

static PyObject *module_is_on(PyObject *self, PyObject *unused)
{
	(void)self, (void)unused;
	return PyBool_FromLong(pl_engine_is_on());
}

/* What `proflite attach` has the process run. */
static PyObject *module_serve(PyObject *self, PyObject *number)
{
	unsigned long n = PyLong_AsUnsignedLong(number);

	(void)self;
	if (PyErr_Occurred())
		return NULL;
	pl_attach_serve((uint32_t)n);
	Py_RETURN_NONE;
}

static PyMethodDef module_methods[] = {
	{ "start", module_start, METH_VARARGS, "Options as bytes." },
	{ "stop", module_stop, METH_NOARGS, NULL },
	{ "save", module_save, METH_O, NULL },
	{ "is_on", module_is_on, METH_NOARGS, NULL },
	{ "serve", module_serve, METH_O, NULL },
	{ NULL, NULL, 0, NULL },
};

static int add_type(PyObject *module, const char *name, PyObject *type)
{
	if (!type)
		return -1;
	Py_INCREF(type);
	if (PyModule_AddObject(module, name, type)) {
		Py_DECREF(type);
		return -1;
	}
	return 0;
}

static int module_exec(PyObject *module)
{
	struct pl_error err = { 0 };

	if (pl_pyapi_init(&err)) {
		PyErr_SetString(PyExc_ImportError, err.text);
		return -1;
	}
	entry_type = PyStructSequence_NewType(&entry_desc);
	subentry_type = PyStructSequence_NewType(&subentry_desc);
	profiler_type = (PyTypeObject *)PyType_FromSpec(&profiler_spec);
	if (add_type(module, "profiler_entry", (PyObject *)entry_type) ||
	    add_type(module, "profiler_subentry", (PyObject *)subentry_type) ||
	    add_type(module, "Profiler", (PyObject *)profiler_type) ||
	    PyModule_AddStringConstant(module, "version", PACKAGE_VERSION))
		return -1;
	return 0;
}

static PyModuleDef_Slot module_slots[] = {
	{ Py_mod_exec, (void *)module_exec },
#ifdef PL_FREE_THREADED
	{ Py_mod_gil, Py_MOD_GIL_NOT_USED },
#endif
	{ 0, NULL },
};

static PyModuleDef module_def = {
	PyModuleDef_HEAD_INIT,
	.m_name = "_proflite",
	.m_doc = "The engine of proflite.",
	.m_methods = module_methods,
	.m_slots = module_slots,
};

EXPORT PyObject *PyInit__proflite(void);

PyObject *PyInit__proflite(void)
{
	struct pl_error err;

	if (!pl_pyapi_is_ours(&err)) {
		PyErr_SetString(PyExc_ImportError, err.text);
		return NULL;
	}
	return PyModuleDef_Init(&module_def);
}
