# SPDX-License-Identifier: MIT

# PL_CC_FLAGS(VARIABLE, FLAGS)
# Substitute VARIABLE with those of FLAGS that the C compiler takes silently.
AC_DEFUN([PL_CC_FLAGS], [
$1=
pl_save_CFLAGS=$CFLAGS
for pl_flag in $2; do
	AC_MSG_CHECKING([whether $CC takes $pl_flag])
	CFLAGS="$pl_save_CFLAGS -Werror $pl_flag"
	AC_COMPILE_IFELSE([AC_LANG_PROGRAM],
		[$1="$$1 $pl_flag"
		AC_MSG_RESULT([yes])],
		[AC_MSG_RESULT([no])])
done
CFLAGS=$pl_save_CFLAGS
AC_SUBST([$1])
])

# PL_LINK_FLAG(FLAG, CACHE-VARIABLE)
# Set the variable to yes or no: whether a program links with FLAG.
AC_DEFUN([PL_LINK_FLAG], [
AC_CACHE_CHECK([whether programs link with $1], [$2], [
pl_save_CFLAGS=$CFLAGS
CFLAGS="$CFLAGS $1"
AC_LINK_IFELSE([AC_LANG_PROGRAM], [$2=yes], [$2=no])
CFLAGS=$pl_save_CFLAGS
])
])

# PL_STATIC_LIBS(PREFIX, FUNCTION, [MORE])
# Make PREFIX_LIBS, in which pkg-config named shared libraries, name the static
# ones and MORE, if FUNCTION links with that.
AC_DEFUN([PL_STATIC_LIBS], [
AC_MSG_CHECKING([for static libraries in the place of $$1_LIBS])
pl_save_LIBS=$LIBS
pl_static="`AS_ECHO(["$$1_LIBS"]) | sed 's/-l\(@<:@^ :@:>@*\)/-l:lib\1.a/g'` $3"
LIBS="$pl_static $LIBS"
AC_LINK_IFELSE([AC_LANG_CALL([], [$2])],
	[$1_LIBS=$pl_static
	AC_MSG_RESULT([yes])],
	[AC_MSG_RESULT([no])])
LIBS=$pl_save_LIBS
])
