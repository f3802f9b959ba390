# errors, hashing: what everything may include
base_sources = \
	%reldir%/err.c \
	%reldir%/err.h \
	%reldir%/filelimit.h \
	%reldir%/hash.h \
	%reldir%/mark.h \
	%reldir%/text.h
