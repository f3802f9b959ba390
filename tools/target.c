/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "target.h"

#include "core/attach.h"
#include "core/clock.h"
#include "core/live.h"
#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SCRIPT "script.py"
#define LOOK_NS 5000000 /* between two looks for an answer */
#define OBEY_SECONDS 60 /* once it has begun */

extern char **environ;

/* ------------------------------------------------------------- looking -- */

static FILE *open_proc(const struct pl_target *t, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)t->pid, name);
	return fopen(path, "re");
}

static int no_permission(const struct pl_target *t, struct pl_error *err)
{
	const struct passwd *user = getpwuid(t->uid);

	return pl_fail(err, PL_ERR_SYS,
		       "no permission to look into process "
		       "%d of %s: be that user, or root",
		       (int)t->pid, user ? user->pw_name : "another user");
}

/* An executable of this name is one that takes -c. */
static bool is_python_name(const char *name)
{
	return !strncmp(name, "python", 6) &&
	       !name[6 + strspn(name + 6, "0123456789.td")];
}

/* What is mapped tells what it is. */
static int read_maps(struct pl_target *t, char *embedded, size_t size,
		     struct pl_error *err)
{
	FILE *f = open_proc(t, "maps");
	char *line = NULL, *at;
	size_t room = 0;

	if (!f)
		return errno == ENOENT ? pl_fail(err, PL_ERR_NOENT,
						 "no process %d", (int)t->pid)
				       : no_permission(t, err);
	while (getline(&line, &room, f) > 0) {
		at = strstr(line, "/memfd:" PL_ATTACH_MARK);
		if (at)
			t->signal = atoi(at + strlen("/memfd:" PL_ATTACH_MARK));
		at = strstr(line, "/libpython3.");
		if (at)
			snprintf(embedded, size, "python3.%d",
				 atoi(at + strlen("/libpython3.")));
	}
	free(line);
	if (ferror(f)) {
		fclose(f);
		return no_permission(t, err);
	}
	fclose(f);
	return 0;
}

/* The program itself where that is a Python; a program that only contains one
 * would not know what -c is, so it is the Python of that version on PATH. */
static int find_python(struct pl_target *t, const char *embedded,
		       struct pl_error *err)
{
	char exe[64], *gone;
	ssize_t n;

	snprintf(exe, sizeof(exe), "/proc/%d/exe", (int)t->pid);
	n = readlink(exe, t->name, sizeof(t->name) - 1);
	t->name[n < 0 ? 0 : n] = '\0';
	gone = strstr(t->name, " (deleted)");
	if (gone)
		*gone = '\0';
	if (is_python_name(basename(t->name))) {
		strcpy(t->python, exe);
		return 0;
	}
	if (!*embedded && t->signal)
		return 0;
	if (!*embedded)
		return pl_fail(err, PL_ERR_NOENT,
			       "process %d (%s) is no "
			       "Python",
			       (int)t->pid,
			       *t->name ? basename(t->name) : "of the kernel");
	strcpy(t->python, embedded);
	strcpy(t->name, embedded);
	return 0;
}

/* lib/libproflite.so → lib/proflite/python/proflite, or beside it */
static int find_package(struct pl_target *t, struct pl_error *err)
{
	char library[PATH_MAX], path[PATH_MAX + 64];
	char *slash;

	if (pl_launch_find_library(library, sizeof(library), err))
		return PL_ERR_NOENT;
	slash = strrchr(library, '/');
	*slash = '\0';
	snprintf(path, sizeof(path), "%s/proflite/python/proflite", library);
	if (access(path, F_OK))
		snprintf(path, sizeof(path), "%s", library);
	if (strlen(path) >= sizeof(t->package))
		return pl_fail(err, PL_ERR_SYS, "%s: too long", path);
	strcpy(t->package, path);
	return 0;
}

int pl_target_find(struct pl_target *t, pid_t pid, struct pl_error *err)
{
	char path[64], embedded[64] = "";
	struct stat st;
	int rc;

	memset(t, 0, sizeof(*t));
	t->pid = pid;
	t->start = pl_live_proc_start((uint32_t)pid);
	snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	if (!t->start || stat(path, &st))
		return pl_fail(err, PL_ERR_NOENT, "no process %d", (int)pid);
	t->uid = st.st_uid;
	t->gid = st.st_gid;
	rc = read_maps(t, embedded, sizeof(embedded), err);
	if (!rc)
		rc = find_python(t, embedded, err);
	return rc ? rc : find_package(t, err);
}

bool pl_target_is_alive(const struct pl_target *t)
{
	return pl_live_proc_start((uint32_t)t->pid) == t->start;
}

/* ---------------------------------------------------------- the folder -- */

static int write_file(const struct pl_target *t, const char *name,
		      const char *text, struct pl_error *err)
{
	char path[192];
	int fd, rc = 0;

	snprintf(path, sizeof(path), "%s/%s", t->outside, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC,
		  0600);
	if (fd < 0)
		return pl_fail_errno(err, PL_ERR_SYS, "cannot write %s", path);
	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text) ||
	    (geteuid() != t->uid && fchown(fd, t->uid, t->gid)))
		rc = pl_fail_errno(err, PL_ERR_SYS, "cannot write %s", path);
	close(fd);
	return rc;
}

static void remove_folder(struct pl_target *t)
{
	static const char *const names[] = {PL_ATTACH_REQUEST, PL_ATTACH_ANSWER,
					    PL_ATTACH_ANSWER ".new", SCRIPT};
	char path[192];

	if (!*t->outside)
		return;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		snprintf(path, sizeof(path), "%s/%s", t->outside, names[i]);
		unlink(path);
	}
	rmdir(t->outside);
	*t->outside = '\0';
}

/* In its /tmp, which may be another than ours. */
static int make_folder(struct pl_target *t, struct pl_error *err)
{
	if (getrandom(&t->number, sizeof(t->number), 0) != sizeof(t->number))
		return pl_fail_errno(err, PL_ERR_SYS, "no random number");
	snprintf(t->folder, sizeof(t->folder), PL_ATTACH_FOLDER, t->number);
	snprintf(t->outside, sizeof(t->outside), "/proc/%d/root%s", (int)t->pid,
		 t->folder);
	if (!mkdir(t->outside, 0700)) {
		if (geteuid() == t->uid || !chown(t->outside, t->uid, t->gid))
			return 0;
	}
	int rc = pl_fail_errno(err, PL_ERR_SYS, "cannot make %s", t->outside);

	remove_folder(t);
	return errno == EACCES || errno == EPERM ? no_permission(t, err) : rc;
}

static double now(void)
{
	return (double)pl_clock_ns(CLOCK_MONOTONIC) * 1e-9;
}

static void pause_a_little(void)
{
	const struct timespec pause = { 0, LOOK_NS };

	nanosleep(&pause, NULL);
}

/* --------------------------------------------------------- by a signal -- */

static bool is_in_mask(const char *digits, int sig)
{
	return strtoull(digits, NULL, 16) >> (sig - 1) & 1;
}

/* Sent to one that does not handle it, it would kill. */
static int check_signal(const struct pl_target *t, struct pl_error *err)
{
	FILE *f = open_proc(t, "status");
	bool blocked = false, caught = false;
	char line[256];

	while (f && fgets(line, sizeof(line), f)) {
		if (!strncmp(line, "SigBlk:", 7))
			blocked = is_in_mask(line + 7, t->signal);
		else if (!strncmp(line, "SigCgt:", 7))
			caught = is_in_mask(line + 7, t->signal);
	}
	if (f)
		fclose(f);
	if (!caught)
		return pl_fail(err, PL_ERR_NOENT,
			       "process %d does not wait "
			       "for signal %d any more",
			       (int)t->pid, t->signal);
	if (blocked)
		return pl_fail(err, PL_ERR_BUSY,
			       "the main thread of process "
			       "%d blocks signal %d",
			       (int)t->pid, t->signal);
	return 0;
}

/* Whoever starts a thread or a process blocks all of them for a moment. */
static int await_signal(const struct pl_target *t, double seconds,
			struct pl_error *err)
{
	double end = now() + seconds;
	int rc;

	while ((rc = check_signal(t, err)) == PL_ERR_BUSY && now() < end)
		pause_a_little();
	return rc;
}

static int send_signal(struct pl_target *t, double seconds,
		       struct pl_error *err)
{
	union sigval value = {.sival_int = (int)t->number};
	int rc = await_signal(t, seconds, err);

	if (rc || !sigqueue(t->pid, t->signal, value))
		return rc;
	if (errno == EPERM)
		return no_permission(t, err);
	return pl_fail_errno(err, PL_ERR_SYS, "cannot signal process %d",
			     (int)t->pid);
}

/* ---------------------------------------------------- by its own Python -- */

/* What the target runs.  %s: folder of the package, of the request; %u.  The
 * module stands in sys.modules while we are attached, so that to detach is no
 * call of Python but this script's; and it makes no path of its own. */
static const char script[] =
	"import sys\n"
	"m = sys.modules.get('proflite._proflite') or "
	"sys.modules.get('_proflite_attached')\n"
	"if m is None:\n"
	"    f = sys.modules['_frozen_importlib_external'].PathFinder\n"
	"    f = f.find_spec('_proflite', ['%s'])\n"
	"    sys.path_importer_cache.pop('%s', None)\n"
	"    try:\n"
	"        m = sys.modules['_frozen_importlib'].module_from_spec(f)\n"
	"        f.loader.exec_module(m)\n"
	"        sys.modules['_proflite_attached'] = m\n"
	"    except Exception as e:\n"
	"        m = None\n"
	"        with open('%s/" PL_ATTACH_ANSWER "', 'w') as f:\n"
	"            f.write(str(e) or repr(e))\n"
	"if m is not None:\n"
	"    m.serve(%u)\n";

/* Events between the start of this and serve are in the profile. */
static const char stop_script[] =
	"import sys\n"
	"(sys.modules.get('_proflite_attached') or "
	"sys.modules['proflite._proflite']).serve(%u)\n"
	"sys.modules.pop('_proflite_attached', None)\n";

static const char helper[] =
	"import sys\n"
	"try:\n"
	"    sys.remote_exec(int(sys.argv[1]), sys.argv[2])\n"
	"    print('ok')\n"
	"except AttributeError:\n"
	"    print('version %d.%d' % sys.version_info[:2])\n"
	"except Exception as e:\n"
	"    print(type(e).__name__, str(e).partition('\\n')[0])\n";

/* Our environment without what would preload or steer that Python. */
static char **plain_environment(void)
{
	size_t n = 0;
	char **env;

	while (environ[n])
		n++;
	env = calloc(n + 1, sizeof(*env));
	n = 0;
	for (char **e = environ; env && *e; e++)
		if (strncmp(*e, "PYTHON", 6) && strncmp(*e, "PROFLITE_", 9) &&
		    strncmp(*e, "LD_PRELOAD=", 11))
			env[n++] = *e;
	return env;
}

/* Its one line of output, without the newline. */
static int run_helper(struct pl_target *t, char *line, size_t size,
		      struct pl_error *err)
{
	char pid[16], path[128], **env = plain_environment();
	char *argv[] = {t->name,	"-I", "-S", "-c",
			(char *)helper, pid,  path, NULL};
	posix_spawn_file_actions_t actions;
	int pipe_fds[2], rc, status;
	pid_t child;
	size_t n = 0;
	ssize_t got;

	snprintf(pid, sizeof(pid), "%d", (int)t->pid);
	snprintf(path, sizeof(path), "%s/" SCRIPT, t->folder);
	if (!env || pipe2(pipe_fds, O_CLOEXEC)) {
		free(env);
		return pl_fail_errno(err, PL_ERR_SYS, "cannot make a pipe");
	}
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, pipe_fds[1], 1);
	posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
	rc = posix_spawnp(&child, t->python, &actions, NULL, argv, env);
	posix_spawn_file_actions_destroy(&actions);
	free(env);
	close(pipe_fds[1]);
	while (!rc && n + 1 < size &&
	       (got = read(pipe_fds[0], line + n, size - 1 - n)) > 0)
		n += (size_t)got;
	close(pipe_fds[0]);
	line[n] = '\0';
	line[strcspn(line, "\n")] = '\0';
	if (!rc)
		waitpid(child, &status, 0);
	errno = rc;
	return rc ? pl_fail_errno(err, PL_ERR_SYS,
				  "cannot run %s, which is "
				  "needed to reach process %d",
				  t->name, (int)t->pid)
		  : 0;
}

static int judge_helper(const struct pl_target *t, const char *said,
			struct pl_error *err)
{
	const char *blank = strchr(said, ' ');

	if (!strcmp(said, "ok"))
		return 0;
	if (!strncmp(said, "version ", 8))
		return pl_fail(err, PL_ERR_FORMAT,
			       "process %d is Python %s: "
			       "before 3.14 it has to be started with "
			       "LD_PRELOAD=libproflite.so and "
			       "PROFLITE_OPTIONS=start=off",
			       (int)t->pid, blank + 1);
	if (!strncmp(said, "PermissionError", 15))
		return no_permission(t, err);
	if (strstr(said, "not enabled") || strstr(said, "disabled"))
		return pl_fail(err, PL_ERR_SYS,
			       "process %d does not let itself "
			       "be debugged: it was started with "
			       "-X disable-remote-debug or "
			       "PYTHON_DISABLE_REMOTE_DEBUG",
			       (int)t->pid);
	return pl_fail(err, PL_ERR_SYS, "cannot reach process %d: %s",
		       (int)t->pid, *said ? said : "its Python does not run");
}

static int send_script(struct pl_target *t, const char *request,
		       struct pl_error *err)
{
	char text[sizeof(script) + 2 * PATH_MAX + 128], said[512];
	int rc;

	if (strpbrk(t->package, "'\\\n"))
		return pl_fail(err, PL_ERR_ARG,
			       "%s: Python cannot be given "
			       "this name: install proflite elsewhere",
			       t->package);
	if (!strcmp(request, PL_ATTACH_STOP))
		snprintf(text, sizeof(text), stop_script, t->number);
	else
		snprintf(text, sizeof(text), script, t->package, t->package,
			 t->folder, t->number);
	rc = write_file(t, SCRIPT, text, err);
	if (!rc)
		rc = run_helper(t, said, sizeof(said), err);
	return rc ? rc : judge_helper(t, said, err);
}

/* Python would complain on the program's stderr of a script that is gone, so
 * there stays one that removes itself. */
static void leave_script(struct pl_target *t)
{
	char text[256], from[192], to[192];

	snprintf(text, sizeof(text),
		 "import posix\nposix.unlink('%s/" SCRIPT
		 "')\nposix.rmdir('%s')\n",
		 t->folder, t->folder);
	snprintf(from, sizeof(from), "%s/" PL_ATTACH_ANSWER ".new", t->outside);
	snprintf(to, sizeof(to), "%s/" SCRIPT, t->outside);
	if (write_file(t, PL_ATTACH_ANSWER ".new", text, NULL) ||
	    rename(from, to))
		return;
	*t->outside = '\0';
}

/* -------------------------------------------------------- the request -- */

static bool read_answer(const struct pl_target *t, char *text, size_t size)
{
	char path[192];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/" PL_ATTACH_ANSWER, t->outside);
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, text, size - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	return n > 0;
}

/* False: it is being obeyed. */
static bool withdraw(const struct pl_target *t)
{
	char path[192];

	snprintf(path, sizeof(path), "%s/" PL_ATTACH_REQUEST, t->outside);
	return !unlink(path);
}

static int await_answer(struct pl_target *t, double seconds,
			struct pl_error *err)
{
	double end = now() + seconds;
	char text[400];

	while (!read_answer(t, text, sizeof(text))) {
		if (!pl_target_is_alive(t))
			return pl_fail(err, PL_ERR_NOENT,
				       "process %d has "
				       "ended",
				       (int)t->pid);
		if (now() < end ||
		    (now() < end + OBEY_SECONDS && !withdraw(t))) {
			pause_a_little();
			continue;
		}
		return pl_fail(err, PL_ERR_BUSY,
			       "process %d did not come to "
			       "a safe point within %g s: its main thread "
			       "waits, or is in C",
			       (int)t->pid, seconds);
	}
	if (!strcmp(text, PL_ATTACH_OK))
		return 0;
	return pl_fail(err, PL_ERR_SYS, "process %d says: %s", (int)t->pid,
		       text);
}

int pl_target_request(struct pl_target *t, const char *text, double seconds,
		      struct pl_error *err)
{
	int rc = make_folder(t, err);

	if (!rc)
		rc = write_file(t, PL_ATTACH_REQUEST, text, err);
	if (!rc)
		rc = t->signal ? send_signal(t, seconds, err) :
				 send_script(t, text, err);
	if (!rc) {
		rc = await_answer(t, seconds, err);
		if (rc == PL_ERR_BUSY && !t->signal)
			leave_script(t);
	}
	remove_folder(t);
	return rc;
}
