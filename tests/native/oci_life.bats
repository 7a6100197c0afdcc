# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2016 # what is in single quotes is for the shell in the container
# skep on bundles: create, start, state, kill, delete, run, pause; what it refuses; nothing left behind.

bats_require_minimum_version 1.5.0
load ../lib/oci

setup() { oci_setup; }
teardown() { oci_teardown; }

@test "create waits, start lets it run, kill ends it, delete leaves nothing" {
	bundle '.process.args = ["sleep", "1000"]'
	oci create --bundle "$BUNDLE" --pid-file "$SKEP_DIR/pid" "$ID"
	oci_is "$ID" created
	[ "$(cat "$SKEP_DIR/pid")" = "$(oci_pid "$ID")" ]
	[ "$(cat "/proc/$(cat "$SKEP_DIR/pid")/comm")" = skep ]
	oci start "$ID"
	oci_is "$ID" running
	wait_for 30 grep -q sleep "/proc/$(cat "$SKEP_DIR/pid")/cmdline" # execve(2) closes what start waits for before that is there
	oci kill "$ID" KILL
	wait_for 30 oci_is "$ID" stopped
	oci delete "$ID"
	oci_gone "$ID"
}

@test "the caller's umask decides nothing in the container" {
	bundle '.process.args = ["sh", "-c", "stat -c %a%u . /dev/net /made; umask"] | .root.readonly = false | .process.user = {uid: 1000, gid: 1000} | .process.cwd = "/a/b"
		| .linux.devices = [{path: "/dev/net/tun", type: "c", major: 10, minor: 200, fileMode: 438}]
		| .mounts += [{destination: "/made/here", type: "tmpfs", source: "tmpfs"}]'
	ln -sf busybox "$BUNDLE/rootfs/bin/stat"
	chmod 755 "$BUNDLE" "$BUNDLE/rootfs"
	[ "$(umask 077; oci run --bundle "$BUNDLE" "$ID")" = $'7550\n7550\n7550\n0022' ]
	oci_gone "$ID"
}

@test "state tells what the runtime-spec wants" {
	bundle '.process.args = ["sleep", "1000"] | .annotations = {"org.example.key": "value"}'
	oci create --bundle "$BUNDLE" "$ID"
	oci state "$ID" | jq -e --arg id "$ID" --arg bundle "$BUNDLE" '.ociVersion == "1.2.0" and .id == $id
		and .status == "created" and .pid > 1 and .bundle == $bundle and .annotations["org.example.key"] == "value"'
	oci delete --force "$ID"
	oci_gone "$ID"
}

@test "the state lies under runc's name, and when all is made under crun's" {
	local dir=$SKEP_DIR/here/oci/$ID
	bundle '.process.args = ["sleep", "1000"]'
	oci create --bundle "$BUNDLE" "$ID"
	[ "$(jq -r .pid "$dir/state.json")" = "$(oci_pid "$ID")" ]
	[ "$(jq -r .status "$dir/status")" = created ]
	[ "$(jq -r '.external_descriptors | fromjson | .[0]' "$dir/status")" = "$(readlink /proc/self/fd/0)" ]
	oci start "$ID"
	[ "$(jq -r .status "$dir/status")" = running ]
	oci delete --force "$ID"
	[ ! -e "$dir" ]
	# What waits for it finds the program, not what was there before.
	configure '.hooks.createRuntime = [{path: "/bin/sh", args: ["sh", "-c", "ls '"$dir"' >'"$SKEP_DIR"'/seen"]}]'
	oci run --detach --bundle "$BUNDLE" "$ID" </dev/null >/dev/null 2>&1 3>&-
	grep -qx state.json "$SKEP_DIR/seen"
	run ! grep -qx status "$SKEP_DIR/seen"
	[ "$(jq -r .status "$dir/status")" = running ]
	oci delete --force "$ID"
	oci_gone "$ID"
}

@test "run gives the program's exit code and its output, and deletes" {
	bundle '.process.args = ["sh", "-c", "echo out; echo err >&2; exit 7"]'
	local rc=0
	oci run --bundle "$BUNDLE" "$ID" >"$SKEP_DIR/out" 2>"$SKEP_DIR/err" || rc=$?
	[ $rc = 7 ]
	[ "$(cat "$SKEP_DIR/out")" = out ]
	[ "$(cat "$SKEP_DIR/err")" = err ]
	oci_gone "$ID"
}

@test "run of a program that a signal ends: 128 and the signal" {
	bundle '.process.args = ["sh", "-c", "(sleep 0.1; kill -9 1) & sleep 1000"]'
	# Init is not killed from inside its own pid namespace: share the host's.
	configure '.linux.namespaces |= map(select(.type != "pid")) | .process.args = ["sh", "-c", "kill -9 $$"]'
	fails_with 137 '' oci run --bundle "$BUNDLE" "$ID"
	oci_gone "$ID"
}

@test "run passes signals on" {
	bundle '.process.args = ["sh", "-c", "trap \"echo got it; exit 3\" TERM; echo ready; while :; do sleep 0.05; done"]'
	local rc=0
	spawn here "$SKEP_DIR/out" skep run --bundle "$BUNDLE" "$ID"
	wait_for 30 grep -q ready "$SKEP_DIR/out"
	kill -TERM "$SPAWNED"
	wait "$SPAWNED" || rc=$?
	[ $rc = 3 ]
	grep -q 'got it' "$SKEP_DIR/out"
	oci_gone "$ID"
}

@test "run --detach returns, run --keep keeps" {
	bundle '.process.args = ["sleep", "1000"]'
	oci run --detach --bundle "$BUNDLE" "$ID" >/dev/null 3>&-
	oci_is "$ID" running
	oci delete --force "$ID"
	configure '.process.args = ["true"]'
	oci run --keep --bundle "$BUNDLE" "$ID"
	oci_is "$ID" stopped
	oci delete "$ID"
	oci_gone "$ID"
}

@test "standard input reaches the program" {
	bundle '.process.args = ["cat"]'
	[ "$(echo hello | oci run --bundle "$BUNDLE" "$ID")" = hello ]
}

@test "what the program sees: its own pid 1, host name, descriptors, root" {
	bundle '.hostname = "seen" | .process.args = ["sh", "-c",
		"echo $$; hostname; ls /proc/self/fd | wc -l; ls -d /root /usr 2>&1 | wc -l; cat /proc/self/cgroup"]'
	oci run --bundle "$BUNDLE" "$ID" >"$SKEP_DIR/out" 7</dev/null 8</
	[ "$(sed -n 1p "$SKEP_DIR/out")" = 1 ]
	[ "$(sed -n 2p "$SKEP_DIR/out")" = seen ]
	[ "$(sed -n 3p "$SKEP_DIR/out")" = 4 ] # 0, 1, 2 and the directory being read
	run ! grep -q "$ID" "$SKEP_DIR/out"
}

@test "a program without HOME gets that of its user" {
	bundle '.process.args = ["sh", "-c", "echo $HOME"] | .process.user = {uid: 1000, gid: 1000}'
	[ "$(oci run --bundle "$BUNDLE" "$ID")" = /home/joe ]
	configure '.process.env += ["HOME=/tmp"]'
	[ "$(oci run --bundle "$BUNDLE" "$ID")" = /tmp ]
}

# bats test_tags=host
@test "in a user namespace" {
	bundle '.process.args = ["sh", "-c", "id -u; cat /proc/self/uid_map"]'
	with_userns
	oci run --bundle "$BUNDLE" "$ID" >"$SKEP_DIR/out"
	[ "$(sed -n 1p "$SKEP_DIR/out")" = 0 ]
	grep -q 1500000000 "$SKEP_DIR/out"
	oci_gone "$ID"
}

# bats test_tags=host_all
@test "pause and resume" {
	bundle '.process.args = ["sleep", "1000"]'
	oci create --bundle "$BUNDLE" "$ID"
	fails_with 1 'not started' oci resume "$ID"
	oci start "$ID"
	oci pause "$ID"
	oci_is "$ID" paused
	fails_with 1 paused oci pause "$ID"
	fails_with 255 paused timeout 60 "$SKEP_DIR/here/bin/skep" exec "$ID" true
	oci resume "$ID"
	oci_is "$ID" running
	oci pause "$ID"
	oci delete --force "$ID"
	oci_gone "$ID"
}

@test "list and ps" {
	bundle '.process.args = ["sleep", "1000"]'
	[ "$(oci list --format json)" = '[]' ]
	oci create --bundle "$BUNDLE" "$ID"
	[ "$(oci list -q)" = "$ID" ]
	oci list | grep -q "^$ID .* created "
	oci list --format json | jq -e --arg id "$ID" 'length == 1 and .[0].id == $id and .[0].status == "created"'
	[ "$(oci ps --format json "$ID")" = "[$(oci_pid "$ID")]" ]
	oci start "$ID"
	wait_for 30 eval 'oci ps "$ID" | grep -q "sleep 1000"'
	[ "$(oci ps "$ID" -- -o pid,comm -p "$(oci_pid "$ID")" | wc -l)" = 2 ]
}

@test "delete --regex: those whose names it is found in, whatever becomes of one of them" {
	local n
	bundle '.process.args = ["sleep", "1000"]'
	for n in a1 a2 b1; do oci run -d --bundle "$BUNDLE" "$ID-$n" >/dev/null 3>&-; done
	fails_with 1 "'a(': " oci delete --regex 'a('
	fails_with 1 'is running' oci delete --regex '.-a[12]$'
	oci delete --force --regex '.-a[0-9]$'
	[ "$(oci list -q)" = "$ID-b1" ]
	oci delete -f -r "$ID"
	[ -z "$(oci list -q)" ]
	oci delete --force --regex nobody
}

@test "a name that exists, a second start, a delete of a running one, a kill of a stopped one" {
	bundle '.process.args = ["sleep", "1000"]'
	oci create --bundle "$BUNDLE" "$ID"
	fails_with 1 exists oci create --bundle "$BUNDLE" "$ID"
	oci_is "$ID" created
	oci start "$ID"
	fails_with 1 'is running' oci start "$ID"
	fails_with 1 'is running' oci delete "$ID"
	oci_is "$ID" running
	oci kill "$ID" 0
	oci_is "$ID" running
	oci kill "$ID" 9
	wait_for 30 oci_is "$ID" stopped
	fails_with 1 'container not running' oci kill "$ID"
	fails_with 1 'container not running' oci kill "$ID" 0
	fails_with 1 'has ended' oci start "$ID"
	oci delete "$ID"
	fails_with 1 'does not exist' oci delete "$ID"
	oci delete --force "$ID"
	oci_gone "$ID"
}

@test "kill --all of one that has ended is no error" {
	bundle '.process.args = ["sleep", "1000"]'
	oci run -d --bundle "$BUNDLE" "$ID" </dev/null >/dev/null 2>&1
	oci kill --all "$ID" 0
	oci kill "$ID" KILL
	wait_for 30 oci_is "$ID" stopped
	fails_with 1 'container not running' oci kill "$ID" KILL
	oci kill --all "$ID" 0
	oci kill --all "$ID" KILL
	fails_with 1 'does not exist' oci kill --all "$ID-none" 0
}

@test "delete of one that has not been started" {
	bundle '.process.args = ["sleep", "1000"]'
	oci create --bundle "$BUNDLE" "$ID" >/dev/null 3>&-
	oci delete "$ID"
	oci_gone "$ID"
}

@test "a container that is not there: does not exist, and the nearest name" {
	bundle '.process.args = ["sleep", "1000"]'
	local verb
	for verb in state start kill pause resume delete; do
		fails_with 1 "container \"${ID}x\" does not exist" oci $verb "${ID}x"
	done
	oci create --bundle "$BUNDLE" "$ID"
	fails_with 1 "did you mean $ID?" oci state "${ID}x"
}

# bats test_tags=host_all
@test "kill --all reaches every process, kill only the first" {
	bundle '.process.args = ["sh", "-c", "sleep 1000 & sleep 1000 & wait"]'
	oci run -d --bundle "$BUNDLE" "$ID" >/dev/null 3>&-
	three() { [ "$(oci ps --format json "$ID" | jq length)" = 3 ]; }
	wait_for 30 three
	oci kill --all "$ID" KILL
	wait_for 30 oci_is "$ID" stopped
	fails_with 1 'signal' oci kill "$ID" NOSUCH
}

@test "a program that is not there, or is none" {
	bundle '.process.args = ["/bin/nothing"]'
	fails_with 127 'execute /bin/nothing in the container: No such file or directory' oci run --bundle "$BUNDLE" "$ID"
	oci_gone "$ID"
	configure '.process.args = ["nothing"]'
	fails_with 127 'No such file or directory' oci run --bundle "$BUNDLE" "$ID"
	configure '.process.args = ["/etc/passwd"]'
	fails_with 126 'Permission denied' oci run --bundle "$BUNDLE" "$ID"
	# Who creates hears it already; what only execve(2) can tell, who starts.
	fails_with 1 'Permission denied' oci create --bundle "$BUNDLE" "$ID"
	oci_gone "$ID"
	cp "$BUNDLE/rootfs/bin/busybox" "$BUNDLE/rootfs/tmp/echo"
	configure '.mounts += [{destination: "/tmp", type: "bind", source: "'"$BUNDLE"'/rootfs/tmp", options: ["bind", "noexec"]}] | .process.args = ["/tmp/echo"]'
	if oci create --bundle "$BUNDLE" "$ID" >"$SKEP_DIR/said" 2>&1 3>&-; then false; fi # not fails_with: who is created after all would keep its pipe open
	grep -q 'execute /tmp/echo in the container: Permission denied' "$SKEP_DIR/said"
	oci_gone "$ID"
	printf '#!/nowhere\n' >"$BUNDLE/rootfs/bin/script"
	chmod 755 "$BUNDLE/rootfs/bin/script"
	configure '.process.args = ["script"]'
	oci create --bundle "$BUNDLE" "$ID"
	fails_with 1 'No such file or directory' oci start "$ID"
	wait_for 30 oci_is "$ID" stopped
	oci delete "$ID"
	oci_gone "$ID"
}

@test "bundles that are none" {
	fails_with 1 'open bundle /nonexistent: No such file or directory' oci run --bundle /nonexistent "$ID"
	mkdir -p "$BUNDLE"
	fails_with 1 'config.json' oci create --bundle "$BUNDLE" "$ID"
	echo '{' >"$BUNDLE/config.json"
	fails_with 1 'line 2' oci create --bundle "$BUNDLE" "$ID"
	rm -r "$BUNDLE"
	bundle '.process.args = ["true"] | .linux.resources.cpu.idle = 7'
	fails_with 1 'linux.resources.cpu: idle is not 0 or 1' oci create --bundle "$BUNDLE" "$ID"
	bundle '.process.args = ["true"] | .linux.neverHeardOf = 1' # runtime-spec, "Extensibility"
	oci run --bundle "$BUNDLE" "$ID"
	bundle '.root.path = "nowhere"'
	fails_with 1 nowhere oci create --bundle "$BUNDLE" "$ID"
	fails_with 1 'invalid container ID' oci create --bundle "$BUNDLE" ../x
	oci_gone "$ID"
}

@test "a create that fails after all was made leaves nothing" {
	bundle '.process.args = ["true"]'
	fails_with 1 'pid file' oci create --bundle "$BUNDLE" --pid-file /nonexistent/pid "$ID"
	oci_gone "$ID"
	configure '.process.cwd = "/proc/1/fd/1"'
	fails_with 1 '' oci run --bundle "$BUNDLE" "$ID"
	oci_gone "$ID"
}

@test "failures go to the log in the form that was asked for" {
	fails_with 1 '' oci --log "$SKEP_DIR/log" --log-format json run --bundle /nonexistent "$ID"
	jq -e '.level == "error" and (.msg | contains("/nonexistent")) and (.time | length > 0)' "$SKEP_DIR/log"
	fails_with 1 '' oci --log "$SKEP_DIR/text" run --bundle /nonexistent "$ID"
	grep -q '^time=".*" level=error msg="open bundle /nonexistent' "$SKEP_DIR/text"
	fails_with 1 'not text or json' oci --log-format xml list
	fails_with 1 'open the log' oci --log /nonexistent/log list
}

@test "words that are none: the nearest one, exit 3 or 1" {
	fails_with 3 'did you mean skep delete?' oci delet x
	fails_with 1 'did you mean --bundle?' oci run --bundel x y
	oci --help | grep -q create
	oci run --help | grep -q -- --console-socket
	[[ $(oci --version) == "skep version "*$'\n''spec: 1.3.0'$'\n''+'*+SECCOMP*+CRIU* ]]
}

@test "by a link of another name, usage, help, hints and messages have that name; the version says what it is" {
	local crun=$SKEP_DIR/crun root=$SKEP_DIR/here/oci
	ln -s "$BUILD/skep" "$crun"
	run -0 "$crun" --help
	[[ $output == *'Usage: crun [OPTION...] COMMAND [OPTION...]'*'crun COMMAND --help'*'man skep '* ]]
	run -0 "$crun" delete --help
	[[ $output == 'Usage: crun [OPTION...] delete CONTAINER'*'  crun delete --force web'* ]]
	run -0 "$crun" exec --help
	[[ $output == 'Usage: crun [OPTION...] exec CONTAINER cmd'* ]]
	run -0 oci start --help
	[[ $output == 'Usage: skep [OPTION...] start CONTAINER'*'  skep start web'* ]]
	[[ $("$crun" --version) == 'crun version '[0-9]*' (skep)'$'\n''spec: 1.3.0'$'\n'* ]]
	[[ $(oci --version) != *'(skep)'* ]]
	fails_with 3 'did you mean crun delete?' "$crun" delet x
	fails_with 1 "crun: container \"$ID\" does not exist" "$crun" --root "$root" start "$ID"
	# What it does is the same, also behind the mount that the program begins again from, which has no name.
	bundle '.process.args = ["sh", "-c", "exit 7"] | .mounts += [{destination: "/nowhere", type: "nofs"}]'
	fails_with 1 'crun: ' on here "$crun" --root "$root" run --bundle "$BUNDLE" "$ID"
	configure '.mounts |= map(select(.type != "nofs"))'
	fails_with 7 '' on here "$crun" --root "$root" run --bundle "$BUNDLE" "$ID"
	oci_gone "$ID"
}

@test "features is JSON that names the namespaces" {
	oci features | jq -e '.linux.namespaces | index("user") and index("time")'
	oci features | jq -e '.ociVersionMax == "1.3.0" and (.linux.capabilities | index("CAP_SYS_ADMIN"))'
}

@test "what features names is taken: mount options, hooks, seccomp's actions, operators, architectures, flags" {
	oci features >"$SKEP_DIR/features"
	bundle '.process.args = ["true"]'
	spawn here "$SKEP_DIR/agent-says" /usr/bin/python3 "$REPO/tests/lib/seccomp_agent.py" "$SKEP_DIR/agent" "$SKEP_DIR/got" 0
	wait_for 30 [ -S "$SKEP_DIR/agent" ]
	jq --arg agent "$SKEP_DIR/agent" --slurpfile f "$SKEP_DIR/features" '.mounts += ([$f[0].mountOptions[] | select(IN("bind", "rbind", "remount", "idmap", "ridmap") | not)] | to_entries
			| map({destination: "/tmp/\(.key)", type: "tmpfs", source: "tmpfs", options: [.value]}))
		| .hooks = ($f[0].hooks | map({key: ., value: [{path: "/bin/true"}]}) | from_entries)
		| .linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", listenerPath: $agent, architectures: $f[0].linux.seccomp.archs, flags: $f[0].linux.seccomp.supportedFlags,
			syscalls: ([$f[0].linux.seccomp.actions[] | {names: ["kexec_load"], action: ., args: [{index: 0, value: 1, op: "SCMP_CMP_EQ"}]}]
				+ [$f[0].linux.seccomp.operators[] | {names: ["reboot"], action: "SCMP_ACT_ERRNO", args: [{index: 0, value: 1, valueTwo: 1, op: .}]}])}' \
		"$BUNDLE/config.json" >"$BUNDLE/new"
	mv "$BUNDLE/new" "$BUNDLE/config.json"
	mkdir -p "$BUNDLE/rootfs/bin"
	oci run --bundle "$BUNDLE" "$ID"
	oci_gone "$ID"
}

# bats test_tags=host
@test "limits hold, as the control group shows them" {
	bundle '.process.args = ["sleep", "1000"] | .linux.resources.pids = {limit: 17}'
	oci run -d --bundle "$BUNDLE" "$ID" >/dev/null 3>&-
	[ "$(cat "/sys/fs/cgroup/pids/skep-$ID/pids.max" "/sys/fs/cgroup/skep-$ID/pids.max" 2>/dev/null)" = 17 ]
}

@test "a compiled filter is kept and used again" {
	bundle '.process.args = ["grep", "Seccomp:", "/proc/self/status"] | .linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW",
		architectures: ["SCMP_ARCH_X86_64"], syscalls: [{names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO"}]}'
	local file
	oci run --bundle "$BUNDLE" "$ID" | grep -q '2$'
	file=$(echo "$SKEP_DIR"/here/oci/.cache/seccomp-*.bpf)
	[ -s "$file" ]
	touch -d @1 "$file"
	oci run --bundle "$BUNDLE" "$ID" | grep -q '2$'
	[ "$(stat -c %Y "$file")" = 1 ]
	configure '.process.args = ["mkdir", "/tmp/x"]'
	fails_with 1 'not permitted' oci run --bundle "$BUNDLE" "$ID"
	oci_gone "$ID"
}
