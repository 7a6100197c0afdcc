# SPDX-License-Identifier: GPL-2.0-only
# What stands in the way of a checkpoint is named before, by process; what does not is not. Each blocker is planted, and criu is seen to refuse it: a list that
# says more, or less, than criu does fails here.

# shellcheck disable=SC2016 # what stands in single quotes is for the container's shell

load ../lib/skep

setup() {
	skep_setup
	c=$(ct_name)
}
teardown() { skep_teardown; }

inside() { skepctl exec "$c" -- "$@"; }
is() { [ "$(skepctl list -H -o status "$c")" = "$1" ]; }
pid() { skepctl list -H -o pid "$c"; }
container() {
	template_busybox here
	skepctl create "$c" --template busybox --ip auto --memory 512M --nesting yes --start
	bring
}
bring() { inside sh -c 'cat >/bin/plant && chmod +x /bin/plant' <"$BUILD/plant"; }
planted() { inside test -e /run/plant.ready -o -e /run/plant.code; }
# One command inside for all that is to be done there: each is half a second in a machine whose code is translated.
waits='n=0; soon() { n=$((n + 1)); [ $n -lt 600 ] && sleep 0.05; }'
settled='until [ -e /run/plant.ready -o -e /run/plant.code ] || ! soon; do :; done; [ -e /run/plant.ready ] && exit; [ -e /run/plant.code ] && exit 1; exit 2'
# plant [joined] KIND [WORD]: 1 when this kernel has no such thing. joined: by the host's root, and adopted by the container.
plant() {
	local rc=0
	if [ "$1" = joined ]; then
		inside rm -f /run/plant.ready /run/plant.code
		join "$(pid)" -- /bin/plant --joined "${@:2}"
		inside sh -c "$waits; $settled" || rc=$?
	else
		inside sh -c "$waits; "'rm -f /run/plant.ready /run/plant.code
			setsid sh -c "plant $0 $1; echo \$? >/run/plant.code" </dev/null >/dev/null 2>&1 &'"
			$settled" "$@" || rc=$?
	fi
	[ $rc != 2 ] || echo "not planted: $*"
	return $rc
}
# All namespaces but the user's, and all control groups.
join() {
	local group dir
	group=$(jq -r .cgroup "$SKEP_DIR/here/run/$c/state.json")
	(
		while read -r dir; do
			[ ! -d "$dir/ct" ] || dir=$dir/ct
			echo "$BASHPID" >"$dir/cgroup.procs"
		done < <(find /sys/fs/cgroup -type d -path "*/$group")
		exec ${JOIN_BY:-} nsenter -t "$1" -m -u -i -n -C -T -p "${@:2}" </dev/null >/dev/null 2>&1 3>&-
	)
}
weed() {
	inside sh -c "$waits; "'{ killall -9 plant; umount -l /root/plant.dir; umount -l /root/plant.dir; umount -l /root/plant.file; } >/dev/null 2>&1
		while pidof plant >/dev/null; do soon || exit; done; rm -rf /root/plant.* /run/plant.* /dev/mqueue/*'
}
blockers() { skepctl suspend --check "$c" 2>/dev/null; }
clean() { [ "$(blockers)" = "CT $c: nothing stands in the way of a checkpoint" ]; }

# each TABLE: lines "[joined] KIND WORD | what the check says of process plant | what the dump says without it"; "? " before it: not every kernel has it.
each() {
	local row words named said out rc rows=0
	while IFS= read -r row; do
		[ -n "$row" ] || continue
		IFS='|' read -r words named said <<<"$row"
		words=${words% } named=${named# } named=${named% } said=${said# }
		# shellcheck disable=SC2086 # several words
		plant ${words#\? } || { [ "${words::2}" = '? ' ] && continue; echo "cannot plant: $words"; return 1; }
		rc=0
		out=$(skepctl suspend --check "$c" 2>&1) || rc=$?
		if [ $rc != 16 ] || ! grep -qE "^CT $c: (process [0-9]+ \(plant\) )?.*$named" <<<"$out"; then
			printf 'planted %s; wanted "%s", got %s: %s\n' "$words" "$named" "$rc" "$out"
			return 1
		fi
		# The verb itself says the same, at once, or lets criu try again where it may pass.
		rc=0
		out=$(skepctl suspend --no-check "$c" 2>&1) || rc=$?
		if [ $rc != 16 ] || [[ $out != *"$said"* || $out == *' criu: '* ]]; then
			printf 'planted %s; wanted "%s" from criu, got %s: %s\n' "$words" "$said" "$rc" "$out"
			return 1
		fi
		is running
		rows=$((rows + 1))
		weed
	done <<<"$1"
	echo "#: $rows planted, named and refused by criu" >&3
	clean
}

# bats test_tags=planted
@test "namespaces and processes that cannot be taken along are named" {
	container
	clean
	each '
ns uts | has namespaces of its own \(uts\) | namespaces of its own
ns ipc | has namespaces of its own \(ipc\) | namespaces of its own
ns pid | has namespaces of its own \(pid\) | namespaces of its own
ns user | has namespaces of its own \(user\) | namespaces of its own
ns time | has namespaces of its own \(time\) | namespaces of its own
ns cgroup | has namespaces of its own \(cgroup\) | namespaces of its own
nsfd | holds a namespace in which no process | holds a namespace
traced | is being traced by process [0-9]+ \(plant\) | is being traced
leader | has ended its first thread | ended its first thread
shared-vm | shares its memory with process [0-9]+ \(plant\) | share their memory
shared-fs | shares its working directory with process [0-9]+ \(plant\) | share their working directory
pidfd thread | holds a pidfd of a thread | pidfd of a thread
seccomp-notify | has the listener of a seccomp filter | seccomp filter
? landlock | has a Landlock rule set | landlock rule set
'
}

# bats test_tags=planted_all
@test "files, mounts and watches that cannot be taken along are named" {
	container
	each '
deleted 120 | has a deleted file of 120 MiB open.*/root/plant.deleted | too large
deleted 120,/run | has a deleted file of 120 MiB open.*/run/plant.deleted | too large
deleted 120,/root,mapped | has a deleted file of 120 MiB in its memory | too large
unmounted | file open that is on no mount.*; restart that program | on no mount
unmounted session | file open that is on no mount.*; log out of that session, or end it inside: loginctl terminate-session c2 | on no mount
hidden | file open that another mount hides: /root/plant.dir/f | another mount hides
covered | file open that a mount hides: /root/plant.dir/f | a mount hides
covered taken | file open that a mount hides: /root/plant.dir/f | a mount hides
tree | file open that is on no mount | on no mount
fscontext | has an unfinished mount | just making a mount
mqueue | has the POSIX message queue /plant open | on no mount
mount ramfs | mounted at /root/plant.dir whose kind \(ramfs\) | whose kind cannot
bind /proc/self/ns/net | has a namespace mounted at /root/plant.file | source cannot be seen
inotify deleted | watches a file that cannot be found | watches
inotify deleted-tmpfs | watches a file of /run that cannot be found | watched file cannot
inotify /proc/1 | watches a file of /proc that cannot be found | watches
epoll child | watches by epoll .* a file that it has closed | by epoll
'
}

@test "message queues that nobody has open are named, wherever they are mounted" {
	container
	inside sh -ec 'umount /dev/mqueue; mkdir "/root/my queues"; mount -t mqueue none "/root/my queues"; touch "/root/my queues/one"'
	[[ $(blockers) == *'has POSIX message queues (in /root/my\040queues)'* ]]
	inside rm '/root/my queues/one'
	clean
}

# bats test_tags=planted_all
@test "sockets that cannot be taken along are named" {
	container
	each '
cork | holds back a UDP packet | holds back
netlink-data | has not read what the kernel told it | has not read
netlink 16,40 | listens to a netlink group above 32 | netlink group
socket-elsewhere | has a socket of a network namespace in which no process | socket of a network namespace
? socket 2,1,262 | has a Multipath TCP socket | socket of a protocol
? socket 44,3,0 | has an? XDP socket | socket of a kind
? socket 2,1,132 | has a socket of the protocol SCTP | socket of a protocol
? socket 2,5,132 | has a socket of the protocol SCTP | socket of a protocol
? socket 38,5,0 | has an? kernel cryptography | socket of a kind
? socket 40,1,0 | has an? VM \(vsock\) socket | socket of a kind
unix-waiting closed | has not accepted a connection | just being made
unix-waiting data | has written into a connection | just being made
'
}

# bats test_tags=planted_all
@test "what a container may not have, but can be given by the host, is named" {
	container
	each '
joined uring | has an io_uring | io_uring
joined uring fd | has an io_uring | io_uring
joined uring map | has memory that is an io_uring | io_uring
? joined userfaultfd | has a userfaultfd | userfaultfd
? joined perf | has a performance counter | performance events
? joined bpf hash | has a BPF map | BPF map
? joined bpf percpu | has a BPF map | BPF map
? joined bpf prog | has a BPF map, program or link | BPF map, program
? joined secret | has secret memory | secret memory
? joined socket 40,1,0 | VM \(vsock\) socket | socket of a kind
'
}

@test "what a container is given open by the host, or brought into it, is named" {
	container
	plant joined inherited 9 9<>/dev/fuse
	[[ $(blockers) == *'(plant) has the device /dev/fuse open (descriptor 9)'* ]]
	fails_with 16 'device open' skepctl suspend --no-check "$c"
	weed
	printf '#!/usr/bin/python3\nimport os, sys\nos.dup2(os.pidfd_open(%d), 9)\nos.execvp(sys.argv[1], sys.argv[1:])\n' $$ >"$SKEP_DIR/with-pidfd"
	chmod +x "$SKEP_DIR/with-pidfd"
	JOIN_BY=$SKEP_DIR/with-pidfd plant joined inherited 9
	[[ $(blockers) == *'(plant) holds a pidfd of a process that is not in the container (descriptor 9)'* ]]
	fails_with 16 'pidfd of a process' skepctl suspend --no-check "$c"
	weed
	# No filter of system calls: it is our own check of what was restored that would refuse it.
	plant joined nothing
	[[ $(blockers) == *'process '*' (plant) has no system call filter'* ]]
	fails_with 16 'has no system call filter' skepctl suspend "$c"
	skepctl suspend --no-check "$c"
	fails_with 17 'has no system call filter' skepctl resume "$c"
	skepctl stop "$c"
	skepctl start "$c"
	bring
	plant joined fanotify inode
	[[ $(blockers) == *'(plant) watches by fanotify as only'* ]]
	skepctl suspend --no-check "$c"
	fails_with 17 'by fanotify' skepctl resume "$c"
}

@test "programs outside, and their sessions, are named" {
	container
	spawn here "$SKEP_DIR/guest" skepctl exec "$c" -- sleep 300
	guest=$SPAWNED
	wait_for 30 inside pidof sleep
	[[ $(blockers) == *"(sleep) was brought into the container from outside"* ]]
	stop_spawned "$guest" || true
	wait_for 30 not inside pidof sleep
	# Adopted by the container, and still of a session of the host's.
	inside rm -f /run/plant.ready
	join "$(pid)" -U -S 0 -G 0 -- sh -c 'plant nothing >/dev/null 2>&1 </dev/null 3>&- &'
	wait_for 30 planted
	[[ $(blockers) == *'(plant) belongs to a session outside'* ]]
	fails_with 16 'belongs to a session outside' skepctl suspend --no-check "$c"
	weed
	# A file of the host's as its output.
	inside sh -c 'setsid plant nothing </dev/null &' >"$SKEP_DIR/out" 2>&1
	wait_for 30 planted
	[[ $(blockers) == *'(plant) has a file open that is on no mount of the container: '*/out* ]]
	fails_with 16 'on no mount' skepctl suspend --no-check "$c"
	weed
	# Connected to a server of the host's.
	spawn here "$SKEP_DIR/server" python3 -c 'import os, socket, sys, time
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); os.chmod(sys.argv[1], 0o777); s.listen(); c = s.accept(); time.sleep(300)' "/proc/$(pid)/root/root/out.socket"
	wait_for 30 inside test -S /root/out.socket
	plant unix /root/out.socket
	[[ $(blockers) == *"(plant) is connected (descriptor "*") to process $SPAWNED (python3), which is outside"* ]]
	fails_with 16 'connected to a program outside' skepctl suspend --no-check "$c"
	stop_spawned "$SPAWNED" || true
	weed
	# Half of its connection would be lost.
	inside ip -6 addr add fd00:77::5/128 dev lo
	plant link-local fd00:77::5
	[[ $(blockers) == *'(plant) has a connection to a link-local IPv6 address'* ]]
	weed
	# A link that is not of the usual kinds.
	in_net_of() { nsenter -t "$(pid)" -n -- "$@"; }
	in_net_of ip link add apart type vxlan id 5 dstport 4789 dev eth0
	[[ $(blockers) == "CT $c: has a network link apart of a kind that cannot be taken along (vxlan)"* ]]
	fails_with 16 'network link of a kind' skepctl suspend --no-check "$c"
	in_net_of ip link delete apart
	in_net_of ip link add link eth0 name apart type macvlan
	[[ $(blockers) == *'network link apart'*'(macvlan)'* ]]
	in_net_of ip link delete apart
	in_net_of ip link add apart type bridge
	in_net_of ip link add apart2 type veth peer name apart3
	clean
	skepctl suspend "$c"
	skepctl resume "$c"
	clean
}
not() { ! "$@"; }

locks() { inside sh -c 'for p in $(pidof plant); do grep -hE "^lock:" /proc/$p/fdinfo/*; done' | awk '{ $6 = $7 = ""; print }' | sort; }

# bats test_tags=planted
@test "what criu takes along is not named" {
	local row before
	container
	# As after an upgrade: program, working directory and an open file are gone, or their names are others'.
	inside sh -c 'mkdir /root/dir; cp /bin/plant /root/dir/plant; cd /root/dir; echo old >file; ln file /root/link; exec 7<file; setsid ./plant nothing </dev/null >/dev/null 2>&1 &
		until [ -e /run/plant.ready ]; do sleep 0.05; done
		rm /root/dir/file /root/dir/plant; echo new >/root/link2; mv /root/link2 /root/link; rmdir /root/dir; mkdir /root/dir'
	wait_for 30 planted
	clean
	skepctl suspend "$c"
	skepctl resume "$c"
	clean
	weed
	while IFS= read -r row; do
		[ -n "$row" ] || continue
		# shellcheck disable=SC2086
		plant ${row#\? } || { [ "${row::2}" = '? ' ] && continue; echo "cannot plant: $row"; false; }
		clean || { echo "planted $row:"; blockers; false; }
		before=$(locks)
		skepctl suspend "$c"
		skepctl resume "$c"
		inside pidof plant >/dev/null || { echo "$row: plant has gone"; false; }
		[[ "$(locks)" == "$before" && (${row% *} != lock || $before == *WRITE*) ]] || { echo "$row: was $before and is $(locks)"; false; }
		weed
	done <<-'EOF'
		nothing
		ns net
		ns mnt
		memfd
		locked
		device-map /dev/zero
		aio
		packet
		packet ring
		netlink 0,1
		netlink 15,1
		socket 2,3,255
		socket 10,3,58
		unix-waiting x
		scm
		deleted 90
		mount tmpfs
		mount proc
		bind /etc/passwd
		open /proc/1/ns/net
		open-rdwr /dev/ptmx
		inotify /root
		inotify /sys/fs/cgroup
		fanotify fid,inode
		lease
		lock flock
		lock ofd
		lock posix
		lock mapped
		lock private
		lock twice
		epoll dup
		pidfd child
		pidfd zombie
		pidfd dead
		seccomp-notify plain
		stopped
		zombie
		sem-undo
		tty session
	EOF
}

# bats test_tags=planted_all
@test "what its definition does not give it any more is named" {
	container
	skepctl set "$c" --cap-drop CAP_NET_RAW
	[[ $(blockers) == "CT $c: runs with the capability CAP_NET_RAW, which its definition does not give it any more; stop and start it, "* ]]
	fails_with 16 'CAP_NET_RAW' skepctl suspend "$c"
	skepctl suspend --no-check "$c"
	fails_with 17 'has a capability that its definition does not give' skepctl resume "$c"
	skepctl stop "$c"
	skepctl start "$c"
	clean
	# More than it has is no harm.
	skepctl set "$c" --cap-add CAP_SYS_TIME
	clean
	skepctl suspend "$c"
	skepctl resume "$c"
}

# bats test_tags=planted_all
@test "a lock that init would lose is named" {
	mkdir -p "$SKEP_DIR"/root/{dev,proc,sys,tmp,run,root}
	cp "$BUILD/plant" "$SKEP_DIR/root/plant"
	skepctl template import plant "$SKEP_DIR/root"
	skepctl create "$c" --template plant --network none --init '/plant lock posix' --start
	is_ready() { [ -e "/proc/$(pid)/root/run/plant.ready" ]; }
	wait_for 30 is_ready
	clean
	skepctl suspend "$c"
	skepctl resume "$c"
	clean
	skepctl destroy --force "$c"
	skepctl create "$c" --template plant --network none --init '/plant lock mapped' --start
	wait_for 30 is_ready
	[[ $(blockers) == "CT $c: process 1 (plant) "*'would lose the lock on /root/plant.lock (descriptor '* ]]
	fails_with 16 'would lose the lock' skepctl suspend "$c"
	skepctl suspend --no-check "$c"
	fails_with 17 'process 1 has lost its lock' skepctl resume "$c"
}

@test "the check as a command: words, JSON, several containers, exit codes" {
	container
	d=$(ct_name)
	skepctl create "$d" --template busybox --network none
	fails_with 31 "$d" skepctl suspend --check "$d"
	fails_with 14 nobody skepctl suspend --check nobody
	fails_with 20 '--check' skepctl suspend --json "$c"
	skepctl suspend --check --json "$c" | jq -e --arg c "$c" '.name == $c and .blockers == []'
	plant ns uts
	fails_with 16 'one thing stands in the way' skepctl suspend --check "$c"
	{ skepctl suspend --check --json "$c" 2>/dev/null || [ $? = 16 ]; } |
		jq -e '.blockers[0] | .kind == "namespace" and .process == "plant" and .unit == null and (.pid > 1) and (.fix | length > 0)'
	fails_with 16 "process" skepctl suspend "$c"
	is running
	# It is for reading: whoever works on it is not in its way.
	exec {lock}<"$SKEP_DIR/here/lib/ct/$c/lock"
	flock "$lock"
	fails_with 16 'one thing' skepctl suspend --check "$c"
	flock -u "$lock"
	exec {lock}<&-
	weed
	skepctl start "$d"
	skepctl suspend --check --all
	[ "$(skepctl suspend --check "$c" "$d" | grep -c 'nothing stands in the way')" = 2 ]
	skepctl suspend "$c"
	fails_with 31 'suspended' skepctl suspend --check "$c"
}

@test "migrate --dry-run names what stands in the way here, and what the other host's processor lacks" {
	local rsh host
	host_new A
	host_new B
	rsh=$(host_rsh)
	mkdir -p "$SKEP_DIR"/root/{dev,proc,sys,tmp,run}
	cp "$BUILD/plant" "$SKEP_DIR/root/plant"
	for host in A B; do on $host skepctl template import plant "$SKEP_DIR/root"; done
	on A skepctl create "$c" --template plant --bridge br0 --ip 10.77.1.1/16 --init '/plant seccomp-notify' --start
	wait_for 30 [ -e "/proc/$(on A skepctl list -H -o pid "$c")/root/run/plant.ready" ]
	dry() { on A skepctl migrate --dry-run "$c" B --rsh "$rsh" "$@"; }
	fails_with 16 'process 1 (plant) has the listener of a seccomp filter' dry
	fails_with 16 'one thing stands in the way' dry --fallback live,suspend
	{ dry --json 2>/dev/null || [ $? = 16 ]; } | jq -e '.blockers[0].kind == "seccomp" and .blockers[0].pid == 1'
	dry --mode restart | grep -q "CT $c: it would be moved to B in mode restart: nothing stands against it"
	# What is left when the live one cannot be; what stands against that is told all the same.
	dry --fallback live,restart >"$SKEP_DIR/said"
	grep -q 'process 1 (plant) has the listener of a seccomp filter' "$SKEP_DIR/said"
	grep -q "CT $c: it would be moved to B in mode restart, which needs no checkpoint" "$SKEP_DIR/said"
	dry --json --fallback live,suspend,restart | jq -e '.mode == "restart" and (.blockers | length) == 1'
	# The move itself looks before it sends anything.
	fails_with 16 'has the listener of a seccomp filter' on A skepctl migrate "$c" B --rsh "$rsh"
	[ -z "$(ls "$SKEP_DIR/B/lib/ct")" ]
	[ "$(on A skepctl list -H -o status "$c")" = running ]
	on A skepctl destroy --force "$c"

	on A skepctl create "$c" --template plant --bridge br0 --ip 10.77.1.1/16 --init '/plant nothing' --start
	dry | grep -q 'in mode precopy: nothing stands against it'
	dry --json --fallback live,restart | jq -e '.mode == "precopy" and .blockers == []'
	grep -q '^flags.* sse2 ' /proc/cpuinfo || skip 'no x86'
	sed 's/ sse2 / /' /proc/cpuinfo >"$SKEP_DIR/cpuinfo"
	printf '#!/bin/sh\nexec unshare -m sh -c "mount --bind %q /proc/cpuinfo; exec skepctl \\"\\$@\\"" - "$@"\n' "$SKEP_DIR/cpuinfo" >"$SKEP_DIR/B/bin/old"
	chmod +x "$SKEP_DIR/B/bin/old"
	fails_with 5 "the processor lacks what the container's programs may use: sse2" dry --remote old
	fails_with 5 'sse2' on A skepctl migrate "$c" B --rsh "$rsh" --remote old
	dry --remote old --mode restart
	[ -z "$(ls "$SKEP_DIR/B/lib/ct")" ]
	[ "$(on A skepctl list -H -o status "$c")" = running ]
}
