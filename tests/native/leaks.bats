# SPDX-License-Identifier: GPL-2.0-only
# What a container can see of the host, what the host keeps of a container, and that the checks for it can fail.

load ../lib/skep

setup() { skep_setup; }
teardown() { skep_teardown; }

@test "the look at the host sees what could be left behind" {
	[ -z "$(host_diff "$SKEP_DIR/before")" ]
	group=$(find /sys/fs/cgroup -maxdepth 1 -name pids -o -maxdepth 1 -name cgroup.procs | head -n1)
	[ -d "$group" ] || group=/sys/fs/cgroup
	mkdir "$group/skep-leak-$$"
	run assert_no_leak "$SKEP_DIR/before" 0
	rmdir "$group/skep-leak-$$"
	[ "$status" = 1 ]
	[[ $output == *"+ cgroup $group/skep-leak-$$"* ]]
	mkdir "$SKEP_DIR/m"
	mount -t tmpfs leak "$SKEP_DIR/m"
	run assert_no_leak "$SKEP_DIR/before" 0
	umount "$SKEP_DIR/m"
	[ "$status" = 1 ]
	[[ $output == *"+ mount $SKEP_DIR/m tmpfs"* ]]
	in_net here ip link add leak0 type bridge
	run net_is_as_new here
	in_net here ip link del leak0
	[ "$status" = 1 ]
	[[ $output == *leak0* ]]
	assert_no_leak "$SKEP_DIR/before"
}

@test "a container sees no process, mount, link, cgroup or capability that is not its own" {
	template_busybox here
	c=$(ct_name)
	skepctl create "$c" --template busybox --ip auto --start
	inside() { skepctl exec "$c" -- "$@"; }
	inside sh -c 'cat /proc/1/comm' | grep -q init
	# Its own init, what it started, and the one that looks.
	[ "$(inside sh -c 'ls -d /proc/[0-9]* | wc -l')" -lt 6 ]
	[ "$(inside sh -c 'ls /sys/class/net' | tr -d '\n ')" = eth0lo ]
	! inside cat /proc/self/mountinfo | grep -F "$SKEP_DIR/here/lib/ct"
	[ "$(inside sh -c 'cut -d: -f3 /proc/self/cgroup | sort -u')" = / ]
	! inside sh -c 'echo 1 >/proc/sys/kernel/panic' 2>/dev/null
	! inside sh -c 'echo b >/proc/sysrq-trigger' 2>/dev/null
	! inside sh -c 'mount -t tmpfs x /sys/fs && echo 1 >/proc/sys/vm/drop_caches' 2>/dev/null
	! inside head -c 1 /proc/kcore
	! inside reboot -f 2>/dev/null || true
	wait_for 20 sane
}
sane() { [[ $(skepctl list -H -o status "$c") == @(running|stopped) ]]; }

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
	in_net here ping -c 1 -W 5 "$address"
	skepctl create "$d" --template probe --ip auto --init /nosuch
	fails_with 127 /nosuch skepctl start "$d"
	in_net here ping -c 1 -W 5 "$address"
	fails_with 78 "" skepctl create "$(ct_name)" --template probe --ip "$address"
	skepctl destroy --force "$c" "$d"
}
