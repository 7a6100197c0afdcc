# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Containers that go live from one host to another and back, ROUNDS times (few here, 20 by `make soak`), under clients that must not notice: tests/native/rounds.bats has it between network
# namespaces, tests/hosts/rounds.bats between virtual machines. What differs is theirs, and said before these are called:
#
#   on HOST CMD...            as their own library has it
#   client OUT CMD...         CMD goes on in the background, outside both hosts, its output in the file OUT; SPAWNED is its pid
#   migrate FROM TO WORD...   moves the container $ROUNDS_CT
#
#   rounds_begin DIR NAME FROM TO   for setup(): the container is NAME, at $ROUNDS_ADDRESS; it is on host $HOST, at first FROM, and goes to $HOST_OTHER next
#   rounds_builds NAME...     the templates "login12" and "login13", a Debian 12 and 13 with systemd, sshd, nginx, cron and logind
#   rounds_counter MODE [MB]  180 MB of memory, 5 MB of them written a second, and a server of numbers: none is lost, none comes twice, over one connection
#   rounds_debian NAME VERSION   a Debian with a logged-in session and an HTTP connection: units, PID 1, restarts
#   rounds_watchdog; rounds_heard   a service inside with a watchdog; whether PID 1 hears it now
# Each says how long it was frozen, as a line of the runner ("#: ...").

ROUNDS_LIB=$(readlink -f "${BASH_SOURCE[0]%/*}")
rounds_builds() {
	local name
	for name; do debian_build "$name" "debian-${name#login}" --systemd --include openssh-server,nginx-light,cron,dbus,libpam-systemd || return 1; done
}

# --- what both watch ---

rounds_begin() { ROUNDS_DIR=$1 ROUNDS_CT=$2 HOST=$3 HOST_OTHER=$4 ROUNDS_ADDRESS=10.77.1.1; }
rounds_inside() { on "$HOST" skepctl exec "$ROUNDS_CT" -- "$@"; }
lines_over() { [ "$(wc -l <"$1")" -gt "$2" ]; }
# goes_on FILE: a line comes into it.
goes_on() {
	local n
	n=$(wc -l <"$1")
	wait_for 30 lines_over "$1" "$n"
}
# One move; its account goes to ROUNDS_DIR/moves, a line "FROZEN TOTAL" in ms.
rounds_move() {
	local to=$HOST_OTHER
	migrate "$HOST" "$to" --json "$@" >"$ROUNDS_DIR/report" 2>"$ROUNDS_DIR/said" || { cat "$ROUNDS_DIR/said"; return 1; }
	HOST_OTHER=$HOST HOST=$to
	jq -r '"\(.frozen_ns / 1e6) \(.total_ns / 1e6)"' "$ROUNDS_DIR/report" >>"$ROUNDS_DIR/moves"
	[ "$(on "$HOST" skepctl list -H -o status "$ROUNDS_CT")" = running ]
	! on "$HOST_OTHER" skepctl list -H -o name | grep -qx "$ROUNDS_CT"
}
# rounds_told WHAT: median and longest of each column of ROUNDS_DIR/moves.
rounds_told() {
	local n column
	n=$(wc -l <"$ROUNDS_DIR/moves")
	[ "$n" = $((2 * ROUNDS)) ]
	for column in 1 2; do
		sort -g -k$column,$column "$ROUNDS_DIR/moves" | awk -v at=$(((n + 1) / 2)) -v c=$column 'NR == at { m = $c } END { printf "%.0f %.0f\n", m, $c }'
	done | xargs printf "#: $1, $n moves: frozen median %s, most %s ms; in all median %s, most %s ms\n" >&3
}

# --- the counter ---

# It has written all its memory: it is the only child of init.
rounds_filled() {
	# shellcheck disable=SC2016 # the other side expands it
	on "$HOST" sh -c '[ "$(awk "/^VmRSS:/ { print \$2 }" "/proc/$(tr -d " " <"/proc/$1/task/$1/children")/status")" -ge "$2" ]' - "$(on "$HOST" skepctl list -H -o pid "$ROUNDS_CT")" $(($1 * 1024))
}
rounds_counter() {
	local i gap mb=${2:-180}
	on "$HOST" skepctl -q create "$ROUNDS_CT" --template probe --bridge br0 --ip "$ROUNDS_ADDRESS/16" --init "/probe counter 7000 $mb 5" --memory $((mb + 76))M --start
	wait_for 200 rounds_filled "$mb"
	client "$ROUNDS_DIR/gap" "$BUILD/gap" "$ROUNDS_ADDRESS" 7000 5
	gap=$SPAWNED
	wait_for 30 grep -q ready "$ROUNDS_DIR/gap"
	for ((i = 0; i < 2 * ROUNDS; i++)); do
		rounds_move --mode "$1" || { echo "at move $((i + 1))"; return 1; }
		# Since the last line: all numbers, one after the other, over the same connection.
		kill -USR1 "$gap"
		wait_for 30 lines_over "$ROUNDS_DIR/gap" $((i + 1))
		tail -n 1 "$ROUNDS_DIR/gap" | jq -e '.answers > 0 and .lost == 0 and .repeated == 0 and .reconnects == 0' || { cat "$ROUNDS_DIR/gap"; return 1; }
	done
	stop_spawned "$gap"
	rounds_told "$1"
	# The first line is "ready", the last is about the time after the last move.
	sed '1d; $d' "$ROUNDS_DIR/gap" | jq -rs --arg mode "$1" '(map(.gap_ms) | sort) as $gap |
		"#: \($mode): the client heard nothing for: median \($gap[(length - 1) / 2 | floor] | round), most \($gap[-1] | round) ms"' >&3
}

# --- the Debians ---

# Each active unit and which start of it that is: one that was started again in between has failed. Of one that comes and goes by itself there is nothing to say.
active() {
	rounds_inside systemctl show -p Id,ActiveState,InvocationID '*' |
		awk -F= '/^Id=/ { id = $2 } /^ActiveState=/ { state = $2 } /^InvocationID=/ { start = $2 } /^$/ { told() } END { told() }
			function told() { if (state == "active" && id !~ /^(run-|systemd-tmpfiles-clean|apt-|dpkg-|e2scrub)/) print id, start; state = "" }' | sort
}
same_units() {
	active >"$ROUNDS_DIR/now"
	diff "$ROUNDS_DIR/units" "$ROUNDS_DIR/now"
}
told_units() {
	echo "at move $n, units before and now:"
	same_units || rounds_inside journalctl -q -b -o short-monotonic -n 60 --no-pager
}
wchar() { awk '/^wchar:/ { print $2 }' "/proc/$1/io"; }
more_than() { (($(wchar "$2") > $1 + 100)); }
# The shell inside counts; each number got a time here. The longest pause between two is what the user at the keyboard saw.
pause_ms() { awk '{ if (NR > 1 && $1 - t > m) m = $1 - t; t = $1 } END { printf "%d", m * 1000 }' "$1"; }
counts_on() {
	goes_on "$ROUNDS_DIR/session"
	# No number is missing and none came twice: it is the same session.
	awk '$2 + 0 != NR { print "at line", NR, "number", $2; exit 1 }' "$ROUNDS_DIR/session"
}
# Clock ticks of PID 1 in two seconds: 2 are 1 %.
idle() {
	local pid ticks
	pid=$(on "$HOST" skepctl list -H -o pid "$ROUNDS_CT")
	# shellcheck disable=SC2016 # the other side expands it
	ticks=$(on "$HOST" sh -c 't() { cut -d")" -f2 "/proc/$1/stat" | awk "{ print \$12 + \$13 }"; }; a=$(t "$1"); sleep 2; echo $(($(t "$1") - a))' - "$pid")
	[ "$ticks" -le 2 ] || { echo "PID 1 used $ticks ticks in 2 s"; return 1; }
}

# rounds_watchdog: a service that says each second that it lives; rounds_heard: PID 1 hears it.
rounds_watchdog() {
	# shellcheck disable=SC2016 # perl's
	printf '%s\n' '#!/usr/bin/perl' 'use Socket;' \
		'sub say_it { socket(my $s, PF_UNIX, SOCK_DGRAM, 0) or die; send($s, $_[0], 0, sockaddr_un($ENV{NOTIFY_SOCKET})) or die }' \
		'say_it("READY=1"); while (1) { say_it("WATCHDOG=1"); sleep 1 }' | rounds_inside sh -c 'cat >/root/alive && chmod +x /root/alive'
	rounds_inside systemd-run --quiet --unit alive -p Type=notify -p WatchdogSec=150 /root/alive
	rounds_heard
}
heard_at() { rounds_inside systemctl show -P WatchdogTimestampMonotonic alive; }
heard_since() { (($(heard_at) > $1)); }
rounds_heard() { wait_for 30 heard_since "$(heard_at)"; }

rounds_debian() {
	local n session http before
	ssh-keygen -q -t ed25519 -N '' -f "$ROUNDS_DIR/key"
	on "$HOST" skepctl create "$ROUNDS_CT" --ostemplate "$1" --bridge br0 --ip "$ROUNDS_ADDRESS/16" --memory 512M --preset checkpointable --start
	wait_for 120 rounds_inside test -S /run/systemd/private
	[ "$(rounds_inside systemctl is-system-running --wait)" = running ] || { rounds_inside systemctl --failed --plain --no-legend; return 1; }
	[ "$(rounds_inside sed -n 's/^VERSION_ID=//p' /etc/os-release)" = "\"$2\"" ]
	rounds_inside sh -c 'mkdir -p -m 700 /root/.ssh && cat >/root/.ssh/authorized_keys' <"$ROUNDS_DIR/key.pub"
	# nginx closes a connection after 1000 answers unless it is told otherwise.
	rounds_inside sh -c 'echo "keepalive_requests 1000000;" >/etc/nginx/conf.d/keepalive.conf && systemctl restart nginx'
	# shellcheck disable=SC2016 # the shell inside counts; the one here gives the times
	client "$ROUNDS_DIR/session" bash -c 'ssh -F /dev/null -tt -i "$1" -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null \
		-o LogLevel=ERROR "root@$2" "n=0; while sleep 0.02; do n=\$((n + 1)); echo \$n; done" | while read -r n; do echo "$EPOCHREALTIME $n"; done' \
		- "$ROUNDS_DIR/key" "$ROUNDS_ADDRESS"
	session=$SPAWNED
	wait_for 120 lines_over "$ROUNDS_DIR/session" 20
	client "$ROUNDS_DIR/http" "$ROUNDS_LIB/keepalive" http "$ROUNDS_ADDRESS" 80
	http=$SPAWNED
	wait_for 30 grep -q connected "$ROUNDS_DIR/http"
	rounds_watchdog
	active >"$ROUNDS_DIR/units"
	for n in ssh nginx cron; do grep -q "^$n.service " "$ROUNDS_DIR/units"; done
	grep -q '^session-.*scope ' "$ROUNDS_DIR/units"
	for ((n = 1; n <= 2 * ROUNDS; n++)); do
		rounds_move || { echo "at move $n"; return 1; }
		counts_on
		kill -0 "$http"
		before=$(wchar "$http")
		wait_for 30 more_than "$before" "$http"
		wait_for 30 same_units || { told_units; return 1; }
		rounds_heard
	done
	rounds_told "$1"
	echo "#: $1: longest pause of the session $(pause_ms "$ROUNDS_DIR/session") ms" >&3
	same_units
	wait_for 30 idle
	stop_spawned "$http"
	grep -q answers= "$ROUNDS_DIR/http"
	for n in ssh nginx cron systemd-journald; do
		rounds_inside systemctl restart $n.service
		rounds_inside systemctl is-active $n.service
	done
	counts_on
	rounds_inside systemd-run --quiet --wait true
	stop_spawned "$session" || true
	[ -z "$(rounds_inside systemctl --failed --plain --no-legend)" ]
	on "$HOST" skepctl stop -t 300 "$ROUNDS_CT"
}
