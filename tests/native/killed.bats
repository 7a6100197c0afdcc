# SPDX-License-Identifier: GPL-2.0-only
# A command killed at any moment leaves nothing that the next destroy does not clean: no cgroup, process, link, mount, rule, file.

bats_require_minimum_version 1.5.0
load ../lib/skep

setup() { skep_setup; }
teardown() { skep_teardown; }

# The commands themselves are killed, not a wrapper of theirs. SEED=N repeats the moments of an earlier run, as far as the machine does.
kill_at_random() {
	template_probe here
	SKEP_CONF=$SKEP_DIR/here/skep.conf KILL_ROOT=$SKEP_DIR/here/lib KILL_STATE=$SKEP_DIR/here/run TURNS=$1 \
		in_net here "$REPO/tests/lib/kill-loop" "$BUILD/skepctl" "$(ct_name)" probe
}

@test "250 commands killed at random moments leave nothing behind a destroy" {
	kill_at_random 250
}

@test "another 250 commands killed at random moments leave nothing behind a destroy" {
	kill_at_random 250
}
