# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2016 # the other side expands it
# The planted tables of tests/native/preflight.bats (those with the tag "planted"; HOSTS=all: "planted_all", too) inside the hosts: another kernel, and another criu, refuse the same things for the same reasons, and take the others along.

load hosts

setup() { cd "$BATS_TEST_DIRNAME/../.." || return; }
teardown() { empty a b; }

# Both hosts work at the same time: each takes the next test when it has done one.
work() { # HOST TEST...
	local host=$1 n=0 name rc=0
	shift
	for name; do
		n=$((n + 1))
		mkdir "$BATS_TEST_TMPDIR/taken.$n" 2>/dev/null || continue
		on "$host" sh -c 'cd /src && BUILD=/build PATH=/build:$PATH bats --tap -T --filter "^$1\$" tests/native/preflight.bats' - "$name" || rc=1
	done
	return $rc
}
@test "what is planted is named, and refused by the criu that is here; all else is taken along" {
	local host tag tests rc=0
	declare -A pid
	tag=planted
	[ "${HOSTS:-}" != all ] || tag='planted\(_all\)*'
	mapfile -t tests < <(sed -n '/^# bats test_tags='"$tag"'$/ { n; s/^@test "\(.*\)" {$/\1/p }' tests/native/preflight.bats)
	[ "${#tests[@]}" -gt 1 ]
	for host in a b; do
		on $host criu --version | sed "s/^/#: $host: criu /; q" >&3
		work $host "${tests[@]}" </dev/null >"$BATS_TEST_TMPDIR/$host" 2>&1 3>&- &
		pid[$host]=$!
	done
	for host in a b; do wait "${pid[$host]}" || rc=1; done
	cat "$BATS_TEST_TMPDIR"/[ab]
	[ $rc = 0 ]
	[ "$(cat "$BATS_TEST_TMPDIR"/[ab] | grep -c '^ok')" = "${#tests[@]}" ]
	if grep '# skip' "$BATS_TEST_TMPDIR"/[ab]; then false; fi
}
