# SPDX-License-Identifier: GPL-2.0-only
# A container's life through skepctl, and what is refused when.

bats_require_minimum_version 1.5.0
load ../lib/skep

setup() {
	skep_setup
	template_probe here
}
teardown() { skep_teardown; }

status() { skepctl list -H -o status "$1"; }
is() { [ "$(status "$1")" = "$2" ]; }
# The process of a container's init, as the host sees it.
init_of() { skepctl list -H -o pid "$1"; }

# bats test_tags=host
@test "create, start, exec, stop, start again, destroy" {
	c=$(ct_name)
	skepctl create "$c" --template probe --network none
	is "$c" stopped
	skepctl start "$c"
	is "$c" running
	pid=$(init_of "$c")
	[ "$(readlink "/proc/$pid/ns/pid")" != "$(readlink /proc/self/ns/pid)" ]
	[ "$(stat -c %u "/proc/$pid")" != 0 ]
	skepctl exec "$c" -- /probe true
	skepctl stop "$c"
	is "$c" stopped
	[ ! -e "/proc/$pid" ]
	skepctl start "$c"
	is "$c" running
	skepctl restart "$c"
	is "$c" running
	skepctl stop "$c"
	skepctl destroy "$c"
	[ -z "$(skepctl list -H)" ]
}

@test "what makes no sense now is refused, with its own exit code" {
	c=$(ct_name)
	fails_with 14 "$c" skepctl start "$c"
	skepctl create "$c" --template probe --network none
	fails_with 44 "$c" skepctl create "$c" --template probe --network none
	fails_with 31 "$c" skepctl stop "$c"
	fails_with 31 "$c" skepctl exec "$c" -- /probe true
	fails_with 31 "$c" skepctl pause "$c"
	fails_with 31 "$c" skepctl suspend "$c"
	skepctl start "$c"
	fails_with 32 "$c" skepctl start "$c"
	fails_with 32 "$c" skepctl destroy "$c"
	is "$c" running
	skepctl destroy --force "$c"
	fails_with 14 "$c" skepctl destroy "$c"
}

# Not even by the cleaning after the refusal.
@test "a control group of that name with somebody else in it: refused, and nobody is killed" {
	local c dir pid
	c=$(ct_name)
	skepctl create "$c" --template probe --network none --start
	dir=$(findmnt -n -o TARGET -t cgroup2 | head -1)/$(skepctl info "$c" | awk '$1 == "cgroup" { print $2 }')
	skepctl stop "$c"
	mkdir -p "$dir"
	tail -f /dev/null 3>&- &
	pid=$!
	echo "$pid" >"$dir/cgroup.procs"
	fails_with 44 "has processes" skepctl start "$c"
	fails_with 44 "has processes" skepctl start "$c"
	kill "$pid"
	wait "$pid" || true
	rmdir "$dir"
	skepctl start "$c"
	is "$c" running
}

@test "bad names, values and templates make nothing" {
	c=$(ct_name)
	fails_with 21 "name" skepctl create ../evil --template probe
	fails_with 21 "" skepctl create "$(printf 'x%.0s' {1..80})" --template probe
	fails_with 91 nosuch skepctl create "$c" --template nosuch
	fails_with 21 "--memory" skepctl create "$c" --template probe --memory lots
	fails_with 21 "--cpus" skepctl create "$c" --template probe --cpus -1
	fails_with 21 "--ip" skepctl create "$c" --template probe --ip 10.77.300.1/24
	fails_with 20 "memroy" skepctl create "$c" --template probe --memroy 5M
	fails_with 20 "strat" skepctl strat "$c"
	[ -z "$(skepctl list -H)" ]
	[ -z "$(ls -A "$SKEP_DIR/here/lib/ct" 2>/dev/null)" ]
}

@test "exec: exit codes, standard streams, environment, user, directory" {
	c=$(ct_name)
	template_busybox here
	skepctl create "$c" --template busybox --network none --start
	fails_with 7 "" skepctl exec "$c" -- sh -c 'exit 7'
	fails_with 143 "" skepctl exec "$c" -- sh -c 'kill -TERM $$'
	fails_with 127 nosuch skepctl exec "$c" -- /nosuch
	fails_with 126 /etc/passwd skepctl exec "$c" -- /etc/passwd
	[ "$(printf 'a b\nc' | skepctl exec "$c" -- cat)" = "$(printf 'a b\nc')" ]
	[ "$(skepctl exec "$c" -- sh -c 'echo out; echo err >&2' 2>/dev/null)" = out ]
	# shellcheck disable=SC2016 # the inner shell expands it
	[ "$(skepctl exec -e COLOUR=blue "$c" -- sh -c 'echo $COLOUR')" = blue ]
	[ "$(skepctl exec --user nobody "$c" -- id -u)" = 65534 ]
	[ "$(skepctl exec --cwd /etc "$c" -- pwd)" = /etc ]
	fails_with 3 /nosuch skepctl exec --cwd /nosuch "$c" -- pwd
	fails_with 21 --cwd skepctl exec --cwd etc "$c" -- pwd
	fails_with 1 "" skepctl exec "$c" -- test -e /nosuch
	# A megabyte each way, unharmed.
	head -c 1000000 /dev/urandom >"$SKEP_DIR/noise"
	skepctl exec "$c" -- cat <"$SKEP_DIR/noise" >"$SKEP_DIR/echo"
	cmp "$SKEP_DIR/echo" "$SKEP_DIR/noise"
}

@test "exec and enter with a terminal" {
	c=$(ct_name)
	template_busybox here
	skepctl create "$c" --template busybox --network none --start
	printf 'tty; stty size; exit 5\n' >"$SKEP_DIR/typed"
	rc=0
	out=$(on here script -qec "stty rows 33 cols 99; skepctl enter $c" /dev/null <"$SKEP_DIR/typed") || rc=$?
	echo "$out"
	[ $rc = 5 ]
	[[ $out == */dev/pts/* && $out == *'33 99'* ]]
}

# bats test_tags=host_all
@test "exec gets nothing of the host: descriptors, environment, ids" {
	c=$(ct_name)
	skepctl create "$c" --template probe --network none --start
	skepctl exec "$c" -- /probe fds 7</etc/hostname 9<"$SKEP_DIR/names"
	for p in $(init_of "$c"); do
		# Init and its monitor hold no file of the command that started them.
		run -1 grep -z "^SKEP_TEST_MARK\|^BATS" "/proc/$p/environ"
		run ls -l "/proc/$p/fd"
		[[ $output != *"$SKEP_DIR"* && $output != *socket* ]]
	done
}

# bats test_tags=host
@test "pause and resume" {
	c=$(ct_name)
	skepctl create "$c" --template probe --network none --start
	skepctl pause "$c"
	is "$c" paused
	fails_with 32 "$c" skepctl pause "$c" || fails_with 31 "$c" skepctl pause "$c"
	skepctl resume "$c"
	is "$c" running
	skepctl exec "$c" -- /probe true
	skepctl pause "$c"
	skepctl destroy --force "$c"
}

@test "an init that does not listen to its stop signal is killed after the time given" {
	c=$(ct_name)
	template_busybox here
	skepctl create "$c" --template busybox --network none --init "/bin/sleep 1000" --stop-timeout 600 --start
	began=$SECONDS
	skepctl stop -t 2 "$c"
	((SECONDS - began >= 2 && SECONDS - began < 300))
	is "$c" stopped
}

# bats test_tags=host_all
@test "a container that ends by itself is cleaned up by its monitor" {
	c=$(ct_name)
	# Not before the start has seen that it runs.
	skepctl create "$c" --template probe --init "/probe hog-cpu 4" --ip auto --start
	wait_for 30 is "$c" stopped
	wait_for 30 no_cgroup_of "$c"
	! in_net here ip -o link | grep -v ': lo:' | grep -v skep0 || false
	skepctl start "$c"
	wait_for 30 is "$c" stopped
	skepctl destroy "$c"
}
no_cgroup_of() { [ -z "$(find /sys/fs/cgroup -type d -name "*$1*" 2>/dev/null)" ]; }

@test "a template without an init, an init that cannot run: one clear line, nothing left" {
	c=$(ct_name)
	mkdir -p "$SKEP_DIR/empty/etc"
	echo text >"$SKEP_DIR/empty/etc/text"
	skepctl template import empty "$SKEP_DIR/empty"
	skepctl create "$c" --template empty --network none
	fails_with 127 /sbin/init skepctl start "$c"
	is "$c" stopped
	skepctl destroy "$c"
	skepctl create "$c" --template empty --network none --init /etc/text
	fails_with 126 /etc/text skepctl start "$c"
	is "$c" stopped
}

# bats test_tags=host
@test "killing init from outside ends the container and nothing else" {
	c=$(ct_name) d=$(ct_name)
	skepctl create "$c" --template probe --ip auto --start
	skepctl create "$d" --template probe --ip auto --start
	kill -KILL "$(init_of "$c")"
	wait_for 30 is "$c" stopped
	is "$d" running
	skepctl exec "$d" -- /probe true
	skepctl start "$c"
	is "$c" running
}

# bats test_tags=host_all
@test "the monitor's death harms neither the container nor its end" {
	c=$(ct_name)
	skepctl create "$c" --template probe --ip auto --start
	monitor=$(awk '/^PPid:/ { print $2 }' "/proc/$(init_of "$c")/status")
	[[ $(readlink "/proc/$monitor/exe") == */skep-monitor ]]
	kill -KILL "$monitor"
	wait_for 30 test ! -e "/proc/$monitor"
	is "$c" running
	skepctl exec "$c" -- /probe true
	skepctl stop "$c"
	is "$c" stopped
	skepctl start "$c"
	is "$c" running
}

# bats test_tags=host
@test "suspend and resume keep memory, processes and numbers" {
	c=$(ct_name)
	skepctl create "$c" --template probe --network none --init "/probe touch 20" --start
	before=$(skepctl exec "$c" -- /probe ps)
	skepctl suspend "$c"
	is "$c" suspended
	fails_with 32 "" skepctl start "$c" || fails_with 16 "" skepctl start "$c" || true
	is "$c" suspended
	skepctl resume "$c"
	is "$c" running
	[ "$(skepctl exec "$c" -- /probe ps)" = "$before" ]
	skepctl suspend "$c"
	skepctl resume "$c"
	[ "$(skepctl exec "$c" -- /probe ps)" = "$before" ]
	skepctl suspend "$c"
	skepctl destroy "$c"
}

# bats test_tags=host_all
@test "stop --all: those of the highest order first, those of one order side by side, and whoever waits is told" {
	local n
	c=$(ct_name)
	template_probe here
	template_busybox here
	for n in 1 2 3 4; do skepctl -q create "$c-$n" --template busybox --network none --order $((n > 1)) --init '/bin/sleep 1000' --stop-timeout 600 --start; done
	spawn here "$SKEP_DIR/out" skepctl stop --all
	# All of the first three wait before one of them has ended, and the last one before none has.
	waiting() { [ "$(grep -c 'waits up to 600 s' "$SKEP_DIR/out")" = "$1" ]; }
	wait_for 30 waiting 3
	for n in 2 3; do kill -KILL "$(init_of "$c-$n")"; done
	ended() { [ "$(grep -c ': stopped$' "$SKEP_DIR/out")" = "$1" ]; }
	wait_for 30 ended 2
	waiting 3
	kill -KILL "$(init_of "$c-4")"
	wait_for 30 waiting 4
	kill -KILL "$(init_of "$c-1")"
	wait "$SPAWNED"
	[ "$(sed -n 's/^CT .*-\(.\): stopped$/\1/p' "$SKEP_DIR/out" | tail -n 1)" = 1 ]
	[ "$(grep -c ': stopped$' "$SKEP_DIR/out")" = 4 ]
	for n in 1 2 3 4; do grep -q "container $c-$n: waits up to 600 s for it to end, then it is killed" "$SKEP_DIR/out"; done
	for n in 1 2 3 4; do skepctl -q destroy "$c-$n"; done
	# One that fails is told, takes nothing from the others, and is the exit code.
	for n in 1 2; do skepctl -q create "$c-$n" --template probe --network none --start; done
	SKEP_FAULT=stop.signal run skepctl stop --all
	[ "$status" != 0 ]
	[ "$(grep -c "$c-" <<<"$output")" -ge 2 ]
	skepctl stop --all
	is "$c-1" stopped && is "$c-2" stopped
}

@test "stop --kill and destroy --force end a stop that waits" {
	c=$(ct_name)
	template_busybox here
	skepctl create "$c" --template busybox --network none --init "/bin/sleep 1000" --start
	spawn here "$SKEP_DIR/stopped" skepctl stop -t 100 "$c"
	wait_for 30 grep -q '(stop)' "$SKEP_DIR/here/lib/ct/$c/lock"
	fails_with 9 "skepctl stop --kill $c" skepctl stop "$c"
	[ "$(skepctl stop --kill "$c")" = "CT $c: stopped" ]
	wait "$SPAWNED" # it ends by itself
	is "$c" stopped
	skepctl start "$c"
	spawn here "$SKEP_DIR/stopped" skepctl stop -t 100 "$c"
	wait_for 30 grep -q '(stop)' "$SKEP_DIR/here/lib/ct/$c/lock"
	skepctl destroy --force "$c"
	wait "$SPAWNED" # it ends by itself
	[ -z "$(skepctl list -1)" ]
}

@test "a container that does nothing but reboot is stopped, and the console log says so" {
	c=$(ct_name)
	template_busybox here
	skepctl create "$c" --template busybox --network none --init "/bin/busybox reboot -f" --start
	wait_for 90 grep -q 'was not started again: 11 reboots in' "$SKEP_DIR/here/lib/ct/$c/console.log"
	is "$c" stopped
	skepctl destroy "$c"
}

@test "a damaged state.json keeps nobody from ending what runs" {
	c=$(ct_name)
	skepctl create "$c" --template probe --ip auto --start
	pid=$(init_of "$c")
	echo '{"version' >"$SKEP_DIR/here/run/$c/state.json"
	is "$c" broken
	fails_with 85 "skepctl stop --kill $c" skepctl stop "$c"
	fails_with 85 state.json skepctl destroy "$c"
	skepctl stop --kill "$c"
	is "$c" stopped
	[ ! -e "/proc/$pid" ]
	skepctl start "$c"
	: >"$SKEP_DIR/here/run/$c/state.json"
	skepctl destroy --force "$c"
	no_cgroup_of "$c"
}
