/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "core/fallback.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

bool pl_fallback_name(unsigned int number, char *dir, size_t size)
{
	const char *base = getenv("XDG_RUNTIME_DIR");
	int n = -1;

	if (number == 0 && base && *base == '/')
		n = snprintf(dir, size, "%s/proflite", base);
	else if (number == 1)
		n = snprintf(dir, size, "/tmp/proflite-%u",
			     (unsigned int)geteuid());
	return n > 0 && (size_t)n < size;
}

bool pl_fallback_make(unsigned int number, char *dir, size_t size)
{
	struct stat st;

	if (!pl_fallback_name(number, dir, size) ||
	    (mkdir(dir, 0700) && errno != EEXIST))
		return false;
	return !lstat(dir, &st) && S_ISDIR(st.st_mode) &&
	       st.st_uid == geteuid() && !(st.st_mode & 022);
}
