# SPDX-License-Identifier: MIT

# PL_PROG_PYTHON
# Find the CPython whose headers the engine is compiled with, and that runs the
# scripts and tests.  Any from 3.9 on serves: the engine keeps to the limited
# API of 3.9.  Sets PYTHON (the program itself, not a shim that picks one by
# the current folder), PYTHON_VERSION and PYTHON_INCLUDE; PYTHON alone when no
# headers are found.  PYTHON_EMBED_LIBS links a program that embeds it; empty
# when it has no shared library for that.
#
# A free-threaded one has its objects laid out in another way, and no limited
# API before 3.15.  When --with-python names one, an engine for it is built as
# well: PYTHON_FT, PYTHON_FT_INCLUDE, and PYTHON_FT_SUFFIX, which is the end of
# that engine's name.
AC_DEFUN([PL_PROG_PYTHON], [
AC_ARG_VAR([PYTHON], [CPython to build with (see --with-python)])
AC_ARG_WITH([python],
	[AS_HELP_STRING([--with-python=PATH],
		[CPython >= 3.9 to build with @<:@the first python3 of PATH that has its headers@:>@; a free-threaded one (3.13 or later) gets an engine of its own beside that])],
	[], [with_python=])
AS_CASE([$with_python],
	[yes | no], [AC_MSG_ERROR([--with-python wants a CPython, which cannot be done without: --with-python=/usr/bin/python3])])
# What somebody has named, for messages, and its path: nothing else is taken.
pl_python_named=
AS_IF([test -n "$with_python"], [pl_python_named="--with-python=$with_python"],
	[test -n "$PYTHON"], [pl_python_named="PYTHON=$PYTHON"])
pl_pythons=${with_python:-$PYTHON}
PYTHON_FT=
PYTHON_FT_INCLUDE=
PYTHON_FT_SUFFIX=
AC_MSG_CHECKING([for a free-threaded CPython])
AS_IF([test -n "$pl_pythons"], [
	pl_facts=`"$pl_pythons" -I -S -c '
import os, sys, sysconfig as s
if s.get_config_var("Py_GIL_DISABLED"):
    i = s.get_path("include")
    if not os.path.exists(os.path.join(i, "Python.h")): i = ""
    print(sys.executable, i, s.get_config_var("EXT_SUFFIX"), sep="\n")
' 2>/dev/null`
	AS_IF([test -n "$pl_facts"],
		[PYTHON_FT=`AS_ECHO(["$pl_facts"]) | sed -n 1p`
		PYTHON_FT_INCLUDE=`AS_ECHO(["$pl_facts"]) | sed -n 2p`
		PYTHON_FT_SUFFIX=`AS_ECHO(["$pl_facts"]) | sed -n 3p`
		pl_pythons= pl_python_named=
		AS_IF([test -z "$PYTHON_FT_INCLUDE"],
			[AC_MSG_ERROR([Python.h is missing for $PYTHON_FT])])])])
AC_MSG_RESULT([${PYTHON_FT:-none}])
AC_SUBST([PYTHON_FT])
AC_SUBST([PYTHON_FT_INCLUDE])
AC_SUBST([PYTHON_FT_SUFFIX])
AM_CONDITIONAL([HAVE_PYTHON_FT], [test -n "$PYTHON_FT"])
AS_IF([test -z "$pl_pythons"],
	[pl_pythons="python3 /usr/bin/python3 python3.15 python3.14 python3.13 python3.12 python3.11 python3.10 python3.9"])
AC_MSG_CHECKING([for a CPython >= 3.9 with headers])
PYTHON=
PYTHON_VERSION=
PYTHON_INCLUDE=
PYTHON_EMBED_LIBS=
for pl_python in $pl_pythons; do
	# Prints the executable, the version, the folder of Python.h, which is
	# empty when there is none, and what links a program that embeds it;
	# nothing at all for an unsuitable Python.
	pl_facts=`"$pl_python" -I -S -c '
import os, sys, sysconfig as s
if (sys.version_info >= (3, 9) and sys.implementation.name == "cpython"
        and not s.get_config_var("Py_GIL_DISABLED")):
    i = s.get_path("include")
    d, v = s.get_config_vars("LIBDIR", "LDVERSION")
    l = os.path.exists(os.path.join(d or "", "libpython%s.so" % v))
    print(sys.executable, "%d.%d.%d" % sys.version_info@<:@:3@:>@,
          i if os.path.exists(os.path.join(i, "Python.h")) else "",
          "-L%s -Wl,-rpath,%s -lpython%s" % (d, d, v) if l else "", sep="\n")
' 2>/dev/null` || continue
	test -n "$pl_facts" || continue
	pl_include=`AS_ECHO(["$pl_facts"]) | sed -n 3p`
	AS_IF([test -n "$pl_include" || test -z "$PYTHON"],
		[PYTHON=`AS_ECHO(["$pl_facts"]) | sed -n 1p`
		PYTHON_VERSION=`AS_ECHO(["$pl_facts"]) | sed -n 2p`
		PYTHON_INCLUDE=$pl_include
		PYTHON_EMBED_LIBS=`AS_ECHO(["$pl_facts"]) | sed -n 4p`])
	test -n "$pl_include" && break
done
AC_MSG_RESULT([${PYTHON:-none} ${PYTHON_INCLUDE:-(no headers)}])
AC_SUBST([PYTHON_VERSION])
AC_SUBST([PYTHON_INCLUDE])
AC_SUBST([PYTHON_EMBED_LIBS])
AM_CONDITIONAL([HAVE_PYTHON_EMBED], [test -n "$PYTHON_EMBED_LIBS"])
])
