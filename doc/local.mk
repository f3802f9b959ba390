# Documents.  schema.md is made by scripts/schema-doc; a lint test compares.
EXTRA_DIST += \
	%reldir%/ci-gate.md \
	%reldir%/cprofile.md \
	%reldir%/design.md \
	%reldir%/hacking.md \
	%reldir%/performance.md \
	%reldir%/queries.md \
	%reldir%/schema.md

# Manual pages: those that are written.
dist_man_MANS += \
	%reldir%/proflite.1
