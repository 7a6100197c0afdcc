# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2016 # what is in single quotes is for the shell in the container
# Terminals of OCI containers: handed over by --console-socket, or joined with the caller's own.

bats_require_minimum_version 1.5.0
load ../lib/oci

setup() {
	oci_setup
	SOCKET=$SKEP_DIR/console
}
teardown() { oci_teardown; }

# hold OUT [TYPED]: somebody accepts on $SOCKET.
hold() {
	spawn here "$1" /usr/bin/python3 "$REPO/tests/lib/console_socket.py" "$SOCKET" "${@:2}"
	HOLDER=$SPAWNED
	wait_for 30 [ -S "$SOCKET" ]
}

terminal='.process.terminal = true | .process.consoleSize = {height: 33, width: 101}'

@test "create sends the terminal; the program has it as 0, 1, 2, /dev/console and controlling terminal" {
	bundle "$terminal"' | .process.args = ["sh", "-c",
		"tty; test /dev/console -ef /dev/pts/0 && echo console; stty size; sleep 0.1 </dev/tty && echo mine; test -t 2 && echo err"]'
	hold "$SKEP_DIR/out"
	oci create --bundle "$BUNDLE" --console-socket "$SOCKET" "$ID"
	oci start "$ID"
	wait "$HOLDER"
	[ "$(tr -d '\r' <"$SKEP_DIR/out" | tr '\n' ,)" = '/dev/pts/0,console,33 101,mine,err,' ]
	wait_for 30 oci_is "$ID" stopped # who ends closes its terminal first
	oci delete "$ID"
	oci_gone "$ID"
}

@test "the same in a user namespace, for another user" {
	bundle "$terminal"' | .process.args = ["sh", "-c", "tty; echo more >/dev/tty; test -O /dev/pts/0 && echo owned; stat -c %g /dev/pts/0"]
		| .process.user = {uid: 1000, gid: 1000}'
	ln -sf busybox "$BUNDLE/rootfs/bin/stat"
	with_userns
	hold "$SKEP_DIR/out"
	oci run --detach --bundle "$BUNDLE" --console-socket "$SOCKET" "$ID"
	wait "$HOLDER"
	# 5 is tty, as the devpts has it.
	[ "$(tr -d '\r' <"$SKEP_DIR/out" | tr '\n' ,)" = '/dev/pts/0,more,owned,5,' ]
}

@test "exec with a terminal of its own" {
	bundle '.process.args = ["sleep", "1000"]'
	oci run -d --bundle "$BUNDLE" "$ID" >/dev/null 3>&-
	ln -sf busybox "$BUNDLE/rootfs/bin/stat"
	hold "$SKEP_DIR/out" $'typed\n'
	oci exec --detach --tty --user 1000:1000 --console-socket "$SOCKET" "$ID" sh -c 'read x; echo got $x; tty; stat -c %u:%g /dev/pts/0'
	wait "$HOLDER"
	[ "$(tr -d '\r' <"$SKEP_DIR/out" | tr '\n' ,)" = 'typed,got typed,/dev/pts/0,1000:5,' ]
}

@test "terminal, --detach and --console-socket must fit" {
	bundle "$terminal"' | .process.args = ["true"]'
	fails_with 1 'without --console-socket' oci create --bundle "$BUNDLE" "$ID"
	fails_with 1 'without --console-socket' oci run -d --bundle "$BUNDLE" "$ID"
	fails_with 1 'only with --detach' oci run --console-socket "$SOCKET" --bundle "$BUNDLE" "$ID"
	fails_with 1 'No such file or directory' oci create --console-socket "$SOCKET" --bundle "$BUNDLE" "$ID"
	configure '.process.terminal = false'
	fails_with 1 'wants no terminal' oci create --console-socket "$SOCKET" --bundle "$BUNDLE" "$ID"
	oci_gone "$ID"
}

@test "a console socket that nobody accepts on: a bounded wait, nothing left" {
	bundle "$terminal"' | .process.args = ["true"]'
	# A queue of one that is full: the first connection is never accepted.
	spawn here "$SKEP_DIR/out" /usr/bin/python3 -c 'import socket, sys, signal
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(0)
a = socket.socket(socket.AF_UNIX); a.connect(sys.argv[1]); print("ready", flush=True); signal.pause()' "$SOCKET"
	wait_for 30 grep -q ready "$SKEP_DIR/out"
	fails_with 1 'nobody accepts' timeout 60 "$SKEP_DIR/here/bin/skep" create --bundle "$BUNDLE" --console-socket "$SOCKET" "$ID"
	oci_gone "$ID"
}

@test "run joins the caller's terminal: size, keys, exit code, and puts it back" {
	bundle '.process.terminal = true | .process.args = ["sh", "-c", "stty size; read x; echo got $x; exit 4"]'
	local rc=0
	typing $'word\n' "stty rows 21 cols 77; stty -a >$SKEP_DIR/before.tty; $SKEP_DIR/here/bin/skep run --bundle $BUNDLE $ID
		rc=\$?; stty -a >$SKEP_DIR/after.tty; exit \$rc" >"$SKEP_DIR/out" || rc=$?
	[ $rc = 4 ]
	tr -d '\r' <"$SKEP_DIR/out" | grep -qx '21 77'
	tr -d '\r' <"$SKEP_DIR/out" | grep -qx 'got word'
	diff "$SKEP_DIR/before.tty" "$SKEP_DIR/after.tty"
	oci_gone "$ID"
}

@test "run in the background of its terminal, as under timeout, goes on and puts it back" {
	local rc=0
	bundle '.process.terminal = true | .process.args = ["sh", "-c", "test -t 0 && echo out; exit 4"]'
	# Nobody types: who reads in the background is stopped.
	typing '' "stty -a >$SKEP_DIR/before.tty; timeout 60 $SKEP_DIR/here/bin/skep run --bundle $BUNDLE $ID
		rc=\$?; stty -a >$SKEP_DIR/after.tty; exit \$rc" >"$SKEP_DIR/out" || rc=$?
	[ $rc = 4 ]
	tr -d '\r' <"$SKEP_DIR/out" | grep -qx out
	diff "$SKEP_DIR/before.tty" "$SKEP_DIR/after.tty"
	oci_gone "$ID"
}

@test "a terminal whose caller has none: pipes, and the end of input is ^D" {
	bundle '.process.terminal = true | .process.args = ["sh", "-c", "stty -echo; echo ready; cat; echo end"]'
	# shellcheck disable=SC2094 # to see that it says so is the point
	(
		wait_for 30 grep -q ready "$SKEP_DIR/out"
		echo line
	) | oci run --bundle "$BUNDLE" "$ID" >"$SKEP_DIR/out"
	[ "$(tr -d '\r' <"$SKEP_DIR/out" | tr '\n' ,)" = 'ready,line,end,' ]
}

@test "all of a long output arrives, also what was written just before the end" {
	bundle '.process.terminal = true | .process.args = ["sh", "-c", "i=0; while test $i -lt 20000; do echo $i; i=$((i+1)); done"]'
	ln -sf busybox "$BUNDLE/rootfs/bin/["
	oci run --bundle "$BUNDLE" "$ID" </dev/null >"$SKEP_DIR/out"
	[ "$(tail -n1 "$SKEP_DIR/out" | tr -d '\r')" = 19999 ]
	[ "$(wc -l <"$SKEP_DIR/out")" = 20000 ]
}

@test "a process that keeps the terminal open does not keep run from ending" {
	bundle '.process.terminal = true | .process.args = ["sh", "-c", "echo out; exit 6"]'
	configure '.linux.namespaces |= map(select(.type != "pid")) | .process.args = ["sh", "-c",
		"trap \"\" HUP; sleep 1000 & echo $! >/tmp/pid; echo out; exit 6"]'
	local rc=0
	timeout 60 "$SKEP_DIR/here/bin/skep" run --keep --bundle "$BUNDLE" "$ID" </dev/null >"$SKEP_DIR/out" || rc=$?
	[ $rc = 6 ]
	oci delete --force "$ID"
	oci_gone "$ID"
}
