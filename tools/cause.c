/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "cause.h"

#include <elf.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define SCRIPTS 4			/* whose interpreter is a script */

/* As execvp() looks for it. */
static bool find_file(const char *command, char path[PATH_MAX])
{
	const char *dirs = getenv("PATH");
	size_t n;

	if (strchr(command, '/'))
		return snprintf(path, PATH_MAX, "%s", command) < PATH_MAX;
	for (dirs = dirs ? dirs : "/bin:/usr/bin"; *dirs;
	     dirs += n + (dirs[n] == ':')) {
		n = strcspn(dirs, ":");
		if (snprintf(path, PATH_MAX, "%.*s%s%s", (int)n, dirs,
			     n ? "/" : "", command) < PATH_MAX &&
		    !access(path, X_OK))
			return true;
	}
	return false;
}

static bool is_privileged(const char *path)
{
	struct stat st;

	if (getxattr(path, "security.capability", NULL, 0) > 0)
		return geteuid() != 0;
	return !stat(path, &st) &&
	       ((st.st_mode & S_ISUID && st.st_uid != getuid()) ||
		((st.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) &&
		 st.st_gid != getgid()));
}

enum loader { LOADER_OTHER, LOADER_NONE, LOADER_MUSL };

/* What loads the program: by it LD_PRELOAD is heeded. */
static enum loader loader_of(int fd)
{
	Elf64_Ehdr e;
	Elf64_Phdr p;
	char name[256] = "";

	if (pread(fd, &e, sizeof(e), 0) != (ssize_t)sizeof(e) ||
	    memcmp(e.e_ident, ELFMAG, SELFMAG) ||
	    e.e_ident[EI_CLASS] != ELFCLASS64)
		return LOADER_OTHER;
	for (int i = 0; i < e.e_phnum; i++) {
		if (pread(fd, &p, sizeof(p), (off_t)(e.e_phoff +
			  (uint64_t)i * e.e_phentsize)) != (ssize_t)sizeof(p))
			return LOADER_OTHER;
		if (p.p_type != PT_INTERP)
			continue;
		if (pread(fd, name, sizeof(name) - 1, (off_t)p.p_offset) <= 0)
			return LOADER_OTHER;
		return strstr(name, "/ld-musl-") ? LOADER_MUSL : LOADER_OTHER;
	}
	return LOADER_NONE;
}

/* The interpreter of a script; for env(1) what it looks for. */
static bool script_runs(int fd, char path[PATH_MAX])
{
	char line[PATH_MAX + 3] = "", *word, *next, *rest;

	if (pread(fd, line, sizeof(line) - 1, 0) < 3 ||
	    memcmp(line, "#!", 2))
		return false;
	line[strcspn(line, "\n")] = '\0';
	word = strtok_r(line + 2, " \t", &rest);
	next = word ? strtok_r(NULL, " \t", &rest) : NULL;
	if (word && next && !strcmp(basename(word), "env"))
		word = next;
	return word && find_file(word, path);
}

const char *pl_cause_of_nothing(const char *command, char *text, size_t size)
{
	enum loader loader = LOADER_OTHER;
	char path[PATH_MAX];
	bool found = find_file(command, path), is_script = found;
	int fd;

	for (int i = 0; is_script && i < SCRIPTS; i++) {
		if (is_privileged(path)) {
			snprintf(text, size, "%s has more rights than its "
				 "user, and ignores LD_PRELOAD", path);
			return text;
		}
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		loader = fd < 0 ? LOADER_OTHER : loader_of(fd);
		is_script = fd >= 0 && script_runs(fd, path);
		if (fd >= 0)
			close(fd);
	}
	if (loader == LOADER_NONE)
		snprintf(text, size, "%s is linked statically, and ignores "
			 "LD_PRELOAD", path);
	else if (loader == LOADER_MUSL)
		snprintf(text, size, "%s is made for musl, and proflite for "
			 "glibc", path);
	else
		snprintf(text, size, "no supported Python (3.9 to 3.15) was "
			 "started, or it ignores LD_PRELOAD");
	return text;
}
