# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# For bats files about skep: `load ../lib/oci` brings tests/lib/skep.bash, too.
#
#   oci_setup, oci_teardown   for the file's setup() and teardown(); whatever the test left is deleted
#   bundle [JQ]      makes a busybox bundle in $BUNDLE, its config.json from `skep spec` without a terminal, changed by the filter
#   oci ...          runs skep with this test's own --root
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

oci_status() { oci state "$1" | jq -r .status; }
oci_pid() { oci state "$1" | jq -r .pid; }
oci_is() { [ "$(oci_status "$1")" = "$2" ]; }

oci_gone() {
	local left
	left=$(find "$SKEP_DIR/here/oci" -mindepth 1 -maxdepth 1 ! -name .cache; find /sys/fs/cgroup -type d -path "*/skep-$1" 2>/dev/null) || true
	[ -z "$left" ] || { printf 'left of %s: %s\n' "$1" "$left"; return 1; }
}

# What takes most of the ways that a start can take, for who wants to see each of them fail: a filter, hooks, mounts, devices, limits.
with_everything() {
	configure '.hooks = (["createRuntime", "createContainer", "startContainer", "poststart", "poststop"] | map({key: ., value: [{path: "/bin/true", timeout: 10}]}) | from_entries)
		| .linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["reboot", "kexec_load"], action: "SCMP_ACT_ERRNO"}]}
		| .linux.devices = [{path: "/dev/net/tun", type: "c", major: 10, minor: 200}]
		| .linux.resources = {devices: [{allow: false, access: "rwm"}, {allow: true, type: "c", major: 10, minor: 200, access: "rw"}],
			memory: {limit: 268435456}, pids: {limit: 100}, cpu: {shares: 512}}
		| .linux.sysctl = {"net.ipv4.ip_forward": "1"} | .root.readonly = true | .hostname = "everything"
		| .mounts += [{destination: "/tmp", type: "tmpfs", source: "tmpfs", options: ["size=64k"]}, {destination: "/etc/group", type: "bind", source: "/etc/hostname", options: ["bind", "ro"]}]'
}
