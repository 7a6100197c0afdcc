# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2016 # what is in single quotes is for the shell in the container
# Processes of the runtime's that enter a container, and what they bring along: descriptors, memory, rights, a terminal.
#
# CVE                               what went wrong there                       here
# runc 2016-9962                    who enters can be traced, its files taken   "who enters cannot be looked into"
# runc 2019-5736                    the runtime is overwritten by way of it     cve_kernel "a container cannot reach into the program...", "nor write to it, where it can"
# runc 2021-43784                   a length overflows in a message to init     no such message: init is a copy of our memory. "long lists and texts arrive whole, or are refused"
# runc 2022-29162, crun 2022-27650, inheritable capabilities                    "no inheritable capabilities"
# moby 2022-24769, podman 2022-27649
# runc 2024-21626                   a host directory stays open; cwd is in it   "a working directory by way of a descriptor"; oci_exec "nothing of the host is open in it";
#                                                                               unit ns/rootfs test_cwd_outside
# crun 2026-30892                   exec -u 1 is read as root                   "a number is that user, whatever the image calls root"; unit ns/user; fuzz user
# LXC 2015-1334                     the label is set in the container's /proc   unit ns/lsm; a label that cannot be had is refused (oci_spec_config); who enters joins by a pidfd (ns/join.h)
# LXC 2016-8649                     a descriptor of the host's /proc goes along "a working directory by way of a descriptor"; lifecycle "exec gets nothing of the host..."
# LXC 2016-10124                    TIOCSTI types into the caller's terminal    "nobody types into the caller's terminal"
# The defence that each test is about stands above it; each was seen to fail without it. What is in cve_paths, cve_host and cve_kernel is listed there.

bats_require_minimum_version 1.5.0
load ../lib/oci

setup() { oci_setup; }
teardown() { oci_teardown; }

# hostile JQ: a bundle with trespass in it.
hostile() {
	bundle "$@"
	cp "$BUILD/trespass" "$BUNDLE/rootfs/bin"
}
# A running system container with trespass in it: $c.
system() {
	template_busybox here
	c=$(ct_name)
	skepctl -q create "$c" --template busybox --network none --start
	skepctl exec "$c" -- sh -c 'cat >/bin/trespass; chmod +x /bin/trespass' <"$BUILD/trespass"
}
stops_watching() {
	"$@"
	wait_for 30 grep -q '^seen' "$SKEP_DIR/watch"
	[ "$(tail -n 1 "$SKEP_DIR/watch")" = 'seen 0' ] || { sort "$SKEP_DIR/watch" | uniq -c; return 1; }
}

# ns_self_undumpable() of who joins (ns/join.c), and after each change of ids (ns/user.c, ns/caps.c).
@test "who enters cannot be looked into (CVE-2016-9962)" {
	local user caps='["CAP_SYS_PTRACE", "CAP_KILL"]'
	hostile '.process.args = ["trespass", "watch"]'
	# Without a user namespace CAP_SYS_PTRACE is the host's, and opens everything.
	for user in '' with_userns; do
		[ -z "$user" ] || configure ".process.capabilities = {bounding: $caps, effective: $caps, permitted: $caps}"
		$user
		oci run -d --bundle "$BUNDLE" "$ID" >"$SKEP_DIR/watch" 2>&1 3>&-
		wait_for 30 grep -q watching "$SKEP_DIR/watch"
		for _ in {1..25}; do oci exec "$ID" true 7</ 8<"$SKEP_DIR/names"; done
		stops_watching oci kill "$ID" TERM
		wait_for 30 oci_is "$ID" stopped
		oci delete "$ID"
	done
}

# The same: the descriptors of who has just entered are the host's root's, who has no number there, but not what it executes.
# bats test_tags=host_all
@test "who enters a system container cannot be looked into (CVE-2016-9962)" {
	system
	spawn here "$SKEP_DIR/watch" skepctl exec "$c" -- trespass watch
	wait_for 30 grep -q watching "$SKEP_DIR/watch"
	# In the time between its birth in there and its program, which is a few system calls long. (A sanitizer's search for leaks needs ptrace for itself.)
	local ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0
	export ASAN_OPTIONS
	for _ in {1..10}; do
		in_net here strace -f -qq -o /dev/null -e trace=execve,setresuid,capset -e inject=execve,setresuid,capset:delay_enter=5000 -- \
			"$SKEP_DIR/here/bin/skepctl" exec "$c" -- true 7</ 8<"$SKEP_DIR/names"
	done
	stops_watching kill -TERM "$SPAWNED"
}

# ns_fds_keep_only(), ns_fds_close_others() (ns/fds.c); verify_cwd() (ns/rootfs.c) behind them is unit ns/rootfs test_cwd_outside's.
@test "a working directory by way of a descriptor: of nothing of the host's (CVE-2024-21626, CVE-2016-8649)" {
	local n pid
	# One that leads somewhere at that time leads to the container's own root.
	inside() { echo "$n: $status $output"; [ "$output" = inside ] || [ "$status" = "$1" ]; }
	hostile '.process.args = ["sh", "-c", "test . -ef / && echo inside"]'
	for n in {3..23}; do
		configure ".process.cwd = \"/proc/self/fd/$n\""
		run oci run --bundle "$BUNDLE" "$ID" 7</ 9</sys/fs/cgroup
		inside 1
	done
	configure '.process.cwd = "/" | .process.args = ["sleep", "1000"] | .mounts |= map(select(.type != "cgroup"))'
	oci create --bundle "$BUNDLE" "$ID" >/dev/null 2>&1 3>&- 7</ 9</sys/fs/cgroup
	# The one who waits to become the program has no directory open but its root.
	pid=$(oci_pid "$ID")
	for n in "/proc/$pid/fd"/*; do
		[ ! -d "$n" ] || [ "$n/." -ef "/proc/$pid/root/." ]
	done
	oci start "$ID"
	for n in {3..23}; do
		run oci exec --cwd "/proc/self/fd/$n" "$ID" sh -c 'test . -ef / && echo inside' 7</ 9</sys/fs/cgroup
		inside 255
	done
}

# caps_apply() (ns/caps.c) sets what was asked for and no more; add_caps() (ctl/oci_exec.c) asks for none.
# bats test_tags=host_all
@test "no inheritable capabilities: run, exec, exec --cap, system containers (CVE-2022-29162, CVE-2022-27650)" {
	local none=$'CapInh:\t0000000000000000'
	hostile '.process.args = ["sh", "-c", "grep CapInh /proc/self/status; exec sleep 1000"]'
	# The caller has some.
	capsh --inh=cap_chown,cap_net_raw -- -c "exec '$BUILD/skep' --root '$SKEP_DIR/here/oci' run -d --bundle '$BUNDLE' '$ID'" >"$SKEP_DIR/out" 2>&1 </dev/null 3>&-
	wait_for 30 grep -q . "$SKEP_DIR/out"
	[ "$(cat "$SKEP_DIR/out")" = "$none" ]
	[ "$(oci exec "$ID" grep CapInh /proc/self/status)" = "$none" ]
	[ "$(oci exec --cap CAP_SYS_NICE "$ID" grep CapInh /proc/self/status)" = "$none" ]
	[ "$(oci exec --cap CAP_SYS_NICE --user 1000 "$ID" grep CapInh /proc/self/status)" = "$none" ]
	[ "$(oci exec --cap CAP_SYS_NICE "$ID" grep CapAmb /proc/self/status)" = $'CapAmb:\t0000000000000000' ]
	system
	[ "$(skepctl exec "$c" -- grep -h CapInh /proc/self/status /proc/1/status)" = "$none"$'\n'"$none" ]
}

# The number comes first in ns_user_lookup() (ns/user.c).
# bats test_tags=host_all
@test "a number is that user, whatever the image calls root (CVE-2026-30892)" {
	hostile '.process.args = ["sleep", "1000"]'
	printf '1:x:0:0::/:/bin/sh\n01:x:0:0::/:/bin/sh\n' >>"$BUNDLE/rootfs/etc/passwd"
	oci run -d --bundle "$BUNDLE" "$ID" >/dev/null 2>&1 3>&-
	[ "$(oci exec --user 1 "$ID" id -u)" = 1 ]
	[ "$(oci exec --user 1:1 "$ID" id -g)" = 1 ]
	for user in '+1' ' 1' '-1' '4294967296' '4294967295' '0x1' '1 '; do
		fails_with 255 '' oci exec --user "$user" "$ID" true
	done
	system
	skepctl exec "$c" -- sh -c 'echo 1:x:0:0::/:/bin/sh >>/etc/passwd'
	[ "$(skepctl exec --user 1 "$c" -- id -u)" = 1 ]
}

# ns_console_session() (ns/console.c); for system containers the filter as well (guards[] in ns/seccomp_profile.c).
# bats test_tags=host_all
@test "nobody types into the caller's terminal (CVE-2016-10124)" {
	local refused
	in_tty() { typing '' "cd /; PATH='$SKEP_DIR/here/bin:$PATH' $*" | tr -d '\r'; }
	hostile '.process.args = ["trespass", "session"]'
	[ "$(in_tty skep run --bundle "$BUNDLE" "$ID")" = 'own session, no terminal' ]
	configure '.process.args = ["trespass", "type", "x"]'
	refused="$(in_tty skep run --bundle "$BUNDLE" "$ID")"
	# Where dev.tty.legacy_tiocsti is 0 it is EIO, before anybody looks whose terminal it is; in musl's words, or glibc's.
	[[ $refused == 'type: '@('Operation not permitted'|'I/O error'|'Input/output error') ]]
	configure '.process.args = ["sleep", "1000"]'
	oci run -d --bundle "$BUNDLE" "$ID" >/dev/null 2>&1 3>&-
	[ "$(in_tty skep exec "$ID" trespass session)" = 'own session, no terminal' ]
	[ "$(in_tty skep exec "$ID" trespass type x)" = "$refused" ]
	[ "$(in_tty skep exec --tty "$ID" trespass session)" = 'own session, a terminal' ]
	system
	in_tty skepctl exec "$c" -- sh -c "'trespass type x >/root/typed'"
	[ "$(skepctl exec "$c" -- cat /root/typed)" = 'type: Operation not permitted' ]
}

# ns_idmap_check() (ns/idmap.c): the kernel takes 340 lines.
@test "long lists and texts arrive whole, or are refused (CVE-2021-43784)" {
	local long
	long=$(head -c 100000 /dev/zero | tr '\0' x)
	hostile '.process.args = ["sh", "-c", "env | grep ^LONG | wc -c; echo $# $0", "last"]'
	printf '{"long": "%s"}' "$long" >"$SKEP_DIR/long"
	jq --slurpfile l "$SKEP_DIR/long" '.process.env += ["LONG=" + $l[0].long] | .process.args += [range(3000) | "\(.)"]' "$BUNDLE/config.json" >"$SKEP_DIR/new"
	mv "$SKEP_DIR/new" "$BUNDLE/config.json"
	[ "$(oci run --bundle "$BUNDLE" "$ID")" = $'100006\n3000 last' ]
	rm -r "$BUNDLE"
	hostile '.process.args = ["true"]'
	with_userns
	configure '.linux.uidMappings = [range(400) | {containerID: ., hostID: (1500000000 + .), size: 1}]'
	fails_with 1 '340' oci run --bundle "$BUNDLE" "$ID"
	configure '.linux.uidMappings = [{containerID: 0, hostID: 1500000000, size: 1}]'
	jq --slurpfile l "$SKEP_DIR/long" '.hostname = $l[0].long' "$BUNDLE/config.json" >"$SKEP_DIR/new"
	mv "$SKEP_DIR/new" "$BUNDLE/config.json"
	fails_with 1 'hostname' oci run --bundle "$BUNDLE" "$ID"
	oci_gone "$ID"
}
