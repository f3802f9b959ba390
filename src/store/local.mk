# Profiles in SQLite: the only folder with SQL.  Every file of src/store stands
# here, alphabetically; entry.c is for _store.so alone.
store_sources = \
	%reldir%/batch.c \
	%reldir%/command.c \
	%reldir%/command.h \
	%reldir%/db.c \
	%reldir%/db.h \
	%reldir%/guard.c \
	%reldir%/guard.h \
	%reldir%/import.c \
	%reldir%/ingest.c \
	%reldir%/ingest.h \
	%reldir%/load.c \
	%reldir%/merge.c \
	%reldir%/pending.c \
	%reldir%/processes.c \
	%reldir%/remarks.c \
	%reldir%/rows.c \
	%reldir%/runs.c \
	%reldir%/schema.c \
	%reldir%/schema.h \
	%reldir%/status.c \
	%reldir%/store.h

noinst_LTLIBRARIES += libplstore.la
libplstore_la_SOURCES = $(store_sources)
libplstore_la_CFLAGS = $(AM_CFLAGS) $(SQLITE_CFLAGS)

# What a profiled process loads when it ends.  It is apart from the engine, so
# that SQLite comes into a process only then, and has a SQLite of its own.
plpy_LTLIBRARIES += _store.la
_store_la_SOURCES = %reldir%/entry.c
_store_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -shared \
	-export-symbols-regex '^proflite_store_'
_store_la_LIBADD = libplstore.la libplcore.la $(STORE_SQLITE_LIBS)

# The schema is a commented .sql file; C sees it as one string, and SQLite
# keeps the comments, so that `.schema` explains a database.
schema_h = %reldir%/schema_sql.h
BUILT_SOURCES += $(schema_h)
CLEANFILES += $(schema_h)
EXTRA_DIST += %reldir%/schema.sql
$(libplstore_la_OBJECTS): $(schema_h)
$(schema_h): %reldir%/schema.sql
	$(AM_V_GEN)$(MKDIR_P) %reldir% && { \
	echo '/* Made from schema.sql; do not edit. */'; \
	echo 'static const char pl_schema_sql[] ='; \
	$(SED) -e 's/[\\"]/\\&/g' -e 's/.*/"&\\n"/' $(srcdir)/%reldir%/schema.sql; \
	echo ';'; } >$@.tmp && mv $@.tmp $@
