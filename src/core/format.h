/* SPDX-License-Identifier: MIT */
/*
 * format.h: the recording, a memory-mapped file that a profiled process writes
 * and any process can read, during its life or after its death.
 *
 * The whole file is an array of 64-byte cells, one cache line each; a page is
 * 64 cells.  Whatever is referred to is referred to by number, so that the
 * file may be mapped anywhere:
 *
 *	cell id   u32, offset / 64	nodes, recorders, stacks, chunks
 *	func id   u32, offset / 32	struct pl_func
 *	str id    u32, offset / 8	struct pl_str
 *
 * 0 is "none" in all three: offset 0 is the file's own header.
 *
 *	+--------+-----------------+-----------------+-----------------+--
 *	| header | chunk RECORDERS | chunk STRINGS   | chunk NODES ... | ...
 *	| 1 page | n pages         | n pages         | n pages         |
 *	+--------+-----------------+-----------------+-----------------+--
 *	          ^ struct pl_chunk, one cell, then the chunk's content;
 *	            the next chunk begins where this one ends
 *
 * The space of every chunk is reserved with posix_fallocate before it is
 * touched, so a full disk is an error return and never SIGBUS.
 *
 * A recorder is one calling-context tree and its shadow stack: that of one
 * thread (of the whole process, or within one scope).  Only its thread writes
 * it.  Its nodes lie in NODES chunks that it owns, so that threads never share
 * a cache line.  Past max_threads a new thread takes over the recorder of a
 * thread that has ended, and its calls add to the same tree:
 *
 *	PL_RECORDER_ENDED	set	clear		set	clear
 *	thread			-	 a		-	 b	...
 *	valid until then	end_ticks  latest, stack  end_ticks  latest, stack
 *				pauses	 pauses_now	pauses	 pauses_now
 *
 * What is valid while the flag is set is written while it is clear, and the
 * other way round: one store of the flags switches from one to the other, and
 * a reader of any state in between has every call once.
 *
 *	recorder ──root──► node (func 0)
 *	   │                 │ last ──► node f  ◄── next ── node g ◄─┐
 *	   │                 │            └────────── next ───────────┘
 *	   └─stack──► frames: [root][f][h]…      children are a ring; `last` is the
 *	                                         one hit most recently
 *
 * What a reader may rely on, at any instant, even of a process that was killed
 * between two instructions: a node is filled in before it is linked; a string
 * or function is written before its number is stored anywhere; chunk headers
 * are complete before `n_cells` of the file header covers them.  Counters may
 * be a moment old.
 *
 * All integers are in the byte order of the writing machine; a reader of the
 * other order refuses by `byte_order`.  Times are raw ticks of `clock`; the
 * two sync points convert them to nanoseconds (see pl_ticks_to_ns).
 */
#ifndef PL_CORE_FORMAT_H
#define PL_CORE_FORMAT_H

#include <stdint.h>

#define PL_REC_MAGIC "PLREC\r\n\032"
#define PL_REC_VERSION 1
#define PL_REC_BYTE_ORDER 0x01020304u
#define PL_REC_SUFFIX ".plrec"

#define PL_CELL 64u
#define PL_PAGE 4096u

enum pl_clock_kind {
	PL_CLOCK_WALL = 0,	/* CLOCK_MONOTONIC, by the invariant counter */
	PL_CLOCK_CPU = 1,	/* CLOCK_THREAD_CPUTIME_ID */
	PL_CLOCK_STEP = 2,	/* +1 per reading, per recorder; 1 tick = 1 ns */
	PL_CLOCK_CALLABLE = 3,	/* cProfile's timer=; tick_hz from timeunit= */
};

/* What the ticks of PL_CLOCK_WALL count. */
enum pl_tick_source {
	PL_TICK_NS = 0,		/* clock_gettime, nanoseconds */
	PL_TICK_TSC = 1,	/* x86-64 time-stamp counter */
	PL_TICK_CNTVCT = 2,	/* arm64 virtual counter */
};

/* How a process ended.  Stored in the database by name. */
enum pl_end {
	PL_END_RUNNING = 0,	/* still alive, or ended with no word: killed */
	PL_END_EXIT = 1,	/* the interpreter was finalised */
	PL_END_UNDERSCORE_EXIT = 2, /* _exit, quick_exit */
	PL_END_EXEC = 3,	/* replaced by another program */
	PL_END_STOPPED = 4,	/* profiling was stopped; the process went on */
	PL_END_SIGNAL = 5,	/* `end_status` is the signal */
	PL_END_KILLED = 6,	/* gone with no word (set by who reads it) */
};

enum pl_func_kind {
	PL_FUNC_PYTHON = 0,
	PL_FUNC_C = 1,		/* builtin function or method, as cProfile's */
	PL_FUNC_OTHER = 2,	/* class, slot wrapper, …: only with all_calls */
	PL_FUNC_SPECIAL = 3,	/* ours: folded, lost */
};

/* One instant on three clocks. */
struct pl_sync {
	uint64_t ticks;
	int64_t mono_ns;	/* CLOCK_MONOTONIC */
	int64_t real_ns;	/* CLOCK_REALTIME, since the epoch */
};

/* Bits of pl_rec_header.flags */
enum pl_rec_flags {
	PL_REC_F_BUILTINS = 1 << 0,	/* C functions are recorded */
	PL_REC_F_ALL_CALLS = 1 << 1,	/* classes etc. as well */
	PL_REC_F_FOLDED = 1 << 2,	/* max_nodes was reached */
	PL_REC_F_LOST = 1 << 3,		/* no room: calls were lost */
	PL_REC_F_EXEC_PENDING = 1 << 4,	/* inside exec*(): gone if it worked */
	PL_REC_F_FORKED = 1 << 5,	/* began in a forked child */
	PL_REC_F_MORE_FUNCTIONS = 1 << 6, /* max_functions was reached */
	PL_REC_F_STOPPED = 1 << 8,	/* nothing is recorded just now */
	PL_REC_F_LOCKED = 1 << 9,	/* who writes it holds the lock: live.h */
};

/* The first page of the file. */
struct pl_rec_header {
	char magic[8];
	uint32_t version;
	uint32_t byte_order;
	uint32_t header_bytes;		/* sizeof(struct pl_rec_header) */
	uint32_t node_bytes;		/* sizeof(struct pl_node) */

	uint8_t uuid[16];		/* this recording */
	uint8_t run_uuid[16];		/* shared by all processes of a run */
	uint8_t parent_uuid[16];	/* parent's recording, or zeros */
	uint8_t boot_id[16];		/* the machine's boot, or zeros */

	uint32_t pid;
	uint32_t ppid;
	uint64_t proc_start;		/* field 22 of /proc/PID/stat */

	uint32_t n_cells;		/* of the file, that are valid to read */
	uint32_t flags;			/* enum pl_rec_flags */
	uint32_t end;			/* enum pl_end */
	int32_t end_status;		/* exit status or signal, -1 unknown */

	uint32_t clock;			/* enum pl_clock_kind */
	uint32_t tick_source;		/* enum pl_tick_source */
	uint64_t tick_hz;		/* best estimate at start, 0 unknown */
	struct pl_sync start;
	struct pl_sync latest;		/* refreshed off the hot path */

	/* Own cost of an event pair, in ticks: charged to the callee (in) and
	 * to its caller (out), calibrated in the process; 0 = not known. */
	uint32_t cost_py_in, cost_py_out, cost_c_in, cost_c_out;
	uint32_t cost_error;		/* half width of their uncertainty */

	uint32_t n_nodes;		/* of all recorders, for max_nodes */
	uint32_t n_recorders;
	uint32_t max_nodes;		/* 0 = no cap */

	/* str ids */
	uint32_t argv;			/* arguments joined by NUL bytes */
	uint32_t cwd;
	uint32_t exe;
	uint32_t host;
	uint32_t python;		/* Py_GetVersion() */
	uint32_t label;
	uint32_t db_path;		/* absolute */
	uint32_t git;			/* commit of cwd, if known */

	/* Number of the pid namespace that `pid` is in, 0 not known. */
	uint64_t pid_namespace;
};

enum pl_chunk_kind {
	PL_CHUNK_FREE = 1,
	PL_CHUNK_STRINGS = 2,
	PL_CHUNK_FUNCS = 3,
	PL_CHUNK_RECORDERS = 4,
	PL_CHUNK_NODES = 5,
	PL_CHUNK_STACK = 6,
};

#define PL_CHUNK_MAGIC 0x4b4e4843u	/* "CHNK" */

/* First cell of every chunk. */
struct pl_chunk {
	uint32_t magic;
	uint32_t kind;			/* enum pl_chunk_kind */
	uint32_t n_cells;		/* this one included */
	uint32_t owner;			/* recorder, or 0 */
	uint32_t used;			/* bytes of content in use */
	uint32_t next;			/* private: next unused stack, or 0 */
	uint32_t pad[10];
};

/* Interned text: bytes as given (UTF-8 with surrogates passed), NUL after. */
struct pl_str {
	uint32_t len;
	char bytes[];
};

/* One function: what a report calls it.  Two code objects with equal file,
 * line and name are one function. */
struct pl_func {
	uint32_t file;			/* str; "~" for C functions */
	uint32_t name;			/* str; co_name, or "<built-in …>" */
	uint32_t qualname;		/* str, or 0 */
	uint32_t module;		/* str, or 0 */
	int32_t line;
	uint32_t kind;			/* enum pl_func_kind */
	uint32_t pad[2];
};

/*
 * One distinct call path: one cache line.
 *
 * `key` is the address that names the callee in the events of the profiled
 * process (a code object, a PyMethodDef); only that process may use it.  It
 * is what makes entering a call one compare.
 */
struct pl_node {
	uint64_t key;
	uint32_t func;
	uint32_t next;			/* next sibling, a ring */
	uint32_t last;			/* child hit last, 0 = no children */
	uint32_t table;			/* private: hash of children, or 0 */
	uint64_t calls;			/* entries from the start */
	uint64_t resumes;		/* entries in the middle: generators */
	uint64_t ticks;			/* total, children included */
	uint64_t min;			/* of one activation; ~0 before the first */
	uint64_t max;
};

/* Bits of pl_frame.flags.  The bits above these are private to the writer. */
enum pl_frame_flags {
	PL_FRAME_C = 1 << 0,		/* a C function: ended by a C event */
	PL_FRAME_CARRIED = 1 << 1,	/* open when the recording began (fork) */
	PL_FRAME_LOST = 1 << 2,		/* no room for its node: node 0 */
	PL_FRAME_SLOW = 1 << 3,		/* its end is never a short path's */
	/* The rest: which activation of the function this is.  Only the writing
	 * process uses it: pl_activation() in recorder_inline.h. */
	PL_FRAME_ACTIVATION = ~0xf,
};

/* One open call of a shadow stack.  Frame 0 is the root's. */
struct pl_frame {
	uint32_t node;
	uint32_t flags;
	uint64_t t0;
};

/* Bits of pl_recorder.flags */
enum pl_recorder_flags {
	PL_RECORDER_ENDED = 1 << 0,	/* its thread is gone; end_ticks is set */
	PL_RECORDER_BUILTINS = 1 << 1,
	PL_RECORDER_ALL_CALLS = 1 << 2,
	PL_RECORDER_SCOPE = 1 << 3,	/* belongs to a scope, not the process */
	PL_RECORDER_NO_SUBCALLS = 1 << 4, /* cProfile's subcalls=False */
	PL_RECORDER_WITHIN = 1 << 5,	/* a part of the thread's calls only */
};

/*
 * One tree, one shadow stack, one writer.  4 cells; the first is the hot one.
 * The addresses are those of the writing process: a reader uses `sp - stack`
 * to know the depth, and `stack_cell` to find the frames.
 */
struct pl_recorder {
	uint64_t sp;			/* the next free frame */
	uint64_t limit;			/* end of the stack */
	uint64_t cur;			/* node of the innermost open call */
	uint64_t base;			/* where the file is mapped */
	uint64_t latest;		/* tick of the last event */
	uint64_t more;			/* next recorder of the same thread */
	uint32_t clock;			/* enum pl_clock_kind */
	uint32_t ticks_ns;		/* non-zero: no counter, clock_gettime */
	uint32_t flags;			/* enum pl_recorder_flags */
	uint32_t root;			/* cell id of the root node */

	uint64_t stack;			/* address of frame 0 */
	uint32_t stack_cell;		/* cell id of frame 0 */
	uint32_t stack_frames;		/* capacity */
	uint32_t self;			/* own cell id */
	uint32_t tid;			/* the system's id of its last thread */
	uint32_t name;			/* str, or 0 */
	uint32_t scope;			/* str: label of its scope, or 0 */
	uint64_t start_ticks;		/* of its first thread */
	uint64_t end_ticks;		/* of its last one, if that has ended */
	uint64_t n_unmatched;		/* leaves that match none of the open calls */
	uint64_t n_lost;		/* calls with no room for a node */

	uint32_t fold_root;		/* past max_nodes: see recorder.h */
	uint32_t n_nodes;
	uint32_t scope_id;		/* one number per Profile; 0 = process */
	uint32_t interp;		/* interpreter id */
	uint64_t step;			/* reading of PL_CLOCK_STEP */
	uint64_t priv;			/* struct pl_recorder_priv */
	/* Threads that had it one after the other; 0 and 1 are one.  Ticks
	 * from the end of one to the beginning of the next, in all: until
	 * end_ticks, and until now.  And where its last thread began. */
	uint64_t pauses, pauses_now;
	uint64_t last_start_ticks;	/* 0: start_ticks */
	uint32_t n_threads;
	uint32_t spare;
	uint64_t pad[8];
};

_Static_assert(sizeof(struct pl_rec_header) <= PL_PAGE, "header is one page");
_Static_assert(sizeof(struct pl_chunk) == PL_CELL, "chunk header is one cell");
_Static_assert(sizeof(struct pl_func) == 32, "func ids count 32 bytes");
_Static_assert(sizeof(struct pl_node) == PL_CELL, "a node is one cell");
_Static_assert(sizeof(struct pl_frame) == 16, "frames are 16 bytes");
_Static_assert(sizeof(struct pl_recorder) == 4 * PL_CELL, "4 cells");

#endif
