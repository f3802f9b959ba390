/* SPDX-License-Identifier: MIT */
/*
 * proflite.h: profile Python inside a program that embeds it.
 *
 *	Py_Initialize();
 *	if (proflite_start("out=/tmp/app.db,label=nightly"))
 *		fprintf(stderr, "no profile: %s\n", proflite_error());
 *	PyRun_SimpleString("...");
 *	Py_FinalizeEx();		the database is written here, or
 *	proflite_stop();		earlier, here
 *
 * Link with -lproflite (pkg-config proflite).  The library itself needs no
 * Python: it loads its engine into the interpreter that is running.
 *
 * Every call of every thread of every interpreter is recorded, from
 * proflite_start on.  The recording is a file beside the database, so that
 * nothing is lost if the program is killed; `proflite runs` takes in what a
 * killed program left.
 *
 * Threads: call these with the GIL held (an attached thread state), after
 * Py_Initialize and before Py_Finalize.  proflite_error and proflite_version
 * may be called at any time.
 *
 * Nothing here exits, aborts, or sets a Python exception.
 */
#ifndef PROFLITE_H
#define PROFLITE_H

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define PROFLITE_API __attribute__((visibility("default")))
#else
#define PROFLITE_API
#endif

/*
 * Start recording.  @options is the text of PROFLITE_OPTIONS (see
 * proflite(1)): "key=value,key=value", or NULL for the defaults, which write
 * proflite.db in the current folder.  Copied; may be freed at once.
 *
 * Returns 0, or -1 when nothing is recorded; proflite_error then says why.
 * While recording: does nothing, returns 0.  After a finalised interpreter
 * was initialised again: starts anew, in the same run.
 */
PROFLITE_API int proflite_start(const char *options);

/*
 * Stop, and write the database.  0, or -1 when it can't be written (the
 * recording is then kept, and the error names the file).  Without a start:
 * does nothing, returns 0.
 */
PROFLITE_API int proflite_stop(void);

/*
 * Write what has been recorded so far to @db (NULL: the database of the
 * options) and go on recording.  0 or -1.
 */
PROFLITE_API int proflite_flush(const char *db);

/* One sentence about the latest failure of a call above, in static memory that
 * the next failure overwrites; "" when none has failed. */
PROFLITE_API const char *proflite_error(void);

/* "0.1.0", static. */
PROFLITE_API const char *proflite_version(void);

#ifdef __cplusplus
}
#endif

#endif
