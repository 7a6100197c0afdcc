# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What a test could leave behind on the host, one thing a line, and waiting for it to go. For tests/run and bats files.

# Gives up the processor for a moment; only ever used inside a loop that asks for a condition and has a deadline.
tick() {
	read -rt 0.05 <> <(:) || true
}

# wait_for SECONDS CMD...: until CMD succeeds; 1 with a message when it has not by then. The seconds are for a machine that is busy with other things: what is
# there costs none of them.
wait_for() {
	local limit=$(($(date +%s%N) + $1 * 1000000000)) seconds=$1
	shift
	until "$@" >/dev/null 2>&1; do
		if (($(date +%s%N) > limit)); then
			printf 'not within %s s: %s\n' "$seconds" "$*" >&2
			return 1
		fi
		tick
	done
}

# The processes that tests started: by the mark HOST_MARK (a variable of their environment, if the caller gave them one),
# or, where a container has its own, by their program or the cgroup they are in; not those of the session HOST_BESIDE, which works beside the tests.
# $1: the directory of the built programs.
host_processes() {
	# The list is made before the first of these programs runs. A program for each process would take half a second, and this is asked all the time.
	local pids=(/proc/[0-9]*)
	# Their exit codes say that none is ours, or that one has ended: the caller may have `set -e`.
	{
		grep -ls skep "${pids[@]/%//cgroup}" | sed 's/^/ours /' || :
		[ -z "${HOST_MARK:-}" ] || grep -lszxF "$HOST_MARK" "${pids[@]/%//environ}" | sed 's/^/ours /' || :
		find "${pids[@]/%//exe}" -maxdepth 0 -printf '%p %l\n' 2>/dev/null || :
	} | awk -v dir="$1/" -v beside="${HOST_BESIDE:-}" '{ split($1 == "ours" ? $2 : $1, path, "/"); pid = path[3] }
		$1 == "ours" { ours[pid]; next }
		{ exe = substr($0, length($1) + 2); name = exe; sub(/.*\//, "", name) }
		exe != "" && (index(exe, dir) == 1 || name ~ /^skep/ || name == "criu" || pid in ours) && !of_them() { print "process", pid, exe }
		# Behind the name: state, parent, group, session (proc_pid_stat(5)).
		function of_them(  stat, field, file) {
			if (beside == "") return 0
			file = "/proc/" pid "/stat"
			getline stat <file
			close(file)
			sub(/.*\) /, "", stat)
			split(stat, field, " ")
			return field[4] == beside
		}'
}

# The top of each hierarchy and whatever is ours: below others' groups the host's own services come and go.
host_cgroups() {
	local depth=2
	[ ! -e /sys/fs/cgroup/cgroup.controllers ] || depth=1
	{
		find /sys/fs/cgroup -mindepth $depth -maxdepth $depth -type d
		find /sys/fs/cgroup -mindepth $depth -type d -path '*skep*'
	} 2>/dev/null | sort -u | sed 's/^/cgroup /'
}

# snapshot_host: prints all of it, sorted; the content of HOST_TMPDIR too, if it is set.
snapshot_host() {
	local f build
	build=$(readlink -f "${BUILD:-build}")
	{
		host_cgroups
		awk '{ s = ""; for (i = 7; i <= NF; i++) if ($i == "-") s = $(i + 1); print "mount", $5, s }' /proc/self/mountinfo
		for f in /sys/class/net/*; do echo "link ${f##*/}"; done
		find /run/netns /run/skep /var/lib/skep /etc/skep /run/lock/skep /dev/shm -mindepth 1 -printf 'file %p\n' 2>/dev/null || true
		[ -z "${HOST_TMPDIR:-}" ] || find "$HOST_TMPDIR" -mindepth 1 -maxdepth 2 -printf 'file %p\n'
		nft -s list ruleset 2>/dev/null | sed 's/^/nft /'
		ip -o route show table all 2>/dev/null | sed 's/ expires [^ ]*//; s/^/route /'
		ip rule 2>/dev/null | sed 's/^/rule /'
		for f in /sys/block/loop*/loop/backing_file; do [ ! -e "$f" ] || echo "loop ${f#/sys/block/} $(cat "$f")"; done
		for f in net/ipv4/ip_forward net/ipv4/conf/all/proxy_arp net/ipv6/conf/all/forwarding fs/pipe-max-size \
			vm/unprivileged_userfaultfd; do echo "sysctl $f $(cat "/proc/sys/$f" 2>/dev/null)"; done
		host_processes "$build"
	} | sort
}

# host_diff FILE: what differs from that earlier snapshot, as "+ thing" (left behind) and "- thing" (taken away).
host_diff() {
	# A process of another test or host that has ended meanwhile was not taken away by us.
	diff <(cat "$1") <(snapshot_host) | sed -n '/^< process /d; s/^> /+ /p; s/^< /- /p'
}

host_is_as() {
	[ -z "$(host_diff "$1")" ]
}

# assert_no_leak FILE [SECONDS]: the kernel takes down namespaces and links some ms after their last user has gone.
assert_no_leak() {
	local patience=30
	[ "${LEAKS:-}" != report ] || patience=5 # what others do is not over so soon
	wait_for "${2:-$patience}" host_is_as "$1" 2>/dev/null && return 0
	printf 'the host is not as before:\n'
	host_diff "$1"
	return 1
}
