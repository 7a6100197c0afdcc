# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2016 # what is in single quotes is for the shell in the container
# The runtime-spec's linux.resources (config-linux.md, Control groups): each value is in its file, of cgroup v1 or v2. Each test is named by its section.

bats_require_minimum_version 1.5.0
load ../lib/oci

UNIFIED=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
enabled() { [ -z "$UNIFIED" ] || cat "$UNIFIED/cgroup.subtree_control"; }

setup() {
	oci_setup
	BEFORE=$(enabled)
}
# A controller that a limit needed stays enabled, as other runtimes leave it; this host is to be as it was.
teardown() {
	local controller
	oci_teardown || return
	for controller in $(enabled); do
		[[ " $BEFORE " == *" $controller "* ]] || echo "-$controller" >"$UNIFIED/cgroup.subtree_control"
	done
}

refused() { fails_with 1 "$1" oci run --bundle "$BUNDLE" "$ID"; }

with() {
	bundle ".process.args = [\"sleep\", \"1000\"] | .linux.resources = {$1}"
	oci run --detach --bundle "$BUNDLE" "$ID" >/dev/null 3>&-
}

# holds V1DIR V1FILE V2FILE VALUE1 [VALUE2]: that file of the container's group, whichever there is.
holds() {
	local v1=/sys/fs/cgroup/$1/skep-$ID/$2 v2 want=$4
	if [ -e "$v1" ]; then
		v2=$v1
	else
		v2=$(find /sys/fs/cgroup -path "*/skep-$ID/$3") || true # others' groups come and go meanwhile
		want=${5:-$4}
	fi
	grep -qxF -- "$want" "$v2" || { echo "$v2: wanted $want, has $(cat "$v2")"; return 1; }
}

block_device() { cat /sys/block/*/dev | tail -1; }

@test "config-linux.md, Memory: limit, reservation, swap with memory, useHierarchy" {
	with 'memory: {limit: 67108864, reservation: 33554432, swap: 100663296, useHierarchy: true}'
	holds memory memory.limit_in_bytes memory.max 67108864
	holds memory memory.soft_limit_in_bytes memory.low 33554432
	holds memory memory.memsw.limit_in_bytes memory.swap.max 100663296 33554432
	[ ! -e /sys/fs/cgroup/memory/memory.use_hierarchy ] || holds memory memory.use_hierarchy none 1
}

@test "config-linux.md, Memory: a limit in which not even the first process fits is told as that" {
	bundle '.process.args = ["true"] | .linux.resources = {memory: {limit: 4096}}'
	refused 'killed for lack of memory: the limit of its control group is 4096 bytes'
	oci_gone "$ID"
	fails_with 1 'killed for lack of memory: the limit of its control group is 4096 bytes' oci create --bundle "$BUNDLE" "$ID"
	oci_gone "$ID"
}

@test "config-linux.md, CPU: shares, quota, period, burst, cpus, mems" {
	with 'cpu: {shares: 512, quota: 50000, period: 100000, burst: 20000, cpus: "0", mems: "0"}'
	holds cpu cpu.shares cpu.weight 512 59
	if [ -e "/sys/fs/cgroup/cpu/skep-$ID" ]; then
		holds cpu cpu.cfs_quota_us none 50000
		holds cpu cpu.cfs_period_us none 100000
	else
		holds cpu none cpu.max '50000 100000'
	fi
	holds cpu cpu.cfs_burst_us cpu.max.burst 20000
	holds cpuset cpuset.cpus cpuset.cpus 0
	holds cpuset cpuset.mems cpuset.mems 0
}

@test "config-linux.md, CPU: burst over quota is an error" {
	bundle '.process.args = ["true"] | .linux.resources = {cpu: {quota: 50000, period: 100000, burst: 60000}}'
	refused 'burst'
	oci_gone "$ID"
}

@test "config-linux.md, CPU: idle" {
	with 'cpu: {idle: 1}'
	holds cpu cpu.idle cpu.idle 1
}

@test "config-linux.md, CPU: realtimeRuntime, realtimePeriod; config.md, Linux Process: the priority of a real-time policy" {
	if [ ! -e /sys/fs/cgroup/cpu/cpu.rt_runtime_us ]; then
		bundle '.process.args = ["true"] | .linux.resources = {cpu: {realtimeRuntime: 5000, realtimePeriod: 500000}}'
		refused 'cpu.rt_period_us cannot be set'
		return
	fi
	bundle '.process.args = ["sleep", "1000"] | .linux.resources = {cpu: {realtimeRuntime: 5000, realtimePeriod: 500000}} | .process.scheduler = {policy: "SCHED_RR", priority: 7}'
	oci run --detach --bundle "$BUNDLE" "$ID" >/dev/null 3>&-
	holds cpu cpu.rt_runtime_us none 5000
	holds cpu cpu.rt_period_us none 500000
	[[ $(chrt -p "$(oci_pid "$ID")") == *SCHED_RR*'priority: 7' ]]
}

@test "config-linux.md, PIDs: limit; -1 is none" {
	with 'pids: {limit: 17}'
	holds pids pids.max pids.max 17
	oci delete --force "$ID"
	with 'pids: {limit: -1}'
	holds pids pids.max pids.max max
}

@test "config-linux.md, Block IO: weight, and rates of a device" {
	local dev
	dev=$(block_device)
	with "blockIO: {throttleReadBpsDevice: [{major: ${dev%:*}, minor: ${dev#*:}, rate: 1048576}], throttleWriteBpsDevice: [{major: ${dev%:*}, minor: ${dev#*:}, rate: 2097152}],
		throttleReadIOPSDevice: [{major: ${dev%:*}, minor: ${dev#*:}, rate: 100}], throttleWriteIOPSDevice: [{major: ${dev%:*}, minor: ${dev#*:}, rate: 200}]}"
	if [ -d "/sys/fs/cgroup/blkio/skep-$ID" ]; then
		holds blkio blkio.throttle.read_bps_device none "$dev 1048576"
		holds blkio blkio.throttle.write_bps_device none "$dev 2097152"
		holds blkio blkio.throttle.read_iops_device none "$dev 100"
		holds blkio blkio.throttle.write_iops_device none "$dev 200"
	else
		holds blkio none io.max "$dev rbps=1048576 wbps=2097152 riops=100 wiops=200"
	fi
	oci delete --force "$ID"
	with 'blockIO: {weight: 200}'
	if [ -e "/sys/fs/cgroup/blkio/skep-$ID/blkio.bfq.weight" ]; then
		holds blkio blkio.bfq.weight none 200
	else
		find /sys/fs/cgroup -path "*/skep-$ID/io*weight" -exec grep -H 200 {} + | grep -q .
	fi
}

# The kernel takes a device's weight only while its scheduler is BFQ, and knows leaves no more since it dropped CFQ.
@test "config-linux.md, Block IO: weightDevice, leafWeight: there, or an error that names the file" {
	local dev file
	dev=$(block_device)
	bundle ".process.args = [\"sleep\", \"1000\"] | .linux.resources = {blockIO: {weightDevice: [{major: ${dev%:*}, minor: ${dev#*:}, weight: 300}]}}"
	if run oci run --detach --bundle "$BUNDLE" "$ID" 3>&- && [ "$status" = 0 ]; then
		find /sys/fs/cgroup -path "*/skep-$ID/*weight*" -print0 | xargs -0 grep -qxF "$dev 300"
		oci delete --force "$ID"
	else
		[[ $output == *bfq.weight* || $output == *io.weight* || $output == *blkio.weight_device* ]]
	fi
	for file in leaf_weight leaf_weight_device; do
		[ ! -e /sys/fs/cgroup/blkio/blkio.leaf_weight ] || skip 'this kernel has CFQ'
		bundle '.process.args = ["true"] | .linux.resources = {blockIO: {leafWeight: 300}}'
		[ $file = leaf_weight ] || configure '.linux.resources = {blockIO: {weightDevice: [{major: 1, minor: 0, leafWeight: 300}]}}'
		refused "blkio.$file cannot be set"
	done
	oci_gone "$ID"
}

@test "config-linux.md, Huge page limits: of reservations and of usage" {
	local size
	size=$(find /sys/fs/cgroup/*/ /sys/fs/cgroup -maxdepth 1 -name 'cgroup.controllers' -exec grep -lw hugetlb {} + 2>/dev/null | head -1)
	if [ -z "$size" ]; then
		bundle '.process.args = ["true"] | .linux.resources = {hugepageLimits: [{pageSize: "2MB", limit: 4194304}]}'
		refused 'hugetlb.2MB.max cannot be set'
		return
	fi
	with 'hugepageLimits: [{pageSize: "2MB", limit: 4194304}]'
	holds hugetlb none hugetlb.2MB.max 4194304
	[ -z "$(find /sys/fs/cgroup -path "*/skep-$ID/hugetlb.2MB.rsvd.max")" ] || holds hugetlb none hugetlb.2MB.rsvd.max 4194304
	oci delete --force "$ID"
	bundle '.process.args = ["true"] | .linux.resources = {hugepageLimits: [{pageSize: "7MB", limit: 4194304}]}'
	refused 'hugetlb.7MB.max cannot be set'
}

# A hierarchy that is unmounted while a group in it is still on its way out stays for ever, mounted nowhere (cgroup_kill_sb() in kernel/cgroup/cgroup.c), and criu, which mounts what /proc/cgroups lists, fails at it
# from then on: EBUSY. Mounted and unmounted without a group it goes.
net_prio_is_free() { grep -qE '^net_prio[[:space:]]+0[[:space:]]' /proc/cgroups; }
free_net_prio() {
	net_prio_is_free && return
	# It goes a grace period later.
	unshare --mount sh -c 'mount -t cgroup -o net_prio skep "$1" && umount "$1"' sh "$SKEP_DIR/prio"
	return 1
}
# net_cls and net_prio are of cgroup v1 alone. Where nobody uses net_prio, a hierarchy of it is made for the length of one container, seen by nobody else.
@test "config-linux.md, Network: classID, priorities: there, or an error that names the file" {
	bundle '.process.args = ["sh", "-c", "true"] | .linux.resources = {network: {classID: 1048577}}'
	[ -n "$(find /sys/fs/cgroup -maxdepth 2 -name net_cls.classid)" ] || refused 'net_cls.classid cannot be set'
	bundle '.process.args = ["true"] | .linux.resources = {network: {priorities: [{name: "lo", priority: 5}]}}'
	if ! net_prio_is_free; then
		[ -n "$(find /sys/fs/cgroup -maxdepth 2 -name net_prio.ifpriomap)" ] || refused 'net_prio.ifpriomap cannot be set'
		return
	fi
	refused 'net_prio.ifpriomap cannot be set'
	mkdir "$SKEP_DIR/prio"
	# A hook sees the group while it is there.
	configure ".hooks.createRuntime = [{path: \"/bin/sh\", args: [\"sh\", \"-c\", \"cat $SKEP_DIR/prio/skep-$ID/net_prio.ifpriomap >$SKEP_DIR/map; grep :net_prio: /proc/\$(jq .pid)/cgroup >>$SKEP_DIR/map\"]}]"
	on here unshare --mount sh -c 'dir=$1; shift; mount -t cgroup -o net_prio skep "$dir" && "$@"; code=$?; umount "$dir"; exit $code' sh "$SKEP_DIR/prio" skep run --bundle "$BUNDLE" "$ID"
	wait_for 30 free_net_prio
	grep -qx 'lo 5' "$SKEP_DIR/map"
	grep -q ":net_prio:/skep-$ID\$" "$SKEP_DIR/map"
}

# bats test_tags=host
@test "config-linux.md, Cgroup ownership: of the process's user when it is mounted writable, files that are listed and no other; else root's" {
	local dir file
	[ -n "$(awk '$3 == "cgroup2"' /proc/mounts)" ] || skip 'no cgroup2'
	bundle '.process.args = ["sleep", "1000"] | .process.user = {uid: 7, gid: 8} | .mounts |= map(if .destination == "/sys/fs/cgroup" then .options -= ["ro"] else . end)'
	with_userns
	oci run --detach --bundle "$BUNDLE" "$ID" >/dev/null 3>&-
	dir=$(dirname "$(find /sys/fs/cgroup -path "*/skep-$ID/ct/cgroup.procs")")
	[ "$(stat -c %u:%g "$dir")" = 1500000007:0 ]
	while read -r file; do
		[ ! -e "$dir/$file" ] || [ "$(stat -c %u "$dir/$file")" = 1500000007 ]
	done < <(cat /sys/kernel/cgroup/delegate)
	[ "$(stat -c %u "$dir/cgroup.kill")" = 0 ]
	# What limits it is not its own.
	[ "$(stat -c %u "$dir/..")" = 0 ]
	[ -z "$(find /sys/fs/cgroup -path "*/skep-$ID*" -uid 1500000007 ! -path "$dir*")" ]
	oci exec "$ID" mkdir /sys/fs/cgroup/mine
	oci delete --force "$ID"
	configure '.mounts |= map(if .destination == "/sys/fs/cgroup" then .options += ["ro"] else . end)'
	oci run --detach --bundle "$BUNDLE" "$ID" >/dev/null 3>&-
	[ -z "$(find /sys/fs/cgroup -path "*/skep-$ID*" -uid 1500000007)" ]
}

# What programs size themselves by: its limits are one level up, out of its reach.
# bats test_tags=host
@test "config-linux.md, Control groups: who has a group of its own to write to finds its limits in it, also when they are changed" {
	local want=() file
	sees() { [ "$(oci exec "$ID" sh -c 'cat /sys/fs/cgroup/$1 2>/dev/null || cat /sys/fs/cgroup/unified/$1' - "$1")" = "$2" ]; }
	[ -n "$UNIFIED" ] || skip 'no cgroup2'
	bundle '.process.args = ["sleep", "1000"] | .mounts |= map(if .destination == "/sys/fs/cgroup" then .options -= ["ro"] else . end)'
	grep -qw hugetlb "$UNIFIED/cgroup.controllers" && want+=(hugetlb.2MB.max 4194304 8388608)
	grep -qw memory "$UNIFIED/cgroup.controllers" && want+=(memory.max 67108864 134217728 memory.oom.group 1 0)
	grep -qw cpu "$UNIFIED/cgroup.controllers" && want+=(cpu.max '50000 100000' '20000 50000' cpu.weight 77 88)
	grep -qw pids "$UNIFIED/cgroup.controllers" && want+=(pids.max 33 44)
	[ ${#want[@]} -gt 0 ] || skip 'no controller of cgroup2'
	values() { printf '%s\n' "${want[@]}" | jq -Rnc "[inputs] | [range(0; length; 3) as \$i | {(.[\$i]): .[\$i + $1]}] | add"; }
	configure ".linux.resources = {unified: $(values 1)}"
	oci run --detach --bundle "$BUNDLE" "$ID" >/dev/null 3>&-
	[ -n "$(find /sys/fs/cgroup -path "*/skep-$ID/ct/cgroup.procs")" ]
	for ((file = 0; file < ${#want[@]}; file += 3)); do sees "${want[file]}" "${want[file + 1]}"; done
	jq -n "{unified: $(values 2)}" | oci update --resources - "$ID"
	for ((file = 0; file < ${#want[@]}; file += 3)); do sees "${want[file]}" "${want[file + 2]}"; done
}

@test "config-linux.md, Unified: written to the file, also one that we do not know; as cgroup v1 has it, or an error" {
	local file
	with 'unified: {"pids.max": "33", "memory.max": "67108864"}'
	holds pids pids.max pids.max 33
	holds memory memory.limit_in_bytes memory.max 67108864
	oci delete --force "$ID"
	if [ -e /sys/fs/cgroup/memory/memory.limit_in_bytes ]; then
		bundle '.process.args = ["true"] | .linux.resources = {unified: {"memory.high": "67108864"}}'
		refused 'memory'
		oci_gone "$ID"
	fi
	# Of a controller that cgroup2 has, as on a hybrid host.
	file=$(find /sys/fs/cgroup -maxdepth 2 -name cgroup.controllers -exec grep -lw hugetlb {} + | head -1)
	if [ -n "$file" ]; then
		with 'unified: {"hugetlb.2MB.max": "4194304"}'
		holds hugetlb none hugetlb.2MB.max 4194304
	else
		with 'unified: {"memory.oom.group": "1"}'
		holds memory none memory.oom.group 1
	fi
}
