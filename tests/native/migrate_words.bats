# SPDX-License-Identifier: GPL-2.0-only
# What migrate is told and what it tells: words that would not be heard are refused, and each hint names a command that does it.

load ../lib/skep

setup() {
	skep_setup
	host_new A
	host_new B
	template_probe A
	template_probe B
	rsh=$(host_rsh)
	c=$(ct_name)
}
teardown() { skep_teardown; }

status() { on "$1" skepctl list -H -o name,status | awk -v c="$c" '$1 == c { print $2 }'; }
is_on() { [ "$(status "$1")" = "$2" ]; }
make_ct() { on A skepctl -q create "$c" --template probe --bridge br0 --ip 10.77.1.1/16 --init "/probe counter 7000" --start; }
move() { on A skepctl migrate "$c" B --rsh "$rsh" "$@"; }
again() { on A skepctl migrate "$c" "$@"; }
taken() { find "$SKEP_DIR"/[AB]/lib/taken -type f; }

@test "what belongs to the beginning is refused with --continue and --abort, and so is another host: nothing is done" {
	local word
	make_ct
	SKEP_FAULT=migrate.done:kill move || true
	wait_for 10 is_on B running
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
	[ -z "$(status A)$(taken)" ]
}

@test "a host that was never asked cannot let it run twice" {
	make_ct
	SKEP_FAULT=migrate.done:kill move --mode suspend || true
	wait_for 10 is_on B running
	host_new C
	host_rsh >/dev/null
	fails_with 21 'its migration went to B, not C' on A skepctl migrate "$c" C --continue
	is_on A migrating
	again --continue
	is_on B running
	[ -z "$(status A)" ]
}

@test "a bound of the rate that is none is refused" {
	make_ct
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
	spawn A "$SKEP_DIR/first" "SKEP_FAULT=migrate.cleanup:pause=$SKEP_DIR/paused" skepctl migrate "$c" B --rsh "$rsh"
	first=$SPAWNED
	wait_for 30 test -s "$SKEP_DIR/paused"
	wait_for 5 stopped "$(cat "$SKEP_DIR/paused")"
	spawn A "$SKEP_DIR/second" skepctl migrate "$c" B --rsh "$rsh"
	second=$SPAWNED
	wait_for 5 has_open "$second" "*/ct/$c/lock" # it waits
	kill -CONT "$(cat "$SKEP_DIR/paused")"
	wait "$first"
	wait "$second" || rc=$?
	[ $rc = 14 ]
	grep -q "it has just been migrated to B" "$SKEP_DIR/second"
	is_on B running
	[ -z "$(status A)$(taken)" ]
}
