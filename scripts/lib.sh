# SPDX-License-Identifier: MIT
# lib.sh: what `try` and `check` share: install what is missing, then build in
# ./build.  Nothing is asked, and nothing is done that is done already.
#
# Sets: $top the source folder, $build the build folder.

set -u
top=$(cd "$(dirname "$0")/.." && pwd -P)
build=$top/build
. "$top/scripts/net.sh"

die()
{
	echo "${0##*/}: $*" >&2
	exit 1
}

# A job in the background of a script is deaf to ^C.  The next call finds nobody
# at work in the build folder.
end_step()
{
	{ kill "$step_pid"; wait "$step_pid"; } 2>/dev/null
	echo
	exit 130
}

# step TEXT NAME COMMAND...
# Run COMMAND with its output in build/NAME.log: one line on the terminal, with
# a dot every other second, the time it took, and the log if it failed.
step()
{
	step_text=$1
	step_log=$build/$2.log
	shift 2
	step_begin=$(date +%s)
	step_ticks=0
	mkdir -p "$build"
	printf '%s ' "$step_text"
	# Before there is anybody to be told.
	step_told=
	trap step_told=yes INT TERM HUP
	"$@" >"$step_log" 2>&1 </dev/null &
	step_pid=$!
	trap end_step INT TERM HUP
	[ -z "$step_told" ] || end_step
	while kill -0 "$step_pid" 2>/dev/null; do
		sleep 0.2
		step_ticks=$((step_ticks + 1))
		[ $((step_ticks % 10)) -ne 0 ] || printf '.'
	done
	wait "$step_pid"
	step_status=$?
	trap - INT TERM HUP
	step_seconds=$(($(date +%s) - step_begin))
	if [ "$step_status" -ne 0 ]; then
		echo " failed after $step_seconds s"
		tail -n 200 "$step_log"
		die "the step failed (status $step_status): all it said is in $step_log"
	fi
	echo " done ($step_seconds s)"
}

# -------------------------------------------------------------- packages --

have()
{
	command -v "$1" >/dev/null 2>&1
}

has_headers()
{
	"$1" -c 'import os, sys, sysconfig as s
sys.exit(not (sys.version_info >= (3, 9) and os.path.exists(
    os.path.join(s.get_path("include"), "Python.h"))))' 2>/dev/null
}

# The Debian packages of what is not there, however it may have come there.
missing_packages()
{
	have gcc || have cc || echo gcc
	[ -e /usr/include/stdio.h ] || echo libc6-dev
	have make || echo make
	have autoconf || echo autoconf
	have automake || echo automake
	have libtoolize || echo libtool
	have pkg-config || echo pkg-config
	# Without pkg-config nobody knows, and a package that is there already
	# costs apt nothing.
	pkg-config --exists sqlite3 2>/dev/null || echo libsqlite3-dev
	pkg-config --exists libpcre2-8 2>/dev/null || echo libpcre2-dev
	pkg-config --exists libprotobuf-c 2>/dev/null || echo libprotobuf-c-dev
	have protoc-c || echo protobuf-c-compiler
	pkg-config --exists zlib 2>/dev/null || echo zlib1g-dev
	pkg-config --exists libcurl 2>/dev/null || echo libcurl4-openssl-dev
	pkg-config --exists ncursesw 2>/dev/null || echo libncurses-dev
	pkg-config --exists check 2>/dev/null || echo check
	have groff || echo groff-base
	have python3 || echo python3
	has_headers python3 || has_headers /usr/bin/python3 || echo python3-dev
}

install_packages()
{
	packages=$(missing_packages | tr '\n' ' ')
	[ -n "$packages" ] || return 0
	as_root=
	if ! have apt-get; then
		die "please install what Debian calls $packages"
	elif [ "$(id -u)" -ne 0 ]; then
		as_root='sudo -n'
		$as_root true 2>/dev/null ||
			die "please run, as root: apt-get install $packages"
	fi
	# shellcheck disable=SC2086 # a list of names
	step "installing $packages" packages apt_install $packages
}

# ----------------------------------------------------------------- build --

jobs()
{
	nproc 2>/dev/null || echo 1
}

# The end of a step: a shell between would be killed instead of the command.
in_build()
{
	cd "$build" && exec "$@"
}

# Once configured, make sees to it that configure and the makefiles are current.
build_stage()
{
	case $top in
	*[[:space:]]*)
		die "configure and libtool cannot work below $top: move it to a folder whose path has no space" ;;
	esac
	[ ! -e "$top/config.status" ] ||
		die "the source folder is configured itself: run make distclean there first"
	# Makefile.in is what autoreconf makes last.
	[ -e "$top/Makefile.in" ] ||
		step "preparing configure" autoreconf autoreconf -i "$top"
	# As configure does libtool.
	[ -e "$build/libtool" ] ||
		step "configuring" configure in_build "$top/configure"
	# Automake leaves config.h older than its own stamp: -o, or make would
	# never call the tree current.
	make -C "$build" -q -o config.h stage/.stamp >/dev/null 2>&1 ||
		step "building" make make -C "$build" -j "$(jobs)" stage
}

set_up()
{
	install_packages
	build_stage
}
