# The `proflite` program: one file a command.  Every file of tools/ stands
# here, alphabetically; all but main.c are a library, for the unit tests.
tools_sources = \
	%reldir%/act_as.c \
	%reldir%/act_as.h \
	%reldir%/attached.c \
	%reldir%/attached.h \
	%reldir%/cause.c \
	%reldir%/cause.h \
	%reldir%/cmd.h \
	%reldir%/cmd_attach.c \
	%reldir%/cmd_callers.c \
	%reldir%/cmd_diff.c \
	%reldir%/cmd_export.c \
	%reldir%/cmd_import.c \
	%reldir%/cmd_live.c \
	%reldir%/cmd_merge.c \
	%reldir%/cmd_push.c \
	%reldir%/cmd_record.c \
	%reldir%/cmd_report.c \
	%reldir%/cmd_runs.c \
	%reldir%/cmd_sql.c \
	%reldir%/cmd_tree.c \
	%reldir%/collect.c \
	%reldir%/collect.h \
	%reldir%/columns.c \
	%reldir%/columns.h \
	%reldir%/compare.c \
	%reldir%/compare.h \
	%reldir%/filesignal.c \
	%reldir%/filesignal.h \
	%reldir%/gate.c \
	%reldir%/gate.h \
	%reldir%/launch.c \
	%reldir%/launch.h \
	%reldir%/live_sample.c \
	%reldir%/live_sample.h \
	%reldir%/live_view.c \
	%reldir%/live_view.h \
	%reldir%/names.c \
	%reldir%/names.h \
	%reldir%/opts.c \
	%reldir%/outdb.c \
	%reldir%/outdb.h \
	%reldir%/outfile.c \
	%reldir%/outfile.h \
	%reldir%/pattern.c \
	%reldir%/pattern.h \
	%reldir%/progress.c \
	%reldir%/progress.h \
	%reldir%/pstats_text.c \
	%reldir%/pstats_text.h \
	%reldir%/push.c \
	%reldir%/push.h \
	%reldir%/pytext.c \
	%reldir%/pytext.h \
	%reldir%/records.c \
	%reldir%/records.h \
	%reldir%/relay.c \
	%reldir%/relay.h \
	%reldir%/remote_python.c \
	%reldir%/remote_python.h \
	%reldir%/report.c \
	%reldir%/report.h \
	%reldir%/settings.c \
	%reldir%/settings.h \
	%reldir%/sides.c \
	%reldir%/sides.h \
	%reldir%/sort.c \
	%reldir%/sort.h \
	%reldir%/source.c \
	%reldir%/source.h \
	%reldir%/table.c \
	%reldir%/table.h \
	%reldir%/target.c \
	%reldir%/target.h \
	%reldir%/term.c \
	%reldir%/term.h \
	%reldir%/trust.c \
	%reldir%/trust.h

noinst_LTLIBRARIES += libpltools.la
libpltools_la_SOURCES = $(tools_sources)
libpltools_la_CPPFLAGS = $(AM_CPPFLAGS) -DPL_LIBDIR='"$(libdir)"'
libpltools_la_CFLAGS = $(AM_CFLAGS) $(PCRE2_CFLAGS) $(NCURSES_CFLAGS) \
	$(CURL_CFLAGS)

bin_PROGRAMS += proflite
proflite_SOURCES = %reldir%/main.c
proflite_LDADD = libpltools.la libplexport.la libplstore.la libplcore.la \
	$(SQLITE_LIBS) $(PCRE2_LIBS) $(NCURSES_LIBS) $(export_LIBS) \
	$(DL_LIBS) -lm

# Where bash-completion, zsh and fish look for it.
bashcompdir = $(datadir)/bash-completion/completions
dist_bashcomp_DATA = %reldir%/completions/proflite
zshcompdir = $(datadir)/zsh/site-functions
dist_zshcomp_DATA = %reldir%/completions/_proflite
fishcompdir = $(datadir)/fish/vendor_completions.d
dist_fishcomp_DATA = %reldir%/completions/proflite.fish
