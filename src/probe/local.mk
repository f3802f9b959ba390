# The engine: interpreter events to recorder calls.  The only folder with
# Python.  Every file of src/probe stands here, alphabetically.
probe_sources = \
	%reldir%/attach.c \
	%reldir%/attach.h \
	%reldir%/calibrate.c \
	%reldir%/calibrate.h \
	%reldir%/engine.c \
	%reldir%/engine.h \
	%reldir%/greenlets.c \
	%reldir%/greenlets.h \
	%reldir%/intercept.c \
	%reldir%/intercept.h \
	%reldir%/module.c \
	%reldir%/monitoring.c \
	%reldir%/names.c \
	%reldir%/names.h \
	%reldir%/probe.c \
	%reldir%/probe.h \
	%reldir%/pyapi.c \
	%reldir%/pyapi.h \
	%reldir%/setprofile.c \
	%reldir%/sysprofile.c \
	%reldir%/sysprofile.h

# Python's symbols stay undefined: the interpreter that loads it has them.
plpy_LTLIBRARIES += _proflite.la
_proflite_la_SOURCES = $(probe_sources)
_proflite_la_CPPFLAGS = $(AM_CPPFLAGS) -isystem $(PYTHON_INCLUDE) \
	-DPy_LIMITED_API=0x03090000
_proflite_la_CFLAGS = $(AM_CFLAGS) $(PL_HOT_CFLAGS)
_proflite_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -shared \
	-export-symbols-regex '^(PyInit__proflite$$|proflite_engine_)'
_proflite_la_LIBADD = libplcore.la $(DL_LIBS)

# The same for a free-threaded interpreter, whose objects are others.  It is
# installed under the name that only that interpreter imports.
if HAVE_PYTHON_FT
plpy_LTLIBRARIES += _proflite_ft.la
endif
_proflite_ft_la_SOURCES = $(probe_sources)
_proflite_ft_la_CPPFLAGS = $(AM_CPPFLAGS) -isystem $(PYTHON_FT_INCLUDE) \
	-DPL_FREE_THREADED
_proflite_ft_la_CFLAGS = $(_proflite_la_CFLAGS)
_proflite_ft_la_LDFLAGS = $(_proflite_la_LDFLAGS)
_proflite_ft_la_LIBADD = $(_proflite_la_LIBADD)
