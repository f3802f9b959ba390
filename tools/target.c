/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "target.h"

#include "act_as.h"
#include "core/attach.h"
#include "core/clock.h"
#include "core/live.h"
#include "launch.h"
#include "remote_python.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SCRIPT "script.py"
#define LOOK_NS 5000000 /* between two looks for an answer */
#define OBEY_SECONDS 60 /* once it has begun */
#define MEMORY_SECONDS 60 /* to read and write its memory */
#define NOBODY 65534

/* ------------------------------------------------------------- looking -- */

static FILE *open_proc(const struct pl_target *t, const char *name)
{
	int fd = openat(t->process, name, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? NULL : fdopen(fd, "r");
}

static int has_ended(const struct pl_target *t, struct pl_error *err)
{
	return pl_fail(err, PL_ERR_NOENT, "process %d has ended", (int)t->pid);
}

static int no_permission(const struct pl_target *t, struct pl_error *err)
{
	const struct passwd *user = getpwuid(t->uid);

	return pl_fail(err, PL_ERR_SYS,
		       "no permission to look into process "
		       "%d of %s: be that user, or root",
		       (int)t->pid, user ? user->pw_name : "another user");
}

/* The number of the signal that a dormant process waits for, as the name of its
 * mapping says; 0 for any number that cannot be right. */
static int parse_signal(const char *digits)
{
	char *end;
	long sig = strtol(digits, &end, 10);

	return *digits >= '1' && *digits <= '9' &&
			       (!*end || *end == ' ' || *end == '\n') &&
			       sig > SIGRTMIN && sig < SIGRTMAX
		       ? (int)sig
		       : 0;
}

/* libpython3.14.so.1.0, python3.14 */
static void take_minor(struct pl_target *t, const char *path, const char *name)
{
	const char *at = strstr(path, name);
	int minor = at ? atoi(at + strlen(name)) : 0;

	if (minor > 0 && minor < 1000)
		t->minor = minor;
}

/* What is mapped tells what it is. */
static int read_maps(struct pl_target *t, struct pl_error *err)
{
	static const char mark[] = "/memfd:" PL_ATTACH_MARK;
	FILE *f = open_proc(t, "maps");
	char *line = NULL, mode[8];
	uint64_t start, end;
	const char *path;
	size_t room = 0;
	bool failed;

	if (!f)
		return errno == ENOENT || errno == ESRCH
			       ? pl_fail(err, PL_ERR_NOENT, "no process %d",
					 (int)t->pid)
			       : no_permission(t, err);
	while (getline(&line, &room, f) > 0) {
		path = pl_remote_maps_path(line, &start, &end, mode);
		if (!path)
			continue;
		if (!strncmp(path, mark, strlen(mark)))
			t->signal = parse_signal(path + strlen(mark));
		take_minor(t, path, "/libpython3.");
	}
	free(line);
	failed = ferror(f);
	fclose(f);
	return failed ? no_permission(t, err) : 0;
}

/* Its executable's name, for messages; its version if the name has it. */
static void read_name(struct pl_target *t)
{
	char path[PATH_MAX], *gone;
	ssize_t n = readlinkat(t->process, "exe", path, sizeof(path) - 1);

	path[n < 0 ? 0 : n] = '\0';
	gone = strstr(path, " (deleted)");
	if (gone)
		*gone = '\0';
	snprintf(t->name, sizeof(t->name), "%.*s", (int)sizeof(t->name) - 1,
		 *path ? basename(path) : "of the kernel");
	if (!strncmp(t->name, "python", 6) &&
	    !t->name[6 + strspn(t->name + 6, "0123456789.td")]) {
		t->has_python_name = true;
		take_minor(t, t->name, "python3.");
	}
}

/* The user and group that it opens files as. */
static bool read_ids(const struct pl_target *t, unsigned *uid, unsigned *gid)
{
	FILE *f = open_proc(t, "status");
	char line[256];
	int n = 0;

	while (f && fgets(line, sizeof(line), f)) {
		n += sscanf(line, "Uid: %*u %u", uid) == 1;
		n += sscanf(line, "Gid: %*u %u", gid) == 1;
	}
	if (f)
		fclose(f);
	return n == 2;
}

/* A process can execute a setuid program at any moment. */
static int check_ids(const struct pl_target *t, struct pl_error *err)
{
	unsigned uid, gid;

	if (!read_ids(t, &uid, &gid))
		return has_ended(t, err);
	if (uid == t->uid)
		return 0;
	return pl_fail(err, PL_ERR_SYS,
		       "process %d has changed its user from %u to %u: attach "
		       "to it again if that is right",
		       (int)t->pid, (unsigned)t->uid, uid);
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

/* ---------------------------------------------------------- the folder -- */

/* The caller acts as the process's user: whatever that user puts in the way
 * leads root only to what the user can do anyway. */

static int write_file(const struct pl_target *t, const char *name,
		      const char *text, struct pl_error *err)
{
	int fd, rc = 0;

	fd = openat(t->folder, name,
		    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		rc = pl_fail_errno(err, PL_ERR_SYS, "cannot write %s/%s",
				   t->folder_name, name);
	if (fd >= 0)
		close(fd);
	return rc;
}

static void forget_folder(struct pl_target *t)
{
	if (t->folder >= 0)
		close(t->folder);
	if (t->tmp >= 0)
		close(t->tmp);
	t->folder = t->tmp = -1;
}

static void remove_folder(struct pl_target *t)
{
	static const char *const names[] = {PL_ATTACH_REQUEST, PL_ATTACH_ANSWER,
					    PL_ATTACH_ANSWER ".new", SCRIPT};

	if (t->folder < 0)
		return;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		unlinkat(t->folder, names[i], 0);
	unlinkat(t->tmp, basename(t->folder_name), AT_REMOVEDIR);
	forget_folder(t);
}

static bool is_private(const struct pl_target *t, int fd)
{
	struct stat st;

	return !fstat(fd, &st) && st.st_uid == t->uid && !(st.st_mode & 077);
}

/* In its /tmp, which may be another than ours. */
static int make_folder(struct pl_target *t, int root, struct pl_error *err)
{
	const char *name;

	if (getrandom(&t->number, sizeof(t->number), 0) != sizeof(t->number))
		return pl_fail_errno(err, PL_ERR_SYS, "no random number");
	snprintf(t->folder_name, sizeof(t->folder_name), PL_ATTACH_FOLDER,
		 t->number);
	name = basename(t->folder_name);
	t->tmp = pl_open_inside(root, "/tmp");
	if (t->tmp >= 0 && !mkdirat(t->tmp, name, 0700)) {
		t->folder = openat(t->tmp, name,
				   O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
					   O_CLOEXEC);
		if (t->folder >= 0 && is_private(t, t->folder))
			return 0;
	}
	int rc = pl_fail_errno(err, PL_ERR_SYS,
			       "cannot make %s, as the user of process %d",
			       t->folder_name, (int)t->pid);

	forget_folder(t);
	return rc;
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
	int rc = check_ids(t, err);

	while (f && fgets(line, sizeof(line), f)) {
		if (!strncmp(line, "SigBlk:", 7))
			blocked = is_in_mask(line + 7, t->signal);
		else if (!strncmp(line, "SigCgt:", 7))
			caught = is_in_mask(line + 7, t->signal);
	}
	if (f)
		fclose(f);
	if (rc)
		return rc;
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

/*
 * As sigqueue does, but by its descriptor, which no other process takes over.
 * The sender's user is given as the process's: inside another user namespace
 * root is nobody, and the handler obeys only its user and root.
 */
static int queue_signal(const struct pl_target *t)
{
	siginfo_t info;

	memset(&info, 0, sizeof(info));
	info.si_signo = t->signal;
	info.si_code = SI_QUEUE;
	info.si_pid = getpid();
	info.si_uid = t->uid;
	info.si_value.sival_int = (int)t->number;
	if (t->pidfd >= 0 && !syscall(SYS_pidfd_send_signal, t->pidfd,
				      t->signal, &info, 0))
		return 0;
	/* Kernels before 5.3, and filters of system calls */
	if (t->pidfd >= 0 && errno != ENOSYS)
		return -1;
	return (int)syscall(SYS_rt_sigqueueinfo, t->pid, t->signal, &info);
}

static int send_signal(struct pl_target *t, double seconds,
		       struct pl_error *err)
{
	int rc = await_signal(t, seconds, err);

	if (rc || !queue_signal(t))
		return rc;
	if (errno == EPERM)
		return no_permission(t, err);
	return pl_fail_errno(err, PL_ERR_SYS, "cannot signal process %d",
			     (int)t->pid);
}

/* ------------------------------------------------------- by its memory -- */

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

/* What the child below reports. */
struct report {
	int rc, error;
	uint32_t version; /* 0: no Python was found */
	char text[200];
};

/* The memory, once it is open, can be read without any privilege. */
static bool drop_privileges(const struct pl_target *t)
{
	uid_t uid = t->uid ? t->uid : NOBODY;
	gid_t gid = t->uid ? t->gid : NOBODY;

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (geteuid())
		return true;
	if (!setgroups(0, NULL) && !setresgid(gid, gid, gid) &&
	    !setresuid(uid, uid, uid))
		return true;
	/* A namespace without that user */
	return !t->uid && !geteuid();
}

/* @path: of the script to run, or NULL to find the version only. */
static void use_memory(const struct pl_target *t, const char *path,
		       struct report *r)
{
	struct pl_remote_python python;
	struct pl_error err = {0};
	int maps;

	r->error = pl_remote_python_open(&python, t->process, &maps);
	if (r->error)
		return;
	r->rc = check_ids(t, &err);
	if (!r->rc && !drop_privileges(t))
		r->error = errno;
	if (!r->rc && !r->error)
		pl_remote_python_find(&python, maps);
	if (python.runtime)
		r->version = python.version;
	if (python.runtime && path)
		r->rc = pl_remote_python_run(&python, path, &err);
	snprintf(r->text, sizeof(r->text), "%.*s", (int)sizeof(r->text) - 1,
		 err.text);
}

static bool read_report(int fd, struct report *r, double seconds)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	double end = now() + seconds, left;

	while ((left = end - now()) > 0)
		if (poll(&p, 1, (int)(left * 1000) + 1) > 0)
			return read(fd, r, sizeof(*r)) == sizeof(*r);
	return false;
}

/*
 * In a child of ours without privileges: what is read may be made to mislead,
 * and a page of memory that another program has to provide (FUSE) may never
 * come.
 */
static int ask_memory(const struct pl_target *t, const char *path,
		      struct report *r, struct pl_error *err)
{
	int pipe_fds[2];
	pid_t child;
	bool told;

	memset(r, 0, sizeof(*r));
	if (pipe2(pipe_fds, O_CLOEXEC))
		return pl_fail_errno(err, PL_ERR_SYS, "cannot make a pipe");
	child = fork();
	if (!child) {
		use_memory(t, path, r);
		_exit(write(pipe_fds[1], r, sizeof(*r)) != sizeof(*r));
	}
	close(pipe_fds[1]);
	told = child > 0 && read_report(pipe_fds[0], r, MEMORY_SECONDS);
	close(pipe_fds[0]);
	if (child > 0) {
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
	}
	if (!told)
		return pl_fail(err, PL_ERR_SYS,
			       "cannot read the memory of process %d",
			       (int)t->pid);
	r->text[sizeof(r->text) - 1] = '\0';
	if (r->error == ENOENT || r->error == ESRCH)
		return has_ended(t, err);
	if (r->error)
		return no_permission(t, err);
	return 0;
}

static int too_old(const struct pl_target *t, int minor, struct pl_error *err)
{
	return pl_fail(err, PL_ERR_FORMAT,
		       "process %d is Python 3.%d: before 3.14 it has to be "
		       "started with LD_PRELOAD=libproflite.so and "
		       "PROFLITE_OPTIONS=start=off",
		       (int)t->pid, minor);
}

/* Can it be reached by its memory? */
static int judge_version(const struct pl_target *t, struct pl_error *err)
{
	struct report r;
	int rc = ask_memory(t, NULL, &r, err);
	int minor = r.version ? (int)(r.version >> 16 & 255) : t->minor;

	if (rc)
		return rc;
	if (minor && minor < 14)
		return too_old(t, minor, err);
	if (r.version)
		return 0;
	if (!t->minor && !t->has_python_name)
		return pl_fail(err, PL_ERR_NOENT,
			       "process %d (%s) is no "
			       "Python",
			       (int)t->pid, t->name);
	return pl_fail(err, PL_ERR_NOENT,
		       "cannot reach process %d: it is named %s, and no "
		       "interpreter of Python 3.13 or later runs in it",
		       (int)t->pid, t->name);
}

static int run_script(const struct pl_target *t, struct pl_error *err)
{
	char path[sizeof(t->folder_name) + sizeof(SCRIPT) + 1];
	struct report r;
	int rc;

	snprintf(path, sizeof(path), "%s/" SCRIPT, t->folder_name);
	rc = ask_memory(t, path, &r, err);
	if (rc)
		return rc;
	if (r.version && !r.rc)
		return 0;
	if (r.version && r.rc == PL_ERR_ARG)
		return pl_fail(err, PL_ERR_SYS,
			       "process %d does not let itself "
			       "be debugged: %s",
			       (int)t->pid, r.text);
	return pl_fail(err, PL_ERR_SYS, "cannot reach process %d: %s",
		       (int)t->pid,
		       *r.text ? r.text : "it is no Python any more");
}

static int write_script(const struct pl_target *t, const char *request,
		       struct pl_error *err)
{
	char text[sizeof(script) + 2 * PATH_MAX + 128];

	if (strpbrk(t->package, "'\\\n"))
		return pl_fail(err, PL_ERR_ARG,
			       "%s: Python cannot be given "
			       "this name: install proflite elsewhere",
			       t->package);
	if (!strcmp(request, PL_ATTACH_STOP))
		snprintf(text, sizeof(text), stop_script, t->number);
	else
		snprintf(text, sizeof(text), script, t->package, t->package,
			 t->folder_name, t->number);
	return write_file(t, SCRIPT, text, err);
}

/* Python would complain on the program's stderr of a script that is gone, so
 * there stays one that removes itself. */
static void leave_script(struct pl_target *t)
{
	char text[256];

	snprintf(text, sizeof(text),
		 "import posix\nposix.unlink('%s/" SCRIPT
		 "')\nposix.rmdir('%s')\n",
		 t->folder_name, t->folder_name);
	if (!write_file(t, PL_ATTACH_ANSWER ".new", text, NULL) &&
	    !renameat(t->folder, PL_ATTACH_ANSWER ".new", t->folder, SCRIPT))
		forget_folder(t);
}

/* -------------------------------------------------------- the request -- */

/* The file, which the process made: not a pipe that never ends, nor another
 * file's second name. */
static bool is_answer(const struct pl_target *t, int fd)
{
	struct stat st;

	return !fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_nlink == 1 &&
	       st.st_uid == t->uid;
}

static bool read_answer(const struct pl_target *t, char *text, size_t size)
{
	ssize_t n = -1;
	int fd;

	fd = openat(t->folder, PL_ATTACH_ANSWER,
		    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return false;
	if (is_answer(t, fd))
		n = read(fd, text, size - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	return n > 0;
}

/* False: it is being obeyed. */
static bool withdraw(const struct pl_target *t)
{
	return !unlinkat(t->folder, PL_ATTACH_REQUEST, 0);
}

static int await_answer(struct pl_target *t, double seconds,
			struct pl_error *err)
{
	double end = now() + seconds;
	char text[400];

	while (!read_answer(t, text, sizeof(text))) {
		if (!pl_target_is_alive(t))
			return has_ended(t, err);
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

/* What is done in its folder is done as its user, the rest as ourselves. */

static int prepare_request(struct pl_target *t, const char *text,
			   struct pl_error *err)
{
	int root = openat(t->process, "root",
			  O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct pl_act_as as;
	int rc;

	if (root < 0)
		return errno == ENOENT || errno == ESRCH
			       ? has_ended(t, err)
			       : no_permission(t, err);
	rc = pl_act_as_begin(&as, t->uid, t->gid, err);
	if (!rc) {
		rc = make_folder(t, root, err);
		if (!rc)
			rc = write_file(t, PL_ATTACH_REQUEST, text, err);
		if (!rc && !t->signal)
			rc = write_script(t, text, err);
		pl_act_as_end(&as);
	}
	close(root);
	return rc;
}

static int finish_request(struct pl_target *t, int rc, double seconds,
			  struct pl_error *err)
{
	struct pl_act_as as;

	if (pl_act_as_begin(&as, t->uid, t->gid, rc ? NULL : err)) {
		forget_folder(t);
		return rc ? rc : PL_ERR_SYS;
	}
	if (!rc) {
		rc = await_answer(t, seconds, err);
		if (rc == PL_ERR_BUSY && !t->signal)
			leave_script(t);
	}
	remove_folder(t);
	pl_act_as_end(&as);
	return rc;
}

int pl_target_request(struct pl_target *t, const char *text, double seconds,
		      struct pl_error *err)
{
	int rc = check_ids(t, err);

	if (!rc)
		rc = prepare_request(t, text, err);
	if (!rc)
		rc = t->signal ? send_signal(t, seconds, err) :
				 run_script(t, err);
	return finish_request(t, rc, seconds, err);
}

/* ------------------------------------------------------------- to find -- */

static int open_process(struct pl_target *t, struct pl_error *err)
{
	unsigned uid, gid;
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d", (int)t->pid);
	t->process = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* Whoever has the number now is whom both descriptors name. */
	if (t->process >= 0)
		t->pidfd = (int)syscall(SYS_pidfd_open, t->pid, 0);
	t->start = pl_live_proc_start((uint32_t)t->pid);
	if (t->process < 0 || !t->start || !read_ids(t, &uid, &gid))
		return pl_fail(err, PL_ERR_NOENT, "no process %d", (int)t->pid);
	t->uid = uid;
	t->gid = gid;
	return 0;
}

int pl_target_find(struct pl_target *t, pid_t pid, struct pl_error *err)
{
	int rc;

	memset(t, 0, sizeof(*t));
	t->pid = pid;
	t->process = t->pidfd = t->tmp = t->folder = -1;
	rc = open_process(t, err);
	if (!rc)
		rc = read_maps(t, err);
	if (!rc)
		read_name(t);
	if (!rc && !t->signal)
		rc = judge_version(t, err);
	return rc ? rc : find_package(t, err);
}

void pl_target_release(struct pl_target *t)
{
	if (t->process >= 0)
		close(t->process);
	if (t->pidfd >= 0)
		close(t->pidfd);
	t->process = t->pidfd = -1;
}

bool pl_target_is_alive(const struct pl_target *t)
{
	return pl_live_proc_start((uint32_t)t->pid) == t->start;
}
