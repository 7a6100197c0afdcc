# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# For bats files: `load ../lib/skep`. Every test gets its own state roots, container names and test hosts. tests/demo/run uses it, too.
#
#   skepctl ...          runs skepctl on the test host "here": a network namespace with its own --root and --state
#   fails_with CODE TEXT CMD...   CMD must exit with CODE and say TEXT in its error line
#   ct_name              a container name that no other test has
#   template_probe NAME; template_busybox NAME   gives that host the template "probe" or "busybox"
#   host_new A; host_new B   further test hosts, at 10.77.0.N on one wire, which is a port of their bridge br0
#   on A skepctl start x     runs there
#   spawn A OUT CMD... CMD goes on in the background there, its output in the file OUT; SPAWNED is its pid; ended by teardown
#   stop_spawned PID     ends it and returns its exit code
#   wait_for 30 CMD...   until CMD succeeds, with a deadline
# Addresses (10.77.0.0/16) live only inside those namespaces, which are files (not names in /run/netns) and so as private as the rest.

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
	SKEP_DIR=${SKEP_DIR:-$BATS_TEST_TMPDIR}
	SKEP_HOSTS=() SKEP_SPAWNED=() SKEP_PORTS=0
	# In the environment of all that the test starts, and of what that starts.
	export SKEP_TEST_MARK=$SKEP_DIR
	echo 0 >"$SKEP_DIR/names"
	mkdir "$SKEP_DIR/net"
	host_bare here
}

skep_teardown() {
	local name pid rc=0
	for pid in "${SKEP_SPAWNED[@]}"; do stop_spawned "$pid" >/dev/null 2>&1 || true; done
	for name in "${SKEP_HOSTS[@]}"; do host_empty "$name" || rc=1; done
	# A test that failed may leave things, and says so itself; one that passed may not.
	for name in "${SKEP_HOSTS[@]}"; do
		[ -z "${BATS_TEST_COMPLETED:-}" ] || net_is_as_new "$name" || rc=1
	done
	for name in "$SKEP_DIR"/net/*.ns; do
		[ ! -e "$name" ] || { umount "$name" && rm "$name"; } || rc=1
	done
	if [ -n "${BATS_TEST_COMPLETED:-}" ]; then nothing_left || rc=1; else take_mounts; fi
	return $rc
}

# What a test mounted that did not come to its end.
take_mounts() { test_things | sed -n 's/^mount //p' | tac | while read -r at; do umount -l "$at" || true; done; }

# Called in subshells: the count is in a file.
ct_name() {
	local n=$(($(cat "$SKEP_DIR/names") + 1))
	echo $n >"$SKEP_DIR/names"
	echo "t${SKEP_ID//_/-}-$n"
}

# What is ours on this machine: others may work at the same time. All of the host is compared by tests/run, once for all files that run beside each other.
test_things() {
	local f
	find /sys/fs/cgroup -type d -name "*t${SKEP_ID//_/-}-*" -printf 'cgroup %p\n' 2>/dev/null
	awk -v dir="$SKEP_DIR/" 'index($0, dir) && !index($0, dir "net/") { print "mount", $5 }' /proc/self/mountinfo
	grep -lF "$SKEP_DIR/" /sys/block/loop*/loop/backing_file 2>/dev/null
	# Two programs for all processes, not two for each: that is seconds in a machine whose code is translated. The list is made before the first of them runs.
	local pids=(/proc/[0-9]*)
	{
		grep -lszxF "SKEP_TEST_MARK=$SKEP_DIR" "${pids[@]/%//environ}"
		grep -lszF "$SKEP_DIR/" "${pids[@]/%//cmdline}"
	} | cut -d/ -f3 | sort -u | while read -r f; do printf 'process %s %s\n' "$f" "$(tr '\0' ' ' <"/proc/$f/cmdline")"; done
}

nothing_of_test() { [ -z "$(test_things)" ]; }
nothing_left() {
	wait_for 30 nothing_of_test 2>/dev/null && return 0
	printf 'left behind:\n'
	test_things
	return 1
}

# State roots of a host, and a skepctl and a skep that use them.
host_dirs() {
	local dir=$SKEP_DIR/$1
	mkdir -p "$dir"/{lib,run,oci,bin}
	echo '{}' >"$dir/skep.conf"
	printf '#!/bin/sh\nSKEP_CONF=%q exec %q --root %q --state %q "$@"\n' "$dir/skep.conf" "$BUILD/skepctl" "$dir/lib" "$dir/run" \
		>"$dir/bin/skepctl"
	printf '#!/bin/sh\nexec %q --root %q "$@"\n' "$BUILD/skep" "$dir/oci" >"$dir/bin/skep"
	chmod +x "$dir"/bin/*
}

host_net() { echo "$SKEP_DIR/net/$1.ns"; }
# in_net NAME CMD...: not `ip netns exec`, which mounts another /sys over the cgroup hierarchies.
in_net() {
	local net
	net=$(host_net "$1")
	shift
	nsenter --net="$net" -- "$@"
}
# exec'ed by the subshell that calls it.
exec_in_net() {
	local net
	net=$(host_net "$1")
	shift
	exec nsenter --net="$net" -- "$@"
}

net_new() {
	local net
	net=$(host_net "$1")
	touch "$net"
	unshare --net="$net" true
	in_net "$1" ip link set lo up
}

# What containers could leave in a host's network.
net_things() {
	# shellcheck disable=SC2016 # the inner shell expands it
	in_net "$1" sh -c 'ip -o link | sed "s/^[0-9]*: //; s/@.*//; s/: <.*//"; nft list ruleset
		ip -o route show table all | grep -vE " (fe80::|ff00::/8 )|^(fe80::|anycast)" # of the links, whenever they feel like it
		ip rule; for f in ipv4/ip_forward ipv4/conf/all/proxy_arp ipv6/conf/all/forwarding; do
		echo "$f $(cat /proc/sys/net/$f)"; done' | sort
}
net_matches() { net_things "$1" | cmp -s - "$SKEP_DIR/net/$1"; }
net_is_as_new() {
	# Vanishing links need some ms; IPv6 routes of links come late.
	wait_for 30 net_matches "$1" 2>/dev/null && return 0
	printf 'the network of test host %s is not as before:\n' "$1"
	net_things "$1" | diff "$SKEP_DIR/net/$1" - | sed -n 's/^> /+ /p; s/^< /- /p'
	return 1
}

# The plain command of this test's host; the bats `run` works with it.
skepctl() { on here skepctl "$@"; }
oci() { on here skep "$@"; }

# on NAME CMD...: in that test host's network, with its state roots.
on() {
	local name=$1
	shift
	in_net "$name" env PATH="$SKEP_DIR/$name/bin:$PATH" "$@"
}

# exec in the subshell: SPAWNED is the program itself, not a shell around it. bats waits for whoever holds its 3.
spawn() {
	local name=$1 out=$2
	shift 2
	(exec_in_net "$name" env PATH="$SKEP_DIR/$name/bin:$PATH" "$@" </dev/null >"$out" 2>&1 3>&-) &
	SPAWNED=$!
	SKEP_SPAWNED+=("$SPAWNED")
}

stop_spawned() {
	kill "$1" 2>/dev/null || true
	kill -CONT "$1" 2>/dev/null || true # one that a fault point stopped hears nothing
	wait "$1"
}

# criu_of PID: the criu that this process has begun.
criu_of() {
	local child
	# shellcheck disable=SC2013 # words
	for child in $(cat "/proc/$1/task/"*/children); do
		[[ $(readlink "/proc/$child/exe") != */criu ]] || { echo "$child" && return; }
	done
	return 1
}

# host_bare NAME: a test host without any wire.
host_bare() {
	host_dirs "$1"
	net_new "$1"
	SKEP_HOSTS+=("$1")
	net_things "$1" >"$SKEP_DIR/net/$1"
}

# wire_port NAME: the link "wire" in that namespace, at 10.77.0.N. The first call makes the wire, a bridge in a namespace of its own.
wire_port() {
	[ -e "$(host_net wire)" ] || {
		net_new wire
		in_net wire ip link add wire0 type bridge
		in_net wire ip link set wire0 up
	}
	SKEP_PORTS=$((SKEP_PORTS + 1))
	in_net wire ip link add "port$SKEP_PORTS" type veth peer name wire netns "$(host_net "$1")"
	in_net wire ip link set "port$SKEP_PORTS" master wire0 up
	# Without a link-local address: its routes would come and go seconds later.
	in_net "$1" ip link set wire addrgenmode none
	in_net "$1" ip link set wire up
	printf -v "HOST_ADDR_$1" '10.77.0.%d' "$SKEP_PORTS"
}

# host_new NAME: containers with `--bridge br0 --ip 10.77.N.N/16` are on the wire with all other hosts. Sets HOST_ADDR_NAME.
host_new() {
	local addr
	host_dirs "$1"
	net_new "$1"
	wire_port "$1"
	addr=HOST_ADDR_$1
	in_net "$1" ip link add br0 type bridge
	in_net "$1" ip link set br0 addrgenmode none
	# A bridge without an address of its own takes the lowest of its ports: containers come and go, and who knows the host by another one talks to nobody.
	in_net "$1" ip link set br0 address "$(in_net "$1" ip -j link show wire | jq -r '.[0].address')"
	in_net "$1" ip link set wire master br0
	in_net "$1" ip addr add "${!addr}/16" dev br0
	in_net "$1" ip link set br0 up
	SKEP_HOSTS+=("$1")
	net_things "$1" >"$SKEP_DIR/net/$1"
}

# client_new NAME: a namespace on the wire that is no host.
client_new() {
	local addr
	net_new "$1"
	wire_port "$1"
	addr=HOST_ADDR_$1
	in_net "$1" ip addr add "${!addr}/16" dev wire
	mkdir -p "$SKEP_DIR/$1/bin"
}

# What `migrate --rsh` takes: a command that is called as ssh is, where a host is the name of a test host.
host_rsh() {
	local name
	for name in "${SKEP_HOSTS[@]}"; do
		echo "$name $(host_net "$name") $SKEP_DIR/$name/bin"
	done >"$SKEP_DIR/hosts"
	echo "$REPO/tests/lib/rsh $SKEP_DIR/hosts"
}

# The template "probe": one static program that is init, or what --init "/probe counter 7000" says.
template_probe() {
	[ ! -d "$SKEP_DIR/$1/lib/templates/probe" ] || return 0
	mkdir -p "$SKEP_DIR"/probe/{sbin,etc,dev,proc,sys,tmp,run}
	cp "$PROBE" "$SKEP_DIR/probe/probe"
	ln -sf /probe "$SKEP_DIR/probe/sbin/init"
	on "$1" skepctl template import probe "$SKEP_DIR/probe"
}

template_busybox() {
	[ -d "$SKEP_DIR/$1/lib/templates/busybox" ] || on "$1" skepctl template build busybox
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
