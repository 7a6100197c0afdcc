# SPDX-License-Identifier: GPL-2.0-only
# The fault walk: every point that the program knows (base/fault.c) fails once and kills once, in the verb that reaches it.
# Afterwards list works, the container is what it was or what it should become, the verb can be repeated, and destroy leaves nothing.

load ../lib/skep

setup() {
	skep_setup
	FAULTS=$BUILD/fault-points
}
teardown() { skep_teardown; }

# points VERB: those that VERB walks. A point that no verb takes fails "no point is forgotten".
points() {
	local point verb
	while read -r point; do
		case $point in
		create.*) verb=create ;;
		start.* | init.*) verb=start ;;
		stop.kill) verb=stop-kill ;;
		stop.* | delete.*) verb=stop ;;
		pause.*) verb=pause ;;
		unpause.*) verb=unpause ;;
		set.*) verb="set" ;;
		destroy.*) verb=destroy ;;
		suspend.* | dump.*) verb=suspend ;;
		resume.* | restore.*) verb=resume ;;
		# guardian.*: of one that failed, which only native/migrate_killed has.
		migrate.* | source.* | target.* | receive.* | guardian.*) verb=migrate ;;
		*) verb=none ;;
		esac
		[ "$verb" != "$1" ] || echo "$point"
	done < <("$FAULTS")
}

@test "no point is forgotten: each has a verb here, and the list has each that the code has" {
	[ -z "$(points none)" ]
	[ -z "$(grep -rhoE --include='*.c' 'fault_at\("[^"]+"' "$REPO"/{ns,cgroups,net,storage,runtime,checkpoint,ctl} | sed 's/.*"\(.*\)"/\1/' |
		sort -u | comm -23 - <("$FAULTS" | sort))" ]
}

wrong() {
	printf '%s%s, %s: %s\n' "$point" "$how" "$verb" "$*"
	cat "$SKEP_DIR/said"
	return 1
}
is() { [ "$(skepctl list -H -o status "$1" 2>/dev/null)" = "$2" ]; }
no_cgroup() { [ -z "$(find /sys/fs/cgroup -type d -name "*$1*" 2>/dev/null)" ]; }
# No link, rule, cgroup or file of it.
all_gone() {
	no_cgroup "$1" && net_matches here && [ ! -e "$SKEP_DIR/here/run/$1" ] && [ ! -e "$SKEP_DIR/here/lib/ct/$1" ]
}

# strike CMD...: with the fault; its words are in $SKEP_DIR/said, rc is its exit code.
strike() {
	rc=0
	SKEP_FAULT=$point$how timeout -k 5 60 nsenter --net="$(host_net here)" -- env PATH="$SKEP_DIR/here/bin:$PATH" "$@" \
		>"$SKEP_DIR/said" 2>&1 </dev/null || rc=$?
	[ $rc != 124 ] || wrong 'hangs' || return 1
	# Behind the point of no return nothing can fail the verb any more; that it gets there is seen when it is killed.
	[[ $rc$how == 0 && $point == @(suspend.marked|resume.running|resume.drop) ]] && return 0
	[ $rc != 0 ] || wrong 'the verb succeeds: it does not reach the point' || return 1
	[ -n "$how" ] || grep -q "injected failure at $point" "$SKEP_DIR/said" || wrong 'its words do not name the cause' || return 1
	[ -n "$how" ] || [ "$(grep -c '^skepctl: ' "$SKEP_DIR/said")" = 1 ] || wrong 'not one line of error' || return 1
}

# walk VERB: for each point and both ways: before_VERB, the verb with the fault, after_VERB, destroy.
walk() {
	local verb=$1 how rc point c failed=0 n=0
	template_probe here
	for point in $(points "$verb"); do
		for how in '' :kill; do
			c=$(ct_name)x$((n += 1))
			: >"$SKEP_DIR/said"
			walk_one && continue
			failed=$((failed + 1))
			skepctl destroy --force "$c" >/dev/null 2>&1 || true
			[ $failed -lt 5 ] || break 2 # what is wrong is clear by now, and each may take a minute
		done
	done
	echo "$verb: $n faults, $failed bad"
	[ $n -gt 0 ] && [ $failed = 0 ]
}
walk_one() {
	"before_${verb//-/_}" >>"$SKEP_DIR/said" 2>&1 || wrong 'cannot be prepared' || return 1
	"do_${verb//-/_}" || return 1
	skepctl list >"$SKEP_DIR/list" 2>&1 || wrong "list fails: $(cat "$SKEP_DIR/list")" || return 1
	! grep -q broken "$SKEP_DIR/list" || wrong 'it is broken' || return 1
	"after_${verb//-/_}" || wrong "the state afterwards is wrong: $(cat "$SKEP_DIR/list"; cat "$SKEP_DIR/again" 2>/dev/null)" || return 1
	skepctl destroy --force "$c" >"$SKEP_DIR/again" 2>&1 || wrong "destroy fails: $(cat "$SKEP_DIR/again")" || return 1
	wait_for 30 all_gone "$c" 2>/dev/null || wrong "something is left: $(net_things here | diff "$SKEP_DIR/net/here" -
		find /sys/fs/cgroup -type d -name "*$c*"; ls -d "$SKEP_DIR"/here/{run,lib/ct}/"$c" 2>&1)"
}
again() { "$@" >"$SKEP_DIR/again" 2>&1; }
running() { is "$c" running && again skepctl exec "$c" -- /probe true; }

before_create() { :; }
do_create() { strike skepctl create "$c" --template probe --ip auto --disk 32M; }
after_create() {
	# What a killed create leaves is no container, and the name is free.
	! grep -q "$c" "$SKEP_DIR/list" && again skepctl create "$c" --template probe --ip auto --disk 32M && again skepctl start "$c" && running
}
@test "create" {
	[ -n "$(points create)" ]
	walk create
}

before_start() { skepctl create "$c" --template probe --ip auto --memory 64M --pids 50; }
do_start() { strike skepctl start "$c"; }
after_start() { # a guardian that was killed when the program ran already cannot take it back
	if is "$c" running; then [ -n "$how" ] && running; else wait_for 30 is "$c" stopped && again skepctl start "$c" && running; fi
}
@test "start" { walk start; }

before_stop() { before_start && skepctl start "$c"; }
do_stop() { strike skepctl stop "$c"; }
after_stop() { is "$c" stopped || { running && again skepctl stop "$c" && is "$c" stopped; }; }
@test "stop" { walk stop; }

before_stop_kill() { before_start && skepctl start "$c"; }
do_stop_kill() { strike skepctl stop --kill "$c"; }
after_stop_kill() { after_stop; }
@test "stop by force" { walk stop-kill; }

before_pause() { before_stop; }
do_pause() { strike skepctl pause "$c"; }
after_pause() { is "$c" running || is "$c" paused && again skepctl pause "$c"; is "$c" paused && again skepctl resume "$c" && running; }
@test "pause" { walk pause; }

before_suspend() { before_stop; }
do_suspend() { strike skepctl suspend "$c"; }
after_suspend() { # exactly one: it runs, or it can be resumed
	if is "$c" running; then running; else is "$c" suspended && again skepctl resume "$c" && running; fi &&
		again skepctl suspend "$c" && is "$c" suspended && again skepctl resume "$c" && running
}
@test "suspend" { walk suspend; }

before_resume() { before_stop && skepctl suspend "$c"; }
do_resume() { strike skepctl resume "$c"; }
after_resume() { # once it runs nothing may be left that could bring it back a second time
	if is "$c" running; then running && [ ! -e "$SKEP_DIR/here/lib/ct/$c/checkpoint/complete" ]; else is "$c" suspended && again skepctl resume "$c" && running; fi
}
@test "resume" { walk resume; }

before_set() { before_stop; }
do_set() { strike skepctl set "$c" --memory 128M --ip 10.77.9.9/16; }
after_set() { # an error changes nothing; whatever a kill left, the next set puts right
	running || return 1
	[ -n "$how" ] || [ "$(skepctl list -H -o memory "$c")" = 64M ] || return 1
	again skepctl set "$c" --memory 96M && [ "$(skepctl list -H -o memory "$c")" = 96M ] && running
}
@test "set" { walk set; }

before_destroy() { before_start; }
do_destroy() { strike skepctl destroy "$c"; }
after_destroy() { # it is there and stopped, or its name is free; walk_one's destroy then removes what is left
	is "$c" stopped || ! grep -q "$c" "$SKEP_DIR/list"
}
@test "destroy" { walk destroy; }
