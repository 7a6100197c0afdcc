# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# For bats files: `load ../lib/skep`. Every test gets its own state roots, container names and, if it asks, test hosts.
#
#   skepctl ...          runs skepctl with this test's own --root and --state
#   fails_with CODE TEXT CMD...   CMD must exit with CODE and say TEXT in its error line
#   ct_name              a container name that no other test has
#   host_new A; host_new B   test hosts: a network namespace each, at 10.77.0.N on one wire, own state roots
#   on A skepctl start x     runs there
#   spawn A OUT CMD... CMD goes on in the background there, its output in the file OUT; SPAWNED is its pid; ended by teardown
#   stop_spawned PID     ends it and returns its exit code
#   wait_for 10 CMD...   until CMD succeeds, with a deadline
# Addresses (10.77.0.0/16) live only inside those namespaces.

# shellcheck source=tests/lib/host.bash
. "${BASH_SOURCE[0]%/*}/host.bash"

REPO=$(readlink -f "${BASH_SOURCE[0]%/*}/../..")
BUILD=$(readlink -f "${BUILD:-$REPO/build}")
# shellcheck disable=SC2034 # for the bats files
PROBE=$BUILD/probe
PATH=$BUILD:$PATH

# To be called from the file's setup() and teardown(); the files have the room to add their own to both.
skep_setup() {
	SKEP_ID=$$_${BATS_TEST_NUMBER:-0}
	SKEP_DIR=$BATS_TEST_TMPDIR
	SKEP_HOSTS=() SKEP_SPAWNED=()
	host_dirs here
	snapshot_host >"$SKEP_DIR/before"
}

skep_teardown() {
	local name pid rc=0
	for pid in "${SKEP_SPAWNED[@]}"; do stop_spawned "$pid" || true; done
	for name in here "${SKEP_HOSTS[@]}"; do host_empty "$name" || rc=1; done
	for name in "${SKEP_HOSTS[@]}"; do ip netns del "$(host_netns "$name")"; done
	[ ${#SKEP_HOSTS[@]} = 0 ] || ip netns del "$(host_netns wire)"
	# A test that failed may leave things, and says so itself; one that passed may not.
	[ -z "${BATS_TEST_COMPLETED:-}" ] || assert_no_leak "$SKEP_DIR/before" 10 || rc=1
	return $rc
}

ct_name() {
	SKEP_CT=$((${SKEP_CT:-0} + 1))
	echo "t${SKEP_ID//_/-}-$SKEP_CT"
}

# State roots of a host, and a skepctl and a skep that use them.
host_dirs() {
	local dir=$SKEP_DIR/$1
	mkdir -p "$dir"/{lib,run,oci,bin}
	printf '#!/bin/sh\nexec %q --root %q --state %q "$@"\n' "$BUILD/skepctl" "$dir/lib" "$dir/run" >"$dir/bin/skepctl"
	printf '#!/bin/sh\nexec %q --root %q "$@"\n' "$BUILD/skep" "$dir/oci" >"$dir/bin/skep"
	chmod +x "$dir"/bin/*
}
host_netns() { echo "skept${SKEP_ID}_$1"; }

# The plain command of this test's host; the bats `run` works with it.
skepctl() { on here skepctl "$@"; }
oci() { on here skep "$@"; }

# on NAME CMD...: in that test host's network, with its state roots.
on() {
	local name=$1 enter=()
	shift
	[ "$name" = here ] || enter=(ip netns exec "$(host_netns "$name")")
	"${enter[@]}" env PATH="$SKEP_DIR/$name/bin:$PATH" "$@"
}

# exec in the subshell: SPAWNED is the program itself, not a shell around it. bats waits for whoever holds its 3.
spawn() {
	local name=$1 out=$2 enter=()
	shift 2
	[ "$name" = here ] || enter=(ip netns exec "$(host_netns "$name")")
	(exec "${enter[@]}" env PATH="$SKEP_DIR/$name/bin:$PATH" "$@" </dev/null >"$out" 2>&1 3>&-) &
	SPAWNED=$!
	SKEP_SPAWNED+=("$SPAWNED")
}

stop_spawned() {
	kill "$1" 2>/dev/null || true
	wait "$1"
}

# host_new NAME: the first call makes the wire, a bridge in a namespace of its own. Sets HOST_ADDR_NAME.
host_new() {
	local name=$1 wire ns n
	wire=$(host_netns wire) ns=$(host_netns "$1")
	if [ ${#SKEP_HOSTS[@]} = 0 ]; then
		ip netns add "$wire"
		ip -n "$wire" link set lo up
		ip -n "$wire" link add wire0 type bridge
		ip -n "$wire" link set wire0 up
	fi
	SKEP_HOSTS+=("$name")
	n=${#SKEP_HOSTS[@]}
	host_dirs "$name"
	ip netns add "$ns"
	ip -n "$ns" link set lo up
	ip -n "$wire" link add "port$n" type veth peer name wire netns "$ns"
	ip -n "$wire" link set "port$n" master wire0 up
	ip -n "$ns" addr add "10.77.0.$n/24" dev wire
	ip -n "$ns" link set wire up
	printf -v "HOST_ADDR_$name" '10.77.0.%d' "$n"
}

# What `migrate --rsh` takes: a command that is called as ssh is, where a host is the name of a test host.
host_rsh() {
	local name
	for name in "${SKEP_HOSTS[@]}"; do
		echo "$name $(host_netns "$name") $SKEP_DIR/$name/bin"
	done >"$SKEP_DIR/hosts"
	echo "$REPO/tests/lib/rsh $SKEP_DIR/hosts"
}

# Destroys each container that the test left on that host.
host_empty() {
	local name ct rc=0
	[ -x "$BUILD/skepctl" ] || return 0
	for ct in "$SKEP_DIR/$1"/lib/ct/*/; do
		[ -d "$ct" ] || continue
		name=$(basename "$ct")
		on "$1" skepctl destroy --force "$name" || rc=1
	done
	return $rc
}

fails_with() {
	local code=$1 text=$2 out rc=0
	shift 2
	out=$("$@" 2>&1) || rc=$?
	if [ "$rc" != "$code" ] || [[ $out != *"$text"* ]]; then
		printf 'wanted exit %s and "%s" from: %s\ngot exit %s: %s\n' "$code" "$text" "$*" "$rc" "$out"
		return 1
	fi
}
