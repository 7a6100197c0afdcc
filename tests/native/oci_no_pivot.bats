# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2016 # what is in single quotes is for the shell in the container
# --no-pivot, as it is of use where the host's root is the initial ramdisk: pivot_root(2) fails there with EINVAL.

bats_require_minimum_version 1.5.0
load ../lib/oci

setup() { oci_setup; }
teardown() { oci_teardown; }

# As on such a host. (A sanitizer's search for leaks needs ptrace for itself.)
on_ramdisk=(env ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0" strace -f -qq -o /dev/null -e trace=pivot_root -e inject=pivot_root:error=EINVAL --)
ramdisk() { in_net here "${on_ramdisk[@]}" "$SKEP_DIR/here/bin/skep" "$@"; }

# A bundle in which a user namespace of its own tries to mount what its masks hide.
bare() {
	bundle '.process.args = ["unshare", "-mrpfn", "sh", "-c", "mount -t proc none /proc || mount -t sysfs none /sys"] | .linux.maskedPaths = ["/proc/timer_list", "/sys/firmware"]
		| (.process.capabilities | .bounding, .permitted, .effective) += ["CAP_SETFCAP"]'
	ln -s busybox "$BUNDLE/rootfs/bin/unshare"
}

refused() { [[ $status = 1 && $(grep -c 'mount: permission denied' <<<"$output") = 2 ]] || { echo "$1: $status: $output" && return 1; }; }

@test "run --no-pivot: the container's root, and no way out of it" {
	local on pid
	bundle '.process.args = ["sh", "-c", "cat /etc/passwd; cd ../../..; pwd; ls; sleep 1000"] | .root.readonly = true
		| .process.capabilities.bounding += ["CAP_SYS_CHROOT"] | .process.capabilities.permitted += ["CAP_SYS_CHROOT"] | .process.capabilities.effective += ["CAP_SYS_CHROOT"]'
	echo mine >"$BUNDLE/rootfs/mine"
	for on in oci ramdisk; do
		"$on" run --no-pivot --bundle "$BUNDLE" "$ID" >"$SKEP_DIR/out" 3>&- &
		pid=$!
		wait_for 30 grep -q mine "$SKEP_DIR/out"
		grep -q joe "$SKEP_DIR/out"
		run ! oci exec "$ID" sh -c 'echo x >/y'
		[ "$(oci exec "$ID" cat /mine)" = mine ]
		# A chroot within leaves its caller outside of the new root: it still meets only the container's.
		[ "$(oci exec --cap CAP_SYS_CHROOT "$ID" probe escape mine)" = mine ]
		[ "$(oci exec "$ID" sh -c 'cut -d" " -f5 /proc/self/mountinfo | sort | uniq -d')" = '' ]
		oci delete --force "$ID"
		wait "$pid" || true
	done
}

@test "run without --no-pivot on the initial ramdisk: an error that names the call, and the flag" {
	bundle '.process.args = ["true"]'
	fails_with 1 'pivot_root: Invalid argument' ramdisk run --bundle "$BUNDLE" "$ID"
	fails_with 1 'run --no-pivot' ramdisk run --bundle "$BUNDLE" "$ID"
	oci_gone "$ID"
}

@test "run --no-pivot: a user namespace inside mounts no bare procfs or sysfs, for the host's are not there" {
	local of on
	bare
	for of in host userns; do
		for on in 'oci run' 'oci run --no-pivot' 'ramdisk run --no-pivot'; do
			# shellcheck disable=SC2086 # words
			run $on --bundle "$BUNDLE" "$ID"
			refused "$of $on"
		done
		[ $of = userns ] || with_userns
	done
}

# hides PROGRAM...: with a procfs and a sysfs of the host below another mount.
hides() {
	mkdir -p "$SKEP_DIR/w"
	# shellcheck disable=SC2016 # for that shell
	in_net here unshare -m --propagation private sh -ec 'mount -t tmpfs none "$0"; mkdir "$0/proc" "$0/sys"; mount -t proc none "$0/proc"; mount -t sysfs none "$0/sys"; mount -t tmpfs none "$0"; exec "$@"' "$SKEP_DIR/w" "$@"
}

@test "run --no-pivot: nor one that was mounted over; where it is not to be had, for the mounts of a user namespace are locked, that is said" {
	bare
	run hides "${on_ramdisk[@]}" "$SKEP_DIR/here/bin/skep" run --no-pivot --bundle "$BUNDLE" "$ID"
	refused ramdisk
	with_userns
	run hides "$SKEP_DIR/here/bin/skep" run --no-pivot --bundle "$BUNDLE" "$ID"
	refused userns
	fails_with 1 'can be neither unmounted nor covered' hides "${on_ramdisk[@]}" "$SKEP_DIR/here/bin/skep" run --no-pivot --bundle "$BUNDLE" "$ID"
	oci_gone "$ID"
}

@test "run --no-pivot: nor one that the host mounts later, where its mounts arrive" {
	local on words
	bare
	configure '.process.args = ["sh", "-c", "until busybox grep -q /late/w /proc/self/mountinfo; do sleep 0.1; done; exec unshare -mrpfn sh -c \"mount -t proc none /proc || mount -t sysfs none /sys\""]
		| .mounts += [{destination: "/late", source: "'"$SKEP_DIR"'/late", options: ["rbind", "rslave"]}] | .linux.rootfsPropagation = "rslave"'
	mkdir -p "$SKEP_DIR/late/w" "$SKEP_DIR/w"
	for on in oci ramdisk; do
		words=("$SKEP_DIR/here/bin/skep" run --no-pivot --pid-file "$SKEP_DIR/pid" --bundle "$BUNDLE" "$ID")
		[ $on = oci ] || words=("${on_ramdisk[@]}" "${words[@]}")
		# shellcheck disable=SC2016 # for that shell
		run in_net here timeout 60 unshare -m --propagation shared sh -ec 'mount --bind "$0/late" "$0/late"; mount --make-shared "$0/late"
			"$@" & until [ -s "$0/pid" ]; do sleep 0.1; done
			mount -t proc none "$0/w"; mount -t sysfs none "$0/w"; mount -t tmpfs none "$0/late/w"; wait $!' "$SKEP_DIR" "${words[@]}"
		refused "$on"
		rm "$SKEP_DIR/pid"
	done
}

@test "run --no-pivot: in a user namespace one that could still come in is an error; one that hides another of its kind is not" {
	bare
	with_userns
	# shellcheck disable=SC2016 # for that shell
	run in_net here unshare -m --propagation private sh -ec 'mount -t proc none /proc; exec "$@"' sh "${on_ramdisk[@]}" "$SKEP_DIR/here/bin/skep" run --no-pivot --bundle "$BUNDLE" "$ID"
	refused twice
	configure '.linux.rootfsPropagation = "rslave"'
	mkdir -m 700 "$SKEP_DIR/late"
	# shellcheck disable=SC2016 # for that shell
	fails_with 1 'late cannot be cut off' in_net here unshare -m --propagation shared sh -ec 'mount -t tmpfs none "$0/late"; exec "$@"' "$SKEP_DIR" "${on_ramdisk[@]}" "$SKEP_DIR/here/bin/skep" run --no-pivot --bundle "$BUNDLE" "$ID"
	oci_gone "$ID"
}

# runtime/exec.c, open_root(): the mount namespace's own root is the host's.
@test "exec: in the container's root, whatever the container does to its mounts" {
	local pid
	bundle '.process.args = ["sh", "-c", "umount -l /; echo gone >/gone; sleep 1000"] | .root.readonly = false | (.process.capabilities | .bounding, .permitted, .effective) += ["CAP_SYS_ADMIN"]'
	ln -s busybox "$BUNDLE/rootfs/bin/umount"
	ramdisk run --no-pivot --bundle "$BUNDLE" "$ID" >/dev/null 3>&- &
	pid=$!
	wait_for 30 test -e "$BUNDLE/rootfs/gone"
	[ "$(oci exec "$ID" cat /gone)" = gone ]
	[ "$(oci exec --cap CAP_SYS_CHROOT "$ID" probe escape gone)" = gone ]
	run ! oci exec "$ID" test -e "$SKEP_DIR"
	oci delete --force "$ID"
	wait "$pid" || true
}

@test "run --no-pivot: a hook of createContainer finds the root file system at its path, with what is mounted in it" {
	local on
	bundle '.process.args = ["sh", "-c", "cat /marker/of-hook; probe escape mine"] | (.process.capabilities | .bounding, .permitted, .effective) += ["CAP_SYS_CHROOT"]'
	echo inside >"$BUNDLE/rootfs/mine"
	mkdir "$BUNDLE/rootfs/marker"
	configure ".hooks.createContainer = [{path: \"/bin/sh\", args: [\"sh\", \"-c\", \"mount -t tmpfs hook $BUNDLE/rootfs/marker && echo mounted >$BUNDLE/rootfs/marker/of-hook\"]}]"
	for on in oci ramdisk; do
		[ "$("$on" run --no-pivot --bundle "$BUNDLE" "$ID")" = $'mounted\ninside' ]
	done
	# pivot_root(2) cannot leave a shared mount either, nor could the root be moved away from one.
	configure '.hooks.createContainer[0].args[2] += " && mount --make-rshared /"'
	[ "$(oci run --no-pivot --bundle "$BUNDLE" "$ID")" = $'mounted\ninside' ]
	[ ! -e "$BUNDLE/rootfs/marker/of-hook" ]
}
