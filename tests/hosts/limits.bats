# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2016 # the other side expands it
# Limits on a host with cgroup v2 alone: held, changed while the container runs, and read back from the kernel.

load hosts

setup() { on a sh -c 'skepctl template list | grep -q ^busybox || skepctl template build busybox'; }
teardown() { empty a; }

# five LEAST MOST CMD...: what it measures is in between, one time of five. A machine that stands still has that counted for whom it stands still under, and a quota's time is lost meanwhile; a limit
# that is another one is it each time.
five() {
	local _
	for _ in 1 2 3 4 5; do ! between "$1" "$2" "$("${@:3}")" || return 0; done
	return 1
}
between() { echo "$3 in $1..$2"; awk "BEGIN { exit !($3 >= $1 && $3 <= $2) }"; }
ct() { on a skepctl create "$1" --template busybox --network none "${@:2}" --start; }
inside() { on a skepctl exec "$1" -- "${@:2}"; }
# kernel NAME FILE: what the kernel has; the container's groups are skep.slice/NAME, with the limits, and skep.slice/NAME/ct
kernel() { on a cat "/sys/fs/cgroup/skep.slice/$1/$2"; }
hog() { # NAME: all the CPU it can get, until the container ends
	inside "$1" sh -c '(while :; do :; done) >/dev/null 2>&1 </dev/null & echo started' >/dev/null
}
# used SECONDS NAME...: by all of them over the same time, in thousandths of a CPU
used() {
	on a sh -c 'us() { sed -n "s/^usage_usec //p" "/sys/fs/cgroup/skep.slice/$1/cpu.stat"; }
		t=$1; shift; i=0
		for n in "$@"; do eval "a_$n=$(us "$n")"; done; began=$(date +%s%N)
		sleep "$t"
		took=$((($(date +%s%N) - began) / 1000))
		for n in "$@"; do eval "echo \$((($(us "$n") - a_$n) * 1000 / took))"; done' - "$@"
}

@test "cpus: half a CPU is half a CPU over 10 s, and another share at once when it is set" {
	ct c --cpus 0.5
	hog c
	five 450 550 used 10 c
	on a skepctl stat --json c | jq -e '.containers[0] | .cpu_throttled > 0 and .cpu_throttled <= .cpu_periods'
	on a skepctl set c --cpus 0.25
	[ "$(kernel c cpu.max)" = '25000 100000' ]
	five 200 300 used 5 c
	on a skepctl set c --cpus unlimited
	[[ $(kernel c cpu.max) == 'max '* ]]
	five 600 1100 used 5 c
}

@test "weights: 100 and 300 share one CPU 1:3 within 10 %, and 3:1 when they are set so" {
	ct one --cpuset 0 --cpuweight 100
	ct three --cpuset 0 --cpuweight 300
	[ "$(kernel one cpuset.cpus)" = 0 ] && [ "$(kernel three cpu.weight)" = 300 ]
	hog one
	hog three
	five 2.7 3.3 ratio one three
	on a skepctl set one --cpuweight 300
	on a skepctl set three --cpuweight 100
	five 2.7 3.3 ratio three one
}
ratio() { used 10 "$@" | awk 'NR == 1 { a = $1 } END { print a ? $1 / a : 0 }'; }

@test "memory: a hog is killed inside and only there, which stat tells; the limit changes live" {
	template_probe a
	on a skepctl create c --template probe --network none --memory 64M --swap 0 --start
	on a skepctl create other --template probe --network none --memory 64M --start
	other=$(on a skepctl list -H -o pid other)
	run inside c /probe hog-mem 256
	[ "$status" = 137 ]
	[ "$(on a skepctl list -H -o status c)" = running ]
	[ "$(on a skepctl list -H -o pid other)" = "$other" ]
	[ "$(kernel c memory.events | awk '$1 == "oom_kill" { print $2 }')" -ge 1 ]
	[ "$(kernel other memory.events | awk '$1 == "oom_kill" { print $2 }')" = 0 ]
	on a skepctl stat --json c | jq -e '[.. | objects | to_entries[] | select(.key | test("oom|kill")) | .value | numbers] | max >= 1'
	on a skepctl set c --memory 300M
	[ "$(kernel c memory.max)" = 314572800 ]
	inside c /probe hog-mem 128
	on a skepctl set c --memory 64M
	run inside c /probe hog-mem 256
	[ "$status" = 137 ]
}

@test "pids: a fork bomb stops at its limit and the host answers" {
	ct c --pids 50
	[ "$(kernel c pids.max)" = 50 ]
	inside c sh -c 'b() { b | b & }; b' >/dev/null 2>&1 </dev/null || true
	wait_for 30 bombed
	SECONDS=0
	on a true
	((SECONDS < 100))
	[ "$(kernel c pids.current)" -le 50 ]
	on a skepctl set c --pids 80
	[ "$(kernel c pids.max)" = 80 ]
	SECONDS=0
	on a skepctl stop --kill c
	((SECONDS < 200))
}
bombed() { [ "$(kernel c pids.events | awk '$1 == "max" { print $2 }')" -gt 0 ]; }

@test "io: a disk's bandwidth is held within 20 %, reading and writing, and changes live; without --disk and with it" {
	local name disk
	disk=$(on a cat /sys/block/vda/dev)
	ct files --io-limit 4M
	ct image --io-limit 4M --disk 200M
	[ "$(kernel files io.max)" = "$disk rbps=4194304 wbps=4194304 riops=max wiops=max" ]
	for name in files image; do
		held 3355 5033 written "$name" 20 /f
	done
	held 3355 5033 was_read files 20 /f
	on a skepctl set files --io-limit 8M --iops 1000
	[ "$(kernel files io.max)" = "$disk rbps=8388608 wbps=8388608 riops=1000 wiops=1000" ]
	held 6710 10066 written files 60 /g
	on a skepctl set files --io-limit unlimited --iops unlimited
	[ -z "$(kernel files io.max)" ]
}
# written NAME MIB FILE: KiB a second from the page cache to the disk. The way into the cache is not of it: that is the processor's, not the disk's.
written() { rate "$1" "$2" "dd if=/dev/null of=$3 conv=notrunc,fsync" "dd if=/dev/zero of=$3 bs=1M count=$2"; }
was_read() {
	on a sh -c 'sync; echo 3 >/proc/sys/vm/drop_caches'
	rate "$1" "$2" "dd if=$3 of=/dev/null bs=1M count=$2"
}
# held LEAST MOST CMD...: it is never faster. Slower is also a machine that does something else meanwhile: that has three tries.
held() {
	local try rate
	for try in 1 2 3; do
		rate=$("${@:3}")
		echo "$try: ${*:3}: $rate in $1..$2"
		awk "BEGIN { exit !($rate <= $2) }" || return 1
		! awk "BEGIN { exit !($rate >= $1) }" || return 0
	done
	return 1
}
# rate NAME MIB CMD [BEFORE]: KiB a second
rate() {
	inside "$1" sh -ec 'sh -c "$3" 2>/dev/null; read began rest </proc/uptime; sh -c "$2" 2>/dev/null; read ended rest </proc/uptime; echo "$1 $began $ended"' - "$2" "$3" "${4:-true}" |
		awk '{ print $1 * 1024 / ($3 - $2) }'
}

@test "every other limit, too, is read back from the kernel after set" {
	ct c
	on a skepctl set c --memory 100M --swap 10M --cpuweight 250 --cpus 1.5 --pids 77 --cpuset 1 --io-weight 300
	[ "$(kernel c memory.max) $(kernel c memory.swap.max)" = '104857600 10485760' ]
	[ "$(kernel c cpu.weight) $(kernel c cpu.max)" = '250 150000 100000' ]
	[ "$(kernel c pids.max) $(kernel c cpuset.cpus)" = '77 1' ]
	[[ $(kernel c io.weight) == *'default 300'* ]]
	on a skepctl restart c
	[ "$(kernel c memory.max) $(kernel c pids.max) $(kernel c cpuset.cpus)" = '104857600 77 1' ]
}
