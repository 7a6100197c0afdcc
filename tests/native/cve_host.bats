# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2016 # what is in single quotes is for the shell in the container
# The host's side: names and values that others choose, sockets that others reach, users that are not root.
#
# CVE                               what went wrong there                       here
# LXC 2015-1331                     locks and state in a directory of all       "state, lock, log and pid files that are links", "a state that somebody else made"
# LXC 2017-5985, 2018-6556,         a setuid helper serves other users          there is none: "another user sees and changes nothing, and nothing is setuid"
# 2022-47952, 2026-39402
# Incus 2026-23953                  a line end in a value is a line more        "a line end in a value is refused"
# cri-o 2022-4318                   the same in HOME: a line in /etc/passwd     skep writes no passwd; "a line end in a value is refused"
# cri-o 2022-0811                   a setting's value sets others, too          "a setting is one of the container's namespaces, and only that one"
# containerd 2020-15257             an abstract socket is reached by who has    "in the host's network no socket of ours can be reached"
#                                   the host's network
# nvidia toolkit 2025-23266,        a hook on the host's side has the           "hooks on the host's side have nothing of the container's"
# 2024-0132                         container's environment
# runc 2023-25809                   a user's container writes to the user's     "the host's /sys that is read-only is it with its control groups"
#                                   control groups
# Incus 2025-52889, 52890           rules against spoofing behind those that    net "a container cannot speak with another MAC or address than its own"; unit net/guard
#                                   let pass
# Incus 2026-55621, 55622, 48751,   copies and moves skip the checks of create  ct_definition_check() is on every way to a definition: unit runtime/definition;
# 62940                                                                         unit checkpoint/protocol test_hostile_offers; verify "what asks for more than the definition..."
# Incus 2026-41648, 41685, 47753,   archives without limits, or with members    template "an archive that reaches outside...", "an exported archive that was changed...";
# 41684, 48754, 48756, 33743        missing                                     unit storage/import, runtime/definition bad_json; fuzz unpack, tree, definition
# CRIU's images, containerd         images that were changed, links among       verify "suspend: a flipped bit in any image, a symbolic link...",
# 2026-53489, 53492                 them, more rights than before               "suspend: what asks for more...", "live modes: ..."
# containerd 2026-47262             groups without bounds                       oci_hangs "a huge passwd and group, sparse and full..."; fuzz user
# no CVE: what hangs the runtime    a frozen group, a passwd without end, a     oci_hangs, each by its name; "a hundred thousand names are removed...",
# itself                            terminal nobody takes, a gigabyte of JSON   "a host whose /dev/null is something else"
# Not here, as we have no such thing: Incus 2026-48755 (a compressor's words), systemd-nspawn 2026-40226 (settings beside an image: a template is files alone, and a system container
# has a user namespace of its own always: template "busybox: made, listed, used by two containers with different ids"), containerd 2026-50195, 53488 (images and their labels),
# CRIU 2015-5228, 5231 (the service daemon: skep executes criu, and gives it descriptors).
# What the kernel lets a system container do is in cve_kernel. The defence that each test is about stands above it; each was seen to fail without it.

bats_require_minimum_version 1.5.0
load ../lib/oci

setup() {
	oci_setup
	OUT=$SKEP_DIR/outside
	mkdir "$OUT"
	echo host >"$OUT/victim"
	USERS='' GROUP=''
}
teardown() {
	[ -z "$GROUP" ] || find "$GROUP" -depth -type d -exec rmdir {} +
	[ -z "$USERS" ] || rm -rf --one-file-system "$USERS"
	oci_teardown
}

untouched() { [ "$(ls "$OUT") $(cat "$OUT/victim")" = 'victim host' ]; }
# as_other CMD...: another user, who gets as far as this test's directory.
as_other() {
	local dir=$SKEP_DIR
	while [ "$dir" != /tmp ] && [ -n "$dir" ]; do
		chmod o+x "$dir"
		dir=${dir%/*}
	done
	setpriv --reuid 1790 --regid 1790 --clear-groups env -i PATH="$PATH" "$@" 3>&-
}

# O_NOFOLLOW in open_id(), begin() (runtime/state.c), lock_take_at() (base/lock.c), ct_spec_keep() (runtime/spec_kept.c); a new inode for pid files and state.json
# (file_replace_volatile_at()).
@test "state, lock, log and pid files that are links lead nowhere (CVE-2015-1331)" {
	local name dir=$SKEP_DIR/here/oci/$ID
	bundle '.process.args = ["true"]'
	mkdir -p "$SKEP_DIR/here/oci"
	ln -s "$OUT" "$dir"
	fails_with 1 'open the state of container' oci run --bundle "$BUNDLE" "$ID"
	rm "$dir"
	untouched
	for name in lock ledger config.json state.json exit; do
		mkdir -m 700 "$dir"
		ln -s "$OUT/victim" "$dir/$name"
		! oci run --bundle "$BUNDLE" "$ID" >"$SKEP_DIR/said" 2>&1 || echo "$name: ran"
		untouched || { echo "by $name"; cat "$SKEP_DIR/said"; return 1; }
		rm -rf "$dir"
	done
	ln -s "$OUT/victim" "$SKEP_DIR/pid"
	oci run --pid-file "$SKEP_DIR/pid" --bundle "$BUNDLE" "$ID"
	untouched
	[ ! -L "$SKEP_DIR/pid" ]
}

# O_NOFOLLOW in open_log() (runtime/monitor.c), ct_dir_open() (runtime/system_dir.c), lock_take_at().
# bats test_tags=host_all
@test "the same of system containers (CVE-2015-1331, CVE-2026-48749)" {
	local c name dir
	template_busybox here
	c=$(ct_name)
	ln -s "$OUT" "$SKEP_DIR/here/lib/ct/$c" 2>/dev/null || { mkdir -p "$SKEP_DIR/here/lib/ct" && ln -s "$OUT" "$SKEP_DIR/here/lib/ct/$c"; }
	run skepctl -q create "$c" --template busybox --network none
	[ "$status" != 0 ]
	untouched
	rm "$SKEP_DIR/here/lib/ct/$c"
	for name in console.log lock; do
		c=$(ct_name)
		skepctl -q create "$c" --template busybox --network none
		dir=$SKEP_DIR/here/lib/ct/$c
		ln -sfn "$OUT/victim" "$dir/$name"
		run skepctl -q start "$c"
		[[ $status != 0 && $output == *"$name"* ]]
		untouched
		rm "$dir/$name"
		skepctl -q destroy --force "$c"
	done
}

# is_ours() (runtime/state.c), ctl_oci_cache_look() (ctl/oci_front.c).
@test "a state that somebody else made, or may change, is not believed (CVE-2015-1331)" {
	local root=$SKEP_DIR/everybodys verb
	mkdir -m 1777 "$root"
	bundle '.process.args = ["true"] | .linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW"}'
	theirs() { "$BUILD/skep" --root "$root" "$@" 3>&-; }
	install -d -o 1790 -g 1790 "$root/$ID"
	fails_with 1 'is user 1790' theirs run --bundle "$BUNDLE" "$ID"
	configure '.process.args = ["sleep", "1000"]'
	# What it says of a container of ours, whatever that is, is what the other user wrote.
	oci run -d --bundle "$BUNDLE" "$ID" >/dev/null 2>&1 3>&-
	cp "$SKEP_DIR/here/oci/$ID"/* "$root/$ID"
	for verb in state "kill $ID KILL" delete 'delete --force' pause; do
		# shellcheck disable=SC2086 # words
		fails_with 1 'is user 1790' theirs ${verb% "$ID" *} "$ID"
	done
	oci_is "$ID" running
	chown 0:0 "$root/$ID"
	chmod 777 "$root/$ID"
	fails_with 1 'others may write to it' theirs kill "$ID" KILL
	oci_is "$ID" running
	rm -r "${root:?}/$ID"
	# Compiled filters are of ours, or are compiled anew.
	install -d -o 1790 -g 1790 "$root/.cache"
	configure '.process.args = ["true"]'
	run theirs run --bundle "$BUNDLE" "$(ct_name)"
	echo "$output"
	[[ $status = 0 && $output == *'.cache of the state directory is not ours'* ]]
	[ -z "$(ls "$root/.cache")" ]
}

# Mode 0700 of what is made by ct_state_new() (runtime/state.c) and ct_host_containers() (runtime/host.c), before that of what is in it; no file of ours changes who executes it.
@test "another user sees and changes nothing, and nothing is setuid (CVE-2017-5985, CVE-2018-6556, CVE-2022-47952, CVE-2026-39402)" {
	local c verb
	template_busybox here
	c=$(ct_name)
	skepctl -q create "$c" --template busybox --network none --start
	bundle '.process.args = ["sleep", "1000"]'
	oci run -d --bundle "$BUNDLE" "$ID" >/dev/null 2>&1 3>&-
	as_other test -x "$SKEP_DIR/here/lib"
	for verb in "info $c" "stop $c" "exec $c -- true" "set $c --memory 64M" "destroy --force $c" "console $c"; do
		# shellcheck disable=SC2086 # words
		run as_other env SKEP_CONF="$SKEP_DIR/here/skep.conf" "$BUILD/skepctl" --root "$SKEP_DIR/here/lib" --state "$SKEP_DIR/here/run" $verb
		[ "$status" != 0 ] || { echo "$verb: $output"; return 1; }
	done
	for verb in "state $ID" "kill $ID KILL" "delete --force $ID" "exec $ID true"; do
		# shellcheck disable=SC2086 # words
		run as_other "$BUILD/skep" --root "$SKEP_DIR/here/oci" $verb
		[[ $status != 0 && $output == *'Permission denied'* ]] || { echo "$verb: $output"; return 1; }
	done
	run as_other ls "$SKEP_DIR/here/lib/ct" "$SKEP_DIR/here/lib/ct/$c" "$SKEP_DIR/here/run/$c" "$SKEP_DIR/here/oci/$ID"
	[ "$(grep -c 'Permission denied' <<<"$output")" = 4 ]
	oci_is "$ID" running
	[ "$(skepctl list -H -o status "$c" 2>/dev/null || skepctl info --json "$c" | jq -r .status)" = running ]
	# What would be done: a build with other flags than ours is not made anew.
	make -n -C "$REPO" install BUILD="$BUILD" DESTDIR="$SKEP_DIR/installed" | grep "$SKEP_DIR/installed" >"$SKEP_DIR/installs"
	grep -q 'install -m 755 .*/skepctl' "$SKEP_DIR/installs"
	run ! grep -E -- '-m *[0-7]{4}|chmod|setcap' "$SKEP_DIR/installs"
	[ -z "$(find "$BUILD" -maxdepth 1 -perm /6000; getcap "$BUILD"/skep*)" ]
}

# check_text() and others of ct_definition_check() (runtime/definition.c), ns_sysctl_check() (ns/sysctl.c).
# bats test_tags=host_all
@test "a line end in a value is refused, whichever option it is (CVE-2026-23953, CVE-2022-4318)" {
	local c option before seen=0
	local -A value=([hostname]=web [description]=text [init]=/sbin/init [env]=A=b [env-del]=A [bridge]=br9 [uplink]=eth9 [cap-add]=net_admin [cap-drop]=net_admin
		[stop-signal]=TERM [nesting]=no [autostart]=no [onboot]=no [network]=none [ip]=10.77.0.5/24 [ipadd]=10.77.0.5/24 [ipdel]=all [gateway]=10.77.0.1
		[mac]=02:00:00:00:00:05 [preset]=none [netfilter]=full [rate]=1gbit [cpuset]=0 [cpumask]=0)
	template_busybox here
	c=$(ct_name)
	skepctl -q create "$c" --template busybox --network none
	before=$(sha256sum <"$SKEP_DIR/here/lib/ct/$c/definition.json")
	for option in $(skepctl set --help | sed -n 's/^ .*--\([a-z-]*\) [A-Z].*/\1/p'); do
		run skepctl set "$c" "--$option" "${value[$option]:-5}"$'\nnesting=yes'
		[ "$status" != 0 ] || { echo "--$option: $output"; return 1; }
		seen=$((seen + 1))
	done
	[ $seen -ge 39 ]
	[ "$(sha256sum <"$SKEP_DIR/here/lib/ct/$c/definition.json")" = "$before" ]
	fails_with 21 'bad container name' skepctl create $'a\nb' --template busybox
	bundle '.process.args = ["true"] | .linux.sysctl = {"kernel.shm_rmid_forced": "1\nkernel.msgmax=1"}'
	fails_with 1 'control character' oci run --bundle "$BUNDLE" "$ID"
	configure '.linux.sysctl = {"kernel.shm_rmid_forced\nkernel.msgmax": "1"}'
	fails_with 1 'a character that no setting has' oci run --bundle "$BUNDLE" "$ID"
}

# to_path() and the list of ns_sysctl_check() (ns/sysctl.c). What is written is what is there already: no harm to the host even without them.
@test "a setting is one of the container's namespaces, and only that one (CVE-2022-0811)" {
	local key now
	now=$(cat /proc/sys/kernel/core_pattern)
	bundle '.process.args = ["cat", "/proc/sys/kernel/shm_rmid_forced"]'
	for key in kernel.core_pattern net/../kernel/core_pattern net.ipv4/../../kernel/core_pattern 'net//../kernel/core_pattern' /proc/sys/kernel/core_pattern \
		'user/../kernel/core_pattern' 'kernel.shm_rmid_forced+kernel.core_pattern'; do
		jq --arg k "$key" --arg v "$now" '.linux.sysctl = {($k): $v}' "$BUNDLE/config.json" >"$BUNDLE/new"
		mv "$BUNDLE/new" "$BUNDLE/config.json"
		fails_with 1 'sysctl' oci run --bundle "$BUNDLE" "$ID" || { echo "$key"; return 1; }
	done
	# The value is one value: what a shell's or sysctl's list would take for a second one is no number.
	configure '.linux.sysctl = {"kernel.shm_rmid_forced": "1+kernel.core_pattern=|/evil"}'
	fails_with 1 'set sysctl kernel.shm_rmid_forced' oci run --bundle "$BUNDLE" "$ID"
	configure '.linux.sysctl = {"kernel.shm_rmid_forced": "1"}'
	[ "$(oci run --bundle "$BUNDLE" "$ID")" = 1 ]
	[ "$(cat /proc/sys/kernel/core_pattern)" = "$now" ]
}

# Sockets are files, in directories of mode 0700: listen_socket() (runtime/monitor.c), CT_START_SOCKET.
# bats test_tags=host_all
@test "in the host's network no socket of ours can be reached (CVE-2020-15257)" {
	local c
	template_busybox here
	c=$(ct_name)
	bundle '.process.args = ["grep", "@", "/proc/net/unix"] | .linux.namespaces |= map(select(.type != "network"))
		| .mounts |= map(if .destination == "/sys" then {destination: "/sys", type: "bind", source: "/sys", options: ["rbind", "ro"]} else . end)'
	skepctl -q create "$c" --template busybox --network host --start
	spawn here "$SKEP_DIR/console" skepctl console "$c"
	oci create --bundle "$BUNDLE" "$ID" >"$SKEP_DIR/seen" 2>&1 3>&-
	# All that we have there has a path, and that nobody else gets to.
	in_net here awk 'NR > 1' /proc/net/unix >"$SKEP_DIR/all"
	grep -q "$SKEP_DIR\|/proc/self/fd" "$SKEP_DIR/all"
	run ! grep '@' "$SKEP_DIR/all"
	[ "$(find "$SKEP_DIR/here" -type s -exec sh -c 'stat -c "%a %u" "$(dirname "$1")"' - {} \; | sort -u)" = '700 0' ]
	oci start "$ID"
	wait_for 30 oci_is "$ID" stopped
	[ -z "$(cat "$SKEP_DIR/seen")" ]
}

# environ in become_hook() (runtime/hook.c) is the caller's: init's side puts the program's in its place for startContainer alone.
@test "hooks on the host's side have nothing of the container's (CVE-2025-23266, CVE-2024-0132)" {
	bundle '.process.args = ["/bin/true"] | .process.env += ["LD_PRELOAD=./evil.so", "PATH=/evil"] | .root.readonly = false'
	printf '#!/bin/sh\necho "$1 $PWD $LD_PRELOAD $PATH" >>%q\n' "$SKEP_DIR/hooks" >"$SKEP_DIR/hook"
	chmod +x "$SKEP_DIR/hook"
	configure ".hooks = ([\"prestart\", \"createRuntime\", \"createContainer\", \"poststart\", \"poststop\"] | map({key: ., value: [{path: \"$SKEP_DIR/hook\", args: [., .]}]}) | from_entries)"
	oci run --bundle "$BUNDLE" "$ID"
	cat "$SKEP_DIR/hooks"
	[ "$(wc -l <"$SKEP_DIR/hooks")" = 5 ]
	run ! grep evil "$SKEP_DIR/hooks"
	# createContainer's alone begin in the root, as runc's do (crun's begin in the bundle): without the image's environment nothing is taken from there unasked.
	[ "$(grep rootfs "$SKEP_DIR/hooks" | cut -d' ' -f1)" = createContainer ]
}

# keep_groups() (runtime/spec_mounts.c).
@test "the host's /sys that is read-only is it with its control groups (CVE-2023-25809)" {
	GROUP=/sys/fs/cgroup/skep-$ID
	[ ! -d /sys/fs/cgroup/unified ] || GROUP=/sys/fs/cgroup/unified/skep-$ID
	USERS=$(mktemp -d /tmp/skep-user.XXXXXX)
	chmod 755 "$USERS"
	bundle
	mv "$BUNDLE/rootfs" "$USERS/rootfs"
	cp "$BUILD/skep" "$USERS/skep"
	BUNDLE=$USERS
	mkdir "$GROUP" "$USERS/run"
	chown -hR 1790:1790 "$USERS" "$GROUP"
	user_runs() { (cd "$USERS" && as_other USER=joe XDG_RUNTIME_DIR="$USERS/run" "$USERS/skep" "$@"); }
	user_runs spec --rootless
	configure ".process.terminal = false | .process.args = [\"mkdir\", \"$GROUP/made\"]"
	run user_runs run "$ID"
	echo "$output"
	[[ $status != 0 && $output == *'Read-only file system'* ]]
	# Who wants to write there says so.
	configure '.mounts |= map(if .destination == "/sys" then .options += ["rrw"] else . end)'
	user_runs run "$ID"
	[ -d "$GROUP/made" ]
}

# st_tree_remove() (storage/tree.c) reads a directory as it empties it, and gathers no names.
@test "a hundred thousand names are removed with a container, in bounded memory" {
	local c
	template_busybox here
	c=$(ct_name)
	skepctl -q create "$c" --template busybox --network none --start
	skepctl exec "$c" -- sh -c 'mkdir /many && cd /many && seq 1 100000 | xargs touch'
	skepctl -q stop --kill "$c"
	[ "$(find "$SKEP_DIR/here/lib/ct/$c" -path '*/many/*' | wc -l)" = 100000 ]
	# Of address space, in which 2 KiB a name have no room. (A sanitizer wants terabytes of it.)
	(grep -q fsanitize "$BUILD/flags" || ulimit -v 200000; skepctl -q destroy --force "$c")
	[ ! -e "$SKEP_DIR/here/lib/ct/$c" ]
}

# open_host_node() (ns/dev.c).
@test "a host whose /dev/null is something else: an error, and that is left as it is" {
	local kind
	bundle '.process.args = ["true"]'
	echo kept >"$SKEP_DIR/null"
	mkfifo "$SKEP_DIR/fifo"
	for kind in null fifo; do
		fails_with 1 'is not device 1:3' timeout 60 unshare --mount sh -c 'mount --bind "$1" /dev/null && exec "$2" --root "$3" run --bundle "$4" "$5"' \
			sh "$SKEP_DIR/$kind" "$BUILD/skep" "$SKEP_DIR/here/oci" "$BUNDLE" "$ID" </dev/zero
	done
	[ "$(cat "$SKEP_DIR/null")" = kept ]
	oci_gone "$ID"
}
