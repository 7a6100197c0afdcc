# SPDX-License-Identifier: GPL-2.0-only
# Debians with systemd, sshd, nginx and cron go live from host to host and back, ROUNDS times (1): a logged-in ssh session and an HTTP connection
# live on, every unit that was active is, PID 1 is idle, and each service can be restarted.

load ../lib/skep
load ../lib/debian

setup_file() {
	debian_build login12 debian-12 --systemd --include openssh-server,nginx-light,cron,dbus,libpam-systemd
	debian_build login13 debian-13 --systemd --include openssh-server,nginx-light,cron,dbus,libpam-systemd
}
setup() {
	skep_setup
	host_new A
	host_new B
	client_new client
	c=$(ct_name) address=10.77.1.6 host=A
	rsh=$(host_rsh)
	ssh-keygen -q -t ed25519 -N '' -f "$SKEP_DIR/key"
}
teardown() { skep_teardown; }

inside() { on "$host" skepctl exec "$c" -- "$@"; }
active() {
	inside systemctl list-units --state=active --plain --no-legend | awk '$1 !~ /^(run-|systemd-tmpfiles-clean|apt-|dpkg-|e2scrub)/ { print $1 }' | sort
}
longer() { [ "$(wc -l <"$1")" -gt "$2" ]; }
wchar() { awk '/^wchar:/ { print $2 }' "/proc/$1/io"; }
more_than() { (($(wchar "$2") > $1 + 100)); }
# The shell inside counts; each number got a time here. The longest pause between two is what the user at the keyboard saw. >&3
pause_ms() { awk '{ if (NR > 1 && $1 - t > m) m = $1 - t; t = $1 } END { printf "%d", m * 1000 }' "$1"; }
counts_on() {
	local n
	n=$(wc -l <"$SKEP_DIR/session")
	wait_for 20 longer "$SKEP_DIR/session" "$n"
	# No number is missing and none came twice: it is the same session.
	awk '$2 + 0 != NR { print "at line", NR, "number", $2; exit 1 }' "$SKEP_DIR/session"
}
# Clock ticks of PID 1 in two seconds: 2 are 1 %.
idle() {
	local pid before
	pid=$(on "$host" skepctl list -H -o pid "$c")
	before=$(awk '{ print $14 + $15 }' "/proc/$pid/stat")
	inside sleep 2
	(($(awk '{ print $14 + $15 }' "/proc/$pid/stat") - before <= 2))
}
same_units() {
	active >"$SKEP_DIR/now"
	diff "$SKEP_DIR/units" "$SKEP_DIR/now"
}

# rounds TEMPLATE VERSION
rounds() {
	local n to session http before
	debian_template A "$1"
	debian_template B "$1"
	on A skepctl create "$c" --ostemplate "$1" --bridge br0 --ip "$address/16" --memory 512M --preset checkpointable --start
	wait_for 30 inside test -S /run/systemd/private
	[ "$(inside systemctl is-system-running --wait)" = running ] || { inside systemctl --failed --plain --no-legend; return 1; }
	[ "$(inside sed -n 's/^VERSION_ID=//p' /etc/os-release)" = "\"$2\"" ]
	inside sh -c 'mkdir -p -m 700 /root/.ssh && cat >/root/.ssh/authorized_keys' <"$SKEP_DIR/key.pub"
	# nginx closes a connection after 1000 answers unless it is told otherwise.
	inside sh -c 'echo "keepalive_requests 1000000;" >/etc/nginx/conf.d/keepalive.conf && systemctl restart nginx'
	# shellcheck disable=SC2016 # the shell inside counts; the one here gives the times
	spawn client "$SKEP_DIR/session" bash -c 'ssh -F /dev/null -tt -i "$1" -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null \
		-o LogLevel=ERROR "root@$2" "n=0; while sleep 0.02; do n=\$((n + 1)); echo \$n; done" | while read -r n; do echo "$EPOCHREALTIME $n"; done' \
		- "$SKEP_DIR/key" "$address"
	session=$SPAWNED
	wait_for 20 longer "$SKEP_DIR/session" 20
	spawn client "$SKEP_DIR/http" "$REPO/tests/lib/keepalive" http "$address" 80
	http=$SPAWNED
	wait_for 10 grep -q connected "$SKEP_DIR/http"
	active >"$SKEP_DIR/units"
	for n in ssh nginx cron; do grep -qx "$n.service" "$SKEP_DIR/units"; done
	grep -q '^session-.*scope$' "$SKEP_DIR/units"
	for ((n = 1; n <= 2 * ${ROUNDS:-1}; n++)); do
		to=B
		[ "$host" = A ] || to=A
		on "$host" skepctl migrate "$c" $to --rsh "$rsh" --json >"$SKEP_DIR/report" 2>"$SKEP_DIR/said" || { cat "$SKEP_DIR/said"; return 1; }
		host=$to
		jq -r '"#: move '$n' '"$1"': frozen \(.frozen_ns / 1e6 | floor) ms, total \(.total_ns / 1e6 | floor) ms"' "$SKEP_DIR/report" >&3
		counts_on
		kill -0 "$http"
		before=$(wchar "$http")
		wait_for 20 more_than "$before" "$http"
		wait_for 10 same_units
	done
	echo "#: longest pause of the session $(pause_ms "$SKEP_DIR/session") ms" >&3
	same_units
	# It may have something to do just now; one that spins is never idle.
	wait_for 20 idle
	stop_spawned "$http"
	grep -q answers= "$SKEP_DIR/http"
	for n in ssh nginx cron systemd-journald; do
		inside systemctl restart $n.service
		inside systemctl is-active $n.service
	done
	counts_on
	inside systemd-run --quiet --wait true
	stop_spawned "$session" || true
	[ -z "$(inside systemctl --failed --plain --no-legend)" ]
	on "$host" skepctl stop -t 60 "$c"
}

@test "Debian 12: sessions, connections and units live through round trips" { rounds login12 12; }
@test "Debian 13: sessions, connections and units live through round trips" { rounds login13 13; }
