# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Virtual machines on a wire: for tests/hosts/run, play and the bats files (which only call what needs no process of ours).
#
#   hosts_open DIR           the wire: a bridge in a network namespace that has no other link; its own end is 10.77.0.254
#   hosts_boot NAME...       boots hosts, "a" (10.77.0.1) or "b" (10.77.0.2), or both at once; back when commands can be run there
#   hosts_restart NAME [CMD...]   CMD there (`reboot`), or without one the power fails; back when it is up again
#   hosts_close              all of it ends
#   on NAME CMD...           runs a command there, as root; standard input goes with it
#   outside CMD...           runs it on this machine, on the wire
#   put NAME FILE PATH       copies a file there
#   template_probe NAME; empty NAME...   a template for tests; what a test leaves
#
# Needs HOSTS_QEMU and HOSTS_IMAGE, what tests/hosts/prepare prints. Whatever is started here dies with the shell that started it,
# also when that is killed (PDEATHSIG), and the namespace, its links with it, dies with them: nothing is left on this machine.

# shellcheck source=tests/lib/host.bash
. "${BASH_SOURCE[0]%/*}/../lib/host.bash"

declare -gA HOSTS_ADDRESS=([a]=10.77.0.1 [b]=10.77.0.2) HOSTS_MAC=([a]=52:54:00:0a:4d:01 [b]=52:54:00:0a:4d:02)
HOSTS_SECONDS=${HOSTS_SECONDS:-150}

with_us() { exec setpriv --pdeathsig KILL "$@"; }
outside() { nsenter --net="/proc/$(cat "$HOSTS_DIR/wire.pid")/ns/net" -- "$@"; }
hosts_say() { printf 'hosts: %s\n' "$*" >&2; }

hosts_open() {
	local name
	export HOSTS_DIR=$1
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

hosts_boot() {
	local name cpu=Nehalem began=$SECONDS
	hosts_accelerator
	[ "$HOSTS_ACCEL" != kvm ] || cpu=host
	for name in "$@"; do
		[ -e "$HOSTS_DIR/$name.disk" ] ||
			"$HOSTS_QEMU/bin/qemu-img" create -q -f qcow2 -b "$HOSTS_IMAGE/disk.img" -F raw "$HOSTS_DIR/$name.disk" || return 1
		outside sh -ec "ip link show tap-$name >/dev/null 2>&1 || ip tuntap add dev tap-$name mode tap vnet_hdr
			ip link set tap-$name addrgenmode none; ip link set tap-$name master wire up" || return 1
		: >"$HOSTS_DIR/$name.serial"
		(exec nsenter --net="/proc/$(cat "$HOSTS_DIR/wire.pid")/ns/net" -- setpriv --pdeathsig KILL \
			"$HOSTS_QEMU/bin/qemu-system-x86_64" -name "skep-$name" -L "$HOSTS_QEMU/share/qemu" -L "$HOSTS_QEMU/share/seabios" \
			-nodefaults -no-user-config -display none -machine q35 -cpu $cpu -accel "$HOSTS_ACCEL" \
			-smp 2 -m "${HOSTS_MEMORY:-1024}" -kernel "$HOSTS_IMAGE/vmlinuz" -initrd "$HOSTS_IMAGE/initrd.img" \
			-append "root=/dev/vda rw console=ttyS0 quiet systemd.hostname=$name systemd.machine_id=$(printf %s "$name" | md5sum | cut -c1-32) net.ifnames=0 mitigations=off" \
			-drive "file=$HOSTS_DIR/$name.disk,if=virtio,cache=unsafe,discard=unmap" \
			-netdev "tap,id=wire,ifname=tap-$name,script=no,downscript=no" -device "virtio-net-pci,netdev=wire,mac=${HOSTS_MAC[$name]},romfile=" \
			-object rng-random,id=rng,filename=/dev/urandom -device virtio-rng-pci,rng=rng \
			-monitor "unix:$HOSTS_DIR/$name.monitor,server=on,wait=off" -serial "file:$HOSTS_DIR/$name.serial" </dev/null >"$HOSTS_DIR/$name.qemu" 2>&1 3>&-) &
		echo $! >"$HOSTS_DIR/$name.pid"
	done
	for name in "$@"; do hosts_wait "$name" $((began + HOSTS_SECONDS)) || return 1; done
	hosts_say "$* up after $((SECONDS - began)) s (${HOSTS_ACCEL%%,*})"
}

hosts_answers() { # its sshd says who it is
	# shellcheck disable=SC2016 # the inner shell expands it
	outside timeout 3 bash -c 'exec 3<>"/dev/tcp/$1/22" && read -rt 2 line <&3 && [[ $line == SSH-* ]]' - "${HOSTS_ADDRESS[$1]}" 2>/dev/null
}
hosts_wait() { # NAME UNTIL
	until hosts_answers "$1"; do
		if ! kill -0 "$(cat "$HOSTS_DIR/$1.pid")" 2>/dev/null || ((SECONDS > $2)); then
			hosts_say "$1 does not come up; its QEMU and console:"
			tail -n 5 "$HOSTS_DIR/$1.qemu" "$HOSTS_DIR/$1.serial" >&2
			return 1
		fi
		read -rt 0.3 <> <(:) || true
	done
	# One connection for all commands: a handshake costs a second under TCG.
	(exec nsenter --net="/proc/$(cat "$HOSTS_DIR/wire.pid")/ns/net" -- setpriv --pdeathsig KILL \
		ssh -F /dev/null -MN -S "$HOSTS_DIR/$1.ctl" "${HOSTS_SSH[@]}" -i "$HOSTS_IMAGE/key" "root@${HOSTS_ADDRESS[$1]}" \
		</dev/null >"$HOSTS_DIR/$1.ssh" 2>&1 3>&-) &
	echo $! >"$HOSTS_DIR/$1.ssh-pid"
	until ssh -F /dev/null -S "$HOSTS_DIR/$1.ctl" -O check "$1" 2>/dev/null; do
		if ! kill -0 "$(cat "$HOSTS_DIR/$1.ssh-pid")" 2>/dev/null || ((SECONDS > $2)); then
			hosts_say "$1 does not let us in: $(cat "$HOSTS_DIR/$1.ssh")"
			return 1
		fi
		read -rt 0.1 <> <(:) || true
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
hosts_restart() {
	local name=$1 old seconds=$SECONDS
	old=$(on "$name" cat /proc/sys/kernel/random/boot_id)
	shift
	if [ $# -gt 0 ]; then
		on "$name" "$@" || true # its end may take our connection along
	else
		# What is not on the disk yet is lost.
		echo system_reset | timeout 5 ncat -U "$HOSTS_DIR/$name.monitor" >/dev/null || return 1
	fi
	ssh -F /dev/null -S "$HOSTS_DIR/$name.ctl" -O exit "$name" 2>/dev/null || true
	until hosts_answers "$name" && [ "$(on "$name" cat /proc/sys/kernel/random/boot_id 2>/dev/null)" != "$old" ] &&
		on "$name" systemctl is-system-running --wait >/dev/null; do
		((SECONDS - seconds < HOSTS_SECONDS)) || { hosts_say "$name does not come up again" && return 1; }
		read -rt 0.5 <> <(:) || true
	done
}
hosts_close() {
	local name
	for name in a b; do
		hosts_end "$HOSTS_DIR/$name.pid"
		hosts_end "$HOSTS_DIR/$name.ssh-pid"
	done
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

# hosts_install NAME DIR: what tests/hosts/build made.
hosts_install() {
	put "$1" "$2/skep.deb" /root/skep.deb && on "$1" dpkg -i /root/skep.deb >"$HOSTS_DIR/$1.dpkg" 2>&1 && on "$1" tar -C / -xf - <"$2/tests.tar"
}
