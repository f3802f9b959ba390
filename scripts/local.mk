EXTRA_DIST += \
	%reldir%/check \
	%reldir%/lib.sh \
	%reldir%/schema-doc \
	%reldir%/try
