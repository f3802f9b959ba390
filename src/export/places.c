/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "export/places.h"

#include <string.h>

/* Behind "/lib/python3.12/", or NULL. */
static const char *library_part(const char *file)
{
	static const char mark[] = "/lib/python";
	const char *p = strstr(file, mark);

	if (!p)
		return NULL;
	p += sizeof(mark) - 1;
	p += strspn(p, "0123456789.t");
	return *p == '/' && p[1] ? p + 1 : NULL;
}

const char *pl_short_file(const char *file, const char *cwd)
{
	static const char *const marks[] = { "/site-packages/",
					     "/dist-packages/" };
	size_t n = cwd ? strlen(cwd) : 0;
	const char *part;

	while (n && cwd[n - 1] == '/')
		n--;
	if (n && !strncmp(file, cwd, n) && file[n] == '/' && file[n + 1])
		return file + n + 1;
	for (size_t i = 0; i < sizeof(marks) / sizeof(*marks); i++) {
		part = strstr(file, marks[i]);
		if (part && part[strlen(marks[i])])
			return part + strlen(marks[i]);
	}
	part = library_part(file);
	return part ? part : file;
}
