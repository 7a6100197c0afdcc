# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Virtual machines on a wire: for tests/run, play and the bats files (which only call what needs no process of ours).
#
#   hosts_open DIR           the wire: a bridge in a network namespace that has no other link; its own end is 10.77.0.254
#   hosts_boot NAME...       boots hosts, "a" (10.77.0.1) or "b" (10.77.0.2), or both at once; back when commands can be run there
#   hosts_restart NAME [CMD...]   CMD there (`reboot`), or without one the power fails: QEMU is killed; back when it is up again
#   hosts_close              all of it ends
#   on NAME CMD...           runs a command there, as root; standard input goes with it
#   outside CMD...           runs it on this machine, on the wire
#   put NAME FILE PATH       copies a file there
#   HERE                     the machine of a file that needs one only, and says so by a line "# host: $HERE"
#   only_if_all   skips a test unless HOSTS=all: what natively is tested as well, or seldom breaks, and takes minutes of translated code
#   template_probe NAME; empty NAME...   a template for tests; what a test leaves
#   ct_status NAME CT; sound NAME   "running" and so on, nothing where it is not; what must be true after any power cut
#
# Needs HOSTS_QEMU and HOSTS_IMAGE, what tests/hosts/prepare prints. Whatever is started here dies with the shell that started it,
# also when that is killed (PDEATHSIG), and the namespace, its links with it, dies with them: nothing is left on this machine.

# shellcheck source=tests/lib/host.bash
. "${BASH_SOURCE[0]%/*}/../lib/host.bash"

# QEMU's own wires (socket, dgram) join machines and nothing else: the client outside both hosts, and the bridge whose table shows where a MAC
# address is, need a place on it. Taps in a namespace without any other link give them one, and reach as little of this machine's network.

HOSTS_BASH=$(readlink -f "${BASH_SOURCE[0]}")
declare -gA HOSTS_ADDRESS=([a]=10.77.0.1 [b]=10.77.0.2) HOSTS_MAC=([a]=52:54:00:0a:4d:01 [b]=52:54:00:0a:4d:02)
HOSTS_SECONDS=${HOSTS_SECONDS:-600} HERE=${HERE:-a}

only_if_all() { [ "${HOSTS:-}" = all ] || skip 'not by default: HOSTS=all'; }
with_us() { exec setpriv --pdeathsig KILL "$@"; }
outside() { nsenter --net="/proc/$(cat "$HOSTS_DIR/wire.pid")/ns/net" -- "$@"; }
hosts_say() { printf 'hosts: %s\n' "$*" >&2; }

hosts_open() {
	local name
	export HOSTS_DIR=$1 HOSTS_QEMU HOSTS_IMAGE
	(with_us unshare --net sleep infinity </dev/null >/dev/null 2>&1 3>&-) &
	echo $! >"$HOSTS_DIR/wire.pid"
	# The namespace is there when it is another one than ours.
	for ((name = 0; name < 200; name++)); do
		[ "$(readlink "/proc/$!/ns/net")" = "$(readlink /proc/self/ns/net)" ] || break
		read -rt 0.05 <> <(:) || true
	done
	outside sh -ec 'ip link set lo up; ip link add wire type bridge; ip link set wire addrgenmode none
		ip addr add 10.77.0.254/16 dev wire; ip link set wire up'
}

# KVM is taken when a kernel really runs under it: where init is a program that ends, that is how it says so.
hosts_accelerator() {
	local said
	if [ -z "${HOSTS_ACCEL:-}" ]; then
		HOSTS_ACCEL=tcg,thread=multi
		if [ -w /dev/kvm ]; then
			said=$(timeout -k 1 20 setpriv --pdeathsig KILL "$HOSTS_QEMU/bin/qemu-system-x86_64" -L "$HOSTS_QEMU/share/qemu" \
				-L "$HOSTS_QEMU/share/seabios" -nodefaults -no-user-config -no-reboot -display none -machine q35 -accel kvm -cpu host \
				-m 512 -kernel "$HOSTS_IMAGE/vmlinuz" -initrd "$HOSTS_IMAGE/initrd.img" -serial stdio \
				-append 'console=ttyS0 quiet panic=-1 rdinit=/usr/bin/true' </dev/null 2>/dev/null) || true
			[[ $said != *'Attempted to kill init! exitcode=0x00000000'* ]] || HOSTS_ACCEL=kvm
		fi
	fi
	export HOSTS_ACCEL
}

# Its QEMU, in place of this shell. The disk's cache is what makes a power cut honest: with cache=unsafe, too, QEMU hands all that it holds to
# this machine's kernel when the guest flushes (bdrv_co_flush() calls the format's flush_to_os before it looks at BDRV_O_NO_FLUSH), and only the
# fsync(2) here is spared. So what was flushed survives the death of QEMU. What was written and not flushed is lost as long as it is in qcow2's
# tables in QEMU's memory, that is where the overlay got a new cluster for it; a write in place, by which an old cluster is changed again, is kept.
# A disk that loses those, too (blklogwrites and a replay), would have to write all twice, and find less than the guest's own page cache loses.
hosts_machine() { # NAME
	local cpu=Nehalem
	[ "$HOSTS_ACCEL" != kvm ] || cpu=host
	exec nsenter --net="/proc/$(cat "$HOSTS_DIR/wire.pid")/ns/net" -- setpriv --pdeathsig KILL \
		"$HOSTS_QEMU/bin/qemu-system-x86_64" -name "skep-$1" -L "$HOSTS_QEMU/share/qemu" -L "$HOSTS_QEMU/share/seabios" \
		-nodefaults -no-user-config -display none -machine q35 -cpu $cpu -accel "$HOSTS_ACCEL" \
		-smp 2 -m "${HOSTS_MEMORY:-1024}" -kernel "$HOSTS_IMAGE/vmlinuz" -initrd "$HOSTS_IMAGE/initrd.img" \
		-append "root=/dev/vda rw console=ttyS0 quiet systemd.hostname=$1 systemd.machine_id=$(printf %s "$1" | md5sum | cut -c1-32) net.ifnames=0 mitigations=off" \
		-drive "file=$HOSTS_DIR/$1.disk,if=virtio,cache=unsafe,discard=unmap" \
		-netdev "tap,id=wire,ifname=tap-$1,script=no,downscript=no" -device "virtio-net-pci,netdev=wire,mac=${HOSTS_MAC[$1]},romfile=" \
		-object rng-random,id=rng,filename=/dev/urandom -device virtio-rng-pci,rng=rng \
		-serial "file:$HOSTS_DIR/$1.serial" </dev/null >"$HOSTS_DIR/$1.qemu" 2>&1
}
# I am a child of the shell that opened the hosts, and die with it: the tests, which cut the power, are others, and end earlier.
hosts_keep_machine() { # NAME
	while rm -f "$HOSTS_DIR/$1.cut"; do
		: >"$HOSTS_DIR/$1.serial"
		hosts_machine "$1" &
		echo $! >"$HOSTS_DIR/$1.machine"
		wait $! 2>/dev/null || true
		[ -e "$HOSTS_DIR/$1.cut" ] || return 0
	done
}
# The same for one connection that all commands share: a handshake costs a second under TCG. After the host's start it is made again.
hosts_keep_connection() { # NAME
	while :; do
		until hosts_answers "$1"; do read -rt 0.3 <> <(:) || true; done
		rm -f "$HOSTS_DIR/$1.ctl"
		outside setpriv --pdeathsig KILL ssh -F /dev/null -MN -S "$HOSTS_DIR/$1.ctl" "${HOSTS_SSH[@]}" -i "$HOSTS_IMAGE/key" \
			"root@${HOSTS_ADDRESS[$1]}" </dev/null >"$HOSTS_DIR/$1.ssh" 2>&1 || true
		read -rt 0.3 <> <(:) || true
	done
}
hosts_keep() { # machine|connection NAME
	# shellcheck disable=SC2016 # that shell expands it
	(with_us bash -c '. "$1"; hosts_keep_$2 "$3"' - "$HOSTS_BASH" "$1" "$2" </dev/null >/dev/null 2>&1 3>&-) &
	echo $! >"$HOSTS_DIR/$2.keeps-$1"
}

hosts_boot() {
	local name began=$SECONDS
	hosts_accelerator
	for name in "$@"; do
		[ -e "$HOSTS_DIR/$name.disk" ] ||
			"$HOSTS_QEMU/bin/qemu-img" create -q -f qcow2 -b "$HOSTS_IMAGE/disk.img" -F raw "$HOSTS_DIR/$name.disk" || return 1
		outside sh -ec "ip link show tap-$name >/dev/null 2>&1 || ip tuntap add dev tap-$name mode tap vnet_hdr
			ip link set tap-$name addrgenmode none; ip link set tap-$name master wire up" || return 1
		hosts_keep machine "$name"
		hosts_keep connection "$name"
	done
	for name in "$@"; do hosts_wait "$name" $((began + HOSTS_SECONDS)) || return 1; done
	hosts_say "$* up after $((SECONDS - began)) s (${HOSTS_ACCEL%%,*})"
}

hosts_answers() { # its sshd says who it is
	# shellcheck disable=SC2016 # the inner shell expands it
	outside timeout 3 bash -c 'exec 3<>"/dev/tcp/$1/22" && read -rt 2 line <&3 && [[ $line == SSH-* ]]' - "${HOSTS_ADDRESS[$1]}" 2>/dev/null
}
hosts_connected() { ssh -F /dev/null -S "$HOSTS_DIR/$1.ctl" -O check "$1" 2>/dev/null; }
hosts_wait() { # NAME UNTIL
	until hosts_connected "$1"; do
		if ! kill -0 "$(cat "$HOSTS_DIR/$1.keeps-machine")" 2>/dev/null || ((SECONDS > $2)); then
			hosts_say "$1 does not come up; its QEMU, console and ssh:"
			tail -n 5 "$HOSTS_DIR/$1.qemu" "$HOSTS_DIR/$1.serial" "$HOSTS_DIR/$1.ssh" >&2
			return 1
		fi
		read -rt 0.3 <> <(:) || true
	done
}
HOSTS_SSH=(-o BatchMode=yes -o ConnectTimeout=20 -o ServerAliveInterval=10 -o ServerAliveCountMax=6 -o StrictHostKeyChecking=no
	-o UserKnownHostsFile=/dev/null -o LogLevel=ERROR)

on() { # as ssh takes it, one line for a shell of the other side; the words stay words
	local name=$1
	shift
	# Without the shared connection (the host was started again) it makes one of its own.
	outside ssh -F /dev/null -S "$HOSTS_DIR/$name.ctl" "${HOSTS_SSH[@]}" -i "$HOSTS_IMAGE/key" "root@${HOSTS_ADDRESS[$name]}" "$(printf '%q ' "$@")"
}
put() {
	# shellcheck disable=SC2016 # the other side expands it
	on "$1" sh -c 'cat >"$1.new" && mv "$1.new" "$1"' - "$3" <"$2"
}

# stop PIDFILE: by its id, and only while it is the child that was started here.
hosts_end() {
	local pid
	[ -s "$1" ] || return 0
	pid=$(cat "$1")
	kill -KILL "$pid" 2>/dev/null || true
	wait "$pid" 2>/dev/null || true
	rm -f "$1"
}
hosts_boot_id() { # NAME [SECONDS]
	outside timeout "${2:-10}" ssh -F /dev/null -S "$HOSTS_DIR/$1.ctl" -o ProxyCommand=false "root@$1" cat /proc/sys/kernel/random/boot_id 2>/dev/null
}
hosts_restart() {
	local name=$1 old new seconds=$SECONDS
	old=$(hosts_boot_id "$name" 60) && [ -n "$old" ] || return 1
	shift
	if [ $# -gt 0 ]; then
		on "$name" "$@" || true # its end may take our connection along
	else
		: >"$HOSTS_DIR/$name.cut"
		kill -KILL "$(cat "$HOSTS_DIR/$name.machine")" || return 1
	fi
	ssh -F /dev/null -S "$HOSTS_DIR/$name.ctl" -O exit "$name" 2>/dev/null || true
	until new=$(hosts_boot_id "$name") && [ -n "$new" ] && [ "$new" != "$old" ]; do
		((SECONDS - seconds < HOSTS_SECONDS)) || { hosts_say "$name does not come up again" && return 1; }
		# One to a host that was going down may wait for an answer for a minute.
		ssh -F /dev/null -S "$HOSTS_DIR/$name.ctl" -O exit "$name" 2>/dev/null || true
		wait_for 10 hosts_connected "$name" 2>/dev/null || true
	done
	on "$name" systemctl is-system-running --wait || true # a test that wants no failed unit says so
}
hosts_close() {
	local name
	for name in "$HOSTS_DIR"/*.keeps-*; do hosts_end "$name"; done
	hosts_end "$HOSTS_DIR/wire.pid"
} 2>/dev/null

# empty NAME...: destroys all containers there; for teardown().
empty() {
	local name
	for name in "$@"; do
		# shellcheck disable=SC2016 # the other side expands it
		on "$name" sh -c 'for c in $(ls /var/lib/skep/ct 2>/dev/null); do skepctl destroy --force "$c" || skepctl migrate --abort "$c"; done' >/dev/null || true
	done
}
# template_probe NAME: gives that host the template "probe", one static program.
template_probe() {
	on "$1" sh -ec 'skepctl template list | grep -q ^probe && exit
		mkdir -p /tmp/p/sbin /tmp/p/dev /tmp/p/proc /tmp/p/sys /tmp/p/tmp /tmp/p/etc /tmp/p/run
		cp /build/probe /tmp/p/probe && ln -sf /probe /tmp/p/sbin/init && skepctl template import probe /tmp/p'
}

ct_status() { on "$1" skepctl list -H -o status "$2" 2>/dev/null; }
# sound NAME: all of it can be read, nothing is half-made.
sound() {
	local left
	on "$1" skepctl list --json | jq -e '[.containers[] | select(.status == "broken")] == []' || return 1
	# A migration's target is whole, too: it says that it waits for a word.
	# shellcheck disable=SC2016 # the other side expands it
	left=$(on "$1" sh -c 'ls -A /var/lib/skep/ct | while read -r d; do
		skepctl info "$d" >/tmp/said 2>&1 || grep -q "is being received" /tmp/said || { echo "$d"; cat /tmp/said; }; done')
	[ -z "$left" ] || { echo "$left"; return 1; }
}

# hosts_install DIR NAME...: what tests/hosts/build made, in all of them at the same time.
hosts_install() {
	local dir=$1 name pid pids=() rc=0
	for name in "${@:2}"; do
		(put "$name" "$dir/skep.deb" /root/skep.deb && on "$name" dpkg -i /root/skep.deb >"$HOSTS_DIR/$name.dpkg" 2>&1 && on "$name" tar -C / -xf - <"$dir/tests.tar") &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do wait "$pid" || rc=1; done
	return $rc
}
