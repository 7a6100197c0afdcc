# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2016 # the other side expands it
# The power of a host fails while it works with the other one. What it does alone is in boot.bats.

load hosts

setup() {
	template_probe a
	template_probe b
}
teardown() { empty a b; }

@test "power cut of the target, then of the source, in the middle of a migration: at most one copy, nothing lost" {
	local host
	for host in b a; do
		on a skepctl create m --template probe --bridge br0 --ip 10.77.1.1/16 --init '/probe counter 7000' --start
		on a sh -c 'cd /var/lib/skep/ct/m/upper && head -c 40M /dev/urandom >big && chown --reference=. big && sync big' # ext4 keeps of what nobody has flushed the name alone
		# It takes 16 s over the files: both hosts are in the middle of that pass, and know it by their bounds (protocol.h).
		(on a skepctl migrate m b --bwlimit 20mbit --progress json >"$BATS_TEST_TMPDIR/moved" 2>&1 3>&-) &
		wait_for 30 grep -q '"rootfs"' "$BATS_TEST_TMPDIR/moved"
		hosts_restart $host
		sound a
		sound b
		one_copy
		echo "after the end of $host: $(ct_status a m) at a, $(ct_status b m) at b"
		# The source may still wait for an answer.
		wait_for 200 settled
		# A target does not learn that its source has no power: nothing comes. It gives up by itself (CR_SENDING_MS), and lets go of what it had. Of one that lost power itself
		# something may be left, for its operator or the next migration.
		if [ $host = a ]; then wait_for 200 on b test ! -e /var/lib/skep/ct/m; else on b skepctl migrate --abort m || true; fi
		on a skepctl start m || true
		[ "$(ct_status a m)" = running ] && [ -z "$(ct_status b m)" ]
		on a test -s /var/lib/skep/ct/m/upper/big
		on a skepctl destroy --force m
	done
}
settled() { on a skepctl migrate --abort m || [[ $(ct_status a m) == running || $(ct_status a m) == stopped ]]; }
one_copy() { # not both run
	[ "$(ct_status a m) $(ct_status b m)" != 'running running' ] && [ -n "$(ct_status a m)$(ct_status b m)" ]
}
