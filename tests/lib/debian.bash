# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Debian templates for bats files. They are built once (from setup_file: a test's time is too short for it) into .cache/, which
# git ignores; what decides their content is in the name, so a change builds anew.

DEBIAN_CACHE=${DEBIAN_CACHE:-$REPO/.cache/templates}

# debian_build KEY KIND OPTIONS...: `skepctl template build KIND`, on this machine's own network, unless it is there.
debian_build() {
	local key=$1 place
	shift
	place=$(debian_place "$key" "$@")
	mkdir -p "$DEBIAN_CACHE"
	exec 8>"$DEBIAN_CACHE/lock"
	flock 8
	if [ ! -d "$place" ]; then
		debian_forget "$DEBIAN_CACHE/$key-"* "$DEBIAN_CACHE/new"
		"$BUILD/skepctl" --root "$DEBIAN_CACHE/new" --state "$DEBIAN_CACHE/new/state" template build "$1" "$key" "${@:2}" </dev/null >&2 &&
			mv "$DEBIAN_CACHE/new/templates/$key" "$place" || return 1
		debian_forget "$DEBIAN_CACHE/new"
	fi
	exec 8>&-
	printf '%s\n' "$place" >"$BATS_FILE_TMPDIR/template-$key"
}
# Of a build that was killed, this machine's /proc, /sys and devices may still be mounted in what it made.
debian_forget() {
	local dir mount
	for dir; do
		while read -r mount; do umount -l "$mount"; done < <(awk -v dir="$dir/" 'index($5, dir) == 1 { print $5 }' /proc/self/mountinfo | tac)
		rm -rf --one-file-system "$dir"
	done
}
debian_place() { # KEY KIND OPTIONS...
	local key=$1
	shift
	echo "$DEBIAN_CACHE/$key-$(cat "$REPO"/storage/{build_debian,template,manifest}.c - <<<"$*" | sha256sum | cut -c1-16)"
}

# debian_template HOST KEY: gives that host the template KEY. Its files are never written again, so links do.
debian_template() {
	local to=$SKEP_DIR/$1/lib/templates
	mkdir -p "$to"
	cp -al "$(cat "$BATS_FILE_TMPDIR/template-$2")" "$to/$2" 2>/dev/null || {
		rm -rf "${to:?}/$2"
		cp -a "$(cat "$BATS_FILE_TMPDIR/template-$2")" "$to/$2"
	}
}
