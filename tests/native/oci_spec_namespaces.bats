# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2016 # what is in single quotes is for the shell in the container
# config-linux.md, "Namespaces": those of others, by their path, of the kinds from which there is no way back.

bats_require_minimum_version 1.5.0
load ../lib/oci

setup() { oci_setup; }
teardown() {
	[ -z "${HOLDER:-}" ] || kill "$HOLDER" 2>/dev/null || true
	oci_teardown
}

refused() { fails_with 1 "$1" oci run --bundle "$BUNDLE" "$ID"; }

# hold KIND OPTIONS...: HOLDER is a process in new namespaces; the last of them is /proc/HOLDER/ns/KIND.
hold() {
	unshare "${@:2}" sleep 1000 3>&- &
	HOLDER=$!
	wait_for 30 eval "[ \"\$(readlink /proc/$HOLDER/ns/$1)\" != \"\$(readlink /proc/self/ns/$1)\" ] && grep -q sleep /proc/$HOLDER/cmdline"
}

# A user namespace with ids of its own, and the root file system theirs.
hold_user() {
	hold user "$@" --user
	echo '0 1500000000 65536' >"/proc/$HOLDER/gid_map"
	echo '0 1500000000 65536' >"/proc/$HOLDER/uid_map"
	chmod 755 "$BUNDLE/rootfs/bin/busybox"
	chown -hR 1500000000:1500000000 "$BUNDLE/rootfs"
}

# by_path TYPE KIND [PROCESS]
by_path() {
	configure ".linux.namespaces |= map(select(.type != \"$1\")) | .linux.namespaces += [{type: \"$1\", path: \"/proc/${3:-$HOLDER}/ns/$2\"}]"
}

@test "config-linux.md, Namespaces: cgroup by its path, exec too" {
	bundle '.process.args = ["sleep", "1000"]'
	hold cgroup --cgroup
	by_path cgroup cgroup
	oci run -d --bundle "$BUNDLE" "$ID" >/dev/null 3>&-
	[ "$(readlink "/proc/$(oci_pid "$ID")/ns/cgroup")" = "$(readlink "/proc/$HOLDER/ns/cgroup")" ]
	[ "$(oci exec "$ID" readlink /proc/self/ns/cgroup)" = "$(readlink "/proc/$HOLDER/ns/cgroup")" ]
	oci delete --force "$ID"
	oci_gone "$ID"
}

@test "config-linux.md, Namespaces: time by its path, its clocks with it; offsets are for a new one" {
	bundle '.process.args = ["cut", "-d.", "-f1", "/proc/uptime"]'
	unshare --time --boottime 5000000 --fork sleep 1000 3>&- &
	HOLDER=$!
	wait_for 30 eval '[ -n "$(pgrep -P $HOLDER)" ]'
	by_path time time "$(pgrep -P "$HOLDER")"
	[ "$(oci run --bundle "$BUNDLE" "$ID")" -ge 5000000 ]
	configure '.linux.timeOffsets = {boottime: {secs: 1}}'
	refused 'linux.timeOffsets'
	pkill -P "$HOLDER" sleep
}

@test "config-linux.md, Namespaces: user by its path: its ids, other namespaces that are owned by it" {
	bundle '.process.args = ["sh", "-c", "id -u; tr -s \" \" </proc/self/uid_map; hostname; echo x >/home/f; chown 1000:1000 /home/f; exec sleep 1000"] | .root.readonly = false
		| .process.capabilities |= map_values(. + ["CAP_CHOWN"])'
	hold_user --net
	by_path user user
	by_path network net
	oci run -d --bundle "$BUNDLE" "$ID" >"$SKEP_DIR/out" 3>&-
	wait_for 30 eval '[ "$(stat -c %u "$BUNDLE/rootfs/home/f")" = 1500001000 ]'
	[ "$(cat "$SKEP_DIR/out")" = $'0\n 0 1500000000 65536\nskep' ]
	[ "$(readlink "/proc/$(oci_pid "$ID")/ns/user")" = "$(readlink "/proc/$HOLDER/ns/user")" ]
	[ "$(readlink "/proc/$(oci_pid "$ID")/ns/net")" = "$(readlink "/proc/$HOLDER/ns/net")" ]
	[ "$(oci exec "$ID" readlink /proc/self/ns/user)" = "$(readlink "/proc/$HOLDER/ns/user")" ]
	[ "$(oci exec --user 1000 "$ID" id -u)" = 1000 ]
	oci delete --force "$ID"
	oci_gone "$ID"
}

@test "config-linux.md, Namespaces: user by its path: ids are judged by its maps; others beside it are an error, Podman's dummy is none" {
	bundle '.process.args = ["id", "-u"] | .process.user = {uid: 1000, gid: 1000}'
	hold_user
	by_path user user
	configure '.linux.uidMappings = [{containerID: 0, hostID: 0, size: 1}] | .linux.gidMappings = .linux.uidMappings'
	[ "$(oci run --bundle "$BUNDLE" "$ID")" = 1000 ]
	configure '.linux.uidMappings = [{containerID: 0, hostID: 1500000000, size: 65536}]'
	[ "$(oci run --bundle "$BUNDLE" "$ID")" = 1000 ]
	configure '.linux.uidMappings[0].size = 5'
	refused 'linux.uidMappings: is not the map'
	configure 'del(.linux.uidMappings, .linux.gidMappings) | .process.user.uid = 70000'
	refused 'process.user.uid'
	oci_gone "$ID"
	configure '.process.user.uid = 0'
	kill "$HOLDER"
	hold user --user
	by_path user user
	refused 'it has no uid_map yet'
	oci_gone "$ID"
}

@test "config-linux.md, Namespaces: mount by its path: the container's root is in it, and what is there stays as it is" {
	bundle '.process.args = ["sleep", "1000"]'
	hold mnt --mount --propagation private
	by_path mount mnt
	grep -E ' /(proc|sys|dev)? ' "/proc/$HOLDER/mounts" >"$SKEP_DIR/theirs"
	oci run -d --bundle "$BUNDLE" "$ID" >/dev/null 3>&-
	[ "$(readlink "/proc/$(oci_pid "$ID")/ns/mnt")" = "$(readlink "/proc/$HOLDER/ns/mnt")" ]
	[ "$(oci exec "$ID" readlink /proc/self/ns/mnt)" = "$(readlink "/proc/$HOLDER/ns/mnt")" ]
	[ "$(oci exec "$ID" cat /etc/passwd)" = "$(cat "$BUNDLE/rootfs/etc/passwd")" ]
	[ "$(oci exec "$ID" sh -c 'cd /; pwd; ls -d ..; test .. -ef / && echo same')" = $'/\n..\nsame' ]
	run ! grep "$BUNDLE" /proc/self/mounts
	grep -E ' /(proc|sys|dev)? ' "/proc/$HOLDER/mounts" | cmp - "$SKEP_DIR/theirs"
	grep -q "$BUNDLE/rootfs/proc" "/proc/$HOLDER/mounts"
	fails_with 1 'mount namespace by its path' oci checkpoint --image-path "$SKEP_DIR/images" "$ID"
	oci delete --force "$ID"
	oci_gone "$ID"
}

@test "config-linux.md, Namespaces: a path that is not of the type is an error, and nothing is left" {
	local type
	bundle '.process.args = ["true"]'
	hold ipc --ipc
	for type in user mount cgroup time; do
		bundle '.process.args = ["true"]'
		by_path "$type" ipc
		refused "$type namespace /proc/$HOLDER/ns/ipc"
		by_path "$type" nosuch
		refused "namespace /proc/$HOLDER/ns/nosuch"
	done
	oci_gone "$ID"
}

# Others come and go meanwhile.
mounts_of_test() { in_net here grep -F "$SKEP_DIR/" /proc/self/mountinfo | sort; }
@test "config-linux.md, Namespaces: a type that is not listed is the runtime's, the mounts too: the root is among them until delete" {
	local type before
	bundle '.process.args = ["sh", "-c", "echo here >/tmp/said; ls /dev/null; cat /proc/1/comm; exec sleep 1000"] | .root.readonly = false | del(.hostname)
		| .linux.namespaces = [] | .linux.resources = {} | .mounts = [.mounts[] | select(.destination != "/sys/fs/cgroup")]'
	before=$(mounts_of_test)
	oci run -d --bundle "$BUNDLE" "$ID" >"$SKEP_DIR/out" 3>&-
	for type in cgroup ipc mnt net pid user uts; do
		[ "$(readlink "/proc/$(oci_pid "$ID")/ns/$type")" = "$(in_net here readlink "/proc/self/ns/$type")" ]
	done
	wait_for 30 grep -q here "$BUNDLE/rootfs/tmp/said"
	[ "$(oci exec "$ID" cat /etc/passwd)" = "$(cat "$BUNDLE/rootfs/etc/passwd")" ]
	[ "$(oci exec "$ID" sh -c 'cd /; pwd; test .. -ef / && echo same')" = $'/\nsame' ]
	in_net here grep -q " $BUNDLE/rootfs/proc " /proc/self/mountinfo
	fails_with 1 "in the host's mount namespace" oci checkpoint --image-path "$SKEP_DIR/images" "$ID"
	oci delete --force "$ID"
	oci_gone "$ID"
	[ "$(mounts_of_test)" = "$before" ]
	# What somebody else has mounted there since is not ours to take away.
	oci create --bundle "$BUNDLE" "$ID" >/dev/null 3>&-
	in_net here umount -R -l "$BUNDLE/rootfs"
	in_net here mount -t tmpfs theirs "$BUNDLE/rootfs"
	oci delete --force "$ID"
	in_net here umount "$BUNDLE/rootfs"
	# Over ours it hides it, and has to go first.
	oci create --bundle "$BUNDLE" "$ID" >/dev/null 3>&-
	in_net here mount -t tmpfs theirs "$BUNDLE/rootfs"
	fails_with 1 "still mounted on $BUNDLE/rootfs, below another mount" oci delete --force "$ID"
	in_net here grep -q " $BUNDLE/rootfs .* theirs " /proc/self/mountinfo
	in_net here umount "$BUNDLE/rootfs"
	oci delete "$ID"
	[ "$(mounts_of_test)" = "$before" ]
	# A link at the end of its path is followed when it is mounted.
	ln -s rootfs "$BUNDLE/link"
	configure '.root.path = "link"'
	oci create --bundle "$BUNDLE" "$ID" >/dev/null 3>&-
	oci delete --force "$ID"
	[ "$(mounts_of_test)" = "$before" ]
	configure '.root.path = "rootfs"'
	configure '.process.args = ["/nosuch"]'
	fails_with 127 'nosuch' oci run --bundle "$BUNDLE" "$ID"
	[ "$(mounts_of_test)" = "$before" ]
	with_userns
	fails_with 1 'needs a mount namespace' oci run --bundle "$BUNDLE" "$ID"
}
