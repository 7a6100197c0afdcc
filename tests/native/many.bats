# SPDX-License-Identifier: GPL-2.0-only
# Many containers at once.

load ../lib/skep

setup() { skep_setup; }
teardown() { skep_teardown; }

COUNT=${MANY:-50}

# each CMD... {}: for all, ten at a time; fails if one does.
each() {
	local words=("${@//'{}'/n\{\}}")
	seq "$COUNT" | xargs -P 10 -I '{}' nsenter --net="$(host_net here)" -- env PATH="$SKEP_DIR/here/bin:$PATH" "${words[@]}"
}

# bats test_tags=host_all
@test "many at once: created, started, listed, pinged, stopped, destroyed" {
	host_new A
	client_new client
	template_probe here
	# The pool of the bridge skep0; the host itself is their gateway and pings them.
	each skepctl -q create '{}' --template probe --memory 32M --pids 10
	each skepctl -q start '{}'
	[ "$(skepctl list -H -o status | sort | uniq -c | tr -s ' ')" = " $COUNT running" ]
	skepctl list --json -o name,ip,status >"$SKEP_DIR/list"
	jq -r '.containers[].ip' "$SKEP_DIR/list" | sed 's/[, ].*//; s,/.*,,' | sort -u >"$SKEP_DIR/addresses"
	[ "$(wc -l <"$SKEP_DIR/addresses")" = "$COUNT" ]
	while read -r address; do in_net here ping -c 1 -W 30 "$address" >/dev/null; done <"$SKEP_DIR/addresses"
	each skepctl -q exec '{}' -- /probe true
	each skepctl -q stop '{}'
	[ "$(skepctl list -H -o status | sort | uniq -c | tr -s ' ')" = " $COUNT stopped" ]
	each skepctl -q destroy '{}'
	[ -z "$(skepctl list -H)" ]
	[ -z "$(ls -A "$SKEP_DIR/here/lib/ct")" ]
}
