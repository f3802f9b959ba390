EXTRA_DIST += \
	%reldir%/check \
	%reldir%/lib.sh \
	%reldir%/picture \
	%reldir%/schema-doc \
	%reldir%/try
