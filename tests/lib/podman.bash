# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# For bats files about skep's callers: `load ../lib/podman` brings tests/lib/oci.bash, too.
#
#   caller_setup, caller_teardown   for the file's setup() and teardown(): a network and a mount namespace that end with the test
#   in_caller CMD...   runs CMD in them; paths must be absolute
#   podman ...         Podman with its own storage and state below $SKEP_DIR, skep as its runtime
#   image              the image localhost/box of busybox and the probe
#   GROUP              words for podman: a control group of this test
# Podman and containerd leave directories and mounts in /run and /var/lib: here these are of the mount namespace. In it $CALLER is /mnt, too: Podman refuses a
# --runroot of over 50 characters.

# shellcheck source=tests/lib/oci.bash
. "${BASH_SOURCE[0]%/*}/oci.bash"

caller_setup() {
	oci_setup
	CALLER=$SKEP_DIR/caller
	# shellcheck disable=SC2034 # for the bats files
	GROUP=--cgroup-parent=/$ID
	mkdir "$CALLER"
	net_new caller
	in_net caller sysctl -qw net.ipv6.conf.default.disable_ipv6=1 # no address comes late
	(exec_in_net caller unshare --mount --propagation private sleep 10000 </dev/null >/dev/null 2>&1 3>&-) &
	CALLER_PID=$!
	SKEP_SPAWNED+=("$CALLER_PID")
	wait_for 30 caller_is_apart
	# shellcheck disable=SC2016 # the inner shell expands it
	in_caller sh -ec 'echo containers:1600000000:1000000 >"$1/subid"; mount --bind "$1/subid" /etc/subuid; mount --bind "$1/subid" /etc/subgid
		for dir in /run/netns /run/containers /run/containerd /run/libpod /var/lib/cni /var/lib/containers; do
			[ ! -d "$dir" ] || mount -t tmpfs caller "$dir"; done
		mount --bind "$1" /mnt' sh "$CALLER"
	cat >"$CALLER/containers.conf" <<-END
		[containers]
		default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
		log_driver = "k8s-file"
		[engine]
		runtime = "skep"
		cgroup_manager = "cgroupfs"
		events_logger = "file"
		lock_type = "file"
		[engine.runtimes]
		skep = ["$SKEP_DIR/here/bin/skep"]
	END
}

caller_is_apart() { [ "$(readlink "/proc/$CALLER_PID/ns/mnt")" != "$(readlink /proc/self/ns/mnt)" ] && [ "$(cat "/proc/$CALLER_PID/comm")" = sleep ]; }

caller_teardown() {
	local rc=0 dir
	[ ! -d "$CALLER/run" ] || podman rm --all --force --time 0 >/dev/null || rc=1
	[ ! -d "$CALLER/run" ] || podman pod rm --all --force --time 0 >/dev/null || rc=1
	[ ! -d "$CALLER/run" ] || wait_for 30 no_conmon || rc=1
	# Podman leaves the groups that it made for its containers and conmons.
	for dir in /sys/fs/cgroup/{,*/}"$ID"{/conmon,}; do [ ! -d "$dir" ] || leave_group "$dir" || rc=1; done
	oci_teardown || rc=1
	return $rc
}
# On a host that has a directory for a hierarchy, and nothing mounted there, Podman writes cgroup.procs in plain directories.
leave_group() { if [ "$(stat -f -c %T "$1")" = tmpfs ]; then rm -r "$1"; else rmdir "$1"; fi; }
# It cleans up behind its container by a podman of its own.
no_conmon() { ! grep -qszF "$CALLER/" /proc/[0-9]*/cmdline; }

in_caller() { nsenter --mount="/proc/$CALLER_PID/ns/mnt" --net="$(host_net caller)" -- "$@" 3>&-; }

podman() {
	# The host's systemd, if there is one, is to know nothing of health checks that a test does by hand.
	# It asks criu for its version, and that of `make deps` is in no PATH.
	in_caller env PATH="$PATH:/usr/local/lib/skep/criu/bin" CONTAINERS_CONF="$CALLER/containers.conf" DISABLE_HC_SYSTEMD=true DBUS_SYSTEM_BUS_ADDRESS=unix:path=/nonexistent \
		podman --root "$CALLER/root" --runroot /mnt/run --tmpdir "$CALLER/tmp" --network-config-dir "$CALLER/net" --storage-driver overlay "$@"
}

# A root file system in $CALLER/box, and the image localhost/box of it.
box() {
	local applet
	mkdir -p "$CALLER"/box/{bin,dev,etc,proc,sys,tmp}
	cp "$(command -v busybox)" "$PROBE" "$CALLER/box/bin"
	for applet in sh sleep cat id ls tty stty env echo true false kill hostname grep mount touch test readlink nc ip nproc mkdir stat wc dd; do
		ln -s busybox "$CALLER/box/bin/$applet"
	done
}
image() {
	box
	tar -C "$CALLER/box" -c . | podman import --quiet - localhost/box >/dev/null
}
