# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2016 # the other side expands it
# What goes live from machine to machine and back, over real ssh, ROUNDS times, under clients outside both that must not notice: see
# tests/lib/rounds.bash. RSH=wire: over bare TCP, as ssh's cipher is translated code here and takes 10 s for 100 MB.

load hosts
load ../lib/rounds

# A megabyte is a long way here, where ssh is translated code: all 180 are for whoever asks for rounds (make soak), and natively.
MB=${ROUNDS:+180} MB=${MB:-24} ROUNDS=${ROUNDS:-1}

setup() {
	local host
	rounds_begin "$BATS_TEST_TMPDIR" m a b
	[ "${RSH:-ssh}" = ssh ] || for host in a b; do
		on $host sh -c '/build/wire serve "$1" 7001 </dev/null >/run/wire.log 2>&1 & echo $! >/run/wire.pid' - "${HOSTS_ADDRESS[$host]}"
		wait_for 30 on $host grep -q ready /run/wire.log
	done
}
teardown() {
	local pid host
	[ "${RSH:-ssh}" = ssh ] || for host in a b; do on $host sh -c 'kill "$(cat /run/wire.pid)"'; done
	for pid in "${spawned[@]}"; do stop_spawned "$pid" || true; done
	empty a b
}

spawned=()
client() { # exec: SPAWNED is the program itself
	local out=$1
	shift
	(exec nsenter --net="/proc/$(cat "$HOSTS_DIR/wire.pid")/ns/net" -- "$@" </dev/null >"$out" 2>&1 3>&-) &
	SPAWNED=$!
	spawned+=("$SPAWNED")
}
stop_spawned() {
	kill "$1" 2>/dev/null || true
	wait "$1"
}
migrate() {
	found_behind "$1"
	if [ "${RSH:-ssh}" = ssh ]; then on "$1" skepctl migrate "$ROUNDS_CT" "$2" "${@:3}"
	else on "$1" skepctl migrate "$ROUNDS_CT" "${HOSTS_ADDRESS[$2]}" --rsh '/build/wire call 7001' "${@:3}"; fi
}
# found_behind HOST: the container's MAC stays what it was, and the wire has learned behind which port it is.
mac=''
found_behind() {
	local port
	mac=${mac:-$(seen_mac)}
	port=$(outside bridge fdb show br wire | awk -v m="$mac" '$1 == m && /master/ { print $3; exit }')
	[ "$(seen_mac) $port" = "$mac tap-$1" ] || { echo "the wire has $(seen_mac) behind $port, not $mac behind tap-$1"; return 1; }
}
seen_mac() { outside ip neigh show "$ROUNDS_ADDRESS" | sed -n 's/.*lladdr \([^ ]*\).*/\1/p'; }

# The others are the work of minutes more.
not_by_default() { [ "$ROUNDS" -gt 1 ] || only_if_all; }
counter() {
	template_probe a
	template_probe b
	rounds_counter "$1" "$MB"
	found_behind a
}
@test "precopy: memory under a writer, and a client that counts" { counter precopy; }
@test "content: memory under a writer, and a client that counts" { not_by_default && counter content; }
@test "postcopy: memory under a writer, and a client that counts" { counter postcopy; }
@test "hybrid: memory under a writer, and a client that counts" { not_by_default && counter hybrid; }
@test "suspend: memory under a writer, and a client that counts" { not_by_default && counter suspend; }

@test "Debian 12: sessions, connections and units live through round trips" { not_by_default && rounds_debian login12 12; }
@test "Debian 13: sessions, connections and units live through round trips" { rounds_debian login13 13; }
