/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "probe/calibrate.h"

#include "base/hash.h"
#include "core/recorder_inline.h"
#include "probe/probe.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS 40			/* of a loop: a batch */
#define CALLS 4				/* in a round */
#define WARM_UP 2			/* batches that do not count */
#define BATCHES 8			/* that do, in a turn */
#define TURNS 4				/* without events, then with */

/* What else goes on in a machine makes a batch slower and never faster: the
 * quantile that is taken for the cost, and the one that tells how sure it is. */
#define LOW 0.1
#define USUAL 0.5

/* A call as most are: a function of the program, and by turns a builtin
 * function and a method of a builtin type. */
static const char program[] =
	"def callee():\n"
	"    pass\n"
	"def python(rounds, call, text):\n"
	"    for _ in rounds:\n"
	"        call(); call(); call(); call()\n"
	"def c(rounds, call, text):\n"
	"    for _ in rounds:\n"
	"        call(text); text.isspace(); call(text); text.isspace()\n";

struct bench {
	PyObject *loop, *args;
	uint64_t keys[3];		/* the loop's, then its callees' */
	double bare[TURNS * BATCHES], recorded[TURNS * BATCHES];
	double inside[TURNS * BATCHES];
};

struct cost {
	double in, out, error;
};

/* Another thread may come meanwhile, or a signal's handler. */
static struct {
	const void *thread; /* address of its pl_tls, or NULL */
	struct pl_session *scratch;
} running;

static bool begin_running(void)
{
	const void *nobody = NULL;

	return __atomic_compare_exchange_n(&running.thread, &nobody, &pl_tls,
					   false, __ATOMIC_ACQUIRE,
					   __ATOMIC_RELAXED);
}

static void end_running(void)
{
	__atomic_store_n(&running.thread, NULL, __ATOMIC_RELEASE);
}

/* In the child nobody goes on with what another thread has begun; its scratch
 * session is left to whoever calibrates next. */
static void after_fork_child(void)
{
	if (running.thread != &pl_tls)
		end_running();
}

static void watch_forks(void)
{
	pthread_atfork(NULL, NULL, after_fork_child);
}

static uint64_t now(enum pl_clock_kind kind)
{
	if (kind == PL_CLOCK_CPU)
		return (uint64_t)pl_clock_ns(CLOCK_THREAD_CPUTIME_ID);
	if (pl_clock_source() == PL_TICK_NS)
		return (uint64_t)pl_clock_ns(CLOCK_MONOTONIC);
	return pl_counter();
}

/* ------------------------------------------------- what is to be called -- */

static PyObject *member(PyObject *dict, const char *name)
{
	return dict ? PyDict_GetItemString(dict, name) : NULL;
}

static uint64_t code_key(PyObject *function)
{
	PyObject *code = PyObject_GetAttrString(function, "__code__");

	Py_XDECREF(code);		/* the function has it */
	return (uint64_t)(uintptr_t)code;
}

static bool is_usable(PyObject *len, PyObject *isspace)
{
	return len && Py_TYPE(len) == &PyCFunction_Type && isspace &&
	       Py_TYPE(isspace) == &PyMethodDescr_Type;
}

/* Both are empty.  False when there is no memory, or somebody has replaced what
 * is to be called. */
static bool make_benches(struct bench *python, struct bench *c)
{
	PyObject *names = PyDict_New(), *code = NULL, *done = NULL;
	PyObject *builtins = PyEval_GetBuiltins();
	PyObject *len = member(builtins, "len");
	PyObject *isspace = PyObject_GetAttrString((PyObject *)&PyUnicode_Type,
						   "isspace");
	static const char rounds[ROUNDS];
	bool ok = false;

	if (!names || !is_usable(len, isspace) ||
	    PyDict_SetItemString(names, "__builtins__", builtins))
		goto out;
	code = Py_CompileString(program, "<proflite>", Py_file_input);
	done = code ? PyEval_EvalCode(code, names, names) : NULL;
	if (!done)
		goto out;
	python->loop = member(names, "python");
	c->loop = member(names, "c");
	Py_INCREF(python->loop);
	Py_INCREF(c->loop);
	python->args = Py_BuildValue("(y#Os)", rounds, (Py_ssize_t)ROUNDS,
				     member(names, "callee"), "");
	c->args = Py_BuildValue("(y#Os)", rounds, (Py_ssize_t)ROUNDS, len,
				"text");
	if (!python->args || !c->args)
		goto out;
	python->keys[0] = code_key(python->loop);
	python->keys[1] = code_key(member(names, "callee"));
	c->keys[0] = code_key(c->loop);
	c->keys[1] = (uint64_t)(uintptr_t)((struct pl_cfunction *)len)->ml;
	c->keys[2] = (uint64_t)(uintptr_t)
		((struct pl_methoddescr *)isspace)->method;
	ok = true;
out:
	Py_XDECREF(done);
	Py_XDECREF(code);
	Py_XDECREF(isspace);
	Py_XDECREF(names);
	if (!ok && PyErr_Occurred() && PyErr_ExceptionMatches(PyExc_MemoryError))
		PyErr_Clear();
	return ok;
}

static void drop_bench(struct bench *b)
{
	Py_XDECREF(b->loop);
	Py_XDECREF(b->args);
}

/* --------------------------------------------------------------- measuring -- */

/* The node of @key below @parent; C functions' keys may have a mark. */
static struct pl_node *below(struct pl_recorder *r, struct pl_node *parent,
			     uint64_t key)
{
	struct pl_node *first = pl_node_at(r, parent->last), *n = first;

	if (!parent->last)
		return NULL;
	do {
		if ((n->key & ~(uint64_t)7) == key)
			return n;
		n = pl_node_at(r, n->next);
	} while (n != first);
	return NULL;
}

/* Ticks that @r has seen the callees of @b take. */
static uint64_t callee_ticks(struct pl_recorder *r, const struct bench *b)
{
	struct pl_node *loop = below(r, pl_node_at(r, r->root), b->keys[0]);
	uint64_t sum = 0;

	for (int i = 1; loop && i < 3 && b->keys[i]; i++) {
		struct pl_node *n = below(r, loop, b->keys[i]);

		sum += n ? n->ticks : 0;
	}
	return sum;
}

/* @r: NULL without events. */
static bool run_turn(struct bench *b, int turn, enum pl_clock_kind kind,
		     struct pl_recorder *r)
{
	double *to = (r ? b->recorded : b->bare) + turn * BATCHES;
	double *inside = b->inside + turn * BATCHES;

	for (int i = -WARM_UP; i < BATCHES; i++) {
		uint64_t seen = r ? callee_ticks(r, b) : 0;
		uint64_t t0 = now(kind), t1;
		PyObject *done = PyObject_CallObject(b->loop, b->args);

		t1 = now(kind);
		if (!done)
			return false;
		Py_DECREF(done);
		if (i < 0)
			continue;
		to[i] = (double)(t1 - t0) / (ROUNDS * CALLS);
		if (r)
			inside[i] = (double)(callee_ticks(r, b) - seen) /
				    (ROUNDS * CALLS);
	}
	return true;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* Sorts @v. */
static double quantile(double *v, double q)
{
	qsort(v, TURNS * BATCHES, sizeof(*v), ascending);
	return v[(int)(q * (TURNS * BATCHES - 1) + 0.5)];
}

static struct cost cost_of(struct bench *b)
{
	double bare = quantile(b->bare, LOW);
	double all = quantile(b->recorded, LOW) - bare;
	double inside = quantile(b->inside, LOW);
	double in = inside - (inside < bare ? inside : bare) / 2;
	struct cost c = { .in = in, .out = all - in };

	if (all <= 0)
		return (struct cost){ 0 };
	if (c.out < 0)
		c = (struct cost){ .in = all };
	c.error = (quantile(b->recorded, USUAL) - quantile(b->recorded, LOW) +
		   quantile(b->bare, USUAL) - bare) / 2;
	return c;
}

/* ----------------------------------------------------- may it be measured -- */

/* Does sys have nothing set?  @getter: gettrace, getprofile. */
static bool has_none(const char *getter)
{
	PyObject *f = PySys_GetObject(getter);		/* borrowed */
	PyObject *found = f ? PyObject_CallObject(f, NULL) : NULL;

	Py_XDECREF(found);
	PyErr_Clear();
	return found == Py_None;
}

/* Whoever else watches would see our loops, and we would measure theirs. */
static bool is_alone(void)
{
	if (!has_none("gettrace") || !has_none("getprofile"))
		return false;
	for (long id = 0; pl_py.version >= 0x030c && id < 6; id++) {
		PyObject *sys = PySys_GetObject("monitoring"), *tool = NULL;

		if (sys)
			tool = PyObject_CallMethod(sys, "get_tool", "l", id);
		Py_XDECREF(tool);
		PyErr_Clear();
		if (tool != Py_None)
			return false;
	}
	return true;
}

static bool is_possible(const struct pl_session *s)
{
	const struct pl_rec_header *h = s->rec.header;

	return s->options.calibrate && !pl_probe_is_on() &&
	       (h->clock == PL_CLOCK_WALL || h->clock == PL_CLOCK_CPU) &&
	       PyInterpreterState_Get() == pl_py.main_interpreter();
}

/* ------------------------------------------------------------------- all -- */

static struct pl_session *scratch_for(const struct pl_session *s)
{
	struct pl_session *scratch = pl_pages_alloc(sizeof(*scratch));
	struct pl_error err = { 0 };

	if (!scratch)
		return NULL;
	pl_options_init(&scratch->options);
	scratch->options.builtins = s->options.builtins;
	scratch->options.all_calls = s->options.all_calls;
	if (!pl_session_open_private(scratch, s->rec.header->clock, &err))
		return scratch;
	pl_pages_free(scratch, sizeof(*scratch));
	return NULL;
}

/* Without events, then with.  When it fails @scratch may still be on. */
static bool run_turns(struct pl_session *scratch, struct bench *python,
		      struct bench *c)
{
	enum pl_clock_kind kind = scratch->rec.header->clock;
	struct pl_error err = { 0 };

	for (int i = 0; i < TURNS; i++) {
		struct pl_recorder *r;

		if (!run_turn(python, i, kind, NULL) ||
		    !run_turn(c, i, kind, NULL) ||
		    pl_probe_begin(scratch, NULL, &err))
			return false;
		r = pl_session_recorder(scratch);
		if (!r || !run_turn(python, i, kind, r) ||
		    !run_turn(c, i, kind, r))
			return false;
		pl_probe_end(scratch);
	}
	return true;
}

static void drop_scratch(void)
{
	struct pl_session *scratch = running.scratch;
	PyObject *type, *value, *traceback;

	PyErr_Fetch(&type, &value, &traceback);
	running.scratch = NULL;
	if (scratch)
		pl_probe_dispose(scratch);
	PyErr_Restore(type, value, traceback);
}

static bool measure(const struct pl_session *s, struct bench *python,
		    struct bench *c)
{
	bool ok;

	running.scratch = scratch_for(s);
	ok = running.scratch && run_turns(running.scratch, python, c);
	drop_scratch();
	return ok;
}

static uint32_t rounded(double ticks)
{
	return (uint32_t)(ticks + 0.5);
}

static void fill(struct pl_rec_header *h, const struct cost *python,
		 const struct cost *c)
{
	h->cost_py_in = rounded(python->in);
	h->cost_py_out = rounded(python->out);
	h->cost_c_in = rounded(c->in);
	h->cost_c_out = rounded(c->out);
	h->cost_error = rounded(python->error > c->error ? python->error :
							   c->error);
}

/* What is known of recordings like @s's.  Guarded by begin_running(). */
static struct known {
	bool is_known;
	struct cost python, c;
} * known_of(const struct pl_session *s)
{
	static struct known all[2][2]
			       [2]; /* clock, C functions, other callables */

	return &all[s->rec.header->clock == PL_CLOCK_CPU][s->options.builtins]
		   [s->options.all_calls];
}

static void find_out(const struct pl_session *s, struct known *k)
{
	struct bench python = { 0 }, c = { 0 };

	if (is_alone() && make_benches(&python, &c) &&
	    measure(s, &python, &c)) {
		k->python = cost_of(&python);
		k->c = cost_of(&c);
		k->is_known = true;
	}
	drop_bench(&python);
	drop_bench(&c);
}

void pl_calibrate(struct pl_session *s)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct known *k = known_of(s);

	pthread_once(&once, watch_forks);
	if (PyErr_Occurred() || !begin_running())
		return;
	drop_scratch(); /* of another thread before a fork */
	if (is_possible(s)) {
		if (!k->is_known)
			find_out(s, k);
		if (k->is_known)
			fill(s->rec.header, &k->python, &k->c);
	}
	end_running();
}
