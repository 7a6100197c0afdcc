# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2016 # what is in single quotes is for the shell in the container
# Who should answer, read or write does not; what should be small is huge: an error or a bounded wait, never a hang, and nothing left.

bats_require_minimum_version 1.5.0
load ../lib/oci

setup() {
	oci_setup
	GROUP=skep-test-$$
}
teardown() {
	local f
	for f in /sys/fs/cgroup/{,unified/}"$GROUP"/above/cgroup.freeze; do [ ! -e "$f" ] || echo 0 >"$f"; done
	for f in /sys/fs/cgroup/freezer/{"$GROUP"/above,skep-"$ID"}/freezer.state; do [ ! -e "$f" ] || echo THAWED >"$f"; done
	oci_teardown
	find /sys/fs/cgroup -depth -type d -path "*/$GROUP*" -exec rmdir {} + 2>/dev/null || true
}

# bounded SECONDS CMD...: CMD ends by then, which is before the minute that it is otherwise. It gets its own process group's time, not ours: a command that hangs is killed.
bounded() {
	local rc=0 limit=$1
	shift
	timeout -k 2 "$limit" "$SKEP_DIR/here/bin/skep" "$@" </dev/null 3>&- || rc=$?
	[[ $rc != @(124|137) ]] || { echo "hangs: skep $*"; return 200; }
	return $rc
}
# Its own output and not a pipe of run's, which a container would hold open.
refused() { # TEXT ARGS...
	local text=$1 rc=0
	shift
	bounded 40 "$@" >"$SKEP_DIR/said" 2>&1 || rc=$?
	[ $rc -gt 0 ] && [ $rc != 200 ] && grep -qF -- "$text" "$SKEP_DIR/said" && return
	echo "ended with $rc, wanted '$text':"
	cat "$SKEP_DIR/said"
	return 1
}
# The same of who waits for a second, instead of the minute that it is otherwise: where that second is over is all the same for TEXT. Nobody else has so little: a busy machine may have a
# container wait for longer before it comes as far as it is to come.
gives_up() { SKEP_PATIENCE=1 refused "$@"; }
sleeper() { bundle '.process.args = ["sleep", "1000"]'"${1:+ | $1}"; }

# bats test_tags=host_all
@test "a control group that is frozen already, and one below a frozen one, are refused" {
	local where file frozen thawed at
	sleeper ".linux.cgroupsPath = \"/$GROUP/above/below\""
	[ -n "$(freezers)" ]
	while read -r where file frozen thawed; do
		for at in above above/below; do
			mkdir -p "/sys/fs/cgroup/$where/$GROUP/$at"
			echo "$frozen" >"/sys/fs/cgroup/$where/$GROUP/$at/$file"
			refused frozen create --bundle "$BUNDLE" "$ID"
			refused frozen run --bundle "$BUNDLE" "$ID"
			bounded 40 delete --force "$ID"
			[ -e "/sys/fs/cgroup/$where/$GROUP/$at" ] # somebody else's
			echo "$thawed" >"/sys/fs/cgroup/$where/$GROUP/$at/$file"
			find /sys/fs/cgroup -depth -type d -path "*/$GROUP*" -exec rmdir {} + || true # others' groups come and go meanwhile
		done
	done < <(freezers)
	oci_gone "$ID"
	bounded 40 create --bundle "$BUNDLE" "$ID"
	bounded 40 delete "$ID"
}

# bats test_tags=host_all
@test "a container that somebody has frozen: it is paused, whichever freezer it was; delete --force ends it" {
	local where file frozen
	sleeper
	while read -r where file frozen _; do
		bounded 40 run -d --bundle "$BUNDLE" "$ID"
		echo "$frozen" >"/sys/fs/cgroup/$where/skep-$ID/$file"
		oci_is "$ID" paused
		refused paused exec "$ID" true
		refused paused start "$ID"
		bounded 40 update --pids-limit 99 "$ID"
		bounded 40 kill "$ID" TERM
		bounded 40 ps "$ID" >/dev/null
		bounded 40 resume "$ID"
		oci_is "$ID" running
		bounded 40 exec "$ID" true
		echo "$frozen" >"/sys/fs/cgroup/$where/skep-$ID/$file"
		bounded 40 delete --force "$ID"
		oci_gone "$ID"
		bounded 40 create --bundle "$BUNDLE" "$ID"
		echo "$frozen" >"/sys/fs/cgroup/$where/skep-$ID/$file"
		refused paused start "$ID"
		bounded 40 delete --force "$ID"
		oci_gone "$ID"
	done < <(freezers)
}

# bats test_tags=host_all
@test "a container that a hook of its own freezes while it is made: an error, and nothing left" {
	local where file frozen end verb
	while read -r where file frozen _; do
		for end in 1 0; do
			sleeper ".hooks.createRuntime = [{path: \"/bin/sh\", args: [\"sh\", \"-c\", \"echo $frozen >/sys/fs/cgroup/$where/skep-$ID/$file; exit $end\"]}]"
			for verb in create run; do
				[ $end = 0 ] || refused 'exit code 1' $verb --bundle "$BUNDLE" "$ID"
				[ $end = 1 ] || gives_up 'does not come on' $verb --bundle "$BUNDLE" "$ID"
				oci_gone "$ID"
			done
		done
	done < <(freezers)
}

@test "a first process that has been stopped: start gives up and ends it" {
	sleeper
	oci create --bundle "$BUNDLE" "$ID"
	kill -STOP "$(oci_pid "$ID")"
	gives_up 'does not come on' start "$ID"
	wait_for 30 oci_is "$ID" stopped
	bounded 40 delete "$ID"
	oci_gone "$ID"
}

@test "a created one that nobody starts, one that ignores SIGTERM" {
	sleeper
	oci create --bundle "$BUNDLE" "$ID"
	bounded 40 kill "$ID" KILL
	wait_for 30 oci_is "$ID" stopped
	bounded 40 delete "$ID"
	configure '.process.args = ["sh", "-c", "trap \"\" TERM INT HUP; while :; do sleep 1; done"]'
	bounded 40 run -d --bundle "$BUNDLE" "$ID"
	bounded 40 kill "$ID" TERM
	refused 'is running' delete "$ID"
	bounded 40 delete --force "$ID"
	oci_gone "$ID"
}

@test "config.json: a FIFO that nobody writes, a writer that stalls, a gigabyte, depth; process and resources from such a one" {
	local f=$SKEP_DIR/odd
	sleeper
	mkdir "$f"
	mkfifo "$f/config.json"
	gives_up 'nobody writes' create --bundle "$f" "$ID"
	(exec 9<>"$f/config.json"; echo '{' >&9; gives_up 'nobody writes' run --bundle "$f" "$ID")
	# One that somebody writes after a while is as good as a file.
	(read -rt 0.5 <> <(:) || cat "$BUNDLE/config.json" >"$f/config.json") 3>&- &
	ln -s "$BUNDLE/rootfs" "$f/rootfs"
	bounded 40 create --bundle "$f" "$ID"
	bounded 40 delete "$ID"
	rm "$f/config.json"
	truncate -s 1G "$f/config.json"
	refused 'is larger than' create --bundle "$f" "$ID"
	rm "$f/config.json"
	printf '%*s' 16000000 '' | tr ' ' '[' >"$f/config.json"
	refused 'depth' create --bundle "$f" "$ID"
	printf '%*s' 2000000 '' | sed 's/ /{"a":/g' >"$f/config.json"
	refused 'depth' create --bundle "$f" "$ID"
	oci_gone "$ID"
	bounded 40 run -d --bundle "$BUNDLE" "$ID"
	mkfifo "$SKEP_DIR/fifo"
	gives_up 'nobody writes' exec --process "$SKEP_DIR/fifo" "$ID"
	gives_up 'nobody writes' update --resources "$SKEP_DIR/fifo" "$ID"
	oci_is "$ID" running
}

# full JQ: the bundle's config.json with that put into it, in one line: of what may be in there, 16 MiB.
full() {
	mkdir -p "$SKEP_DIR/full"
	ln -sfn "$BUNDLE/rootfs" "$SKEP_DIR/full/rootfs"
	jq -c "$1" "$BUNDLE/config.json" >"$SKEP_DIR/full/config.json"
	[ "$(stat -c %s "$SKEP_DIR/full/config.json")" -lt 16777216 ]
}
@test "config.json with as many as fit: variables, hooks' variables, mount options, rules for system calls" {
	sleeper '.process.args = ["true"]'
	full '.process.env += [range(65000) | "V\(.)="]'
	bounded 40 run --bundle "$SKEP_DIR/full" "$ID"
	full '.hooks.poststop = [range(15) | {path: "/bin/true", env: [range(65000) | "V\(.)="]}]'
	refused 'hooks.json would be larger' create --bundle "$SKEP_DIR/full" "$ID"
	full '.mounts += [{destination: "/tmp", type: "tmpfs", source: "tmpfs", options: [range(1000000) | "a"]}]'
	refused 'the options of /tmp are longer' create --bundle "$SKEP_DIR/full" "$ID"
	full '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls: [range(30000) | {names: ["read"], action: "SCMP_ACT_ERRNO", args: [{index: 0, value: ., op: "SCMP_CMP_EQ"}]}]}'
	refused 'linux.seccomp: over' create --bundle "$SKEP_DIR/full" "$ID"
	oci_gone "$ID"
}

@test "a state that could not be read again is not written; one that has grown too large does not keep delete --force" {
	sleeper
	full '.annotations = ([range(1000000) | {key: "a\(.)", value: ""}] | from_entries)'
	refused 'state.json would be larger' create --bundle "$SKEP_DIR/full" "$ID"
	oci_gone "$ID"
	bounded 40 run -d --bundle "$BUNDLE" "$ID"
	truncate -s 17M "$SKEP_DIR/here/oci/$ID/state.json"
	refused 'larger than' state "$ID"
	refused 'larger than' delete "$ID"
	bounded 40 delete --force "$ID"
	oci_gone "$ID"
}

@test "namespaces by a path at which a FIFO is" {
	local kind
	mkfifo "$SKEP_DIR/fifo"
	for kind in user network pid mount ipc uts cgroup time; do
		sleeper ".linux.namespaces |= map(select(.type != \"$kind\")) + [{type: \"$kind\", path: \"$SKEP_DIR/fifo\"}]"
		refused "is it a $kind namespace?" run --bundle "$BUNDLE" "$ID"
		oci_gone "$ID"
	done
}

@test "a log that nobody reads, or on a full disk; a pid file that was a FIFO" {
	sleeper
	mkfifo "$SKEP_DIR/fifo"
	gives_up 'nobody reads' --log "$SKEP_DIR/fifo" create --bundle "$BUNDLE" "$ID"
	# Full from the first page on: what does not fit is lost, what is to be done is done.
	exec 8<>"$SKEP_DIR/fifo"
	head -c 65536 /dev/zero >&8
	bounded 40 --debug --log "$SKEP_DIR/fifo" create --bundle "$BUNDLE" "$ID"
	exec 8>&-
	bounded 40 --log /dev/full --debug start "$ID"
	bounded 40 --log /dev/full delete --force "$ID"
	bounded 40 create --pid-file "$SKEP_DIR/fifo" --bundle "$BUNDLE" "$ID"
	[ "$(cat "$SKEP_DIR/fifo")" = "$(oci_pid "$ID")" ]
	bounded 40 delete "$ID"
	oci_gone "$ID"
}

@test "a console socket that nobody accepts on" {
	bundle '.process.terminal = true'
	spawn here "$SKEP_DIR/full" /usr/bin/python3 -c 'import signal, socket, sys
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(0)
c = socket.socket(socket.AF_UNIX); c.connect(sys.argv[1]); print("full", flush=True); signal.pause()' "$SKEP_DIR/socket"
	wait_for 30 grep -q full "$SKEP_DIR/full"
	refused 'nobody accepts' create --console-socket "$SKEP_DIR/socket" --bundle "$BUNDLE" "$ID"
	oci_gone "$ID"
}

@test "a NOTIFY_SOCKET that nobody reads from" {
	mkdir "$SKEP_DIR/n"
	spawn here "$SKEP_DIR/full" /usr/bin/python3 -c 'import signal, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind(sys.argv[1])
c = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); c.connect(sys.argv[1]); c.setblocking(False)
try:
    while True: c.send(b"x")
except BlockingIOError: print("full", flush=True)
signal.pause()' "$SKEP_DIR/n/socket"
	wait_for 30 grep -q full "$SKEP_DIR/full"
	sleeper '.process.args = ["sh", "-c", "notify tell READY=1; exec sleep 1000"]'
	configure '.mounts += [{destination: "'"$SKEP_DIR"'", type: "tmpfs", source: "tmpfs"}]'
	cp "$BUILD/notify" "$BUNDLE/rootfs/bin"
	export NOTIFY_SOCKET=$SKEP_DIR/n/socket
	bounded 40 create --bundle "$BUNDLE" "$ID"
	SKEP_PATIENCE=5 refused 'nobody reads from it' start "$ID"
	oci_is "$ID" running
	bounded 40 delete --force "$ID"
	oci_gone "$ID"
}

@test "an output that nobody reads: the container can be ended, its terminal's last words are given up" {
	local run
	mkfifo "$SKEP_DIR/out"
	exec 8<>"$SKEP_DIR/out"
	bundle '.process.args = ["sh", "-c", "while :; do echo 0123456789; done"]'
	"$SKEP_DIR/here/bin/skep" run --bundle "$BUNDLE" "$ID" </dev/null >&8 2>"$SKEP_DIR/err" 3>&- 8>&- &
	run=$!
	wait_for 30 oci_is "$ID" running
	bounded 40 state "$ID" >/dev/null
	bounded 40 kill "$ID" KILL
	wait_for 30 [ ! -e "/proc/$run/status" ]
	oci_gone "$ID"
	# A terminal's bytes go through us.
	configure '.process.terminal = true'
	SKEP_PATIENCE=5 "$SKEP_DIR/here/bin/skep" run --bundle "$BUNDLE" "$ID" </dev/null >&8 2>"$SKEP_DIR/err" 3>&- 8>&- &
	run=$!
	wait_for 30 oci_is "$ID" running
	bounded 40 kill "$ID" KILL
	wait_for 30 [ ! -e "/proc/$run/status" ]
	grep -q 'nobody reads it' "$SKEP_DIR/err"
	oci_gone "$ID"
	# And whoever does not want to wait for that ends us.
	SKEP_PATIENCE=0 "$SKEP_DIR/here/bin/skep" run --bundle "$BUNDLE" "$ID" </dev/null >&8 2>"$SKEP_DIR/err" 3>&- 8>&- &
	run=$!
	wait_for 30 oci_is "$ID" running
	bounded 40 kill "$ID" KILL
	wait_for 30 oci_is "$ID" stopped
	kill -TERM $run
	wait_for 30 [ ! -e "/proc/$run/status" ]
	oci_gone "$ID"
	exec 8>&-
}

@test "a huge passwd and group, sparse and full, and ones that are FIFOs" {
	local f
	sleeper '.process.args = ["sh", "-c", "echo $HOME"] | .process.user.additionalGids = [7, 8]'
	for f in passwd group; do
		cp "$BUNDLE/rootfs/etc/$f" "$SKEP_DIR/$f"
		truncate -s 1G "$BUNDLE/rootfs/etc/$f"
	done
	bounded 40 run --bundle "$BUNDLE" "$ID" >"$SKEP_DIR/out"
	[ "$(cat "$SKEP_DIR/out")" = /root ]
	yes 'joe:x:4000:4000:joe:/home/joe:/bin/sh' | head -c 100M >"$BUNDLE/rootfs/etc/passwd"
	yes 'crowd:x:4001:joe,joe,joe,joe,joe,joe' | head -c 100M >"$BUNDLE/rootfs/etc/group"
	configure '.process.args = ["sleep", "1000"]'
	bounded 40 run -d --bundle "$BUNDLE" "$ID"
	bounded 40 exec --user joe "$ID" id -u >"$SKEP_DIR/out" || true
	bounded 40 exec --user 4000:crowd "$ID" true || true
	bounded 40 exec --user nobody-knows-me "$ID" true && false
	bounded 40 delete --force "$ID"
	# No separator anywhere.
	head -c 100M /dev/zero | tr '\0' a >"$BUNDLE/rootfs/etc/passwd"
	bounded 40 run -d --bundle "$BUNDLE" "$ID"
	refused 'no such user' exec --user joe "$ID" true
	bounded 40 delete --force "$ID"
	for f in passwd group; do
		rm "$BUNDLE/rootfs/etc/$f"
		mkfifo "$BUNDLE/rootfs/etc/$f"
	done
	bounded 40 run -d --bundle "$BUNDLE" "$ID"
	refused 'not a regular file' exec --user joe "$ID" true
	bounded 40 delete --force "$ID"
	oci_gone "$ID"
}

@test "hooks that never end: killed at their time, or with who waits for them" {
	local point run
	for point in prestart createRuntime createContainer startContainer poststart; do
		echo "$point"
		sleeper ".hooks.$point = [{path: \"/bin/sleep\", args: [\"sleep\", \"1000\"], timeout: 1}]"
		[ "$point" != startContainer ] || configure '.hooks.startContainer[0].path = "/bin/sleep"'
		refused 'did not end within 1 s' run --bundle "$BUNDLE" "$ID"
		oci_gone "$ID"
	done
	for point in createRuntime createContainer startContainer; do
		sleeper ".hooks.$point = [{path: \"/bin/sleep\", args: [\"sleep\", \"7$$\"]}]"
		echo "$point, without a time"
		"$SKEP_DIR/here/bin/skep" run --bundle "$BUNDLE" "$ID" </dev/null >"$SKEP_DIR/out" 2>&1 3>&- &
		run=$!
		wait_for 30 pgrep -fx "sleep 7$$"
		kill -TERM $run
		wait_for 30 [ ! -e "/proc/$run/status" ]
		bounded 40 delete --force "$ID"
		oci_gone "$ID"
	done
	# At the deletion it is a warning.
	sleeper '.hooks.poststop = [{path: "/bin/sleep", args: ["sleep", "1000"], timeout: 1}]'
	bounded 40 run -d --bundle "$BUNDLE" "$ID"
	bounded 40 delete --force "$ID" 2>"$SKEP_DIR/err"
	grep -q 'did not end within 1 s' "$SKEP_DIR/err"
	oci_gone "$ID"
}

@test "a million descriptors to be preserved" {
	sleeper
	refused '--preserve-fds' create --preserve-fds 1000000 --bundle "$BUNDLE" "$ID"
	refused '--preserve-fds' run --preserve-fds 99999999999999999999 --bundle "$BUNDLE" "$ID"
	LISTEN_FDS=1000000 refused 'LISTEN_FDS' create --bundle "$BUNDLE" "$ID"
	oci_gone "$ID"
}

# hung DIR: its server has stopped to answer.
hung() {
	mkdir -p "$1"
	exec 7> >(exec /usr/bin/python3 "$REPO/tests/lib/hung_fuse.py" "$1" >"$SKEP_DIR/fuse" 2>&1 3>&-)
	wait_for 30 grep -q there "$SKEP_DIR/fuse"
}

@test "a file system whose server does not answer: as root, as a mount's source, as the working directory" {
	local dir=$SKEP_DIR/hung
	sleeper
	hung "$dir"
	jq --arg dir "$dir" '.root.path = $dir' "$BUNDLE/config.json" >"$SKEP_DIR/of-root"
	gives_up 'does not come on' run --config "$SKEP_DIR/of-root" --bundle "$BUNDLE" "$ID"
	bounded 40 delete --force "$ID"
	oci_gone "$ID"
	configure ".mounts += [{destination: \"/srv\", type: \"bind\", source: \"$dir\", options: [\"rbind\"]}, {destination: \"/srv/below\", type: \"tmpfs\", source: \"tmpfs\"}]"
	gives_up 'does not come on' create --bundle "$BUNDLE" "$ID"
	oci_gone "$ID"
	configure '.mounts[-1].destination = "/else" | .process.cwd = "/srv/sub"'
	gives_up 'does not come on' run --bundle "$BUNDLE" "$ID"
	oci_gone "$ID"
	configure '.process.cwd = "/"'
	bounded 40 run -d --bundle "$BUNDLE" "$ID"
	gives_up 'does not come on' exec --cwd /srv/sub "$ID" true
	bounded 40 delete --force "$ID"
	oci_gone "$ID"
	umount -l "$dir"
	exec 7>&-
}
