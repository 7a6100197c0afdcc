# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2016 # what is in single quotes is for the shell in the container
# Names in a hostile root file system, or in a volume that another container swaps them in: a mount, a node, a file, a setting ends up in the container or nowhere.
#
# CVE                              what went wrong there                        here
# runc 2019-16884                  a volume over /proc makes a label a no-op    a label goes to our own file of a whole proc, or nowhere: unit ns/lsm
# runc 2019-19921                  /proc, /sys are links                        "a /proc, /sys or /dev that is no directory"
# runc 2023-27561, 2023-28642      the same by a race; masks are left out       "/proc is swapped while it is masked"
# runc 2021-30465, 2024-45310      a mount's target, its parents swapped        "a mount's target is swapped"
# crun 2019-18837, LXC 2015-1335   a mount through links                        "a mount's target behind links"
# runc 2025-31133                  masks are the container's own /dev/null      "masks are of the host's null"
# runc 2025-52565                  /dev/console from a place that is a link     "a terminal is of a devpts, or none"
# runc 2025-52881                  settings are written to another file         "/proc is swapped while it is masked" (the setting is written at that time, too)
# runc 2026-41579, crun 2026-47766 /dev is a link: nodes and links on the host  "a /proc, /sys or /dev that is no directory", "/dev is swapped"
# crun 2026-88264                  /dev/console is made through a link          "a terminal is of a devpts, or none"
# crun 2026-88265                  /dev/null is opened again, and changed       "what stands for /dev/null is left alone"
# crun 2025-24965 (krun's config), files of the runtime's are written through
# Incus 2026-23954, 33897, 48752, links in the root file system                 "what is written into a system container's root follows no link"; skep itself writes none
# 63343, 63125, 48749, 48750, 33711
# podman 2025-9566, 2022-1227, 2024-1753: copies into a container: no such verb.
# The defence that each test is about stands above it; each was seen to fail without it.

bats_require_minimum_version 1.5.0
load ../lib/oci

RACES=12
# Each step of the way waits a little, so that the names change in each gap, on a busy machine too.
# (A sanitizer's search for leaks needs ptrace for itself.)
slowly() { env ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0" strace -f -qq -o /dev/null -e trace=openat,openat2,open_tree,move_mount,mknodat -e inject=openat,openat2,open_tree,move_mount,mknodat:delay_enter=400 -- "$@"; }

setup() {
	oci_setup
	OUT=$SKEP_DIR/outside
	mkdir -p "$OUT" "$SKEP_DIR/volume"
}
teardown() {
	! mountpoint -q "$OUT" || umount "$OUT"
	oci_teardown
}

# swapping A B: from now on they change places all the time, by somebody who has the same files.
swapping() { spawn here "$SKEP_DIR/racer" "$BUILD/trespass" exchange "$1" "$2"; }
# Whatever became of the container, nothing came into being outside of it.
untouched() { [ -z "$(find "$OUT" -mindepth 1)" ]; }
# refused TEXT: not run, for that reason.
refused() {
	fails_with 1 "$1" oci run --bundle "$BUNDLE" "$ID" || return
	oci_gone "$ID"
}
# race CMD...: RACES runs, each of which may fail; after each one CMD must succeed. What they said is in $SKEP_DIR/run. At least some must have run.
race() {
	local i ran=0
	for ((i = 0; i < RACES; i++)); do
		! slowly "$BUILD/skep" --root "$SKEP_DIR/here/oci" run --bundle "$BUNDLE" "$ID" >"$SKEP_DIR/run" 2>&1 </dev/null || ran=$((ran + 1))
		"$@" || { echo "after $i runs:"; cat "$SKEP_DIR/run"; return 1; }
	done
	echo "# $ran of $RACES ran"
	kill -0 "${SKEP_SPAWNED[0]}"
	oci_gone "$ID"
}

# RESOLVE_IN_ROOT in open_in() (base/path.c).
@test "a mount's target behind links ends in the container (CVE-2019-18837, CVE-2015-1335)" {
	local target
	bundle '.process.args = ["sh", "-c", "grep -c marker /proc/self/mountinfo"]'
	ln -s "$OUT" "$BUNDLE/rootfs/absolute"
	ln -s "../../../../../../../../../../$OUT" "$BUNDLE/rootfs/relative"
	ln -s /proc/self/root "$BUNDLE/rootfs/magic"
	mkdir -p "$BUNDLE/rootfs/$OUT"
	for target in absolute/made relative/made/deeper absolute; do
		configure ".mounts += [{destination: \"/$target\", type: \"tmpfs\", source: \"marker\"}]"
	done
	: >"$SKEP_DIR/marker"
	configure ".mounts += [{destination: \"/absolute/file\", type: \"bind\", source: \"$SKEP_DIR/marker\", options: [\"bind\"]}]"
	[ "$(oci run --bundle "$BUNDLE" "$ID")" = 4 ]
	untouched
	configure '.mounts += [{destination: "/magic/made", type: "tmpfs", source: "marker"}]'
	refused 'Too many levels of symbolic links'
	untouched
}

# The same; each component is opened before the next is made in it (path_mkdirs_in()).
@test "a mount's target is swapped while it is made (CVE-2021-30465, CVE-2024-45310)" {
	bundle ".process.args = [\"sh\", \"-c\", \"grep -c marker /proc/self/mountinfo\"]
		| .mounts += [{destination: \"/volume\", type: \"bind\", source: \"$SKEP_DIR/volume\", options: [\"rbind\"]},
			{destination: \"/volume/a/b/c\", type: \"tmpfs\", source: \"marker\"}]"
	mkdir -p "$SKEP_DIR/volume/a" "$BUNDLE/rootfs/$OUT"
	ln -s "$OUT" "$SKEP_DIR/volume/link"
	swapping "$SKEP_DIR/volume/a" "$SKEP_DIR/volume/link"
	marked() { untouched && { [ "$(cat "$SKEP_DIR/run")" = 1 ] || grep -q 'in the root file system' "$SKEP_DIR/run"; }; }
	race marked
}

# open_fixed() (ns/mount.c).
@test "a /proc, /sys or /dev that is no directory is refused (CVE-2019-19921, CVE-2026-41579, CVE-2026-47766)" {
	local name
	for name in proc sys dev; do
		rm -rf "$BUNDLE"
		bundle
		rmdir "$BUNDLE/rootfs/$name"
		ln -s "$OUT" "$BUNDLE/rootfs/$name"
		refused "/$name of the root file system is not a directory"
		ln -sfn tmp "$BUNDLE/rootfs/$name"
		refused "/$name of the root file system is not a directory"
		rm "$BUNDLE/rootfs/$name"
		: >"$BUNDLE/rootfs/$name"
		refused "/$name of the root file system is not a directory"
		untouched
	done
	# Nor without a mount of its own on /dev in the list.
	configure '.mounts |= map(select(.destination | startswith("/dev") | not))'
	ln -sfn "$OUT" "$BUNDLE/rootfs/dev"
	refused '/dev of the root file system is not a directory'
	untouched
	# And where it is one, or none yet, all is well.
	rm "$BUNDLE/rootfs/dev"
	oci run --bundle "$BUNDLE" "$ID"
}

# Masks and settings go by descriptors of the procfs: struct ns_mask_tops (ns/mask.h), ns_sysctl_procfs() (ns/sysctl.h).
@test "/proc is swapped while it is masked: none that is free, no setting elsewhere (CVE-2023-27561, CVE-2023-28642, CVE-2025-52881)" {
	local held ttl=sys/net/ipv4/ip_default_ttl
	# From within each: what the names lead to changes all the time.
	bundle '.process.args = ["sh", "-c", "for p in /proc /other; do cd $p; [ ! -e self/mountinfo ] || echo $(trespass write sys/kernel/core_pattern; wc -c <timer_list); done"]
		| .linux.sysctl = {"net.ipv4.ip_default_ttl": "77"} | .root.readonly = false'
	cp "$BUILD/trespass" "$BUNDLE/rootfs/bin"
	mkdir -p "$BUNDLE/rootfs/other/sys/kernel" "$BUNDLE/rootfs/other/$(dirname "$ttl")"
	echo 64 >"$BUNDLE/rootfs/other/$ttl"
	exec {held}<"$BUNDLE/rootfs/other/$ttl"
	: >"$BUNDLE/rootfs/other/timer_list"
	swapping "$BUNDLE/rootfs/proc" "$BUNDLE/rootfs/other"
	bound() {
		[ "$(cat "/proc/self/fd/$held")" = 64 ] &&
			! grep -vE '^sys/kernel/core_pattern: Read-only file system 0$|of the root file system|in the root file system' "$SKEP_DIR/run"
	}
	race bound
}

# open_fresh() (ns/dev.c). It is no help where the link leads to a tmpfs: then it is O_NOFOLLOW in open_dev(), for which the names must be swapped four times at the right
# moment here: unit ns/rootfs test_hostile_image has it at once.
@test "/dev is swapped while it is filled (CVE-2026-41579, CVE-2026-47766)" {
	bundle '.linux.devices = [{path: "/dev/fuse", type: "c", major: 10, minor: 229, fileMode: 438, uid: 0, gid: 0}]
		| .mounts |= map(select(.destination | startswith("/dev") | not))'
	mount -t tmpfs outside "$OUT"
	ln -s "$OUT" "$BUNDLE/rootfs/link"
	swapping "$BUNDLE/rootfs/dev" "$BUNDLE/rootfs/link"
	race untouched
	# Nor of a directory that the image, or a volume, brings.
	stop_spawned "${SKEP_SPAWNED[0]}" || true
	SKEP_SPAWNED=()
	[ -d "$BUNDLE/rootfs/dev" ] && [ ! -L "$BUNDLE/rootfs/dev" ] || mv -T --exchange "$BUNDLE/rootfs/dev" "$BUNDLE/rootfs/link" 2>/dev/null || {
		rm "$BUNDLE/rootfs/dev"
		mv "$BUNDLE/rootfs/link" "$BUNDLE/rootfs/dev"
	}
	rm -f "$BUNDLE/rootfs/link"
	mkdir "$BUNDLE/rootfs/link"
	swapping "$BUNDLE/rootfs/dev" "$BUNDLE/rootfs/link"
	umount "$OUT"
	no_node() { [ -z "$(find "$BUNDLE/rootfs/dev" "$BUNDLE/rootfs/link" -name null)" ]; }
	race no_node
}

# ns_dev_null_open(): the host's, looked at (ns/mask.c).
@test "masks are of the host's null, whatever a volume has at /dev/null (CVE-2025-31133)" {
	bundle ".process.args = [\"sh\", \"-c\", \"wc -c </proc/timer_list; trespass write /proc/sys/kernel/core_pattern\"]
		| .mounts |= map(select(.destination | startswith(\"/dev\") | not))
		| .mounts += [{destination: \"/dev\", type: \"bind\", source: \"$SKEP_DIR/volume\", options: [\"bind\"]}]
		| .linux.maskedPaths = [\"/proc/timer_list\"]"
	cp "$BUILD/trespass" "$BUNDLE/rootfs/bin"
	ln -s /proc/sys/kernel/core_pattern "$SKEP_DIR/volume/null"
	[ "$(oci run --bundle "$BUNDLE" "$ID" 2>&1)" = $'0\n/proc/sys/kernel/core_pattern: Read-only file system' ]
	mknod "$SKEP_DIR/volume/good" c 1 3
	swapping "$SKEP_DIR/volume/good" "$SKEP_DIR/volume/null"
	masked() { [ "$(head -n 1 "$SKEP_DIR/run")" = 0 ] && ! grep -q ': done' "$SKEP_DIR/run"; }
	race masked
}

# is_null() of what was opened, O_NOFOLLOW (own_null() in ns/console.c).
@test "what stands for /dev/null is left alone (CVE-2026-88265)" {
	bundle ".process.args = [\"echo\", \"said\"] | .mounts |= map(select(.destination | startswith(\"/dev\") | not))
		| .mounts += [{destination: \"/dev\", type: \"bind\", source: \"$SKEP_DIR/volume\", options: [\"bind\"]}]"
	: >"$SKEP_DIR/volume/null"
	chown 77:78 "$SKEP_DIR/volume/null"
	oci run --bundle "$BUNDLE" "$ID" </dev/null >/dev/null 2>&1
	[ "$(stat -c '%u:%g %s' "$SKEP_DIR/volume/null")" = '77:78 0' ]
	echo 64 >"$BUNDLE/rootfs/target"
	ln -sf /target "$SKEP_DIR/volume/null"
	oci run --bundle "$BUNDLE" "$ID" </dev/null >/dev/null 2>&1
	[ "$(cat "$BUNDLE/rootfs/target")" = 64 ]
	# A pipe that nobody reads is not waited for.
	rm "$SKEP_DIR/volume/null"
	mkfifo "$SKEP_DIR/volume/null"
	timeout 60 "$BUILD/skep" --root "$SKEP_DIR/here/oci" run --bundle "$BUNDLE" "$ID" </dev/null >/dev/null 2>&1
}

# make_pair() looks at what it opened; the slave is the master's (TIOCGPTPEER); O_NOFOLLOW in ns_console_bind() (all ns/console.c).
@test "a terminal is of a devpts, or none; /dev/console is no link (CVE-2025-52565, CVE-2026-88264)" {
	terminal() { typing '' "'$BUILD/skep' --root '$SKEP_DIR/here/oci' run --bundle '$BUNDLE' '$ID'" 2>&1; }
	bundle ".process.args = [\"tty\"] | .mounts |= map(select(.destination | startswith(\"/dev\") | not))
		| .mounts += [{destination: \"/dev\", type: \"bind\", source: \"$SKEP_DIR/volume\", options: [\"bind\"]}]"
	configure '.process.terminal = true'
	mkdir "$SKEP_DIR/volume/pts"
	: >"$SKEP_DIR/volume/pts/ptmx"
	fails_with 1 'not the terminal multiplexer of a devpts' terminal
	ln -sf /proc/sys/kernel/core_pattern "$SKEP_DIR/volume/pts/ptmx"
	fails_with 1 'not the terminal multiplexer of a devpts' terminal
	rm -r "$SKEP_DIR/volume/pts/ptmx"
	configure '.mounts += [{destination: "/dev/pts", type: "devpts", source: "devpts", options: ["newinstance", "ptmxmode=0666"]}]'
	ln -s "$OUT/made" "$SKEP_DIR/volume/console"
	fails_with 1 '/dev/console' terminal
	untouched
	: >"$SKEP_DIR/volume/other"
	swapping "$SKEP_DIR/volume/console" "$SKEP_DIR/volume/other"
	for ((i = 0; i < RACES; i++)); do
		terminal >"$SKEP_DIR/run" || true
		untouched
		grep -a '/dev/pts/0\|/dev/console' "$SKEP_DIR/run" || { cat "$SKEP_DIR/run"; return 1; }
	done
	oci_gone "$ID"
}

# O_NOFOLLOW and a new inode in path_write_in(), RESOLVE_IN_ROOT in open_in() (base/path.c), look() in runtime/etc.c.
# bats test_tags=host_all
@test "what is written into a system container's root follows no link (CVE-2025-24965, CVE-2026-23954 and others)" {
	local c file
	template_busybox here
	c=$(ct_name)
	inside() { skepctl exec "$c" -- "$@"; }
	echo host >"$OUT/victim"
	skepctl -q create "$c" --template busybox --ip auto --start
	for file in hostname hosts resolv.conf; do inside ln -sfn "$OUT/victim" "/etc/$file"; done
	skepctl -q stop --kill "$c"
	skepctl -q set "$c" --hostname other
	skepctl -q start "$c"
	[ "$(cat "$OUT/victim")" = host ]
	# A directory above, by an absolute and a relative link.
	for file in "$OUT" "../../../../../../../../$OUT"; do
		inside sh -c "[ -e /was ] || mv /etc /was; ln -sfn '$file' /etc"
		skepctl -q stop --kill "$c"
		skepctl -q start "$c"
		[ "$(ls "$OUT")" = victim ]
	done
	skepctl -q destroy --force "$c"
	# And the places of the kernel's file systems.
	for file in dev proc sys; do
		c=$(ct_name)
		skepctl -q create "$c" --template busybox --network none
		upper=$(dirname "$(find "$SKEP_DIR/here/lib/ct/$c" -maxdepth 2 -name upper)")/upper
		ln -s "$OUT" "$upper/$file"
		run skepctl -q start "$c"
		[[ $status != 0 && $output == *"/$file of the root file system is not a directory"* ]]
		[ "$(ls "$OUT")" = victim ]
	done
}
