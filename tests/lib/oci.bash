# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# For bats files about skep: `load ../lib/oci` brings tests/lib/skep.bash, too.
#
#   oci_setup, oci_teardown   for the file's setup() and teardown(); whatever the test left is deleted
#   bundle [JQ]      makes a busybox bundle in $BUNDLE, its config.json from `skep spec` without a terminal, changed by the filter
#   oci ...          runs skep with this test's own --root
#   typing TEXT CMD  runs the shell's CMD in a terminal of its own, in which TEXT is typed, and no end of it; what it printed is printed
#   oci_status ID    the status that `skep state` tells
#   oci_gone ID      fails unless nothing of it is left: no state, no cgroup

# shellcheck source=tests/lib/skep.bash
. "${BASH_SOURCE[0]%/*}/skep.bash"

oci_setup() {
	skep_setup
	BUNDLE=$SKEP_DIR/bundle
	# shellcheck disable=SC2034 # for the bats files
	ID=$(ct_name)
}

oci_teardown() {
	local dir
	for dir in "$SKEP_DIR"/here/oci/[!.]*/; do
		[ ! -d "$dir" ] || oci delete --force "$(basename "$dir")"
	done
	skep_teardown
}

bundle() {
	local root=$BUNDLE/rootfs applet busybox
	busybox=$(command -v busybox)
	if [ ! -d "$root" ]; then
		mkdir -p "$root"/{bin,dev,etc,home/joe,proc,sys,tmp}
		cp "$busybox" "$PROBE" "$root/bin"
		for applet in tail cut sed sh sleep cat id ps ls tty stty env echo true false kill hostname grep mount pwd test readlink mkdir wc; do
			ln -s busybox "$root/bin/$applet"
		done
		printf 'root:x:0:0::/root:/bin/sh\njoe:x:1000:1000::/home/joe:/bin/sh\n' >"$root/etc/passwd"
		printf 'joe:x:1000:\nwheel:x:10:joe\n' >"$root/etc/group"
	fi
	rm -f "$BUNDLE/config.json"
	oci spec --bundle "$BUNDLE"
	configure ".process.terminal = false | ${1:-.}"
}

# configure JQ: changes the bundle's config.json.
configure() {
	jq "$1" "$BUNDLE/config.json" >"$BUNDLE/new"
	mv "$BUNDLE/new" "$BUNDLE/config.json"
}

# A user namespace of its own; the root file system's owner fits.
with_userns() {
	configure '.linux.namespaces += [{type: "user"}]
		| .linux.uidMappings = [{containerID: 0, hostID: 1500000000, size: 65536}] | .linux.gidMappings = .linux.uidMappings'
	chown -hR 1500000000:1500000000 "$BUNDLE/rootfs"
}

without_userns() {
	configure '.linux.namespaces |= map(select(.type != "user")) | del(.linux.uidMappings, .linux.gidMappings)'
	chown -hR 0:0 "$BUNDLE/rootfs"
}

# When its input ends, `script` types ^D. Before the command has made the terminal raw that is a mark in the terminal's queue, which is read as a zero byte when it is raw,
# and what runs in the container is typed ^@ (6 of 100 times under load). So the input does not end.
typing() {
	local keys=$SKEP_DIR/keys rc=0 fd
	[ -p "$keys" ] || mkfifo "$keys"
	exec {fd}<>"$keys"
	printf %s "$1" >&"$fd"
	script -qec "$2" /dev/null <&"$fd" 3>&- {fd}>&- || rc=$?
	exec {fd}>&-
	return $rc
}

oci_status() { oci state "$1" | jq -r .status; }
oci_pid() { oci state "$1" | jq -r .pid; }
oci_is() { [ "$(oci_status "$1")" = "$2" ]; }

oci_gone() {
	local left
	left=$(find "$SKEP_DIR/here/oci" -mindepth 1 -maxdepth 1 ! -name .cache; find /sys/fs/cgroup -type d -path "*/skep-$1" 2>/dev/null) || true
	[ -z "$left" ] || { printf 'left of %s: %s\n' "$1" "$left"; return 1; }
}

# What takes most of the ways that a start can take, for who wants to see each of them fail: a filter, hooks, mounts, devices, limits, time, memory, processors.
# Its poststop hook makes the file $ENDED.
with_everything() {
	export ENDED=$SKEP_DIR/ended # for oci-faults
	mkdir -p "$SKEP_DIR/data/below"
	configure '.hooks = (["createRuntime", "createContainer", "startContainer", "poststart", "poststop"] | map({key: ., value: [{path: "/bin/true", timeout: 10}]}) | from_entries)
		| .linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["reboot", "kexec_load"], action: "SCMP_ACT_ERRNO"}]}
		| .linux.devices = [{path: "/dev/net/tun", type: "c", major: 10, minor: 200}]
		| .linux.resources = {devices: [{allow: false, access: "rwm"}, {allow: true, type: "c", major: 10, minor: 200, access: "rw"}],
			memory: {limit: 268435456}, pids: {limit: 100}, cpu: {shares: 512}}
		| .linux.sysctl = {"net.ipv4.ip_unprivileged_port_start": "80"} | .root.readonly = true | .hostname = "everything"
		| .mounts += [{destination: "/tmp", type: "tmpfs", source: "tmpfs", options: ["size=64k"]}, {destination: "/home", type: "tmpfs", source: "tmpfs", options: ["tmpcopyup"]},
			{destination: "/etc/group", type: "bind", source: "/etc/hostname", options: ["bind", "ro"]}]'
	configure '.hooks.poststop = [{path: "/usr/bin/touch", args: ["touch", "'"$ENDED"'"], timeout: 10}]
		| .mounts += [{destination: "/mnt", type: "bind", source: "'"$SKEP_DIR"'/data", options: ["rbind", "rro", "rslave"]},
			{destination: "/srv", type: "bind", source: "'"$SKEP_DIR"'/data", options: ["bind", "idmap"],
			uidMappings: [{containerID: 0, hostID: 7, size: 1}], gidMappings: [{containerID: 0, hostID: 7, size: 1}]}]
		| .linux.devices += [{path: "/dev/own", type: "c", major: 10, minor: 200, fileMode: 384}, {path: "/dev/fifo", type: "p"}]
		| .linux.namespaces += [{type: "time"}] | .linux.timeOffsets = {monotonic: {secs: 1000}, boottime: {secs: 1000}}
		| .linux.memoryPolicy = {mode: "MPOL_BIND", nodes: "0"} | .linux.personality = {domain: "LINUX32"}
		| .process.scheduler = {policy: "SCHED_BATCH", nice: 5} | .process.ioPriority = {class: "IOPRIO_CLASS_BE", priority: 5} | .process.oomScoreAdj = 500
		| .process.rlimits = [{type: "RLIMIT_CORE", soft: 0, hard: 0}]'
}

# And what asks others: a network device of the test host's, an agent for the filter, whoever waits for READY=1, whoever holds terminals. As variables for oci-faults.
with_others() {
	export DEVICE=one NOTIFY_SOCKET=$SKEP_DIR/n/socket
	mkdir "$SKEP_DIR/n"
	cp "$BUILD/notify" "$BUNDLE/rootfs/bin"
	spawn here "$SKEP_DIR/heard" "$BUILD/notify" hear "$NOTIFY_SOCKET" 3600
	spawn here "$SKEP_DIR/agent.out" /usr/bin/python3 "$REPO/tests/lib/seccomp_agent.py" "$SKEP_DIR/agent" /dev/null 0 1000000
	configure '.linux.netDevices = {one: {name: "inside"}} | .mounts += [{destination: "'"$SKEP_DIR"'", type: "tmpfs", source: "tmpfs"}]
		| .linux.seccomp.listenerPath = "'"$SKEP_DIR"'/agent" | .linux.seccomp.syscalls += [{names: ["sethostname"], action: "SCMP_ACT_NOTIFY"}]
		| .process.args = ["sh", "-c", "notify tell READY=1; echo it works; exec sleep 1000"]'
	wait_for 30 [ -S "$SKEP_DIR/agent" ]
	wait_for 30 [ -S "$NOTIFY_SOCKET" ]
}

# freezers: a file and its word of each freezer that a group of ours can have.
freezers() {
	[ ! -e /sys/fs/cgroup/freezer ] || echo freezer freezer.state FROZEN THAWED
	[ ! -e /sys/fs/cgroup/unified ] || echo unified cgroup.freeze 1 0
	[ ! -e /sys/fs/cgroup/cgroup.controllers ] || echo . cgroup.freeze 1 0
}
