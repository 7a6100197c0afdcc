# SPDX-License-Identifier: GPL-2.0-only
# Migration between two test hosts: what moves, what stays, and one clear line for each thing that can be wrong.

load ../lib/skep
load ../lib/move

setup() {
	move_setup probe
	rsh=$(host_rsh) c=$(ct_name)
}
teardown() { skep_teardown; }

make_ct() { on A skepctl -q create "$c" --template probe --bridge br0 --ip 10.77.1.1/16 --init "/probe counter 7000" "$@"; }
move() { on "$1" skepctl migrate "$c" "$2" --rsh "$rsh" "${@:3}"; }
upper() { echo "$SKEP_DIR/$1/lib/ct/$c/upper"; }
big_file() {
	head -c "$1" /dev/urandom >"$(upper A)/big"
	chown --reference="$(upper A)" "$(upper A)/big"
}
set_ids() {
	local file=$SKEP_DIR/$1/lib/ct/$2/definition.json
	jq ".id_base = $3" "$file" >"$SKEP_DIR/definition"
	cat "$SKEP_DIR/definition" >"$file"
}
# A stand-in for ssh that does what its body says.
fake_rsh() {
	printf '#!/bin/bash\n%s\n' "$1" >"$SKEP_DIR/fake"
	chmod +x "$SKEP_DIR/fake"
}
fake_migrate() { on A skepctl migrate "$c" B --rsh "$SKEP_DIR/fake" "$@"; }
unharmed() {
	[ "$(status_of A)" = running ] && [ -z "$(status_of B)" ] && [ ! -e "$SKEP_DIR/A/lib/ct/$c/migration.json" ] &&
		on A skepctl exec "$c" -- /probe true
}
only_on() {
	local other=A
	[ "$1" != A ] || other=B
	[ "$(status_of "$1")" = "$2" ] && [ -z "$(status_of $other)" ] && [ ! -e "$SKEP_DIR/$1/lib/ct/$c/migration.json" ] &&
		[ -z "$(find "$SKEP_DIR"/[AB]/lib/taken -type f)" ]
}

@test "mode restart moves files, addresses and limits, and it starts there" {
	make_ct --memory 64M --start
	echo before >"$(upper A)/file"
	chown --reference="$(upper A)" "$(upper A)/file"
	ln "$(upper A)/file" "$(upper A)/link"
	move A B --mode restart
	only_on B running
	[ "$(cat "$(upper B)/file")" = before ]
	[ "$(stat -c %i "$(upper B)/file")" = "$(stat -c %i "$(upper B)/link")" ]
	on B skepctl info "$c" --json | jq -e '.definition.limits.memory_max // .limits.memory_max // true'
	client_new client
	wait_for 30 in_net client "$PROBE" client 10.77.1.1 7000 0.1 10
}

longer_than() { [ "$(wc -l <"$2")" -gt "$1" ]; }

@test "a stopped container stays stopped, a suspended one suspended" {
	make_ct
	move A B
	only_on B stopped
	on B skepctl start "$c"
	on B skepctl suspend "$c"
	move B A
	only_on A suspended
	on A skepctl resume "$c"
	only_on A running
}

@test "images that a disk has damaged are found before they leave" {
	make_ct --start
	on A skepctl suspend "$c"
	printf x | dd of="$SKEP_DIR/A/lib/ct/$c/checkpoint/core-1.img" bs=1 seek=100 conv=notrunc status=none
	fails_with 120 'core-1.img is not as it was written' on A skepctl migrate "$c" B --rsh "$rsh"
	only_on A suspended
}

@test "the remote shell may be pipes" {
	make_ct --start
	fake_rsh "cat | $rsh \"\$@\" | cat"
	for mode in precopy suspend; do
		fake_migrate --mode $mode
		only_on B running
		move B A --mode $mode
	done
	only_on A running
}

@test "a container on a disk image moves, running and stopped" {
	make_ct --disk 64M --start
	on A skepctl exec "$c" -- /probe true
	move A B
	only_on B running
	on B skepctl exec "$c" -- /probe true
	move B A --mode restart
	only_on A running
	on A skepctl stop --timeout 5 "$c"
	move A B
	only_on B stopped
}

@test "--dry-run checks and leaves nothing; --keep leaves it where it cannot run" {
	make_ct --start
	move A B --dry-run
	unharmed
	[ -z "$(ls "$SKEP_DIR/B/lib/ct")" ]
	move A B --keep
	[ "$(status_of A)" = moved ] && [ "$(status_of B)" = running ]
	fails_with 121 "$c" on A skepctl start "$c"
	fails_with 31 "CT $c: it was moved to B, and kept here" on A skepctl exec "$c" -- /probe true
	fails_with 31 "hint: \`skepctl destroy --force $c\` removes this copy" on A skepctl stat "$c"
	on A skepctl stat
	fails_with 121 'B has it' on A skepctl migrate "$c" --abort
	on B skepctl destroy --force "$c"
	on A skepctl migrate "$c" --abort
	only_on A running
}

@test "the account: stages and times as a table, as JSON, and events as JSON lines" {
	make_ct --start
	move A B --json --progress json >"$SKEP_DIR/report" 2>"$SKEP_DIR/events"
	jq -e '.frozen_ns > 0 and .total_ns > .frozen_ns and ([.stages[].stage] | index("images") != null)' "$SKEP_DIR/report"
	jq -es 'map(.event) | index("stage") != null and index("stage done") != null' "$SKEP_DIR/events"
	move B A 2>&1 | grep -E '^frozen [0-9.]+ ms, mode precopy$'
	# Who reads events gets nothing but events.
	move A B --progress json 2>"$SKEP_DIR/events"
	jq -es '.[-1] | .event == "done" and .report.frozen_ns > 0' "$SKEP_DIR/events"
}

@test "--status tells from another shell how far it is; --bwlimit holds back files and memory together" {
	local pid rc=0
	on A skepctl -q create "$c" --template probe --bridge br0 --ip 10.77.1.1/16 --init "/probe touch 24 1" --start
	fails_with 120 'no migration' on A skepctl migrate "$c" --status
	# How much there is to be sent is asked at the beginning, when a probe that had no processor yet has not touched all of it.
	wait_for 30 grep -q ready "$SKEP_DIR/A/lib/ct/$c/console.log"
	big_file 8M
	spawn A "$SKEP_DIR/out" skepctl migrate "$c" B --mode precopy --bwlimit 16mbit --compress none --progress json --json --rsh "$rsh"
	pid=$SPAWNED
	wait_for 30 said_by_status 'to B, mode precopy'
	on A skepctl migrate "$c" --status --json | jq -e '.point == "started" and .mode == "precopy" and .progress.pid > 0'
	wait_for 30 said_by_status 'memory for [0-9]* s, [1-9][0-9.]*M of 24'
	on A skepctl migrate "$c" --status --json | jq -e '.progress.sent > 1000000 and .progress.total > .progress.sent'
	wait_for 120 grep -q '"event": "round", "round": 1' "$SKEP_DIR/out"
	wait "$pid" || rc=$?
	[ $rc = 0 ]
	fails_with 14 '' on A skepctl migrate "$c" --status
	# 32 MB at 2 MB/s, a tenth of a second's worth of them at once: slow, as it is to be seen on its way by who may have to wait for the processor.
	grep -v '"event"' "$SKEP_DIR/out" | jq -e '[.stages[] | select(.stage == "rootfs" or .stage == "memory") | .ns] | add > 12.0e9'
	grep -v '"event"' "$SKEP_DIR/out" | jq -e '.rounds | length > 0 and .[0].bytes > 24000000'
	only_on B running
}
said_by_status() { on A skepctl migrate "$c" --status | grep -q "$1"; }

# ms_sent REPORT: how long files and memory took to send
ms_sent() { jq '[.stages[] | select(.stage == "rootfs" or .stage == "memory") | .ns] | add / 1000000 | floor' "$1"; }
@test "--compress: over a link that is slow all goes packed, half as much in half the time; none and a fast link leave it" {
	local plain packed
	on A skepctl -q create "$c" --template probe --bridge br0 --ip 10.77.1.1/16 --init "/probe touch 24" --start
	head -c 8M /dev/zero | tr '\0' 'x' >"$(upper A)/text"
	chown --reference="$(upper A)" "$(upper A)/text"
	move A B --mode precopy --bwlimit 64mbit --compress none --json >"$SKEP_DIR/plain"
	only_on B running
	move B A --mode precopy --bwlimit 64mbit --json >"$SKEP_DIR/packed"
	only_on A running
	cmp <(head -c 8M /dev/zero | tr '\0' 'x') "$(upper A)/text"
	jq -e '.compressed.before == 0 and .bytes > 33000000' "$SKEP_DIR/plain"
	jq -e '.compressed.before > 33000000 and .compressed.after < .compressed.before / 2 and .bytes < 18000000' "$SKEP_DIR/packed"
	# Four seconds and two at this rate. Not of the whole: what else there is to do takes as long as the machine is slow.
	plain=$(ms_sent "$SKEP_DIR/plain") packed=$(ms_sent "$SKEP_DIR/packed")
	[ "$packed" -lt $((plain * 9 / 10)) ]
	# The memory is what it was: it goes on, and again packed whatever the link, as images, with the account in words.
	move A B --mode suspend --compress zstd 2>&1 | grep -E '^compressed [0-9.]+M to [0-9.]+M$'
	only_on B running
	on B skepctl exec "$c" -- /probe true
	fails_with 21 'not one of auto, zstd, none' move B A --compress lzma
}

@test "a container whose memory grows while it is sent" {
	on A skepctl -q create "$c" --template probe --bridge br0 --ip 10.77.1.1/16 --init "/probe counter 7000 600" --start
	move A B --mode precopy --json | jq -e '.memory_bytes > 0'
	only_on B running
	on B skepctl exec "$c" -- /probe true
}

@test "a bound that cannot be kept leaves it running; a fallback is tried for what another mode may do" {
	on A skepctl -q create "$c" --template probe --bridge br0 --ip 10.77.1.1/16 --init "/probe touch 8 1" --start
	run move A B --mode precopy --max-downtime 1
	[ "$status" = 120 ]
	[[ $output =~ 'frozen for about '([0-9]+)' ms, and --max-downtime is 1: '([0-9]+)' ms to dump and restore it, '([0-9]+)' ms to send what it writes' ]]
	# Its parts, each cut to whole ones.
	[ $((BASH_REMATCH[1] - BASH_REMATCH[2] - BASH_REMATCH[3])) -le 1 ]
	[ "${BASH_REMATCH[2]}" -gt 1 ]
	[[ $output == *'hint: raise --max-downtime: to dump and restore it alone takes longer; it runs on'* ]]
	unharmed
	run move A B --mode precopy --max-downtime 1 --fallback content,suspend
	[ "$status" = 0 ]
	[[ $output == *'now in mode content'*'now in mode suspend'* ]]
	only_on B running
	fails_with 21 'no migration mode' move B A --fallback live,never
}

@test "mode restart: --timeout is for how long it may take to end, and while it does it runs" {
	local began=$SECONDS
	template_busybox A
	template_busybox B
	on A skepctl -q create "$c" --template busybox --network none --init '/bin/sleep 1000' --stop-timeout 600 --start
	move A B --mode restart --timeout 6 >"$SKEP_DIR/out" 2>&1
	only_on B running
	[ $((SECONDS - began)) -lt 300 ]
	grep -q "container $c: waits up to 6 s for it to end" "$SKEP_DIR/out"
	grep -E '^not running [0-9]+\.[0-9] ms, mode restart$' "$SKEP_DIR/out"
	# Those six seconds are of the whole, and not of that.
	awk '$1 == "total" { total = $2 * 1000 } /^not running/ { ms = $3 } END { exit !(ms > 0 && total - ms > 5900) }' "$SKEP_DIR/out"
}

@test "a host is told that it is the one, whatever it was called" {
	local began word soon
	make_ct --start
	# Not after the time that a lock is waited for, CT_LOCK_WAIT_MS: one of the three at least.
	for word in '' '' --dry-run; do
		began=$(date +%s%N)
		fails_with 120 'A: this is the very host that it is on' move A A ${word:+"$word"}
		[ $((($(date +%s%N) - began) / 1000000)) -ge 5000 ] || soon=1
	done
	[ "$soon" = 1 ]
	unharmed
	on A skepctl stop --kill "$c"
	fails_with 120 'A: this is the very host' move A A
	[ "$(status_of A)" = stopped ]
}

@test "wrong words are refused before anything happens" {
	make_ct --start
	fails_with 21 'no migration mode "warp"' move A B --mode warp
	fails_with 21 'not the name of a host' on A skepctl migrate "$c" -- -oProxyCommand=x
	fails_with 14 'no container' on A skepctl migrate nobody B --rsh "$rsh"
	fails_with 21 'no migration of it was interrupted' on A skepctl migrate "$c" --continue
	fails_with 21 'no migration of it was interrupted' on A skepctl migrate "$c" --abort
	unharmed
}

@test "a host that cannot be reached, or is no skep, is told with what the shell said" {
	make_ct --start
	fails_with 120 'cannot reach nowhere (rsh: no test host is named nowhere)' on A skepctl migrate "$c" nowhere --rsh "$rsh"
	fails_with 120 'the program /nonexistent is not installed' on A skepctl migrate "$c" B --rsh /nonexistent
	mkdir "$SKEP_DIR/no-ssh"
	fails_with 120 'the program ssh is not installed' on A env PATH="$SKEP_DIR/no-ssh" "$BUILD/skepctl" --root "$SKEP_DIR/A/lib" --state "$SKEP_DIR/A/run" migrate "$c" B
	# What the operator is to try has no options of ours.
	printf '#!/bin/sh\necho "ssh: Could not resolve hostname B" >&2; exit 255\n' >"$SKEP_DIR/no-ssh/ssh"
	chmod +x "$SKEP_DIR/no-ssh/ssh"
	run on A env PATH="$SKEP_DIR/no-ssh:$PATH" "$BUILD/skepctl" --root "$SKEP_DIR/A/lib" --state "$SKEP_DIR/A/run" migrate "$c" B
	[ "$status" = 120 ]
	# shellcheck disable=SC2016 # these are the message's own
	[[ $output == *'cannot reach B (ssh: Could not resolve hostname B)'*'does `ssh B skepctl doctor` work?'* ]]
	fake_rsh 'echo "sh: skepctl: not found" >&2; exit 127'
	fails_with 120 'ended the connection (sh: skepctl: not found)' fake_migrate
	fake_rsh 'echo Welcome to this host; cat >/dev/null'
	fails_with 120 "that is not skep's" fake_migrate
	unharmed
}

@test "a target of another version, or one that talks nonsense, is refused" {
	make_ct --start
	# A frame is "skm1", type, length, JSON.
	fake_rsh 'printf "skm1\\1\\0\\0\\0\\16\\0\\0\\0{\"version\":99}"; cat >/dev/null'
	fails_with 5 'version 99 of the migration protocol' fake_migrate
	fake_rsh 'printf "skm1\\1\\0\\0\\0\\377\\377\\377\\377"; cat >/dev/null'
	fails_with 120 'unknown type or size' fake_migrate
	fake_rsh 'printf "skm1\\1\\0\\0\\0\\4\\0\\0\\0{]!!"; cat >/dev/null'
	fails_with 120 'no JSON object' fake_migrate
	unharmed
}

@test "a target without the template, or with another one of that name" {
	make_ct --start
	on B skepctl template remove probe
	fails_with 91 'skepctl template export probe - | ssh HOST skepctl template import probe -' move A B
	unharmed
	echo other >"$SKEP_DIR/probe/other"
	on B skepctl template import probe "$SKEP_DIR/probe"
	fails_with 91 'another content' move A B
	fails_with 91 'hint: remove that one there (skepctl template remove), and bring yours: skepctl template export probe - | ssh' move A B
	unharmed
	# As the hint says.
	on B skepctl template remove probe
	on A skepctl template export probe - | on B skepctl template import probe -
	move A B
	only_on B running
}

@test "a name, an address or the ids that are taken there" {
	make_ct --start
	on B skepctl -q create "$c" --template probe --network none
	fails_with 44 "CT $c: B: there is a container of this name already" move A B
	on B skepctl destroy "$c"
	on B skepctl -q create other --template probe --bridge other0 --ip 10.77.1.1/16
	fails_with 78 'address 10.77.1.1 belongs to container other' move A B
	fails_with 78 "hint: give it another one: skepctl set $c --ipdel 10.77.1.1 --ip ADDRESS here, or the same for other there" move A B
	on B skepctl destroy other
	on B skepctl -q create other --template probe --network none
	set_ids B other "$(jq .id_base "$SKEP_DIR/A/lib/ct/$c/definition.json")"
	fails_with 120 'the id range' move A B
	unharmed
	move A B --mode restart
	only_on B running
	[ "$(stat -c %u "$(upper B)")" != "$(stat -c %u "$SKEP_DIR/B/lib/ct/other/upper")" ]
}

@test "a target without the bridge" {
	make_ct --start
	in_net B ip link set br0 name br1
	fails_with 34 'no bridge br0 here' move A B
	in_net B ip link set br1 name br0
	unharmed
	[ -z "$(ls "$SKEP_DIR/B/lib/ct")" ]
}

@test "a target without room" {
	make_ct --start
	mkdir -p "$SKEP_DIR/B/lib/ct"
	mount -t tmpfs -o size=1M,mode=700 tmpfs "$SKEP_DIR/B/lib/ct"
	big_file 3M
	run move A B
	umount "$SKEP_DIR/B/lib/ct"
	[ "$status" = 46 ]
	[[ $output == *'o room'* || $output == *'No space'* ]]
	[[ $output == *'hint: skepctl doctor on B says how much room there is, and where'* ]]
	unharmed
}

@test "a target that dies in the middle of a large file, and a link that ends" {
	make_ct --start
	big_file 32M
	# dd passes on what it reads at once, and ends after so many reads.
	fake_rsh "dd bs=64k count=20 status=none | $rsh \"\$@\""
	fails_with 120 'ended the connection' fake_migrate
	unharmed
	fails_with 120 'hint: it goes on here; try again' fake_migrate
	on A skepctl suspend "$c"
	fails_with 120 'hint: it is suspended here, as before; try again' fake_migrate
	[ "$(status_of A)" = suspended ]
}

@test "a file that came from outside, and is nobody's in there: the way out is named" {
	local id
	make_ct --start
	id=$(stat -c %u "$(upper A)")
	echo x >"$(upper A)/foreign"
	fails_with 120 '/foreign belongs to 0:0, which is not an id of the container' move A B
	run move A B
	[[ $output == *"\`chown -h $id:$id\` there"* ]]
	unharmed
	chown -h "$id:$id" "$(upper A)/foreign"
	move A B
	only_on B running
}

@test "a signal in the middle undoes it" {
	local pid rc
	make_ct --start
	# shellcheck disable=SC2016 # the fake expands it
	fake_rsh 'echo $$ >"$0.pid"; exec tail -f /dev/null' # it never says its first word
	spawn A "$SKEP_DIR/out" skepctl migrate "$c" B --rsh "$SKEP_DIR/fake"
	pid=$SPAWNED rc=0
	wait_for 30 test -s "$SKEP_DIR/fake.pid"
	stop_spawned "$pid" || rc=$?
	[ $rc = 120 ]
	grep 'interrupted (Terminated)' "$SKEP_DIR/out"
	grep -qx 'hint: it goes on here; try again' "$SKEP_DIR/out"
	unharmed
}

@test "one that is on its way can be looked into; who has to wait hears how far it is, and how to undo that" {
	local pid rc=0
	make_ct --start
	spawn A "$SKEP_DIR/out" "SKEP_FAULT=migrate.round:pause=$SKEP_DIR/paused" skepctl migrate "$c" B --mode precopy --rsh "$rsh"
	wait_for 30 test -s "$SKEP_DIR/paused"
	pid=$(cat "$SKEP_DIR/paused")
	wait_for 30 stopped "$pid"
	[ "$(status_of A)" = migrating ]
	on A skepctl exec "$c" -- /probe true
	on A skepctl stat "$c" | grep "^CT $c: migrating for"
	on A skepctl stat | grep "^CT $c: migrating for"
	fails_with 9 "hint: \`skepctl migrate $c --status\` shows how far it is; \`kill $pid\` undoes it" on A skepctl pause "$c"
	# As the hint says; it stands at its fault.
	kill "$pid"
	kill -CONT "$pid"
	wait "$SPAWNED" || rc=$?
	[ $rc = 120 ]
	unharmed
}

@test "an interrupted one is finished or undone from either side" {
	make_ct --start
	SKEP_FAULT=migrate.commit:kill move A B || true
	[ "$(status_of A)" = migrating ]
	fails_with 121 'not finished' on A skepctl start "$c"
	fails_with 120 'never took it: it goes on here' on A skepctl migrate "$c" --continue --rsh "$rsh"
	only_on A running
	SKEP_FAULT=migrate.commit:kill move A B || true
	on A skepctl migrate "$c" --abort
	only_on A running
	SKEP_FAULT=migrate.done:kill move A B || true
	wait_for 30 runs_on B
	fails_with 121 'B has it' on A skepctl migrate "$c" --abort
	on A skepctl migrate "$c" --continue
	only_on B running
}

cgroup_of() { echo "$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)/$(jq -r .cgroup "$SKEP_DIR/$1/run/$c/state.json")"; }
is_frozen() { grep -qx 'frozen 1' "$(cgroup_of "$1")/cgroup.events"; }
descendants() {
	local p
	for p in $(pgrep -P "$1"); do
		echo "$p"
		descendants "$p"
	done
}

@test "given away and not confirmed: it stays frozen, its kernel is silent, and abort lets it go on" {
	local client seen
	make_ct --start
	client_new client
	wait_for 30 in_net client "$PROBE" client 10.77.1.1 7000 0.1 10
	spawn client "$SKEP_DIR/numbers" "$PROBE" client 10.77.1.1 7000 0 10
	client=$SPAWNED
	wait_for 30 grep -q ready "$SKEP_DIR/numbers"
	SKEP_FAULT=migrate.commit:kill move A B --mode precopy || true
	[ "$(status_of A)" = migrating ]
	is_frozen A
	in_net A nft list tables | grep -q skep_lock_
	for verb in resume start stop; do fails_with 121 'not finished' on A skepctl $verb "$c"; done
	fails_with 31 "CT $c: its migration is not finished" on A skepctl pause "$c"
	fails_with 31 "hint: finish it with \`skepctl migrate $c --continue\`" on A skepctl exec "$c" -- /probe true
	on A skepctl stat "$c" | grep "^CT $c: migrating for"
	is_frozen A
	seen=$(wc -l <"$SKEP_DIR/numbers")
	on A skepctl migrate "$c" --abort
	only_on A running
	in_net A nft list tables | { ! grep -q skep_lock_; }
	wait_for 30 longer_than "$seen" "$SKEP_DIR/numbers"
	stop_spawned "$client"
	grep -q ' lost=0 ' "$SKEP_DIR/numbers"
}

@test "postcopy: the source's command dies when it runs there, and --continue brings the rest of its memory" {
	make_ct --start
	client_new client
	wait_for 30 in_net client "$PROBE" client 10.77.1.1 7000 0.1 10
	spawn client "$SKEP_DIR/numbers" "$PROBE" client 10.77.1.1 7000 0 10
	client=$SPAWNED
	wait_for 30 grep -q ready "$SKEP_DIR/numbers"
	SKEP_FAULT=migrate.done:kill move A B --mode postcopy || true
	wait_for 30 runs_on B
	[ "$(status_of A)" = migrating ]
	is_frozen A
	fails_with 121 'B has it' on A skepctl migrate "$c" --abort
	is_frozen A
	on A skepctl migrate "$c" --continue
	only_on B running
	seen=$(wc -l <"$SKEP_DIR/numbers")
	wait_for 30 longer_than "$seen" "$SKEP_DIR/numbers"
	stop_spawned "$client"
	grep -q ' lost=0 ' "$SKEP_DIR/numbers"
}

@test "command, criu and its hook killed at once: it stays frozen until the next migration or abort" {
	local pid how p all
	make_ct --start
	# A target that is never ready.
	# shellcheck disable=SC2016 # the fakes expand it
	printf '#!/bin/bash\n[ "$1" != restore ] || exec tail -f /dev/null\nexec %q "$@"\n' "$(criu_path)" >"$SKEP_DIR/criu"
	chmod +x "$SKEP_DIR/criu"
	# shellcheck disable=SC2016
	fake_rsh "SKEP_CRIU=$SKEP_DIR/criu exec $rsh "'"$@"'
	for how in abort again; do
		spawn A "$SKEP_DIR/out" skepctl migrate "$c" B --mode precopy --rsh "$SKEP_DIR/fake"
		pid=$SPAWNED
		wait_for 30 restoring_below "$pid"
		# The hook would thaw for a command that is dead, and criu for a hook that is: none of them goes on before all are dead.
		mapfile -t all < <(echo "$pid"; descendants "$pid")
		kill -STOP "${all[@]}"
		for p in "${all[@]}"; do wait_for 30 stopped "$p"; done
		kill -KILL "${all[@]}"
		stop_spawned "$pid" || true
		[ "$(status_of A)" = migrating ]
		is_frozen A
		fails_with 121 'not finished' on A skepctl resume "$c"
		[ $how = again ] || { on A skepctl migrate "$c" --abort && [ "$(status_of A)" = running ] && on A skepctl exec "$c" -- /probe true; }
	done
	move A B --mode precopy
	only_on B running
}
stopped() { [[ ! -e /proc/$1 || $(cat "/proc/$1/stat") == *') '[TtZX]' '* ]]; }
restoring_below() {
	local p
	for p in $(descendants "$1"); do ! tr '\0' ' ' <"/proc/$p/cmdline" | grep -q '^tail -f /dev/null' || return 0; done
	return 1
}
criu_path() {
	local p
	for p in "${SKEP_CRIU:-}" /usr/local/lib/skep/criu/bin/criu "$(command -v criu)" /usr/sbin/criu; do
		[ ! -x "$p" ] || { echo "$p" && return; }
	done
}

@test "a target that was killed can be put right without its source" {
	make_ct --start
	# Called again, to forget, it is not there.
	fake_rsh "[ ! -e \$0.again ] || exit 1; touch \$0.again; SKEP_FAULT=receive.images:kill exec $rsh \"\$@\""
	fails_with 120 'ended the connection' fake_migrate
	[ "$(status_of B)" = migrating ]
	fails_with 121 'interrupted' on B skepctl start "$c"
	fails_with 120 'never took it' on B skepctl migrate "$c" --continue
	on B skepctl migrate "$c" --abort
	unharmed
	SKEP_FAULT=receive.run:kill move A B --mode restart || true
	[ "$(status_of B)" = stopped ]
	on A skepctl migrate "$c" --continue
	only_on B running
}
runs_on() { [ "$(status_of "$1")" = running ]; }
