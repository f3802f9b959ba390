# Documents.  schema.md is made by scripts/schema-doc; a lint test compares.
# page.png is made by scripts/picture.
EXTRA_DIST += \
	%reldir%/ci-gate.md \
	%reldir%/cprofile.md \
	%reldir%/design.md \
	%reldir%/hacking.md \
	%reldir%/internals/faults.md \
	%reldir%/internals/security.md \
	%reldir%/ipython.md \
	%reldir%/page.png \
	%reldir%/performance.md \
	%reldir%/pytest.md \
	%reldir%/queries.md \
	%reldir%/robustness.md \
	%reldir%/schema.md \
	%reldir%/web.md

# Manual pages: those that are written.
dist_man_MANS += \
	%reldir%/proflite-attach.1 \
	%reldir%/proflite-callees.1 \
	%reldir%/proflite-callers.1 \
	%reldir%/proflite-diff.1 \
	%reldir%/proflite-export.1 \
	%reldir%/proflite-format.5 \
	%reldir%/proflite-import.1 \
	%reldir%/proflite-live.1 \
	%reldir%/proflite-merge.1 \
	%reldir%/proflite-push.1 \
	%reldir%/proflite-record.1 \
	%reldir%/proflite-report.1 \
	%reldir%/proflite-runs.1 \
	%reldir%/proflite-sql.1 \
	%reldir%/proflite-tree.1 \
	%reldir%/proflite.1 \
	%reldir%/proflite.3
