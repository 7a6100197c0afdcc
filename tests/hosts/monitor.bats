# SPDX-License-Identifier: GPL-2.0-only
# systemd ends what is in the control group of a unit that is over: not the monitor of a container that this unit started.
# host: $HERE

load hosts

setup() { template_probe "$HERE"; }
teardown() { empty "$HERE"; }

@test "a container that a transient unit starts keeps its monitor, and the unit ends at once" {
	on "$HERE" skepctl create u --template probe --network none
	began=$SECONDS
	on "$HERE" systemd-run --wait --quiet /usr/bin/skepctl start u
	((SECONDS - began < 80)) # it was 91: TimeoutStopSec
	monitor=$(on "$HERE" jq -r .monitor /run/skep/u/state.json)
	on "$HERE" grep -qx '0::/skep.slice/.monitors/u' "/proc/$monitor/cgroup"
	[ "$(on "$HERE" cat "/proc/$monitor/comm")" = skep-monitor ]
	[ "$(on "$HERE" skepctl list -H -o status u)" = running ]
	# Ended by itself: cleaned up without a command.
	on "$HERE" sh -c "kill -KILL \$(skepctl list -H -o pid u); timeout 100 tail --pid=$monitor -f /dev/null"
	on "$HERE" sh -c '! find /sys/fs/cgroup -name .monitors | grep .'
	[ "$(on "$HERE" skepctl list -H -o status u)" = stopped ]
}
