# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2016 # what is in single quotes is for the shell in the container
# skep update and events: limits of a running container, what it uses, what it is told when memory runs out.

bats_require_minimum_version 1.5.0
load ../lib/oci

setup() { oci_setup; }
teardown() { oci_teardown; }

start_sleeper() {
	bundle '.process.args = ["sleep", "1000"] | .linux.resources.memory.limit = 67108864 | .linux.resources.cpu = {quota: 50000, period: 100000}'
	oci run --detach --bundle "$BUNDLE" "$ID" >/dev/null 3>&-
}

# file V1CONTROLLER V1FILE V2FILE: the limit's file on this host.
file() {
	local v1=/sys/fs/cgroup/$1/skep-$ID/$2 v2
	if [ -e "$v1" ]; then
		cat "$v1"
	else
		v2=$(find /sys/fs/cgroup -type d -path "*/skep-$ID") || true # others' groups come and go meanwhile
		cat "$v2/$3"
	fi
}
quota() { file cpu cpu.cfs_quota_us cpu.max | sed 's/^max/-1/; s/ .*//'; }
period() { file cpu cpu.cfs_period_us cpu.max | sed 's/.* //'; }
stats() { oci events --stats "$ID" | jq -e "$1"; }

@test "update: each flag changes its limit, and the others stay" {
	start_sleeper
	oci update --memory 32M "$ID"
	[ "$(file memory memory.limit_in_bytes memory.max)" = 33554432 ]
	[ "$(quota)" = 50000 ]
	oci update --pids-limit 20 "$ID"
	[ "$(file pids pids.max pids.max)" = 20 ]
	oci update --pids-limit -1 "$ID"
	[ "$(file pids pids.max pids.max)" = max ]
	oci update --cpu-share 512 "$ID"
	[[ $(file cpu cpu.shares cpu.weight) == @(512|59) ]]
	oci update --cpuset-cpus 0 --cpuset-mems 0 "$ID"
	[ "$(file cpuset cpuset.cpus cpuset.cpus)" = 0 ]
	oci update --cpu-quota -1 "$ID"
	[ "$(quota)" = -1 ]
	[ "$(file memory memory.limit_in_bytes memory.max)" = 33554432 ]
}

@test "update: of quota and period, the one that is not given stays" {
	start_sleeper
	oci update --cpu-period 50000 --cpu-quota 20000 "$ID"
	[ "$(quota)" = 20000 ]
	oci update --cpu-quota 10000 "$ID"
	[ "$(quota)" = 10000 ]
	[ "$(period)" = 50000 ]
	oci update --cpu-period 20000 "$ID"
	[ "$(quota)" = 10000 ]
	[ "$(period)" = 20000 ]
}

@test "update --resources: from a file, from the input; other flags are left out, device rules too" {
	start_sleeper
	echo '{"memory": {"limit": 50331648}, "devices": [{"allow": false, "access": "rwm"}]}' >"$SKEP_DIR/limits"
	oci update --resources "$SKEP_DIR/limits" --pids-limit 7 "$ID"
	[ "$(file memory memory.limit_in_bytes memory.max)" = 50331648 ]
	[ "$(file pids pids.max pids.max)" = max ]
	echo '{"pids": {"limit": 9}}' | oci update -r - "$ID"
	[ "$(file pids pids.max pids.max)" = 9 ]
	oci exec "$ID" sh -c 'echo x >/dev/null'
}

@test "update refuses what it cannot do, by its name, and changes nothing" {
	start_sleeper
	fails_with 1 '--memory' oci update --memory nonsense "$ID"
	[ -n "$(find /sys/fs/cgroup -name cpu.rt_period_us -print -quit)" ] || fails_with 1 'cpu.rt_period_us cannot be set' oci update --cpu-rt-period 1000 "$ID"
	if [ ! -d /sys/fs/resctrl/info ]; then
		fails_with 1 'no resctrl file system is mounted' oci update --l3-cache-schema 'L3:0=1' --memory 99999744 "$ID"
		fails_with 1 'no resctrl file system is mounted' oci update --mem-bw-schema 'MB:0=20' "$ID"
	fi
	fails_with 1 '--mem-bw-schema: must be one line that starts with MB:' oci update --mem-bw-schema 'L3:0=20' "$ID"
	echo '{"pids": {"limit": "x"}}' >"$SKEP_DIR/limits"
	fails_with 1 'pids.limit' oci update --resources "$SKEP_DIR/limits" "$ID"
	echo '{"rdma": {"mlx5": {"hcaHandles": 3}}}' >"$SKEP_DIR/limits"
	fails_with 1 'rdma' oci update --resources "$SKEP_DIR/limits" "$ID"
	fails_with 1 'is not from 10 to 1000' oci update --blkio-weight 5000 "$ID"
	[ "$(file memory memory.limit_in_bytes memory.max)" = 67108864 ]
	fails_with 1 'does not exist' oci update --memory 1G "no$ID"
	oci kill "$ID" KILL
	wait_for 30 oci_is "$ID" stopped
	fails_with 1 'cannot update' oci update --memory 1G "$ID"
}

@test "events --stats: runc's shape, with this container's numbers" {
	start_sleeper
	stats '.type == "stats" and .data.memory.usage.limit == 67108864 and .data.memory.usage.usage > 0 and .data.cpu.usage.total > 0
		and .data.pids.current >= 1 and (.data.memory.raw | length) > 5 and (.data | has("blkio") and has("hugetlb"))'
	[ "$(oci events --stats "$ID" | jq -r .id)" = "$ID" ]
	oci update --pids-limit 20 "$ID"
	stats '.data.pids.limit == 20'
	fails_with 1 "does not exist" oci events --stats "no$ID"
	fails_with 1 "--interval: '0s'" oci events --interval 0s "$ID"
	oci kill "$ID" KILL
	wait_for 30 oci_is "$ID" stopped
	fails_with 1 "container with id $ID is not running" oci events --stats "$ID"
}

@test "events: statistics at the interval, a word when memory runs out, the end with the container" {
	local rc=0
	start_sleeper
	spawn here "$SKEP_DIR/events" skep events --interval 100ms "$ID"
	wait_for 30 eval '[ "$(grep -c stats "$SKEP_DIR/events")" -ge 2 ]'
	run ! grep -q oom "$SKEP_DIR/events"
	run ! oci exec "$ID" sh -c 'cat /dev/zero | tail -c 1000000000' 3>&-
	wait_for 30 grep -q '"type":"oom"' "$SKEP_DIR/events"
	oci kill "$ID" KILL
	wait "$SPAWNED" || rc=$?
	[ "$rc" = 0 ]
}

# Where the two come together, its end must not hide the word.
@test "events: that memory ran out for init itself, before the end" {
	local rc=0
	bundle '.process.args = ["sh", "-c", "until [ -e /tmp/go ]; do sleep 1; done; exec tail -c 1000000000 </dev/zero"] | .linux.resources.memory.limit = 33554432'
	oci run --detach --bundle "$BUNDLE" "$ID" >/dev/null 3>&-
	spawn here "$SKEP_DIR/events" skep events --interval 100ms "$ID"
	wait_for 30 grep -q stats "$SKEP_DIR/events"
	: >"$BUNDLE/rootfs/tmp/go"
	wait "$SPAWNED" || rc=$?
	[ "$rc" = 0 ]
	grep -q '"type":"oom"' "$SKEP_DIR/events"
}

@test "config-linux.md, Memory: checkBeforeUpdate: a limit under what is in use is an error and changes nothing" {
	bundle '.process.args = ["sh", "-c", "head -c 20971520 /dev/zero >/tmp/x; echo full >/tmp/done; exec sleep 1000"] | .linux.resources.memory.limit = 67108864
		| .mounts += [{destination: "/tmp", type: "tmpfs", source: "tmpfs"}]'
	ln -sf busybox "$BUNDLE/rootfs/bin/head"
	oci run --detach --bundle "$BUNDLE" "$ID" >/dev/null 3>&-
	wait_for 30 oci exec "$ID" test -e /tmp/done
	echo '{"memory": {"limit": 8388608, "checkBeforeUpdate": true}}' >"$SKEP_DIR/limits"
	run ! oci update --resources "$SKEP_DIR/limits" "$ID"
	[[ $output == *memory* ]]
	[ "$(file memory memory.limit_in_bytes memory.max)" = 67108864 ]
	echo '{"memory": {"limit": 50331648, "checkBeforeUpdate": true}}' >"$SKEP_DIR/limits"
	oci update --resources "$SKEP_DIR/limits" "$ID"
	[ "$(file memory memory.limit_in_bytes memory.max)" = 50331648 ]
}
