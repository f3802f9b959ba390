/* SPDX-License-Identifier: MIT */
#include <config.h>

#include "store/schema.h"

#include "store/schema_sql.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/*
 * Copy @sql without comments and spaces.  What is taken out is a comment or
 * stands in a quoted text, so definitions that become equal differ in the
 * texts of literals at most, which run nothing.
 */
static void squeeze(char *to, const char *sql, size_t n)
{
	const char *end = sql + n;

	while (sql < end) {
		if (end - sql >= 2 && !memcmp(sql, "--", 2)) {
			while (sql < end && *sql != '\n')
				sql++;
		} else if (isspace((unsigned char)*sql)) {
			sql++;
		} else {
			*to++ = *sql++;
		}
	}
	*to = '\0';
}

/* malloc'ed, or NULL. */
static char *squeezed(const char *sql, size_t n)
{
	char *text = malloc(n + 1);

	if (text)
		squeeze(text, sql, n);
	return text;
}

/*
 * Is @definition one of the statements of schema.sql?  Both are squeezed, and
 * each statement there ends in ";" and begins behind one.
 */
static bool is_in_schema(const char *schema, const char *definition)
{
	size_t n = strlen(definition);

	for (const char *p = schema; (p = strstr(p, definition)); p++)
		if ((p == schema || p[-1] == ';') && p[n] == ';')
			return true;
	return false;
}

/* An index of the user's own, over columns: it runs nothing. */
static bool is_plain_index(const char *definition)
{
	const char *open = strchr(definition, '(');

	return !strncmp(definition, "CREATEINDEX", 11) && open &&
	       !strchr(open + 1, '(') &&
	       definition[strlen(definition) - 1] == ')';
}

#define PL_SCHEMA_N_TABLES 7
#define PL_SCHEMA_TABLES                                                      \
	"'runs', 'processes', 'threads', 'functions', 'nodes', "              \
	"'function_stats', 'call_stats'"

/* The tables and indices that are proflite's by their names, or belong to a
 * table that is. */
static const char rows_sql[] =
	"SELECT type, name, sql FROM %s.sqlite_schema WHERE "
	"type IN ('table', 'index') AND sql IS NOT NULL AND "
	"(name COLLATE NOCASE IN (" PL_SCHEMA_TABLES ") OR "
	"(type = 'index' AND tbl_name COLLATE NOCASE IN (" PL_SCHEMA_TABLES
	")))";

static int check_row(sqlite3_stmt *stmt, const char *schema,
		     const char *shown, int *n_tables, struct pl_error *err)
{
	const char *sql = pl_db_text(stmt, 2);
	char *definition = squeezed(sql, (size_t)sqlite3_column_bytes(stmt, 2));
	bool known;

	if (!definition)
		return pl_fail(err, PL_ERR_NOMEM, "no memory to read %s",
			       shown);
	known = is_in_schema(schema, definition) ||
		is_plain_index(definition);
	*n_tables += known && !strncmp(definition, "CREATETABLE", 11);
	free(definition);
	if (known)
		return 0;
	return pl_fail(err, PL_ERR_FORMAT, "%s is damaged: its %s %s is not "
		       "the one that proflite makes", shown,
		       pl_db_text(stmt, 0), pl_db_text(stmt, 1));
}

static int check_rows(struct pl_store *s, sqlite3_stmt *stmt,
		      const char *schema, const char *shown,
		      struct pl_error *err)
{
	int n_tables = 0, rc;

	while ((rc = pl_db_row(s, stmt, err)) > 0) {
		rc = check_row(stmt, schema, shown, &n_tables, err);
		if (rc)
			return rc;
	}
	if (rc || n_tables == PL_SCHEMA_N_TABLES)
		return rc;
	return pl_fail(err, PL_ERR_FORMAT, "%s is damaged: tables of it are "
		       "missing", shown);
}

int pl_schema_check(struct pl_store *s, const char *where, const char *shown,
		    struct pl_error *err)
{
	char *sql = sqlite3_mprintf(rows_sql, where);
	char *schema = squeezed(pl_schema_sql, sizeof(pl_schema_sql) - 1);
	sqlite3_stmt *stmt = NULL;
	int rc;

	if (!sql || !schema)
		rc = pl_fail(err, PL_ERR_NOMEM, "no memory");
	else
		rc = pl_db_prepare(s, &stmt, sql, err);
	if (!rc)
		rc = check_rows(s, stmt, schema, shown, err);
	sqlite3_finalize(stmt);
	sqlite3_free(sql);
	free(schema);
	return rc;
}
