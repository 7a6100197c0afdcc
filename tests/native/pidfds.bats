# SPDX-License-Identifier: GPL-2.0-only
# systemd knows a service again after it was on disk or moved: by the inode number of its pidfd, which is another one then (checkpoint/pidfds.h).

load ../lib/skep
load ../lib/debian
load ../lib/rounds

setup_file() { rounds_builds login13; }
setup() {
	skep_setup
	host_new A
	debian_template A login13
	rounds_begin "$SKEP_DIR" "$(ct_name)" A B
}
teardown() { skep_teardown; }

@test "PID 1 hears the watchdog of a service after a suspend, and after a live move, and again" {
	on A skepctl -q create "$ROUNDS_CT" --ostemplate login13 --bridge br0 --ip "$ROUNDS_ADDRESS/16" --memory 512M --preset checkpointable --start
	wait_for 120 rounds_inside test -S /run/systemd/private
	rounds_inside systemctl is-system-running --wait
	rounds_watchdog
	for _ in 1 2; do
		on A skepctl suspend "$ROUNDS_CT"
		on A skepctl resume "$ROUNDS_CT"
		rounds_heard
	done
	host_new B
	debian_template B login13
	on A skepctl migrate "$ROUNDS_CT" B --rsh "$(host_rsh)"
	# shellcheck disable=SC2034 # rounds.bash goes by it
	HOST=B
	rounds_heard
}
