# SPDX-License-Identifier: GPL-2.0-only
# A -> B -> A ..., ten times: what is in the container is as it was, and neither host keeps anything of it. MODE=hybrid asks for another mode, GENERATIONS=2 for fewer.

# shellcheck disable=SC2016 # what stands in single quotes is for the container's shell

load ../lib/skep
load ../lib/move

setup() {
	move_setup busybox
	rsh=$(host_rsh) c=$(ct_name)
}
teardown() { skep_teardown; }

inside() { on "$at" skepctl exec "$c" -- "$@"; }
init() { on "$at" skepctl list -H -o pid "$c"; }
monitor() { jq -r .monitor "$SKEP_DIR/$1/run/$c/state.json"; }
facts() {
	# Which terminal of the host's is the console, and what the host calls the group, is its affair.
	"$REPO/tests/lib/inventory.py" "$(init)" facts | sed "s|/dev/pts/[0-9]*|/dev/pts/N|; s|/[0-9a-f]*-$c|/$c|"
	# What a process can say only itself.
	inside sh -c 'rm -f /run/estate/*; killall -USR1 $(cat /proc/[0-9]*/comm | grep -xE "estate|session|grandchild|user|low|rooted")'
	wait_for 30 reported
	inside sh -c 'grep . /run/estate/* | sort; ip -o addr; ip route; hostname; ls -ln /dev /dev/shm /root /tmp; cat /sys/fs/cgroup/cgroup.subtree_control
		for f in /proc/sysvipc/*; do awk "{ print \$1, \$2, \$3, \$4 }" $f; done; umask; cat /proc/sys/kernel/hostname /proc/sys/net/ipv4/ip_local_port_range' |
		sed 's/eth0@if[0-9]*/eth0/; s/136, *[0-9]* .*console/console/; /^[dcs]/s/ [A-Z][a-z][a-z] [ 0-9][0-9] [0-9:]\{5\} / /'
}
reported() { [ "$(inside sh -c 'ls /run/estate | wc -l')" = 6 ]; }
# Who made a segment, and when, is told to nobody but the kernel. criu interrupts a task in a system call, which then waits anew.
same_facts() { facts >"$SKEP_DIR/now" && cmp -s "$SKEP_DIR/now" "$SKEP_DIR/facts"; }

# All that a test host has because of us; what all hosts of a machine share is compared by tests/run.
residue() { all_residue "$1" | sed 's/\<sk[0-9a-z]\{12\}\>/LINK/g; s/skep_guard_sk[0-9a-z]*/skep_guard_LINK/'; }
all_residue() {
	nothing_running
	on "$1" ip -o link | sed 's/^[0-9]*: //; s/@.*//; s/: <.*//' | sort
	in_net "$1" nft list ruleset | sed 's/counter packets [0-9]* bytes [0-9]*//'
	in_net "$1" ip route
	# A host's own places, and what it has found out about itself, come with the first container and stay.
	(cd "$SKEP_DIR/$1" && find lib run -not -path '*/upper/*' -not -path '*/templates/*' -not -path 'run/.cache*' | grep -vxE 'lib/(ct|lock|taken)' | grep -v console.log | sort)
	awk -v dir="$SKEP_DIR/$1/" 'index($5, dir) { print "mount", $5 }' /proc/self/mountinfo | sort
	find /sys/fs/cgroup -type d -path "*$c*" -printf 'cgroup %P\n' 2>/dev/null | sort
	if [ -e "$SKEP_DIR/$1/run/$c" ]; then
		find "/proc/$(monitor "$1")/fd" -type l -printf '%l\n' | sed 's/\[[0-9]*\]//; s/[0-9][0-9]*$/N/' | sort
		awk '/^(Threads|Name)/' "/proc/$(monitor "$1")/status"
	fi
}
# Helpers that end by themselves, some ms later. Who is in the test's environment and is none of the hosts' own two.
helpers() {
	local f exe
	# shellcheck disable=SC2013 # words
	for f in $(grep -slzxF "SKEP_TEST_MARK=$SKEP_DIR" /proc/[0-9]*/environ); do
		exe=$(readlink "${f%environ}exe") || continue
		[[ $exe != "$BUILD"/skep* && $exe != */criu ]] || echo "${exe##*/}"
	done
}
only_monitor() { [ "$(helpers)" = skep-monitor ]; }
nothing_running() { wait_for 30 only_monitor || { helpers && return 1; }; }
# The host's end of a link has another name each time.
same_residue() { residue "$1" >"$SKEP_DIR/now.$1" && cmp -s "$SKEP_DIR/now.$1" "$2"; }

# within FILE NOW: each kind of memory is what it was, 5 % and half a MiB (of a C library's and criu's own habits) more or less.
# File pages that nobody has touched since are in the page cache, and not in Rss and Pss: of these only growth counts.
within() {
	join "$1" "$2" | awk '{ low = $2 * 0.95 - 512; high = $2 * 1.05 + 512 }
		$3 > high || ($3 < low && $1 !~ /^(Rss|Pss)$/) { print $1 " was " $2 " KiB and is " $3; bad = 1 } END { exit bad }'
}
memory() {
	"$REPO/tests/lib/inventory.py" "$(init)" memory | sed 's/group /group-/' | sort
	echo "monitor $(awk '/^RssAnon/ { print $2 }' "/proc/$(monitor "$at")/status")"
}

# family LIMIT: on A
family() {
	at=A
	on A skepctl -q create "$c" --template busybox --bridge br0 --ip 10.77.1.1/16 --memory "$1" --hostname estate --start
	for f in estate probe; do inside sh -c "cat >/root/$f; chmod +x /root/$f" <"$BUILD/$f"; done
	inside sh -c 'setsid /root/probe counter 7000 </dev/null >/dev/null 2>&1 & mkdir -p /root/tmpfs; mount -t tmpfs -o size=1m,mode=711 mine /root/tmpfs && echo kept >/root/tmpfs/file
		cd /root/tmpfs; exec 9</root/tmpfs/file; A_VARIABLE="a value" setsid /root/estate one two </dev/null >/root/estate.out 2>&1 &'
	wait_for 30 inside test -e /run/estate.ready || { inside cat /root/estate.out && return 1; }
}

generations() {
	local mode=${MODE:-$1} n to client at=A
	family 256M
	client_new client
	wait_for 30 in_net client "$PROBE" client 10.77.1.1 7000 0.1 10
	spawn client "$SKEP_DIR/numbers" "$PROBE" client 10.77.1.1 7000 0 10
	client=$SPAWNED
	wait_for 30 grep -q ready "$SKEP_DIR/numbers"
	residue B >"$SKEP_DIR/empty.B"
	facts >"$SKEP_DIR/facts" # who was stopped has the signal of the first question waiting from then on
	facts >"$SKEP_DIR/facts"
	[ "$(wc -l <"$SKEP_DIR/facts")" -gt 1000 ]
	memory >"$SKEP_DIR/memory"
	for n in $(seq "${GENERATIONS:-10}"); do
		to=B
		[ $at = A ] || to=A
		on $at skepctl migrate "$c" $to --mode "$mode" --rsh "$rsh"
		at=$to
		wait_for 30 same_facts || { echo "generation $n, mode $mode:"; diff "$SKEP_DIR/facts" "$SKEP_DIR/now"; return 1; }
		memory >"$SKEP_DIR/memory.now"
		# In the live modes a page that a fork had shared comes once for each process that has it (userfaultfd copies into one address space). That happens once, and
		# what a process has is the same.
		[ "$mode" = suspend ] || [ "$n" != 1 ] || {
			grep -E '^(Anonymous|Rss|Locked|Swap|monitor|group-shmem)' "$SKEP_DIR/memory" >"$SKEP_DIR/memory.own"
			within "$SKEP_DIR/memory.own" "$SKEP_DIR/memory.now"
			cp "$SKEP_DIR/memory.now" "$SKEP_DIR/memory"
		}
		within "$SKEP_DIR/memory" "$SKEP_DIR/memory.now"
		# The first time that a container came to a host by a move is what the later ones are compared with.
		for host in A B; do
			[ -e "$SKEP_DIR/after.$host.$at" ] || residue $host >"$SKEP_DIR/after.$host.$at"
			wait_for 30 same_residue $host "$SKEP_DIR/after.$host.$at" || { diff "$SKEP_DIR/after.$host.$at" "$SKEP_DIR/now.$host"; return 1; }
		done
	done
	# Of one that is not there, a host has what it had before there was one.
	diff "$SKEP_DIR/empty.B" "$SKEP_DIR/after.B.A"
	stop_spawned "$client"
	grep -q ' lost=0 ' "$SKEP_DIR/numbers"
}

@test "ten generations by precopy leave no residue" { generations precopy; }
@test "ten generations by postcopy leave no residue" { generations postcopy; }
@test "ten generations by suspend leave no residue" { generations suspend; }

# Nobody's mapping is like its parent's: see grow_large() in tests/estate.c.
@test "what would not fit into its limit without sharing goes by suspend, which keeps it" {
	family 64M
	(($(memory | awk '/^group-anon/ { print $2 }') < 40 * 1024))
	fails_with 5 'ends the sharing of memory' on A skepctl migrate "$c" B --mode precopy --rsh "$rsh"
	on A skepctl migrate "$c" B --rsh "$rsh" --json >"$SKEP_DIR/account"
	[ "$(jq -r .mode "$SKEP_DIR/account")" = suspend ]
	at=B
	[ "$(inside sh -c 'cat /proc/[0-9]*/comm | grep -cxE "estate|session|grandchild|user|low|rooted|stopped"')" = 7 ]
	(($(memory | awk '/^group-anon/ { print $2 }') < 40 * 1024))
}
