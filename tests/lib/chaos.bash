# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# For tests/native/migrate_chaos.bats: two test hosts whose remote shell really goes over the wire between them, a place in a migration at which
# it stops until it is told to go on, and what can happen to it meanwhile. Behind lib/skep. All of it works on the worker's own hosts A and B:
# chaos_hosts makes them, in a subshell, and chaos_done takes them down.

CHAOS_PORT=7001 # of the remote shell

# chaos_hosts NAME: all that the worker of this name needs. B's files are on a small file system of their own.
chaos_hosts() {
	local dir
	SKEP_DIR=$BATS_TEST_TMPDIR/$1 BATS_TEST_NUMBER=${BATS_TEST_NUMBER%%x*}x$1
	mkdir "$SKEP_DIR"
	exec {CHAOS_PAUSE}<> <(:)
	skep_setup
	for dir in lib run; do
		mkdir -p "$SKEP_DIR/B/$dir"
		mount -t tmpfs -o size=48M,mode=755 tmpfs "$SKEP_DIR/B/$dir"
	done
	host_new A
	host_new B
	client_new client
	template_probe A >/dev/null
	template_probe B >/dev/null
	# What is not acknowledged is sent again after a second at the latest, however long the link was silent (Linux 6.15), and not given up for that reason.
	for dir in A B client; do
		in_net $dir sh -c 'cd /proc/sys/net/ipv4 && [ ! -e tcp_rto_max_ms ] || { echo 1000 >tcp_rto_max_ms && echo 200 >tcp_retries2; }'
	done
}

chaos_done() {
	local rc=0
	host_empty B || rc=1 # before its file systems go
	umount "$SKEP_DIR/B/lib" "$SKEP_DIR/B/run" || rc=1
	skep_teardown || rc=1
	return $rc
}

# rest SECONDS: nothing but time passes.
rest() { read -rt "$1" -u "$CHAOS_PAUSE" || true; }

# until_true SECONDS CMD...: as wait_for, without a process for each look: there are many of us.
until_true() {
	local end=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -le $end ] || return 1
		rest 0.1
	done
}

# --- the remote shell, over the wire ---

# chaos_serve HOST ENV...: what sshd is there, until chaos_unserve; the migrations that it starts have ENV.
chaos_serve() {
	local address=HOST_ADDR_$1 out=$SKEP_DIR/served.$1
	: >"$out"
	spawn "$1" "$out" "${@:2}" "$BUILD/wire" serve "${!address}" $CHAOS_PORT
	printf -v "CHAOS_SERVER_$1" %s "$SPAWNED"
	until_true 30 grep -q ready "$out"
}
chaos_unserve() {
	local server=CHAOS_SERVER_$1
	stop_spawned "${!server}" >/dev/null 2>&1 || true
}
# chaos_rsh SECONDS: for --rsh; a link that is silent for so long is given up, as ssh gives it up after 40.
chaos_rsh() { echo "$BUILD/wire call -a $1 $CHAOS_PORT"; }

# --- what happens ---

descendants_of() {
	local pid
	while read -rd ' ' pid; do
		echo "$pid"
		descendants_of "$pid"
	done < <(cat "/proc/$1/task/"*/children 2>/dev/null)
}

# Our commands among the processes below $1, with what they have started to help them. The container and what keeps it are not theirs any more.
commands_below() {
	local pid exe
	for pid in $(descendants_of "$1"); do
		exe=$(readlink "/proc/$pid/exe") || continue
		case ${exe##*/} in
		skepctl | skep-criu-hook | criu | wire | sh | dash | bash) echo "$pid" ;;
		esac
	done
}
# What of the commands may be killed. A criu that is in the middle of reading the tasks is not: what it has changed in them only it knows how to put back (dump.h). Whether it is, is only to be told
# while it is stopped: it is not as long as a hook of it runs, for which it waits. One that is left is stopped, until it may go on.
spared_criu() { # PID
	local hook
	kill -STOP "$1" 2>/dev/null || return 1
	until_true 30 stopped_or_ended "$1"
	# shellcheck disable=SC2013 # words
	for hook in $(cat "/proc/$1/task/"*/children 2>/dev/null); do
		[[ $(readlink "/proc/$hook/exe") != */skep-criu-hook ]] || return 1
	done
}
stopped_or_ended() { [[ $(cat "/proc/$1/stat" 2>/dev/null) != *') '[RSD]' '* ]]; }

# The host's command dies with all its helpers: SIGKILL. A criu that is spared goes on to its hook, which finds nobody.
kill_source() { # COMMAND'S PID
	local pid all=("$1") spared=()
	for pid in $(commands_below "$1"); do
		if [[ $(readlink "/proc/$pid/exe") == */criu ]] && spared_criu "$pid"; then spared+=("$pid"); else all+=("$pid"); fi
	done
	kill -KILL "${all[@]}" 2>/dev/null || true
	[ ${#spared[@]} = 0 ] || kill -CONT "${spared[@]}" 2>/dev/null || true
}
kill_target() {
	# shellcheck disable=SC2046
	kill -KILL $(commands_below "$CHAOS_SERVER_B") 2>/dev/null || true
}

# B's plug is pulled: port2 is its end at the wire.
cut_link() { in_net wire ip link set port2 down; }
mend_link() { in_net wire ip link set port2 up; }

# What the two hosts say to each other goes nowhere, in both directions; the container's own traffic passes.
freeze_link() {
	in_net wire nft -f - <<-END
		table netdev chaos {
			chain both {
				type filter hook ingress devices = { port1, port2 } priority 0
				tcp dport $CHAOS_PORT drop
				tcp sport $CHAOS_PORT drop
			}
		}
	END
}
thaw_link() { in_net wire nft delete table netdev chaos; }

# Not a byte is left where B keeps its containers, nor where it keeps its state.
fill_disk() { head -c 64M /dev/zero | tee "$SKEP_DIR/B/lib/fill" >"$SKEP_DIR/B/run/fill" 2>/dev/null || true; }
free_disk() { rm -f "$SKEP_DIR/B/lib/fill" "$SKEP_DIR/B/run/fill"; }

# --- what is to be seen ---

# The hosts on which a copy runs, a line each. One whose group is frozen does not run.
copies() { # NAME
	local p mount group
	mount=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
	for p in $(pgrep -f "^/probe counter 7000 .* $1\$"); do
		[ "$(awk '/^NSpid:/ { print $NF }' "/proc/$p/status" 2>/dev/null)" = 1 ] || continue
		group=$(sed -n 's/^0:://p' "/proc/$p/cgroup" 2>/dev/null) || continue
		grep -qsx 'frozen 1' "$mount$group/cgroup.events" || ! has_words "/proc/$p" || echo "$p"
	done
}

# Names each thing of the container that a host still has.
strays() { # NAME
	local h words
	for h in A B; do
		find "$SKEP_DIR/$h"/lib/{ct,taken} "$SKEP_DIR/$h/run" -mindepth 1 -maxdepth 1 \( -name "*$1*" -o -path '*/taken/*' \) 2>/dev/null
		net_things $h | diff "$SKEP_DIR/net/$h" - | sed -n "s/^[<>]/$h &/p"
	done
	find /sys/fs/cgroup -type d -name "*$1*" 2>/dev/null
	# The commands, which have the worker's mark, and not what the test itself has spawned.
	while IFS=/ read -r _ _ h _; do
		words=$({ tr '\0' ' ' <"/proc/$h/cmdline"; } 2>/dev/null) || continue
		case $words in
		'' | *"/wire serve "* | *"/probe client "*) ;;
		*) printf 'process %s %s\n' "$h" "$words" ;;
		esac
	done < <(grep -lszxF "SKEP_TEST_MARK=$SKEP_DIR" /proc/[0-9]*/environ 2>/dev/null)
}
no_strays() { [ -z "$(strays "$1")" ]; }
