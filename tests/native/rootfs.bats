# SPDX-License-Identifier: GPL-2.0-only
# The root file system in a migration, as those inside see it: what they write while it is sent, and files that have no name any more.

# shellcheck disable=SC2016 # what stands in single quotes is for the container's shell

load ../lib/skep
load ../lib/move

setup() {
	move_setup busybox
	rsh=$(host_rsh) c=$(ct_name)
}
teardown() { skep_teardown; }

make_ct() { on A skepctl -q create "$c" --template busybox --start "$@"; }
move() { on A skepctl migrate "$c" B --rsh "$rsh" "$@"; }
inside() { on "$1" skepctl exec "$c" -- "${@:2}"; }
daemon() { inside A sh -c "setsid sh -c '$1' </dev/null >/dev/null 2>&1 &"; }

# Each line of the journal says what was written where: all of it must be there, once, after the last move as well.
writes_go_on() {
	make_ct "${@:2}"
	inside A dd if=/dev/urandom of=/root/big bs=1M count=48 2>/dev/null
	daemon 'i=0; mkdir -p /root/d; while :; do i=$((i+1)); k=$((i * 37 % 50 * 200))
		printf %08d $i | dd of=/root/big bs=4096 seek=$k conv=notrunc 2>/dev/null
		echo $i >/root/new; mv /root/new /root/d/n$((i % 10)); ln -f /root/d/n$((i % 10)) /root/linked
		echo $i $k >>/root/journal; [ ! -e /root/stop ] || { touch /root/stopped; exit; }; done'
	wait_for 30 inside A sh -c '[ "$(wc -l </root/journal)" -gt 60 ]'
	move --mode "$1"
	n=$(inside B sh -c 'wc -l </root/journal')
	wait_for 30 inside B sh -c '[ "$(wc -l </root/journal)" -gt '"$((n + 20))"' ]'
	inside B touch /root/stop
	wait_for 30 inside B test -e /root/stopped
	inside B cat /root/journal >"$SKEP_DIR/journal"
	awk '$1 != NR { exit 1 }' "$SKEP_DIR/journal"
	tail -n 50 "$SKEP_DIR/journal" | while read -r i k; do
		[ "$(inside B dd if=/root/big bs=4096 skip="$k" count=1 2>/dev/null | head -c 8)" = "$(printf %08d "$i")" ]
	done
	inside B sh -c '[ "$(cat /root/linked)" = "$(tail -n 1 /root/journal | cut -d" " -f1)" ] && [ "$(stat -c %h /root/linked)" = 2 ]'
}
@test "mode suspend: what is written while it moves is there, once" { writes_go_on suspend; }
@test "mode precopy: what is written while it moves is there, once" { writes_go_on precopy; }
@test "mode precopy, on a disk image: what is written while it moves is there, once" { writes_go_on precopy --disk 256M; }

# no_name MODE: a file of its own, and one of the template, that were deleted while they were open.
# Its shell is deleted, too, and has been replaced, as by an upgrade; many have it mapped, and each opens it in the restore (checkpoint/ghosts.h).
no_name() {
	make_ct
	daemon 'exec 7<>/root/own 8</bin/busybox; dd if=/dev/urandom of=/root/own bs=1M count=20 conv=notrunc 2>/dev/null
		md5sum </root/own >/root/before; md5sum </bin/busybox >>/root/before; cp /bin/busybox /bin/kept
		rm /root/own /bin/busybox; mv /bin/kept /bin/busybox
		for i in 1 2 3 4 5 6 7 8; do (while :; do sleep 1000; done) & done; touch /root/deleted
		until [ -e /root/check ]; do sleep 0.1; done
		md5sum <&7 >/root/after; md5sum <&8 >>/root/after; touch /root/checked; sleep 1000'
	wait_for 30 inside A test -e /root/deleted
	move --mode "$1"
	inside B touch /root/check
	wait_for 30 inside B test -e /root/checked
	inside B cmp /root/before /root/after
	inside B test ! -e /root/own
}
@test "mode suspend: deleted files that are open keep their content" { no_name suspend; }
@test "mode precopy: deleted files that are open keep their content" { no_name precopy; }

@test "a deleted file that is too large for the images: it is said, and all goes on" {
	make_ct
	daemon 'exec 7<>/root/own; dd if=/dev/zero of=/root/own bs=1M count=200 conv=notrunc 2>/dev/null; rm /root/own
		touch /root/deleted; until [ -e /root/check ]; do sleep 0.1; done; wc -c <&7 >/root/after; touch /root/checked; sleep 1000'
	wait_for 30 inside A test -e /root/deleted
	fails_with 16 'a deleted file of 200 MiB open' move --mode suspend
	inside A touch /root/check
	wait_for 30 inside A test -e /root/checked
	[ "$(inside A cat /root/after)" = $((200 << 20)) ]
}
