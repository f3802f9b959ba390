/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "export/sources.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MOST_BYTES (16 * 1024 * 1024)
#define MOST_OF_A_LINE 200

static bool is_source(const char *file)
{
	size_t n = strlen(file);

	return file[0] == '/' && n > 3 && !strcmp(file + n - 3, ".py");
}

static FILE *open_source(const char *file, int64_t before_ns)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	FILE *f = NULL;

	if (fd < 0)
		return NULL;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode) &&
	    st.st_size <= MOST_BYTES &&
	    st.st_mtim.tv_sec <= before_ns / 1000000000)
		f = fdopen(fd, "r");
	if (!f)
		close(fd);
	return f;
}

/* malloc'ed; NULL for nothing. */
static char *trim(const char *line, size_t n)
{
	static const char blanks[] = " \t\r\n\f";
	size_t indent = strspn(line, blanks);

	if (indent >= n)
		return NULL;
	line += indent;
	n -= indent;
	while (n && strchr(blanks, line[n - 1]))
		n--;
	if (n > MOST_OF_A_LINE) {
		n = MOST_OF_A_LINE;
		/* Not in the middle of a character. */
		while (n && ((unsigned char)line[n] & 0xc0) == 0x80)
			n--;
	}
	return n ? strndup(line, n) : NULL;
}

/* The lines of functions @order[0..n), all of one file, by line. */
static void read_file(const struct pl_profile *p, const uint32_t *order,
		      uint32_t n, int64_t before_ns, char **lines)
{
	FILE *f = open_source(p->funcs[order[0]].file, before_ns);
	char *line = NULL;
	size_t size = 0;
	ssize_t len = 0;
	int at = 0;

	if (!f)
		return;
	for (uint32_t i = 0; i < n; i++) {
		while (len >= 0 && at < p->funcs[order[i]].line) {
			len = getline(&line, &size, f);
			at++;
		}
		if (len > 0 && at == p->funcs[order[i]].line)
			lines[order[i]] = trim(line, (size_t)len);
	}
	free(line);
	fclose(f);
}

static int by_place(const void *a, const void *b, void *funcs)
{
	const struct pl_pfunc *f = funcs;
	const struct pl_pfunc *x = &f[*(const uint32_t *)a];
	const struct pl_pfunc *y = &f[*(const uint32_t *)b];
	int c = strcmp(x->file, y->file);

	return c ? c : x->line < y->line ? -1 : x->line > y->line;
}

int pl_sources_read(const struct pl_profile *p, int64_t before_ns,
		    char ***lines, struct pl_error *err)
{
	uint32_t *order = calloc(p->n_funcs + (size_t)1, sizeof(*order));
	uint32_t n;

	*lines = calloc(p->n_funcs + (size_t)1, sizeof(**lines));
	if (!order || !*lines) {
		free(order);
		free(*lines);
		return pl_fail(err, PL_ERR_NOMEM, "out of memory");
	}
	for (uint32_t i = 0; i < p->n_funcs; i++)
		order[i] = i;
	qsort_r(order, p->n_funcs, sizeof(*order), by_place, p->funcs);
	for (uint32_t i = 0; i < p->n_funcs; i += n) {
		const char *file = p->funcs[order[i]].file;

		n = 1;
		while (i + n < p->n_funcs &&
		       !strcmp(p->funcs[order[i + n]].file, file))
			n++;
		if (is_source(file))
			read_file(p, order + i, n, before_ns, *lines);
	}
	free(order);
	return 0;
}

void pl_sources_free(char **lines, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		free(lines[i]);
	free(lines);
}
