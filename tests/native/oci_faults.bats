# SPDX-License-Identifier: GPL-2.0-only
# A failure or a SIGKILL at each step of an OCI container's life: one line that names the step, and nothing that delete --force leaves.

bats_require_minimum_version 1.5.0
load ../lib/oci

setup() {
	oci_setup
	bundle '.process.args = ["true"]'
	with_userns
	mapfile -t POINTS < <(sed -n '/fault_list\[\]/,/NULL/p' "$REPO/base/fault.c" | grep -oE '"(start|init|delete|stop)\.[a-z]+"' | tr -d '"')
	[ ${#POINTS[@]} -gt 20 ]
}
teardown() { oci_teardown; }

# What a system container's start has and this one's has not.
passes() { [[ $1 == start.@(bridge|link|monitor) || $1 == stop.signal ]]; }

@test "run fails at a step: it says which, and the container can be deleted" {
	local point
	for point in "${POINTS[@]}"; do
		echo "$point"
		if passes "$point"; then
			SKEP_FAULT=$point oci run --bundle "$BUNDLE" "$ID"
			continue
		fi
		SKEP_FAULT=$point fails_with 1 "injected failure at $point" oci run --bundle "$BUNDLE" "$ID"
		# Only what ends a container leaves one behind, when it is itself what fails.
		[[ $point == @(stop|delete).* ]] || oci_gone "$ID"
		oci delete --force "$ID"
		oci_gone "$ID"
	done
}

@test "run, or its init, is killed at a step: delete --force cleans, the name is free" {
	local point rc
	for point in "${POINTS[@]}"; do
		echo "$point"
		rc=0
		SKEP_FAULT=$point:kill timeout 60 "$SKEP_DIR/here/bin/skep" run --bundle "$BUNDLE" "$ID" >/dev/null 2>&1 3>&- || rc=$?
		case $point in
		init.*) [ $rc = 1 ] && oci_gone "$ID" ;; # its host side lives, says so, and cleans
		*) [ $rc = 137 ] || passes "$point" ;;
		esac
		oci list >/dev/null
		oci delete --force "$ID"
		oci_gone "$ID"
	done
	oci run --bundle "$BUNDLE" "$ID"
}

# Each system call of a verb fails once. By default as many of them as named here, spread evenly; FAULTS=all takes them all with four errnos each, for which the runner's
# time is short (TEST_SECONDS=3000 FILE_SECONDS=20000); FAULTS=N N of each verb.
calls_fail() { # VERB COUNT
	local pick=${FAULTS:-$2}
	nsenter --net="$(host_net here)" -- env BUILD="$BUILD" FAULT_ROOT="$SKEP_DIR/here/oci" BUNDLE="$BUNDLE" PICK="$pick" "$REPO/tests/lib/oci-faults" error "$1" "$ID" 3>&-
}
say_and_go_on() { configure '.process.args = ["sh", "-c", "echo it works; exec sleep 1000"]'; }

@test "a system call of create fails" { say_and_go_on; calls_fail create 60; }
@test "a system call of create without a user namespace fails" { say_and_go_on; without_userns; calls_fail create 40; }
@test "a system call of create with everything fails" { with_everything; with_others; FRESH=1 calls_fail create 60; }
@test "a system call of create with a terminal that is handed over fails" {
	say_and_go_on
	configure '.process.terminal = true'
	spawn here "$SKEP_DIR/console.out" /usr/bin/python3 "$REPO/tests/lib/console_socket.py" --all "$SKEP_DIR/console"
	wait_for 30 [ -S "$SKEP_DIR/console" ]
	SOCKET=$SKEP_DIR/console CALLS='connect|sendmsg|rename.*|open|write' ERRNOS=12 calls_fail create 30
}
@test "an answer of the kernel about a network device is lost: the device is back" {
	say_and_go_on
	configure '.linux.netDevices = {one: {name: "inside"}}'
	DEVICE=one CALLS=recvmsg ERRNOS=12 calls_fail create all
}
@test "a system call of start fails, or one of the waiting process" { with_everything; with_others; calls_fail start 40; }
@test "a system call of run fails" { configure '.process.args = ["sh", "-c", "echo it works"]'; calls_fail run 50; }
@test "a system call of run with everything and a terminal fails" {
	configure '.process.args = ["sh", "-c", "echo it works"] | .process.terminal = true'
	with_everything
	calls_fail run 50
}
@test "a system call of exec fails" { say_and_go_on; calls_fail exec 40; }
@test "a system call of exec with a terminal and a filter fails" { say_and_go_on; with_everything; TTY=1 calls_fail exec 40; }
@test "a system call of delete fails" { say_and_go_on; with_everything; calls_fail delete 40; }
@test "a system call of kill, update, pause, resume, state fails" {
	local verb
	say_and_go_on
	for verb in kill update pause resume state; do calls_fail $verb 15; done
}
@test "a system call of ps, or of the program that it asks, fails" {
	say_and_go_on
	CALLS='clone|execve|memfd_create|pidfd_open|pipe2|poll|waitid' ERRNOS=12 calls_fail ps all
}
# accept4(2) fails for want of memory or of a descriptor before it waits, so it is called when there is somebody to be told.
@test "a created container waits in nothing that could have failed; when its process cannot accept, the start says so" {
	local accept4=288 pid
	[ "$(uname -m)" = x86_64 ] || accept4=242
	say_and_go_on
	oci create --bundle "$BUNDLE" "$ID" 3>&-
	pid=$(oci_pid "$ID")
	wait_for 30 grep -q '^[0-9]' "/proc/$pid/syscall"
	run ! grep "^$accept4 " "/proc/$pid/syscall"
	oci delete --force "$ID"
	CALLS='accept4|poll' ERRNOS='12 23' calls_fail start all
}
