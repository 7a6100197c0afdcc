# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2016 # the other side expands it
# The tests of tests/native that carry the tag "host", inside one: the same tests with cgroup v2 alone and on a hybrid host.

load hosts

@test "the native tests with the tag host" {
	on a sh -c 'cd /src && BUILD=/build PATH=/build:$PATH bats --tap --filter-tags host tests/native/*.bats' | tee "$BATS_TEST_TMPDIR/out"
	[ "${PIPESTATUS[0]}" = 0 ]
	[ "$(grep -c '^ok' "$BATS_TEST_TMPDIR/out")" -ge 8 ]
	if grep '# skip' "$BATS_TEST_TMPDIR/out"; then false; fi
}
