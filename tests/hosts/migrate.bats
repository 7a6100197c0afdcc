# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2016 # the other side expands it
# Migration between two machines with kernels of their own, over real ssh: by a stop and a start. Live ones are in rounds.bats.

load hosts

teardown() { empty a b; }

runs_only_on() { # HOST NAME
	local other=a
	[ "$1" != a ] || other=b
	[ "$(on "$1" skepctl list -H -o status "$2")" = running ] && ! on $other skepctl list -H -o name | grep -qx "$2"
}
# A kernel has soft-dirty or has it not, and the machine that the tests run on may lack it.
@test "soft-dirty: the unit tests of the tracker, and a precopy that must use it" {
	on a sh -c 'for t in track track_life track_softdirty; do LD_LIBRARY_PATH=/build/lib /build/unit/checkpoint/${t}_test || exit; done' \
		>"$BATS_TEST_TMPDIR/out" 2>&1 || { cat "$BATS_TEST_TMPDIR/out" && false; }
	grep -q 'OK.* churned soft-dirty' "$BATS_TEST_TMPDIR/out"
	if grep SKIPPED "$BATS_TEST_TMPDIR/out"; then false; fi
	template_probe a
	template_probe b
	on a skepctl create m --template probe --bridge br0 --ip 10.77.1.1/16 --init '/probe counter 7000 16 1' --memory 64M --start
	on a env SKEP_TRACK=soft-dirty skepctl migrate m b --mode precopy --json >"$BATS_TEST_TMPDIR/account"
	[ "$(jq -r '.mode + " " + .tracker' "$BATS_TEST_TMPDIR/account")" = 'precopy soft-dirty' ]
	runs_only_on b m
	wait_for 30 outside timeout 60 "$BUILD/probe" client 10.77.1.1 7000 1 10
}

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
		wait_for 30 outside timeout 60 "$BUILD/probe" client 10.77.1.1 7000 1 10
	done
}
