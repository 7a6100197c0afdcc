# SPDX-License-Identifier: GPL-2.0-only
# What an outside client notices of a migration: nothing that it sent is lost, and it waits no longer than the container was frozen.
# alone: how long clients wait is measured

load ../lib/skep
load ../lib/move

setup() {
	move_setup probe
	rsh=$(host_rsh) c=$(ct_name)
}
teardown() { skep_teardown; }

move() { on "$1" skepctl migrate "$c" "$2" --rsh "$rsh" --json "${@:3}" >"$SKEP_DIR/report"; }
tells() { [ "$(grep -c answers "$SKEP_DIR/gap$1")" = "$2" ]; }
# A line of the client about the time since the last one, in TOLD.
tell() {
	local n
	n=$(grep -c answers "$SKEP_DIR/gap$1") || true
	kill -USR1 "$2"
	wait_for 30 tells "$1" $((n + 1))
	TOLD=$(tail -1 "$SKEP_DIR/gap$1")
}
pinged() { [ "$(grep -c 'bytes from' "$SKEP_DIR/ping")" -ge "$1" ]; }

@test "mode suspend: what clients send meanwhile arrives late, not never" { watched suspend; }
@test "mode postcopy: what clients send meanwhile arrives late, not never" { watched postcopy; }
@test "mode hybrid: what clients send meanwhile arrives late, not never" { watched hybrid; }
@test "mode precopy: what clients send meanwhile arrives late, not never" { watched precopy; }

watched() { # MODE
	local pids=() ping seen from to i frozen
	on A skepctl -q create "$c" --template probe --bridge br0 --ip 10.77.1.1/16 --init "/probe counter 7000" --start
	client_new client
	wait_for 30 in_net client "$PROBE" client 10.77.1.1 7000 0.1 10
	for i in 5 50; do
		spawn client "$SKEP_DIR/gap$i" "$BUILD/gap" 10.77.1.1 7000 $i
		pids+=("$SPAWNED")
		wait_for 30 grep -q ready "$SKEP_DIR/gap$i"
	done
	spawn client "$SKEP_DIR/ping" ping -i 0.02 10.77.1.1
	ping=$SPAWNED
	for from in A B A B; do
		to=B
		[ $from = A ] || to=A
		seen=$(grep -c 'bytes from' "$SKEP_DIR/ping") || true
		wait_for 30 pinged $((seen + 30))
		tell 5 "${pids[0]}"
		tell 50 "${pids[1]}"
		move $from $to --mode "$1"
		seen=$(grep -c 'bytes from' "$SKEP_DIR/ping")
		wait_for 30 pinged $((seen + 30))
		frozen=$(jq '.frozen_ns / 1e6' "$SKEP_DIR/report")
		for i in 0 1; do
			tell $((5 + 45 * i)) "${pids[i]}"
			echo "# frozen $frozen ms, a question every $((5 + 45 * i)) ms: $TOLD" >&3
			jq -e '.lost == 0 and .repeated == 0 and .reconnects == 0 and .answers > 0' <<<"$TOLD"
		done
	done
	for i in "${pids[@]}"; do stop_spawned "$i"; done
	kill -INT "$ping"
	wait "$ping"
	tail -3 "$SKEP_DIR/ping"
	tail -3 "$SKEP_DIR/ping" >&3
	# Each has its answer, up to the last one that came: those behind it may be on their way.
	awk -F'icmp_seq=' '/bytes from/ { n = $2 + 0; if (!seen[n]++) answers++; if (n > last) last = n } END { exit !(last > 0 && answers == last) }' "$SKEP_DIR/ping"
}
