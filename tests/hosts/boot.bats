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

@test "reboot: those with autostart come back in their order, the others do not; one that fails is told, and takes nothing from the others" {
	on a sh -c 'mkdir -p /var/log/journal && journalctl --flush' # what was said before the reboot is still there
	on a skepctl create second --template probe --network none --autostart yes --order 2
	on a skepctl create first --template probe --bridge br0 --ip 10.77.1.1/16 --autostart yes --order 1 --memory 64M --init '/probe counter 7000'
	on a skepctl create never --template probe --network none --start
	on a skepctl create amiss --template probe --network none --autostart yes --order 0 --init /gone
	run on a systemctl restart skep-autostart
	[ "$status" != 0 ]
	told
	hosts_restart a systemctl reboot
	[ "$(status a first)" = running ]
	[ "$(status a second)" = running ]
	[ "$(status a never)" = stopped ]
	told
	on a sh -c 'age() { cut -d" " -f22 "/proc/$(skepctl list -H -o pid "$1")/stat"; }; [ "$(age first)" -lt "$(age second)" ]'
	[ "$(on a cat /sys/fs/cgroup/skep.slice/first/memory.max)" = 67108864 ]
	outside timeout 20 "$BUILD/probe" client 10.77.1.1 7000 1 10
	on a journalctl -q -b -1 -u skep-containers -o cat >"$BATS_TEST_TMPDIR/end"
	for c in first second never; do grep -qx "CT $c: stopped" "$BATS_TEST_TMPDIR/end"; done
	on a skepctl destroy amiss
	on a systemctl restart skep-autostart
	[ "$(on a systemctl is-system-running)" = running ]
	[ "$(status a second)" = running ] # the unit's own end ends no container
	on a sh -c 'rm -rf /var/log/journal; systemctl restart systemd-journald'
}
told() {
	[ "$(on a systemctl is-active skep-autostart)" = failed ]
	on a systemctl --failed --plain --no-legend | grep -q '^skep-autostart.service '
	on a systemctl status skep-autostart | grep 'amiss' | grep -q /gone
}

# Four at the same time, each in the middle of something when it happens.
@test "power cut during create, set, suspend and the import of a template: all can be read, nothing is half-made" {
	on a skepctl create kept --template probe --network none --memory 64M --description zero
	before=$(on a ls -A /var/lib/skep/templates)
	on a sh -c 'rm -rf /root/p && cp -a /var/lib/skep/templates/probe/rootfs /root/p' # /tmp is memory
	on a skepctl create shot --template probe --network none --init '/probe touch 8' --start
	(on a sh -c 'i=0; while :; do i=$((i + 1)); skepctl create "n$i" --template probe --network none; skepctl set kept --description "$i"
		[ $((i % 3)) = 0 ] && skepctl destroy "n$i"; done' >"$BATS_TEST_TMPDIR/loop" 2>&1 3>&-) &
	(on a sh -c 'while skepctl suspend shot && skepctl resume shot; do :; done' >"$BATS_TEST_TMPDIR/shots" 2>&1 3>&-) &
	(on a sh -c 'i=0; while i=$((i + 1)); skepctl template import "t$i" /root/p; do :; done' >"$BATS_TEST_TMPDIR/templates" 2>&1 3>&-) &
	wait_for 60 grep -q 'n7: created' "$BATS_TEST_TMPDIR/loop"
	wait_for 60 grep -q 't3: made' "$BATS_TEST_TMPDIR/templates"
	wait_for 60 grep -q 'resumed' "$BATS_TEST_TMPDIR/shots"
	on a sh -c 'echo 1 >/root/flushed; sync /root/flushed'
	hosts_restart a
	# It was one, and the disk kept what it had promised.
	on a sh -c 'cat /run/initramfs/fsck.log; dmesg' | grep -E 'vda.*(recovering journal|recovery complete)'
	on a test -s /root/flushed
	sound a
	[ "$(status a kept)" = stopped ]
	on a skepctl info kept --json | jq -e '[.. | .description? // empty][0] | tonumber >= 5'
	on a skepctl start kept
	[ "$(on a cat /sys/fs/cgroup/skep.slice/kept/memory.max)" = 67108864 ]
	echo "shot is $(status a shot)"
	case $(status a shot) in
	suspended) on a skepctl resume shot ;;
	stopped) on a skepctl start shot ;;
	*) false ;;
	esac
	[ "$(status a shot)" = running ]
	# Each template that is listed is whole; one that was on its way can be made.
	on a sh -ec 'for t in $(skepctl template list -H | grep -o "^t[0-9]*"); do
			skepctl create "of-$t" --template "$t" --network none --start && skepctl exec "of-$t" -- /probe true
			skepctl destroy --force "of-$t" && skepctl template remove "$t"; done >/dev/null
		for i in $(seq 20); do skepctl template import "t$i" /root/p && skepctl template remove "t$i"; done >/dev/null
		rm -r /root/flushed /root/p'
	[ "$(on a ls -A /var/lib/skep/templates)" = "$before" ]
}

@test "power cut of the target, then of the source, in the middle of a migration: at most one copy, nothing lost" {
	local host
	for host in b a; do
		on a skepctl create m --template probe --bridge br0 --ip 10.77.1.1/16 --init '/probe counter 7000' --start
		on a sh -c 'cd /var/lib/skep/ct/m/upper && head -c 40M /dev/urandom >big && chown --reference=. big'
		# It takes 16 s over the files: both hosts are in the middle of that pass, and know it by their bounds (protocol.h).
		(on a skepctl migrate m b --bwlimit 20mbit --progress json >"$BATS_TEST_TMPDIR/moved" 2>&1 3>&-) &
		wait_for 30 grep -q '"rootfs"' "$BATS_TEST_TMPDIR/moved"
		hosts_restart $host
		sound a
		sound b
		one_copy
		echo "after the end of $host: $(status a m) at a, $(status b m) at b"
		# The source may still wait for an answer.
		wait_for 90 settled
		# A target does not learn that its source has no power: nothing comes. It gives up by itself (CR_SENDING_MS), and lets go of what it had. Of one that lost power itself
		# something may be left, for its operator or the next migration.
		if [ $host = a ]; then wait_for 90 on b test ! -e /var/lib/skep/ct/m; else on b skepctl migrate --abort m || true; fi
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
