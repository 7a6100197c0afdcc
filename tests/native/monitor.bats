# SPDX-License-Identifier: GPL-2.0-only
# Where a container's monitor lives: in a control group of skep's own, not in that of who typed the command; and nothing stays of it.

load ../lib/skep

setup() {
	skep_setup
	template_probe here
	c=$(ct_name)
	skepctl create "$c" --template probe --network none
	# The runner's, who stands for a session or a unit that ends.
	session=skep-session-t${SKEP_ID//_/-}-0
}
teardown() {
	local dir
	for dir in $(places); do [ ! -d "$dir/$session" ] || rmdir "$dir/$session"; done
	skep_teardown
}

# The hierarchies by which systemd tells units apart.
places() { findmnt -n -o TARGET,FSTYPE,OPTIONS -t cgroup,cgroup2 | awk '$2 == "cgroup2" || /name=systemd/ { print $1 }'; }
monitor_of() { jq -r .monitor "$SKEP_DIR/here/run/$c/state.json"; }
group_of() { skepctl info "$c" | awk '$1 == "cgroup" { sub(".*/", "", $2); print $2 }'; }
# What systemd goes by: of process $1, one path a line.
lives_in() { awk -F: '$1 == 0 || $2 == "name=systemd" { print $3 }' "/proc/$1/cgroup" | sort -u; }
left() { find /sys/fs/cgroup -type d -path "*.monitors/*$c"; }
nothing_is_left() { [ -z "$(left)" ]; }
# A command of that host from within a control group that ends with it, as a session's does.
from_session() {
	# shellcheck disable=SC2016 # the inner shell expands it
	on here env PLACES="$(places)" sh -c 'session=$1; shift
		for dir in $PLACES; do mkdir -p "$dir/$session"; echo $$ >"$dir/$session/cgroup.procs"; done; exec "$@"' sh "$session" "$@"
}
session_is_empty() {
	local dir
	for dir in $(places); do [ -z "$(cat "$dir/$session/cgroup.procs")" ] || return 1; done
}

# bats test_tags=host_all
@test "the monitor outlives the session that started it, and goes at stop" {
	from_session skepctl start "$c"
	session_is_empty
	[ "$(lives_in "$(monitor_of)")" = "/skep.slice/.monitors/$(group_of)" ]
	# Not within the container's limits.
	if grep "/$(group_of)/ct" "/proc/$(monitor_of)/cgroup"; then false; fi
	skepctl stop "$c"
	nothing_is_left
	skepctl start "$c"
	pid=$(monitor_of)
	kill -KILL "$pid"
	wait_for 30 test ! -e "/proc/$pid"
	[ -n "$(left)" ]
	skepctl stop --kill "$c"
	nothing_is_left
}

@test "a container that ends by itself leaves none, one that reboots has its next monitor in the same place" {
	template_busybox here
	skepctl destroy "$c"
	skepctl create "$c" --template busybox --network none --start
	first=$(monitor_of)
	skepctl exec "$c" -- reboot -f || true
	has_another() { [ "$(monitor_of)" != "$first" ] && [ "$(skepctl list -H -o status "$c")" = running ]; }
	wait_for 30 has_another
	[ "$(lives_in "$(monitor_of)")" = "/skep.slice/.monitors/$(group_of)" ]
	wait_for 30 test ! -e "/proc/$first"
	kill -KILL "$(skepctl list -H -o pid "$c")"
	wait_for 30 nothing_is_left
	[ "$(skepctl list -H -o status "$c")" = stopped ]
}

@test "a start that fails, or that is killed, leaves none behind a destroy" {
	if SKEP_FAULT=start.monitor skepctl start "$c"; then false; fi
	nothing_is_left
	if SKEP_FAULT=start.cgroup:kill skepctl start "$c"; then false; fi
	skepctl destroy --force "$c"
	nothing_is_left
}
