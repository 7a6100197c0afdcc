# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2016 # what is in single quotes is for the shell in the container
# What of the host's kernel, and of the host's program that enters it, a container gets hold of.
#
# CVE                               what went wrong there                       here
# OpenVZ 2014-3519                  a handle opens any file of the file system  "a handle of a file opens nothing"
# LXC, kernel 2022-0492             release_agent is a command of the host's    "no release_agent, no control group's limits, by whatever mount"
# kernel 2022-0185, 2021-3493,      a user namespace more is root over much     "calls that were doors into the kernel are shut": user namespaces; a bundle's own
# 2023-2640, 32629, 2023-0386       more of the kernel                          filter decides for skep
#                                                                              and no FUSE: "nothing of FUSE is reached"
# nf_tables: 2022-32250, 2023-32233 bugs in what a user namespace's root reaches  "with --netfilter disabled..."
# 2024-1086 and others
# moby's list of 2023 to 2026       AF_ALG, AF_VSOCK, io_uring, userfaultfd,    the same
#                                   bpf, perf, keyctl
# moby: i386 socketcall             a call by its other number is not filtered  "32-bit programs"
# kernel 2022-0847                  pages of a shared file are written to       "a container cannot reach into the program that enters it": our program is opened for reading by nobody there
# runc 2019-5736                    the runtime is overwritten by way of it     the same; for skep also oci_exec "our own program cannot be written to..."
# kernel 2020-14386 (AF_PACKET)     packets of other senders                    net "a container cannot speak with another MAC or address than its own"
# core_pattern, sysrq and others    a file of /proc is a command of the host's  "files of /proc and /sys that are the host's"
# Not shut: a system container mounts overlay, as systemd needs mount(2) and no filter tells one type from another, and it has its own netfilter unless it is disabled; both in its own user namespace.
# The defence that each test is about stands above it; each was seen to fail without it.

bats_require_minimum_version 1.5.0
load ../lib/oci

setup() { oci_setup; }
teardown() { oci_teardown; }

# A running system container with trespass in it: $c.
system() {
	template_busybox here
	c=$(ct_name)
	skepctl -q create "$c" --template busybox --network none "$@"
	skepctl -q start "$c"
	skepctl exec "$c" -- sh -c 'cat >/bin/trespass; chmod +x /bin/trespass' <"$BUILD/trespass"
}
inside() { skepctl exec "$c" -- "$@"; }
says() {
	local text=$1
	shift
	run inside "$@"
	[ "$output" = "$text" ] || { echo "$*: $output; wanted: $text"; return 1; }
}

# refused[] (ns/seccomp_profile.c). Behind it is the kernel, which wants a right over all of the file system, and says EBADF where there is no directory.
# bats test_tags=host_all
@test "a handle of a file opens nothing (CVE-2014-3519)" {
	local c place
	system
	for place in / /etc/hostname /dev /proc /nosuch; do says 'handle: Operation not permitted' trespass handle "$place"; done
	# Of a bundle it is for its filter, and for the rights that config.json gives; in a user namespace it is the kernel's to refuse.
	bundle '.process.args = ["trespass", "handle", "/"] | .process.capabilities = (["CAP_DAC_READ_SEARCH"] | {bounding: ., effective: ., permitted: .})'
	cp "$BUILD/trespass" "$BUNDLE/rootfs/bin"
	with_userns
	run oci run --bundle "$BUNDLE" "$ID"
	[ "$output" = 'handle: Operation not permitted' ]
}

# The control group namespace (runtime/compile.c), in which no group is the root of its hierarchy, which alone has that file; cg_delegate() (cgroups/delegate.c) gives away no limit.
# bats test_tags=host_all
@test "no release_agent, no control group's limits, by whatever mount (CVE-2022-0492)" {
	local c name
	system --nesting yes --memory 64M
	[ -z "$(inside find / -xdev -name release_agent 2>/dev/null; inside find /sys -name release_agent 2>/dev/null)" ]
	for name in memory cpu rdma devices pids name=systemd; do
		inside sh -c "mkdir -p /tmp/$name && mount -t cgroup -o $name x /tmp/$name" 2>/dev/null || continue
		echo "$name can be mounted"
		[ -z "$(inside find "/tmp/$name" -name release_agent)" ]
		run inside sh -c "for f in memory.limit_in_bytes memory.memsw.limit_in_bytes cpu.cfs_quota_us devices.allow pids.max; do
			[ ! -e /tmp/$name/\$f ] || { trespass write /tmp/$name/\$f; }; done"
		[[ $output != *': done'* ]] || { echo "$output"; return 1; }
	done
	inside mkdir /tmp/own
	inside mount -t cgroup2 x /tmp/own
	[ -z "$(inside find /tmp/own -name release_agent)" ]
	run inside sh -c 'for f in memory.max memory.high cpu.max pids.max; do [ ! -e /tmp/own/$f ] || trespass write /tmp/own/$f; done'
	[[ $output != *': done'* ]] || { echo "$output"; return 1; }
}

# optional[], refused[], guards[], userns_guards[] (ns/seccomp_profile.c).
# bats test_tags=host
@test "calls that were doors into the kernel are shut (CVE-2022-0185, CVE-2021-3493, CVE-2023-2640, CVE-2023-32629, CVE-2023-0386)" {
	local c call
	system
	says 'unshare: Operation not permitted' trespass unshare 0x10000000
	says 'unshare: Operation not permitted' trespass unshare 0x10020000
	says 'socket: Address family not supported by protocol' trespass socket 38
	says 'socket: Address family not supported by protocol' trespass socket 40
	[ "$(uname -m)" = x86_64 ] || return 0
	# bpf, perf_event_open, io_uring_setup, kexec_load, init_module, finit_module, kexec_file_load, quotactl, syslog; userfaultfd with UFFD_USER_MODE_ONLY, which
	# the kernel itself gives to all (userfaultfd(2)). Of syslog the kernel says the same where kernel.dmesg_restrict is 1.
	for call in 321 298 425 246 175 313 320 179 '103 10' '323 1'; do
		# shellcheck disable=SC2086 # words
		says 'call: Operation not permitted' trespass call $call
	done
	# keyctl, add_key, request_key, clone3: as if the kernel had none
	for call in 250 248 249 435; do says 'call: Function not implemented' trespass call $call; done
}

# netfilter_guards[] (ns/seccomp_profile.c), by the same ct_spec_filter_options() for init and for who enters.
# bats test_tags=host_all
@test "with --netfilter disabled nothing of netfilter is reached (CVE-2022-32250, CVE-2023-32233, CVE-2024-1086)" {
	local c option protocol
	system
	says 'netlink: done' trespass netlink 12
	[ "$(skepctl list -H -o netfilter "$c")" = full ]
	# Nobody answers to 64 of IPv6 but the tables there. What they say to root is never this, whatever of them the kernel has.
	for option in '0 64' '41 64' '0 96' '0 128'; do
		# shellcheck disable=SC2086 # words
		[[ $(inside trespass option $option) != *'Operation not permitted'* ]]
	done
	# From its next start on, not before.
	run -0 skepctl set "$c" --netfilter disabled --init "/bin/sh -c 'trespass netlink 12 >/said; exec /sbin/init'"
	[[ $output == *'netfilter full -> disabled (init, netfilter: from its next start)' ]]
	says 'netlink: done' trespass netlink 12
	skepctl -q restart "$c"
	[ "$(skepctl list -H -o netfilter "$c")" = disabled ]
	skepctl info "$c" | grep -qx 'netfilter  *disabled'
	[ "$(inside cat /said)" = 'netlink: Operation not permitted' ]
	says 'netlink: Operation not permitted' trespass netlink 12
	[ "$(skepctl enter "$c" <<<'trespass netlink 12')" = 'netlink: Operation not permitted' ]
	# iptables, arptables, ebtables, ip6tables; NETLINK_ROUTE, _SOCK_DIAG, _KOBJECT_UEVENT, _GENERIC are what systemd and ip need.
	for option in '0 64' '0 65' '0 96' '0 128' '41 64' '41 65'; do
		# shellcheck disable=SC2086
		says $'set: Operation not permitted\nget: Operation not permitted' trespass option $option
	done
	[[ $(inside trespass option 41 67) != *'Operation not permitted'* ]]
	for protocol in 0 4 15 16; do says 'netlink: done' trespass netlink $protocol; done
	[ "$(uname -m)" != x86_64 ] || says 'call: Operation not permitted' trespass call 425
	# Nor in a network namespace of a user namespace of its own.
	skepctl -q set "$c" --nesting yes --init /sbin/init
	skepctl -q restart "$c"
	says 'netlink: Operation not permitted' unshare -U -r -n trespass netlink 12
}

# cg_device_default[] (cgroups/device.c); mknod(2) is refused by the kernel in a user namespace.
# bats test_tags=host_all
@test "nothing of FUSE is reached (CVE-2023-0386)" {
	local c
	system
	says 'mknod: /tmp/fuse: Operation not permitted' mknod /tmp/fuse c 10 229
	run ! inside test -e /dev/fuse
	# One that it was given, by its template say: the kernel has it for a device of the container's file system, and lets nobody in who is not on the list.
	mknod -m 666 "$SKEP_DIR/here/lib/ct/$c/upper/fuse" c 10 229
	skepctl -q restart "$c"
	says '/fuse: Operation not permitted' trespass write /fuse
}

# SCMP_FLTATR_ACT_BADARCH in ns_seccomp_from_profile(). getpid and socketcall by their numbers there.
@test "32-bit programs: their calls are not a way around the filter" {
	local c
	[ "$(uname -m)" = x86_64 ] || skip 'for x86_64'
	system
	[ "$("$BUILD/trespass" call32 20)" = 'call32: done' ] || skip 'this kernel runs no 32-bit programs'
	fails_with 159 '' skepctl exec "$c" -- trespass call32 20
	fails_with 159 '' skepctl exec "$c" -- trespass call32 102
}

# ns_self_undumpable() in who joins (ns/join.c, ns/user.c, ns/caps.c); without it the file's owner has no number there, still.
# bats test_tags=host_all
@test "a container cannot reach into the program that enters it (CVE-2019-5736, CVE-2022-0847)" {
	local c
	system
	spawn here "$SKEP_DIR/grab" skepctl exec "$c" -- trespass grab skep
	wait_for 30 grep -q watching "$SKEP_DIR/grab"
	for _ in {1..10}; do slowly skepctl exec "$c" -- true; done
	[ "$(cat "$SKEP_DIR/grab")" = watching ]
}
# Each step of who enters takes a while.
# (A sanitizer's search for leaks needs ptrace for itself.)
slowly() { in_net here env ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0" strace -f -qq -o /dev/null -e trace=execve,setresuid,capset -e inject=execve,setresuid,capset:delay_enter=5000 -- "$SKEP_DIR/here/bin/$1" "${@:2}"; }

# A watcher in a container gets hold of the program that skep is there when it is told WORDS, and tries to write to it; WAY: how that is slowed down.
grabbed() { # WAY WORDS...
	local sum
	cp "$BUILD/skep" "$SKEP_DIR/skep-victim"
	sum=$(sha256sum <"$SKEP_DIR/skep-victim")
	bundle '.process.args = ["trespass", "grab", "skep"] | .process.capabilities = (["CAP_SYS_PTRACE", "CAP_KILL"] | {bounding: ., effective: ., permitted: .})'
	cp "$BUILD/trespass" "$BUNDLE/rootfs/bin"
	printf '#!/bin/sh\nexec %q --root %q "$@"\n' "$SKEP_DIR/skep-victim" "$SKEP_DIR/here/oci" >"$SKEP_DIR/here/bin/victim"
	chmod +x "$SKEP_DIR/here/bin/victim"
	oci run -d --bundle "$BUNDLE" "$ID" >"$SKEP_DIR/grab" 2>&1 3>&-
	wait_for 30 grep -q watching "$SKEP_DIR/grab"
	for _ in {1..100}; do
		"$1" victim "${@:2}" || true
		! grep -q grab: "$SKEP_DIR/grab" || break
	done
	wait_for 30 grep -q grab: "$SKEP_DIR/grab" || { cat "$SKEP_DIR/grab"; return 1; }
	grep -qx held "$SKEP_DIR/grab"
	grep -qx 'grab: Read-only file system' "$SKEP_DIR/grab"
	[ "$(sha256sum <"$SKEP_DIR/skep-victim")" = "$sum" ]
}

# ns_self_shield() (ns/self.c), ctl/static/entry.c: for one that may trace the host's, as a container with CAP_SYS_PTRACE and no user namespace may.
@test "nor write to it, where it can (CVE-2019-5736)" {
	grabbed slowly exec "$ID" true
}

# ns_self_mount_drop(): as long as the command on the host holds the mount's descriptor, a user namespace inside could make it writable again.
@test "nor make the mount that it is of writable again" {
	grabbed lingering exec "$ID" true
}

# ct_clone_init(): the same of one that is started beside the watcher.
@test "nor that of what is started in its process namespace" {
	bundle '.process.args = ["true"]'
	cp -a "$BUNDLE" "$SKEP_DIR/beside"
	beside() {
		jq --arg pids "/proc/$(oci_pid "$ID")/ns/pid" '(.linux.namespaces[] | select(.type == "pid")).path = $pids | .process.args = ["true"]' "$BUNDLE/config.json" >"$SKEP_DIR/beside/config.json"
		lingering "$@"
	}
	grabbed beside run --bundle "$SKEP_DIR/beside" "$ID-beside"
}
# Who was joined waits for the host's word.
lingering() { in_net here env ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0" strace -qq -o /dev/null -e trace=sendmsg -e inject=sendmsg:delay_enter=100000 -- "$SKEP_DIR/here/bin/$1" "${@:2}"; }

# masked[] (runtime/compile.c); what is written to has no owner there that has a number in the user namespace.
# bats test_tags=host
@test "files of /proc and /sys that are the host's: neither written to nor, where they tell, read" {
	local c file
	system
	for file in /proc/kcore /proc/kallsyms /proc/timer_list /proc/vmallocinfo /proc/slabinfo /proc/keys; do
		[ ! -e "$file" ] || [ "$(inside sh -c "cat $file 2>/dev/null | head -c 64 | wc -c")" = 0 ]
		[ ! -e "$file" ] || [ "$(inside stat -c '%t %T' "$file")" = '1 3' ]
	done
	for file in /sys/kernel/debug /sys/kernel/security /sys/module /sys/firmware; do
		[ ! -d "$file" ] || [ -z "$(inside ls "$file")" ]
	done
	for file in /sys/kernel/uevent_helper /sys/power/state /proc/sysrq-trigger /proc/sys/kernel/core_pattern /proc/sys/kernel/modprobe /proc/sys/vm/panic_on_oom /proc/irq/default_smp_affinity; do
		[ ! -e "$file" ] || [[ $(inside trespass write "$file") != *': done' ]]
	done
}
