# SPDX-License-Identifier: GPL-2.0-only
# Limits as the container feels them, at its start and changed while it runs.
# alone: what each gets of a processor is measured

load ../lib/skep

setup() {
	skep_setup
	template_probe here
	c=$(ct_name)
}
teardown() { skep_teardown; }

value() { sed -n "s/.*\b$1=\([0-9.]*\).*/\1/p"; }
between() { awk "BEGIN { exit !($1 >= $2 && $1 <= $3) }"; }
first_cpu() { taskset -cp $$ | sed 's/.*: *\([0-9]*\).*/\1/'; }
# share NAME SECONDS: the CPU that a hog in it gets
share() { skepctl exec "$1" -- /probe hog-cpu "$2" | awk -F'[= ]' '{ print $2 / $4 }'; }

@test "memory: a hog dies inside, the container goes on; a live limit counts at once" {
	skepctl create "$c" --template probe --network none --memory 64M --swap 0 --start
	fails_with 137 "" skepctl exec "$c" -- /probe hog-mem 256
	skepctl exec "$c" -- /probe hog-mem 32
	skepctl set "$c" --memory 400M
	skepctl exec "$c" -- /probe hog-mem 256
	skepctl set "$c" --memory 64M
	fails_with 137 "" skepctl exec "$c" -- /probe hog-mem 256
	skepctl restart "$c"
	fails_with 137 "" skepctl exec "$c" -- /probe hog-mem 256
}

@test "memory: the hog's failures are counted" {
	skepctl create "$c" --template probe --network none --memory 64M --swap 0 --start
	fails_with 137 "" skepctl exec "$c" -- /probe hog-mem 256
	skepctl stat --json "$c"
	skepctl stat --json "$c" | jq -e '[.. | objects | to_entries[] | select(.key | test("oom")) | .value | numbers] | max >= 1'
}

# How often its quota has held it back.
throttled() { skepctl stat --json "$1" | jq '.containers[0].cpu_throttled'; }

# What a hog gets at least depends on what else this machine does; what it gets at most, and what holds it back, does not.
@test "cpus: the quota holds, and changes while it runs" {
	skepctl create "$c" --template probe --network none --cpus 0.3 --start
	between "$(share "$c" 3)" 0 0.36
	before=$(throttled "$c")
	skepctl set "$c" --cpus 0.1
	between "$(share "$c" 3)" 0 0.14
	[ "$(throttled "$c")" -gt "$before" ]
	before=$(throttled "$c")
	skepctl set "$c" --cpus unlimited
	share "$c" 2
	[ "$(throttled "$c")" = "$before" ]
}

@test "cpuweight: 100 and 300 on one CPU share it 1:3 within 10 %, live 3:1" {
	d=$(ct_name) cpu=$(first_cpu)
	skepctl create "$c" --template probe --network none --cpuset "$cpu" --cpuweight 100 --start
	skepctl create "$d" --template probe --network none --cpuset "$cpu" --cpuweight 300 --start
	both "$c" "$d"
	between "$ratio" 2.7 3.3
	skepctl set "$c" --cpuweight 300
	skepctl set "$d" --cpuweight 100
	both "$d" "$c"
	between "$ratio" 2.7 3.3
}
# both ONE THREE: sets ratio, of what THREE got to what ONE got of 4 seconds of the CPU that both wanted. Before both do, one has it for itself.
both() {
	local x hogs=()
	used "$1" "$2" >"$SKEP_DIR/before"
	for x in "$1" "$2"; do
		spawn here /dev/null skepctl exec "$x" -- /probe hog-cpu 100
		hogs+=("$SPAWNED")
	done
	wait_for 30 both_used 50000 "$@"
	used "$1" "$2" >"$SKEP_DIR/before"
	wait_for 60 both_used 800000 "$@"
	ratio=$(used "$1" "$2" | paste "$SKEP_DIR/before" - | awk '{ d[NR] = $2 - $1 } END { print d[2] / d[1] }')
	echo "ratio $ratio"
	for x in "${hogs[@]}"; do stop_spawned "$x" || true; done
}
# Both in one look: what one gets between two looks would be counted.
used() { skepctl stat --json "$@" | jq '.containers[].cpu_usage'; }
both_used() { # LEAST NAME NAME: of each
	used "$2" "$3" | paste "$SKEP_DIR/before" - | awk -v least="$1" '$2 - $1 < least { exit 1 }'
}

@test "pids: no more processes than allowed, and the host does not feel it" {
	skepctl create "$c" --template probe --network none --pids 20 --start
	made=$(skepctl exec "$c" -- /probe fork 200)
	[ "$made" -lt 20 ] && [ "$made" -gt 5 ]
	skepctl set "$c" --pids 60
	made=$(skepctl exec "$c" -- /probe fork 200)
	[ "$made" -lt 60 ] && [ "$made" -gt 40 ]
	skepctl exec "$c" -- /probe true
}

@test "OpenVZ's words mean the same" {
	skepctl create "$c" --ostemplate probe --network none --cpuunits 2000 --cpulimit 50 --ram 64M --swap 0 --numproc 30 --start
	skepctl list --json "$c" -o weight,cpus,memory,pids | tee "$SKEP_DIR/list"
	jq -e '.containers[0] | .weight == 200 and .cpus == 0.5 and .memory == 67108864 and .pids == 30' "$SKEP_DIR/list"
	fails_with 137 "" skepctl exec "$c" -- /probe hog-mem 256
}

# bats test_tags=host
@test "disk: full for the container at its size, not for the host" {
	template_busybox here
	skepctl create "$c" --template busybox --network none --disk 64M --start
	run skepctl exec "$c" -- dd if=/dev/zero of=/fill bs=1M count=200
	[ "$status" != 0 ]
	[[ $output == *'No space left'* ]]
	size=$(skepctl exec "$c" -- stat -c %s /fill)
	((size > 20 << 20 && size <= 64 << 20))
	skepctl exec "$c" -- rm /fill
	skepctl stop "$c"
	skepctl set "$c" --disk 160M
	skepctl start "$c"
	skepctl exec "$c" -- dd if=/dev/zero of=/fill bs=1M count=100
}

# bats test_tags=host
@test "devices: only the harmless ones" {
	template_busybox here
	skepctl create "$c" --template busybox --network none --start
	skepctl exec "$c" -- sh -c 'echo x >/dev/null && head -c 8 /dev/urandom >/dev/null && head -c 1 /dev/zero >/dev/null'
	run skepctl exec "$c" -- sh -c 'mknod /tmp/sda b 8 0 && head -c 1 /tmp/sda'
	[ "$status" != 0 ]
	run skepctl exec "$c" -- sh -c 'mknod /tmp/kmsg c 1 11 && head -c 1 /tmp/kmsg'
	[ "$status" != 0 ]
}

# bats test_tags=host
@test "a limit that cannot be is refused, and nothing of the change stays" {
	skepctl create "$c" --template probe --network none --memory 64M --pids 30 --start
	fails_with 21 "cpuset" skepctl set "$c" --cpuset 9999 || fails_with 6 "cpuset" skepctl set "$c" --cpuset 9999
	run skepctl set "$c" --pids 50 --memory nonsense
	[ "$status" = 21 ]
	[ "$(skepctl list --json "$c" -o pids | jq '.containers[0].pids')" = 30 ]
	made=$(skepctl exec "$c" -- /probe fork 200)
	[ "$made" -lt 30 ]
}
