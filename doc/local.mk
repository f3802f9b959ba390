# Documents.  schema.md is made by scripts/schema-doc; a lint test compares.
# page.png is made by scripts/picture.
EXTRA_DIST += \
	%reldir%/ci-gate.md \
	%reldir%/cprofile.md \
	%reldir%/design.md \
	%reldir%/hacking.md \
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
	%reldir%/proflite.1
