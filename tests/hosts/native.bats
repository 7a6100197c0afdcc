# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2016 # the other side expands it
# The tests of tests/native that carry the tag "host", inside the hosts: the same tests with cgroup v2 alone and on a hybrid host.

load hosts

# A half in each of the two, at the same time: one test keeps one processor busy.
@test "the native tests with the tag host" {
	local file host all=("$BATS_TEST_DIRNAME"/../native/*.bats) rc=0
	declare -A of=([a]='' [b]='') pid
	for file in "${all[@]}"; do
		grep -q '^# bats test_tags=.*host' "$file" || continue
		case ${file##*/} in # by how long they take
		suspend.bats | migrate.bats | limits.bats | net.bats | oci_life.bats) host=a ;;
		*) host=b ;;
		esac
		of[$host]+=" tests/native/${file##*/}"
	done
	for host in a b; do
		# shellcheck disable=SC2086 # several words
		(on $host sh -c 'cd /src && BUILD=/build PATH=/build:$PATH bats --tap -T --filter-tags host "$@"' - ${of[$host]} \
			</dev/null >"$BATS_TEST_TMPDIR/$host" 2>&1 3>&-) &
		pid[$host]=$!
	done
	for host in a b; do wait "${pid[$host]}" || rc=1; done
	cat "$BATS_TEST_TMPDIR"/[ab]
	[ $rc = 0 ]
	[ "$(cat "$BATS_TEST_TMPDIR"/[ab] | grep -c '^ok')" = "$(grep -c '^# bats test_tags=.*host' "${all[@]}" | awk -F: '{ n += $NF } END { print n }')" ]
	if grep '# skip' "$BATS_TEST_TMPDIR"/[ab]; then false; fi
}
