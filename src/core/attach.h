/* SPDX-License-Identifier: MIT */
/*
 * attach.h: what `proflite attach` and a running process say to each other.
 *
 *	tool	as the process's user: mkdir FOLDER, for nobody else
 *		write FOLDER/request
 *		make the process look (a signal, or PEP 768)
 *	process	FOLDER is owned by my user or by root: remove request,
 *		do as requested
 *		write FOLDER/answer
 *	tool	remove FOLDER
 *
 * A tool that waits no longer removes the request first: who removes it decides
 * whether it is obeyed.  One that comes too late does nothing.
 *
 * A process that is preloaded and dormant (start=no) shows in /proc/PID/maps,
 * by a mapping of this name, that it waits for a signal, and for which.  The
 * mapping goes when the program wants the signal for itself.
 */
#ifndef PL_CORE_ATTACH_H
#define PL_CORE_ATTACH_H

/* memfd; the signal's number follows */
#define PL_ATTACH_MARK "proflite-dormant-"

/* In the process's own root folder; with the number that the signal brings. */
#define PL_ATTACH_FOLDER "/tmp/proflite-attach-%08x"

/* "start OPTIONS", those of PROFLITE_OPTIONS; or "stop" */
#define PL_ATTACH_REQUEST "request"
#define PL_ATTACH_START "start "
#define PL_ATTACH_STOP "stop"

/* PL_ATTACH_OK, or a sentence; renamed into place when it is complete. */
#define PL_ATTACH_ANSWER "answer"
#define PL_ATTACH_OK "ok"

#define PL_ATTACH_REQUEST_MAX 16384

#endif
