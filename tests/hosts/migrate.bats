# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2016 # the other side expands it
# Migration between two machines with kernels of their own, over real ssh, with a client outside both.

load hosts

teardown() {
	[ -z "${client:-}" ] || kill "$client" 2>/dev/null || true
	empty a b
}

runs_only_on() { # HOST NAME
	local other=a
	[ "$1" != a ] || other=b
	[ "$(on "$1" skepctl list -H -o status "$2")" = running ] && ! on $other skepctl list -H -o name | grep -qx "$2"
}
neighbour() { # what the wire knows of the address: "MAC PORT"
	local mac
	mac=$(outside ip neigh show 10.77.1.1 | sed -n 's/.*lladdr \([^ ]*\).*/\1/p')
	echo "$mac $(outside bridge fdb show br wire | awk -v m="$mac" '$1 == m && /master/ { print $3; exit }')"
}

to_and_fro() { # MODE
	local from to seen
	template_probe a
	template_probe b
	# Another process of it writes 1 MB/s into 16 MB.
	on a skepctl create m --template probe --bridge br0 --ip 10.77.1.1/16 --init '/probe counter 7000 16 1' --memory 64M --start
	(outside timeout 200 "$BUILD/probe" client 10.77.1.1 7000 0 10 >"$BATS_TEST_TMPDIR/numbers" 2>&1 3>&-) &
	wait_for 20 grep -q '^20$' "$BATS_TEST_TMPDIR/numbers"
	client=$(pgrep -f "^$BUILD/probe client 10.77.1.1 7000 0 10" | head -n 1)
	before=$(neighbour)
	[ "${before#* }" = tap-a ]
	for from in a b a; do
		to=b
		[ $from = a ] || to=a
		on $from skepctl migrate m $to --mode "$1"
		runs_only_on $to m
		seen=$(wc -l <"$BATS_TEST_TMPDIR/numbers")
		wait_for 20 more_numbers
		[ "$(neighbour)" = "${before% *} tap-$to" ]
	done
	kill "$client"
	wait_for 10 grep -q ' lost=' "$BATS_TEST_TMPDIR/numbers"
	tail -n 1 "$BATS_TEST_TMPDIR/numbers"
	grep -q ' lost=0 ' "$BATS_TEST_TMPDIR/numbers"
}
@test "suspend: a client outside both loses no number from a to b to a to b; address and MAC stay, the wire learns where" { to_and_fro suspend; }
@test "precopy: a client outside both loses no number from a to b to a to b" { to_and_fro precopy; }
@test "postcopy: a client outside both loses no number from a to b to a to b" { to_and_fro postcopy; }
more_numbers() { [ "$(wc -l <"$BATS_TEST_TMPDIR/numbers")" -gt "$seen" ]; }

@test "restart: files, limits, address and MAC move with it, and back" {
	template_probe a
	template_probe b
	on a skepctl create m --template probe --bridge br0 --ip 10.77.1.1/16 --init '/probe counter 7000' --memory 64M --start
	mac=$(on a skepctl info m --json | jq -r '[.. | .mac? // empty][0]')
	echo here | on a sh -c 'cd /var/lib/skep/ct/m/upper && cat >file && chown --reference=. file'
	for to in b a; do
		from=a
		[ $to = b ] || from=b
		on $from skepctl migrate m $to --mode restart
		runs_only_on $to m
		[ "$(on $to cat /var/lib/skep/ct/m/upper/file)" = here ]
		[ "$(on $to cat /sys/fs/cgroup/skep.slice/m/memory.max)" = 67108864 ]
		[ "$(on $to skepctl info m --json | jq -r '[.. | .mac? // empty][0]')" = "$mac" ]
		outside timeout 20 "$BUILD/probe" client 10.77.1.1 7000 1 10
	done
}

@test "live: a Debian 13 with systemd moves to the other kernel and back, and works on" {
	local to from
	on a skepctl create d --template debian-13 --bridge br0 --ip 10.77.1.5/16 --memory 400M --preset checkpointable --start
	wait_for 60 on a skepctl exec d -- test -S /run/dbus/system_bus_socket
	[ "$(on a skepctl exec d -- systemctl is-system-running --wait)" = running ]
	for to in b a; do
		from=a
		[ $to = b ] || from=b
		on $from skepctl migrate d $to
		runs_only_on $to d
		[ "$(on $to skepctl exec d -- systemctl is-system-running)" = running ]
		on $to skepctl exec d -- systemd-run --quiet --wait true
		on $to skepctl exec d -- systemctl restart ssh.service
	done
	outside timeout 20 bash -c 'exec 3<>/dev/tcp/10.77.1.5/22 && read -r line <&3 && [[ $line == SSH-* ]]'
}
