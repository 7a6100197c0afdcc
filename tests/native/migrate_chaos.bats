# SPDX-License-Identifier: GPL-2.0-only
# The chaos walk of migration: at each stage the source's command is killed, the target's is, the link is cut, the target's disk is full, or the link is frozen for
# 30 seconds. Then exactly one copy runs, or the one command that the message names brings it back; a client outside keeps its connection, and no
# number that it was sent is lost or comes twice; afterwards the migration can be done, and nothing is left on either host.
# By default the stages of migrate.h's table, in the modes precopy and postcopy. CHAOS=all walks every point at which SKEP_FAULT can strike, in all modes,
# and needs more time than the runner gives (TEST_SECONDS=1800 FILE_SECONDS=14400); CHAOS="hybrid content" these modes at the default's stages;
# CHAOS_POINTS=REGEX, CHAOS_WORKERS=N choose, too.

load ../lib/skep
load ../lib/move
load ../lib/chaos

# One for each row of the table; a stage that a mode does not have is left out.
stages="receive.reserve receive.rootfs receive.round migrate.frozen receive.images receive.ready migrate.commit receive.record receive.run receive.memory migrate.moved"

points() { # MODE
	local none='migrate\.(stop|kill)' all
	case $1 in
	precopy | content) none+='|migrate\.(stale|feed|lend)|receive\.(stale|feed|memory)' ;;
	postcopy) none+='|migrate\.(stale|track|round|pages)|receive\.(pages|round|stale)' ;;
	hybrid) none+='|migrate\.pages' ;;
	restart) none='migrate\.(freeze|parting|frozen|images|stale|feed|lend|track|round|pages|kill)|receive\.(restore|stale|feed|pages|round|memory)' ;;
	suspend) none+='|migrate\.(parting|frozen|stale|feed|lend|track|round|pages)|receive\.(stale|feed|pages|round|memory)' ;;
	esac
	if [ "${CHAOS:-}" = all ]; then
		all=$("$BUILD/fault-points" | grep -E '^(migrate|receive)\.')
	else
		all=$(tr ' ' '\n' <<<"$stages")
	fi
	grep -vxE "$none" <<<"$all" | grep -E "${CHAOS_POINTS:-.}"
}

wrong() {
	printf '%s at %s (%s): %s\n' "$what" "$point" "$mode" "$*"
	printf 'A: %s, B: %s, running: %s\n' "$(status_of A)" "$(status_of B)" "$(copies "$c" | tr '\n' ' ')"
	cat "$SKEP_DIR/said" "$SKEP_DIR/served.B"
	tail -2 "$SKEP_DIR/numbers"
	return 1
}

stopped() { [[ $(cat "/proc/$1/stat" 2>/dev/null) == *') T '* ]]; }
ended() { [[ ! -e /proc/$1 || $(cat "/proc/$1/stat" 2>/dev/null) == *') Z '* ]]; }
# Its end is a line, too, and is none.
grown() { [ "$(wc -l <"$SKEP_DIR/numbers")" -gt "$1" ] && ! ended "$client"; }

# The commands that a message names, one a line.
named() { grep -oE 'skepctl [a-z]+ [^`;,]*' | sed 's/[ .]*$//' | sort -u; }

# One host has it, running, and the other knows nothing of it, unless it was received only in part: then it is on_host.
lives() {
	local a b
	a=$(status_of A) b=$(status_of B)
	[[ $a$b == running || $a$b == runningmigrating && $a == running ]] && [ "$(copies "$c" | wc -l)" = 1 ] || return 1
	on_host=B
	[ -z "$a" ] || on_host=A
}

# What the operator reads: the command's words, or, when it was killed, what the container's next command says.
message() {
	if [ -n "$killed" ]; then
		on A skepctl start "$c" 2>&1 || true
	else
		cat "$SKEP_DIR/said"
	fi
}

# Its clients keep their connections, unless it boots anew; then each makes a new one.
begin_client() {
	[ "$mode" != restart ] || return 0
	spawn client "$SKEP_DIR/numbers" "$PROBE" client 10.77.1.1 7000 0 5
	client=$SPAWNED
}
client_hears() {
	local seen
	if [ "$mode" = restart ]; then
		until_true 60 answers_anew
		return
	fi
	seen=$(wc -l <"$SKEP_DIR/numbers")
	until_true 60 grown "$seen"
}
answers_anew() { in_net client ip neigh flush all && in_net client timeout 30 "$PROBE" client 10.77.1.1 7000 0.05 5; }
end_client() { [ -z "$client" ] || stop_spawned "$client"; }

at_most_one() { [ "$(copies "$c" | wc -l)" -le 1 ]; }
# So it is to be: one copy, by itself or by the one command.
settle() {
	local commands rc=0
	# A second one that runs goes on; one that is just being ended does not.
	until_true 30 at_most_one || wrong 'two copies run' || return 1
	message >"$SKEP_DIR/message" || return 1
	commands=$(grep '^hint: ' "$SKEP_DIR/message" | grep -E 'migrate|resume|start' | named) || true
	if [ -n "$commands" ] && [ "$(status_of A)" != running ]; then
		[ "$(wc -l <<<"$commands")" = 1 ] || wrong "more than one command is named: $commands" || return 1
		# Literally.
		echo "+ $commands" >>"$SKEP_DIR/said"
		on A sh -c "$commands" >>"$SKEP_DIR/said" 2>&1 || rc=$?
		[ $rc = 0 ] || [ $rc = 120 ] || wrong "the command that was named fails ($rc)" || return 1
	elif [ "$outcome" = 0 ]; then
		[ -z "$(status_of A)" ] || wrong 'it says that it has moved, and is here' || return 1
	fi
	until_true 30 lives || wrong 'does not run on exactly one host, by itself or by the command that was named' || return 1
}

row() { # MODE WHAT POINT
	local mode=$1 what=$2 point=$3 fault command paused client='' rc=0 killed='' outcome='' alive=40 on_host=''
	c=$(ct_name)
	fault=SKEP_FAULT=$point:pause=$SKEP_DIR/paused
	[ "$what" != cut_link ] || alive=12
	rm -f "$SKEP_DIR/paused"
	: >"$SKEP_DIR/said" && : >"$SKEP_DIR/numbers"
	chaos_serve B "$fault" || wrong 'no server' || return 1
	on A skepctl -q create "$c" --template probe --bridge br0 --ip 10.77.1.1/16 --init "/probe counter 7000 8 2 $c" --start || return 1
	# Another one had this address a moment ago, and who has just heard from that one believes no other for a second (locktime of arp(7)).
	in_net client ip neigh flush all
	until_true 30 in_net client "$PROBE" client 10.77.1.1 7000 0.05 5 || wrong 'no answer' || return 1
	begin_client
	spawn A "$SKEP_DIR/said" "$fault" skepctl migrate "$c" "$HOST_ADDR_B" --mode "$mode" --rsh "$(chaos_rsh $alive)"
	command=$SPAWNED
	until_true 60 test -s "$SKEP_DIR/paused" || wrong 'the point is not reached' || return 1
	paused=$(cat "$SKEP_DIR/paused")
	until_true 30 stopped "$paused" || wrong 'does not stop' || return 1
	[ "$what" != kill_source ] || killed=1
	case $what in
	freeze_link) freeze_link && kill -CONT "$paused" && rest 30 && thaw_link ;;
	kill_source) kill_source "$command" ;;
	*) $what ;;
	esac
	kill -CONT "$paused" 2>/dev/null || true
	until_true 150 ended "$command" || wrong 'hangs' || return 1
	wait "$command" 2>/dev/null || rc=$?
	outcome=$rc
	[ "$what" != cut_link ] || mend_link
	settle || return 1
	client_hears || wrong 'the client hears nothing' || return 1
	[ "$what" != fill_disk ] || free_disk
	# It can be done now, and sweeps what the first one may have left.
	if [ "$on_host" = A ]; then
		on A skepctl migrate "$c" "$HOST_ADDR_B" --mode "$mode" --rsh "$(chaos_rsh 40)" >>"$SKEP_DIR/said" 2>&1 || wrong 'cannot be done afterwards' || return 1
		client_hears || wrong 'the client hears nothing after the second one' || return 1
	fi
	end_client || wrong "numbers are lost: $(tail -1 "$SKEP_DIR/numbers")" || return 1
	on B skepctl destroy --force "$c" >>"$SKEP_DIR/said" 2>&1 || wrong 'destroy fails' || return 1
	# A target that was not told that its source remembers keeps its record, and nobody can know better.
	[[ $what != cut_link || $outcome != 0 ]] || rm -f "$SKEP_DIR"/B/lib/taken/*
	# Behind a cut link a receiver waits until its time is over, which is minutes, and has nothing any more.
	[ "$what" != cut_link ] || kill_target
	until_true 30 no_strays "$c" || wrong "left behind: $(strays "$c")" || return 1
	chaos_unserve B
	printf '%s at %s (%s): exit %s, then on %s: %s\n' "$what" "$point" "$mode" "$outcome" "$on_host" "$(tail -1 "$SKEP_DIR/message")"
}

# One worker: its rows one after the other; behind one that is wrong its hosts are made anew.
work() { # NUMBER, rows on standard input
	local mode what point n=0 rc=0 up=''
	while read -r mode what point; do
		[ -n "$up" ] || { n=$((n + 1)) && chaos_hosts "$1.$n" >>"$BATS_TEST_TMPDIR/setup.$1" 2>&1 && up=1; } || { echo 'no hosts'; cat "$BATS_TEST_TMPDIR/setup.$1"; return 1; }
		row "$mode" "$what" "$point" </dev/null && continue
		rc=1
		free_disk
		chaos_done || true
		up=''
	done
	[ -z "$up" ] || chaos_done || rc=1 # each row has looked for what is left
	return $rc
}

# walk MODE WORKERS WHAT...
walk() {
	local mode=$1 workers=${CHAOS_WORKERS:-$2} what point n=0 pids=() pid rc=0 i
	[[ " ${CHAOS:-precopy postcopy} " == *" $mode "* || ${CHAOS:-} == all ]] || skip "not by default: CHAOS=all or CHAOS=$mode"
	for what in "${@:3}"; do
		for point in $(points "$mode"); do
			echo "$mode $what $point" >>"$BATS_TEST_TMPDIR/rows.$((n % workers))"
			n=$((n + 1))
		done
	done
	for ((i = 0; i < workers && i < n; i++)); do
		work $i <"$BATS_TEST_TMPDIR/rows.$i" >"$BATS_TEST_TMPDIR/told.$i" 2>&1 3>&- &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do wait "$pid" || rc=1; done
	cat "$BATS_TEST_TMPDIR"/told.*
	[ $n -gt 0 ] && [ $rc = 0 ]
}

@test "mode precopy: the source's command is killed at each stage" { walk precopy 4 kill_source; }
@test "mode precopy: the target's command is killed at each stage" { walk precopy 4 kill_target; }
@test "mode precopy: the target's disk is full at each stage" { walk precopy 4 fill_disk; }
@test "mode precopy: the link is cut, or frozen, at each stage" { walk precopy 24 cut_link freeze_link; }
@test "mode postcopy: the source's command is killed at each stage" { walk postcopy 4 kill_source; }
@test "mode postcopy: the target's command is killed at each stage" { walk postcopy 4 kill_target; }
@test "mode postcopy: the target's disk is full at each stage" { walk postcopy 4 fill_disk; }
@test "mode postcopy: the link is cut, or frozen, at each stage" { walk postcopy 24 cut_link freeze_link; }
@test "mode hybrid: the source's command is killed at each stage" { walk hybrid 4 kill_source; }
@test "mode hybrid: the target's command is killed at each stage" { walk hybrid 4 kill_target; }
@test "mode hybrid: the target's disk is full at each stage" { walk hybrid 4 fill_disk; }
@test "mode hybrid: the link is cut, or frozen, at each stage" { walk hybrid 24 cut_link freeze_link; }
@test "mode content: the source's command is killed at each stage" { walk content 4 kill_source; }
@test "mode content: the target's command is killed at each stage" { walk content 4 kill_target; }
@test "mode content: the target's disk is full at each stage" { walk content 4 fill_disk; }
@test "mode content: the link is cut, or frozen, at each stage" { walk content 24 cut_link freeze_link; }
@test "mode suspend: the source's command is killed at each stage" { walk suspend 4 kill_source; }
@test "mode suspend: the target's command is killed at each stage" { walk suspend 4 kill_target; }
@test "mode suspend: the target's disk is full at each stage" { walk suspend 4 fill_disk; }
@test "mode suspend: the link is cut, or frozen, at each stage" { walk suspend 24 cut_link freeze_link; }
@test "mode restart: the source's command is killed at each stage" { walk restart 4 kill_source; }
@test "mode restart: the target's command is killed at each stage" { walk restart 4 kill_target; }
@test "mode restart: the target's disk is full at each stage" { walk restart 4 fill_disk; }
@test "mode restart: the link is cut, or frozen, at each stage" { walk restart 24 cut_link freeze_link; }
