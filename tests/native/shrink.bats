# SPDX-License-Identifier: GPL-2.0-only
# A memory limit that is lowered while it runs: down to what is in use, not below.

load ../lib/skep

setup() {
	# On a disk: in a tmpfs, as Debian 13 has it at /tmp, a file is memory that nobody can reclaim.
	SKEP_DIR=$(mktemp -d /var/tmp/skep-shrink.XXXXXX)
	skep_setup
	template_busybox here
	c=$(ct_name)
	skepctl create "$c" --template busybox --network none --memory 200M --swap 0 --start
}
teardown() {
	local rc=0
	skep_teardown || rc=1
	rm -rf --one-file-system "$SKEP_DIR"
	return $rc
}

limit() { skepctl list --json "$c" -o memory | jq -c '.containers[0].memory'; }

# bats test_tags=host
@test "memory: a limit below what is in use is refused in words, and kills nobody" {
	# shellcheck disable=SC2016 # the container's shell expands it
	spawn here "$SKEP_DIR/said" skepctl exec "$c" -- sh -c 'x=$(dd if=/dev/zero bs=1M count=30 | tr "\0" a); echo $((${#x} >> 20)); sleep 1000; true'
	wait_for 30 grep -qx 30 "$SKEP_DIR/said"
	pid=$(skepctl list -H -o pid "$c") before=$(limit)
	fails_with 6 "would be killed" skepctl set "$c" --memory 8M --pids 77
	[ "$(limit)" = "$before" ]
	[ "$(skepctl list -H -o pid "$c")" = "$pid" ]
	kill -0 "$SPAWNED"
	[ "$(skepctl stat --json "$c" | jq '.containers[0].pids_max')" != 77 ]
	skepctl set "$c" --memory 100M
}

# bats test_tags=host_all
@test "memory: what is only cache goes for a lower limit" {
	skepctl exec "$c" -- sh -c 'dd if=/dev/zero of=/file bs=1M count=80 && sync && cat /file >/dev/null'
	skepctl set "$c" --memory 30M
	skepctl exec "$c" -- true
	[ "$(skepctl stat --json "$c" | jq '.containers[0].mem_current')" -le $((30 << 20)) ]
}
