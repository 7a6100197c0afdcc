# SPDX-License-Identifier: GPL-2.0-only
# The target's record is on disk before the container's files are: a host that goes down in between must not cost the source's copy.

load ../lib/skep
load ../lib/move

setup() {
	move_setup probe
	rsh=$(host_rsh) c=$(ct_name)
	on A skepctl -q create "$c" --template probe --bridge br0 --ip 10.77.1.1/16 --init "/probe idle" --start
	on A env SKEP_FAULT=receive.commit:kill skepctl migrate "$c" B --mode restart --rsh "$rsh" || [ $? = 121 ]
	is_on A migrating
	record=$(echo "$SKEP_DIR"/B/lib/taken/*)
	jq -e '.flushed == false' "$record"
}
teardown() { skep_teardown; }

# As the next run of that host finds it.
reboot_target() {
	jq '.boot = "00000000-0000-4000-8000-000000000000"' "$record" >"$SKEP_DIR/record"
	cp "$SKEP_DIR/record" "$record"
}

@test "continue flushes what the target has, and only then deletes" {
	on A skepctl migrate "$c" --continue --rsh "$rsh"
	is_on B running
	is_on A ''
}

@test "the target went down before its files were on disk: nothing is deleted, and the operator chooses the source's" {
	reboot_target
	fails_with 121 'went down before all of it was on its disk' on A skepctl migrate "$c" --continue --rsh "$rsh"
	is_on A migrating
	on B skepctl destroy --force "$c"
	on A skepctl migrate "$c" --abort --rsh "$rsh"
	is_on A running
	is_on B ''
}

@test "one that was flushed before the target went down is the target's" {
	jq '.flushed = true' "$record" >"$SKEP_DIR/record"
	cp "$SKEP_DIR/record" "$record"
	reboot_target
	on A skepctl migrate "$c" --continue --rsh "$rsh"
	is_on B running
	is_on A ''
}
