# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2016,SC2086 # the other side expands it; tags are words
# The tests of tests/native that carry the tag "host", inside the hosts: the same tests with cgroup v2 alone and on a hybrid host. With HOSTS=all those with the tag "host_all", too.
# 20 are many where code is translated.

load hosts

tags='host'
[ "${HOSTS:-}" != all ] || tags='host host_all'
tagged="^# bats test_tags=(${tags// /|})\$"
setup() { cd "$BATS_TEST_DIRNAME/../.." || return; }

# Both hosts work at the same time: each takes the next file when it has done one. Those that take long come first.
work() { # HOST FILE...
	local host=$1 file rc=0
	shift
	for file; do
		mkdir "$BATS_TEST_TMPDIR/taken-${file##*/}" 2>/dev/null || continue
		on "$host" sh -c 'cd /src && MANY=20 BUILD=/build PATH=/build:$PATH bats --tap -T $2 "$1"' - "$file" "$(printf -- '--filter-tags %s ' $tags)" || rc=1
	done
	return $rc
}
@test "the native tests with the tag host" {
	local file host all=() rc=0
	declare -A pid
	for file in suspend lifecycle cve_kernel oci_life net limits; do all+=("tests/native/$file.bats"); done
	for file in tests/native/*.bats; do
		[[ " ${all[*]} " == *" $file "* ]] || ! grep -qE "$tagged" "$file" || all+=("$file")
	done
	for host in a b; do
		work $host "${all[@]}" </dev/null >"$BATS_TEST_TMPDIR/$host" 2>&1 3>&- &
		pid[$host]=$!
	done
	for host in a b; do wait "${pid[$host]}" || rc=1; done
	cat "$BATS_TEST_TMPDIR"/[ab]
	[ $rc = 0 ]
	[ "$(cat "$BATS_TEST_TMPDIR"/[ab] | grep -c '^ok')" = "$(grep -cE "$tagged" "${all[@]}" | awk -F: '{ n += $NF } END { print n }')" ]
	if grep '# skip' "$BATS_TEST_TMPDIR"/[ab]; then false; fi
}
