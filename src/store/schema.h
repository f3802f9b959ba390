/* SPDX-License-Identifier: MIT */
/*
 * schema.h: is the schema of a database exactly ours?
 *
 * A database is data from somewhere.  A table of a planted one could have a
 * generated column, a constraint or an index that runs any expression, and a
 * view in a table's place could have rows without end.  So the definition of
 * each table and index that proflite uses must be that of schema.sql, but for
 * comments and spaces.  What else is in the database (tables, views and
 * triggers of the user's own) is never used: the connection neither expands
 * views nor fires triggers.
 */
#ifndef PL_STORE_SCHEMA_H
#define PL_STORE_SCHEMA_H

#include "store/db.h"

/* @where: "main", or "source" of an attached one, which @shown names. */
int pl_schema_check(struct pl_store *store, const char *where,
		    const char *shown, struct pl_error *err);

#endif
