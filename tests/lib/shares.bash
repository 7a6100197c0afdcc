# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# How containers share a processor. Behind lib/skep.
#
#   share_is_under MOST HOST NAME SECONDS   whether a hog in it gets no more than that of one processor; SHARE is what it got
#   shares_are LEAST MOST HOST ONE THREE    whether THREE gets from LEAST to MOST times what ONE gets of the processor that both want; RATIO is what it got

# A machine that stands still has its time counted for whom it stands still under, so that a hog may seem to have more than its quota: the least of five counts. What is
# held back by nothing has more each time.
share_is_under() {
	local _
	for _ in 1 2 3 4 5; do
		SHARE=$(on "$2" skepctl exec "$3" -- /probe hog-cpu "$4" | awk -F'[= ]' '{ print $2 / $4 }')
		echo "a hog in $3 got $SHARE"
		share_between 0 "$1" "$SHARE" && return
	done
	return 1
}
share_between() { awk "BEGIN { exit !($3 >= $1 && $3 <= $2) }"; }

# From where both want it on, as before one has it for itself, and for as long as it takes, at the least 0.8 s of the one that has got less: what one was given too much, while
# the machine stood still under it say, the other gets back, and the longer it goes on the less of it is seen.
shares_are() {
	local x rc=0 hogs=()
	shares_used "$3" "$4" "$5" >"$SKEP_DIR/shares"
	for x in "$4" "$5"; do
		spawn "$3" /dev/null skepctl exec "$x" -- /probe hog-cpu 400
		hogs+=("$SPAWNED")
	done
	wait_for 60 shares_both 50000 "${@:3}" || rc=1
	shares_used "$3" "$4" "$5" >"$SKEP_DIR/shares"
	[ $rc != 0 ] || wait_for 120 shares_within "$@" || rc=1
	for x in "${hogs[@]}"; do stop_spawned "$x" || true; done
	RATIO=$(shares_ratio)
	echo "ratio $RATIO"
	return $rc
}
# Both in one look: what one gets between two looks would be counted.
shares_used() { on "$1" skepctl stat --json "$2" "$3" | jq '.containers[].cpu_usage'; }
shares_look() { shares_used "$@" | paste "$SKEP_DIR/shares" - >"$SKEP_DIR/shares.now"; }
shares_both() { # LEAST HOST ONE THREE: of each
	shares_look "${@:2}"
	awk -v least="$1" '$2 - $1 < least { exit 1 }' "$SKEP_DIR/shares.now"
}
shares_ratio() { awk '{ d[NR] = $2 - $1 } END { print d[1] ? d[2] / d[1] : 0 }' "$SKEP_DIR/shares.now"; }
shares_within() { shares_both 800000 "${@:3}" && share_between "$1" "$2" "$(shares_ratio)"; }
