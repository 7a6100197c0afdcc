# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2016 # what is in single quotes is for the shell in the container
# skep for a user who is not root, and without control groups; who is to make those.

bats_require_minimum_version 1.5.0
load ../lib/oci

setup() {
	oci_setup
	USERS=$(mktemp -d /tmp/skep-user.XXXXXX)
	mkdir "$USERS/run"
}
teardown() {
	local rc=0 dir
	for dir in "$USERS"/run/skep/[!.]*/; do [ ! -d "$dir" ] || as_user delete --force "$(basename "$dir")" || rc=1; done
	rm -rf --one-file-system "$USERS"
	oci_teardown || rc=1
	return $rc
}

# A user that no other process here is of: number 1790, without a name.
as() { setpriv --reuid 1790 --regid 1790 --clear-groups env -i PATH="$PATH" USER=joe XDG_RUNTIME_DIR="$USERS/run" "$@" 3>&-; }
as_user() { as "$USERS/skep" "$@"; }

# The bundle of `skep spec --rootless`, changed by the filter, where that user may go.
users_bundle() {
	local caller_bundle=$BUNDLE
	bundle
	cp -a "$caller_bundle/rootfs" "$USERS/rootfs"
	cp "$BUILD/skep" "$USERS/skep"
	chmod 755 "$USERS"
	chown -hR 1790:1790 "$USERS/rootfs" "$USERS/run"
	BUNDLE=$USERS
	as true
	(chown 1790 "$USERS" && cd "$USERS" && as_user spec --rootless)
	configure ".process.terminal = false | ${1:-.}"
}

@test "a user runs a container: its own id is root inside, groups are denied, devices and /proc are there" {
	users_bundle '.process.args = ["sh", "-c", "cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups; id -u; echo x >/dev/null && echo null; ls /proc/1/ns | wc -l; hostname"]'
	jq -e '.linux.uidMappings == [{containerID: 0, hostID: 1790, size: 1}] and .linux.gidMappings == .linux.uidMappings' "$BUNDLE/config.json"
	jq -e '[.linux.namespaces[].type] | index("user") and (index("network") | not)' "$BUNDLE/config.json"
	as_user run --bundle "$BUNDLE" "$ID" | tr -s ' ' >"$SKEP_DIR/out"
	cat "$SKEP_DIR/out"
	[ "$(grep -c '^ 0 1790 1$' "$SKEP_DIR/out")" = 2 ]
	# The maps are OPTIONAL.
	configure 'del(.linux.uidMappings, .linux.gidMappings)'
	[ "$(as_user run --bundle "$BUNDLE" "$ID" | tr -s ' ')" = "$(cat "$SKEP_DIR/out")" ]
	grep -qx deny "$SKEP_DIR/out"
	grep -qx 0 "$SKEP_DIR/out"
	grep -qx null "$SKEP_DIR/out"
	grep -qx skep "$SKEP_DIR/out"
	[ -z "$(ls "$USERS/run/skep")" ]
	[ ! -e /run/skep/"$ID" ]
}

@test "a user's container from create to delete: state, exec, ps, list, kill, what it has no group for" {
	users_bundle '.process.args = ["sh", "-c", "sleep 1000 & exec sleep 1000"]'
	as_user create --bundle "$BUNDLE" "$ID" >/dev/null
	[ "$(as_user state "$ID" | jq -r .status)" = created ]
	as_user start "$ID"
	[ "$(as_user exec "$ID" sh -c 'id -u; cat /proc/1/comm' | tr '\n' ,)" = 0,sleep, ]
	fails_with 7 '' as_user exec "$ID" sh -c 'exit 7'
	wait_for 30 two_sleep
	[ "$(as_user list -q)" = "$ID" ]
	fails_with 1 'has no control group' as_user pause "$ID"
	fails_with 1 'has no control group' as_user update --memory 64M "$ID"
	fails_with 1 'has no control group' as_user events --stats "$ID"
	as_user kill --all "$ID" KILL
	wait_for 30 has_stopped
	as_user delete "$ID"
	[ -z "$(ls "$USERS/run/skep")" ]
}
two_sleep() { [ "$(as_user ps --format json "$ID" | jq length)" = 2 ] && [ "$(as_user ps "$ID" | grep -c 'sleep 1000$')" = 2 ]; }
has_stopped() { [ "$(as_user state "$ID" | jq -r .status)" = stopped ]; }

@test "a user's own network, terminal and bind mount" {
	users_bundle '.process.args = ["sh", "-c", "cat /sys/class/net/lo/flags /mnt/hostname; ls /sys/class/net; tty"]
		| .linux.namespaces += [{type: "network"}] | .process.terminal = true
		| .mounts |= map(if .destination == "/sys" then {destination: "/sys", type: "sysfs", source: "sysfs", options: ["ro"]} else . end)
		| .mounts += [{destination: "/mnt/hostname", type: "bind", source: "/etc/hostname", options: ["bind", "ro"]}]'
	typing '' "setpriv --reuid 1790 --regid 1790 --clear-groups env XDG_RUNTIME_DIR=$USERS/run $USERS/skep run --bundle $BUNDLE $ID" | tr -d '\r' >"$SKEP_DIR/out"
	cat "$SKEP_DIR/out"
	grep -qx 0x9 "$SKEP_DIR/out" # IFF_UP, IFF_LOOPBACK
	grep -qx "$(cat /etc/hostname)" "$SKEP_DIR/out"
	grep -qx lo "$SKEP_DIR/out"
	grep -qx /dev/pts/0 "$SKEP_DIR/out"
}

@test "a user's container without a cgroup namespace of its own has the host's control groups, and only to look at (CVE-2023-25809)" {
	local all
	users_bundle '.process.args = ["sh", "-c", "ls /sys/fs/cgroup; grep -c \" /sys/fs/cgroup\" /proc/self/mounts; grep \" /sys/fs/cgroup\" /proc/self/mounts | grep -c -v \" ro[ ,]\""]
		| .linux.namespaces -= [{type: "cgroup"}] | .mounts |= map(select(.destination != "/sys/fs/cgroup")) + [{destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: ["rw", "relatime"]}]'
	run as_user run --bundle "$BUNDLE" "$ID"
	echo "$output"
	[ "${lines[-1]}" = 0 ]
	[ "${lines[-2]}" -ge 1 ]
	all=(/sys/fs/cgroup/*)
	[ "${lines[0]}" = "${all[0]##*/}" ]
}

@test "what a user may not have is refused by its name, and nothing is left" {
	users_bundle '.process.args = ["true"]'
	configure '.linux.resources = {memory: {limit: 67108864}}'
	fails_with 1 'memory limit cannot be set: we may make no control group' as_user run --bundle "$BUNDLE" "$ID"
	configure 'del(.linux.resources) | .linux.uidMappings += [{containerID: 1, hostID: 100000, size: 10}]'
	fails_with 1 'map more than our own id' as_user run --bundle "$BUNDLE" "$ID"
	configure 'del(.linux.uidMappings, .linux.gidMappings) | .linux.namespaces |= map(select(.type != "user"))'
	fails_with 1 'needs a user namespace' as_user run --bundle "$BUNDLE" "$ID"
	[ -z "$(ls "$USERS/run/skep")" ]
}

@test "--cgroup-manager disabled: no group is made, limits are refused, the rest is done" {
	bundle '.process.args = ["sh", "-c", "sleep 1000 & exec sleep 1000"] | .linux.resources.pids.limit = 5'
	fails_with 1 'process limit cannot be set: --cgroup-manager is disabled' oci --cgroup-manager disabled create --bundle "$BUNDLE" "$ID"
	oci_gone "$ID"
	configure 'del(.linux.resources.pids)'
	oci --cgroup-manager disabled run --detach --bundle "$BUNDLE" "$ID" >/dev/null 3>&-
	[ -z "$(find /sys/fs/cgroup -type d -name "*$ID*")" ]
	cmp "/proc/$(oci_pid "$ID")/cgroup" /proc/self/cgroup
	[ "$(oci exec "$ID" cat /proc/1/comm)" = sleep ]
	wait_for 30 eval '[ "$(oci ps --format json "$ID" | jq length)" = 2 ]'
	fails_with 1 'has no control group' oci pause "$ID"
	oci kill --all "$ID" KILL
	wait_for 30 oci_is "$ID" stopped
	oci delete "$ID"
	oci_gone "$ID"
}

# skep where no systemd can be reached.
without_systemd() {
	# shellcheck disable=SC2030,SC2031
	in_net here unshare --mount --propagation private sh -c 'mkdir -p /run/systemd /run/dbus && mount -t tmpfs no /run/systemd && mount -t tmpfs no /run/dbus
		exec env -u DBUS_SYSTEM_BUS_ADDRESS "$@"' sh "$BUILD/skep" --root "$SKEP_DIR/here/oci" "$@"
}

@test "systemd as the maker of groups: the form of cgroupsPath, and where it cannot be reached" {
	bundle '.process.args = ["true"] | .linux.cgroupsPath = "machine.slice:skep:x"'
	fails_with 1 "is for systemd as the maker" oci run --bundle "$BUNDLE" "$ID"
	configure '.linux.cgroupsPath = "/a/b"'
	fails_with 1 'must be "SLICE:PREFIX:NAME"' oci --systemd-cgroup run --bundle "$BUNDLE" "$ID"
	configure '.linux.cgroupsPath = "machine.slice:skep:x"'
	# The cause is told once: nothing was made that the cleaning up could miss.
	fails_with 1 $'skep: systemd\'s skep-x.scope: reach systemd: No such file or directory\nhint: is systemd' without_systemd --cgroup-manager systemd run --bundle "$BUNDLE" "$ID"
	run without_systemd --cgroup-manager systemd run --bundle "$BUNDLE" "$ID"
	[ "${#lines[@]}" = 2 ]
	oci_gone "$ID"
	# Of one that was made it is told that it cannot be ended.
	bundle
	oci create --bundle "$BUNDLE" "$ID" >/dev/null 3>&-
	echo 'scope system:skep-x.scope' >>"$SKEP_DIR/here/oci/$ID/ledger"
	run without_systemd delete --force "$ID"
	[ "$status" = 0 ]
	[[ $output == *'skep-x.scope: reach systemd'* ]]
	oci_gone "$ID"
	fails_with 1 'is not cgroupfs, systemd or disabled' oci --cgroup-manager other list
	fails_with 1 'is not true, false or auto' oci --rootless maybe list
	oci features | jq -e '.linux.cgroup.systemd and .linux.cgroup.systemdUser'
}

@test "a user's container whose caller waits for READY=1" {
	users_bundle '.process.args = ["sh", "-c", "notify tell READY=1; echo \"$NOTIFY_SOCKET\"; sleep 1000"] | .mounts += [{destination: "'"$USERS"'", type: "tmpfs", source: "tmpfs"}]'
	cp "$BUILD/notify" "$BUNDLE/rootfs/bin"
	mkdir "$USERS/n"
	chmod 777 "$USERS/n"
	spawn here "$SKEP_DIR/heard" "$BUILD/notify" hear "$USERS/n/socket"
	wait_for 30 grep -q ready "$SKEP_DIR/heard"
	chmod 666 "$USERS/n/socket"
	as env "NOTIFY_SOCKET=$USERS/n/socket" "$USERS/skep" run --detach --bundle "$BUNDLE" "$ID" >"$SKEP_DIR/out" 2>&1
	wait_for 30 grep -q "READY=1; MAINPID=$(as_user state "$ID" | jq .pid)" "$SKEP_DIR/heard"
	grep -qx "$USERS/n/socket/notify" "$SKEP_DIR/out"
}
