# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2016 # what is in single quotes is for the shell in the container
# The runtime-spec's MUSTs in config-linux.md about what is the host's: memory nodes, network devices, caches, labels. Each test is named by its section.

bats_require_minimum_version 1.5.0
load ../lib/oci

setup() { oci_setup; }
# Of a virtual link that a container has, the other end goes with the container.
teardown() {
	local link
	for link in peerone peertwo; do
		in_net here ip link del "$link" 2>/dev/null || true
	done
	oci_teardown
}

refused() { fails_with 1 "$1" oci run --bundle "$BUNDLE" "$ID"; }

# policy JSON: the policy that the program's own memory has. A line of numa_maps begins with the address and the policy.
policy() {
	bundle ".process.args = [\"sh\", \"-c\", \"sed -n 2p /proc/self/numa_maps | cut -d' ' -f2-4\"] | .linux.memoryPolicy = $1"
	ln -sf busybox "$BUNDLE/rootfs/bin/sed"
	oci run --bundle "$BUNDLE" "$ID"
}

@test "config-linux.md, Memory policy: each mode, nodes, flags; of the program and of an exec" {
	[ -e /proc/self/numa_maps ] || skip 'this kernel has no NUMA'
	[[ $(policy '{mode: "MPOL_DEFAULT"}') == 'default '* ]]
	[[ $(policy '{mode: "MPOL_LOCAL"}') == 'local '* ]]
	[[ $(policy '{mode: "MPOL_BIND", nodes: "0"}') == 'bind:0 '* ]]
	[[ $(policy '{mode: "MPOL_INTERLEAVE", nodes: " 0-0,"}') == 'interleave:0 '* ]]
	[[ $(policy '{mode: "MPOL_PREFERRED", nodes: "0", flags: ["MPOL_F_STATIC_NODES"]}') == 'prefer=static:0 '* ]]
	[[ $(policy '{mode: "MPOL_PREFERRED_MANY", nodes: "0", flags: []}') == 'prefer (many):0 '* ]]
	if [ -e /sys/kernel/mm/mempolicy/weighted_interleave ]; then
		[[ $(policy '{mode: "MPOL_WEIGHTED_INTERLEAVE", nodes: "0"}') == 'weighted interleave:0 '* ]]
		[[ $(policy '{mode: "MPOL_BIND", nodes: "0", flags: ["MPOL_F_NUMA_BALANCING", "MPOL_F_RELATIVE_NODES"]}') == 'bind=relative|balancing:0 '* ]]
	fi
	bundle '.process.args = ["sleep", "1000"] | .linux.memoryPolicy = {mode: "MPOL_BIND", nodes: "0"}'
	oci run --detach --bundle "$BUNDLE" "$ID" >/dev/null 3>&-
	[[ $(oci exec "$ID" grep -m1 bind /proc/self/numa_maps) == *' bind:0 '* ]]
}

@test "config-linux.md, Memory policy: what the kernel refuses is an error, and nothing is left" {
	local bad
	[ -e /proc/self/numa_maps ] || skip 'this kernel has no NUMA'
	for bad in '{mode: "MPOL_INTERLEAVE"}' '{mode: "MPOL_DEFAULT", nodes: "0"}' '{mode: "MPOL_BIND", nodes: "1000"}' \
		'{mode: "MPOL_PREFERRED", flags: ["MPOL_F_NUMA_BALANCING"]}' '{mode: "MPOL_PREFERRED", flags: ["MPOL_F_RELATIVE_NODES", "MPOL_F_STATIC_NODES"]}'; do
		bundle ".process.args = [\"true\"] | .linux.memoryPolicy = $bad"
		refused 'linux.memoryPolicy: set_mempolicy'
	done
	fails_with 1 'linux.memoryPolicy: set_mempolicy' oci create --bundle "$BUNDLE" "$ID"
	oci_gone "$ID"
}

# A link in the test's own network namespace "here", which is where skep runs: one end of a pair, since not every kernel has dummies.
host_link() {
	in_net here ip link add "$1" type veth peer name "peer$1"
	in_net here ip link set "$1" mtu 1400 address 02:00:00:00:77:01
	in_net here ip addr add 10.77.9.3/24 brd 10.77.9.254 dev "$1"
	in_net here ip addr add 10.77.9.4/32 dev "$1"
	in_net here ip addr add 10.77.9.5/24 dev "$1" valid_lft 1000 preferred_lft 1000
	in_net here ip addr add 169.254.7.7/16 scope link dev "$1"
	in_net here ip -6 addr add fd77::3/64 nodad dev "$1" 2>/dev/null || true
}

@test "config-linux.md, Network Devices: moved, named, up, with what it was and its permanent global addresses" {
	local pid
	bundle '.process.args = ["sleep", "1000"] | .linux.netDevices = {one: {name: "inside"}, two: {}}'
	host_link one
	in_net here ip link add two type veth peer name peertwo
	oci create --bundle "$BUNDLE" "$ID" >/dev/null 3>&-
	pid=$(oci_pid "$ID")
	run ! in_net here ip link show one
	run -0 nsenter -t "$pid" -n ip addr show inside
	[[ $output == *'mtu 1400'*'link/ether 02:00:00:00:77:01'* ]]
	[[ $output == *'<'*UP*'>'* ]]
	[[ $output == *'inet 10.77.9.3/24 brd 10.77.9.254 scope global inside'* ]]
	[[ $output == *'inet 10.77.9.4/32 scope global inside'* ]]
	[[ $output != *10.77.9.5* && $output != *169.254.7.7* ]]
	[ ! -e /proc/sys/net/ipv6 ] || [[ $output == *'inet6 fd77::3/64 scope global'* ]]
	run -0 nsenter -t "$pid" -n ip link show two
	[[ $output == *'<'*UP*'>'* ]]
}

@test "config-linux.md, Network Devices: a name that is taken is an error and leaves the device as it was, one with %d is not" {
	local pid
	bundle '.process.args = ["sleep", "1000"] | .linux.netDevices = {one: {name: "lo"}}'
	host_link one
	in_net here ip link set one up
	refused 'move network device one, to be called lo'
	oci_gone "$ID"
	run -0 in_net here ip addr show one
	[[ $output == *UP*'10.77.9.3/24 brd 10.77.9.254'* ]]
	configure '.linux.netDevices = {one: {name: "lo%d"}, nosuch: {}}'
	refused 'move network device nosuch'
	oci_gone "$ID"
	# The first was inside already.
	run -0 in_net here ip addr show one
	[[ $output == *'<'*UP*'>'*'mtu 1400'*'10.77.9.3/24 brd 10.77.9.254'* ]]
	configure '.linux.netDevices = {one: {name: "lo%d"}}'
	oci run --detach --bundle "$BUNDLE" "$ID" >/dev/null 3>&-
	pid=$(oci_pid "$ID")
	run -0 nsenter -t "$pid" -n ip addr show lo0
	[[ $output == *10.77.9.3/24* ]]
	oci delete --force "$ID"
	configure '.linux.namespaces |= map(select(.type != "network")) | .linux.netDevices = {peerone: {}}'
	refused 'linux.netDevices: unable to move network devices without a private NET namespace'
}

@test "config-linux.md, Network Devices: back where they were when the container does not come to be" {
	bundle '.process.args = ["true"] | .linux.netDevices = {one: {name: "inside"}} | .hooks.createRuntime = [{path: "/bin/false"}]'
	host_link one
	refused 'createRuntime'
	run -0 in_net here ip addr show one
	[[ $output != *'<'*UP*'>'* && $output == *'10.77.9.3/24 brd 10.77.9.254'* ]]
	oci_gone "$ID"
	# Behind its creation, too.
	configure 'del(.hooks)'
	fails_with 1 'pid file' oci create --pid-file "$SKEP_DIR/nowhere/pid" --bundle "$BUNDLE" "$ID"
	run -0 in_net here ip addr show one
	[[ $output == *'10.77.9.3/24 brd 10.77.9.254'* ]]
	configure '.hooks.startContainer = [{path: "/bin/false"}]'
	refused 'startContainer'
	run -0 in_net here ip addr show one
	[[ $output == *'10.77.9.3/24 brd 10.77.9.254'* ]]
	oci_gone "$ID"
}

@test "config-linux.md, Network Devices: not looked after inside, and not brought back at the end" {
	bundle '.process.args = ["sleep", "1000"] | .linux.netDevices = {one: {}}'
	host_link one
	oci create --bundle "$BUNDLE" "$ID" >/dev/null 3>&-
	nsenter -t "$(oci_pid "$ID")" -n ip link set one down
	oci start "$ID"
	oci update --pids-limit 50 "$ID"
	oci pause "$ID"
	oci resume "$ID"
	[[ $(nsenter -t "$(oci_pid "$ID")" -n ip link show one) != *'<'*UP*'>'* ]]
	oci delete --force "$ID"
	# The end of the namespace is the end of a link that is not physical.
	wait_for 30 eval '! in_net here ip link show peerone 2>/dev/null'
	run ! in_net here ip link show one
}

# What is done on a host that has one: tests/unit/cgroups/rdt_test.c.
@test "config-linux.md, IntelRdt: without a resctrl file system it is an error, and nothing is made" {
	[ ! -d /sys/fs/resctrl/info ] || skip 'this host has resctrl'
	bundle '.process.args = ["true"] | .linux.intelRdt = {closID: "x", l3CacheSchema: "L3:0=1"}'
	refused 'linux.intelRdt: no resctrl file system is mounted on /sys/fs/resctrl'
	configure '.linux.intelRdt = {}'
	refused 'linux.intelRdt: no resctrl'
	configure 'del(.linux.intelRdt)'
	oci run --bundle "$BUNDLE" "$ID"
	oci_gone "$ID"
}

@test "config-linux.md, Mount Label: a host without SELinux has none, and says so; that of a process is an error" {
	[ ! -d /sys/fs/selinux ] || skip 'this host has SELinux'
	bundle '.process.args = ["true"] | .linux.mountLabel = "system_u:object_r:container_file_t:s0:c1,c2"'
	run -0 oci run --bundle "$BUNDLE" "$ID"
	[[ $output == *'warning: linux.mountLabel: this host has no SELinux, or does not use it'* ]]
	configure '.linux.mountLabel = ""'
	run -0 oci run --bundle "$BUNDLE" "$ID"
	[ -z "$output" ]
	configure '.process.selinuxLabel = "system_u:system_r:container_t:s0:c1,c2"'
	refused 'process.selinuxLabel: this host has no SELinux, or does not use it'
}
