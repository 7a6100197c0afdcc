# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2016 # what is in single quotes is for the shell in the container
# Podman with skep as its runtime: what its users do every day.

bats_require_minimum_version 1.5.0
load ../lib/podman

setup() {
	caller_setup
	image
}
teardown() { caller_teardown; }

# In the container "c", which waits.
start_c() { podman run -d --name c --network none "$GROUP" "$@" localhost/box sleep 1000 >/dev/null; }
once() { podman run --rm --network none "$GROUP" "$@"; }
is_state() { [ "$(podman inspect --format '{{.State.Status}}' "$1")" = "$2" ]; }

@test "run: output, exit code, input, environment, user, working directory, host name" {
	local rc=0
	once localhost/box sh -c 'echo out; echo err >&2; exit 7' >"$SKEP_DIR/out" 2>"$SKEP_DIR/err" || rc=$?
	[ $rc = 7 ]
	[ "$(cat "$SKEP_DIR/out")/$(cat "$SKEP_DIR/err")" = out/err ]
	[ "$(echo in | once -i localhost/box cat)" = in ]
	[ "$(once -e A=b -u 7:8 -w /tmp --hostname there localhost/box sh -c 'echo $A; id -u; id -g; pwd; hostname' | tr '\n' ,)" = b,7,8,/tmp,there, ]
	fails_with 127 'No such file or directory' once localhost/box /bin/nothing
	fails_with 126 'Permission denied' once localhost/box /etc
	[ -z "$(podman ps -aq)" ]
	[ -z "$(oci list -q)" ]
}

@test "run -it: a terminal of the caller's size, which it can type on" {
	# What `script` runs has a terminal of its own.
	local again rc=0
	again="nsenter --mount=/proc/$CALLER_PID/ns/mnt --net=$(host_net caller) env CONTAINERS_CONF=$CALLER/containers.conf podman --root $CALLER/root --runroot /mnt/run --tmpdir $CALLER/tmp --storage-driver overlay"
	printf 'echo got $((6*7))\nexit 5\n' >"$SKEP_DIR/typed"
	script -qec "stty rows 33 cols 101; $again run --rm -it --network none $GROUP localhost/box sh -c 'tty; stty size; exec sh'" /dev/null \
		<"$SKEP_DIR/typed" >"$SKEP_DIR/out" 3>&- || rc=$?
	cat "$SKEP_DIR/out"
	[ $rc = 5 ]
	grep -q /dev/pts/0 "$SKEP_DIR/out"
	grep -q '33 101' "$SKEP_DIR/out"
	grep -q 'got 42' "$SKEP_DIR/out"
}

@test "exec: output, exit code, input, user, terminal, in the background" {
	local rc=0
	start_c
	podman exec c sh -c 'echo out; exit 9' >"$SKEP_DIR/out" || rc=$?
	[ $rc/"$(cat "$SKEP_DIR/out")" = 9/out ]
	[ "$(echo in | podman exec -i c cat)" = in ]
	[ "$(podman exec -u 5 -e A=b -w /tmp c sh -c 'id -u; echo $A; pwd' | tr '\n' ,)" = 5,b,/tmp, ]
	[ "$(podman exec -t c tty | tr -d '\r')" = /dev/pts/0 ]
	podman exec -d c touch /made
	wait_for 30 podman exec c test -e /made
	fails_with 127 'No such file' podman exec c /bin/nothing
}

@test "build of a three-line Containerfile" {
	printf 'FROM localhost/box\nRUN echo built >/made && id -u\nCMD cat /made\n' >"$CALLER/Containerfile"
	mkdir "$CALLER/context"
	podman build --network none --runtime "$SKEP_DIR/here/bin/skep" "$GROUP" -t localhost/built -f "$CALLER/Containerfile" "$CALLER/context"
	[ "$(once localhost/built)" = built ]
}

@test "a pod of two containers: one network, one ipc, one host name" {
	podman pod create --name p --hostname pod --network none "$GROUP" --infra-image localhost/box --infra-command 'sleep 1000' >/dev/null
	podman run -d --pod p --name one localhost/box sh -c 'echo hello >/dev/shm/x; while :; do nc -l -p 1234 -e /bin/hostname; done' >/dev/null
	podman run -d --pod p --name two localhost/box sleep 1000 >/dev/null
	wait_for 30 podman exec two cat /dev/shm/x
	[ "$(podman exec two cat /dev/shm/x)" = hello ]
	for ns in net ipc uts; do [ "$(podman exec one readlink /proc/self/ns/$ns)" = "$(podman exec two readlink /proc/self/ns/$ns)" ]; done
	[ "$(podman exec one readlink /proc/self/ns/mnt)" != "$(podman exec two readlink /proc/self/ns/mnt)" ]
	# Each answer takes a new server.
	wait_for 30 eval '[ "$(podman exec two nc 127.0.0.1 1234)" = pod ]'
	[ "$(podman pod inspect p | jq -r .State)" = Running ]
	podman pod stop --time 0 p
	is_state one exited
	podman pod start p
	is_state two running
	podman pod rm --force --time 0 p
	[ -z "$(podman ps -aq)" ]
}

@test "--memory, --cpus, --pids-limit" {
	local v1=/sys/fs/cgroup under
	start_c --memory 64m --memory-reservation 32m --cpus 0.5 --cpu-shares 512 --pids-limit 20
	under=$ID/libpod-$(podman inspect --format '{{.Id}}' c)
	if [ -d $v1/memory ]; then
		[ "$(cat "$v1/memory/$under/memory.limit_in_bytes")" = 67108864 ]
		[ "$(cat "$v1/memory/$under/memory.soft_limit_in_bytes")" = 33554432 ]
		[ "$(cat "$v1/cpu/$under/cpu.cfs_quota_us")/$(cat "$v1/cpu/$under/cpu.cfs_period_us")" = 50000/100000 ]
		[ "$(cat "$v1/cpu/$under/cpu.shares")" = 512 ]
		[ "$(cat "$v1/pids/$under/pids.max")" = 20 ]
	else
		[ "$(cat "$v1/$under/memory.max")" = 67108864 ]
		[ "$(cat "$v1/$under/memory.low")" = 33554432 ]
		[ "$(cat "$v1/$under/cpu.max")" = '50000 100000' ]
		[ "$(cat "$v1/$under/pids.max")" = 20 ]
	fi
	run -137 podman exec c dd if=/dev/zero of=/dev/null bs=200M count=1
	podman exec c sh -c 'for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21; do sleep 20 & done; echo more' 2>&1 | grep -q "can't fork"
	podman stats --no-stream --format json c | jq -e '.[0].pids | tonumber >= 1'
}

@test "--read-only, --tmpfs, -v, --cap-drop, --cap-add, no new privileges" {
	mkdir "$CALLER/vol"
	echo host >"$CALLER/vol/file"
	once --read-only --tmpfs /t:size=1m -v "$CALLER/vol:/rw" -v "$CALLER/vol:/ro:ro" localhost/box sh -c '
		touch /x 2>/dev/null || echo 1; touch /t/x && echo 2; cat /ro/file; touch /ro/x 2>/dev/null || echo 3; echo in >/rw/new; stat -f -c %b /t' >"$SKEP_DIR/out"
	[ "$(tr '\n' , <"$SKEP_DIR/out")" = 1,2,host,3,256, ]
	[ "$(cat "$CALLER/vol/new")" = in ]
	once --cap-drop all --cap-add net_bind_service --security-opt no-new-privileges localhost/box grep -E '^(Cap|NoNew)' /proc/self/status >"$SKEP_DIR/out"
	[ "$(awk '{ print $2 }' "$SKEP_DIR/out" | tr '\n' ,)" = 0000000000000000,0000000000000400,0000000000000400,0000000000000400,0000000000000000,1, ]
	[ "$(once localhost/box grep Seccomp: /proc/self/status | awk '{ print $2 }')" = 2 ]
	[ "$(once --privileged localhost/box grep Seccomp: /proc/self/status | awk '{ print $2 }')" = 0 ]
}

@test "--userns=auto: ids of its own, and its files are root's inside" {
	once --userns=auto:size=65536 localhost/box sh -c 'cat /proc/self/uid_map; stat -c %u /bin/busybox; touch /x && stat -c %u /x' >"$SKEP_DIR/out"
	[ "$(awk '{ $1 = $1; print }' "$SKEP_DIR/out" | tr '\n' ,)" = '0 1600000000 65536,0,0,' ]
}

@test "a health check" {
	start_c --health-cmd 'test -e /ok' --health-retries 1
	run -1 podman healthcheck run c
	[ "$(podman inspect --format '{{.State.Health.Status}}' c)" = unhealthy ]
	podman exec c touch /ok
	podman healthcheck run c
	[ "$(podman inspect --format '{{.State.Health.Status}}' c)" = healthy ]
}

@test "logs, stop, start, restart, pause, kill, wait, top" {
	podman run -d --name c --network none "$GROUP" localhost/box sh -c 'trap "echo bye; exit 3" TERM; echo out; echo err >&2; while :; do sleep 0.1; done' >/dev/null
	wait_for 30 eval '[ "$(podman logs c 2>&1 | sort | tr "\n" ,)" = err,out, ]'
	podman top c args | grep -q trap
	podman pause c
	is_state c paused
	podman unpause c
	is_state c running
	podman stop --time 20 c
	[ "$(podman inspect --format '{{.State.Status}} {{.State.ExitCode}}' c)" = 'exited 3' ]
	[ "$(podman logs c 2>/dev/null | tr '\n' ,)/$(podman logs c 2>&1 >/dev/null)" = out,bye,/err ]
	podman start c
	local pid
	pid=$(podman inspect --format '{{.State.Pid}}' c)
	podman restart --time 20 c
	is_state c running
	[ "$(podman inspect --format '{{.State.Pid}}' c)" != "$pid" ]
	podman kill c
	[ "$(podman wait c)" = 137 ]
	podman rm c
	[ -z "$(oci list -q)" ]
}

@test "a network of Podman's: from outside to a container, and between two" {
	mkdir -p "$CALLER/net"
	jq -n --arg dir "$CALLER/addresses" '{cniVersion: "0.4.0", name: "n", plugins: [{type: "bridge", bridge: "cni-test", isGateway: true,
		ipam: {type: "host-local", dataDir: $dir, ranges: [[{subnet: "10.77.9.0/24"}]]}}]}' >"$CALLER/net/n.conflist"
	podman run -d --name c --network n --ip 10.77.9.9 "$GROUP" localhost/box sh -c 'while :; do nc -l -p 1234 -e /bin/echo reached; done' >/dev/null
	wait_for 30 in_caller ncat -zw 1 10.77.9.9 1234
	wait_for 30 eval '[ "$(podman run --rm --network n "$GROUP" localhost/box nc -w 5 10.77.9.9 1234)" = reached ]' # each answer takes a new server
	podman rm --force --time 0 c
}

count_to() { [ "$(podman logs "$1" 2>&1 | tail -n 1)" -ge "$2" ]; }
counting() { podman run -d --name "$1" "${@:2}" "$GROUP" localhost/box sh -c 'i=0; while :; do i=$((i+1)); echo $i; sleep 0.1; done' >/dev/null; }

@test "container checkpoint and restore, in place, by an archive, and under another name" {
	local n
	in_caller ip link set lo up # criu tries it out
	counting c --network none --tmpfs /t -v "$CALLER/box:/v:ro" --memory 64m
	podman exec c sh -c 'echo kept >/t/file; echo written >/layer'
	wait_for 30 count_to c 5
	podman container checkpoint c
	is_state c exited
	[ -z "$(oci list -q)" ]
	n=$(podman logs c | tail -n 1)
	podman container restore c
	is_state c running
	wait_for 30 count_to c $((n + 3))
	# One life: no number twice, and none left out.
	podman logs c >"$SKEP_DIR/numbers"
	seq "$(tail -n 1 "$SKEP_DIR/numbers")" | diff - "$SKEP_DIR/numbers"
	[ "$(podman exec c cat /t/file /layer /v/bin/sh | head -c 13 | tr '\n' ,)" = kept,written, ]
	podman container checkpoint --leave-running c
	is_state c running
	podman container checkpoint --export "$CALLER/c.tar.gz" c
	n=$(podman logs c | tail -n 1)
	podman rm c
	podman container restore --import "$CALLER/c.tar.gz" --name d
	wait_for 30 count_to d $((n + 3))
	[ "$(podman exec d cat /t/file /layer | tr '\n' ,)" = kept,written, ]
	podman stop --time 0 d
}

@test "a container of a pod, restored into the pod's namespaces" {
	in_caller ip link set lo up
	podman pod create --name p --network none "$GROUP" --infra-image localhost/box --infra-command 'sleep 1000' >/dev/null
	podman run -d --pod p --name one localhost/box sh -c 'i=0; while :; do i=$((i+1)); echo $i; sleep 0.1; done' >/dev/null
	wait_for 30 count_to one 3
	podman container checkpoint one
	podman container restore one
	podman run -d --pod p --name two localhost/box sleep 1000 >/dev/null
	for ns in net ipc uts; do [ "$(podman exec one readlink /proc/self/ns/$ns)" = "$(podman exec two readlink /proc/self/ns/$ns)" ]; done
	podman pod rm --force --time 0 p
}
