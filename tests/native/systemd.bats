# SPDX-License-Identifier: GPL-2.0-only
# A Debian 12 whose init is systemd, in a user namespace: boots, is suspended and resumed twice, works on, stops by itself.

load ../lib/skep
load ../lib/debian

setup_file() { debian_build systemd debian-12 --systemd --include openssh-server; }
setup() {
	skep_setup
	host_new A
	client_new client
	debian_template A systemd
	c=$(ct_name) address=10.77.1.3
}
teardown() { skep_teardown; }

inside() { on A skepctl exec "$c" -- "$@"; }
over_ssh() {
	in_net client ssh -F /dev/null -i "$SKEP_DIR/key" -o BatchMode=yes -o ConnectTimeout=10 -o StrictHostKeyChecking=accept-new \
		-o UserKnownHostsFile="$SKEP_DIR/known" "root@$address" "$@"
}
# What must work before and after.
works() {
	[ "$(inside systemctl is-system-running)" = running ]
	inside systemctl restart ssh.service
	# shellcheck disable=SC2016 # the inner shell expands it
	inside systemd-run --wait --quiet sh -c 'test "$(cat /proc/1/comm)" = systemd'
	[ "$(over_ssh hostname)" = "$c" ]
	[ -z "$(inside systemctl --failed --no-legend)" ]
}
# PID 1 takes nearly nothing of three seconds, of which one that spins takes what there is.
idle() { # HOST
	local pid before
	pid=$(on "$1" skepctl list -H -o pid "$c")
	before=$(awk '{ print $14 + $15 }' "/proc/$pid/stat")
	inside sleep 3
	(($(awk '{ print $14 + $15 }' "/proc/$pid/stat") - before < 20))
}

@test "systemd boots to running, is suspended and resumed twice, and stops in time" {
	ssh-keygen -q -t ed25519 -N '' -f "$SKEP_DIR/key"
	on A skepctl create "$c" --ostemplate systemd --bridge br0 --ip "$address/16" --memory 512M --preset checkpointable --start
	wait_for 120 inside test -S /run/systemd/private
	[ "$(inside systemctl is-system-running --wait)" = running ]
	inside sh -c 'mkdir -p -m 700 /root/.ssh && cat >/root/.ssh/authorized_keys' <"$SKEP_DIR/key.pub"
	# Root inside is not root outside.
	[ "$(stat -c %u "/proc/$(on A skepctl list -H -o pid "$c")")" -ge 65536 ]
	works
	boot=$(inside cat /proc/sys/kernel/random/boot_id; inside systemctl show -p UserspaceTimestampMonotonic)
	for round in 1 2; do
		echo "round $round"
		on A skepctl suspend "$c"
		[ "$(on A skepctl list -H -o status "$c")" = suspended ]
		on A skepctl resume "$c"
		works
	done
	[ "$boot" = "$(inside cat /proc/sys/kernel/random/boot_id; inside systemctl show -p UserspaceTimestampMonotonic)" ]
	# Idle: a PID 1 that spins after a resume is the known failure.
	wait_for 30 idle A
	began=$SECONDS
	on A skepctl stop -t 300 "$c"
	((SECONDS - began < 300))
	[ "$(on A skepctl list -H -o status "$c")" = stopped ]
}

# A line through the session that was opened before the first migration.
session_answers() {
	local answer
	echo "$1" >&"${session[1]}"
	read -rt 120 -u "${session[0]}" answer && [ "$answer" = "$1" ]
}

@test "systemd migrates live from A to B to A, with a logged-in session, and its services can be restarted" {
	local host=A to
	host_new B
	debian_template B systemd
	ssh-keygen -q -t ed25519 -N '' -f "$SKEP_DIR/key"
	on A skepctl create "$c" --ostemplate systemd --bridge br0 --ip "$address/16" --memory 512M --preset checkpointable --start
	wait_for 120 inside test -S /run/systemd/private
	[ "$(inside systemctl is-system-running --wait)" = running ]
	inside sh -c 'mkdir -p -m 700 /root/.ssh && cat >/root/.ssh/authorized_keys' <"$SKEP_DIR/key.pub"
	units=$(inside systemctl list-units --state=active --plain --no-legend --type=service | awk '{ print $1 }' | grep -v '^run-' | sort)
	coproc session { over_ssh cat 3>&-; }
	session_answers before
	for mode in precopy precopy hybrid postcopy; do
		to=B
		[ $host = A ] || to=A
		echo "$mode from $host to $to"
		on $host skepctl migrate "$c" $to --mode $mode --rsh "$(host_rsh)"
		host=$to
		inside() { on "$host" skepctl exec "$c" -- "$@"; }
		session_answers "$mode on $host"
		works
		[ "$units" = "$(inside systemctl list-units --state=active --plain --no-legend --type=service | awk '{ print $1 }' | grep -v '^run-' | sort)" ]
	done
	wait_for 30 idle "$host"
	eval "exec ${session[1]}>&-"
	on "$host" skepctl stop -t 300 "$c"
}

@test "without netfilter systemd runs all its units, and has none where it is moved to, either" {
	local way
	host_new B
	debian_template B systemd
	on A skepctl create "$c" --ostemplate systemd --bridge br0 --ip "$address/16" --memory 512M --preset checkpointable --netfilter disabled --start
	wait_for 120 inside test -S /run/systemd/private
	[ "$(inside systemctl is-system-running --wait)" = running ]
	inside sh -c 'cat >/usr/bin/trespass && chmod +x /usr/bin/trespass' <"$BUILD/trespass"
	on A skepctl migrate "$c" B --rsh "$(host_rsh)"
	inside() { on B skepctl exec "$c" -- "$@"; }
	[ "$(on B skepctl list -H -o netfilter "$c")" = disabled ]
	[ "$(inside systemctl is-system-running)" = running ]
	[ -z "$(inside systemctl --failed --no-legend)" ]
	# What enters, and what is a child of those that were moved.
	for way in env 'systemd-run --wait --pipe --quiet'; do
		# shellcheck disable=SC2086 # words
		run inside $way trespass netlink 12
		[ "$output" = 'netlink: Operation not permitted' ]
	done
	on B skepctl stop -t 300 "$c"
}
