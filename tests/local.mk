# `make check` runs five suites, each of which can be run alone: check-lint,
# check-unit, check-san, check-tsan, check-e2e.  All run even when one fails; each ends
# with a line `NAME: N passed, N failed, N skipped`.

# Sources of the unit tests: test_MODULE.c, and its name in suites.h.
unit_sources = \
	%reldir%/unit/main.c \
	%reldir%/unit/script.c \
	%reldir%/unit/script.h \
	%reldir%/unit/suites.h \
	%reldir%/unit/test_corpus.c \
	%reldir%/unit/test_gate.c \
	%reldir%/unit/test_marshal.c \
	%reldir%/unit/test_nomem.c \
	%reldir%/unit/test_options.c \
	%reldir%/unit/test_paths.c \
	%reldir%/unit/test_pstats_text.c \
	%reldir%/unit/test_recfile.c \
	%reldir%/unit/test_recorder.c \
	%reldir%/unit/test_recording.c \
	%reldir%/unit/test_store.c \
	%reldir%/unit/test_threads.c \
	%reldir%/unit/test_torn.c \
	%reldir%/unit/test_tree.c

# What fuzzers call (fuzz/fuzz.h); the unit tests give it its corpus.
fuzz_sources = \
	%reldir%/fuzz/database.c \
	%reldir%/fuzz/expressions.c \
	%reldir%/fuzz/fuzz.c \
	%reldir%/fuzz/fuzz.h \
	%reldir%/fuzz/options.c \
	%reldir%/fuzz/pstats.c \
	%reldir%/fuzz/recording.c

check_PROGRAMS += unit
unit_SOURCES = $(unit_sources) $(fuzz_sources)
unit_CPPFLAGS = $(AM_CPPFLAGS) -DPL_CORPUS='"$(abs_srcdir)/%reldir%/fuzz/corpus"'
unit_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
# test_nomem.c has these of its own, which fail when told to.
unit_wraps = -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=free \
	-Wl,--wrap=strdup,--wrap=strndup,--wrap=mmap,--wrap=munmap
unit_LDFLAGS = $(AM_LDFLAGS) $(unit_wraps)
unit_LDADD = libpltools.la libplexport.la libplstore.la libplcore.la \
	$(CHECK_LIBS) $(PCRE2_LIBS) $(SQLITE_LIBS) $(export_LIBS) -lm

# The same tests and the code under test once more, compiled in one go with
# the sanitizers.
if HAVE_SANITIZERS
check_PROGRAMS += unit-san
endif
all_sources = $(base_sources) $(core_sources) $(store_sources) \
	$(export_sources) $(tools_sources)
all_CFLAGS = $(AM_CFLAGS) $(SQLITE_CFLAGS) $(PCRE2_CFLAGS) \
	$(NCURSES_CFLAGS) $(PROTOBUF_C_CFLAGS) $(ZLIB_CFLAGS)
all_LIBS = $(SQLITE_LIBS) $(PCRE2_LIBS) $(NCURSES_LIBS) $(export_LIBS) \
	$(DL_LIBS) -lm
unit_san_SOURCES = $(unit_sources) $(fuzz_sources) $(all_sources)
unit_san_CPPFLAGS = $(unit_CPPFLAGS) -DPL_LIBDIR='"$(libdir)"' \
	-DPL_UNIT_NAME='"unit-san"'
unit_san_CFLAGS = $(all_CFLAGS) $(CHECK_CFLAGS) \
	-O1 -fno-omit-frame-pointer -fsanitize=address,undefined \
	-fno-sanitize-recover=undefined
unit_san_LDFLAGS = $(unit_LDFLAGS) -fsanitize=address,undefined
unit_san_LDADD = $(CHECK_LIBS) $(all_LIBS)
nodist_unit_san_SOURCES = $(export_built)
$(unit_san_OBJECTS): $(schema_h) $(html_h) $(export_built)

# And once more for threads, of which one has no luck twice.
if HAVE_TSAN
check_PROGRAMS += unit-tsan
endif
unit_tsan_SOURCES = $(unit_san_SOURCES)
unit_tsan_CPPFLAGS = $(unit_CPPFLAGS) -DPL_LIBDIR='"$(libdir)"' \
	-DPL_UNIT_NAME='"unit-tsan"'
unit_tsan_CFLAGS = $(all_CFLAGS) $(CHECK_CFLAGS) \
	-O1 -fno-omit-frame-pointer -fsanitize=thread
unit_tsan_LDFLAGS = $(unit_LDFLAGS) -fsanitize=thread
unit_tsan_LDADD = $(unit_san_LDADD)
nodist_unit_tsan_SOURCES = $(export_built)
$(unit_tsan_OBJECTS): $(schema_h) $(html_h) $(export_built)

# libFuzzer's program; tests/fuzz/run builds and runs it.
if HAVE_FUZZER
EXTRA_PROGRAMS += fuzz-driver
endif
fuzz_driver_SOURCES = %reldir%/fuzz/driver.c $(fuzz_sources) $(all_sources)
fuzz_driver_CPPFLAGS = $(AM_CPPFLAGS) -DPL_LIBDIR='"$(libdir)"'
fuzz_driver_CFLAGS = $(all_CFLAGS) -O1 -fno-omit-frame-pointer \
	-fsanitize=fuzzer-no-link,address,undefined \
	-fno-sanitize-recover=undefined
fuzz_driver_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer,address,undefined
fuzz_driver_LDADD = $(all_LIBS)
nodist_fuzz_driver_SOURCES = $(export_built)
$(fuzz_driver_OBJECTS): $(schema_h) $(html_h) $(export_built)

# How long a tree takes into SQLite; tests/bench/run store builds and runs it.
EXTRA_PROGRAMS += bench-store
bench_store_SOURCES = %reldir%/bench/bench_store.c
bench_store_LDADD = libplstore.la libplcore.la $(SQLITE_LIBS)

# The example of include/proflite.h: a program that embeds Python.
if HAVE_PYTHON_EMBED
check_PROGRAMS += embed
endif
embed_SOURCES = %reldir%/programs/embed.c
embed_CPPFLAGS = $(AM_CPPFLAGS) -isystem $(PYTHON_INCLUDE)
embed_LDADD = libproflite.la $(PYTHON_EMBED_LIBS)

# Every folder of tests but unit, which is listed above.
EXTRA_DIST += \
	%reldir%/bench \
	%reldir%/consumers \
	%reldir%/cpython \
	%reldir%/debian \
	%reldir%/differential \
	%reldir%/django \
	%reldir%/e2e \
	%reldir%/expect \
	%reldir%/forky \
	%reldir%/freethreaded \
	%reldir%/fuzz \
	%reldir%/hostile \
	%reldir%/lint \
	%reldir%/programs \
	%reldir%/sanitized \
	%reldir%/torture \
	%reldir%/wheel

suites = lint unit san tsan e2e

check-local:
	@rc=0; for s in $(suites); do \
		$(MAKE) $(AM_MAKEFLAGS) --no-print-directory check-$$s || rc=1; \
	done; exit $$rc

check-unit: unit
	./unit

if HAVE_SANITIZERS
check-san: unit-san
	./unit-san
else
check-san:
	@echo 'unit-san: the compiler has no runtime for -fsanitize=address'
	@echo 'unit-san: 0 passed, 0 failed, 1 skipped'
endif

if HAVE_TSAN
check-tsan: unit-tsan
	./unit-tsan threads recorder
else
check-tsan:
	@echo 'unit-tsan: the compiler has no runtime for -fsanitize=thread'
	@echo 'unit-tsan: 0 passed, 0 failed, 1 skipped'
endif

check-lint: stage
	$(PYTHON) $(srcdir)/%reldir%/lint/run.py --stage stage

# Not part of `make check`: it takes a time per target, and clang.
fuzz:
	$(srcdir)/%reldir%/fuzz/run $(FUZZ_SECONDS)

# E2E_ARGUMENTS: such as -k NAME.
check-e2e: stage
	$(PYTHON) $(srcdir)/%reldir%/e2e/run.py --stage stage $(E2E_ARGUMENTS)

# Not part of `make check`: it becomes other users, so it has to be root.
check-hostile: stage
	$(PYTHON) $(srcdir)/%reldir%/hostile/run.py --stage stage

.PHONY: check-lint check-unit check-san check-tsan check-e2e check-hostile fuzz
