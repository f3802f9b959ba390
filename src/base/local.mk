# errors, hashing, owners: what everything may include
base_sources = \
	%reldir%/err.c \
	%reldir%/err.h \
	%reldir%/filelimit.h \
	%reldir%/hash.h \
	%reldir%/mark.h \
	%reldir%/owner.c \
	%reldir%/owner.h \
	%reldir%/text.h
