# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2016 # what is in single quotes is for the shell in the container
# containerd with skep as the program of its runc shim: run, exec, kill, delete.

bats_require_minimum_version 1.5.0
load ../lib/podman

setup() {
	caller_setup
	box
	# In the mount namespace /run/containerd is the test's own: shims put their sockets there, whatever the configuration says.
	in_caller mkdir -p /run/containerd
	cat >"$CALLER/containerd.toml" <<-END
		version = 2
		root = "$CALLER/lib"
		state = "$CALLER/state"
		disabled_plugins = ["io.containerd.grpc.v1.cri"]
		[grpc]
		  address = "$CALLER/containerd.sock"
		[ttrpc]
		  address = "$CALLER/containerd.sock.ttrpc"
		[plugins."io.containerd.internal.v1.opt"]
		  path = "$CALLER/opt"
	END
	(exec nsenter --mount="/proc/$CALLER_PID/ns/mnt" --net="$(host_net caller)" -- containerd --config "$CALLER/containerd.toml" \
		</dev/null >"$CALLER/containerd.log" 2>&1 3>&-) &
	SKEP_SPAWNED+=($!)
	wait_for 30 ctr version
}

teardown() {
	local rc=0 name
	for name in $(ctr tasks ls -q); do ctr tasks rm -f "$name" || rc=1; done
	for name in $(ctr containers ls -q); do ctr containers rm "$name" || rc=1; done
	wait_for 30 no_shim || rc=1
	caller_teardown || rc=1
	return $rc
}
no_shim() { ! grep -qszF "$CALLER/containerd.sock" /proc/[0-9]*/cmdline || ! grep -qsx containerd-shim /proc/[0-9]*/comm; }

ctr() { in_caller ctr --address "$CALLER/containerd.sock" "$@"; }
start() { # NAME WORDS... -- PROGRAM...
	local name=$1 words=()
	shift
	while [ "$1" != -- ]; do words+=("$1") && shift; done
	shift
	ctr run --rootfs --runc-binary "$BUILD/skep" --runc-root "$CALLER/runc" --fifo-dir "$CALLER/fifo" \
		--cgroup "$ID/$name" "${words[@]}" "$CALLER/box" "$name" "$@"
}
task_is() { [ "$(ctr tasks ls | awk -v name="$1" '$1 == name { print $3 }')" = "$2" ]; }

@test "run: output, exit code, environment, a terminal" {
	[ "$(start one --rm --env A=b -- sh -c 'echo $A; cat /proc/sys/kernel/hostname >/dev/null && echo done')" = $'b\ndone' ]
	fails_with 7 '' start two --rm -- sh -c 'exit 7'
	fails_with 1 'No such file or directory' start three --rm -- /bin/nothing
	local again="nsenter --mount=/proc/$CALLER_PID/ns/mnt ctr --address $CALLER/containerd.sock run --rm --tty --rootfs --runc-binary $BUILD/skep --runc-root $CALLER/runc --fifo-dir $CALLER/fifo"
	script -qec "stty rows 33 cols 101; $again --cgroup $ID/four $CALLER/box four sh -c 'tty; stty size'" /dev/null </dev/null >"$SKEP_DIR/out" 3>&-
	grep -q /dev/pts/0 "$SKEP_DIR/out"
}

@test "exec, pause, resume, metrics, kill, delete" {
	start c -d --memory-limit 67108864 -- sleep 1000
	wait_for 30 task_is c RUNNING
	[ "$(ctr tasks exec --exec-id e1 --fifo-dir "$CALLER/fifo" c sh -c 'echo in; id -u' | tr '\n' ,)" = in,0, ]
	fails_with 4 '' ctr tasks exec --exec-id e2 --fifo-dir "$CALLER/fifo" c sh -c 'exit 4'
	ctr tasks exec --detach --exec-id e3 --fifo-dir "$CALLER/fifo" c sleep 1000
	[ "$(ctr tasks ps c | wc -l)" = 3 ]
	ctr tasks kill --exec-id e3 --signal KILL c
	ctr tasks pause c
	wait_for 30 task_is c PAUSED
	ctr tasks resume c
	wait_for 30 task_is c RUNNING
	ctr tasks metrics c | grep -q memory
	ctr tasks kill --signal KILL c
	wait_for 30 task_is c STOPPED
	ctr tasks rm c
	ctr containers rm c
	[ -z "$(ctr containers ls -q)" ]
	[ -z "$("$BUILD/skep" --root "$CALLER/runc/default" list -q)" ]
}

@test "a checkpoint, for which it pauses the task: the task goes on, or ends with --exit" {
	start c -d -- sh -c 'i=0; while :; do i=$((i+1)); echo $i >/dev/shm/count; sleep 0.05; done'
	wait_for 30 task_is c RUNNING
	ctr tasks checkpoint --image-path "$CALLER/images" c
	[ -s "$CALLER/images/inventory.img" ]
	wait_for 30 task_is c RUNNING
	ctr tasks checkpoint --exit --image-path "$CALLER/images2" c
	wait_for 30 task_is c STOPPED
	ctr tasks rm c
	ctr containers rm c
}
