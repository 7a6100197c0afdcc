# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2016 # what is in single quotes is for the shell in the container
# skep exec: a further program in a container, with its limits and rights and nothing of the host's.

bats_require_minimum_version 1.5.0
load ../lib/oci

setup() {
	oci_setup
	bundle '.process.args = ["sleep", "1000"]'
}
teardown() { oci_teardown; }

start_it() { oci run -d --bundle "$BUNDLE" "$ID" >/dev/null 2>&1 3>&-; }

@test "exit code, output, input" {
	start_it
	local rc=0
	oci exec "$ID" sh -c 'echo out; echo err >&2; exit 5' >"$SKEP_DIR/out" 2>"$SKEP_DIR/err" || rc=$?
	[ $rc = 5 ]
	[ "$(cat "$SKEP_DIR/out")/$(cat "$SKEP_DIR/err")" = out/err ]
	[ "$(echo in | oci exec "$ID" cat)" = in ]
	fails_with 137 '' oci exec "$ID" sh -c 'kill -9 $$'
}

@test "a program that is not there: 127; that is none: 126; no container: 255" {
	start_it
	fails_with 127 'No such file or directory' oci exec "$ID" /bin/nothing
	fails_with 127 'No such file or directory' oci exec "$ID" nothing
	fails_with 126 'Permission denied' oci exec "$ID" /etc/passwd
	fails_with 255 'does not exist' oci exec "${ID}x" true
	fails_with 255 'needs a program' oci exec "$ID"
	oci kill "$ID" 9
	wait_for 30 oci_is "$ID" stopped
	fails_with 255 'not running' oci exec "$ID" true
}

# What every process of the container has in common, as it sees itself.
likeness='for n in mnt pid net ipc uts cgroup user; do readlink /proc/self/ns/$n; done; cat /proc/self/cgroup;
	grep -E "^(Cap|NoNewPrivs|Seccomp)" /proc/self/status; ulimit -n'


@test "it has the namespaces, groups, capabilities, filter and limits of the container" {
	configure '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW"} | .process.rlimits[0].soft = 500'
	jq --arg s "$likeness; exec sleep 1000" '.process.args = ["sh", "-c", $s]' "$BUNDLE/config.json" >"$SKEP_DIR/new"
	mv "$SKEP_DIR/new" "$BUNDLE/config.json"
	oci run -d --bundle "$BUNDLE" "$ID" >"$SKEP_DIR/init" 3>&-
	wait_for 30 grep -qx 500 "$SKEP_DIR/init"
	oci exec "$ID" sh -c "$likeness" >"$SKEP_DIR/exec"
	diff "$SKEP_DIR/init" "$SKEP_DIR/exec"
	grep -q 'Seccomp:.*2' "$SKEP_DIR/exec"
	grep -q '^CapEff:.*20000420$' "$SKEP_DIR/exec"
}

@test "a limit of three files is the program's, and hinders neither create, start nor exec" {
	configure '.process.rlimits = [{type: "RLIMIT_NOFILE", soft: 3, hard: 3}] | .process.args = ["sleep", "1000"]'
	oci create --bundle "$BUNDLE" "$ID"
	oci start "$ID"
	[ "$(oci exec "$ID" sh -c 'ulimit -Sn; ulimit -Hn')" = $'3\n3' ]
	[ "$(awk '/^Max open files/ { print $4, $5 }' "/proc/$(oci_pid "$ID")/limits")" = '3 3' ]
	oci delete --force "$ID"
}

@test "it has them also when the bundle was changed or removed meanwhile: a container keeps its config.json" {
	local before
	configure '.process.rlimits[0].soft = 500'
	start_it
	before=$(oci exec "$ID" sh -c "$likeness")
	[[ $before == *$'\n500' ]]
	configure '.process.rlimits[0].soft = 400 | .process.capabilities.bounding = [] | .process.capabilities.effective = [] | .process.capabilities.permitted = []'
	[ "$(oci exec "$ID" sh -c "$likeness")" = "$before" ]
	mv "$BUNDLE" "$BUNDLE.moved"
	[ "$(oci exec "$ID" sh -c "$likeness")" = "$before" ]
	oci delete --force "$ID"
	oci_gone "$ID"
}

@test "the same in a user namespace" {
	with_userns
	jq --arg s "$likeness; exec sleep 1000" '.process.args = ["sh", "-c", $s]' "$BUNDLE/config.json" >"$SKEP_DIR/new"
	mv "$SKEP_DIR/new" "$BUNDLE/config.json"
	oci run -d --bundle "$BUNDLE" "$ID" >"$SKEP_DIR/init" 3>&-
	wait_for 30 grep -qx 1024 "$SKEP_DIR/init"
	oci exec "$ID" sh -c "$likeness" >"$SKEP_DIR/exec"
	diff "$SKEP_DIR/init" "$SKEP_DIR/exec"
	[ "$(oci exec "$ID" id -u)" = 0 ]
}

@test "nothing of the host is open in it (CVE-2024-21626)" {
	start_it
	# 0, 1, 2 and the directory that is being read
	[ "$(oci exec "$ID" ls /proc/self/fd 7</ 8</etc | wc -l)" = 4 ]
	fails_with 255 'proc/self/fd/7' oci exec --cwd /proc/self/fd/7 "$ID" true 7</
	fails_with 255 '/proc/1/fd/1' oci exec --cwd /proc/1/fd/1 "$ID" true
	[ "$(oci exec "$ID" pwd)" = / ]
	[ "$(oci exec "$ID" ls -d /proc/self/cwd/usr 2>&1 | wc -l)" = 1 ]
}

# As the container would: a descriptor by /proc/PID/exe, and when nothing runs the file any more, and after the words that the caller has for here, it is opened again.
is_read_only_by_exe() { # WORDS...
	local held
	exec {held}<"/proc/$(oci_pid "$ID")/exe"
	oci delete "$ID"
	oci_gone "$ID"
	"$@"
	run ! bash -c ": >>/proc/self/fd/$held"
	[[ $output == *'Read-only file system'* ]]
	exec {held}<&-
}

@test "our own program cannot be written to by way of a process that entered (CVE-2019-5736)" {
	cp "$BUILD/skep" "$SKEP_DIR/victim"
	"$SKEP_DIR/victim" --root "$SKEP_DIR/here/oci" create --bundle "$BUNDLE" "$ID" >/dev/null 3>&-
	is_read_only_by_exe
	cmp "$BUILD/skep" "$SKEP_DIR/victim"
}

# How many descriptors of the process lead to our program.
to_program() { stat -Lc %d:%i "/proc/$1/fd"/* 2>/dev/null | grep -cx "$(stat -c %d:%i "$SKEP_DIR/victim")" || true; }

among_others() {
	without_userns
	configure 'del(.linux.namespaces[] | select(.type == "pid"))'
}

# ns_self_mount_bury(), ns_self_mount_drop(): as long as its mount is held, a user namespace inside could make that writable again (native/cve_kernel).
@test "nor does anybody hold it open: who waits to be started, who waits for the end" {
	local way
	cp "$BUILD/skep" "$SKEP_DIR/victim"
	for way in : with_userns among_others; do
		$way
		"$SKEP_DIR/victim" --root "$SKEP_DIR/here/oci" create --bundle "$BUNDLE" "$ID" >/dev/null 3>&-
		[ "$(to_program "$(oci_pid "$ID")")" = 0 ]
		oci delete --force "$ID"
		spawn here "$SKEP_DIR/said" "$SKEP_DIR/victim" --root "$SKEP_DIR/here/oci" run --bundle "$BUNDLE" "$ID"
		wait_for 30 oci_is "$ID" running
		[ "$(to_program "$SPAWNED")" = 0 ]
		[ "$(to_program "$(oci_pid "$ID")")" = 0 ]
		oci delete --force "$ID"
		wait "$SPAWNED" || true
	done
}

# Of ctl/static/entry.c: a sanitizer's program has none.
@test "nor where the kernel does not let the program be mapped once more: it is executed once more" {
	local ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0 victim=("$SKEP_DIR/victim" --root "$SKEP_DIR/here/oci")
	export ASAN_OPTIONS
	cp "$BUILD/skep" "$SKEP_DIR/victim"
	strace -qq -o "$SKEP_DIR/trace" -e trace=prctl,execveat "${victim[@]}" create --help >/dev/null 2>&1
	grep -q 'PR_SET_MM_MAP.* = 0$' "$SKEP_DIR/trace" || skip 'the program is not the static one'
	run ! grep execveat "$SKEP_DIR/trace"
	strace -qq -o "$SKEP_DIR/trace" -e trace=prctl,execveat -e inject=prctl:error=EPERM:when=1 "${victim[@]}" create --bundle "$BUNDLE" "$ID" >/dev/null 3>&-
	grep -q 'PR_SET_MM_MAP.*INJECTED' "$SKEP_DIR/trace"
	grep -q 'execveat.* = 0$' "$SKEP_DIR/trace"
	is_read_only_by_exe
}

@test "nor can one on a mount that is read-only be, once that is writable again" {
	mkdir "$SKEP_DIR/there"
	mount -t tmpfs programs "$SKEP_DIR/there"
	cp "$BUILD/skep" "$SKEP_DIR/there/victim"
	mount -o remount,ro "$SKEP_DIR/there"
	"$SKEP_DIR/there/victim" --root "$SKEP_DIR/here/oci" create --bundle "$BUNDLE" "$ID" >/dev/null 3>&-
	is_read_only_by_exe mount -o remount,rw "$SKEP_DIR/there"
	cmp "$BUILD/skep" "$SKEP_DIR/there/victim"
	umount -l "$SKEP_DIR/there"
}

@test "nor can one on a mount that has no copies be: unbindable" {
	local held
	mkdir "$SKEP_DIR/there"
	mount -t tmpfs programs "$SKEP_DIR/there"
	mount --make-unbindable "$SKEP_DIR/there"
	cp "$BUILD/skep" "$SKEP_DIR/there/victim"
	"$SKEP_DIR/there/victim" --root "$SKEP_DIR/here/oci" create --bundle "$BUNDLE" "$ID" >/dev/null 3>&-
	exec {held}<"/proc/$(oci_pid "$ID")/exe"
	oci start "$ID"
	[ "$("$SKEP_DIR/there/victim" --root "$SKEP_DIR/here/oci" exec "$ID" id -u)" = 0 ]
	oci delete --force "$ID"
	run ! bash -c "echo x >>/proc/self/fd/$held"
	[[ $output == *'Operation not permitted'* ]]
	exec {held}<&-
	cmp "$BUILD/skep" "$SKEP_DIR/there/victim"
	umount -l "$SKEP_DIR/there"
}

@test "what our program began again from is no standard descriptor that the caller has closed" {
	configure '.process.args = ["readlink", "/proc/self/fd/0"]'
	[ "$("$BUILD/skep" --root "$SKEP_DIR/here/oci" run --bundle "$BUNDLE" "$ID" 3>&- <&-)" = /dev/null ]
}

@test "keys of the host's session are not the container's" {
	start_it
	local host
	host=$(probe keyring)
	[ -n "$host" ]
	[ "$(oci exec "$ID" probe keyring)" != "$host" ]
	oci delete --force "$ID"
	configure '.process.args = ["probe", "keyring"]'
	[ "$(oci run --bundle "$BUNDLE" "$ID")" != "$host" ]
}

@test "preserved descriptors come through, and only those that are open" {
	start_it
	echo secret >"$SKEP_DIR/secret"
	[ "$(oci exec --preserve-fds 1 "$ID" sh -c 'cat <&3' 3<"$SKEP_DIR/secret")" = secret ]
	fails_with 255 'descriptor 3 is to be preserved' oci exec --preserve-fds 1 "$ID" true 3>&-
	# More than there are, as crun takes it: said, and a number between them is nobody else's.
	run --separate-stderr -0 oci exec --preserve-fds 40 "$ID" sh -c 'cat <&5; cat <&4; readlink /proc/self/fd/4; ls /proc/self/fd | tr "\n" " "' 3>&- 4>&- 5<"$SKEP_DIR/secret" 6>&- 7>&- 8>&- 9>&- 10>&-
	[[ $output == $'secret\n/dev/null\n0 1 2 3 4 5 '* ]]
	# shellcheck disable=SC2154 # bats sets it
	[[ $stderr == *'of 40 descriptors to be preserved the last 37 are not open'* ]]
	# A LISTEN_FDS may be from one of the caller's callers, who has closed them.
	[ "$(LISTEN_FDS=1 oci exec "$ID" echo ran 3>&-)" = ran ]
}

@test "user, groups, environment, working directory, capabilities" {
	start_it
	[ "$(oci exec --user joe "$ID" id)" = 'uid=1000(joe) gid=1000(joe) groups=10(wheel)' ]
	[ "$(oci exec --user 1000:10 -g 77 "$ID" id)" = 'uid=1000(joe) gid=10(wheel) groups=77' ]
	fails_with 255 "no such user in the container: 'nobody'" oci exec --user nobody "$ID" true
	[ "$(oci exec --user joe "$ID" sh -c 'echo $HOME')" = /home/joe ]
	[ "$(oci exec -e A=b -e TERM=dumb "$ID" sh -c 'echo $A $TERM')" = 'b dumb' ]
	fails_with 255 'not NAME=VALUE' oci exec -e A "$ID" true
	[ "$(oci exec --cwd /tmp "$ID" pwd)" = /tmp ]
	oci exec --cap CAP_SYS_NICE "$ID" grep CapEff /proc/self/status | grep -q '20800420$'
	# As one of config.json that does not exist: a warning.
	run oci exec --cap CAP_NONE --cap CAP_SYS_NICE "$ID" grep CapEff /proc/self/status
	[ "$status" = 0 ]
	[[ $output == *"--cap: unknown capability 'CAP_NONE'; going on without it"*20800420 ]]
	# From the bounding set of the container it cannot be had: another user has none.
	oci exec --user joe "$ID" grep CapEff /proc/self/status | grep -q ' *0000000000000000$'
}

@test "a process from a file, detached, its pid in a file" {
	start_it
	jq '.process | .args = ["sleep", "2000"] | .user = {uid: 1000, gid: 1000, umask: 63} | .terminal = false' \
		"$BUNDLE/config.json" >"$SKEP_DIR/process"
	oci exec --detach --pid-file "$SKEP_DIR/pid" --process "$SKEP_DIR/process" "$ID" >/dev/null 3>&-
	wait_for 30 grep -q 2000 "/proc/$(cat "$SKEP_DIR/pid")/cmdline"
	grep -q '^Uid:.*1000' "/proc/$(cat "$SKEP_DIR/pid")/status"
	grep -q '^Umask:.*0077' "/proc/$(cat "$SKEP_DIR/pid")/status"
	[ "$(oci ps --format json "$ID" | jq length)" = 2 ]
	echo '{"args": []}' >"$SKEP_DIR/process"
	fails_with 255 args oci exec --process "$SKEP_DIR/process" "$ID"
}

@test "into a container that is created, but not started" {
	oci create --bundle "$BUNDLE" "$ID" >/dev/null 3>&-
	[ "$(oci exec "$ID" echo here)" = here ]
	oci_is "$ID" created
}

@test "a memory limit holds for it, too" {
	configure '.linux.resources.memory = {limit: 33554432}'
	start_it || skip "no memory controller"
	fails_with 137 '' oci exec "$ID" probe hog-mem 200
	oci_is "$ID" running
}

@test "signals are passed on" {
	start_it
	local rc=0
	spawn here "$SKEP_DIR/out" skep exec "$ID" sh -c 'trap "exit 9" TERM; echo ready; while :; do sleep 0.05; done'
	wait_for 30 grep -q ready "$SKEP_DIR/out"
	kill -TERM "$SPAWNED"
	wait "$SPAWNED" || rc=$?
	[ $rc = 9 ]
}

@test "the end of the container ends it" {
	start_it
	local rc=0
	spawn here "$SKEP_DIR/out" skep exec "$ID" sh -c 'echo ready; sleep 1000'
	wait_for 30 grep -q ready "$SKEP_DIR/out"
	oci kill "$ID" KILL
	wait "$SPAWNED" || rc=$?
	[ $rc = 137 ]
	# Its processes die before init does.
	wait_for 30 oci_is "$ID" stopped
	oci delete "$ID"
	oci_gone "$ID"
}

@test "labels: where the host has no such module they are refused by name" {
	start_it
	[ "$(cat /sys/module/apparmor/parameters/enabled 2>/dev/null)" = Y ] || fails_with 255 '--apparmor: this host has no AppArmor' oci exec --apparmor x "$ID" true
	[ -e /sys/fs/selinux/enforce ] || fails_with 255 '--process-label: this host has no SELinux' oci exec --process-label x "$ID" true
	oci exec --process-label "" "$ID" true || [ ! -e /sys/fs/selinux/enforce ]
}

@test "--pidfd-socket: run and exec send a pidfd of the process" {
	local receive='
import os, socket, sys
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
s.listen()
print("ready", flush=True)
data, fds, _, _ = socket.recv_fds(s.accept()[0], 64, 4)
print(data.decode(), [l.split()[1] for l in open(f"/proc/self/fdinfo/{fds[0]}") if l.startswith("Pid:")][0])
'
	spawn here "$SKEP_DIR/of-run" /usr/bin/python3 -c "$receive" "$SKEP_DIR/s1"
	wait_for 30 grep -q ready "$SKEP_DIR/of-run"
	oci run -d --pidfd-socket "$SKEP_DIR/s1" --bundle "$BUNDLE" "$ID" >/dev/null 2>&1 3>&-
	wait "$SPAWNED"
	[ "$(tail -1 "$SKEP_DIR/of-run")" = "pidfd $(oci_pid "$ID")" ]
	spawn here "$SKEP_DIR/of-exec" /usr/bin/python3 -c "$receive" "$SKEP_DIR/s2"
	wait_for 30 grep -q ready "$SKEP_DIR/of-exec"
	oci exec -d --pidfd-socket "$SKEP_DIR/s2" --pid-file "$SKEP_DIR/pid" "$ID" sleep 1000 >/dev/null 3>&-
	wait "$SPAWNED"
	[ "$(tail -1 "$SKEP_DIR/of-exec")" = "pidfd $(cat "$SKEP_DIR/pid")" ]
	fails_with 255 "pidfd socket $SKEP_DIR/nosuch" oci exec -d --pidfd-socket "$SKEP_DIR/nosuch" "$ID" sleep 1000
	[ "$(oci ps --format json "$ID" | jq length)" = 2 ]
}

# sub_groups DIR...: below each of the container's control groups, as it would make them. Those of v1's cpuset take nobody before they have a CPU and memory (cpuset(7)).
sub_groups() {
	local of sub file
	while read -r of; do
		for sub; do
			mkdir "$of/$sub"
			for file in cpus mems; do
				[[ $of != */cpuset/* ]] || cat "$of/cpuset.$file" >"$of/$sub/cpuset.$file"
			done
		done
	done < <(find /sys/fs/cgroup -type d -path "*/skep-$ID" ! -path '*/skep-*/*')
}

@test "--cgroup: in a group below the container's, in all hierarchies that have it, or in one of them" {
	local found
	bundle '.process.args = ["sleep", "1000"]'
	oci run --detach --bundle "$BUNDLE" "$ID" >/dev/null 3>&-
	fails_with 255 'the container has no control group foo' oci exec --cgroup foo "$ID" true
	sub_groups foo foo/bar
	# In the container's view its own group is the root.
	run -0 oci exec --cgroup foo "$ID" cat /proc/self/cgroup
	found=$(grep -c ':/foo$' <<<"$output")
	[ "$found" -ge 1 ]
	[ "$found" = "$(find /sys/fs/cgroup -type d -path "*/skep-$ID/foo" | wc -l)" ]
	run -0 oci exec --cgroup /./foo/bar "$ID" cat /proc/self/cgroup
	[ "$(grep -c ':/foo/bar$' <<<"$output")" = "$found" ]
	if [ -d "/sys/fs/cgroup/pids/skep-$ID/foo" ]; then
		run -0 oci exec --cgroup pids:foo "$ID" cat /proc/self/cgroup
		[ "$(grep -c ':/foo$' <<<"$output")" = 1 ]
		[[ $output == *':pids:/foo'* ]]
		run -0 oci exec --cgroup pids:foo/bar --cgroup memory,cpu:foo "$ID" cat /proc/self/cgroup
		[[ $output == *':pids:/foo/bar'* && $output == *':memory:/foo'* ]]
		fails_with 255 "no control group nosuch of controller pids" oci exec --cgroup pids:nosuch "$ID" true
	fi
	fails_with 255 "'nosuch' is not a controller" oci exec --cgroup nosuch:foo "$ID" true
	# And the next one is where it always was, as "/" says, too.
	run -0 oci exec "$ID" cat /proc/self/cgroup
	[[ $output != *foo* ]]
	[ "$(oci exec --cgroup=/ "$ID" cat /proc/self/cgroup)" = "$output" ]
}

@test "--cgroup: no way out of the container's groups" {
	local bad
	bundle '.process.args = ["sleep", "1000"]'
	oci run --detach --bundle "$BUNDLE" "$ID" >/dev/null 3>&-
	sub_groups foo
	for bad in ../outside ./../outside ./foo/../foo foo/.. foo/../../outside pids:foo/.. ..; do
		# shellcheck disable=SC2016 # the backquotes are crun's
		fails_with 255 "invalid cgroup path \`$bad\`"': `..` components are not allowed' oci exec --cgroup="$bad" "$ID" true
	done
	fails_with 255 'names no group' oci exec --cgroup= "$ID" true
	fails_with 255 'has no control group foo' oci exec --cgroup=foo/cgroup.procs/x "$ID" true || fails_with 255 'open control group' oci exec --cgroup=foo/cgroup.procs/x "$ID" true
}

# Whoever waits for a resume has an inotify descriptor on the freezer: that it has come so far is seen by this, and what is frozen then lets it go no further.
exec_waits() {
	spawn here "$SKEP_DIR/out" skep exec --ignore-paused "$ID" echo ran
	wait_for 30 waits_for_resume
	[ ! -s "$SKEP_DIR/out" ]
	oci_is "$ID" paused
}
waits_for_resume() { find "/proc/$SPAWNED/fd" -lname '*inotify*' | grep -q .; }

@test "--ignore-paused: what is paused is waited for, and begun when it is resumed" {
	start_it
	[ "$(oci exec --ignore-paused "$ID" echo at once)" = 'at once' ]
	oci pause "$ID"
	fails_with 255 'is paused' oci exec "$ID" sh -c 'echo ran >/dev/shm/ran'
	exec_waits
	# The lock is free for who resumes it.
	oci resume "$ID"
	wait "$SPAWNED"
	[ "$(cat "$SKEP_DIR/out")" = ran ]
	fails_with 1 '' oci exec "$ID" test -e /dev/shm/ran
}

# By one delete: it has the lock from before the group is thawed, which is how a kill begins where v1 freezes, until nothing is left to get into.
@test "--ignore-paused: what ends instead of being resumed is waited for no longer, and nothing is begun" {
	local rc=0
	start_it
	oci pause "$ID"
	exec_waits
	oci delete --force "$ID"
	wait "$SPAWNED" || rc=$?
	[ $rc = 255 ]
	grep -q 'does not exist' "$SKEP_DIR/out"
	run ! grep -x ran "$SKEP_DIR/out"
}
