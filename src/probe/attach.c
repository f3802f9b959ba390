/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "probe/attach.h"

#include "base/filelimit.h"
#include "core/attach.h"
#include "probe/engine.h"
#include "probe/pyapi.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Only who could write into this process's memory may make requests. */
static int open_folder(uint32_t number)
{
	char path[sizeof(PL_ATTACH_FOLDER) + 8];
	struct stat st;
	int fd;

	snprintf(path, sizeof(path), PL_ATTACH_FOLDER, number);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -1;
	if (!fstat(fd, &st) && !(st.st_mode & 077) &&
	    (st.st_uid == geteuid() || !st.st_uid))
		return fd;
	close(fd);
	return -1;
}

static int read_request(int folder, char *text, size_t size)
{
	int fd = openat(folder, PL_ATTACH_REQUEST,
			O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -1;
	n = read(fd, text, size - 1);
	close(fd);
	/* Who takes the name away has the request: we, or the tool that has
	 * waited long enough. */
	if (n <= 0 || unlinkat(folder, PL_ATTACH_REQUEST, 0))
		return -1;
	text[n] = '\0';
	return 0;
}

static void answer(int folder, const char *text)
{
	int fd = openat(folder, PL_ATTACH_ANSWER ".new",
			O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	struct pl_filelimit limit;

	if (fd < 0)
		return;
	pl_filelimit_begin(&limit);
	if (write(fd, text, strlen(text)) == (ssize_t)strlen(text))
		renameat(folder, PL_ATTACH_ANSWER ".new", folder,
			 PL_ATTACH_ANSWER);
	pl_filelimit_end(&limit);
	close(fd);
}

static int obey(const char *request, struct pl_error *err)
{
	static struct pl_options options;
	size_t n = strlen(PL_ATTACH_START);
	int rc;

	if (!strcmp(request, PL_ATTACH_STOP))
		return pl_engine_detach(err);
	if (strncmp(request, PL_ATTACH_START, n))
		return pl_fail(err, PL_ERR_ARG,
			       "it is of another version of "
			       "proflite");
	pl_options_init(&options);
	rc = pl_options_parse(&options, request + n, err);
	return rc ? rc : pl_engine_attach(&options, err);
}

void pl_attach_serve(uint32_t number)
{
	static char request[PL_ATTACH_REQUEST_MAX];
	int saved = errno, folder = open_folder(number);
	PyObject *type, *value, *traceback;
	struct pl_error err = {0};

	if (folder >= 0) {
		PyErr_Fetch(&type, &value, &traceback);
		if (!read_request(folder, request, sizeof(request)))
			answer(folder,
			       obey(request, &err) ? err.text : PL_ATTACH_OK);
		PyErr_Clear();
		PyErr_Restore(type, value, traceback);
		close(folder);
	}
	errno = saved;
}
