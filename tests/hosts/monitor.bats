# SPDX-License-Identifier: GPL-2.0-only
# systemd ends what is in the control group of a unit that is over: not the monitor of a container that this unit started.

load hosts

setup() { template_probe a; }
teardown() { empty a; }

@test "a container that a transient unit starts keeps its monitor, and the unit ends at once" {
	on a skepctl create u --template probe --network none
	began=$SECONDS
	on a systemd-run --wait --quiet /usr/bin/skepctl start u
	((SECONDS - began < 30)) # it was 91: TimeoutStopSec
	monitor=$(on a jq -r .monitor /run/skep/u/state.json)
	on a grep -qx '0::/skep.slice/.monitors/u' "/proc/$monitor/cgroup"
	[ "$(on a cat "/proc/$monitor/comm")" = skep-monitor ]
	[ "$(on a skepctl list -H -o status u)" = running ]
	# Ended by itself: cleaned up without a command.
	on a sh -c "kill -KILL \$(skepctl list -H -o pid u); timeout 30 tail --pid=$monitor -f /dev/null"
	on a sh -c '! find /sys/fs/cgroup -name .monitors | grep .'
	[ "$(on a skepctl list -H -o status u)" = stopped ]
}
