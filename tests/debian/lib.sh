# SPDX-License-Identifier: MIT
# What makes and enters a Debian system in a folder; sourced, by sh.

# The mirror this machine uses, if it says so; an empty name is debootstrap's
# own choice.
mirror()
{
	for list in /etc/apt/sources.list.d/debian.sources \
		/etc/apt/sources.list; do
		[ -r "$list" ] || continue
		sed -n 's/^URIs: *\([^ ]*\).*/\1/p
			s/^deb \(\[[^]]*\] \)\?\([^ ]*\) .*/\2/p' "$list"
	done | grep '/debian/*$' | head -n 1 | grep . || :
}

# in_root DIR COMMAND...: run COMMAND in a mount namespace of its own, with DIR
# as its root.  /proc for whoever asks who it is, /dev for shared memory and
# semaphores, /sys for what the clock is made of: without it proflite does not
# trust the counter, and takes other paths than those its users take.
in_root()
{
	# Where the root is no mount of its own (we are in a changed root
	# already), the new namespace cannot be cut off from the old one.
	propagation=private
	unshare --mount --propagation private true 2>/dev/null ||
		propagation=unchanged
	unshare --mount --propagation $propagation sh -c '
		dir=$1
		shift
		trap "umount -R -l \"$dir/dev\" \"$dir/sys\" \"$dir/proc\" \
			2>/dev/null" EXIT
		mount -t proc proc "$dir/proc" &&
			mount --rbind /dev "$dir/dev" &&
			mount --make-rslave "$dir/dev" &&
			mount --rbind /sys "$dir/sys" &&
			mount --make-rslave "$dir/sys" || exit 1
		chroot "$dir" "$@"
	' in_root "$@"
}
