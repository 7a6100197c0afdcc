# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2016 # what is in single quotes is for the shell in the container
# A system call filter that asks an agent outside: config-linux.md, "Seccomp" and "The Container Process State".

bats_require_minimum_version 1.5.0
load ../lib/oci

setup() {
	oci_setup
	AGENT=$SKEP_DIR/agent
}
teardown() { oci_teardown; }

refused() { fails_with 1 "$1" oci run --bundle "$BUNDLE" "$ID"; }

# agent ERRNO [CONNECTIONS]: answers each call that is asked for with ERRNO; what it gets is in $SKEP_DIR/got, a line each.
agent() {
	spawn here "$SKEP_DIR/agent-says" /usr/bin/python3 "$REPO/tests/lib/seccomp_agent.py" "$AGENT" "$SKEP_DIR/got" "$@"
	AGENT_PID=$SPAWNED
	wait_for 30 [ -S "$AGENT" ]
}

got() { jq -r "$1" "$SKEP_DIR/got"; }

# asks CALLS: of mkdir unless given others.
asks() {
	bundle '.process.args = ["sh", "-c", "mkdir /tmp/x 2>&1; ls /tmp | wc -l"] | .root.readonly = false'
	configure ".linux.seccomp = {defaultAction: \"SCMP_ACT_ALLOW\", listenerPath: \"$AGENT\", listenerMetadata: \"some words\",
		syscalls: [{names: [${1:-\"mkdir\", \"mkdirat\"}], action: \"SCMP_ACT_NOTIFY\"}]}"
}

@test "config-linux.md, Seccomp: the agent answers; it got one container process state with the descriptor" {
	asks
	configure '.annotations = {"org.example": "yes"}'
	agent 122
	run -0 oci run --bundle "$BUNDLE" "$ID"
	[[ $output == *'quota exceeded'*0 ]]
	wait "$AGENT_PID"
	[ "$(got '[.state.ociVersion, .state.fds[0], (.state.fds | length), .descriptors, .state.metadata, .state.state.id, .state.state.bundle, .state.state.annotations["org.example"]] | join(" ")')" = \
		"1.2.0 seccompFd 1 1 some words $ID $BUNDLE yes" ]
	[ "$(got '.state.pid == .state.state.pid')" = true ]
	oci_gone "$ID"
}

@test "config-linux.md, Seccomp: the same with create and start, without new privileges or with them, as another user, in a user namespace" {
	local n
	for n in true false; do
		rm -f "$AGENT" "$SKEP_DIR/got"
		asks
		configure ".process.noNewPrivileges = $n | .process.user = {uid: 1000, gid: 1000}"
		[ $n = true ] || with_userns
		agent 122
		oci create --bundle "$BUNDLE" "$ID" >"$SKEP_DIR/out" 3>&-
		[ ! -e "$SKEP_DIR/got" ]
		oci start "$ID"
		wait_for 30 grep -q . "$SKEP_DIR/got" # the agent has the call, and may not have written that down
		[ "$(got .state.pid)" = "$(oci_pid "$ID")" ] || [ "$(oci_status "$ID")" = stopped ]
		wait "$AGENT_PID"
		grep -q 'quota exceeded' "$SKEP_DIR/out"
		oci delete --force "$ID"
		[ "$(find "$BUNDLE/rootfs/tmp" -mindepth 1)" = '' ]
		chown -hR 0:0 "$BUNDLE/rootfs"
	done
}

@test "config-linux.md, Seccomp: calls on the way to the program can be asked for, too" {
	asks '"setresuid", "setresgid", "setgroups", "capset", "prctl", "close_range", "close", "execve", "chdir", "fcntl"'
	agent 0
	configure '.process.noNewPrivileges = false | .process.args = ["echo", "here"]'
	run -0 oci run --bundle "$BUNDLE" "$ID"
	[ "$output" = here ]
	wait "$AGENT_PID"
}

@test "config-linux.md, Seccomp: for an exec, too, with a state of its own" {
	asks
	configure '.process.args = ["sleep", "1000"]'
	agent 122 2
	oci run -d --bundle "$BUNDLE" "$ID" >/dev/null 3>&-
	run -1 oci exec "$ID" mkdir /tmp/x
	[[ $output == *'quota exceeded'* ]]
	[ "$(got .state.pid | sort -u | wc -l)" = 2 ]
	[ "$(got .state.state.pid | sort -u)" = "$(oci_pid "$ID")" ]
	[ "$(got .state.state.status | tail -1)" = running ]
	oci delete --force "$ID"
	wait "$AGENT_PID"
}

@test "config-linux.md, Seccomp: an agent that is not there is an error, and nothing is left" {
	asks
	refused "linux.seccomp.listenerPath $AGENT"
	oci_gone "$ID"
	oci create --bundle "$BUNDLE" "$ID" >/dev/null 3>&-
	fails_with 1 "linux.seccomp.listenerPath $AGENT" oci start "$ID"
	wait_for 30 oci_is "$ID" stopped
	oci delete "$ID"
	configure '.process.args = ["sleep", "1000"]'
	agent 122
	oci run -d --bundle "$BUNDLE" "$ID" >/dev/null 3>&-
	rm "$AGENT"
	fails_with 255 "linux.seccomp.listenerPath $AGENT" oci exec "$ID" true
	[ "$(oci ps --format json "$ID" | jq length)" = 1 ]
}

@test "config-linux.md, Seccomp: listenerPath is for SCMP_ACT_NOTIFY, listenerMetadata for listenerPath" {
	asks
	configure 'del(.linux.seccomp.listenerPath)'
	refused 'linux.seccomp.listenerMetadata'
	configure 'del(.linux.seccomp.listenerMetadata)'
	refused 'linux.seccomp.listenerPath: is missing'
	asks
	configure '.linux.seccomp.defaultAction = "SCMP_ACT_NOTIFY"'
	refused 'linux.seccomp.defaultAction'
	asks '"sendmsg"'
	refused 'linux.seccomp.syscalls[0]'
	asks
	configure '.linux.seccomp.syscalls[0].action = "SCMP_ACT_ERRNO" | .linux.seccomp.flags = ["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]'
	run -0 oci run --bundle "$BUNDLE" "$ID"
	[[ $output == *'not permitted'* ]]
	oci_gone "$ID"
}

@test "config-linux.md, Seccomp: who listens gets the descriptor of a filter that asks nothing, too, as with crun" {
	bundle ".process.args = [\"true\"] | .linux.seccomp = {defaultAction: \"SCMP_ACT_ALLOW\", listenerPath: \"$AGENT\", listenerMetadata: \"some words\"}"
	agent 122
	run -0 oci run --bundle "$BUNDLE" "$ID"
	wait "$AGENT_PID"
	[ "$(got '[.state.fds[0], .descriptors, .state.metadata, .state.state.id] | join(" ")')" = "seccompFd 1 some words $ID" ]
	oci_gone "$ID"
}
