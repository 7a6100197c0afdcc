# SPDX-License-Identifier: GPL-2.0-only
# A failure or a SIGKILL at each step of an OCI container's life: one line that names the step, and nothing that delete --force leaves.

bats_require_minimum_version 1.5.0
load ../lib/oci

setup() {
	oci_setup
	bundle '.process.args = ["true"]'
	with_userns
	mapfile -t POINTS < <(sed -n '/fault_list\[\]/,/NULL/p' "$REPO/base/fault.c" | grep -oE '"(start|init|delete|stop)\.[a-z]+"' | tr -d '"')
	[ ${#POINTS[@]} -gt 20 ]
}
teardown() { oci_teardown; }

# What a system container's start has and this one's has not.
passes() { [[ $1 == start.@(bridge|link|monitor) || $1 == stop.signal ]]; }

@test "run fails at a step: it says which, and the container can be deleted" {
	local point
	for point in "${POINTS[@]}"; do
		echo "$point"
		if passes "$point"; then
			SKEP_FAULT=$point oci run --bundle "$BUNDLE" "$ID"
			continue
		fi
		SKEP_FAULT=$point fails_with 1 "injected failure at $point" oci run --bundle "$BUNDLE" "$ID"
		# Only what ends a container leaves one behind, when it is itself what fails.
		[[ $point == @(stop|delete).* ]] || oci_gone "$ID"
		oci delete --force "$ID"
		oci_gone "$ID"
	done
}

@test "run, or its init, is killed at a step: delete --force cleans, the name is free" {
	local point rc
	for point in "${POINTS[@]}"; do
		echo "$point"
		rc=0
		SKEP_FAULT=$point:kill timeout 30 "$SKEP_DIR/here/bin/skep" run --bundle "$BUNDLE" "$ID" >/dev/null 2>&1 3>&- || rc=$?
		case $point in
		init.*) [ $rc = 1 ] && oci_gone "$ID" ;; # its host side lives, says so, and cleans
		*) [ $rc = 137 ] || passes "$point" ;;
		esac
		oci list >/dev/null
		oci delete --force "$ID"
		oci_gone "$ID"
	done
	oci run --bundle "$BUNDLE" "$ID"
}
