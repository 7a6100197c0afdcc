# SPDX-License-Identifier: GPL-2.0-only
# The fault walk of migration: at every point, failing or killing, exactly one copy runs or can be resumed, and it can be finished.

load ../lib/skep
load ../lib/move

setup() {
	move_setup probe
	rsh=$(host_rsh)
}
teardown() { skep_teardown; }

# Those that the mode has. migrate.kill can only kill: nothing may fail there any more.
points() {
	local lazy='migrate\.(stale|feed|lend)|receive\.(stale|feed|memory)' rounds='migrate\.(track|round|pages)|receive\.(pages|round|stale)' other
	local live="migrate\\.(parting|frozen|kill)|$lazy|$rounds"
	case $mode in
	restart) other="migrate\\.(freeze|images)|receive\\.restore|$live" ;;
	suspend) other="migrate\\.stop|$live" ;;
	postcopy) other="migrate\\.stop|$rounds" ;;
	*) other="migrate\\.stop|$lazy" ;;
	esac
	[ -n "$how" ] || other+='|migrate\.kill'
	"$BUILD/fault-points" | grep -E '^(migrate|receive)\.' | grep -vxE "$other"
}

wrong() {
	printf '%s%s (%s): %s\n' "$point" "$how" "$mode" "$*"
	printf 'A: %s, B: %s, running: %s\n' "$(status_of A)" "$(status_of B)" "$(inits "$c")"
	cat "$SKEP_DIR/said"
	return 1
}

migrate() { on A env ${fault:+SKEP_FAULT="$fault"} timeout -k 5 90 skepctl migrate "$c" B --mode "$mode" --rsh "$rsh"; }

# What the operator does next: what the error's hint says.
finish() {
	local a b
	a=$(status_of A) b=$(status_of B)
	if [ -n "$a" ] && [ "$a" != running ]; then
		on A skepctl migrate "$c" --rsh "$rsh" --continue || on A skepctl migrate "$c" --rsh "$rsh" --abort
	elif [ "$a" = running ]; then
		on A skepctl migrate "$c" --rsh "$rsh" --abort || true # there may be nothing to be aborted
	fi
	a=$(status_of A) b=$(status_of B)
	[ "$a" != suspended ] || on A skepctl resume "$c"
	[ "$b" != suspended ] || on B skepctl resume "$c"
	[ "$a" != stopped ] || on A skepctl start "$c"
	[ "$b" != stopped ] || on B skepctl start "$c"
}

one() {
	local rc=0 fault=$point$how a b
	c=$(ct_name)m$((n += 1))
	on A skepctl -q create "$c" --template probe --bridge br0 --ip 10.77.1.1/16 --init "/probe idle $c" --start
	migrate >"$SKEP_DIR/said" 2>&1 || rc=$?
	[ $rc != 124 ] || wrong 'hangs' || return 1
	[ -n "$how" ] || [ $rc != 0 ] || wrong 'succeeds: the point is not reached' || return 1
	[ -n "$how" ] || grep -q "injected failure at $point" "$SKEP_DIR/said" || wrong 'its words do not name the cause' || return 1
	for h in A B; do on "$h" skepctl list >>"$SKEP_DIR/said" 2>&1 || wrong "list fails on $h" || return 1; done
	# A second one that runs goes on; one that is just being ended does not.
	wait_for 30 runs_at_most_once 2>/dev/null || wrong 'two copies run' || return 1
	finish >>"$SKEP_DIR/said" 2>&1 || wrong 'cannot be finished' || return 1
	wait_for 30 runs_once 2>/dev/null || wrong "$(inits "$c") copies run at the end" || return 1
	a=$(status_of A) b=$(status_of B)
	[ "$a$b" = running ] || wrong 'not exactly one host has it, running' || return 1
	for h in A B; do
		[ -z "$(status_of $h)" ] || on $h skepctl exec "$c" -- /probe true >>"$SKEP_DIR/said" 2>&1 || wrong 'exec fails' || return 1
		[ -z "$(status_of $h)" ] || on $h skepctl destroy --force "$c" >>"$SKEP_DIR/said" 2>&1 || wrong "destroy fails on $h" || return 1
	done
	for h in A B; do
		wait_for 30 gone $h 2>/dev/null || wrong "host $h is not clean: $(net_things $h | diff "$SKEP_DIR/net/$h" -
			find /sys/fs/cgroup -type d -name "*$c*"; find "$SKEP_DIR/$h"/lib/{ct,taken} "$SKEP_DIR/$h/run" -mindepth 1 -maxdepth 1)" || return 1
	done
}
# The processes that are its init, wherever they run. One that is frozen does not run, nor one that criu has not let go yet: a target whose source was
# killed just now is about to end it. Nor does one that has been ended while it was looked at: it is neither then.
inits() {
	local p n=0
	for p in $(pgrep -f "^/probe idle $1\$"); do
		p=/proc/$p
		is_frozen "$p" || is_restored "$p" || ! has_words "$p" || n=$((n + 1))
	done
	echo $n
}
is_frozen() { grep -qsx 'frozen 1' "$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)$(sed -n 's/^0:://p' "$1/cgroup" 2>/dev/null)/cgroup.events"; }
is_restored() { # criu, and what it makes, are children of one process
	local parent siblings=() sibling
	parent=$(sed -n 's/^PPid:\t//p' "$1/status" 2>/dev/null)
	{ read -ra siblings <"/proc/$parent/task/$parent/children"; } 2>/dev/null
	for sibling in "${siblings[@]}"; do
		[ "$(cat "/proc/$sibling/comm" 2>/dev/null)" != criu ] || return 0
	done
	return 1
}
runs_at_most_once() { [ "$(inits "$c")" -le 1 ]; }
runs_once() { [ "$(inits "$c")" = 1 ]; } # execve(2) is done a moment before its words can be read
gone() {
	net_matches "$1" && [ -z "$(find /sys/fs/cgroup -type d -name "*$c*" 2>/dev/null)" ] &&
		[ ! -e "$SKEP_DIR/$1/run/$c" ] && [ ! -e "$SKEP_DIR/$1/lib/ct/$c" ] &&
		[ -z "$(find "$SKEP_DIR/$1/lib/taken" -type f 2>/dev/null)" ]
}

walk() { # MODE HOW
	local mode=$1 how=$2 point n=0 failed=0 h
	for point in $(points); do
		one && continue
		failed=$((failed + 1))
		[ $failed -lt 5 ] || break # what is wrong is clear by now, and each may take a minute
		for h in A B; do on $h skepctl destroy --force "$c" >/dev/null 2>&1 || true; done
	done
	echo "$mode$how: $n faults, $failed bad"
	[ $n -gt 0 ] && [ $failed = 0 ]
}

@test "migration in mode suspend, each point fails" { walk suspend ''; }
@test "migration in mode suspend, each point kills" { walk suspend :kill; }
@test "migration in mode precopy, each point fails" { walk precopy ''; }
@test "migration in mode precopy, each point kills" { walk precopy :kill; }
@test "migration in mode postcopy, each point fails" { walk postcopy ''; }
@test "migration in mode postcopy, each point kills" { walk postcopy :kill; }
@test "migration in mode restart, each point fails" { walk restart ''; }
@test "migration in mode restart, each point kills" { walk restart :kill; }
