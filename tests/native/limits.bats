# SPDX-License-Identifier: GPL-2.0-only
# Limits as the container feels them, at its start and changed while it runs.
# alone: what each gets of a processor is measured

load ../lib/skep
load ../lib/shares

setup() {
	skep_setup
	template_probe here
	c=$(ct_name)
}
teardown() { skep_teardown; }

first_cpu() { taskset -cp $$ | sed 's/.*: *\([0-9]*\).*/\1/'; }

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
	share_is_under 0.36 here "$c" 3
	before=$(throttled "$c")
	skepctl set "$c" --cpus 0.1
	share_is_under 0.14 here "$c" 3
	[ "$(throttled "$c")" -gt "$before" ]
	before=$(throttled "$c")
	skepctl set "$c" --cpus unlimited
	skepctl exec "$c" -- /probe hog-cpu 2
	[ "$(throttled "$c")" = "$before" ]
}

@test "cpuweight: 100 and 300 on one CPU share it 1:3 within 10 %, live 3:1" {
	d=$(ct_name) cpu=$(first_cpu)
	skepctl create "$c" --template probe --network none --cpuset "$cpu" --cpuweight 100 --start
	skepctl create "$d" --template probe --network none --cpuset "$cpu" --cpuweight 300 --start
	shares_are 2.7 3.3 here "$c" "$d"
	skepctl set "$c" --cpuweight 300
	skepctl set "$d" --cpuweight 100
	shares_are 2.7 3.3 here "$d" "$c"
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
