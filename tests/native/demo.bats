# SPDX-License-Identifier: GPL-2.0-only
# `make demo` does what it shows, on a machine that others use too, and says so when it does not.
# alone: it compares the host before and after

load ../lib/skep

setup() { skep_setup; }
teardown() { skep_teardown; }

demo() {
	# The demo makes and compares a host of its own; what bats and the runner export is not its business.
	env -u SKEP_DIR -u LEAKS "$@" tests/demo/run
}

@test "the demo shows each of its stages, and a table of their times" {
	local stage
	run --separate-stderr demo LEAKS="${LEAKS:-}"
	# shellcheck disable=SC2154 # bats sets it
	echo "$output" "$stderr"
	[ "$status" = 0 ]
	for stage in create exec 'memory limit' 'CPU quota' 'CPU weights' suspend resume 'migrate A -> B' 'migrate B -> A' destroy total; do
		grep -qE "^$stage.* [0-9.]+ s" <<<"$output" || { echo "no time of: $stage"; return 1; }
	done
	[ "$(grep -c 'numbers, none lost' <<<"$output")" = 4 ]
}

@test "a demo whose suspend fails says so, exits with its code, and leaves nothing" {
	mkdir "$SKEP_DIR/build"
	ln -s "$BUILD"/* "$SKEP_DIR/build"
	rm "$SKEP_DIR/build/skepctl"
	printf '#!/bin/bash\n[[ " $* " != *" suspend "* ]] || { echo planted >&2; exit 7; }\nexec %q "$@"\n' "$BUILD/skepctl" >"$SKEP_DIR/build/skepctl"
	chmod 755 "$SKEP_DIR/build/skepctl"
	snapshot_host >"$SKEP_DIR/before"
	run --separate-stderr demo LEAKS="${LEAKS:-}" BUILD="$SKEP_DIR/build"
	echo "$output" "$stderr"
	[ "$status" = 7 ]
	[[ $stderr == *planted*'FAILED in stage "suspend"'* ]]
	[ -n "${LEAKS:-}" ] || assert_no_leak "$SKEP_DIR/before" 30
}
