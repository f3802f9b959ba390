EXTRA_DIST += \
	%reldir%/check \
	%reldir%/lib.sh \
	%reldir%/net.sh \
	%reldir%/picture \
	%reldir%/schema-doc \
	%reldir%/try \
	%reldir%/wgetrc
