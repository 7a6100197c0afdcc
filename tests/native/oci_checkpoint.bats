# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2016 # what is in single quotes is for the shell in the container
# skep checkpoint and restore of bundles.

bats_require_minimum_version 1.5.0
load ../lib/oci

setup() {
	oci_setup
	IMAGES=$SKEP_DIR/images
	bundle "$counts"
}
teardown() { oci_teardown; }

counts='.root.readonly = false | .process.args = ["sh", "-c", "i=0; while :; do i=$((i+1)); echo $i >>/tmp/count; sleep 0.05; done"]
	| .mounts += [{destination: "/tmp", type: "tmpfs", source: "tmpfs"}]'
count() { oci exec "${1:-$ID}" sh -c 'tail -n 1 /tmp/count'; }
count_is_over() { [ "$(count "${2:-$ID}")" -gt "$1" ]; }
start_it() {
	ln -sf busybox "$BUNDLE/rootfs/bin/tail"
	oci run -d --bundle "$BUNDLE" "$ID" </dev/null >/dev/null 2>&1 3>&-
	wait_for 30 count_is_over 3
}
restore_from() { # IMAGES ID WORDS...
	oci restore -d --bundle "$BUNDLE" --image-path "$1" "${@:3}" "$2" </dev/null >/dev/null 2>"$SKEP_DIR/restore.err" 3>&- || { cat "$SKEP_DIR/restore.err" && return 1; }
}
restore_it() { restore_from "$IMAGES" "$ID" "$@"; }

@test "checkpoint ends and deletes it; restore goes on where it was" {
	start_it
	oci checkpoint --image-path "$IMAGES" --work-path "$SKEP_DIR/work" "$ID"
	oci_gone "$ID"
	[ -s "$IMAGES/inventory.img" ]
	[ -s "$SKEP_DIR/work/dump.log" ]
	[ ! -e "$IMAGES/dump.log" ]
	restore_it --pid-file "$SKEP_DIR/pid" --work-path "$SKEP_DIR/work"
	[ "$(cat "$SKEP_DIR/pid")" = "$(oci_pid "$ID")" ]
	oci_is "$ID" running
	local n
	n=$(count)
	wait_for 30 count_is_over "$n"
	# One life: no number twice.
	[ -z "$(oci exec "$ID" cat /tmp/count | sort -n | uniq -d)" ]
	# And again.
	oci checkpoint --image-path "$IMAGES.2" "$ID"
	restore_from "$IMAGES.2" "$ID"
	wait_for 30 count_is_over "$n"
	oci kill "$ID" KILL
	wait_for 30 oci_is "$ID" stopped
	oci delete "$ID"
	oci_gone "$ID"
}

@test "a read-only root file system that has no /tmp" {
	bundle '.root.readonly = true | .process.args = ["sleep", "1000"]'
	rmdir "$BUNDLE/rootfs/tmp"
	oci run -d --bundle "$BUNDLE" "$ID" </dev/null >/dev/null 2>&1 3>&-
	oci checkpoint --image-path "$IMAGES" "$ID"
	restore_it
	run ! oci exec "$ID" sh -c ': >/bin/x'
	[[ $output == *'Read-only file system'* ]]
}

@test "--leave-running leaves it running; a second one of it under another name" {
	start_it
	oci checkpoint --image-path "$IMAGES" --leave-running "$ID"
	oci_is "$ID" running
	local n other=$ID-2
	n=$(count)
	wait_for 30 count_is_over "$n"
	configure 'del(.linux.cgroupsPath)'
	restore_from "$IMAGES" "$other"
	wait_for 30 count_is_over "$n" "$other"
	[ "$(oci_pid "$ID")" != "$(oci_pid "$other")" ]
	oci delete --force "$ID"
	oci delete --force "$other"
}

@test "pipes of the caller are its new caller's" {
	configure '.process.args = ["sh", "-c", "while read -r line; do echo got $line; echo err >&2; done; echo end; sleep 1000"]'
	mkfifo "$SKEP_DIR/in"
	(exec_in_net here "$BUILD/skep" --root "$SKEP_DIR/here/oci" run -d --bundle "$BUNDLE" "$ID" < <(echo one; exec cat "$SKEP_DIR/in") 2> >(cat >"$SKEP_DIR/err") > >(cat >"$SKEP_DIR/out") 3>&-)
	wait_for 30 grep -q 'got one' "$SKEP_DIR/out"
	oci checkpoint --image-path "$IMAGES" "$ID"
	: >"$SKEP_DIR/in"
	(exec_in_net here "$BUILD/skep" --root "$SKEP_DIR/here/oci" restore -d --bundle "$BUNDLE" --image-path "$IMAGES" "$ID" < <(echo two) 2> >(cat >"$SKEP_DIR/err2") > >(cat >"$SKEP_DIR/out2") 3>&-)
	wait_for 30 grep -q end "$SKEP_DIR/out2"
	[ "$(tr '\n' , <"$SKEP_DIR/out2")" = 'got two,end,' ]
	wait_for 30 eval '[ "$(cat "$SKEP_DIR/err2")" = err ]' # another cat writes it
	oci delete --force "$ID"
}

@test "pipes of the caller are its new caller's, wherever the program has put them; one that it put in their place stays its own" {
	ln -sf busybox "$BUNDLE/rootfs/bin/tail"
	ln -sf busybox "$BUNDLE/rootfs/bin/pidof"
	configure '.process.args = ["sh", "-c", "exec 3>&1; tail -f /dev/null | cat >/tmp/own & until p=$(pidof tail); do sleep 0.05; done
		exec >/proc/$p/fd/1; while :; do echo inner; echo outer >&3; sleep 0.05; done"]'
	(exec_in_net here "$BUILD/skep" --root "$SKEP_DIR/here/oci" run -d --bundle "$BUNDLE" "$ID" </dev/null 2>/dev/null > >(cat >"$SKEP_DIR/out") 3>&-)
	wait_for 30 grep -q outer "$SKEP_DIR/out"
	wait_for 30 oci exec "$ID" grep -q inner /tmp/own
	oci checkpoint --image-path "$IMAGES" "$ID"
	[ "$(jq -r '.[1][:6]' "$IMAGES/descriptors.json")" = 'pipe:[' ]
	(exec_in_net here "$BUILD/skep" --root "$SKEP_DIR/here/oci" restore -d --bundle "$BUNDLE" --image-path "$IMAGES" "$ID" </dev/null 2>/dev/null > >(cat >"$SKEP_DIR/out2") 3>&-)
	wait_for 30 grep -q outer "$SKEP_DIR/out2"
	oci exec "$ID" sh -c ': >/tmp/own'
	wait_for 30 oci exec "$ID" grep -q inner /tmp/own
	[ "$(sort -u "$SKEP_DIR/out2")" = outer ]
	oci delete --force "$ID"
}

@test "restore in the foreground ends as the program does, and deletes" {
	configure '.process.args = ["sh", "-c", "until test -e /tmp/go; do sleep 0.05; done; exit 9"] | .mounts |= map(select(.destination != "/tmp"))'
	oci run -d --bundle "$BUNDLE" "$ID" </dev/null >/dev/null 2>&1 3>&-
	oci checkpoint --image-path "$IMAGES" "$ID"
	touch "$BUNDLE/rootfs/tmp/go"
	fails_with 9 '' oci restore --bundle "$BUNDLE" --image-path "$IMAGES" "$ID"
	oci_gone "$ID"
}

@test "a terminal is a new one, sent to the socket" {
	configure '.process.terminal = true | .process.args = ["sh", "-c", "echo before; read -r line; echo got $line; sleep 0.1 </dev/tty && echo mine"]'
	spawn here "$SKEP_DIR/out" /usr/bin/python3 "$REPO/tests/lib/console_socket.py" "$SKEP_DIR/s1"
	wait_for 30 [ -S "$SKEP_DIR/s1" ]
	oci run -d --bundle "$BUNDLE" --console-socket "$SKEP_DIR/s1" "$ID" 3>&-
	wait_for 30 grep -q before "$SKEP_DIR/out"
	oci checkpoint --image-path "$IMAGES" "$ID"
	spawn here "$SKEP_DIR/out2" /usr/bin/python3 "$REPO/tests/lib/console_socket.py" "$SKEP_DIR/s2" $'typed\n'
	wait_for 30 [ -S "$SKEP_DIR/s2" ]
	oci restore -d --bundle "$BUNDLE" --image-path "$IMAGES" --console-socket "$SKEP_DIR/s2" "$ID" 3>&-
	wait_for 30 grep -q mine "$SKEP_DIR/out2"
	grep -q 'got typed' "$SKEP_DIR/out2"
	oci delete --force "$ID"
}

@test "a shell that holds /dev/tty for its jobs, as interactive ones do, holds the new terminal" {
	configure '.process.terminal = true | .process.args = ["sh", "-i"]'
	spawn here "$SKEP_DIR/out" /usr/bin/python3 "$REPO/tests/lib/console_socket.py" "$SKEP_DIR/s1" $'echo be""fore\n'
	wait_for 30 [ -S "$SKEP_DIR/s1" ]
	oci run -d --bundle "$BUNDLE" --console-socket "$SKEP_DIR/s1" "$ID" 3>&-
	wait_for 30 grep -q before "$SKEP_DIR/out"
	[ -n "$(find "/proc/$(oci_pid "$ID")/fd" -lname /dev/tty)" ]
	oci checkpoint --image-path "$IMAGES" "$ID"
	spawn here "$SKEP_DIR/out2" /usr/bin/python3 "$REPO/tests/lib/console_socket.py" "$SKEP_DIR/s2" $'sleep 0.1 </dev/tty && echo mi""ne\n'
	wait_for 30 [ -S "$SKEP_DIR/s2" ]
	oci restore -d --bundle "$BUNDLE" --image-path "$IMAGES" --console-socket "$SKEP_DIR/s2" "$ID" 3>&-
	wait_for 30 grep -q mine "$SKEP_DIR/out2"
	oci delete --force "$ID"
}

@test "in a user namespace; a bind mount shows what the bundle says at the restore" {
	with_userns
	mkdir "$SKEP_DIR/one" "$SKEP_DIR/two"
	echo one >"$SKEP_DIR/one/file"
	echo two >"$SKEP_DIR/two/file"
	configure ".mounts += [{destination: \"/data\", source: \"$SKEP_DIR/one\", options: [\"rbind\", \"ro\"]}]"
	chown -hR 1500000000:1500000000 "$BUNDLE/rootfs"
	start_it
	[ "$(oci exec "$ID" cat /data/file)" = one ]
	oci checkpoint --image-path "$IMAGES" "$ID"
	configure "(.mounts[] | select(.destination == \"/data\").source) = \"$SKEP_DIR/two\""
	restore_it
	[ "$(oci exec "$ID" cat /data/file)" = two ]
	fails_with 1 'Read-only' oci exec "$ID" sh -c 'echo x >/data/file'
	[ "$(oci exec "$ID" cat /proc/self/uid_map | awk '{ print $2 }')" = 1500000000 ]
	oci delete --force "$ID"
}

@test "places of mounts within a bind mount are made again" {
	mkdir "$SKEP_DIR/one" "$SKEP_DIR/two"
	echo two >"$SKEP_DIR/two/file"
	configure ".mounts += [{destination: \"/data\", source: \"$SKEP_DIR/one\", options: [\"rbind\"]},
		{destination: \"/data/for/nested\", source: \"$SKEP_DIR/two\", options: [\"rbind\"]}, {destination: \"/data/a\", source: \"$SKEP_DIR/two/file\", options: [\"bind\"]}]"
	start_it
	oci checkpoint --image-path "$IMAGES" "$ID"
	rm -r "$SKEP_DIR/one/for" "$SKEP_DIR/one/a"
	restore_it
	[ "$(oci exec "$ID" cat /data/for/nested/file /data/a)" = $'two\ntwo' ]
	oci delete --force "$ID"
}

@test "a namespace of others is joined again" {
	local net
	net=$(host_net here)
	configure "(.linux.namespaces[] | select(.type == \"network\")).path = \"$net\""
	start_it
	oci checkpoint --image-path "$IMAGES" "$ID"
	restore_it
	[ "$(oci exec "$ID" readlink /proc/self/ns/net)" = "$(in_net here readlink /proc/self/ns/net)" ]
	oci delete --force "$ID"
}

@test "--manage-cgroups-mode ignore, --empty-ns, --file-locks, --auto-dedup, --ext-unix-sk, --shell-job; hooks of the restore" {
	start_it
	oci checkpoint --image-path "$IMAGES" --manage-cgroups-mode ignore --empty-ns network --file-locks --auto-dedup --ext-unix-sk --shell-job "$ID"
	configure ".hooks = {createRuntime: [{path: \"/bin/sh\", args: [\"sh\", \"-c\", \"cat >$SKEP_DIR/hook; $SKEP_DIR/here/bin/skep state $ID >$SKEP_DIR/state\"]}]}"
	restore_it --manage-cgroups-mode ignore --empty-ns network --file-locks --ext-unix-sk --shell-job
	jq -es --arg id "$ID" '.[0].id == $id and .[0].pid > 1 and .[0].status == "created" and .[0].pid == .[1].pid and .[0].status == .[1].status' "$SKEP_DIR/hook" "$SKEP_DIR/state"
	local n
	n=$(count)
	wait_for 30 count_is_over "$n"
	[ "$(oci ps --format json "$ID" | jq length)" -ge 2 ]
	oci delete --force "$ID"
	oci_gone "$ID"
}

@test "org.criu.config: a container's own words for criu, at the checkpoint and at the restore; none that undo one" {
	configure ".annotations = {\"org.criu.config\": \"$SKEP_DIR/criu.conf\"}"
	start_it
	fails_with 1 'annotation org.criu.config: open' oci checkpoint --image-path "$IMAGES" "$ID"
	printf 'tcp-established\n  # all of it\nleave-running\n' >"$SKEP_DIR/criu.conf"
	fails_with 1 "criu.conf, line 3: criu is not told by this file 'leave-running'" oci checkpoint --image-path "$IMAGES" "$ID"
	echo 'manage-cgroups=all' >"$SKEP_DIR/criu.conf"
	fails_with 1 "manage-cgroups-mode value 'all'" oci checkpoint --image-path "$IMAGES" "$ID"
	oci_is "$ID" running
	printf 'log-file "one.log" # here\nmanage-cgroups=ignore\nverbosity=4\n' >"$SKEP_DIR/criu.conf"
	oci checkpoint --image-path "$IMAGES" --work-path "$SKEP_DIR/work" "$ID"
	[ ! -e "$SKEP_DIR/work/dump.log" ]
	grep -q 'Dumping finished successfully' "$SKEP_DIR/work/one.log"
	printf 'log-file %s/two.log\nexternal=file[0:0]:none\n' "$SKEP_DIR" >"$SKEP_DIR/criu.conf"
	restore_it --manage-cgroups-mode ignore --work-path "$SKEP_DIR/work"
	# What criu leaves alone is skep's: a cgroup namespace in the container's group.
	run ! oci exec "$ID" grep -v ':/$' /proc/1/cgroup
	grep -q 'Restore finished successfully' "$SKEP_DIR/two.log" # a level that nobody asked for, as for runc and crun
	# One that makes criu fail, which says so there: mounts are below /proc.
	printf 'log-file %s/three.log\nskip-mnt /proc\n' "$SKEP_DIR" >"$SKEP_DIR/criu.conf"
	fails_with 1 'checkpoint: criu: mnt: ' oci checkpoint --image-path "$IMAGES.2" "$ID"
	[ -s "$SKEP_DIR/three.log" ]
	oci_is "$ID" running
	oci delete --force "$ID"
}

# As in a container that sees cgroup2 alone; or of a controller that skep has no use for.
@test "a v1 hierarchy that is mounted nowhere, or has no group of the container's, hinders no restore" {
	local pids
	pids=$(awk '$3 == "cgroup" && $4 ~ /(^|,)pids(,|$)/ { print $2; exit }' /proc/mounts)
	[ -n "$pids" ] || skip 'no v1 hierarchy here'
	configure 'del(.linux.resources)'
	ln -sf busybox "$BUNDLE/rootfs/bin/tail"
	unshare -m --propagation private sh -ec '
		umount -l "$1"
		"$2" run -d --bundle "$3" "$4" </dev/null >/dev/null 2>&1
		"$2" checkpoint --image-path "$5" "$4"
		"$2" restore -d --image-path "$5" --bundle "$3" "$4" </dev/null >/dev/null
		"$2" state "$4" >"$5/state"
		"$2" delete --force "$4"' x "$pids" "$SKEP_DIR/here/bin/skep" "$BUNDLE" "$ID" "$IMAGES" 3>&-
	jq -e '.status == "running"' "$IMAGES/state"
}

# where_hidden MOUNT WORDS...: skep in a mount namespace in which that is mounted nowhere.
where_hidden() {
	in_net here unshare -m --propagation private sh -c 'umount -l "$1" && shift && exec "$@"' x "$1" "$SKEP_DIR/here/bin/skep" "${@:2}" </dev/null >/dev/null 3>&-
}

# The images do not fit the hierarchies here: made where there was one more, or one fewer, as between a host with cgroup v1 and one without.
@test "a hierarchy that is here and was not at the checkpoint, or the other way round: it is in its groups, as its cgroup namespace shows" {
	local pids
	pids=$(awk '$3 == "cgroup" && $4 ~ /(^|,)pids(,|$)/ { print $2; exit }' /proc/mounts)
	[ -n "$pids" ] || skip 'no v1 hierarchy here'
	configure 'del(.linux.resources)'
	start_it
	oci checkpoint --image-path "$IMAGES" "$ID"
	where_hidden "$pids" restore -d --image-path "$IMAGES" --bundle "$BUNDLE" "$ID"
	grep -q ":/.*$ID" "/proc/$(oci_pid "$ID")/cgroup"
	run ! grep "pids.*:/.*$ID" "/proc/$(oci_pid "$ID")/cgroup"
	where_hidden "$pids" exec "$ID" true
	where_hidden "$pids" checkpoint --image-path "$IMAGES.2" "$ID"
	restore_from "$IMAGES.2" "$ID"
	grep -q "pids.*:/.*$ID" "/proc/$(oci_pid "$ID")/cgroup"
	run ! oci exec "$ID" grep -v ':/$' /proc/1/cgroup
	[ "$(readlink "/proc/$(oci_pid "$ID")/ns/cgroup")" != "$(readlink /proc/self/ns/cgroup)" ]
	oci delete --force "$ID"
	oci_gone "$ID"
}

@test "what cannot be is said" {
	fails_with 1 'does not exist' oci checkpoint --image-path "$IMAGES" "$ID"
	oci create --bundle "$BUNDLE" "$ID"
	fails_with 1 'not started' oci checkpoint --image-path "$IMAGES" "$ID"
	oci start "$ID"
	fails_with 1 'manage-cgroups-mode' oci checkpoint --image-path "$IMAGES" --manage-cgroups-mode maybe "$ID"
	fails_with 1 'must be relative' oci checkpoint --image-path "$IMAGES" --parent-path /x "$ID"
	fails_with 1 'ADDRESS:PORT' oci checkpoint --image-path "$IMAGES" --page-server nowhere "$ID"
	fails_with 1 "no page server takes its memory (Can't connect to server 127.0.0.1:9)" oci checkpoint --image-path "$SKEP_DIR/sent" --page-server 127.0.0.1:9 "$ID"
	fails_with 1 "namespace 'pid' is not supported" oci checkpoint --image-path "$IMAGES" --empty-ns pid "$ID"
	fails_with 1 'not open' oci checkpoint --image-path "$IMAGES" --lazy-pages --page-server 127.0.0.1:1 --status-fd 99 "$ID"
	SKEP_CRIU=/none fails_with 1 'SKEP_CRIU=/none is no program' oci checkpoint --image-path "$IMAGES" --work-path "$SKEP_DIR/work" "$ID"
	[ ! -e "$IMAGES" ]
	SKEP_CRIU=/none fails_with 1 'SKEP_CRIU=/none is no program' oci restore --image-path "$SKEP_DIR" --work-path "$SKEP_DIR/work" --bundle "$BUNDLE" "$ID-2"
	[ ! -e "$SKEP_DIR/work" ]
	oci_is "$ID" running
	oci delete --force "$ID"
	if [ -e /proc/self/numa_maps ]; then
		configure '.linux.memoryPolicy = {mode: "MPOL_LOCAL"}'
		oci run --detach --bundle "$BUNDLE" "$ID" >/dev/null 3>&-
		fails_with 1 'with linux.memoryPolicy can be neither checkpointed nor restored' oci checkpoint --image-path "$IMAGES" "$ID"
		oci_is "$ID" running
		oci delete --force "$ID"
		configure 'del(.linux.memoryPolicy)'
	fi
	fails_with 1 images oci restore --bundle "$BUNDLE" --image-path "$SKEP_DIR/none" "$ID"
	mkdir "$SKEP_DIR/empty"
	fails_with 1 "$SKEP_DIR/empty holds no whole checkpoint: it has no descriptors.json" oci restore --bundle "$BUNDLE" --image-path "$SKEP_DIR/empty" "$ID"
	oci_gone "$ID"
}

@test "connections that nobody asked for: what to say at a checkpoint and at a restore, and where criu's log is" {
	local net
	net=$(host_net here)
	configure "(.linux.namespaces[] | select(.type == \"network\")).path = \"$net\" | .process.args = [\"/bin/probe\", \"counter\", \"7000\"]"
	oci run -d --bundle "$BUNDLE" "$ID" </dev/null >/dev/null 2>&1 3>&-
	spawn here "$SKEP_DIR/numbers" "$PROBE" client 127.0.0.1 7000 0 10
	wait_for 30 grep -q ready "$SKEP_DIR/numbers"
	fails_with 1 "; log: $IMAGES/dump.log" oci checkpoint --image-path "$IMAGES" "$ID"
	fails_with 1 "; log: $SKEP_DIR/work/dump.log" oci checkpoint --image-path "$IMAGES" --work-path "$SKEP_DIR/work" "$ID"
	run oci checkpoint --image-path "$IMAGES" "$ID"
	[[ $output == *'established TCP connection'*'--tcp-established takes connections along'* ]]
	# What has failed is no checkpoint.
	fails_with 1 "$IMAGES holds no whole checkpoint: it has no skep.json" oci restore --bundle "$BUNDLE" --image-path "$IMAGES" "$ID-2"
	oci checkpoint --image-path "$IMAGES" --tcp-established "$ID"
	run restore_it
	[ "$status" = 1 ]
	[[ $output == *"; log: $IMAGES/restore.log"*'restore it with --tcp-established, too'* ]]
	restore_it --tcp-established
	oci delete --force "$ID"
}

@test "a restore whose n-th write to the freezer fails is an error, and leaves nothing" {
	local n freeze
	start_it
	freeze=$(awk -F: '$2 == "" { print $3 }' "/proc/$(oci_pid "$ID")/cgroup")
	freeze=$(findmnt -n -o TARGET -t cgroup2 | head -n 1)$freeze/cgroup.freeze
	[ -e "$freeze" ]
	oci checkpoint --image-path "$IMAGES" "$ID"
	# The tasks are held when criu has made them, and let go.
	for n in 1 2; do
		# shellcheck disable=SC2031
		fails_with 1 'cgroup.freeze: Input/output error' in_net here env ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0" timeout 60 strace -qq -o "$SKEP_DIR/strace" \
			-P "$freeze" -e trace=write -e inject="write:error=EIO:when=$n" -- \
			"$BUILD/skep" --root "$SKEP_DIR/here/oci" restore -d --bundle "$BUNDLE" --image-path "$IMAGES" "$ID"
		grep -q INJECTED "$SKEP_DIR/strace"
		oci_gone "$ID"
	done
	restore_it
	oci_is "$ID" running
	oci delete --force "$ID"
}

stands_still() { # what runs counts twenty times a second
	oci_is "$ID" paused
	[ "$(frozen_count)" = "$(sleep 0.3 && frozen_count)" ]
}
frozen_count() { tail -n 1 "/proc/$(oci_pid "$ID")/root/tmp/count"; }

# bats test_tags=host_all
@test "of one that is paused, by whichever freezer: it stays so unless it ends, and what is restored runs" {
	local where file frozen n
	while read -r where file frozen _; do
		start_it
		echo "$frozen" >"/sys/fs/cgroup/$where/skep-$ID/$file"
		oci checkpoint --leave-running --image-path "$IMAGES" "$ID"
		stands_still
		rm -r "$IMAGES"
		# One that fails when criu has stopped all and has thawed them for it.
		mkdir -p "$IMAGES/skep.json/in-the-way"
		fails_with 1 'skep.json' oci checkpoint --image-path "$IMAGES" "$ID"
		stands_still
		rm -r "$IMAGES"
		n=$(frozen_count)
		oci resume "$ID"
		wait_for 30 count_is_over "$n"
		echo "$frozen" >"/sys/fs/cgroup/$where/skep-$ID/$file"
		n=$(frozen_count)
		oci checkpoint --image-path "$IMAGES" "$ID"
		oci_gone "$ID"
		restore_it
		oci_is "$ID" running
		wait_for 30 count_is_over "$n"
		[ -z "$(oci exec "$ID" cat /tmp/count | sort -n | uniq -d)" ]
		oci delete --force "$ID"
		rm -r "$IMAGES"
	done < <(freezers)
}

@test "of one that is paused and was not started: refused" {
	oci create --bundle "$BUNDLE" "$ID" >/dev/null 2>&1 </dev/null 3>&-
	oci pause "$ID"
	fails_with 1 'is paused already' oci pause "$ID"
	fails_with 1 'not started' oci checkpoint --image-path "$IMAGES" "$ID"
	[ ! -e "$IMAGES" ]
	oci_is "$ID" paused
	oci delete --force "$ID"
}

@test "of one that is paused: a criu that is killed leaves it so" {
	start_it
	oci pause "$ID"
	spawn here "$SKEP_DIR/said" "SKEP_FAULT=suspend.stopped:pause=$SKEP_DIR/at" skep checkpoint --image-path "$IMAGES" "$ID"
	wait_for 30 test -s "$SKEP_DIR/at"
	wait_for 30 grep -q '^State:.*stopped' "/proc/$(cat "$SKEP_DIR/at")/status"
	run ! oci_is "$ID" paused
	kill -KILL "$(criu_of "$(cat "$SKEP_DIR/at")")"
	kill -CONT "$(cat "$SKEP_DIR/at")"
	run ! wait "$SPAWNED"
	stands_still
	oci resume "$ID"
	wait_for 30 count_is_over "$(frozen_count)"
	oci delete --force "$ID"
}

@test "one that fails when all is frozen already lets it go on" {
	start_it
	mkdir -p "$IMAGES/skep.json/in-the-way"
	fails_with 1 'skep.json' oci checkpoint --image-path "$IMAGES" "$ID"
	oci_is "$ID" running
	local n
	n=$(count)
	wait_for 30 count_is_over "$n"
	rm -r "$IMAGES"
	oci checkpoint --image-path "$IMAGES" "$ID"
	oci_gone "$ID"
}

# its_connection 0|1|'': sets TCP_REPAIR of init's connection, or tells it.
its_connection() {
	/usr/bin/python3 - "$(oci_pid "$ID")" "$1" <<'EOF'
import ctypes, os, socket, sys
pid, value, TCP_REPAIR, pidfd_getfd = int(sys.argv[1]), sys.argv[2], 19, 438
process = os.pidfd_open(pid)
for fd in os.listdir(f"/proc/{pid}/fd"):
    if not os.readlink(f"/proc/{pid}/fd/{fd}").startswith("socket:"):
        continue
    s = socket.socket(fileno=ctypes.CDLL(None, use_errno=True).syscall(pidfd_getfd, process, int(fd), 0))
    if s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1) != b"\1":  # established
        continue
    if value:
        s.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, int(value))
    print(s.getsockopt(socket.IPPROTO_TCP, TCP_REPAIR))
EOF
}

# As criu leaves them when it is killed with all who wait for it.
@test "resume gives back the connections that a killed checkpoint --tcp-established held" {
	local net
	net=$(host_net here)
	configure "(.linux.namespaces[] | select(.type == \"network\")).path = \"$net\" | .process.args = [\"/bin/probe\", \"counter\", \"7000\"]"
	oci run -d --bundle "$BUNDLE" "$ID" </dev/null >/dev/null 2>&1 3>&-
	wait_for 30 in_net here "$PROBE" client 127.0.0.1 7000 0.1 10
	spawn here "$SKEP_DIR/numbers" "$PROBE" client 127.0.0.1 7000 0 10
	wait_for 30 grep -q ready "$SKEP_DIR/numbers"
	oci pause "$ID"
	[ "$(its_connection 1)" = 1 ]
	oci resume "$ID"
	[ "$(its_connection '')" = 0 ]
	stop_spawned "$SPAWNED"
	grep -q ' lost=0 ' "$SKEP_DIR/numbers"
	oci delete --force "$ID"
}

criu_program() { if [ -x /usr/local/lib/skep/criu/bin/criu ]; then echo /usr/local/lib/skep/criu/bin/criu; else command -v criu; fi; }

@test "--page-server: memory goes to another criu, beside the images" {
	start_it
	mkdir "$IMAGES"
	spawn here "$SKEP_DIR/server" "$(criu_program)" page-server --images-dir "$IMAGES" --address 127.0.0.1 --port 7777
	wait_for 30 in_net here sh -c 'ss -Hltn | grep -q :7777'
	oci checkpoint --image-path "$IMAGES" --page-server 127.0.0.1:7777 "$ID"
	wait "$SPAWNED"
	compgen -G "$IMAGES/pages-*.img"
	restore_it
	local n
	n=$(count)
	wait_for 30 count_is_over "$n"
	oci delete --force "$ID"
}

@test "--pre-dump and --parent-path: memory in rounds, or why not" {
	start_it
	local rc=0
	oci checkpoint --pre-dump --image-path "$IMAGES.1" "$ID" 2>"$SKEP_DIR/err" || rc=$?
	oci_is "$ID" running
	if [ $rc != 0 ]; then
		grep -q 'no soft-dirty' "$SKEP_DIR/err"
		oci delete --force "$ID"
		skip 'no soft-dirty on this kernel: it is refused by that name'
	fi
	oci checkpoint --image-path "$IMAGES" --parent-path ../images.1 "$ID"
	[ -L "$IMAGES/parent" ]
	restore_it
	local n
	n=$(count)
	wait_for 30 count_is_over "$n"
	oci delete --force "$ID"
}
