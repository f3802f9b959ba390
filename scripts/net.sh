# SPDX-License-Identifier: MIT
# net.sh: what asks a registry; sourced, with the source folder in $top.
# A registry that fails or stalls for a moment is asked again: apt, pip and npm
# do so by themselves, but give up on some answers at once (a connection refused,
# "503", half a file), and npm and wget wait for minutes on end for what does not
# come.

# Read by pip, by npm, by wget.  What somebody has set knows the network better.
export PIP_RETRIES="${PIP_RETRIES:-8}"
export PIP_DEFAULT_TIMEOUT="${PIP_DEFAULT_TIMEOUT:-30}"
export PIP_DISABLE_PIP_VERSION_CHECK=1
export npm_config_fetch_retries="${npm_config_fetch_retries:-5}"
export npm_config_fetch_timeout="${npm_config_fetch_timeout:-60000}"
[ -n "${WGETRC-}" ] || [ -e "${HOME-}/.wgetrc" ] ||
	export WGETRC="$top/scripts/wgetrc"

# again COMMAND...: three times at most.  For what only fetches and installs: what
# builds or tests is not tried twice.
again()
{
	for again_pause in 5 20; do
		"$@" && return
		echo "failed, once more in $again_pause s: $*" >&2
		sleep "$again_pause"
	done
	"$@"
}

# $as_root: what makes a command root's
apt_get()
{
	$as_root env DEBIAN_FRONTEND=noninteractive apt-get \
		-o DPkg::Lock::Timeout=300 -o Acquire::Retries=5 "$@"
}

update_and_install()
{
	# Lists that cannot be fetched may still be there.
	apt_get update || echo "going on with the lists there are"
	apt_get install -y --no-install-recommends "$@"
}

# With the lists fetched anew each time: the mirror may have changed meanwhile.
apt_install()
{
	again update_and_install "$@"
}
