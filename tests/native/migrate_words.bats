# SPDX-License-Identifier: GPL-2.0-only
# What migrate is told and what it tells: words that would not be heard are refused, and each hint names a command that does it.

load ../lib/skep
load ../lib/move

setup() {
	move_setup probe
	rsh=$(host_rsh) c=$(ct_name)
}
teardown() { skep_teardown; }

make_ct() { on A skepctl -q create "$c" --template probe --bridge br0 --ip 10.77.1.1/16 --init "/probe counter 7000" --start; }
move() { on A skepctl migrate "$c" B --rsh "$rsh" "$@"; }
again() { on A skepctl migrate "$c" "$@"; }
taken() { find "$SKEP_DIR"/[AB]/lib/taken -type f; }

@test "what belongs to the beginning is refused with --continue and --abort, and so is another host: nothing is done" {
	local word
	make_ct
	SKEP_FAULT=migrate.done:kill move || true
	wait_for 30 is_on B running
	for word in --continue --abort; do
		fails_with 20 "--dry-run belongs to the beginning of a migration, not to $word" again $word --dry-run
		fails_with 20 "--keep belongs to the beginning of a migration, not to $word" again --keep $word
		fails_with 21 'its migration went to B, not A' on A skepctl migrate "$c" A $word
		is_on A migrating
	done
	# What the hint of the first says.
	again --status | grep -q "to B, mode precopy"
	on A skepctl migrate "$c" B --continue
	is_on B running
	[ -z "$(status_of A)$(taken)" ]
}

@test "a host that was never asked cannot let it run twice" {
	make_ct
	SKEP_FAULT=migrate.done:kill move --mode suspend || true
	wait_for 30 is_on B running
	host_new C
	host_rsh >/dev/null
	fails_with 21 'its migration went to B, not C' on A skepctl migrate "$c" C --continue
	is_on A migrating
	again --continue
	is_on B running
	[ -z "$(status_of A)" ]
}

@test "a bound of the rate, or of the time it stands still, that is none is refused" {
	make_ct
	for word in 0 300ms 0.2 ''; do fails_with 21 'hint: milliseconds, without a unit: --max-downtime 200' move --max-downtime "$word"; done
	for rate in 1 7bit 63999 63kbit; do
		fails_with 21 "--bwlimit: '$rate' is less than 64kbit, the least there is" move --bwlimit $rate
	done
	is_on A running
	move --dry-run --bwlimit 64kbit
	on A skepctl migrate --help | grep -q '64kbit at least'
}

stopped() { [[ $(cat "/proc/$1/stat" 2>/dev/null) == *') '[Tt]' '* ]]; }
has_open() { find "/proc/$1/fd" -lname "$2" | grep -q .; }
@test "of two migrations at once the second is told that the first has done it" {
	local first second rc=0
	make_ct
	is_pausing migrate.cleanup
	first=$SPAWNED
	spawn A "$SKEP_DIR/second" skepctl migrate "$c" B --rsh "$rsh"
	second=$SPAWNED
	wait_for 30 has_open "$second" "*/ct/$c/lock" # it waits
	kill -CONT "$(cat "$SKEP_DIR/paused")"
	wait "$first"
	wait "$second" || rc=$?
	[ $rc = 14 ]
	grep -q "it has just been migrated to B" "$SKEP_DIR/second"
	is_on B running
	[ -z "$(status_of A)$(taken)" ]
}

cgroup_of() { echo "$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)/$(jq -r .cgroup "$SKEP_DIR/$1/run/$c/state.json")"; }
is_frozen() { grep -qx 'frozen 1' "$(cgroup_of "$1")/cgroup.events"; }
@test "a signal undoes it at once while it is frozen, also where the remote shell has started others that hold the link on" {
	local pid receiver rc=0
	make_ct
	printf '#!/bin/bash\n%s "$@"; exit\n' "$rsh" >"$SKEP_DIR/fake" # not exec
	chmod +x "$SKEP_DIR/fake"
	is_pausing migrate.delta "$SKEP_DIR/fake"
	pid=$(cat "$SKEP_DIR/paused")
	receiver=$(jq .receiver "$SKEP_DIR/B/lib/ct/$c/migration.json")
	kill -STOP "$receiver"
	kill -CONT "$pid"
	wait_for 30 grep -q restore "$SKEP_DIR/A/lib/ct/$c/progress.json"
	is_frozen A
	kill "$pid"
	wait_for 30 not is_frozen A
	kill -CONT "$receiver"
	wait "$SPAWNED" || rc=$?
	[ $rc = 120 ]
	grep 'interrupted (Terminated)' "$SKEP_DIR/first"
	is_on A running
	[ ! -e "$SKEP_DIR/A/lib/ct/$c/migration.json" ]
	wait_for 30 is_on B ''
}
not() { ! "$@"; }

hasting() { # on B
	local p net
	net=$(on B readlink /proc/self/ns/net)
	while read -r p; do
		[ "$(readlink "${p%comm}ns/net")" != "$net" ] || return 0
	done < <(grep -lx skep-haste /proc/[0-9]*/comm 2>/dev/null)
	return 1
}
is_pausing() { # AT [RSH]: the migration that is begun here stands there
	rm -f "$SKEP_DIR/paused"
	spawn A "$SKEP_DIR/first" "SKEP_FAULT=$1:pause=$SKEP_DIR/paused" skepctl migrate "$c" B --rsh "${2:-$rsh}"
	wait_for 30 test -s "$SKEP_DIR/paused"
	wait_for 30 stopped "$(cat "$SKEP_DIR/paused")"
}
@test "the target is told when the freeze is near, and keeps its control groups ready from then until it runs, or is given up" {
	make_ct
	is_pausing migrate.freeze
	! hasting || false
	kill -CONT "$(cat "$SKEP_DIR/paused")"
	wait "$SPAWNED"
	on B skepctl migrate "$c" A --rsh "$rsh"
	is_pausing migrate.delta
	wait_for 30 hasting
	kill -KILL "$(cat "$SKEP_DIR/paused")"
	wait "$SPAWNED" || true
	wait_for 30 is_on A running
	gone() { ! hasting; }
	wait_for 30 gone
	is_pausing migrate.cleanup
	! hasting || false
	kill -CONT "$(cat "$SKEP_DIR/paused")"
	wait "$SPAWNED"
	is_on B running
}

says_how() { # HINT CMD...: what is refused is told as this, with a command that does it
	local out rc=0
	out=$(on A "${@:2}" 2>&1) || rc=$?
	printf '%s: exit %s: %s\n' "${*:2}" $rc "$out"
	[ $rc = 121 ] && [[ $out == *'it was moved to B, and kept here'*"hint: $1"* ]]
}
@test "one that is kept is moved, says so to each command, and destroy --force ends it and its record" {
	local hint="\`skepctl destroy --force $c\` removes this copy" word
	make_ct
	move --keep
	is_on A moved
	is_on B running
	for word in start stop resume destroy; do says_how "$hint" skepctl $word "$c"; done
	says_how "$hint" skepctl set "$c" --memory 64M
	says_how "$hint" skepctl migrate "$c" B --rsh "$rsh"
	says_how "$hint" skepctl migrate "$c" --continue
	fails_with 120 'no migration of it is under way' again --status
	run again --abort
	[ "$status" = 121 ]
	[[ $output == *'B has it'*"hint: \`skepctl destroy --force $c\` removes the copy that was kept here" ]]
	[ -n "$(taken)" ]
	on A skepctl destroy --force "$c"
	[ -z "$(taken)" ]
	on B skepctl exec "$c" -- /probe true
}

@test "a kept one whose other host cannot be asked is destroyed all the same" {
	make_ct
	move --keep
	printf '#!/bin/sh\nexit 255\n' >"$SKEP_DIR/dead"
	chmod +x "$SKEP_DIR/dead"
	jq --arg rsh "$SKEP_DIR/dead" '.rsh = [$rsh]' "$SKEP_DIR/A/lib/ct/$c/migration.json" >"$SKEP_DIR/journal"
	cat "$SKEP_DIR/journal" >"$SKEP_DIR/A/lib/ct/$c/migration.json"
	on A skepctl destroy --force "$c"
	[ ! -e "$SKEP_DIR/A/lib/ct/$c" ]
}

@test "the record goes whatever kills the source behind the end of a migration: with --continue, and with destroy --force" {
	local point
	for point in moved cleanup; do
		make_ct
		SKEP_FAULT=migrate.$point:kill move || true
		is_on A migrating
		again --continue
		[ -z "$(status_of A)$(taken)" ]
		on B skepctl destroy --force "$c"
	done
	# Killed where it has written down that it moved, and said nothing.
	make_ct
	move --keep
	jq '.point = "moved" | .keep = false' "$SKEP_DIR/A/lib/ct/$c/migration.json" >"$SKEP_DIR/journal"
	cat "$SKEP_DIR/journal" >"$SKEP_DIR/A/lib/ct/$c/migration.json"
	is_on A migrating
	[ -n "$(taken)" ]
	fails_with 121 'it was moved to B, and what is left here is to be removed' move
	again --continue
	[ -z "$(status_of A)$(taken)" ]
	is_on B running
	on B skepctl destroy --force "$c"
	make_ct
	move --keep
	jq '.point = "moved" | .keep = false' "$SKEP_DIR/A/lib/ct/$c/migration.json" >"$SKEP_DIR/journal"
	cat "$SKEP_DIR/journal" >"$SKEP_DIR/A/lib/ct/$c/migration.json"
	on A skepctl destroy --force "$c"
	[ -z "$(taken)" ]
	is_on B running
}

@test "what is to be destroyed there, and arrives while that waits for it, is not taken for what was to be destroyed" {
	local mover destroyer rc=0
	make_ct
	is_pausing migrate.commit
	mover=$SPAWNED
	fails_with 44 "hint: finish that first, with \`skepctl migrate $c --continue\` or --abort here" on B skepctl create "$c" --template probe
	spawn B "$SKEP_DIR/destroyer" skepctl destroy --force "$c"
	destroyer=$SPAWNED
	wait_for 30 has_open "$destroyer" "*/ct/$c/lock" # it waits
	kill -CONT "$(cat "$SKEP_DIR/paused")"
	wait "$mover"
	wait "$destroyer" || rc=$?
	[ $rc = 9 ]
	grep -q 'it has just been received, and is a container of this host now' "$SKEP_DIR/destroyer"
	grep -qx "hint: \`skepctl destroy --force $c\` once more removes it" "$SKEP_DIR/destroyer"
	on B skepctl exec "$c" -- /probe true
	on B skepctl destroy --force "$c"
}

init_of() { on A skepctl list -H -o pid "$c"; }
init_is_not() { [[ $(init_of) =~ ^[0-9]+$ && $(init_of) != "$1" ]]; }
journal() { test -e "$SKEP_DIR/A/lib/ct/$c/migration.json"; }
dies_early() { # MODE POINT: the command, in its first pass; the container runs
	SKEP_FAULT=migrate.$2:kill move --mode "$1" || true
	is_on A running
	journal
	fails_with 120 'no migration of it is under way' again --status
}
falls() { # as with its host: nobody reaps it
	local init monitor
	init=$(init_of)
	monitor=$(jq -r .monitor "$SKEP_DIR/A/run/$c/state.json")
	kill -KILL "$monitor" "$init"
	wait_for 30 is_on A "$1"
}
@test "a migration that died before it gave anything away hinders nothing: pause, restart, a reboot from inside, the end of the host" {
	local init mode
	make_ct
	dies_early precopy round
	on A skepctl pause "$c"
	is_on A paused
	on A skepctl resume "$c"
	! journal || false
	dies_early precopy round
	on A skepctl restart "$c"
	is_on A running
	for mode in precopy suspend restart; do
		dies_early $mode rootfs
		falls migrating
		on A skepctl start "$c"
		is_on A running
	done
	# What continue says of one that ended with its host is so.
	dies_early precopy round
	falls migrating
	fails_with 120 'never took it: it is stopped here' again --continue
	is_on A stopped
	on A skepctl destroy "$c"
	template_busybox A
	on A skepctl -q create "$c" --template busybox --network none --start
	template_busybox B
	for mode in precopy:round restart:rootfs; do
		dies_early ${mode%:*} ${mode#*:}
		init=$(init_of)
		wait_for 30 on A skepctl exec "$c" -- reboot
		wait_for 30 init_is_not "$init"
		wait_for 30 is_on A running
		! journal || false
	done
	# What another command would lose stays: frozen here, or stopped for the sake of its migration.
	SKEP_FAULT=migrate.commit:kill move || true
	for word in stop start resume; do fails_with 121 'not finished' on A skepctl $word "$c"; done
	again --abort
	is_on A running
}
