# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2016 # what is in single quotes is for the shell in the container
# The runtime-spec's MUSTs in config.md, each test named by its section. Hooks have a file of their own.

bats_require_minimum_version 1.5.0
load ../lib/oci

setup() { oci_setup; }
teardown() { oci_teardown; }

refused() { fails_with 1 "$1" oci run --bundle "$BUNDLE" "$ID"; }
output_is() { [ "$(oci run --bundle "$BUNDLE" "$ID")" = "$1" ]; }
# What a mount on /tmp with these options is in the container.
tmp_mount() { oci run --bundle "$BUNDLE" "$ID"; }

@test "config.md, Specification version: a SemVer of a major version that is known" {
	local bad
	bundle '.process.args = ["true"]'
	for bad in '"2.0.0"' '"1.0"' '"1.x.0"' '"one"' '""' '"1.0.0 "' '"01.0.0"' 7 null; do
		configure ".ociVersion = $bad"
		refused 'ociVersion: '
	done
	for good in 1.0.0 1.0.2-dev 1.2.1 1.99.0-rc.1+build.5; do
		configure ".ociVersion = \"$good\""
		oci run --bundle "$BUNDLE" "$ID"
	done
}

@test "config.md, Root: the directory must be there; relative to the bundle or absolute; read-only when asked for" {
	bundle '.process.args = ["sh", "-c", "echo x >/file && echo wrote"]'
	run ! oci run --bundle "$BUNDLE" "$ID"
	[[ $output == *'Read-only file system'* ]]
	configure '.root.readonly = false'
	output_is wrote
	configure 'del(.root.readonly)'
	output_is wrote
	configure ".root.path = \"$BUNDLE/rootfs\""
	output_is wrote
	configure '.root.path = "nosuch"'
	refused 'nosuch'
	configure '.root.path = "config.json"'
	refused 'not a directory'
	configure 'del(.root)'
	refused 'root'
}

@test "config.md, Mounts: in the listed order; a relative destination is below /" {
	mkdir -p "$SKEP_DIR/a" "$SKEP_DIR/b/in"
	echo a >"$SKEP_DIR/a/name"
	echo b >"$SKEP_DIR/b/name"
	bundle ".process.args = [\"cat\", \"/tmp/name\"] | .mounts += [{destination: \"tmp\", type: \"bind\", source: \"$SKEP_DIR/a\", options: [\"bind\"]},
		{destination: \"/tmp\", type: \"bind\", source: \"$SKEP_DIR/b\", options: [\"bind\"]}]"
	output_is b
	configure '.mounts |= (.[:-2] + [.[-1], .[-2]])'
	output_is a
}

@test "config.md, Mounts: every option of Linux that is a MUST is taken, for a file system and for a bind" {
	local word words=(async atime defaults dev diratime dirsync exec iversion lazytime loud noatime nodev nodiratime noexec noiversion nolazytime
		norelatime nostrictatime nosuid private relatime ro rprivate rshared rslave runbindable rw shared silent slave strictatime suid sync unbindable)
	for word in "${words[@]}"; do
		echo "$word"
		bundle ".process.args = [\"true\"] | .mounts += [{destination: \"/tmp\", type: \"tmpfs\", source: \"tmpfs\", options: [\"$word\"]},
			{destination: \"/home\", type: \"bind\", source: \"$SKEP_DIR\", options: [\"bind\", \"$word\"]},
			{destination: \"/home\", type: \"bind\", source: \"$SKEP_DIR\", options: [\"rbind\", \"$word\"]}]"
		oci run --bundle "$BUNDLE" "$ID"
	done
}

@test "config.md, Mounts: what the options say is what the mount is" {
	local pair
	for pair in 'ro:ro,' nosuid:nosuid nodev:nodev noexec:noexec noatime:noatime nodiratime:nodiratime sync:sync dirsync:dirsync lazytime:lazytime \
		'rro:ro,' rnosuid:nosuid rnoexec:noexec shared:shared: unbindable:unbindable nosymfollow:nosymfollow; do
		echo "$pair"
		bundle ".process.args = [\"grep\", \" /tmp \", \"/proc/self/mountinfo\"] | .mounts += [{destination: \"/tmp\", type: \"tmpfs\", source: \"tmpfs\", options: [\"${pair%%:*}\"]}]"
		[[ "$(tmp_mount) ," == *[\ ,]"${pair#*:}"* ]]
	done
	bundle '.process.args = ["grep", " /tmp ", "/proc/self/mountinfo"] | .mounts += [{destination: "/tmp", type: "tmpfs", source: "tmpfs", options: ["size=4k", "mode=700"]}]'
	[[ $(tmp_mount) == *'size=4k,mode=700'* ]]
	configure '.mounts += [{destination: "/tmp", options: ["remount", "ro"]}]'
	[[ $(tmp_mount) == *' ro,'* ]]
	configure '.mounts[-2].options = ["nosuchoption"] | del(.mounts[-1])'
	refused 'nosuchoption'
}

# atime_of PATH: what of it is in the options of the mount there.
atime_of() { oci exec "$ID" awk -v at="$1" '$5 == at { print $6 }' /proc/self/mountinfo | grep -oE 'relatime|noatime|strict' || echo strict; }

@test "config.md, Mounts: the three ways of access times, for a mount and for a tree, as mount(2) has them" {
	local pair at
	mkdir -p "$SKEP_DIR/tree/sub"
	mount -t tmpfs tree "$SKEP_DIR/tree"
	mkdir "$SKEP_DIR/tree/sub"
	mount -t tmpfs sub "$SKEP_DIR/tree/sub"
	bundle '.process.args = ["sleep", "1000"]'
	ln -sf busybox "$BUNDLE/rootfs/bin/awk"
	for pair in atime:relatime noatime:noatime strictatime:strict nostrictatime:relatime relatime:relatime norelatime:relatime; do
		configure ".mounts += [{destination: \"/r${pair%:*}\", source: \"$SKEP_DIR/tree\", options: [\"rbind\", \"r${pair%:*}\"]},
			{destination: \"/${pair%:*}\", source: \"$SKEP_DIR/tree\", options: [\"bind\", \"${pair%:*}\"]}] | .root.readonly = false"
	done
	oci run -d --bundle "$BUNDLE" "$ID" >/dev/null 3>&-
	umount -R -l "$SKEP_DIR/tree"
	for pair in atime:relatime noatime:noatime strictatime:strict nostrictatime:relatime relatime:relatime norelatime:relatime; do
		for at in "/${pair%:*}" "/r${pair%:*}" "/r${pair%:*}/sub"; do
			[ "$(atime_of "$at")" = "${pair#*:}" ] || { echo "$at: $(atime_of "$at")"; return 1; }
		done
	done
}

@test "config.md, Process: cwd is absolute and made; args has a program; consoleSize without a terminal means nothing" {
	bundle '.process.args = ["pwd"] | .process.cwd = "/made/here" | .root.readonly = false | .process.consoleSize = {height: 5, width: 5}'
	output_is /made/here
	configure '.process.cwd = "here"'
	refused 'cwd'
	configure '.process.cwd = "/" | .process.args = []'
	refused 'args'
	configure 'del(.process.args)'
	refused 'args'
}

@test "config.md, POSIX process: environment, PATH, rlimits as given; an unknown rlimit, or one twice, is an error" {
	bundle '.process.args = ["sh", "-c", "echo $A $B; ulimit -Sn; ulimit -Hn; ulimit -c"] | .process.env += ["A=1", "B=x=y"]
		| .process.rlimits = [{type: "RLIMIT_NOFILE", soft: 100, hard: 200}, {type: "RLIMIT_CORE", soft: 0, hard: 0}]'
	output_is $'1 x=y\n100\n200\n0'
	# They are the program's, not its creation's: that opens a mount or a socket after another.
	configure '.process.rlimits[0] |= (.soft = 3 | .hard = 4)'
	output_is $'1 x=y\n3\n4\n0'
	with_userns
	output_is $'1 x=y\n3\n4\n0'
	without_userns
	configure '.process.rlimits[0] |= (.soft = 100 | .hard = 200)'
	configure '.process.rlimits += [{type: "RLIMIT_NOFILE", soft: 1, hard: 2}]'
	refused 'RLIMIT_NOFILE is there twice'
	configure '.process.rlimits = [{type: "RLIMIT_NOSUCH", soft: 1, hard: 2}]'
	refused 'process.rlimits[0].type'
	configure '.process.rlimits = [{type: "RLIMIT_NOFILE", soft: 3, hard: 2}]'
	refused 'soft is over hard'
}

@test "config.md, Linux Process: capabilities as given; one that is not there is a warning" {
	bundle '.process.args = ["grep", "-E", "^Cap(Inh|Prm|Eff|Bnd|Amb)", "/proc/self/status"] | .process.user = {uid: 1000, gid: 1000}
		| .process.capabilities = {bounding: ["CAP_KILL", "CAP_CHOWN"], permitted: ["CAP_KILL"], effective: ["CAP_KILL"], inheritable: ["CAP_KILL"], ambient: ["CAP_KILL"]}'
	output_is $'CapInh:\t0000000000000020\nCapPrm:\t0000000000000020\nCapEff:\t0000000000000020\nCapBnd:\t0000000000000021\nCapAmb:\t0000000000000020'
	configure '.process.capabilities.bounding += ["CAP_NOSUCH"]'
	run -0 oci run --bundle "$BUNDLE" "$ID"
	[[ $output == *'warning: process.capabilities.bounding'*CAP_NOSUCH* ]]
}

@test "config.md, Linux Process: an inheritable capability that the bounding set lacks is a warning, and left out" {
	bundle '.process.args = ["grep", "-E", "^Cap(Inh|Bnd)", "/proc/self/status"]
		| .process.capabilities = {permitted: ["CAP_KILL"], effective: ["CAP_KILL"], inheritable: ["CAP_KILL", "CAP_CHOWN"], bounding: ["CAP_CHOWN"]}'
	run -0 oci run --bundle "$BUNDLE" "$ID"
	[ "$output" = $'skep: warning: can\'t raise inheritable capability CAP_KILL: it is not in the bounding set (Operation not permitted)\nCapInh:\t0000000000000001\nCapBnd:\t0000000000000001' ]
}

@test "config.md, Linux Process: oomScoreAdj is set when given, and else left" {
	bundle '.process.args = ["cat", "/proc/self/oom_score_adj"] | .process.oomScoreAdj = 777'
	output_is 777
	configure 'del(.process.oomScoreAdj)'
	output_is "$(cat /proc/self/oom_score_adj)"
	configure '.process.oomScoreAdj = 5000'
	refused 'process.oomScoreAdj'
}

@test "config.md, Linux Process: noNewPrivileges; a label or profile that cannot be had is an error" {
	bundle '.process.args = ["grep", "NoNewPrivs", "/proc/self/status"] | .process.noNewPrivileges = true'
	output_is $'NoNewPrivs:\t1'
	configure '.process.noNewPrivileges = false'
	output_is $'NoNewPrivs:\t0'
	configure '.process.apparmorProfile = "nosuch"'
	refused 'process.apparmorProfile'
	configure 'del(.process.apparmorProfile) | .process.selinuxLabel = "a:b:c"'
	refused 'process.selinuxLabel'
}

@test "config.md, User: uid, gid, umask, additional groups" {
	bundle '.process.args = ["sh", "-c", "id -u; id -g; id -G; umask"] | .process.user = {uid: 7, gid: 8, umask: 63, additionalGids: [9, 10]}'
	output_is $'7\n8\n8 9 10\n0077'
}

@test "config.md, User: username is Windows's, and left out with a notice" {
	bundle '.process.args = ["id", "-u"] | .process.user = {uid: 7, gid: 8, username: "root"}'
	output_is 7
	run -0 oci --debug run --bundle "$BUNDLE" "$ID"
	[[ $output == *'process.user.username is Windows'* ]]
}

@test "config.md, Hostname, Domainname: set in a uts namespace of the container's own" {
	bundle '.process.args = ["cat", "/proc/sys/kernel/hostname", "/proc/sys/kernel/domainname"] | .hostname = "my.host" | .domainname = "my.domain"'
	output_is $'my.host\nmy.domain'
	configure '.linux.namespaces |= map(select(.type != "uts"))'
	refused 'hostname'
}

@test "config.md, Platform-specific configuration: what is for another platform is refused by its name" {
	local key
	bundle '.process.args = ["true"]'
	for key in windows solaris vm zos freebsd; do
		configure "{\"$key\": {x: 1}} + ."
		refused "$key"
		configure "del(.$key)"
	done
}

@test "config.md, Annotations: a map of strings, no empty key; unknown ones do no harm" {
	bundle '.process.args = ["true"] | .annotations = {"org.example.x": "y", "org.opencontainers.image.os": "linux"}'
	oci run --bundle "$BUNDLE" "$ID"
	configure '.annotations = {"a": 5}'
	refused "annotations: 'a'"
	configure '.annotations = {"": "x"}'
	refused 'annotations'
	configure '.annotations = ["x"]'
	refused 'annotations'
}

@test "config.md, Extensibility and Valid values: an unknown property is ignored, an invalid value is an error" {
	bundle '.process.args = ["true"] | .nosuch = {a: 1} | .process.nosuch = [1] | .linux.nosuch = "x" | .linux.resources.nosuch = true'
	oci run --bundle "$BUNDLE" "$ID"
	configure '.process.terminal = "yes"'
	refused 'process.terminal'
	configure '.process.terminal = false | .linux.namespaces = "all"'
	refused 'linux.namespaces'
}

# bats test_tags=host_all
@test "config.md, Linux mount options, POSIX-platform Mounts: idmap and ridmap with maps of their own, or the container's, or an error" {
	local maps='uidMappings: [{containerID: 5, hostID: 7, size: 2}], gidMappings: [{containerID: 5, hostID: 8, size: 1}]'
	mkdir -p "$SKEP_DIR/data/below"
	mount -t tmpfs below "$SKEP_DIR/data/below"
	touch "$SKEP_DIR/data/f" "$SKEP_DIR/data/below/g"
	chown 5:5 "$SKEP_DIR/data/f" "$SKEP_DIR/data/below/g"
	bundle '.process.args = ["stat", "-c", "%u:%g", "/mnt/f", "/mnt/below/g"]'
	ln -sf busybox "$BUNDLE/rootfs/bin/stat"
	mkdir -p "$BUNDLE/rootfs/mnt"
	configure ".mounts += [{destination: \"/mnt\", type: \"bind\", source: \"$SKEP_DIR/data\", options: [\"rbind\", \"idmap\"], $maps}]"
	[ "$(oci run --bundle "$BUNDLE" "$ID")" = $'7:8\n5:5' ]
	configure '.mounts[-1].options = ["rbind", "ridmap"]'
	[ "$(oci run --bundle "$BUNDLE" "$ID")" = $'7:8\n7:8' ]
	# crun's way to write it.
	configure '.mounts[-1].options = ["rbind", "ridmap=uids=0-1-1#5-7-2;gids=5-8-1"] | del(.mounts[-1] | .uidMappings, .gidMappings)'
	[ "$(oci run --bundle "$BUNDLE" "$ID")" = $'7:8\n7:8' ]
	for maps in uids=5-7-2 'uids=5-7;gids=5-8-1' 'uids=@5-7-1;gids=5-8-1' 'uids=5-7-2x;gids=5-8-1' 'uids=5-7-2;uids=1-1-1;gids=5-8-1' 'uids=5-7-4294967296;gids=5-8-1' ''; do
		configure ".mounts[-1].options = [\"rbind\", \"idmap=$maps\"]"
		fails_with 1 'mounts[' oci run --bundle "$BUNDLE" "$ID"
	done
	maps='uidMappings: [{containerID: 5, hostID: 7, size: 2}], gidMappings: [{containerID: 5, hostID: 8, size: 1}]'
	configure ".mounts[-1] += {$maps}"
	# Without the option it holds, too: of the top.
	configure '.mounts[-1].options = ["rbind"]'
	[ "$(oci run --bundle "$BUNDLE" "$ID")" = $'7:8\n5:5' ]
	configure 'del(.mounts[-1].gidMappings)'
	fails_with 1 'uidMappings and gidMappings' oci run --bundle "$BUNDLE" "$ID"
	configure 'del(.mounts[-1].uidMappings) | .mounts[-1].options = ["rbind", "ridmap"]'
	fails_with 1 'to be id-mapped, but has no maps' oci run --bundle "$BUNDLE" "$ID"
	with_userns
	[ "$(oci run --bundle "$BUNDLE" "$ID")" = $'5:5\n5:5' ]
	umount "$SKEP_DIR/data/below"
	oci_gone "$ID"
}
