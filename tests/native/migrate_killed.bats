# SPDX-License-Identifier: GPL-2.0-only
# The source's command, criu's hook and criu itself die one after the other while the container is stopped: a client outside keeps its connection.

load ../lib/skep
load ../lib/move

setup() {
	move_setup probe
	client_new client
	rsh=$(host_rsh) c=$(ct_name)
}
teardown() { skep_teardown; }

is_frozen() { grep -qx 'frozen 1' "$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)/$(jq -r .cgroup "$SKEP_DIR/A/run/$c/state.json")/cgroup.events"; }
not() { ! "$@"; }
longer_than() { [ "$(wc -l <"$2")" -gt "$1" ]; }
descendants() {
	local p
	for p in $(pgrep -P "$1"); do
		echo "$p"
		descendants "$p"
	done
}
# The criu that dumps: the target, which is below the command, too, has another one.
dumping() {
	local p
	for p in $(descendants "$1"); do
		[[ $({ tr '\0' ' ' <"/proc/$p/cmdline"; } 2>/dev/null) != */"criu dump "* ]] || { echo "$p" && return; }
	done
	return 1
}
stopped() { [[ $(cat "/proc/$1/stat" 2>/dev/null) == *') '[Tt]' '* ]]; }
ended() { [[ ! -e /proc/$1 || $(cat "/proc/$1/stat") == *') Z '* ]]; }

# One whose client hears a number all the time.
serve() {
	on A skepctl -q create "$c" --template probe --bridge br0 --ip 10.77.1.1/16 --init "/probe counter 7000 8 2" --start
	wait_for 30 in_net client "$PROBE" client 10.77.1.1 7000 0.1 10
	spawn client "$SKEP_DIR/numbers" "$PROBE" client 10.77.1.1 7000 0 10
	client=$SPAWNED
	wait_for 30 grep -q ready "$SKEP_DIR/numbers"
}
hears_all() {
	local seen
	seen=$(wc -l <"$SKEP_DIR/numbers")
	wait_for 30 longer_than "$seen" "$SKEP_DIR/numbers"
	stop_spawned "$client"
	grep -q ' lost=0 ' "$SKEP_DIR/numbers"
}
# pause_at POINT CMD...: the command goes on to that point and stops there, itself, its hook and criu.
pause_at() {
	spawn A "$SKEP_DIR/said" "SKEP_FAULT=$1:pause=$SKEP_DIR/paused" "${@:2}"
	command=$SPAWNED
	wait_for 30 test -s "$SKEP_DIR/paused"
	wait_for 30 stopped "$(cat "$SKEP_DIR/paused")"
	criu=$(dumping "$command")
	hook=$(pgrep -P "$criu")
	[[ $(readlink "/proc/$hook/exe") == */skep-criu-hook ]]
}
# kill_all [PID...]: the command, its hook and criu, or those, at once: who sees another one dead goes on in its own way, and criu lets the tasks go on when its hook is. So they
# stand still before the first one dies.
kill_all() {
	local p all=("$command" "$(cat "$SKEP_DIR/paused")" "$@")
	[ $# -gt 0 ] || all+=("$criu" "$hook")
	kill -STOP "${all[@]}"
	for p in "${all[@]}"; do wait_for 30 stopped "$p"; done
	kill -KILL "${all[@]}"
}
# The hook hears that its command is dead, and what it leaves behind has to wait for criu's end, which is another SIGKILL.
kill_command_then_criu() {
	kill -STOP "$criu"
	wait_for 30 stopped "$criu"
	kill -KILL "$command" "$(cat "$SKEP_DIR/paused")"
	stop_spawned "$command" || true
	wait_for 30 ended "$hook"
	is_frozen
	fails_with 9 'locked' on A skepctl migrate "$c" --continue --rsh "$rsh"
	is_frozen
	kill -KILL "$criu"
	wait_for 30 not is_frozen
}
kill_during_migration() { # MODE
	serve
	pause_at migrate.ready skepctl migrate "$c" B --mode "$1" --rsh "$rsh"
	kill_command_then_criu
	hears_all
	on A skepctl migrate "$c" --continue --rsh "$rsh" || [ $? = 120 ]
	is_on A running
	is_on B ''
}

@test "mode precopy: criu dies behind its command and its hook, and the connections are mended before anything runs" { kill_during_migration precopy; }
@test "mode suspend: criu dies behind its command and its hook, and the connections are mended before anything runs" { kill_during_migration suspend; }

# It is refused, as an interrupted one is, and the command that should let the tasks go on is killed before it does.
@test "mode precopy: the command is killed behind its refusal of the dump, and the container goes on by itself" {
	serve
	pause_at migrate.ready skepctl migrate "$c" B --mode precopy --rsh "$rsh"
	kill -STOP "$criu"
	wait_for 30 stopped "$criu"
	kill -TERM "$command"
	kill -CONT "$(cat "$SKEP_DIR/paused")"
	wait_for 30 ended "$hook" # it has been told
	is_frozen
	kill -KILL "$command"
	stop_spawned "$command" || true
	kill -CONT "$criu"
	wait_for 30 not is_frozen
	hears_all
	on A skepctl migrate "$c" --continue --rsh "$rsh" || [ $? = 120 ]
	is_on A running
	is_on B ''
}

may_raise_priority() { [ $((0x$(awk '/^CapEff:/ { print $2 }' /proc/self/status) >> 24 & 1)) = 1 ]; } # CAP_SYS_RESOURCE
@test "who asks a criu that dumps to end is not heard: the command is who answers" {
	serve
	spawn A "$SKEP_DIR/said" "SKEP_FAULT=suspend.stopped:pause=$SKEP_DIR/paused" skepctl suspend "$c"
	command=$SPAWNED
	wait_for 30 test -s "$SKEP_DIR/paused"
	wait_for 30 stopped "$(cat "$SKEP_DIR/paused")"
	criu=$(dumping "$command")
	kill -TERM "$criu" $(pgrep -P "$criu")
	kill -HUP "$criu"
	kill -INT "$criu"
	! may_raise_priority || [ "$(cat "/proc/$criu/oom_score_adj")" = -1000 ]
	kill -CONT "$(cat "$SKEP_DIR/paused")"
	stop=0 && wait "$command" || stop=$?
	[ $stop = 0 ]
	is_on A suspended
	on A skepctl resume "$c"
	hears_all
}

@test "a suspend whose command and criu die before it is decided goes on with its connections" {
	serve
	pause_at suspend.marker skepctl suspend "$c"
	kill -STOP "$criu"
	kill -KILL "$command"
	stop_spawned "$command" || true
	wait_for 30 ended "$hook"
	is_frozen
	kill -KILL "$criu"
	wait_for 30 is_on A running
	hears_all
}

@test "a suspend whose command, hook and criu die at once stays paused, and resume lets it go on with its connections" {
	serve
	pause_at suspend.marker skepctl suspend "$c"
	kill_all
	stop_spawned "$command" || true
	is_on A paused
	on A skepctl resume "$c"
	hears_all
}

its_pid() { jq -r .pid "$SKEP_DIR/A/run/$c/state.json"; }
kill_all_at() { # POINT CMD...
	pause_at "$@"
	kill_all
	stop_spawned "$command" || true
	wait_for 30 ended "$criu"
	is_frozen
}

# The images are whole then. What goes on from the same instruction makes them old.
@test "mode suspend: command, hook and criu die at once behind the marker, and after an abort a pause and a resume keep what runs" {
	local pid
	serve
	pid=$(its_pid)
	kill_all_at suspend.marked skepctl migrate "$c" B --mode suspend --rsh "$rsh"
	is_on A migrating
	on A skepctl migrate "$c" --abort --rsh "$rsh"
	is_on A running
	on A skepctl pause "$c"
	is_on A paused
	on A skepctl resume "$c"
	[ "$(its_pid)" = "$pid" ]
	hears_all
}

# The source asks anew, which ends who still waits at the target, and so the guardian, when that has undone all but the group that it is in.
@test "mode suspend: a target that is ended behind its guardian's undoing leaves no control group" {
	printf '#!/bin/bash\nSKEP_FAULT=guardian.undone:pause=%q exec %s "$@"\n' "$SKEP_DIR/undone" "$rsh" >"$SKEP_DIR/fake"
	chmod +x "$SKEP_DIR/fake"
	serve
	kill_all_at suspend.marked skepctl migrate "$c" B --mode suspend --rsh "$SKEP_DIR/fake"
	wait_for 30 test -s "$SKEP_DIR/undone"
	wait_for 30 stopped "$(cat "$SKEP_DIR/undone")"
	on A skepctl migrate "$c" --abort --rsh "$rsh"
	is_on A running
	hears_all
}

@test "a suspend whose command, hook and criu die at once behind the marker is suspended, and stop ends what is frozen" {
	local pid
	serve
	pid=$(its_pid)
	kill_all_at suspend.marked skepctl suspend "$c"
	is_on A suspended
	on A skepctl stop "$c"
	is_on A stopped
	[ ! -e "/proc/$pid" ]
	stop_spawned "$client" || true
	on A skepctl start "$c"
	is_on A running
}

# Its tasks are restored, and frozen: without a network, and without who should look after them.
@test "a resume whose command, guardian, hook and criu die at once leaves it suspended, and the next one resumes it" {
	local pid
	serve
	on A skepctl suspend "$c"
	spawn A "$SKEP_DIR/said" "SKEP_FAULT=resume.ready:pause=$SKEP_DIR/paused" skepctl resume "$c"
	command=$SPAWNED
	wait_for 30 test -s "$SKEP_DIR/paused"
	wait_for 30 stopped "$(cat "$SKEP_DIR/paused")"
	# shellcheck disable=SC2046 # a list
	kill_all $(for pid in $(descendants "$command"); do [ "$(awk '/^NSpid/ { print NF }' "/proc/$pid/status")" != 2 ] || echo "$pid"; done)
	stop_spawned "$command" || true
	is_on A suspended
	on A skepctl resume "$c"
	is_on A running
	hears_all
}

links() { in_net A ip -o link show type veth | cut -d: -f2; }

# Its network outlives its sockets: for some ms, and here for as long as we have it open. Of the last one on a bridge it would be removed with that.
@test "the link is gone when a suspend is done, so that nobody resets what is to be resumed" {
	local pid net before
	on A skepctl -q create "$c-other" --template probe --bridge br0 --ip 10.77.1.2/16 --init "/probe idle" --start
	before=$(links)
	serve
	pid=$(jq -r .pid "$SKEP_DIR/A/run/$c/state.json")
	exec {net}<"/proc/$pid/ns/net"
	on A skepctl suspend "$c"
	[ "$(links)" = "$before" ]
	exec {net}<&-
	on A skepctl resume "$c"
	hears_all
}

@test "the link is gone before the lock on it when a migration is finished later" {
	local pid net before
	before=$(links)
	serve
	pid=$(jq -r .pid "$SKEP_DIR/A/run/$c/state.json")
	exec {net}<"/proc/$pid/ns/net"
	on A env SKEP_FAULT=migrate.done:kill skepctl migrate "$c" B --mode precopy --rsh "$rsh" || true
	wait_for 30 is_on B running
	is_on A migrating
	on A skepctl migrate "$c" --continue --rsh "$rsh"
	[ "$(links)" = "$before" ]
	exec {net}<&-
	hears_all
}
