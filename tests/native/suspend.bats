# SPDX-License-Identifier: GPL-2.0-only
# A container to disk and back: what must be as it was, and what is said when it cannot be done.

# shellcheck disable=SC2016 # what stands in single quotes is for the container's shell

bats_require_minimum_version 1.5.0
load ../lib/skep

setup() {
	skep_setup
	c=$(ct_name)
}
teardown() { skep_teardown; }

inside() { skepctl exec "$c" -- "$@"; }
# A daemon of the container: its parent is the container's init, and nothing of the exec that started it is left.
daemon() { inside sh -c "setsid sh -c '$1' </dev/null >/dev/null 2>&1 &"; }
status() { skepctl list -H -o status "$c"; }
is() { [ "$(status)" = "$1" ]; }
data() { echo "$SKEP_DIR/here/lib/ct/$c"; }
state() { jq -r ".$1" "$SKEP_DIR/here/run/$c/state.json"; }
address() { jq -r '.networks[0].addresses[0] // .nets[0].addrs[0]' "$(data)/definition.json" | cut -d/ -f1; }
busybox() {
	template_busybox here
	skepctl create "$c" --template busybox --ip auto --memory 128M --hostname here.example --start
}
counts() { # the daemon's number grows
	local n
	n=$(inside cat /root/n)
	wait_for 30 more "$n"
}
more() { [ "$(inside cat /root/n)" -gt "$1" ]; }
# Overlayfs says uuid=on only to the first who mounts a layer. The number of the console's terminal is the host's affair, and the order of mounts nobody's.
# A file system that is mounted anew (devpts, mqueue) has a new time.
what_it_sees() {
	inside sh -c 'ip -o addr; ip route; ip -6 route; hostname; cat /proc/1/cgroup /proc/self/uid_map; mount; ls -l /dev' |
		sed 's/eth0@if[0-9]*/eth0/; s/,uuid=on//; s/136, *[0-9]* .*console/console/; /^d/s/ [A-Z][a-z][a-z] [ 0-9][0-9] [0-9:]\{5\} / /' | sort
}
runs() { inside ps -o args | grep -qxF "$1"; }
not() { ! "$@"; }
has_log() { grep -q "$1" "$(data)/console.log"; }

# bats test_tags=host
@test "all that a container has is there again" {
	busybox
	daemon 'exec 7>/root/deleted; rm /root/deleted; echo kept >&7; i=0; while :; do i=$((i+1)); echo $i >/root/m; mv /root/m /root/n; sleep 0.05; done'
	daemon 'mkfifo /tmp/pipe; exec 8<>/tmp/pipe; echo in the pipe >&8; echo $$ >/tmp/pid; while :; do sleep 1; done'
	inside sh -c 'echo in memory >/dev/shm/f; dd if=/dev/urandom of=/tmp/random bs=1k count=2000 2>/dev/null; md5sum /tmp/random >/tmp/sum'
	wait_for 30 inside test -s /root/n
	wait_for 30 inside test -s /tmp/pid
	counts
	before=$(what_it_sees)
	limit=$(cat "/sys/fs/cgroup/memory/$(state cgroup)/memory.limit_in_bytes" "/sys/fs/cgroup/$(state cgroup)/memory.max" 2>/dev/null || true)
	group=$(state cgroup)
	for round in 1 2; do
		echo "round $round"
		n=$(inside cat /root/n)
		skepctl suspend "$c"
		is suspended
		[ ! -e "$SKEP_DIR/here/run/$c" ]
		[ -z "$(find /sys/fs/cgroup -type d -path "*/$group")" ]
		[ -z "$(in_net here ip -o link show type veth)" ]
		skepctl resume "$c"
		is running
		more $((n - 1))
		counts
	done
	after=$(what_it_sees)
	[ "$before" = "$after" ] || diff <(echo "$before") <(echo "$after")
	[ "$limit" = "$(cat "/sys/fs/cgroup/memory/$(state cgroup)/memory.limit_in_bytes" "/sys/fs/cgroup/$(state cgroup)/memory.max" 2>/dev/null || true)" ]
	inside md5sum -c /tmp/sum
	[ "$(inside cat /dev/shm/f)" = 'in memory' ]
	[ "$(inside sh -c 'cat /proc/$(cat /tmp/pid)/comm; head -n1 /tmp/pipe')" = $'sh\nin the pipe' ]
	# The parent of its init is the monitor, which keeps the console's log.
	[[ $(readlink "/proc/$(state monitor)/exe") == */skep-monitor ]]
	[ "$(awk '/^PPid/ { print $2 }' "/proc/$(state pid)/status")" = "$(state monitor)" ]
	inside sh -c 'echo said after the resume >/dev/console'
	wait_for 30 has_log 'said after the resume'
	# Of what was used for the resume it has nothing in its hands.
	[ "$(find "/proc/$(state pid)/fd" -lname "$SKEP_DIR*")" = '' ]
	in_net here ping -c 1 -W 30 "$(address)"
	inside ping -c 1 -W 30 10.209.0.1
	wait_for 30 [ ! -e "$(data)/checkpoint" -a ! -e "$(data)/checkpoint.gone" ]
}

@test "a connection lives on" {
	template_probe here
	skepctl create "$c" --template probe --ip auto --init '/probe counter 7000' --start
	wait_for 30 in_net here bash -c "exec 3<>/dev/tcp/$(address)/7000"
	spawn here "$SKEP_DIR/client" "$PROBE" client "$(address)" 7000 0 5
	wait_for 30 grep -q '^[0-9]' "$SKEP_DIR/client"
	for round in 1 2 3; do
		echo "round $round"
		skepctl suspend "$c"
		skepctl resume "$c"
		got=$(wc -l <"$SKEP_DIR/client")
		wait_for 30 eval "[ \$(wc -l <'$SKEP_DIR/client') -gt $((got + 1)) ]"
	done
	stop_spawned "$SPAWNED"
	cat "$SKEP_DIR/client"
	grep 'lost=0' "$SKEP_DIR/client"
}

@test "each command says what a suspended container cannot do" {
	busybox
	skepctl suspend "$c"
	fails_with 31 'suspended' skepctl exec "$c" -- true
	fails_with 32 'suspended' skepctl start "$c"
	fails_with 31 "$c" skepctl suspend "$c"
	fails_with 31 "hint: skepctl resume $c" skepctl suspend "$c"
	fails_with 31 "$c" skepctl pause "$c"
	is suspended
	skepctl resume "$c"
	fails_with 32 "$c" skepctl resume "$c"
	skepctl suspend "$c"
	skepctl stop "$c"
	is stopped
	[ ! -e "$(data)/checkpoint" ]
	fails_with 31 "$c" skepctl resume "$c"
	skepctl start "$c"
	is running
}

@test "what cannot be taken along is named, and the container goes on" {
	busybox
	daemon 'i=0; while :; do i=$((i+1)); echo $i >/root/m; mv /root/m /root/n; sleep 0.05; done'
	wait_for 30 inside test -s /root/n
	# A process from outside.
	spawn here "$SKEP_DIR/guest" skepctl exec "$c" -- sleep 300
	guest=$SPAWNED
	wait_for 30 runs 'sleep 300'
	fails_with 16 "CT $c: process " skepctl suspend "$c"
	fails_with 16 'was brought into the container' skepctl suspend "$c"
	stop_spawned "$guest" || true
	wait_for 30 not runs 'sleep 300'
	# A namespace in it.
	daemon 'exec unshare -u sleep 301'
	wait_for 30 runs 'sleep 301'
	fails_with 16 'namespaces of its own (uts)' skepctl suspend "$c"
	fails_with 16 'Can'"'"'t dump nested uts namespace' skepctl suspend --no-check "$c"
	SKEP_CRIU=/none fails_with 5 'SKEP_CRIU=/none is no program' skepctl suspend --no-check "$c"
	is running
	counts
	in_net here ping -c 1 -W 30 "$(address)"
	[ -s "$(data)/checkpoint/dump.log" ]
	[ -z "$(find "$(data)/checkpoint" -name '*.img')" ]
	inside sh -c 'kill $(pidof sleep) || true'
	wait_for 30 not runs 'sleep 301'
	skepctl suspend "$c"
	skepctl resume "$c"
	counts
}

# In a root that is the host's but for one thing: its /tmp is a link.
with_linked_tmp() {
	local o=$SKEP_DIR/o
	mkdir -p "$o"/{upper,work,root}
	ln -s real-tmp "$o/upper/tmp"
	mkdir "$o/upper/real-tmp"
	on here unshare --mount --propagation private sh -ec '
		o=$1 && shift
		mount -t overlay -o "lowerdir=/,upperdir=$o/upper,workdir=$o/work" overlay "$o/root"
		for d in proc sys dev run; do mount --rbind "/$d" "$o/root/$d"; done
		mount --rbind /tmp "$o/root/real-tmp"
		mkdir "$o/root/old"
		cd "$o/root" && pivot_root . old && umount -l /old
		exec "$@"' - "$o" "$@"
}
# Its state names paths of that root then: all the rest happens there, too.
@test "a host whose /tmp is a link resumes" {
	busybox
	skepctl suspend "$c"
	with_linked_tmp sh -ec 'readlink /tmp; skepctl --verbose resume "$1"; skepctl exec "$1" -- echo it runs; skepctl destroy --force "$1"' - "$c" >"$SKEP_DIR/said" 2>&1 ||
		{ cat "$SKEP_DIR/said" && return 1; }
	grep -qx real-tmp "$SKEP_DIR/said"
	grep -qx 'it runs' "$SKEP_DIR/said"
}

# As iptables asks; the answer makes the table.
asks_for_table() {
	nsenter --net="/proc/$(state pid)/ns/net" /usr/bin/python3 - <<'EOF'
import ctypes, socket
SOL_IP, IPT_SO_GET_INFO, SIZE = 0, 64, 84
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
info = ctypes.create_string_buffer(b"filter", SIZE)
size = ctypes.c_uint(SIZE)
assert ctypes.CDLL(None).getsockopt(s.fileno(), SOL_IP, IPT_SO_GET_INFO, info, ctypes.byref(size)) == 0, "no ip_tables"
EOF
}
@test "rules of iptables that come when criu was told that there are none make another try" {
	[ -e /proc/net/ip_tables_names ] || skip 'no ip_tables'
	busybox
	spawn here "$SKEP_DIR/said" "SKEP_FAULT=suspend.traffic:pause=$SKEP_DIR/paused" skepctl --verbose suspend "$c"
	wait_for 30 test -s "$SKEP_DIR/paused"
	wait_for 30 grep -q '^State:.*stopped' "/proc/$(cat "$SKEP_DIR/paused")/status"
	asks_for_table
	kill -CONT "$(cat "$SKEP_DIR/paused")"
	wait "$SPAWNED"
	grep 'its first rules of iptables; once more' "$SKEP_DIR/said"
	is suspended
	skepctl resume "$c"
	is running
}

@test "what stands in the way for a moment is waited for" {
	local line plant tries=0
	busybox
	inside sh -c 'cat >/bin/plant && chmod +x /bin/plant' <"$BUILD/plant"
	daemon 'exec plant netlink-data'
	wait_for 30 inside test -e /run/plant.ready
	# It ends as soon as criu has refused once: killed from here, as who enters is not to be there at the next try, which is soon.
	plant=$(pgrep -P "$(state pid)" plant)
	while read -r line; do
		echo "$line"
		[[ $line != *'has not read what the kernel told it'*'once more'* ]] || ((++tries > 1)) || kill -KILL "$plant"
	done < <(skepctl --verbose suspend "$c" 2>&1)
	((tries >= 1 && tries < 8))
	is suspended
	skepctl resume "$c"
}

@test "a limit that its memory does not fit into any more is named" {
	busybox
	daemon 'exec awk "BEGIN { s = sprintf(\"%40000000s\", \"\"); while (1) system(\"sleep 1000\") }"'
	holds() { [ "$(inside sh -c 'awk "/^VmRSS/ { print \$2 }" "/proc/$(pidof awk)/status"')" -gt 35000 ]; }
	wait_for 30 holds
	skepctl suspend "$c"
	skepctl set "$c" --memory 16M --swap 0
	fails_with 17 'died while it was made again' skepctl resume "$c"
	is suspended
	skepctl set "$c" --memory 128M
	skepctl resume "$c"
	holds
}

@test "images without the container's end" {
	busybox
	daemon 'i=0; while :; do i=$((i+1)); echo $i >/root/m; mv /root/m /root/n; sleep 0.05; done'
	wait_for 30 inside test -s /root/n
	skepctl suspend --keep-running "$c"
	is running
	counts
	[ -s "$(data)/checkpoint/pages-1.img" ]
	fails_with 32 'running' skepctl resume "$c"
	skepctl stop "$c"
	is stopped
	fails_with 31 "$c" skepctl resume "$c"
}

@test "damaged images are refused, and kept until they are dropped" {
	busybox
	skepctl suspend "$c"
	mv "$(data)/checkpoint/core-1.img" "$(data)/core"
	fails_with 17 'image core-1.img is not there' skepctl resume "$c"
	is suspended
	[ ! -e "$SKEP_DIR/here/run/$c" ]
	mv "$(data)/core" "$(data)/checkpoint/core-1.img"
	echo '{"version": 7}' >"$(data)/checkpoint/skep.json"
	fails_with 17 'skep.json' skepctl resume "$c"
	is suspended
	skepctl destroy --force "$c"
	nothing_left
}

@test "without its monitor it is not suspended, as nobody could resume it" {
	busybox
	kill -9 "$(state monitor)"
	fails_with 16 'monitor' skepctl suspend "$c"
	is running
	inside true
	skepctl stop "$c"
	skepctl start "$c"
	skepctl suspend "$c"
	skepctl resume "$c"
	inside true
}

is_running() { [ "$(skepctl list -H -o status "$1")" = running ]; }
# A guardian that was not killed goes on when there is no way back: it may run between the look and the resume, which says so.
runs_or_resumes() { is_running "$1" || skepctl resume "$1" || is_running "$1"; }
@test "a resume or suspend that is killed at any moment can be repeated" {
	ct=$(ct_name)
	template_probe here
	skepctl create "$ct" --template probe --network none --init "/probe touch 60" --start
	for s in 0.01 0.02 0.04 0.06 0.08 0.12 0.2; do
		skepctl suspend "$ct"
		on here timeout -s KILL $s skepctl resume "$ct" || true
		runs_or_resumes "$ct"
		skepctl exec "$ct" -- /probe true
		on here timeout -s KILL $s skepctl suspend "$ct" || true
		runs_or_resumes "$ct"
		skepctl exec "$ct" -- /probe true
	done
}

resume_within() { timeout -s KILL "$1" nsenter --net="$(host_net here)" -- "$SKEP_DIR/here/bin/skepctl" resume "$c"; }

# criu waits for init, init for its dead children, and those for criu, who traces them: all three have to be ended.
@test "a resume that is refused at its last moment ends, however many processes there are" {
	busybox
	daemon 'while :; do sleep 1; done'
	skepctl suspend "$c"
	SKEP_FAULT=resume.restored fails_with 17 "injected failure at resume.restored" resume_within 30
	is suspended
	SKEP_FAULT=resume.restored:kill fails_with 3 "the process that was to resume it was killed" resume_within 30
	wait_for 30 is suspended
	skepctl resume "$c"
	is running
	runs 'sleep 1'
}

# The console belongs to whoever restores. Its end is a hangup, whose SIGCONT stops init under criu's ptrace, and criu waited for it for ever, with all locks.
# bats test_tags=host_all
@test "a resume whose guardian dies while criu restores ends by itself, and can be repeated" {
	local criu=${SKEP_CRIU:-/usr/local/lib/skep/criu/bin/criu}
	[ -x "$criu" ] || criu=$(command -v criu)
	printf '#!/bin/sh\nGUARDIAN=$PPID exec %q "$@" --action-script %q\n' "$criu" "$SKEP_DIR/killer" >"$SKEP_DIR/criu"
	# All is restored, and the tasks are not yet stopped.
	cat >"$SKEP_DIR/killer" <<-'EOF'
		#!/bin/bash
		[ "$CRTOOLS_SCRIPT_ACTION" = post-restore ] || exit 0
		kill -9 "$GUARDIAN"
		for ((i = 0; i < 10000; i++)); do # its descriptors are closed before it is a zombie
			grep -qs '^State:.[^ZX]' "/proc/$GUARDIAN/status" || exit 0
		done
	EOF
	chmod +x "$SKEP_DIR/criu" "$SKEP_DIR/killer"
	busybox
	daemon 'while :; do sleep 1; done'
	skepctl suspend "$c"
	SKEP_CRIU=$SKEP_DIR/criu fails_with 3 "the process that was to resume it was killed" resume_within 30
	is suspended
	skepctl resume "$c"
	runs 'sleep 1'
}

# criu's directories in /tmp have names that only it knows.
# bats test_tags=host_all
@test "a criu that is killed leaves nothing in /tmp" {
	local criu name
	busybox
	skepctl suspend "$c"
	spawn here "$SKEP_DIR/out" env SKEP_FAULT="resume.made:pause=$SKEP_DIR/paused" "$SKEP_DIR/here/bin/skepctl" resume "$c"
	wait_for 30 test -s "$SKEP_DIR/paused"
	wait_for 30 grep -q '^State:.*stopped' "/proc/$(cat "$SKEP_DIR/paused")/status"
	criu=$(criu_of "$(cat "$SKEP_DIR/paused")")
	name=$(ls -d "/proc/$criu/root/tmp/".criu.mntns.??????)
	[ -n "$name" ]
	kill -KILL "$criu"
	kill -CONT "$(cat "$SKEP_DIR/paused")"
	wait_for 30 gone "$SPAWNED"
	cat "$SKEP_DIR/out"
	[ ! -e "/tmp/${name##*/}" ]
	skepctl resume "$c"
}

# bats test_tags=host_all
@test "what the container itself has frozen is named, and not waited for" {
	[ -e /sys/fs/cgroup/unified ] || [ -e /sys/fs/cgroup/cgroup.controllers ] || skip "no unified hierarchy"
	busybox
	inside mkdir /sys/fs/cgroup/x
	# In a loop: criu interrupts a nanosleep(2), and busybox 1.37's sleep ends at that.
	daemon 'echo $$ >/sys/fs/cgroup/x/cgroup.procs; while :; do sleep 1000; done'
	wait_for 30 runs 'sleep 1000'
	inside sh -c 'echo 1 >/sys/fs/cgroup/x/cgroup.freeze'
	wait_for 30 inside grep -q 'frozen 1' /sys/fs/cgroup/x/cgroup.events
	fails_with 16 'is frozen by the container itself' suspend_within 30
	is running
	inside sh -c 'echo 0 >/sys/fs/cgroup/x/cgroup.freeze'
	skepctl suspend "$c"
	skepctl resume "$c"
	runs 'sleep 1000'
}
suspend_within() { timeout -s KILL "$1" nsenter --net="$(host_net here)" -- "$SKEP_DIR/here/bin/skepctl" suspend "$c"; }

@test "init is killed while criu restores it and its children: resume ends, and the memory can be tried again" {
	local delay criu
	c=$(ct_name)
	template_busybox here
	criu=${SKEP_CRIU:-/usr/local/lib/skep/criu/bin/criu}
	[ -x "$criu" ] || criu=$(command -v criu)
	printf '#!/bin/bash\ncase " $* " in *" restore "*) "$0.killer" $PPID $$ </dev/null >/dev/null 2>&1 & ;; esac\nexec %s "$@"\n' "$criu" >"$SKEP_DIR/criu"
	# The first child of criu's parent that is not criu.
	cat >"$SKEP_DIR/criu.killer" <<-'EOF'
		#!/bin/bash
		for fd in /proc/$$/fd/*; do fd=${fd##*/}; [ "$fd" -le 2 ] || [ "$fd" = 255 ] || eval "exec $fd>&-"; done
		while [ -e "/proc/$1" ]; do
			for p in $(cat "/proc/$1/task/$1/children"); do
				[ "$p" != "$2" ] || continue
				read -rt "$(cat "$0.delay")" <> <(:)
				kill -KILL "$p"
				exit
			done
		done
	EOF
	chmod +x "$SKEP_DIR/criu" "$SKEP_DIR/criu.killer"
	skepctl -q create "$c" --template busybox --network none --start \
		--init '/bin/sh -c "for i in 1 2 3 4 5 6 7 8 9; do sleep 10000 & done; wait"'
	for delay in $(seq 0.034 0.001 0.052); do # around where it has all its memory
		echo "$delay" >"$SKEP_DIR/criu.killer.delay"
		skepctl suspend "$c"
		spawn here "$SKEP_DIR/out" env SKEP_CRIU="$SKEP_DIR/criu" "$SKEP_DIR/here/bin/skepctl" resume "$c"
		wait_for 30 gone "$SPAWNED"
		cat "$SKEP_DIR/out"
		wait_for 30 at_rest # when it ran already its monitor cleans up
		skepctl resume "$c" || skepctl start "$c"
	done
}
gone() { ! kill -0 "$1" 2>/dev/null; }
at_rest() { [[ $(skepctl list -H -o status "$c") == @(suspended|stopped) ]]; }
