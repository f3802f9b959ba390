# Other formats, one file each.  Every file of src/export stands here,
# alphabetically.
export_sources = \
	%reldir%/base64.c \
	%reldir%/base64.h \
	%reldir%/callgrind.c \
	%reldir%/chrome.c \
	%reldir%/collapsed.c \
	%reldir%/csv.c \
	%reldir%/dot.c \
	%reldir%/escape.c \
	%reldir%/escape.h \
	%reldir%/exporter.c \
	%reldir%/exporter.h \
	%reldir%/gzip.c \
	%reldir%/gzip.h \
	%reldir%/html.c \
	%reldir%/json.c \
	%reldir%/labels.c \
	%reldir%/labels.h \
	%reldir%/marshal.c \
	%reldir%/marshal.h \
	%reldir%/paths.c \
	%reldir%/paths.h \
	%reldir%/places.c \
	%reldir%/places.h \
	%reldir%/pprof.c \
	%reldir%/pstats.c \
	%reldir%/pstats.h \
	%reldir%/remote.c \
	%reldir%/remote.h \
	%reldir%/sources.c \
	%reldir%/sources.h \
	%reldir%/speedscope.c \
	%reldir%/stacks.c \
	%reldir%/stacks.h \
	%reldir%/stats.c \
	%reldir%/stats.h \
	%reldir%/wtf8.c \
	%reldir%/wtf8.h

noinst_LTLIBRARIES += libplexport.la
libplexport_la_SOURCES = $(export_sources)
libplexport_la_CFLAGS = $(AM_CFLAGS) $(PROTOBUF_C_CFLAGS) $(ZLIB_CFLAGS)
nodist_libplexport_la_SOURCES = $(export_built)

# What a program needs to link with it.
export_LIBS = $(PROTOBUF_C_LIBS) $(ZLIB_LIBS)

# The page of html.c as one string, its style and script put in their places.
html_h = %reldir%/html_page.h
html_files = %reldir%/html/page.html %reldir%/html/page.css \
	%reldir%/html/page.js
BUILT_SOURCES += $(html_h)
CLEANFILES += $(html_h)
EXTRA_DIST += $(html_files)
$(libplexport_la_OBJECTS): $(html_h)
$(html_h): $(html_files)
	$(AM_V_GEN)$(MKDIR_P) %reldir% && $(AWK) -v folder='$(srcdir)/%reldir%/html' \
	'function put(line) { gsub(/["\\]/, "\\\\&", line); \
		print "\"" line "\\n\"" } \
	function put_file(name, line) { \
		while ((getline line < (folder "/" name)) > 0) put(line) } \
	BEGIN { print "/* Made from html/; do not edit. */"; \
		print "static const char pl_html_page[] =" } \
	/^@STYLE@$$/ { put_file("page.css"); next } \
	/^@SCRIPT@$$/ { put_file("page.js"); next } \
	{ put($$0) } \
	END { print ";" }' $(srcdir)/%reldir%/html/page.html >$@.tmp && \
	mv $@.tmp $@

# pprof's message, and Parca's, in C.
export_built = %reldir%/profile.pb-c.c %reldir%/parca.pb-c.c
BUILT_SOURCES += $(export_built)
CLEANFILES += $(export_built) %reldir%/profile.pb-c.h %reldir%/parca.pb-c.h
EXTRA_DIST += %reldir%/profile.proto %reldir%/parca.proto
$(libplexport_la_OBJECTS): $(export_built)
%reldir%/profile.pb-c.c: %reldir%/profile.proto
	$(AM_V_GEN)$(MKDIR_P) %reldir% && $(PROTOC_C) \
		--proto_path=$(srcdir)/%reldir% --c_out=%reldir% \
		profile.proto
%reldir%/parca.pb-c.c: %reldir%/parca.proto
	$(AM_V_GEN)$(MKDIR_P) %reldir% && $(PROTOC_C) \
		--proto_path=$(srcdir)/%reldir% --c_out=%reldir% \
		parca.proto
