# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2016,SC2030,SC2031 # each test has its own LOG; what is in single quotes is for other shells
# The runtime-spec's MUSTs about hooks, each test named by its section.

bats_require_minimum_version 1.5.0
load ../lib/oci

setup() {
	oci_setup
	LOG=$SKEP_DIR/log
	: >"$LOG"
}
teardown() {
	oci_teardown
	rm -f "$LOG"
}

# hook POINT SHELL [JQ]: a hook of the host's shell; $LOG is the file to write to.
hook() {
	configure ".hooks[\"$1\"] += [{path: \"/bin/sh\", args: [\"hook\", \"-c\", $(jq -n --arg s "LOG=$LOG; $2" '$s')]} + (${3:-{\}})]"
}

# Each notes its point, what the state says, and whether it is in the host's mount and pid namespaces.
all_hooks() {
	local point
	for point in prestart createRuntime createContainer poststart poststop; do
		hook $point "s=\$(cat); n=host; [ \$(readlink /proc/self/ns/mnt) = $(readlink /proc/self/ns/mnt) ] || n=container
			echo $point \$n \$(echo \"\$s\" | sed 's/.*\"status\":\"\\([a-z]*\\)\".*/\\1/') >>\$LOG"
	done
	configure '.hooks.startContainer = [{path: "/bin/sh", args: ["sh", "-c", "cat >/tmp/state; echo startContainer >>/tmp/log"]}]
		| .root.readonly = false | .process.args = ["sh", "-c", "echo program >>/tmp/log; sleep 1000"]'
}

@test "config.md, POSIX-platform Hooks: all six points, in their order, in their namespaces, with the state on stdin" {
	bundle
	all_hooks
	oci create --bundle "$BUNDLE" "$ID"
	[ "$(cat "$LOG")" = $'prestart host created\ncreateRuntime host created\ncreateContainer container created' ]
	[ ! -e "$BUNDLE/rootfs/tmp/log" ]
	oci start "$ID"
	wait_for 30 grep -q program "$BUNDLE/rootfs/tmp/log"
	[ "$(cat "$BUNDLE/rootfs/tmp/log")" = $'startContainer\nprogram' ]
	jq -e --arg id "$ID" --arg b "$BUNDLE" '.id == $id and .bundle == $b and .status == "created" and .pid == 1' "$BUNDLE/rootfs/tmp/state"
	[ "$(tail -1 "$LOG")" = 'poststart host running' ]
	oci delete --force "$ID"
	[ "$(tail -1 "$LOG")" = 'poststop host stopped' ]
	[ "$(wc -l <"$LOG")" = 5 ]
	oci_gone "$ID"
}

@test "runtime.md, State: what a hook of the creation asks for is what its input says" {
	local point
	bundle '.process.args = ["true"]'
	for point in prestart createRuntime; do
		hook $point "cat >\$LOG; $SKEP_DIR/here/bin/skep state $ID >>\$LOG"
		oci run --bundle "$BUNDLE" "$ID"
		jq -es '.[0].status == "created" and .[1].status == "created" and .[0].pid > 1 and .[0].pid == .[1].pid' "$LOG"
		configure 'del(.hooks)'
	done
}

# A zombie is over, too.
is_over() { [ ! -e "/proc/$1/exe" ]; }

# creation_in_hook: a create, SPAWNED, that hangs in a hook, $HOOK.
creation_in_hook() {
	bundle '.process.args = ["sleep", "1000"]'
	hook createRuntime 'echo $$ >$LOG.hook; exec sleep 1000'
	hook poststop 'echo stopped >>$LOG'
	spawn here "$SKEP_DIR/out" skep create --bundle "$BUNDLE" "$ID"
	wait_for 30 test -s "$LOG.hook"
	HOOK=$(cat "$LOG.hook")
	oci_is "$ID" created
}

@test "a container whose hooks of creation run can be killed, but neither started nor deleted" {
	local init rc=0
	creation_in_hook
	init=$(oci_pid "$ID")
	fails_with 1 locked oci start "$ID" &
	fails_with 1 locked oci delete --force "$ID"
	wait $!
	oci_is "$ID" created
	oci kill "$ID" KILL
	wait_for 30 oci_is "$ID" stopped
	is_over "$init"
	[ ! -s "$LOG" ]
	kill "$HOOK"
	wait "$SPAWNED" || rc=$?
	[ "$rc" = 1 ]
	[ "$(cat "$LOG")" = stopped ]
	oci_gone "$ID"
}

@test "one whose creator died in a hook is stopped: deleted, or made anew under its name" {
	local end
	for end in delete create; do
		: >"$LOG"
		rm -f "$LOG.hook"
		creation_in_hook
		kill -KILL "$SPAWNED"
		wait_for 30 oci_is "$ID" stopped
		fails_with 1 'ended already' oci start "$ID"
		fails_with 1 'not running' oci kill "$ID" TERM
		[ ! -s "$LOG" ]
		[ $end = create ] || oci delete "$ID"
		configure 'del(.hooks)'
		oci create --bundle "$BUNDLE" "$ID"
		[ "$(cat "$LOG")" = stopped ]
		wait_for 30 is_over "$HOOK"
		oci start "$ID"
		oci_is "$ID" running
		oci delete --force "$ID"
		oci_gone "$ID"
	done
}

@test "config.md, POSIX-platform Hooks: createContainer begins in the root file system, startContainer with the program's environment, HOME too" {
	bundle '.process.args = ["cat", "/etc/made"] | .root.readonly = false | .process.env = ["ONE=two"]
		| .hooks.startContainer = [{path: "/bin/sh", args: ["/bin/sh", "-euc", "echo $ONE $HOME >>/etc/made"]}]'
	hook createContainer 'pwd -P >./etc/made'
	[ "$(oci run --bundle "$BUNDLE" "$ID" 2>&1)" = "$(realpath "$BUNDLE/rootfs")"$'\ntwo /root' ]
	configure '.hooks.startContainer[0].env = ["ONE=three", "HOME=/mine"]'
	[ "$(oci run --bundle "$BUNDLE" "$ID" 2>&1)" = "$(realpath "$BUNDLE/rootfs")"$'\nthree /mine' ]
}

@test "config.md, POSIX-platform Hooks: in the listed order, with argv and env as given and nothing else" {
	bundle '.process.args = ["true"]'
	hook prestart 'echo 1 "$0" "$1" >>$LOG' '{args: ["zero", "-c", "LOG='"$LOG"'; echo 1 $0 $1 $A >>$LOG; env | grep -c ^HOME= >>$LOG; set -- /proc/$$/fd/*; echo $# >>$LOG", "one", "two"], env: ["A=b"]}'
	hook prestart 'echo 2 >>$LOG'
	hook prestart 'echo 3 >>$LOG'
	oci run --bundle "$BUNDLE" "$ID" 7</dev/null
	# 0, 1, 2, and the directory that the shell reads. With a program to count them there may be both ends of a pipe, until the shell has closed its own.
	[ "$(sed 3d "$LOG")" = $'1 one two b\n0\n2\n3' ]
	[ "$(sed -n 3p "$LOG")" -le 4 ]
}

@test "config.md, POSIX-platform Hooks: path MUST be absolute, timeout over zero" {
	bundle '.hooks.prestart = [{path: "bin/true"}]'
	fails_with 1 'hooks.prestart[0]: path must be absolute' oci create --bundle "$BUNDLE" "$ID"
	configure '.hooks.prestart = [{args: ["x"]}]'
	fails_with 1 'hooks.prestart[0]: path must be absolute' oci create --bundle "$BUNDLE" "$ID"
	configure '.hooks.prestart = [{path: "/bin/true", timeout: 0}]'
	fails_with 1 'hooks.prestart[0].timeout' oci create --bundle "$BUNDLE" "$ID"
	oci_gone "$ID"
}

@test "config.md, POSIX-platform Hooks: a hook that takes too long is killed and has failed" {
	bundle '.process.args = ["true"]'
	hook createRuntime 'echo $$ >$LOG; exec sleep 1000' '{timeout: 1}'
	fails_with 1 'error running createRuntime hook #0: /bin/sh: did not end within 1 s' oci run --bundle "$BUNDLE" "$ID"
	run ! kill -0 "$(cat "$LOG")"
	oci_gone "$ID"
}

@test "runtime.md, Lifecycle: a prestart, createRuntime or createContainer hook that fails is an error, and the end with its poststop hooks" {
	local point
	for point in prestart createRuntime createContainer; do
		bundle '.process.args = ["sh", "-c", "echo program >/tmp/ran"] | .root.readonly = false'
		hook $point 'echo a word of mine; exit 3'
		hook $point 'echo later >>$LOG'
		hook poststop 'echo stopped >>$LOG'
		: >"$LOG"
		fails_with 1 "error running $point hook #0: /bin/sh: $point hook failed with exit code 3: a word of mine" oci create --bundle "$BUNDLE" "$ID"
		[ "$(cat "$LOG")" = stopped ]
		[ ! -e "$BUNDLE/rootfs/tmp/ran" ]
		oci_gone "$ID"
	done
}

@test "runtime.md, Lifecycle: a startContainer hook that fails: no program, and the end" {
	bundle '.process.args = ["sh", "-c", "echo program >/tmp/ran"] | .root.readonly = false
		| .hooks.startContainer = [{path: "/bin/sh", args: ["sh", "-c", "exit 4"]}]'
	hook poststop 'echo stopped >>$LOG'
	oci create --bundle "$BUNDLE" "$ID"
	fails_with 1 'error running startContainer hook #0: /bin/sh: startContainer hook failed with exit code 4' oci start "$ID"
	[ "$(cat "$LOG")" = stopped ]
	[ ! -e "$BUNDLE/rootfs/tmp/ran" ]
	oci_gone "$ID"
}

@test "runtime.md, Lifecycle: a poststart hook that fails is an error, and the end" {
	bundle '.process.args = ["sleep", "1000"]'
	hook poststart 'exit 5'
	hook poststop 'echo stopped >>$LOG'
	oci create --bundle "$BUNDLE" "$ID"
	fails_with 1 'error running poststart hook #0: /bin/sh: poststart hook failed with exit code 5' oci start "$ID"
	[ "$(cat "$LOG")" = stopped ]
	oci_gone "$ID"
	fails_with 1 'error running poststart hook #0' oci run --bundle "$BUNDLE" "$ID"
	[ "$(wc -l <"$LOG")" = 2 ]
	oci_gone "$ID"
}

@test "runtime.md, Lifecycle: a poststop hook that fails is a warning, and the others have their turn" {
	bundle '.process.args = ["true"]'
	hook poststop 'exit 6'
	hook poststop 'kill -9 $$'
	hook poststop 'echo last >>$LOG'
	configure '.hooks.poststop += [{path: "/no/such/hook"}]'
	oci run --bundle "$BUNDLE" "$ID" 2>"$SKEP_DIR/err"
	[ "$(cat "$LOG")" = last ]
	grep -q 'warning: error running poststop hook #0: /bin/sh: poststop hook failed with exit code 6' "$SKEP_DIR/err"
	grep -q 'warning: error running poststop hook #1: /bin/sh: ended by signal 9' "$SKEP_DIR/err"
	grep -q 'warning: error running poststop hook #3: /no/such/hook: execute it: No such file' "$SKEP_DIR/err"
	oci_gone "$ID"
}

@test "config.md, Poststop: also of a container whose config.json is gone, and whose create was killed" {
	bundle '.process.args = ["sleep", "1000"]'
	hook poststop 'echo stopped >>$LOG'
	oci create --bundle "$BUNDLE" "$ID"
	mv "$BUNDLE/config.json" "$BUNDLE/other.json"
	oci delete --force "$ID"
	[ "$(cat "$LOG")" = stopped ]
	mv "$BUNDLE/other.json" "$BUNDLE/config.json"
	SKEP_FAULT=start.clone:kill run ! "$SKEP_DIR/here/bin/skep" create --bundle "$BUNDLE" "$ID"
	oci delete --force "$ID"
	[ "$(wc -l <"$LOG")" = 2 ]
	oci_gone "$ID"
}

# It has the lock of the name, and so knows that nobody lives who would run them.
@test "config.md, Poststop: of a create that was killed, by the next one of its name, which has only hooks of its own" {
	bundle '.process.args = ["sleep", "1000"]'
	hook poststop 'echo first >>$LOG'
	SKEP_FAULT=start.ready:kill run ! "$SKEP_DIR/here/bin/skep" create --bundle "$BUNDLE" "$ID"
	configure 'del(.hooks)'
	oci create --bundle "$BUNDLE" "$ID"
	[ "$(cat "$LOG")" = first ]
	oci start "$ID"
	oci delete --force "$ID"
	[ "$(cat "$LOG")" = first ]
	oci_gone "$ID"
}

@test "config.md, Poststop: of a delete that was killed while they ran, by the next command on the name" {
	bundle '.process.args = ["sleep", "1000"]'
	hook poststop 'cat >>$LOG; echo >>$LOG; [ -e $LOG.once ] || { : >$LOG.once; kill -9 $PPID; exec sleep 1000; }'
	oci create --bundle "$BUNDLE" "$ID"
	run -137 "$SKEP_DIR/here/bin/skep" delete --force "$ID"
	oci delete --force "$ID"
	rm "$LOG.once"
	[ "$(wc -l <"$LOG")" = 2 ]
	jq -es --arg id "$ID" --arg b "$BUNDLE" 'all(.id == $id and .bundle == $b and .status == "stopped")' "$LOG"
	oci_gone "$ID"
}

@test "config.md, CreateContainer Hooks: what it mounts below root.path is in the container" {
	bundle '.process.args = ["cat", "/tmp/given/file"]'
	mkdir "$SKEP_DIR/given" "$BUNDLE/rootfs/tmp/given"
	echo content >"$SKEP_DIR/given/file"
	hook createContainer "mount --bind $SKEP_DIR/given $BUNDLE/rootfs/tmp/given"
	[ "$(oci run --bundle "$BUNDLE" "$ID")" = content ]
	[ ! -e "$BUNDLE/rootfs/tmp/given/file" ]
	oci_gone "$ID"
}

@test "config.md, CreateRuntime Hooks: the container's namespaces are there, by the state's pid" {
	bundle '.process.args = ["true"]'
	hook createRuntime 'p=$(sed "s/.*\"pid\":\([0-9]*\).*/\1/"); [ $(readlink /proc/$p/ns/net) != $(readlink /proc/self/ns/net) ] && nsenter -t $p -n true && echo ok >>$LOG'
	oci run --bundle "$BUNDLE" "$ID"
	[ "$(cat "$LOG")" = ok ]
}

@test "config.md, StartContainer Hooks: with no more rights than the program" {
	bundle '.process.args = ["cat", "/tmp/ids"] | .process.user = {uid: 1000, gid: 1000} | .root.readonly = false
		| .hooks.startContainer = [{path: "/bin/sh", args: ["sh", "-c", "grep -E ^\"(Uid|CapEff|NoNewPrivs)\" /proc/self/status >/tmp/ids"]}]'
	chmod 777 "$BUNDLE/rootfs/tmp"
	chmod 755 "$BUNDLE" "$BUNDLE/rootfs"
	run -0 oci run --bundle "$BUNDLE" "$ID"
	[ "$output" = $'Uid:\t1000\t1000\t1000\t1000\nCapEff:\t0000000000000000\nNoNewPrivs:\t1' ]
}

# Process 1 is still a copy of the host's skep while it runs: not dumpable any more, from its change of ids on.
@test "a startContainer hook sees nothing of the host's side in process 1" {
	bundle '.process.args = ["cat", "/proc/1/environ"] | .process.env = ["MINE=1", "PATH=/bin"] | .root.readonly = false
		| .hooks.startContainer = [{path: "/bin/sh", args: ["sh", "-c", "PATH=/bin; for f in environ maps mem; do cat /proc/1/$f; done >/tmp/seen; for f in exe cwd fd/0 fd/3 fd/4; do readlink /proc/1/$f; done >>/tmp/seen; true"]}]'
	oci create --bundle "$BUNDLE" "$ID" >"$SKEP_DIR/out"
	oci start "$ID"
	wait_for 30 grep -q MINE "$SKEP_DIR/out"
	[ -e "$BUNDLE/rootfs/tmp/seen" ]
	cat "$BUNDLE/rootfs/tmp/seen"
	[ ! -s "$BUNDLE/rootfs/tmp/seen" ]
}

# Of no name busybox says that it is no applet.
@test "a hook whose list of arguments is empty has its path for a name" {
	bundle '.process.args = ["true"]'
	configure ".hooks.prestart = [{path: \"$(command -v busybox)\", args: []}]"
	oci run --bundle "$BUNDLE" "$ID"
}

@test "run that is told to end before there is a program ends, and nothing is left" {
	local rc=0
	bundle '.root.readonly = false | .hooks.startContainer = [{path: "/bin/sh", args: ["sh", "-c", "PATH=/bin; echo x >/tmp/there; exec sleep 1000"]}]'
	spawn here "$SKEP_DIR/out" skep run --bundle "$BUNDLE" "$ID"
	wait_for 30 test -s "$BUNDLE/rootfs/tmp/there"
	kill -TERM "$SPAWNED"
	wait_for 30 grep -q 'ended by signal 15' "$SKEP_DIR/out"
	wait "$SPAWNED" || rc=$?
	[ "$rc" = 1 ]
	oci_gone "$ID"
}

# bats test_tags=host_all
@test "config.md, POSIX-platform Hooks: in a user namespace" {
	# The container's ids have a way to it, and none to the bundle.
	LOG=$(mktemp -p /tmp)
	chmod 666 "$LOG"
	bundle
	all_hooks
	with_userns
	chmod 777 "$BUNDLE/rootfs/tmp"
	oci create --bundle "$BUNDLE" "$ID"
	oci start "$ID"
	oci delete --force "$ID"
	[ "$(wc -l <"$LOG")" = 5 ]
	grep -q 'createContainer container created' "$LOG"
}

@test "a hook that leaves a process with its output behind holds nobody up; one that says much does not either" {
	bundle '.process.args = ["true"]'
	hook prestart 'sleep 1000 & echo $! >$LOG'
	hook prestart 'head -c 1000000 /dev/zero | tr "\0" x; exit 7'
	local left
	fails_with 1 'exit code 7: xxx' timeout 60 "$SKEP_DIR/here/bin/skep" run --bundle "$BUNDLE" "$ID"
	left=$(cat "$LOG")
	kill "$left"
}

@test "config.md, POSIX-platform Hooks: run.oci.hooks.stdout and .stderr are where those in the runtime's namespaces write, as with crun" {
	local point
	bundle '.process.args = ["true"]'
	for point in prestart createRuntime createContainer poststart poststop; do hook $point "echo $point; echo no $point >&2"; done
	configure ".annotations = {\"run.oci.hooks.stdout\": \"$SKEP_DIR/out\", \"run.oci.hooks.stderr\": \"$SKEP_DIR/err\"}"
	oci run --bundle "$BUNDLE" "$ID"
	[ "$(cat "$SKEP_DIR/out")" = $'prestart\ncreateRuntime\npoststart\npoststop' ]
	[ "$(cat "$SKEP_DIR/err")" = $'no prestart\nno createRuntime\nno poststart\nno poststop' ]
	ln -s out "$SKEP_DIR/link"
	configure ".annotations[\"run.oci.hooks.stdout\"] = \"$SKEP_DIR/link\""
	fails_with 1 'run.oci.hooks.stdout: open' oci run --bundle "$BUNDLE" "$ID"
	oci_gone "$ID"
}
