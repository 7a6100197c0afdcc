# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2016 # the other side expands it
# A host starts again, in order or because its power failed.
# host: $HERE

load hosts

setup() {
	template_probe "$HERE"
}
teardown() { empty "$HERE"; }

@test "reboot: those with autostart come back in their order, the others do not; one that fails is told, and takes nothing from the others" {
	on "$HERE" sh -c 'mkdir -p /var/log/journal && journalctl --flush' # what was said before the reboot is still there
	on "$HERE" skepctl create second --template probe --network none --autostart yes --order 2
	on "$HERE" skepctl create first --template probe --bridge br0 --ip 10.77.1.1/16 --autostart yes --order 1 --memory 64M --init '/probe counter 7000'
	on "$HERE" skepctl create never --template probe --network none --start
	on "$HERE" skepctl create amiss --template probe --network none --autostart yes --order 0 --init /gone
	run on "$HERE" systemctl restart skep-autostart
	[ "$status" != 0 ]
	told
	hosts_restart "$HERE" systemctl reboot
	[ "$(ct_status "$HERE" first)" = running ]
	[ "$(ct_status "$HERE" second)" = running ]
	[ "$(ct_status "$HERE" never)" = stopped ]
	told
	on "$HERE" sh -c 'age() { cut -d" " -f22 "/proc/$(skepctl list -H -o pid "$1")/stat"; }; [ "$(age first)" -lt "$(age second)" ]'
	[ "$(on "$HERE" cat /sys/fs/cgroup/skep.slice/first/memory.max)" = 67108864 ]
	wait_for 30 outside timeout 60 "$BUILD/probe" client 10.77.1.1 7000 1 10
	on "$HERE" journalctl -q -b -1 -u skep-containers -o cat >"$BATS_TEST_TMPDIR/end"
	for c in first second never; do grep -qx "CT $c: stopped" "$BATS_TEST_TMPDIR/end"; done
	on "$HERE" skepctl destroy amiss
	on "$HERE" systemctl restart skep-autostart
	[ "$(on "$HERE" systemctl is-system-running)" = running ]
	[ "$(ct_status "$HERE" second)" = running ] # the unit's own end ends no container
	on "$HERE" sh -c 'rm -rf /var/log/journal; systemctl restart systemd-journald'
}
told() {
	[ "$(on "$HERE" systemctl is-active skep-autostart)" = failed ]
	on "$HERE" systemctl --failed --plain --no-legend | grep -q '^skep-autostart.service '
	on "$HERE" systemctl status skep-autostart | grep 'amiss' | grep -q /gone
}

# Four at the same time, each in the middle of something when it happens.
@test "power cut during create, set, suspend and the import of a template: all can be read, nothing is half-made" {
	on "$HERE" skepctl create kept --template probe --network none --memory 64M --description zero
	before=$(on "$HERE" ls -A /var/lib/skep/templates)
	on "$HERE" sh -c 'rm -rf /root/p && cp -a /var/lib/skep/templates/probe/rootfs /root/p' # /tmp is memory
	on "$HERE" skepctl create shot --template probe --network none --init '/probe touch 8' --start
	(on "$HERE" sh -c 'i=0; while :; do i=$((i + 1)); skepctl create "n$i" --template probe --network none; skepctl set kept --description "$i"
		[ $((i % 3)) = 0 ] && skepctl destroy "n$i"; done' >"$BATS_TEST_TMPDIR/loop" 2>&1 3>&-) &
	(on "$HERE" sh -c 'while skepctl suspend shot && skepctl resume shot; do :; done' >"$BATS_TEST_TMPDIR/shots" 2>&1 3>&-) &
	(on "$HERE" sh -c 'i=0; while i=$((i + 1)); skepctl template import "t$i" /root/p; do :; done' >"$BATS_TEST_TMPDIR/templates" 2>&1 3>&-) &
	wait_for 200 grep -q 'n7: created' "$BATS_TEST_TMPDIR/loop"
	wait_for 200 grep -q 't3: made' "$BATS_TEST_TMPDIR/templates"
	wait_for 200 grep -q 'resumed' "$BATS_TEST_TMPDIR/shots"
	on "$HERE" sh -c 'echo 1 >/root/flushed; sync /root/flushed'
	hosts_restart "$HERE"
	# It was one, and the disk kept what it had promised.
	on "$HERE" sh -c 'cat /run/initramfs/fsck.log; dmesg' | grep -E 'vda.*(recovering journal|recovery complete)'
	on "$HERE" test -s /root/flushed
	sound "$HERE"
	[ "$(ct_status "$HERE" kept)" = stopped ]
	on "$HERE" skepctl info kept --json | jq -e '[.. | .description? // empty][0] | tonumber >= 5'
	on "$HERE" skepctl start kept
	[ "$(on "$HERE" cat /sys/fs/cgroup/skep.slice/kept/memory.max)" = 67108864 ]
	echo "shot is $(ct_status "$HERE" shot)"
	case $(ct_status "$HERE" shot) in
	suspended) on "$HERE" skepctl resume shot ;;
	stopped) on "$HERE" skepctl start shot ;;
	*) false ;;
	esac
	[ "$(ct_status "$HERE" shot)" = running ]
	# Each template that is listed is whole; one that was on its way can be made.
	on "$HERE" sh -ec 'for t in $(skepctl template list -H | grep -o "^t[0-9]*"); do
			skepctl create "of-$t" --template "$t" --network none --start && skepctl exec "of-$t" -- /probe true
			skepctl destroy --force "of-$t" && skepctl template remove "$t"; done >/dev/null
		for i in $(seq 20); do skepctl template import "t$i" /root/p && skepctl template remove "t$i"; done >/dev/null
		rm -r /root/flushed /root/p'
	[ "$(on "$HERE" ls -A /var/lib/skep/templates)" = "$before" ]
}
