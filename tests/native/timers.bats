# SPDX-License-Identifier: GPL-2.0-only
# A timer's point in time is the same after a suspend and after a move, however long that took: systemd's watchdogs and calendars are such timers.

load ../lib/skep

setup() {
	skep_setup
	c=$(ct_name) host=A
}
teardown() { skep_teardown; }

inside() { on "$host" skepctl exec "$c" -- "$@"; }
turn() { inside sed -n 's/^turn //p' /run/timers; }
later() { (($(turn) > $1)); }
begin() {
	host_new A
	template_busybox A
	on A skepctl -q create "$c" --template busybox --network none --start
	inside sh -c 'cat >/root/timers; chmod +x /root/timers' <"$BUILD/timers"
	inside sh -c 'setsid /root/timers /run/timers </dev/null >/dev/null 2>&1 &'
	wait_for 30 inside test -s /run/timers
	inside cat /run/timers >"$SKEP_DIR/before"
	cat "$SKEP_DIR/before"
}
lay_for() { (($(date +%s) - $(stat -c %Y "$2") >= $1)); }
# Read between two clocks, a point may be a millisecond or two off; on a busy machine more, but never by what a freeze takes.
same_points() {
	# It is all of now: a turn may have begun before it stood still, and be over only now.
	wait_for 30 later $(($(turn) + 1))
	inside cat /run/timers >"$SKEP_DIR/now"
	awk 'function off(a, b) { return a > b ? a - b : b - a }
		$1 == "turn" { next }
		NR == FNR { point[$1] = $2; ready[$1] = $3; next }
		$1 == "clock_set" ? $2 < 9e12 || $3 != ready[$1] : off($2, point[$1]) > 50 || $3 != ready[$1] { print; bad = 1 }
		END { exit bad }' "$SKEP_DIR/before" "$SKEP_DIR/now" || { cat "$SKEP_DIR/now" && return 1; }
}

@test "after two seconds on disk every timer expires when it was to" {
	begin
	[ "$(awk '$1 == "expired" { print $2, $3 }' "$SKEP_DIR/before")" = "0 1" ]
	[ "$(awk '$1 == "disarmed" { print $2, $3 }' "$SKEP_DIR/before")" = "0 0" ]
	for _ in 1 2; do
		on A skepctl suspend "$c"
		wait_for 30 lay_for 2 "$SKEP_DIR/A/lib/ct/$c/checkpoint"
		on A skepctl resume "$c"
		same_points
	done
}

@test "after a live move, too" {
	host_new B
	begin
	template_busybox B
	on A skepctl migrate "$c" B --rsh "$(host_rsh)"
	host=B
	same_points
}
