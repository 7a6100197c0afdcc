# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2016 # what is in single quotes is for the shell in the container
# What the callers of OCI runtimes, and the suites that others wrote for runc and crun, count on where the runtime-spec is silent.

bats_require_minimum_version 1.5.0
load ../lib/oci

setup() { oci_setup; }
teardown() { oci_teardown; }

@test "pipes and files that are the program's input and output belong to its user; the null device does not" {
	bundle '.process.args = ["sh", "-c", "echo again >/dev/stdout; stat -Lc %u:%g /dev/fd/1 /dev/fd/2"] | .process.user = {uid: 1000, gid: 1000}'
	ln -sf busybox "$BUNDLE/rootfs/bin/stat"
	chmod 755 "$BUNDLE" "$BUNDLE/rootfs"
	[ "$(oci run --bundle "$BUNDLE" "$ID" 2>/dev/null)" = $'again\n1000:1000\n0:0' ]
	oci run --bundle "$BUNDLE" "$ID" >"$SKEP_DIR/out" 2>/dev/null </dev/null
	[ "$(stat -c %u:%g "$SKEP_DIR/out")" = 1000:1000 ]
	[ "$(stat -c %u:%g /dev/null)" = 0:0 ]
}

@test "run.oci.keep_original_groups: the caller's groups, also in a user namespace" {
	bundle '.process.args = ["grep", "Groups", "/proc/self/status"]'
	configure '.annotations = {"run.oci.keep_original_groups": "1"}'
	[[ $(setpriv --groups 4711,4712 "$SKEP_DIR/here/bin/skep" --root "$SKEP_DIR/here/oci" run --bundle "$BUNDLE" "$ID") == *4711*4712* ]]
	with_userns
	[[ $(setpriv --groups 4711,4712 "$SKEP_DIR/here/bin/skep" --root "$SKEP_DIR/here/oci" run --bundle "$BUNDLE" "$ID") == *65534*65534* ]]
	configure 'del(.annotations)'
	[[ $(setpriv --groups 4711,4712 "$SKEP_DIR/here/bin/skep" --root "$SKEP_DIR/here/oci" run --bundle "$BUNDLE" "$ID") != *65534* ]]
}

@test "the CPUs that the caller is bound to are no limit of the container's" {
	bundle '.process.args = ["sleep", "1000"]'
	local all
	all=$(grep Cpus_allowed_list /proc/self/status)
	taskset -c 0 "$SKEP_DIR/here/bin/skep" --root "$SKEP_DIR/here/oci" run --detach --bundle "$BUNDLE" "$ID" >/dev/null 3>&-
	[ "$(grep Cpus_allowed_list "/proc/$(oci_pid "$ID")/status")" = "$all" ]
	[ "$(taskset -c 0 "$SKEP_DIR/here/bin/skep" --root "$SKEP_DIR/here/oci" exec "$ID" grep Cpus_allowed_list /proc/self/status)" = "$all" ]
}

@test "env: one of a name, the last; an empty HOME is none" {
	bundle '.process.args = ["env"] | .process.env = ["ONE=1", "HOME=/there", "ONEX=x", "ONE=2", "HOME=", "PATH=/bin"]'
	printf 'root:x:0:0::/home/joe:/bin/sh\n' >"$BUNDLE/rootfs/etc/passwd"
	[ "$(oci run --bundle "$BUNDLE" "$ID" | grep -v PWD | sort)" = $'HOME=/home/joe\nONE=2\nONEX=x\nPATH=/bin' ]
}

@test "a terminal whose output goes to a pipe adds no carriage returns" {
	bundle '.process.args = ["echo", "line"] | .process.terminal = true'
	[ "$(oci run --bundle "$BUNDLE" "$ID" </dev/null | od -c | head -n 1 | tr -s ' ')" = '0000000 l i n e \n' ]
}

@test "exec --cap: neither inheritable nor, without that, ambient; another user than root loses it" {
	bundle '.process.args = ["sleep", "1000"] | .process.capabilities = {}'
	oci run --detach --bundle "$BUNDLE" "$ID" >/dev/null 3>&-
	[ "$(oci exec --cap CAP_KILL "$ID" grep Cap /proc/self/status | cut -f2 | tr '\n' ' ')" = \
		'0000000000000000 0000000000000020 0000000000000020 0000000000000020 0000000000000000 ' ]
	[ "$(oci exec --cap CAP_KILL --user 1000 "$ID" grep Cap /proc/self/status | cut -f2 | tr '\n' ' ')" = \
		'0000000000000000 0000000000000000 0000000000000000 0000000000000020 0000000000000000 ' ]
	oci delete --force "$ID"
	# What config.json made inheritable becomes ambient.
	configure '.process.capabilities = {bounding: ["CAP_SYSLOG"], inheritable: ["CAP_SYSLOG"]}'
	oci run --detach --bundle "$BUNDLE" "$ID" >/dev/null 3>&-
	[ "$(oci exec --cap CAP_SYSLOG --user 1000 "$ID" grep Cap /proc/self/status | cut -f2 | sort -u)" = 0000000400000000 ]
}

@test "config.md, Capabilities: an ambient one that cannot be granted is a warning that names it; root, who has it by other ways, reads none" {
	bundle '.process.user.uid = 1000 | .process.args = ["grep", "CapAmb", "/proc/self/status"] | .process.capabilities += {inheritable: ["CAP_KILL"], ambient: ["CAP_KILL", "CAP_CHOWN"]}'
	oci run --bundle "$BUNDLE" "$ID" >"$SKEP_DIR/out" 2>"$SKEP_DIR/err"
	grep -q 0000000000000020 "$SKEP_DIR/out"
	grep -q "warning: can't raise ambient capability CAP_CHOWN" "$SKEP_DIR/err"
	run ! grep CAP_KILL "$SKEP_DIR/err"
	configure '.process.user.uid = 0'
	[ "$(oci run --bundle "$BUNDLE" "$ID" 2>&1)" = $'CapAmb:\t0000000000000020' ]
}

names() { find /dev -mindepth 1 -maxdepth 1 -printf '%f\n' | sort; }
@test "the host's /dev bound on /dev: nothing is made in it" {
	bundle '.process.args = ["sh", "-c", "echo x >/dev/null && ls -A /dev"] | .mounts = [.mounts[] | select(.destination | startswith("/dev") | not)] + [{destination: "/dev/", type: "bind", source: "/dev", options: ["rbind"]}]'
	names >"$SKEP_DIR/before"
	oci run --bundle "$BUNDLE" "$ID" | diff - "$SKEP_DIR/before"
	names | diff - "$SKEP_DIR/before"
	# Behind a tmpfs of the list's own, as the last one there.
	configure '.mounts = [.mounts[0], {destination: "/dev", type: "tmpfs", source: "tmpfs"}] + .mounts[1:]'
	oci run --bundle "$BUNDLE" "$ID" | diff - "$SKEP_DIR/before"
}

@test "devices: in a user namespace the nodes are nosuid and noexec; a slash at the end of a path is none" {
	bundle '.process.args = ["sh", "-c", "grep \" /dev/null \" /proc/self/mountinfo; ls /dev/mine"] | .linux.devices = [{path: "/dev/mine/", type: "c", major: 1, minor: 5}]'
	[ "$(oci run --bundle "$BUNDLE" "$ID")" = /dev/mine ]
	configure 'del(.linux.devices)'
	with_userns
	[[ $(oci run --bundle "$BUNDLE" "$ID" 2>/dev/null) == *' /dev/null '*nosuid*noexec* ]]
}

@test "cwd: made when it is missing, also below a read-only root" {
	bundle '.process.args = ["pwd"] | .process.cwd = "/not/there/yet" | .root.readonly = true'
	[ "$(oci run --bundle "$BUNDLE" "$ID")" = /not/there/yet ]
}

@test "sysctl beside hostname and domainname: no two values for one name" {
	bundle '.linux.sysctl = {"kernel.hostname": "other"}'
	fails_with 1 kernel.hostname oci run --bundle "$BUNDLE" "$ID"
	configure '.process.args = ["cat", "/proc/sys/kernel/domainname"] | .domainname = "one" | .linux.sysctl = {"kernel.domainname": "two"}'
	fails_with 1 "kernel.domainname 'two' is not domainname 'one'" oci run --bundle "$BUNDLE" "$ID"
	configure '.linux.sysctl = {"kernel.domainname": "one"}'
	[ "$(oci run --bundle "$BUNDLE" "$ID")" = one ]
}

@test "a masked path that is listed twice is masked once; memory.kernel is a warning" {
	bundle '.process.args = ["grep", "-c", " /home ", "/proc/self/mountinfo"] | .linux.maskedPaths += ["/home", "/home"] | .linux.resources.memory = {kernel: 100000000, kernelTCP: 1}'
	[ "$(oci run --bundle "$BUNDLE" "$ID" 2>"$SKEP_DIR/err")" = 1 ]
	grep -q 'memory.kernel: kernel memory has no limit' "$SKEP_DIR/err"
}

@test "kill KILL without a pid namespace: all of it, also when its init is gone" {
	bundle '.process.args = ["sh", "-c", "sleep 1001 & exec sleep 1002"] | .linux.namespaces |= map(select(.type != "pid"))'
	oci run --detach --bundle "$BUNDLE" "$ID" >/dev/null 3>&-
	local pid child
	pid=$(oci_pid "$ID")
	wait_for 30 pgrep -P "$pid"
	child=$(pgrep -P "$pid")
	oci kill "$ID" KILL
	wait_for 30 eval "! kill -0 $child"
	wait_for 30 oci_is "$ID" stopped
	fails_with 1 'container not running' oci kill "$ID" KILL
	oci delete "$ID"
	oci run --detach --bundle "$BUNDLE" "$ID" >/dev/null 3>&-
	pid=$(oci_pid "$ID")
	wait_for 30 pgrep -P "$pid"
	child=$(pgrep -P "$pid")
	kill -9 "$pid"
	wait_for 30 oci_is "$ID" stopped
	kill -0 "$child"
	fails_with 1 'container not running' oci kill "$ID" TERM
	oci kill "$ID" KILL
	wait_for 30 eval "! kill -0 $child"
	oci delete "$ID"
}

@test "hooks: without an env they have the caller's, startContainer the program's" {
	bundle '.process.args = ["true"] | .process.env += ["MINE=in"] | .root.readonly = false
		| .hooks = {createRuntime: [{path: "/bin/sh", args: ["sh", "-c", "test \"$MINE\" = out"]}], startContainer: [{path: "/bin/sh", args: ["sh", "-c", "test \"$MINE\" = in"]}]}'
	MINE=out oci run --bundle "$BUNDLE" "$ID"
}

@test "what callers read: an ID that is none, the list of a root that is not there, the order of state's members" {
	bundle '.process.args = ["sleep", "1000"]'
	for id in . .. .x 'a b' a/b; do
		fails_with 1 "invalid container ID '$id': invalid character" oci run --bundle "$BUNDLE" "$id"
	done
	fails_with 1 "invalid container ID 'a/b': invalid character \`/\` in the ID" oci run --bundle "$BUNDLE" a/b
	fails_with 1 "invalid character 0x20 in the ID" oci run --bundle "$BUNDLE" 'a b'
	fails_with 1 "invalid length" oci run --bundle "$BUNDLE" ''
	fails_with 1 "invalid length" oci run --bundle "$BUNDLE" "$(printf 'a%.0s' {1..65})"
	fails_with 1 'No such file' "$SKEP_DIR/here/bin/skep" --root "$SKEP_DIR/nothing" list
	oci create --bundle "$BUNDLE" "$ID" >/dev/null 3>&-
	[ "$(oci list --format json | jq -c '.[0] | keys_unsorted')" = '["ociVersion","id","pid","status","bundle","rootfs","created","annotations","owner"]' ]
	[ "$(oci state "$ID" | jq -r .rootfs)" = "$BUNDLE/rootfs" ]
}
