# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2016 # what is in single quotes is for the shell in the container
# The runtime-spec's MUSTs in runtime.md and runtime-linux.md, each test named by its section. Hooks have a file of their own.

bats_require_minimum_version 1.5.0
load ../lib/oci

setup() { oci_setup; }
teardown() { oci_teardown; }

sleeper() { bundle ".process.args = [\"sleep\", \"1000\"] | ${1:-.}"; }

@test "runtime.md, Scope of a Container: who has not made it can use it" {
	sleeper
	chmod 755 "$SKEP_DIR"
	(oci create --bundle "$BUNDLE" "$ID" >/dev/null)
	(cd / && oci start "$ID")
	[ "$(oci_status "$ID")" = running ]
}

@test "runtime.md, State: the properties, their types, the status of each stage" {
	sleeper '.annotations = {a: "b"}'
	oci create --bundle "$BUNDLE" "$ID"
	oci state "$ID" | jq -e '(.ociVersion | type) == "string" and .status == "created" and (.pid | type) == "number" and .annotations.a == "b"
		and (.bundle | startswith("/"))'
	[ "$(readlink "/proc/$(oci_pid "$ID")/ns/pid")" != "$(readlink /proc/self/ns/pid)" ]
	oci start "$ID"
	oci_is "$ID" running
	oci pause "$ID"
	oci_is "$ID" paused # a value of ours, for a state that the specification has not
	oci resume "$ID"
	oci kill "$ID" KILL
	wait_for 30 oci_is "$ID" stopped
	oci state "$ID" | jq -e 'has("pid") | not'
}

@test "runtime.md, Lifecycle: create makes all but the program; what config.json becomes later changes nothing" {
	sleeper '.process.args = ["sh", "-c", "hostname >/tmp/ran; sleep 1000"] | .hostname = "before" | .root.readonly = false'
	oci create --bundle "$BUNDLE" "$ID"
	[ ! -e "$BUNDLE/rootfs/tmp/ran" ]
	configure '.hostname = "after" | .process.args = ["false"]'
	oci start "$ID"
	wait_for 30 grep -qx before "$BUNDLE/rootfs/tmp/ran"
	oci_is "$ID" running
}

@test "runtime.md, Query State: without an ID, and of one that does not exist, is an error" {
	fails_with 1 '"state" requires exactly 1 argument' oci state
	fails_with 1 'does not exist' oci state "$ID"
}

@test "runtime.md, Create: without a bundle or an ID, with an ID that is taken or none, is an error and makes nothing" {
	local bad
	sleeper
	fails_with 1 'requires' oci create --bundle "$BUNDLE"
	fails_with 1 'open bundle' oci create --bundle "$SKEP_DIR/none" "$ID"
	(cd "$SKEP_DIR" && fails_with 1 'config.json' oci create "$ID")
	for bad in '' . .. a/b 'a b' "$(printf 'x%.0s' {1..300})"; do
		run ! oci create --bundle "$BUNDLE" "$bad"
	done
	oci create --bundle "$BUNDLE" "$ID"
	fails_with 1 'exists' oci create --bundle "$BUNDLE" "$ID"
	oci_is "$ID" created
	[ "$(oci list -q)" = "$ID" ]
}

@test "runtime.md, Create: a property that cannot be applied is an error, and no container" {
	local bad
	sleeper
	for bad in '.mounts += [{destination: "/x", type: "nosuchfs", source: "x"}]' '.linux.sysctl = {"kernel.nosuch": "1"}' \
		'.linux.namespaces |= map(if .type == "network" then .path = "/proc/self/nosuch" else . end)' \
		'.linux.resources.unified = {"nosuch.max": "1"}' '.process.apparmorProfile = "nosuch"' '.root.path = "nosuch"'; do
		sleeper "$bad"
		run ! oci create --bundle "$BUNDLE" "$ID"
		[ -n "$output" ]
		oci_gone "$ID"
	done
}

@test "runtime.md, Start: without an ID, or of what is not created, is an error and changes nothing" {
	sleeper
	fails_with 1 'requires' oci start
	fails_with 1 'does not exist' oci start "$ID"
	oci create --bundle "$BUNDLE" "$ID"
	oci start "$ID"
	local pid
	pid=$(oci_pid "$ID")
	fails_with 1 'cannot start' oci start "$ID"
	[ "$(oci_pid "$ID")" = "$pid" ]
	oci_is "$ID" running
	oci kill "$ID" KILL
	wait_for 30 oci_is "$ID" stopped
	fails_with 1 'cannot start' oci start "$ID"
}

@test "runtime.md, Start: without a process is an error" {
	bundle 'del(.process)'
	fails_with 1 'process: is missing' oci run --bundle "$BUNDLE" "$ID"
	oci_gone "$ID"
}

@test "config.md, Process: is needed when start is called, not before" {
	bundle 'del(.process) | .hooks.startContainer = [{path: "/bin/touch", args: ["touch", "/tmp/hook"]}] | .root.readonly = false'
	ln -sf busybox "$BUNDLE/rootfs/bin/touch"
	oci create --bundle "$BUNDLE" "$ID" >/dev/null 3>&-
	oci_is "$ID" created
	[ "$(oci exec "$ID" pwd)" = / ]
	fails_with 1 'process: is missing' oci start "$ID"
	[ ! -e "$BUNDLE/rootfs/tmp/hook" ]
	wait_for 30 oci_is "$ID" stopped
	oci delete "$ID"
	configure '.root.readonly = true'
	oci create --bundle "$BUNDLE" "$ID" >/dev/null 3>&-
	oci delete --force "$ID"
	oci_gone "$ID"
}

@test "runtime.md, Kill: the signal arrives; without an ID, or of what is neither created nor running, is an error" {
	bundle '.process.args = ["sh", "-c", "trap \"echo usr1 >/tmp/got\" USR1; echo >/tmp/ready; while :; do sleep 0.1; done"] | .root.readonly = false'
	fails_with 1 'requires' oci kill
	fails_with 1 'does not exist' oci kill "$ID" TERM
	oci create --bundle "$BUNDLE" "$ID"
	oci start "$ID"
	wait_for 30 test -e "$BUNDLE/rootfs/tmp/ready"
	oci kill "$ID" USR1
	wait_for 30 grep -q usr1 "$BUNDLE/rootfs/tmp/got"
	rm "$BUNDLE/rootfs/tmp/got"
	oci kill "$ID" 10
	wait_for 30 grep -q usr1 "$BUNDLE/rootfs/tmp/got"
	oci kill "$ID" SIGKILL
	wait_for 30 oci_is "$ID" stopped
	fails_with 1 'not running' oci kill "$ID" KILL
	oci delete "$ID"
	sleeper
	oci create --bundle "$BUNDLE" "$ID"
	oci kill "$ID" KILL
	wait_for 30 oci_is "$ID" stopped
}

@test "runtime.md, Delete: without an ID, or of one that runs, is an error and changes nothing; what was made is gone, what was there stays" {
	sleeper
	mkdir "$SKEP_DIR/mine"
	touch "$SKEP_DIR/mine/file"
	configure ".mounts += [{destination: \"/tmp\", type: \"bind\", source: \"$SKEP_DIR/mine\", options: [\"bind\"]}]"
	fails_with 1 'requires' oci delete
	fails_with 1 'does not exist' oci delete "$ID"
	oci create --bundle "$BUNDLE" "$ID"
	oci start "$ID"
	fails_with 1 'cannot delete' oci delete "$ID"
	oci_is "$ID" running
	oci kill "$ID" KILL
	wait_for 30 oci_is "$ID" stopped
	oci delete "$ID"
	oci_gone "$ID"
	[ -e "$SKEP_DIR/mine/file" ]
	oci create --bundle "$BUNDLE" "$ID"
}

@test "runtime-linux.md, Dev symbolic links" {
	bundle '.process.args = ["sh", "-c", "for l in fd stdin stdout stderr ptmx; do readlink /dev/$l; done"]'
	[ "$(oci run --bundle "$BUNDLE" "$ID")" = $'/proc/self/fd\n/proc/self/fd/0\n/proc/self/fd/1\n/proc/self/fd/2\npts/ptmx' ]
}

@test "runtime-linux.md, File descriptors: 0, 1 and 2 are open, others only those that were given" {
	bundle '.process.args = ["probe", "fds"]'
	run -0 oci run --bundle "$BUNDLE" "$ID" 7</dev/null 8</
	[[ $output != *' 7'* && $output != *' 8'* ]]
	bundle '.process.args = ["sh", "-c", "cat <&3"]'
	echo given >"$SKEP_DIR/given"
	[ "$(LISTEN_FDS=1 oci run --bundle "$BUNDLE" "$ID" 3<"$SKEP_DIR/given")" = given ]
}
