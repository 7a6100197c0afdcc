# SPDX-License-Identifier: GPL-2.0-only
# An end needs nothing but what the start has noted.

load ../lib/skep

setup() {
	skep_setup
	template_probe here
}
teardown() { skep_teardown; }

@test "a damaged definition keeps nobody from stopping what runs" {
	c=$(ct_name)
	skepctl create "$c" --template probe --ip auto
	file=$SKEP_DIR/here/lib/ct/$c/definition.json
	cp "$file" "$SKEP_DIR/definition"
	for how in '' --kill; do
		skepctl start "$c"
		pid=$(skepctl list -H -o pid "$c")
		echo '{"version' >"$file"
		fails_with 85 definition.json skepctl restart "$c"
		# shellcheck disable=SC2086 # one word or none
		skepctl stop $how "$c"
		[ ! -e "/proc/$pid" ]
		fails_with 31 "not running" skepctl stop "$c"
		cp "$SKEP_DIR/definition" "$file"
		[ "$(skepctl list -H -o status "$c")" = stopped ]
	done
	[ -z "$(find /sys/fs/cgroup -name "*$c")" ]
}
