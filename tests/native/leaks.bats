# SPDX-License-Identifier: GPL-2.0-only
# What a container can see of the host, what the host keeps of a container, and that the checks for it can fail.

bats_require_minimum_version 1.5.0
load ../lib/skep

setup() { skep_setup; }
teardown() { skep_teardown; }

@test "the look at the host sees what could be left behind" {
	snapshot_host >"$SKEP_DIR/before"
	nothing_left
	group=/sys/fs/cgroup/pids
	[ -d "$group" ] || group=/sys/fs/cgroup
	group=$group/skep-$(ct_name)
	mkdir "$group"
	run host_diff "$SKEP_DIR/before"
	run -0 test_things
	rmdir "$group"
	[[ $output == "cgroup $group" ]]
	mkdir "$SKEP_DIR/m"
	mount -t tmpfs leak "$SKEP_DIR/m"
	run -0 host_diff "$SKEP_DIR/before"
	[[ $output == *"+ mount $SKEP_DIR/m tmpfs"* ]]
	run -0 test_things
	umount "$SKEP_DIR/m"
	[[ $output == "mount $SKEP_DIR/m" ]]
	spawn here /dev/null sleep 100
	wait_for 30 sleeps
	run -0 test_things
	stop_spawned "$SPAWNED" || true
	[[ $output == "process $SPAWNED sleep 100 " ]]
	in_net here ip link add leak0 type bridge
	run -1 net_matches here
	in_net here ip link del leak0
	net_is_as_new here
}
sleeps() { [[ $(readlink "/proc/$SPAWNED/exe") == */sleep ]]; }

# bats test_tags=host_all
@test "a container sees no process, mount, link, cgroup or capability that is not its own" {
	template_busybox here
	c=$(ct_name)
	skepctl create "$c" --template busybox --ip auto --start
	inside() { skepctl exec "$c" -- "$@"; }
	inside sh -c 'cat /proc/1/comm' | grep -q init
	# Its own init, what it started, and the one that looks.
	few() { [ "$(inside sh -c 'ls -d /proc/[0-9]* | wc -l')" -lt 6 ]; }
	wait_for 30 few
	[ "$(inside sh -c 'ls /sys/class/net' | tr -d '\n ')" = eth0lo ]
	# Of the options behind the dash, overlayfs tells its layers' places to everyone.
	not grep -F "$SKEP_DIR/here" <(inside cat /proc/self/mountinfo | sed 's/ - .*//')
	[ "$(inside sh -c 'cut -d: -f3 /proc/self/cgroup | sort -u')" = / ]
	not inside sh -c 'echo 1 >/proc/sys/kernel/panic' 2>/dev/null
	not inside sh -c 'echo b >/proc/sysrq-trigger' 2>/dev/null
	not inside sh -c 'mount -t tmpfs x /sys/fs && echo 1 >/proc/sys/vm/drop_caches' 2>/dev/null
	[ "$(inside cat /proc/kcore /proc/kallsyms | wc -c)" = 0 ] # masked: empty
	inside reboot -f 2>/dev/null || true
	wait_for 30 sane "$c"
}
not() { ! "$@"; }
sane() { [[ $(skepctl list -H -o status "$1") == @(running|stopped) ]]; }

@test "a directory of another container, a busy file, a full log: destroy takes all of it" {
	template_busybox here
	c=$(ct_name)
	skepctl create "$c" --template busybox --ip auto --start
	skepctl exec "$c" -- sh -c 'mkdir -p /a/b/c && chmod 0 /a/b/c && touch /tmp/x && mkfifo /tmp/p && ln -s / /tmp/root && (sleep 1000 &) && ln -s /etc/passwd /a/x'
	skepctl exec "$c" -- sh -c 'yes | head -c 3000000 >/dev/console'
	skepctl destroy --force "$c"
	[ -f /etc/passwd ]
	[ -z "$(ls -A "$SKEP_DIR/here/lib/ct")" ]
}

@test "a failed start in a used network leaves the others alone" {
	template_probe here
	c=$(ct_name) d=$(ct_name)
	skepctl create "$c" --template probe --ip auto --start
	address=$(skepctl list -H -o ip "$c" | sed 's,[/ ].*,,')
	in_net here ping -c 1 -W 30 "$address"
	skepctl create "$d" --template probe --ip auto --init /nosuch
	fails_with 127 /nosuch skepctl start "$d"
	in_net here ping -c 1 -W 30 "$address"
	fails_with 78 "" skepctl create "$(ct_name)" --template probe --ip "$address"
	skepctl destroy --force "$c" "$d"
}
