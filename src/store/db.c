/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "store/db.h"

#include "base/text.h"
#include "core/clock.h"
#include "core/options.h"
#include "store/schema.h"
#include "store/schema_sql.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---------------------------------------------------------------- errors -- */

static bool is_no_room(int error)
{
	return error == ENOSPC || error == EDQUOT || error == EFBIG;
}

/* SQLite does not always keep the number of the system's error, and it may be
 * gone by now: a limit (ulimit -f) is the likely one then. */
static bool is_file_limited(void)
{
	struct rlimit limit;

	return !getrlimit(RLIMIT_FSIZE, &limit) &&
	       limit.rlim_cur != RLIM_INFINITY;
}

int pl_db_fail(struct pl_store *s, struct pl_error *err)
{
	int code = s->db ? sqlite3_errcode(s->db) : SQLITE_NOMEM;
	int error = s->db ? sqlite3_system_errno(s->db) : 0;
	int refused = pl_guard_refusal(s->guard, err);

	if (refused)
		return refused;
	switch (code) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return pl_fail(err, PL_ERR_BUSY, "%s is locked by another "
			       "process (waited for %d ms)", s->path,
			       s->busy_ms);
	case SQLITE_NOTADB:
		return pl_fail(err, PL_ERR_FORMAT, "%s is not a database: want "
			       "one that proflite has made", s->path);
	case SQLITE_CORRUPT:
		return pl_fail(err, PL_ERR_FORMAT, "%s is damaged (%s)",
			       s->path, sqlite3_errmsg(s->db));
	case SQLITE_NOMEM:
		return pl_fail(err, PL_ERR_NOMEM, "no memory for %s", s->path);
	case SQLITE_FULL:
		return pl_fail(err, PL_ERR_FULL, "no room on the disk for %s",
			       s->path);
	case SQLITE_READONLY:
		return pl_fail(err, PL_ERR_SYS, "cannot write %s: it is "
			       "read-only", s->path);
	case SQLITE_IOERR:
	case SQLITE_CANTOPEN:
		errno = error;
		/* Not every version of SQLite keeps the errno of a write. */
		if ((error == EFBIG || (!error &&
		     sqlite3_extended_errcode(s->db) == SQLITE_IOERR_WRITE)) &&
		    is_file_limited())
			return pl_fail(err, PL_ERR_FULL, "no room for %s: the "
				       "limit of file size is reached",
				       s->path);
		if (is_no_room(error))
			return pl_fail_errno(err, PL_ERR_FULL, "no room for %s",
					     s->path);
		if (error)
			return pl_fail_errno(err, PL_ERR_SYS, "cannot read or "
					     "write %s or its journal",
					     s->path);
	}
	return pl_fail(err, PL_ERR_SQL, "%s: %s", s->path,
		       sqlite3_errmsg(s->db));
}

/* ------------------------------------------------------------ statements -- */

int pl_db_exec(struct pl_store *s, const char *sql, struct pl_error *err)
{
	return sqlite3_exec(s->db, sql, NULL, NULL, NULL) == SQLITE_OK ?
	       0 : pl_db_fail(s, err);
}

int pl_db_begin(struct pl_store *s, struct pl_error *err)
{
	return pl_db_exec(s, "BEGIN IMMEDIATE", err);
}

int pl_db_end(struct pl_store *s, int rc, struct pl_error *err)
{
	if (!rc)
		rc = pl_db_exec(s, "COMMIT", err);
	/* Some failures have rolled back by themselves. */
	if (rc && !sqlite3_get_autocommit(s->db))
		sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
	return rc;
}

int pl_db_prepare(struct pl_store *s, sqlite3_stmt **stmt, const char *sql,
		  struct pl_error *err)
{
	*stmt = NULL;
	return sqlite3_prepare_v2(s->db, sql, -1, stmt, NULL) == SQLITE_OK ?
	       0 : pl_db_fail(s, err);
}

/* SQLite's text functions, and all who read C strings, end at a NUL. */
static void bind_escaped(sqlite3_stmt *stmt, int i, const char *bytes, size_t n)
{
	size_t size = pl_text_escaped_length(bytes, n);
	char *copy = sqlite3_malloc64(size + 1);

	/* Without memory NULL is bound, which no column of names takes. */
	if (copy)
		pl_text_escape_nul(copy, bytes, n);
	sqlite3_bind_text(stmt, i, copy, (int)size, sqlite3_free);
}

static void bind_bytes(sqlite3_stmt *stmt, int i, const char *bytes, size_t n,
		       char letter)
{
	/* Nothing that we store comes near SQLite's limit; what a damaged
	 * recording says is text may. */
	if (n > 1000000)
		n = 1000000;
	if (!n && letter != 'T')
		sqlite3_bind_null(stmt, i);
	else if (letter == 'b')
		sqlite3_bind_blob(stmt, i, bytes, (int)n, SQLITE_STATIC);
	else if (!pl_text_count_nul(bytes, n))
		sqlite3_bind_text(stmt, i, bytes, (int)n, SQLITE_STATIC);
	else
		bind_escaped(stmt, i, bytes, n);
}

void pl_db_bind(sqlite3_stmt *stmt, const char *letters, ...)
{
	const char *bytes;
	int64_t value;
	va_list ap;

	va_start(ap, letters);
	for (int i = 1; letters[i - 1]; i++) {
		switch (letters[i - 1]) {
		case 'i':
			sqlite3_bind_int64(stmt, i, va_arg(ap, int64_t));
			break;
		case 'u':
			value = pl_db_integer(va_arg(ap, uint64_t));
			sqlite3_bind_int64(stmt, i, value);
			break;
		case 'n':
			value = va_arg(ap, int64_t);
			if (value < 0)
				sqlite3_bind_null(stmt, i);
			else
				sqlite3_bind_int64(stmt, i, value);
			break;
		case 'r':
			sqlite3_bind_double(stmt, i, va_arg(ap, double));
			break;
		case 's':
			bytes = va_arg(ap, const char *);
			sqlite3_bind_text(stmt, i, bytes, -1, SQLITE_STATIC);
			break;
		case 't':
		case 'T':
		case 'b':
			bytes = va_arg(ap, const char *);
			bind_bytes(stmt, i, bytes, va_arg(ap, size_t),
				   letters[i - 1]);
			break;
		}
	}
	va_end(ap);
}

int pl_db_row(struct pl_store *s, sqlite3_stmt *stmt, struct pl_error *err)
{
	switch (sqlite3_step(stmt)) {
	case SQLITE_ROW:
		return 1;
	case SQLITE_DONE:
		return 0;
	}
	return pl_db_fail(s, err);
}

int pl_db_run(struct pl_store *s, sqlite3_stmt *stmt, struct pl_error *err)
{
	int rc = pl_db_row(s, stmt, err);

	sqlite3_reset(stmt);
	return rc < 0 ? rc : 0;
}

int pl_db_value(struct pl_store *s, sqlite3_stmt *stmt, int64_t *value,
		struct pl_error *err)
{
	int rc = pl_db_row(s, stmt, err);

	if (rc > 0 && sqlite3_column_type(stmt, 0) != SQLITE_NULL)
		*value = sqlite3_column_int64(stmt, 0);
	sqlite3_reset(stmt);
	return rc < 0 ? rc : 0;
}

const char *pl_db_text(sqlite3_stmt *stmt, int column)
{
	const unsigned char *text = sqlite3_column_text(stmt, column);

	return text ? (const char *)text : "";
}

bool pl_db_text_dup(sqlite3_stmt *stmt, int column, char **text)
{
	const char *bytes;
	size_t n;

	*text = NULL;
	if (sqlite3_column_type(stmt, column) == SQLITE_NULL)
		return true;
	bytes = pl_db_text(stmt, column);
	n = (size_t)sqlite3_column_bytes(stmt, column);
	*text = malloc(pl_text_escaped_length(bytes, n) + 1);
	if (*text)
		pl_text_escape_nul(*text, bytes, n);
	return *text;
}

/* ------------------------------------------------------------------ busy -- */

/* xorshift64 */
static uint64_t next_random(struct pl_store *s)
{
	s->random ^= s->random << 13;
	s->random ^= s->random >> 7;
	s->random ^= s->random << 17;
	return s->random;
}

/*
 * Wait a little, longer each time, and never for the same time as the others:
 * when 200 processes end at once, those who wait in step would find each other
 * again at every try.
 */
static int wait_while_busy(void *arg, int n_tries)
{
	struct pl_store *s = arg;
	int64_t now = pl_clock_ns(CLOCK_MONOTONIC), ns;
	struct timespec ts = { 0 };

	if (!n_tries)
		s->busy_until = now + (int64_t)s->busy_ms * 1000000;
	if (now >= s->busy_until)
		return 0;
	ns = (int64_t)1000000 << (n_tries < 5 ? n_tries : 5);
	ns = ns / 2 + (int64_t)(next_random(s) % (uint64_t)ns);
	if (ns > s->busy_until - now)
		ns = s->busy_until - now;
	ts.tv_nsec = (long)ns;
	nanosleep(&ts, NULL);
	return 1;
}

/* --------------------------------------------------------------- opening -- */

/* Look at the file before SQLite does: its own words for what is wrong here
 * are "unable to open database file" for everything. */
static int check_file(struct pl_store *s, enum pl_store_mode mode,
		      struct pl_error *err)
{
	struct stat st;
	int fd;

	if (!*s->path)
		return pl_fail(err, PL_ERR_ARG, "\"\" names no file");
	if (mode == PL_STORE_WRITE) {
		int rc = pl_options_check_database(s->path, err);

		if (rc)
			return rc;
	}
	if (stat(s->path, &st)) {
		if (errno != ENOENT)
			return pl_fail_errno(err, PL_ERR_SYS, "cannot open %s",
					     s->path);
		if (mode == PL_STORE_READ)
			return pl_fail(err, PL_ERR_NOENT, "there is no "
				       "database %s", s->path);
		/* SQLite would make it readable to all. */
		fd = open(s->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC,
			  0600);
		if (fd >= 0)
			close(fd);
		else if (errno != EEXIST)
			return pl_fail_errno(err, PL_ERR_SYS, "cannot create "
					     "%s", s->path);
		return 0;
	}
	if (S_ISDIR(st.st_mode))
		return pl_fail(err, PL_ERR_FORMAT, "%s is a folder: want a "
			       "database", s->path);
	if (!S_ISREG(st.st_mode))
		return pl_fail(err, PL_ERR_FORMAT, "%s is not a regular file: "
			       "want a database", s->path);
	if (!st.st_size && mode == PL_STORE_READ)
		return pl_fail(err, PL_ERR_FORMAT, "%s is empty: nothing has "
			       "been recorded into it yet", s->path);
	if (access(s->path, mode == PL_STORE_READ ? R_OK : R_OK | W_OK))
		return pl_fail_errno(err, PL_ERR_SYS, "cannot %s %s",
				     mode == PL_STORE_READ ? "read" : "write",
				     s->path);
	return 0;
}

static int pragma(struct pl_store *s, const char *sql, int64_t *value,
		  struct pl_error *err)
{
	sqlite3_stmt *stmt;
	int rc = pl_db_prepare(s, &stmt, sql, err);

	*value = 0;
	if (!rc)
		rc = pl_db_value(s, stmt, value, err);
	sqlite3_finalize(stmt);
	return rc;
}

/* Whose is it?  *@fresh: nobody's yet.  In a transaction, for someone else may
 * be creating it. */
static int check_owner(struct pl_store *s, bool *fresh, struct pl_error *err)
{
	int64_t app, version, n_tables;
	int rc;

	*fresh = false;
	if ((rc = pragma(s, "PRAGMA application_id", &app, err)) ||
	    (rc = pragma(s, "PRAGMA user_version", &version, err)) ||
	    (rc = pragma(s, "SELECT count(*) FROM sqlite_schema", &n_tables,
			 err)))
		return rc;
	if (app == PL_STORE_APPLICATION_ID && version > PL_STORE_VERSION)
		return pl_fail(err, PL_ERR_FORMAT, "%s was written by a newer "
			       "proflite (schema %d, this one knows %d): use "
			       "that one", s->path, (int)version,
			       PL_STORE_VERSION);
	if (app == PL_STORE_APPLICATION_ID && version < PL_STORE_VERSION)
		return pl_fail(err, PL_ERR_FORMAT, "%s is of before proflite's "
			       "first release (schema %d, this one knows %d): "
			       "record it again", s->path, (int)version,
			       PL_STORE_VERSION);
	if (app == PL_STORE_APPLICATION_ID && version == PL_STORE_VERSION)
		return pl_schema_check(s, "main", s->path, err);
	*fresh = !app && !version && !n_tables;
	if (*fresh)
		return 0;
	return pl_fail(err, PL_ERR_FORMAT, "%s is a database of another "
		       "application: want one that proflite has made",
		       s->path);
}

static int create_schema(struct pl_store *s, struct pl_error *err)
{
	bool fresh;
	int rc = pl_db_begin(s, err);

	if (rc)
		return rc;
	rc = check_owner(s, &fresh, err);
	if (!rc && fresh)
		rc = pl_db_exec(s, pl_schema_sql, err);
	return pl_db_end(s, rc, err);
}

/*
 * A version that comes after ours adds here what makes the older one into it:
 * in one transaction, beginning with check_owner.
 */
static int check_schema(struct pl_store *s, enum pl_store_mode mode,
			struct pl_error *err)
{
	bool fresh;
	int rc = pl_db_exec(s, "BEGIN", err);

	if (rc)
		return rc;
	rc = check_owner(s, &fresh, err);
	rc = pl_db_end(s, rc, err);
	if (rc || !fresh)
		return rc;
	if (mode == PL_STORE_READ)
		return pl_fail(err, PL_ERR_FORMAT, "%s is empty: nothing has "
			       "been recorded into it yet", s->path);
	return create_schema(s, err);
}

/*
 * Pages of 4096 bytes, SQLite's own choice: bigger ones make a big tree no
 * faster to write, and a small process's transaction touches a page of every
 * table.  The cache is a bound, not a reservation: we may be in a process that
 * has little memory, and rows that are only appended are written once anyway.
 */
static int configure(struct pl_store *s, enum pl_store_mode mode,
		     struct pl_error *err)
{
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
	if (mode == PL_STORE_READ)
		return pl_db_exec(s, "PRAGMA query_only = ON", err);
	if (sqlite3_db_readonly(s->db, "main"))
		return pl_fail(err, PL_ERR_SYS, "cannot write %s: it is "
			       "read-only", s->path);
	return pl_db_exec(s, "PRAGMA cache_size = -8000;"
			     "PRAGMA synchronous = EXTRA;"
			     "PRAGMA temp_store = MEMORY", err);
}

/*
 * For reading, too, the file is opened for writing: a journal left by a killed
 * writer has to be rolled back.  Where writing is not allowed SQLite only
 * reads.  In another user's database (--trust) reading changes nothing.
 */
static int open_file(struct pl_store *s, enum pl_store_mode mode,
		     struct pl_error *err)
{
	int flags = SQLITE_OPEN_NOMUTEX;
	int rc = pl_guard_new(&s->guard, s->path, mode == PL_STORE_WRITE, err);

	if (rc)
		return rc;
	if (mode == PL_STORE_READ && pl_guard_is_foreign(s->guard))
		flags |= SQLITE_OPEN_READONLY;
	else
		flags |= SQLITE_OPEN_READWRITE;
	rc = sqlite3_open_v2(pl_guard_name(s->guard, 0), &s->db, flags,
			     pl_guard_vfs(s->guard));
	if (rc != SQLITE_OK)
		return pl_db_fail(s, err);
	sqlite3_busy_handler(s->db, wait_while_busy, s);
	rc = configure(s, mode, err);
	return rc ? rc : check_schema(s, mode, err);
}

int pl_store_open(struct pl_store **store, const char *path,
		  enum pl_store_mode mode, int busy_ms, struct pl_error *err)
{
	struct pl_store *s = calloc(1, sizeof(*s));
	int rc;

	*store = NULL;
	if (!s || !(s->path = strdup(path))) {
		free(s);
		return pl_fail(err, PL_ERR_NOMEM, "no memory");
	}
	s->busy_ms = busy_ms;
	s->random = (uint64_t)pl_clock_ns(CLOCK_MONOTONIC) << 20 ^
		    (uint64_t)getpid() ^ 1;
	rc = check_file(s, mode, err);
	if (!rc)
		rc = open_file(s, mode, err);
	if (rc) {
		pl_store_close(s);
		return rc;
	}
	*store = s;
	return 0;
}

void pl_store_close(struct pl_store *s)
{
	if (!s)
		return;
	sqlite3_close(s->db);
	pl_guard_free(s->guard);
	free(s->path);
	free(s);
}
