# The heart: clock, recording, calling-context tree.  No Python, no SQL.
# Every file of src/core stands here, alphabetically.
core_sources = \
	%reldir%/attach.h \
	%reldir%/clock.c \
	%reldir%/clock.h \
	%reldir%/costs.c \
	%reldir%/costs.h \
	%reldir%/fallback.c \
	%reldir%/fallback.h \
	%reldir%/format.h \
	%reldir%/live.c \
	%reldir%/live.h \
	%reldir%/notice.c \
	%reldir%/notice.h \
	%reldir%/options.c \
	%reldir%/options.def \
	%reldir%/options.h \
	%reldir%/parking.c \
	%reldir%/parking.h \
	%reldir%/recfile.c \
	%reldir%/recfile.h \
	%reldir%/recorder.c \
	%reldir%/recorder.h \
	%reldir%/recorder_inline.h \
	%reldir%/recording.c \
	%reldir%/recording.h \
	%reldir%/session.c \
	%reldir%/session.h \
	%reldir%/tree.c \
	%reldir%/tree.h \
	%reldir%/uuid.c \
	%reldir%/uuid.h

# What the engine, the store, the tool and the unit tests link alike.
noinst_LTLIBRARIES += libplcore.la
libplcore_la_SOURCES = $(base_sources) $(core_sources)
libplcore_la_CFLAGS = $(AM_CFLAGS) $(PL_HOT_CFLAGS)
