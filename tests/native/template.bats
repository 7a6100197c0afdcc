# SPDX-License-Identifier: GPL-2.0-only
# Templates: built, imported, listed, used, removed; and what a Debian one starts.

bats_require_minimum_version 1.5.0
load ../lib/skep
load ../lib/debian

setup_file() {
	debian_build small debian-12 --include redis-server,openssh-server
}
setup() {
	skep_setup
	c=$(ct_name) d=$(ct_name)
}
teardown() { skep_teardown; }

inside() { skepctl exec "$1" -- "${@:2}"; }
status() { skepctl list -H -o status "$1" | tr -d ' '; }
names() { skepctl template list -H | sed 's/ .*//'; }
kept() { find "$SKEP_DIR/here/lib/templates" -mindepth 1 -maxdepth 1 -name "${1:-*}" ! -name '*.lock'; }

@test "busybox: made, listed, used by two containers with different ids, removed" {
	skepctl template build busybox bb
	[ "$(names)" = bb ]
	[ "$(skepctl template list --json | jq -r '.templates[0] | .name, .distribution, .stop_signal' | tr '\n' ' ')" = 'bb busybox SIGQUIT ' ]
	skepctl create "$c" --template bb --network none --start
	skepctl create "$d" --template bb --network none --start
	# Both see root's files as their own root's; on the host theirs are different ids.
	for ct in "$c" "$d"; do
		[ "$(inside "$ct" stat -c %u:%g /bin/busybox)" = 0:0 ]
		inside "$ct" sh -c 'echo mine >/etc/mine && chown 12:34 /etc/mine && chmod 6755 /etc/mine'
		[ "$(inside "$ct" stat -c %u:%g:%a /etc/mine)" = 12:34:6755 ]
	done
	u=$(stat -c %u "$SKEP_DIR/here/lib/ct/$c/upper/etc/mine")
	v=$(stat -c %u "$SKEP_DIR/here/lib/ct/$d/upper/etc/mine")
	((u % 65536 == 12 && v % 65536 == 12 && u != v && u > 65536 && v > 65536))
	# The template itself has not changed.
	[ ! -e "$SKEP_DIR/here/lib/templates/bb/rootfs/etc/mine" ]
	fails_with 3 "is used by container" skepctl template remove bb
	skepctl destroy --force "$c" "$d"
	skepctl template remove bb
	[ "$(kept)" = "" ] || { kept; return 1; }
}

@test "imported from a directory and from archives: owners, links, times; no devices" {
	src=$SKEP_DIR/src
	mkdir -p "$src"/{sbin,etc,dev,proc,sys,tmp,run,deep/er}
	cp "$PROBE" "$src/sbin/init"
	echo text >"$src/deep/er/file"
	ln "$src/deep/er/file" "$src/deep/hard"
	ln -s ../../../../etc/shadow "$src/deep/out"
	chown 33:44 "$src/deep/er/file"
	chmod 2750 "$src/deep/er/file"
	mknod "$src/dev/null" c 1 3
	tar -C "$src" -cf "$SKEP_DIR/a.tar" .
	gzip -k "$SKEP_DIR/a.tar" && xz -k "$SKEP_DIR/a.tar" && zstd -q "$SKEP_DIR/a.tar"
	skepctl template import dir "$src"
	for suffix in '' .gz .xz .zst; do
		skepctl template import "tar${suffix#.}" "$SKEP_DIR/a.tar$suffix"
	done
	[ "$(names | tr '\n' ' ')" = 'dir tar targz tarxz tarzst ' ]
	for t in dir tar targz tarxz tarzst; do
		root=$SKEP_DIR/here/lib/templates/$t/rootfs
		[ "$(stat -c %u:%g:%a:%h "$root/deep/er/file")" = 33:44:2750:2 ]
		[ "$(readlink "$root/deep/out")" = ../../../../etc/shadow ]
		[ ! -e "$root/dev/null" ]
	done
	skepctl create "$c" --template tarzst --network none --start
	[ "$(status "$c")" = running ]
}

@test "an archive that reaches outside, a broken one, a name in use: refused, and nothing left" {
	mkdir -p "$SKEP_DIR/x/sbin"
	touch "$SKEP_DIR/x/sbin/init"
	tar -C "$SKEP_DIR/x" -cf "$SKEP_DIR/evil.tar" --transform 's,^\./sbin,../sbin,' .
	run skepctl template import evil "$SKEP_DIR/evil.tar"
	[ "$status" != 0 ]
	[ ! -e "$SKEP_DIR/here/lib/templates/sbin" ]
	head -c 100000 /dev/urandom >"$SKEP_DIR/noise.tar"
	run skepctl template import noise "$SKEP_DIR/noise.tar"
	[ "$status" != 0 ]
	tar -C "$SKEP_DIR/x" -czf "$SKEP_DIR/ok.tar.gz" .
	head -c 100 "$SKEP_DIR/ok.tar.gz" >"$SKEP_DIR/cut.tar.gz"
	run skepctl template import cut "$SKEP_DIR/cut.tar.gz"
	[ "$status" != 0 ]
	fails_with 21 name skepctl template import ../up "$SKEP_DIR/ok.tar.gz"
	fails_with 21 "no recipe" skepctl template build debian
	fails_with 21 "no such Debian" skepctl template build debian-3
	fails_with 91 "nothing" skepctl template remove nothing
	[ "$(kept)" = "" ] || { kept; return 1; }
	skepctl template import ok "$SKEP_DIR/ok.tar.gz"
	fails_with 44 ok skepctl template import ok "$SKEP_DIR/ok.tar.gz"
	[ "$(names)" = ok ]
}

@test "a build that is killed leaves nothing that the next one does not remove" {
	spawn here "$SKEP_DIR/out" skepctl template build debian-12 half
	wait_for 30 has_half
	kill -9 "$SPAWNED"
	wait "$SPAWNED" || true
	[ -z "$(names)" ]
	skepctl template build busybox
	[ -z "$(kept '.half*')" ]
	[ "$(names)" = busybox ]
}
has_half() { [ -n "$(kept '.half*')" ]; }

@test "a small Debian starts the services of its packages, each container with its own ssh keys, and ends by itself" {
	debian_template here small
	for ct in "$c" "$d"; do
		skepctl create "$ct" --template small --ip auto --memory 256M --start
	done
	for ct in "$c" "$d"; do
		wait_for 30 inside "$ct" redis-cli ping
		wait_for 30 greets "$(skepctl list -H -o ip "$ct" | tr -d ' ')"
	done
	[ "$(inside "$c" cat /etc/ssh/ssh_host_ed25519_key.pub)" != "$(inside "$d" cat /etc/ssh/ssh_host_ed25519_key.pub)" ]
	inside "$c" grep -x 'VERSION_ID="12"' /etc/os-release
	# A user of the image writes where only he may.
	inside "$c" sh -c 'redis-cli set key value && redis-cli save'
	[ "$(inside "$c" stat -c %U /var/lib/redis/dump.rdb)" = redis ]
	skepctl stop "$c"
	grep -q Stopping "$SKEP_DIR/here/lib/ct/$c/console.log"
	skepctl start "$c"
	wait_for 30 inside "$c" redis-cli ping
	[ "$(inside "$c" redis-cli get key)" = value ]
}
greets() { in_net here bash -c "exec 3<>/dev/tcp/$1/22; read -rt 10 line <&3; [[ \$line == SSH-2* ]]"; }

# What is exported on one host is the same template on the other: a container moves between them that could not before.
@test "exported and imported: the same template, byte for byte the same archive, and a container moves" {
	host_new A
	host_new B
	src=$SKEP_DIR/src
	mkdir -p "$src"/{sbin,etc,dev,proc,sys,tmp,run,odd}
	cp "$PROBE" "$src/sbin/init"
	cp "$PROBE" "$src/probe"
	echo text >"$src/odd/hard" && ln "$src/odd/hard" "$src/odd/linked"
	truncate -s 1M "$src/odd/hole" && echo end >>"$src/odd/hole"
	truncate -s 3M "$src/odd/nothing"
	touch "$src/odd/"$'umlaut-\xc3\xa4' "$src/odd/"$'latin-\xe4' "$src/odd/new
line"
	ln -s ../../etc/shadow "$src/odd/out"
	mkfifo "$src/odd/fifo"
	chown 33:44 "$src/odd/linked" && chmod 2750 "$src/odd/linked"
	python3 -c 'import os, sys; os.setxattr(sys.argv[1], "user.note", b"kept")' "$src/odd/hole"
	setcap cap_net_raw+ep "$src/probe"
	head -c 200 /dev/zero | tr '\0' n >"$SKEP_DIR/long"
	mkdir -p "$src/$(cat "$SKEP_DIR/long")/$(cat "$SKEP_DIR/long")"
	on A skepctl template import odd "$src"
	for f in tar.zst tar.gz tar; do on A skepctl template export odd "$SKEP_DIR/odd.$f"; done
	fails_with 44 'there already' on A skepctl template export odd "$SKEP_DIR/odd.tar"
	fails_with 21 'does not say how' on A skepctl template export odd "$SKEP_DIR/odd.zip"
	fails_with 91 'no template' on A skepctl template export other "$SKEP_DIR/other.tar"
	for f in tar.zst tar.gz tar; do
		on B skepctl template import odd "$SKEP_DIR/odd.$f"
		[ "$(on A skepctl template list --json | jq '.templates[0] | del(.created, .size)')" = "$(on B skepctl template list --json | jq '.templates[0] | del(.created, .size)')" ]
		on B skepctl template remove odd
	done
	on A skepctl template export odd - | on B skepctl template import odd -
	on B skepctl template export odd "$SKEP_DIR/again.tar"
	zstd -q -d <"$SKEP_DIR/odd.tar.zst" | cmp - "$SKEP_DIR/odd.tar"
	[ "$(tar -tf "$SKEP_DIR/again.tar" | md5sum)" = "$(tar -tf "$SKEP_DIR/odd.tar" | md5sum)" ]
	[ "$(stat -c %b "$SKEP_DIR/B/lib/templates/odd/rootfs/odd/nothing")" = 0 ]
	on A skepctl create "$c" --template odd --network none --init "/probe counter 7000" --start
	on A skepctl migrate "$c" B --rsh "$(host_rsh)"
	[ "$(on B skepctl list -H -o status "$c" | tr -d ' ')" = running ]
}

@test "an exported archive that was changed is no template" {
	skepctl template build busybox bb
	skepctl template export bb "$SKEP_DIR/bb.tar"
	mkdir "$SKEP_DIR/x"
	tar -C "$SKEP_DIR/x" -xf "$SKEP_DIR/bb.tar"
	[ "$(tar -tf "$SKEP_DIR/bb.tar" | head -n 1)" = .skep-template.json ]
	echo more >>"$SKEP_DIR/x/etc/passwd"
	tar -C "$SKEP_DIR/x" --exclude ./.skep-template.json -cf "$SKEP_DIR/changed.tar" .skep-template.json .
	fails_with 3 'not what was exported' skepctl template import changed "$SKEP_DIR/changed.tar"
	echo '{"init_path": 3}' >"$SKEP_DIR/x/.skep-template.json"
	tar -C "$SKEP_DIR/x" --exclude ./.skep-template.json -cf "$SKEP_DIR/broken.tar" .skep-template.json .
	run ! skepctl template import broken "$SKEP_DIR/broken.tar"
	[ "$(names)" = bb ]
}
