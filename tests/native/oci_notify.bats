# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2016 # what is in single quotes is for the shell in the container
# NOTIFY_SOCKET: who waits for a container's READY=1 hears it from us, as from runc and crun, and nothing else that the container says.

bats_require_minimum_version 1.5.0
load ../lib/oci

setup() {
	oci_setup
	# A path of a caller's is none of this test's directories: it is the container's, too.
	SOCKET=$SKEP_DIR/n/socket
	mkdir "$SKEP_DIR/n"
}
teardown() { oci_teardown; }

# waiting JQ: a bundle with the program that tells, and somebody who waits at $SOCKET.
waiting() {
	bundle "$1"
	configure '.mounts += [{destination: "'"$SKEP_DIR"'", type: "tmpfs", source: "tmpfs"}]'
	cp "$BUILD/notify" "$BUNDLE/rootfs/bin"
	spawn here "$SKEP_DIR/heard" "$BUILD/notify" hear "$SOCKET"
	wait_for 30 grep -q ready "$SKEP_DIR/heard"
}
heard() { [ "$(tail -n +2 "$SKEP_DIR/heard")" = "READY=1${1:+; MAINPID=$1}"$'\nBARRIER=1 with a descriptor' ]; }
says='notify tell "STATUS=READY=1"; notify tell "MAINPID=1"; echo "$NOTIFY_SOCKET"; cat /go; notify tell "X=1
READY=1
MAINPID=4711"; notify tell READY=1; exec sleep 1000'
# It says ready when the FIFO /go is written.
go() { echo >"$BUNDLE/rootfs/go"; }

@test "start and run -d wait for READY=1, hand it on once with init's number, and nothing else" {
	local verb pid
	waiting ".process.args = [\"sh\", \"-c\", $(jq -n --arg s "$says" '$s')]"
	for verb in start run; do
		rm -f "$BUNDLE/rootfs/go"
		mkfifo "$BUNDLE/rootfs/go"
		if [ $verb = start ]; then
			NOTIFY_SOCKET=$SOCKET oci create --bundle "$BUNDLE" "$ID" >"$SKEP_DIR/out" 3>&-
			spawn here "$SKEP_DIR/said" "NOTIFY_SOCKET=$SOCKET" skep start "$ID"
		else
			spawn here "$SKEP_DIR/out" "NOTIFY_SOCKET=$SOCKET" skep run --detach --bundle "$BUNDLE" "$ID"
		fi
		pid=$SPAWNED
		wait_for 30 grep -qx "$SOCKET/notify" "$SKEP_DIR/out"
		# It has not said so, and others may have a say in the container meanwhile.
		[ "$(oci_status "$ID")" = running ]
		kill -0 "$pid"
		[ "$(cat "$SKEP_DIR/heard")" = ready ]
		go
		wait "$pid"
		wait_for 30 heard "$(oci_pid "$ID")"
		oci delete --force "$ID"
		echo ready >"$SKEP_DIR/heard"
	done
}

@test "run in the foreground hands it on meanwhile, stays the main process, and ends as the program does" {
	local rc=0 pid
	waiting '.process.args = ["sh", "-c", "notify tell READY=1; cat /go; exit 7"]'
	mkfifo "$BUNDLE/rootfs/go"
	spawn here "$SKEP_DIR/out" "NOTIFY_SOCKET=$SOCKET" skep run --bundle "$BUNDLE" "$ID"
	pid=$SPAWNED
	wait_for 30 grep -q BARRIER "$SKEP_DIR/heard"
	wait_for 30 heard ''
	go
	wait "$pid" || rc=$?
	[ $rc = 7 ]
	oci_gone "$ID"
}

@test "one that ends without it lets its caller go on; a caller that waits for nothing has no such mount" {
	waiting '.process.args = ["true"]'
	NOTIFY_SOCKET=$SOCKET oci run --detach --bundle "$BUNDLE" "$ID" 3>&-
	[ "$(cat "$SKEP_DIR/heard")" = ready ]
	oci delete --force "$ID"
	configure '.process.args = ["sh", "-c", "echo \"$NOTIFY_SOCKET\"; ls -R '"$SKEP_DIR"' | wc -l"]'
	[ "$(oci run --bundle "$BUNDLE" "$ID")" = $'\n1' ]
	[ "$(NOTIFY_SOCKET='' oci run --bundle "$BUNDLE" "$ID")" = $'\n1' ]
	[ "$(NOTIFY_SOCKET=@abstract oci run --bundle "$BUNDLE" "$ID")" = $'\n1' ]
}

@test "the directory is read-only for the container; in a user namespace, too, everybody may tell" {
	waiting '.process.args = ["sh", "-c", "echo >$NOTIFY_SOCKET.x; kill -0 1 && notify tell READY=1; sleep 1000"] | .process.user = {uid: 1000, gid: 1000}'
	with_userns
	NOTIFY_SOCKET=$SOCKET oci run --detach --bundle "$BUNDLE" "$ID" >"$SKEP_DIR/out" 2>&1 3>&-
	grep -q 'Read-only file system' "$SKEP_DIR/out"
	wait_for 30 heard "$(oci_pid "$ID")"
	fails_with 1 'made with NOTIFY_SOCKET cannot be checkpointed' oci checkpoint --image-path "$SKEP_DIR/images" "$ID"
	[ "$(oci_status "$ID")" = running ]
}

@test "what it said before its end counts, whenever it is heard" {
	local pid init
	waiting '.process.args = ["sh", "-c", "cat /go; notify tell X=1; notify tell READY=1"]'
	mkfifo "$BUNDLE/rootfs/go"
	NOTIFY_SOCKET=$SOCKET oci create --bundle "$BUNDLE" "$ID" >/dev/null 3>&-
	init=$(oci_pid "$ID")
	spawn here "$SKEP_DIR/said" "NOTIFY_SOCKET=$SOCKET" skep start "$ID"
	pid=$SPAWNED
	wait_for 30 oci_is "$ID" running
	kill -STOP "$pid"
	go
	wait_for 30 oci_is "$ID" stopped
	kill -CONT "$pid"
	wait "$pid"
	wait_for 30 heard "$init"
}

@test "a start that failed is done again; one of what runs already takes nothing from it" {
	local pid
	waiting '.process.args = ["sh", "-c", "cat /go; notify tell READY=1; sleep 1000"]'
	mkfifo "$BUNDLE/rootfs/go"
	NOTIFY_SOCKET=$SOCKET oci create --bundle "$BUNDLE" "$ID" >/dev/null 3>&-
	SKEP_FAULT=start.go NOTIFY_SOCKET=$SOCKET fails_with 1 'injected failure at start.go' oci start "$ID"
	spawn here "$SKEP_DIR/said" "NOTIFY_SOCKET=$SOCKET" skep start "$ID"
	pid=$SPAWNED
	wait_for 30 oci_is "$ID" running
	NOTIFY_SOCKET=$SOCKET fails_with 1 'running' oci start "$ID"
	go
	wait "$pid"
	wait_for 30 heard "$(oci_pid "$ID")"
}
