/* SPDX-License-Identifier: MIT */
/*
 * remote_python.h: make another process's Python run a script (PEP 768).
 *
 * A Python from 3.14 on runs a script when a debugger writes the script's path
 * and two flags into its memory.  Where they are is in a table at the start of
 * _PyRuntime; we find it by its cookie in the process's writable file mappings,
 * so that no file of the process is opened or executed.
 *
 * The process may be hostile: each value it holds is used only as an address in
 * its own memory.  The memory is that of one program image (/proc/PID/mem): if
 * the process executes another program meanwhile, such as a setuid one, every
 * access fails.
 */
#ifndef PL_TOOLS_REMOTE_PYTHON_H
#define PL_TOOLS_REMOTE_PYTHON_H

#include "base/err.h"

#include <stdint.h>

#define PL_REMOTE_PYTHON_WORDS 111

struct pl_remote_python {
	int memory;
	uint64_t runtime; /* address of _PyRuntime, 0: none was found */
	uint32_t version; /* PY_VERSION_HEX */
	uint64_t table[PL_REMOTE_PYTHON_WORDS];
};

/* Open the memory of a process; @process is an open /proc/PID.  An errno. */
int pl_remote_python_open(struct pl_remote_python *python, int process,
			  int *maps);

/* Find _PyRuntime; @maps, the process's open maps, is read to its end.  Needs
 * no privilege. */
void pl_remote_python_find(struct pl_remote_python *python, int maps);

/* Have the script @path run at the main thread's next safe point. */
int pl_remote_python_run(struct pl_remote_python *python, const char *path,
			 struct pl_error *err);

/* Parse a line of /proc/PID/maps: NULL, or the path in it ("" for none). */
const char *pl_remote_maps_path(const char *line, uint64_t *start,
				uint64_t *end, char mode[8]);

#endif
