# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2016 # what is in single quotes is for the shell in the container
# The runtime-spec's MUSTs in config-linux.md, each test named by its section.

bats_require_minimum_version 1.5.0
load ../lib/oci

setup() { oci_setup; }
teardown() { oci_teardown; }

refused() { fails_with 1 "$1" oci run --bundle "$BUNDLE" "$ID"; }
output_is() { [ "$(oci run --bundle "$BUNDLE" "$ID")" = "$1" ]; }

@test "config-linux.md, Default Filesystems: proc, sys, devpts, shm can be mounted and used" {
	bundle '.process.args = ["sh", "-c", "cat /proc/1/comm; ls -d /sys/class; test -c /dev/ptmx && echo pts; echo x >/dev/shm/x && cat /dev/shm/x"]'
	output_is $'sh\n/sys/class\npts\nx'
}

@test "config-linux.md, Default Filesystems: devpts and shm are there without being listed; devpts alone, when it alone is listed" {
	bundle '.mounts |= map(select(.destination | IN("/dev/pts", "/dev/shm", "/dev/mqueue") | not))
		| .process.args = ["sh", "-c", "test -c /dev/ptmx && echo pts; echo x >/dev/shm/x && cat /dev/shm/x"]'
	output_is $'pts\nx'
	bundle '.mounts |= map(select(.destination != "/dev/shm")) | .process.args = ["sh", "-c", "test -c /dev/ptmx && echo pts; test -e /dev/shm || echo none"]'
	output_is $'pts\nnone'
}

@test "config-linux.md, Namespaces: one that is listed is new, one that is not is the runtime's" {
	local kind
	bundle '.process.args = ["sh", "-c", "for n in pid net ipc uts mnt cgroup user; do readlink /proc/self/ns/$n; done"]'
	oci run --bundle "$BUNDLE" "$ID" >"$SKEP_DIR/own"
	for kind in pid net ipc uts mnt cgroup; do
		run ! grep -qF "$(in_net here readlink /proc/self/ns/$kind)" "$SKEP_DIR/own"
	done
	grep -qF "$(readlink /proc/self/ns/user)" "$SKEP_DIR/own"
	configure 'del(.hostname) | .linux.namespaces = [{type: "mount"}]'
	oci run --bundle "$BUNDLE" "$ID" >"$SKEP_DIR/shared"
	for kind in pid net ipc uts cgroup user; do
		grep -qF "$(in_net here readlink /proc/self/ns/$kind)" "$SKEP_DIR/shared"
	done
}

@test "config-linux.md, Namespaces: by an absolute path, of the type, once" {
	bundle '.process.args = ["readlink", "/proc/self/ns/ipc"]'
	unshare --ipc sleep 1000 3>&- &
	local holder=$!
	wait_for 30 eval "[ \"\$(readlink /proc/$holder/ns/ipc)\" != \"\$(readlink /proc/self/ns/ipc)\" ]"
	configure ".linux.namespaces |= map(if .type == \"ipc\" then .path = \"/proc/$holder/ns/ipc\" else . end)"
	output_is "$(readlink "/proc/$holder/ns/ipc")"
	configure ".linux.namespaces |= map(if .type == \"ipc\" then .path = \"/proc/$holder/ns/uts\" else . end)"
	refused 'ipc'
	kill "$holder"
	configure '.linux.namespaces |= map(if .type == "ipc" then .path = "proc/self/ns/ipc" else . end)'
	refused "path of 'ipc' must be absolute"
	bundle '.linux.namespaces += [{type: "ipc"}]'
	refused "namespace 'ipc' is there twice"
	bundle '.linux.namespaces += [{type: "nosuch"}]'
	refused "there is no namespace 'nosuch'"
}

# bats test_tags=host_all
@test "config-linux.md, User namespace mappings" {
	bundle '.process.args = ["sh", "-c", "cat /proc/self/uid_map /proc/self/gid_map | tr -s \" \""]'
	configure '.linux.namespaces += [{type: "user"}] | .linux.uidMappings = [{containerID: 0, hostID: 1500000000, size: 10}, {containerID: 100, hostID: 1500000100, size: 5}]
		| .linux.gidMappings = [{containerID: 0, hostID: 1500000000, size: 7}]'
	chown -hR 1500000000:1500000000 "$BUNDLE/rootfs"
	output_is $' 0 1500000000 10\n 100 1500000100 5\n 0 1500000000 7'
}

@test "config-linux.md, User namespace mappings: both are OPTIONAL: without them root inside is the caller, and nobody else is there" {
	bundle '.process.args = ["sh", "-c", "cat /proc/self/uid_map /proc/self/gid_map | tr -s \" \"; id -u"] | .linux.namespaces += [{type: "user"}]
		| .mounts |= map(if .options then .options -= ["gid=5"] else . end)'
	output_is $' 0 0 1\n 0 0 1\n0'
	configure '.linux.gidMappings = [{containerID: 0, hostID: 0, size: 7}]'
	output_is $' 0 0 1\n 0 0 7\n0'
	configure '.process.user.uid = 1'
	refused 'process.user.uid: 1 is not in linux.uidMappings'
	oci_gone "$ID"
}

@test "config-linux.md, Offset for Time Namespace" {
	bundle '.process.args = ["sh", "-c", "cat /proc/self/timens_offsets; cut -d. -f1 /proc/uptime"] | .linux.namespaces += [{type: "time"}]
		| .linux.timeOffsets = {boottime: {secs: 1000000, nanosecs: 5}, monotonic: {secs: 77}}'
	oci run --bundle "$BUNDLE" "$ID" >"$SKEP_DIR/out"
	grep -qE '^monotonic +77 +0$' "$SKEP_DIR/out"
	grep -qE '^boottime +1000000 +5$' "$SKEP_DIR/out"
	[ "$(tail -1 "$SKEP_DIR/out")" -ge 1000000 ]
	with_userns
	[ "$(oci run --bundle "$BUNDLE" "$ID" | grep -v '^[0-9]')" = "$(grep -v '^[0-9]' "$SKEP_DIR/out")" ]
	configure '.linux.namespaces |= map(select(.type != "time"))'
	refused 'linux.timeOffsets'
}

@test "config-linux.md, Devices: they are there as given; a file in the way that is another one is an error" {
	bundle '.process.args = ["stat", "-c", "%F %t %T %a %u %g", "/dev/mine", "/dev/pipe"] | .linux.devices =
		[{path: "/dev/mine", type: "c", major: 1, minor: 3, fileMode: 432, uid: 5, gid: 6}, {path: "/dev/pipe", type: "p", fileMode: 384}]'
	ln -sf busybox "$BUNDLE/rootfs/bin/stat"
	output_is $'character special file 1 3 660 5 6\nfifo 0 0 600 0 0'
	mkdir "$SKEP_DIR/dev"
	touch "$SKEP_DIR/dev/mine"
	configure ".mounts |= map(if .destination == \"/dev\" then {destination: \"/dev\", type: \"bind\", source: \"$SKEP_DIR/dev\", options: [\"bind\"]} else select(.destination | startswith(\"/dev/\") | not) end)"
	refused '/dev/mine'
}

@test "config-linux.md, Default Devices" {
	bundle '.process.args = ["sh", "-c", "for d in null zero full random urandom tty; do test -c /dev/$d && echo $d; done; test -e /dev/ptmx && echo ptmx; echo x >/dev/null; head -c 1 /dev/zero | wc -c"]'
	ln -sf busybox "$BUNDLE/rootfs/bin/head"
	output_is $'null\nzero\nfull\nrandom\nurandom\ntty\nptmx\n1'
}

@test "config-linux.md, Control groups: cgroupsPath, absolute or relative, is the same place each time" {
	local path
	for path in "/skep-spec-$ID/a" "skep-spec-$ID/b"; do
		bundle ".process.args = [\"sleep\", \"1000\"] | .linux.cgroupsPath = \"$path\""
		oci run --detach --bundle "$BUNDLE" "$ID" >/dev/null 3>&-
		grep -qE ":/?(.*/)?${path#/}(/|\$)" "/proc/$(oci_pid "$ID")/cgroup"
		oci delete --force "$ID"
	done
	[ -z "$(find /sys/fs/cgroup -path "*skep-spec-$ID*")" ]
	bundle '.linux.cgroupsPath = "/a/../../b"'
	refused 'linux.cgroupsPath'
}

@test "config-linux.md, Allowed Device list: in the listed order, the last one that fits decides" {
	local rules='[{allow: false, access: "rwm"}, {allow: true, type: "c", major: 10, minor: 200, access: "rw"}'
	bundle '.process.args = ["sh", "-c", "exec 3<>/dev/mine"] | .linux.devices = [{path: "/dev/mine", type: "c", major: 10, minor: 200}]'
	[ -c /dev/net/tun ] || skip 'no tun on this host'
	configure ".linux.resources.devices = $rules]"
	oci run --bundle "$BUNDLE" "$ID"
	configure ".linux.resources.devices = $rules, {allow: false, type: \"c\", major: 10, minor: 200, access: \"rw\"}]"
	run ! oci run --bundle "$BUNDLE" "$ID"
	[[ $output == *'not permitted'* || $output == *'denied'* ]]
}

@test "config-linux.md, Memory: swappiness and disableOOMKiller, where the host's cgroups have them" {
	local dir
	bundle '.process.args = ["sleep", "1000"] | .linux.resources.memory = {limit: 67108864, swappiness: 17, disableOOMKiller: true}'
	if [ ! -e /sys/fs/cgroup/memory/memory.swappiness ]; then
		refused 'memory.swappiness cannot be set'
		oci_gone "$ID"
		return
	fi
	oci run --detach --bundle "$BUNDLE" "$ID" >/dev/null 3>&-
	dir=/sys/fs/cgroup/memory/skep-$ID
	[ "$(cat "$dir/memory.swappiness")" = 17 ]
	grep -qx 'oom_kill_disable 1' "$dir/memory.oom_control"
}

@test "config-linux.md, RDMA: what this host cannot do is an error that names it" {
	if ! grep -qw rdma /sys/fs/cgroup/cgroup.controllers 2>/dev/null; then
		bundle '.linux.resources.rdma = {mlx5_1: {hcaHandles: 3}}'
		refused 'rdma.max cannot be set'
	fi
	oci_gone "$ID"
}

@test "config-linux.md, Unified: a file that is not there is an error that names it" {
	bundle '.linux.resources.unified = {"nosuch.max": "1"}'
	refused 'nosuch.max cannot be set: the requested cgroup controller `nosuch` is not available'
	bundle '.linux.resources.unified = {"NOT-A-KEY": "1"}'
	refused 'the specified key has not the form CONTROLLER.VALUE `NOT-A-KEY`'
	bundle '.linux.resources.unified = {"cgroup.procs": "1"}'
	refused 'cgroup.procs'
	oci_gone "$ID"
}

@test "config-linux.md, Sysctl: set in the container, refused where it is the host's" {
	bundle '.process.args = ["cat", "/proc/sys/net/ipv4/ip_forward", "/proc/sys/kernel/msgmax"] | .linux.sysctl = {"net.ipv4.ip_forward": "1", "kernel.msgmax": "4096"}'
	output_is $'1\n4096'
	configure '.linux.sysctl = {"vm.swappiness": "1"}'
	refused 'linux.sysctl'
	configure '.linux.namespaces |= map(select(.type != "network")) | .linux.sysctl = {"net.ipv4.ip_forward": "1"}'
	refused 'linux.sysctl'
}

@test "config-linux.md, Seccomp: an action holds, errnoRet too; one that takes none, no names, no default are errors" {
	bundle '.process.args = ["mkdir", "/tmp/x"] | .root.readonly = false | .linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 122}]}'
	refused 'quota exceeded'
	configure '.linux.seccomp.syscalls[0] |= (del(.errnoRet) | .action = "SCMP_ACT_KILL_PROCESS")'
	run ! oci run --bundle "$BUNDLE" "$ID"
	[ ! -e "$BUNDLE/rootfs/tmp/x" ]
	configure '.linux.seccomp.syscalls[0] |= (.action = "SCMP_ACT_KILL" | .errnoRet = 5)'
	refused 'errnoRet'
	configure '.linux.seccomp.syscalls[0] |= {names: [], action: "SCMP_ACT_ERRNO"}'
	refused 'names'
	configure '.linux.seccomp = {syscalls: [{names: ["mkdir"], action: "SCMP_ACT_ERRNO"}]}'
	refused "unknown action '(none)'"
	oci_gone "$ID"
}

# Of a process that is not there; the last two bits of the signal decide.
@test "config-linux.md, Seccomp: args: index, op, value, valueTwo" {
	bundle '.process.args = ["sh", "-c", "for s in 4 9 10; do kill -$s 77777; done; true"] | .linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls: [
		{names: ["kill"], action: "SCMP_ACT_ERRNO", errnoRet: 122, args: [{index: 1, value: 3, valueTwo: 1, op: "SCMP_CMP_MASKED_EQ"}]}]}'
	run -0 oci run --bundle "$BUNDLE" "$ID"
	[[ ${lines[0]} == *'No such process' && ${lines[1]} == *'uota exceeded' && ${lines[2]} == *'No such process' ]]
	configure '.linux.seccomp.syscalls[0].args = [{index: 1, value: 9, op: "SCMP_CMP_GE"}]'
	run -0 oci run --bundle "$BUNDLE" "$ID"
	[[ ${lines[0]} == *'No such process' && ${lines[1]} == *'uota exceeded' && ${lines[2]} == *'uota exceeded' ]]
}

@test "config-linux.md, Rootfs Mount Propagation" {
	local word
	for word in shared slave private unbindable; do
		bundle ".process.args = [\"grep\", \"^[0-9]* [0-9]* [0-9:]* [^ ]* / \", \"/proc/self/mountinfo\"] | .linux.rootfsPropagation = \"$word\""
		run -0 oci run --bundle "$BUNDLE" "$ID"
		case $word in
		shared) [[ $output == *' shared:'* ]] ;;
		unbindable) [[ $output == *' unbindable '* ]] ;;
		*) [[ $output != *' shared:'* ]] ;;
		esac
	done
	bundle '.linux.rootfsPropagation = "nosuch"'
	refused 'linux.rootfsPropagation'
}

@test "config-linux.md, Rootfs Mount Propagation: slave: what the host mounts below the root later is there, what is mounted inside does not come out" {
	local word hook
	mkdir "$BUNDLE"
	mount --bind "$BUNDLE" "$BUNDLE"
	mount --make-shared "$BUNDLE"
	for word in slave rslave private rshared; do
		for hook in '{}' '{createContainer: [{path: "/bin/true"}]}'; do
			bundle '.process.args = ["sleep", "1000"] | .linux.rootfsPropagation = "'"$word"'" | .hooks = '"$hook"'
				| .mounts += [{destination: "/tmp", type: "tmpfs", source: "tmpfs", options: ["shared"]}]'
			oci run -d --bundle "$BUNDLE" "$ID" >/dev/null 3>&-
			mount -t tmpfs late "$BUNDLE/rootfs/home"
			case $word in
			*slave) oci exec "$ID" grep -q ' /home .* master:.* late ' /proc/self/mountinfo ;;
			*) run ! oci exec "$ID" grep -q ' /home ' /proc/self/mountinfo ;;
			esac
			oci exec "$ID" grep -q ' /tmp .* shared:' /proc/self/mountinfo
			umount "$BUNDLE/rootfs/home"
			run ! grep "$BUNDLE/rootfs/" /proc/self/mountinfo
			oci delete --force "$ID"
		done
	done
	umount -l "$BUNDLE"
}

@test "config-linux.md, Rootfs Mount Propagation: what is mounted inside, on a bind that is shared with others, comes out with shared alone" {
	local word volume=$SKEP_DIR/volume
	mkdir "$volume"
	mount -t tmpfs volume "$volume"
	mount --make-shared "$volume"
	mkdir "$volume/at"
	for word in null '"rprivate"' '"rslave"' '"rshared"'; do
		bundle '.process.args = ["sh", "-c", "mount -t tmpfs inside /home/at && grep -c \" /home/at \" /proc/self/mountinfo"]
			| .process.capabilities |= map_values(. + ["CAP_SYS_ADMIN"]) | .linux.rootfsPropagation = '"$word"' | del(.linux.rootfsPropagation | nulls)
			| .mounts += [{destination: "/home", type: "bind", source: "'"$volume"'", options: ["rbind", "rshared"]}]'
		with_userns
		output_is 1
		if [ "$word" = '"rshared"' ]; then
			umount "$volume/at"
		else
			run ! grep " $volume/at " /proc/self/mountinfo
		fi
	done
	umount "$volume"
}

@test "config-linux.md, Masked Paths, Readonly Paths: absolute, and in force" {
	bundle '.process.args = ["sh", "-c", "cat /etc/passwd; ls /home | wc -l; echo x >/tmp/x; echo y >/etc/x && echo wrote"] | .root.readonly = false
		| .linux.maskedPaths = ["/etc/passwd", "/home", "/no/such"] | .linux.readonlyPaths = ["/tmp", "/no/such"]'
	run -0 oci run --bundle "$BUNDLE" "$ID"
	[[ $output == *$'0\n'*'Read-only file system'*wrote ]]
	[[ $output != *joe* ]]
	bundle '.linux.maskedPaths = ["etc"]'
	refused 'linux.maskedPaths'
	bundle '.linux.readonlyPaths = ["etc"]'
	refused 'linux.readonlyPaths'
}

@test "config-linux.md, Personality" {
	bundle '.process.args = ["uname", "-m"] | .linux.personality = {domain: "LINUX32"}'
	ln -sf busybox "$BUNDLE/rootfs/bin/uname"
	run -0 oci run --bundle "$BUNDLE" "$ID"
	[ "$output" != "$(uname -m)" ]
	configure '.linux.personality = {domain: "LINUX"}'
	output_is "$(uname -m)"
	configure '.linux.personality = {domain: "BSD"}'
	refused 'linux.personality'
}

@test "config-linux.md, Devices: in a user namespace, too, each with its number, mode and owner, whether the host has such a node or not" {
	bundle '.process.args = ["sh", "-c", "ls -ln /dev/foo /dev/blk | tr -s \" \" | cut -d\" \" -f1,3-6; head -c 3 /dev/foo | wc -c"]
		| .linux.devices = [{path: "/dev/foo", type: "c", major: 1, minor: 5, fileMode: 420, uid: 10, gid: 11}, {path: "/dev/blk", type: "b", major: 7, minor: 200, uid: 3}]'
	ln -sf busybox "$BUNDLE/rootfs/bin/head"
	ln -sf busybox "$BUNDLE/rootfs/bin/tr"
	configure '.linux.resources.devices += [{allow: true, type: "c", major: 1, minor: 5, access: "rwm"}]'
	oci run --bundle "$BUNDLE" "$ID" >"$SKEP_DIR/plain"
	with_userns
	oci run --bundle "$BUNDLE" "$ID" >"$SKEP_DIR/userns"
	[ "$(cat "$SKEP_DIR/plain")" = $'brw-rw-rw- 3 0 7, 200\ncrw-r--r-- 10 11 1, 5\n3' ]
	cmp "$SKEP_DIR/plain" "$SKEP_DIR/userns"
	oci_gone "$ID"
}

@test "config-linux.md, Default Filesystems: sysfs in a user namespace that has the host's network is the host's" {
	bundle '.process.args = ["sh", "-c", "ls /sys/class/net | wc -l; touch /sys/kernel/x 2>&1; ls /sys/fs/cgroup | wc -l"]
		| .linux.namespaces -= [{type: "network"}] | .mounts -= [.mounts[] | select(.destination == "/sys/fs/cgroup")] | del(.linux.maskedPaths, .linux.readonlyPaths)'
	with_userns
	output_is "$(in_net here ls /sys/class/net | wc -l)"$'\ntouch: /sys/kernel/x: Read-only file system\n0'
	oci_gone "$ID"
}

@test "config-linux.md, Seccomp: a call that the library does not know is left out, unless run.oci.seccomp_fail_unknown_syscall is there" {
	bundle '.process.args = ["echo", "ran"] | .linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["no_such_call_12345"], action: "SCMP_ACT_ERRNO"}]}'
	# Twice: the second finds it in the cache.
	output_is ran
	output_is ran
	configure '.annotations = {"run.oci.seccomp_fail_unknown_syscall": "1"}'
	refused "'no_such_call_12345' is not a known system call"
	configure '.linux.seccomp.syscalls[0].names = ["mkdir"]'
	# Twice: the second finds it in the cache.
	output_is ran
	output_is ran
}
