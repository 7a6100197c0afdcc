# SPDX-License-Identifier: GPL-2.0-only
# The preflight of a Debian whose init is systemd: units that stand in the way, and none.

load ../lib/skep
load ../lib/debian

setup_file() { debian_build systemd debian-12 --systemd --include openssh-server; }
setup() {
	skep_setup
	host_new A
	debian_template A systemd
	c=$(ct_name)
}
teardown() { skep_teardown; }

inside() { on A skepctl exec "$c" -- "$@"; }
# shellcheck disable=SC2016 # the inner shell expands it
apart() { [ "$(inside sh -c 'cat /proc/$(systemctl show -P MainPID apart)/comm')" = sleep ]; }
@test "a Debian with systemd: a unit that stands in the way is named with what to set; without one nothing is" {
	on A skepctl create "$c" --ostemplate systemd --bridge br0 --ip 10.77.1.9/16 --memory 512M --nesting yes --start
	wait_for 120 inside test -S /run/systemd/private
	inside systemctl is-system-running --wait || true
	# A user namespace, which a container with --nesting may make.
	inside systemd-run --quiet --unit walled -p Type=exec -p PrivateUsers=yes sleep 300
	on A skepctl suspend --check "$c" >"$SKEP_DIR/out" || [ $? = 16 ]
	cat "$SKEP_DIR/out"
	grep -q '(sleep, unit walled.service) has namespaces of its own (.*user).*PrivateUsers=no into a drop-in.*--preset checkpointable' "$SKEP_DIR/out"
	# Whatever Debian's own units do: a drop-in for all services, as the check says.
	inside sh -c 'mkdir -p /run/systemd/system/service.d &&
		printf "[Service]\n%s\n" ProtectHostname=no PrivateIPC=no PrivateUsers=no >/run/systemd/system/service.d/90-checkpoint.conf &&
		systemctl daemon-reload && systemctl try-restart systemd-logind.service walled.service'
	inside systemctl is-system-running --wait || true
	on A skepctl suspend --check "$c"
	inside systemd-run --quiet --unit apart unshare -u sleep 300
	wait_for 30 apart
	on A skepctl suspend --check "$c" >"$SKEP_DIR/out" || [ $? = 16 ]
	cat "$SKEP_DIR/out"
	[ "$(wc -l <"$SKEP_DIR/out")" = 1 ]
	grep -q '(sleep, unit apart.service) has namespaces of its own (uts).*ProtectHostname=no into a drop-in' "$SKEP_DIR/out"
	inside systemctl stop apart
	for round in 1 2; do
		echo "round $round"
		on A skepctl suspend --check "$c"
		on A skepctl suspend "$c"
		on A skepctl resume "$c"
	done
	on A skepctl suspend --check "$c"
}
