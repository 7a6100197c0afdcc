# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2016 # what is in single quotes is for the shell in the container
# The runtime-spec's MUSTs about process, each test named by its section.

bats_require_minimum_version 1.5.0
load ../lib/oci

setup() { oci_setup; }
teardown() { oci_teardown; }

start_sleeper() {
	bundle ".process.args = [\"sleep\", \"1000\"] | ${1:-.}"
	oci run --detach --bundle "$BUNDLE" "$ID" >/dev/null 3>&-
	PID=$(oci_pid "$ID")
}
# field N: of /proc/PID/stat behind the name.
field() { sed 's/.*) //' "/proc/$PID/stat" | cut -d' ' -f$(($1 - 2)); }
ionice_of() { ionice -p "$1"; }

@test "config.md, Linux Process: scheduler is that of the program, and of an exec" {
	start_sleeper '.process.scheduler = {policy: "SCHED_BATCH", nice: 7, flags: ["SCHED_FLAG_RESET_ON_FORK"]}'
	[ "$(field 41)" = 3 ]
	[ "$(field 19)" = 7 ]
	[[ $(chrt -p "$PID") == *RESET_ON_FORK* ]]
	oci delete --force "$ID"
	start_sleeper '.process.scheduler = {policy: "SCHED_BATCH", nice: 3}'
	[ "$(oci exec "$ID" sh -c 'sed "s/.*) //" /proc/self/stat | cut -d" " -f17,39')" = '3 3' ]
}

# The kernel lets such a process have no children, or children without it.
@test "config.md, Linux Process: SCHED_DEADLINE and RESET_ON_FORK, also of an exec, and behind createContainer hooks" {
	start_sleeper '.process.scheduler = {policy: "SCHED_DEADLINE", nice: 19, runtime: 1000000, deadline: 100000000, period: 100000000}
		| .hooks.createContainer = [{path: "/bin/true"}]'
	[ "$(field 41)" = 6 ]
	[ "$(oci exec "$ID" cat /proc/self/stat | sed 's/.*) //' | cut -d' ' -f39)" = 6 ]
	oci delete --force "$ID"
	start_sleeper '.process.scheduler = {policy: "SCHED_BATCH", nice: 7, flags: ["SCHED_FLAG_RESET_ON_FORK"]} | del(.hooks)'
	[ "$(oci exec "$ID" cat /proc/self/stat | sed 's/.*) //' | cut -d' ' -f39)" = 3 ]
}

@test "config.md, Linux Process: a scheduler that the host refuses is an error" {
	bundle '.process.args = ["true"] | .process.scheduler = {policy: "SCHED_DEADLINE", runtime: 10, deadline: 5, period: 5}'
	fails_with 1 'runtime 10 must be <= deadline 5' oci run --bundle "$BUNDLE" "$ID"
	oci_gone "$ID"
}

# deadline VALUES WORDS
deadline() {
	bundle ".process.args = [\"true\"] | .process.scheduler = {policy: \"SCHED_DEADLINE\"} + $1"
	fails_with 1 "sched_setattr: \`SCHED_DEADLINE\` $2" oci run --bundle "$BUNDLE" "$ID"
}

@test "config.md, Linux Process: what sched(7) asks of SCHED_DEADLINE's figures is said, where the kernel says EINVAL to all" {
	deadline '{deadline: 20000000, period: 20000000}' 'requires `runtime`'
	deadline '{runtime: 10000000, period: 20000000}' 'requires `deadline`'
	deadline '{runtime: 0, deadline: 20000000}' 'runtime must be greater than 0'
	deadline '{runtime: 10000000, deadline: 30000000, period: 20000000}' 'deadline 30000000 must be <= period 20000000'
	deadline '{runtime: 1023, deadline: 10000000}' 'runtime 1023 must be between 1024 and'
	deadline '{runtime: 9223372036854775809, deadline: 9223372036854775810}' 'runtime 922337203685477'
	deadline '{runtime: 1000000000, deadline: 9000000000000}' 'is refused with runtime 1000000000, deadline 9000000000000, period 0'
	oci_gone "$ID"
}

@test "config.md, Linux Process: ioPriority is that of the program, and of an exec" {
	start_sleeper '.process.ioPriority = {class: "IOPRIO_CLASS_BE", priority: 6}'
	[ "$(ionice_of "$PID")" = 'best-effort: prio 6' ]
	oci exec --detach --pid-file "$SKEP_DIR/pid" "$ID" sleep 1000 >/dev/null 3>&-
	[ "$(ionice_of "$(cat "$SKEP_DIR/pid")")" = 'best-effort: prio 6' ]
	oci delete --force "$ID"
	start_sleeper '.process.ioPriority = {class: "IOPRIO_CLASS_IDLE"}'
	[ "$(ionice_of "$PID")" = idle ]
}

@test "config.md, Linux Process: execCPUAffinity is an exec's, and not the program's" {
	[ "$(nproc)" -gt 1 ] || skip 'one CPU'
	start_sleeper '.process.execCPUAffinity = {initial: "0-1", final: "1"}'
	[ "$(oci exec "$ID" grep Cpus_allowed_list /proc/self/status)" = $'Cpus_allowed_list:\t1' ]
	[ "$(sed -n 's/^Cpus_allowed_list:\t//p' "/proc/$PID/status")" != 1 ]
}

@test "config.md, Process: a program that PATH leads to from cwd" {
	bundle '.process.args = ["tool"] | .process.env = ["PATH=tools:/bin"] | .process.cwd = "/opt"'
	mkdir -p "$BUNDLE/rootfs/opt/tools"
	printf '#!/bin/sh\necho found\n' >"$BUNDLE/rootfs/opt/tools/tool"
	chmod 755 "$BUNDLE/rootfs/opt/tools/tool"
	[ "$(oci run --bundle "$BUNDLE" "$ID")" = found ]
}

# bats test_tags=host_all
@test "config.md, Linux Process: scheduler and ioPriority in a user namespace" {
	bundle '.process.args = ["sleep", "1000"] | .process.scheduler = {policy: "SCHED_OTHER", nice: -5} | .process.ioPriority = {class: "IOPRIO_CLASS_RT", priority: 1}'
	with_userns
	oci run --detach --bundle "$BUNDLE" "$ID" >/dev/null 3>&-
	PID=$(oci_pid "$ID")
	[ "$(field 19)" = -5 ]
	[ "$(ionice_of "$PID")" = 'realtime: prio 1' ]
}

# What a profile must let through between its loading and the program is write(2) and execve(2), not what a newer runtime thinks of.
@test "config-linux.md, Seccomp: a profile that kills for close_range, sendmsg and the like lets run, start and exec through" {
	bundle '.process.args = ["sh", "-c", "echo in; exec sleep 1000"] | .process.noNewPrivileges = true | .linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW",
		syscalls: [{names: ["close_range", "sendmsg", "sendto", "recvmsg", "capset"], action: "SCMP_ACT_KILL_PROCESS"}]}'
	oci run --detach --bundle "$BUNDLE" "$ID" >"$SKEP_DIR/out" 3>&-
	wait_for 30 grep -q in "$SKEP_DIR/out"
	[ "$(oci exec "$ID" echo too)" = too ]
	fails_with 127 'nothere' oci exec "$ID" nothere
	oci delete --force "$ID"
	oci create --bundle "$BUNDLE" "$ID" >"$SKEP_DIR/out" 3>&-
	oci start "$ID"
	wait_for 30 grep -q in "$SKEP_DIR/out"
	oci delete --force "$ID"
	configure '.process.args = ["/nothere"]'
	fails_with 127 'nothere' oci run --bundle "$BUNDLE" "$ID"
}
