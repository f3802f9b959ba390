-- SPDX-License-Identifier: MIT
--
-- The database of proflite, schema version 3.
--
--	runs ──< processes ──< threads ──< nodes
--	                          │          │
--	                          ├──< function_stats >── functions
--	                          └──< call_stats >────── functions (twice)
--
-- A run is what one `proflite record` saw: one process or many.  A thread is
-- one calling-context tree.  function_stats and call_stats are that tree added
-- up, once, when it is written, so that a report never walks the nodes.
--
-- Times are raw: what the profiler itself cost is still in them.  The cost of a
-- call's events is in `processes`; columns whose name begins with comp_ are
-- compensated, that is without it.  Columns ending in _ns are nanoseconds.  An
-- instant counts from 1970-01-01 00:00 UTC:
-- datetime(started_ns / 1000000000, 'unixepoch').
--
-- Text is UTF-8 in which lone surrogates are passed as they are: what Python
-- makes of a file name that is not UTF-8 (PEP 383).
--
-- Ask a view first: pstats, callers, callees, call_paths.

-- A run: all processes that were recorded together.
CREATE TABLE runs (
	-- Number of the run, from 1, in order of arrival in this database.
	id INTEGER PRIMARY KEY,
	-- 32 hexadecimal digits, the same in all its processes.
	uuid TEXT NOT NULL UNIQUE,
	-- What --label named it; NULL: it was not named.
	label TEXT,
	-- Instant at which its first process began to record.
	started_ns INTEGER NOT NULL,
	-- 'recording', or 'import': read from another profiler's file, and
	-- then without nodes.
	source TEXT NOT NULL CHECK (source IN ('recording', 'import'))
) STRICT;

-- A process of a run, from when it began to record to when it ended (or was
-- replaced by exec, or recorded no more).
CREATE TABLE processes (
	id INTEGER PRIMARY KEY,
	run_id INTEGER NOT NULL REFERENCES runs,
	-- 32 hexadecimal digits: its recording.  What is known by this is never
	-- taken in twice.
	uuid TEXT NOT NULL UNIQUE,
	-- The process that started it; NULL: none that is in this run (yet).
	parent_id INTEGER REFERENCES processes,
	-- uuid of its parent's recording, which may not be here; NULL: unknown.
	parent_uuid TEXT,
	-- NULL: imported.
	pid INTEGER,
	ppid INTEGER,
	-- Instants.  The end is that of the last event when it was killed.
	started_ns INTEGER NOT NULL,
	ended_ns INTEGER NOT NULL,
	-- How it ended: 'exit' the interpreter was finalised; '_exit' os._exit;
	-- 'exec' replaced by another program; 'stopped' recording was stopped
	-- or saved and the process went on; 'signal'; 'killed' it was gone with
	-- no word; 'running' it was not over when this was written.
	end_reason TEXT NOT NULL CHECK (end_reason IN ('running', 'exit',
		'_exit', 'exec', 'stopped', 'signal', 'killed')),
	-- Its exit status, or the signal; NULL: not known.
	end_status INTEGER,
	-- Its arguments, each followed by a NUL byte but the last; NULL: not
	-- known.
	argv BLOB,
	-- The same as a shell (bash) would take it; NULL: not known.
	command TEXT,
	-- Folder it started in, program file, machine, Py_GetVersion(), git
	-- commit of the folder.  NULL: not known.
	cwd TEXT,
	exe TEXT,
	host TEXT,
	python TEXT,
	git TEXT,
	-- What time means: 'wall'; 'cpu' of the thread; 'step', one nanosecond
	-- a reading; 'callable', a timer of the program's.
	clock TEXT NOT NULL,
	-- The factor that made nanoseconds of the clock's ticks.
	ns_per_tick REAL NOT NULL,
	-- The last tick known, to tell a later state of the same recording.
	last_tick INTEGER NOT NULL,
	-- 1: C functions were recorded.  1: classes and other callables too.
	builtins INTEGER NOT NULL,
	all_calls INTEGER NOT NULL,
	-- 1: it began in a forked child, with its parent's calls open.
	forked INTEGER NOT NULL,
	-- Cap on call paths; NULL: none.
	max_nodes INTEGER,
	-- 1: past max_functions.  Functions seen after that are counted under
	-- one that is called "(more functions)", one for each file and kind.
	more_functions INTEGER NOT NULL,
	-- What the two events of one call cost, in nanoseconds (a mean, hence
	-- not an integer): the part that is in the callee's time and the part
	-- in its caller's, for Python functions and for C functions, and half
	-- the width of their uncertainty.  NULL: not measured.
	cost_py_in_ns REAL,
	cost_py_out_ns REAL,
	cost_c_in_ns REAL,
	cost_c_out_ns REAL,
	cost_error_ns REAL,
	-- What was left out because the recording was damaged; NULL: nothing.
	damage TEXT
) STRICT;
CREATE INDEX processes_of_run ON processes (run_id);

-- A thread: one recorder, one tree.  Past max_threads a row is several threads:
-- a new thread's calls add to the tree of a thread that has ended.
CREATE TABLE threads (
	id INTEGER PRIMARY KEY,
	process_id INTEGER NOT NULL REFERENCES processes,
	-- Threads that this row is, one after the other.
	n_threads INTEGER NOT NULL,
	-- The system's thread id, of the last of them; NULL: imported.
	tid INTEGER,
	-- Its name in Python; "(7 threads)" if there were several.  NULL: it
	-- has none, or it was not known.
	name TEXT,
	-- 1: a Profile object's, 0: the whole process's.
	is_scope INTEGER NOT NULL,
	-- Number and label of the Profile object, or of a test of pytest.
	-- NULL: none.
	scope_id INTEGER,
	scope TEXT,
	-- The interpreter's id, 0 for the main one.
	interpreter INTEGER NOT NULL,
	-- 1: its figures are part of the sums over its run.  0: a Profile
	-- object in a run that was recorded as a whole, where its time is
	-- already in.
	counted INTEGER NOT NULL,
	-- Instant of its first event; NULL: the clock does not tell.
	started_ns INTEGER,
	-- From its first event to its last, without the time between two
	-- threads; 0: imported.
	duration_ns INTEGER NOT NULL,
	-- Its nodes are those with first_node <= nodes.id <= last_node.
	-- NULL: it has none.
	first_node INTEGER,
	last_node INTEGER,
	-- Calls and resumes, of all its functions.
	n_calls INTEGER NOT NULL,
	-- Ends of calls that match none of the open calls (but not those of
	-- calls that were open when the recording began), and calls that there
	-- was no room for.
	n_unmatched INTEGER NOT NULL,
	n_lost INTEGER NOT NULL,
	-- 1: past max_nodes.  Calls and self times are exact; paths beyond, and
	-- cumulative times and primitive calls of recursive functions, are not.
	folded INTEGER NOT NULL
) STRICT;
CREATE INDEX threads_of_process ON threads (process_id);
CREATE INDEX scope_threads ON threads (process_id) WHERE is_scope;

-- A function, shared by all runs.
CREATE TABLE functions (
	id INTEGER PRIMARY KEY,
	-- 'python'; 'c' a builtin function or method; 'other' a class, a slot
	-- wrapper, …; 'special' proflite's own.
	kind TEXT NOT NULL CHECK (kind IN ('python', 'c', 'other', 'special')),
	-- '~' unless it is Python.
	filename TEXT NOT NULL,
	-- Of its first line; 0 unless it is Python.
	line INTEGER NOT NULL,
	-- As cProfile names it.
	name TEXT NOT NULL,
	-- With its classes; NULL: not known.
	qualname TEXT,
	-- NULL: not known.
	module TEXT,
	UNIQUE (filename, line, name, kind)
) STRICT;

-- A distinct call path of a thread: its root, a function called from there,
-- one called from that.  Nodes of one thread follow each other in preorder, so
-- that a subtree is a range of ids, the first child is id + 1 and the next
-- sibling last_id + 1.
CREATE TABLE nodes (
	id INTEGER PRIMARY KEY,
	thread_id INTEGER NOT NULL REFERENCES threads,
	-- The path without its last call; NULL: the root of its thread.
	parent_id INTEGER REFERENCES nodes,
	-- Last node of its subtree: id <= subtree <= last_id.
	last_id INTEGER NOT NULL,
	-- NULL: the root; below "(folded)", calls from outside any function.
	function_id INTEGER REFERENCES functions,
	-- Sum of: 1 folded (see threads.folded; the time of such a callee is
	-- taken off its caller there, whose self_ns is negative), 2 a call of
	-- it was still open when the recording was read.
	flags INTEGER NOT NULL,
	-- Entries from the start; entries in the middle, of a generator or
	-- coroutine.
	calls INTEGER NOT NULL,
	resumes INTEGER NOT NULL,
	-- From entry to exit, callees included; without callees.
	total_ns INTEGER NOT NULL,
	self_ns INTEGER NOT NULL,
	-- Shortest and longest single activation; NULL: none has ended.
	min_ns INTEGER,
	max_ns INTEGER
) STRICT;

-- The nodes of a thread, added up by function.  A function that was open when
-- a child was forked has time there but may have no calls.
CREATE TABLE function_stats (
	thread_id INTEGER NOT NULL REFERENCES threads,
	function_id INTEGER NOT NULL REFERENCES functions,
	-- As in nodes.
	calls INTEGER NOT NULL,
	resumes INTEGER NOT NULL,
	-- Those of calls + resumes with no other activation of it open.
	primitive INTEGER NOT NULL,
	-- Time without callees; time with callees, not counted twice under
	-- recursion.
	self_ns INTEGER NOT NULL,
	cum_ns INTEGER NOT NULL,
	-- As in nodes.
	min_ns INTEGER,
	max_ns INTEGER,
	-- self_ns and cum_ns, compensated.  NULL: the cost is not known.
	comp_self_ns INTEGER,
	comp_cum_ns INTEGER,
	PRIMARY KEY (thread_id, function_id)
) STRICT, WITHOUT ROWID;

-- The nodes of a thread, added up by caller and callee.  A primitive call is
-- one with no other activation of the same pair open.
CREATE TABLE call_stats (
	thread_id INTEGER NOT NULL REFERENCES threads,
	caller_id INTEGER NOT NULL REFERENCES functions,
	callee_id INTEGER NOT NULL REFERENCES functions,
	-- All as in function_stats, of the callee when called by the caller.
	calls INTEGER NOT NULL,
	resumes INTEGER NOT NULL,
	primitive INTEGER NOT NULL,
	self_ns INTEGER NOT NULL,
	cum_ns INTEGER NOT NULL,
	min_ns INTEGER,
	max_ns INTEGER,
	comp_self_ns INTEGER,
	comp_cum_ns INTEGER,
	PRIMARY KEY (thread_id, caller_id, callee_id)
) STRICT, WITHOUT ROWID;

-- What pstats shows, one row a function and run, times in seconds; those that
-- begin with comp_ are compensated where the cost is known, else raw:
-- select * from pstats where run_id = 1 order by tottime desc limit 10
CREATE VIEW pstats AS
SELECT p.run_id AS run_id,
	sum(s.calls + s.resumes) AS ncalls,
	sum(s.primitive) AS primcalls,
	sum(s.self_ns) / 1e9 AS tottime,
	sum(s.cum_ns) / 1e9 AS cumtime,
	f.filename AS filename,
	f.line AS line,
	f.name AS function,
	sum(ifnull(s.comp_self_ns, s.self_ns)) / 1e9 AS comp_tottime,
	sum(ifnull(s.comp_cum_ns, s.cum_ns)) / 1e9 AS comp_cumtime
FROM function_stats s
JOIN threads t ON t.id = s.thread_id AND t.counted
JOIN processes p ON p.id = t.process_id
JOIN functions f ON f.id = s.function_id
GROUP BY p.run_id, s.function_id;

-- Who called a function: one row a callee and caller; the figures are those of
-- the callee when called from there.
-- select * from callers where function = 'parse'
CREATE VIEW callers AS
SELECT p.run_id AS run_id,
	f.filename AS filename,
	f.line AS line,
	f.name AS function,
	c.filename AS caller_filename,
	c.line AS caller_line,
	c.name AS caller_function,
	sum(s.calls + s.resumes) AS ncalls,
	sum(s.primitive) AS primcalls,
	sum(s.self_ns) / 1e9 AS tottime,
	sum(s.cum_ns) / 1e9 AS cumtime,
	sum(ifnull(s.comp_self_ns, s.self_ns)) / 1e9 AS comp_tottime,
	sum(ifnull(s.comp_cum_ns, s.cum_ns)) / 1e9 AS comp_cumtime
FROM call_stats s
JOIN threads t ON t.id = s.thread_id AND t.counted
JOIN processes p ON p.id = t.process_id
JOIN functions f ON f.id = s.callee_id
JOIN functions c ON c.id = s.caller_id
GROUP BY p.run_id, s.callee_id, s.caller_id;

-- Whom a function called: the same rows from the other side.
-- select * from callees where function = 'main' order by cumtime desc
CREATE VIEW callees AS
SELECT run_id,
	caller_filename AS filename,
	caller_line AS line,
	caller_function AS function,
	filename AS callee_filename,
	line AS callee_line,
	function AS callee_function,
	ncalls, primcalls, tottime, cumtime, comp_tottime, comp_cumtime
FROM callers;

-- A readable path for every node: main > load > parse.  The path is put
-- together by climbing to the root from each node that is asked for, so ask for
-- few: a thread, a run, or the nodes that matter:
-- select * from call_paths where node_id in
--	(select id from nodes order by self_ns desc limit 10)
CREATE VIEW call_paths AS
SELECT p.run_id AS run_id,
	p.id AS process_id,
	t.id AS thread_id,
	n.id AS node_id,
	ifnull((WITH RECURSIVE up (node, function, level) AS (
		SELECT parent_id, function_id, 0 FROM nodes WHERE id = n.id
		UNION ALL
		SELECT parent_id, function_id, level + 1
		FROM up JOIN nodes ON id = node)
	SELECT group_concat(name, ' > ')
	FROM (SELECT name FROM up JOIN functions ON id = function
		ORDER BY level DESC)), '(thread)') AS path,
	n.calls + n.resumes AS ncalls,
	n.self_ns / 1e9 AS tottime,
	n.total_ns / 1e9 AS cumtime
FROM nodes n
-- Either condition would do: one serves who names nodes, the other who names
-- a thread or a run, and neither needs an index on nodes.
JOIN threads t ON t.id = n.thread_id
	AND n.id BETWEEN t.first_node AND t.last_node
JOIN processes p ON p.id = t.process_id;

PRAGMA application_id = 1347176020; -- 'PLFT'
PRAGMA user_version = 3;
