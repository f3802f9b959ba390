# errors, hashing: what everything may include
base_sources = \
	%reldir%/err.c \
	%reldir%/err.h \
	%reldir%/hash.h \
	%reldir%/text.h
