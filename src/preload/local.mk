# The stub that LD_PRELOAD puts into every process of a tree, and the public C
# API.  No Python symbol, nothing linked but libc, and not -z now: a process
# that is no Python must not notice it.
preload_sources = \
	src/core/notice.c \
	src/core/notice.h \
	include/proflite.h \
	%reldir%/dormant.c \
	%reldir%/dormant.h \
	%reldir%/exec.c \
	%reldir%/follow.h \
	%reldir%/stub.c

include_HEADERS += include/proflite.h

lib_LTLIBRARIES += libproflite.la
libproflite_la_SOURCES = $(preload_sources)
libproflite_la_LDFLAGS = $(AM_LDFLAGS) -shared -version-info 0:0:0
libproflite_la_LIBADD = $(STUB_LIBS)
