# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2016 # the other side expands it
# A host starts again, in order or because its power failed.

load hosts

setup() {
	template_probe a
	template_probe b
}
teardown() { empty a b; }

status() { on "$1" skepctl list -H -o status "$2" 2>/dev/null; }
sound() { # what must be true after any power cut: all of it can be read, nothing is half-made
	on "$1" skepctl list --json | jq -e '[.containers[] | select(.status == "broken")] == []'
	# A migration's target is whole, too: it says that it waits for a word.
	left=$(on "$1" sh -c 'ls -A /var/lib/skep/ct | while read -r d; do
		skepctl info "$d" >/tmp/said 2>&1 || grep -q "is being received" /tmp/said || { echo "$d"; cat /tmp/said; }; done')
	[ -z "$left" ] || { echo "$left"; return 1; }
}

@test "reboot: those with autostart come back in their order, the others do not" {
	on a skepctl create second --template probe --network none --autostart yes --order 2
	on a skepctl create first --template probe --bridge br0 --ip 10.77.1.1/16 --autostart yes --order 1 --memory 64M --init '/probe counter 7000'
	on a skepctl create never --template probe --network none --start
	hosts_restart a systemctl reboot
	[ "$(status a first)" = running ]
	[ "$(status a second)" = running ]
	[ "$(status a never)" = stopped ]
	on a sh -c 'age() { cut -d" " -f22 "/proc/$(skepctl list -H -o pid "$1")/stat"; }; [ "$(age first)" -lt "$(age second)" ]'
	[ "$(on a cat /sys/fs/cgroup/skep.slice/first/memory.max)" = 67108864 ]
	outside timeout 20 "$BUILD/probe" client 10.77.1.1 7000 1 10
}

@test "power cut during create and set: every definition can be read, nothing is half-made" {
	on a skepctl create kept --template probe --network none --memory 64M --description zero
	(on a sh -c 'i=0; while :; do i=$((i + 1)); skepctl create "n$i" --template probe --network none; skepctl set kept --description "$i"
		[ $((i % 3)) = 0 ] && skepctl destroy "n$i"; done' >"$BATS_TEST_TMPDIR/loop" 2>&1 3>&-) &
	wait_for 30 grep -q 'n7: created' "$BATS_TEST_TMPDIR/loop"
	hosts_restart a
	sound a
	[ "$(status a kept)" = stopped ]
	on a skepctl info kept --json | jq -e '[.. | .description? // empty][0] | tonumber >= 5'
	on a skepctl start kept
	[ "$(on a cat /sys/fs/cgroup/skep.slice/kept/memory.max)" = 67108864 ]
}

@test "power cut of the target, then of the source, in the middle of a migration: at most one copy, nothing lost" {
	local host
	for host in b a; do
		on a skepctl create m --template probe --bridge br0 --ip 10.77.1.1/16 --init '/probe counter 7000' --start
		on a sh -c 'cd /var/lib/skep/ct/m/upper && head -c 40M /dev/urandom >big && chown --reference=. big'
		(on a skepctl migrate m b --progress json >"$BATS_TEST_TMPDIR/moved" 2>&1 3>&-) &
		wait_for 30 grep -q '"rootfs"' "$BATS_TEST_TMPDIR/moved"
		hosts_restart $host
		sound a
		sound b
		one_copy
		echo "after the end of $host: $(status a m) at a, $(status b m) at b"
		# The source may still wait for an answer.
		wait_for 90 settled
		on b skepctl migrate --abort m || true
		on a skepctl start m || true
		[ "$(status a m)" = running ] && [ -z "$(status b m)" ]
		on a test -s /var/lib/skep/ct/m/upper/big
		on a skepctl destroy --force m
	done
}
settled() { on a skepctl migrate --abort m || [[ $(status a m) == running || $(status a m) == stopped ]]; }
one_copy() { # not both run
	[ "$(status a m) $(status b m)" != 'running running' ] && [ -n "$(status a m)$(status b m)" ]
}
