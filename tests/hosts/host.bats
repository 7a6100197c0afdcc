# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2016 # the other side expands it
# A stock Debian 13 host: what skep says of it, and a container with systemd in it.
# host: $HERE

load hosts

teardown() { empty "$HERE"; }

@test "doctor: nothing is missing and nothing is amiss" {
	on "$HERE" skepctl doctor
	[ "$(on "$HERE" skepctl doctor --json | jq -r .verdict)" = ok ]
	[ "$(on "$HERE" uname -r)" != "$(uname -r)" ]
	[ "$(on "$HERE" stat -fc %T /sys/fs/cgroup)" = cgroup2fs ]
}

inside() { on "$HERE" skepctl exec d -- "$@"; }
wait_inside() { # it runs: `systemctl --wait` cannot ask before dbus is there
	wait_for 200 inside test -S /run/dbus/system_bus_socket
	[ "$(inside systemctl is-system-running --wait)" = running ]
}
works() {
	[ "$(inside systemctl is-system-running)" = running ]
	[ -z "$(inside systemctl --failed --no-legend)" ]
	inside systemctl restart ssh.service
	# Its subtree is delegated: a limit of its own counts.
	[ "$(inside systemd-run --quiet --pipe --wait -p MemoryMax=48M sh -c 'cat "/sys/fs/cgroup$(cut -d: -f3 /proc/self/cgroup)/memory.max"')" = 50331648 ]
	run inside systemd-run --quiet --collect --wait -p MemoryMax=48M -p MemorySwapMax=0 python3 -c 'x = bytearray(200 << 20)'
	[ "$status" != 0 ]
}

@test "a Debian 13 with systemd reaches running, is delegated, survives suspend twice, stops cleanly" {
	on "$HERE" skepctl create d --template debian-13 --bridge br0 --ip 10.77.1.4/16 --memory 400M --preset checkpointable --start
	wait_inside
	works
	for round in 1 2; do
		echo "round $round"
		on "$HERE" skepctl suspend d
		on "$HERE" skepctl resume d
		works
	done
	outside ping -c 1 -W 30 10.77.1.4
	SECONDS=0
	on "$HERE" skepctl stop -t 300 d
	((SECONDS < 300))
	[ "$(on "$HERE" skepctl list -H -o status d)" = stopped ]
	on "$HERE" skepctl info d --json | jq -e '.. | .exit_code? // empty | . == 0' || on "$HERE" skepctl info d
}
