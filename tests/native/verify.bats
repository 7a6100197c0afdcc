# SPDX-License-Identifier: GPL-2.0-only
# Images are somebody else's word: what was damaged, planted, or asks for more than the definition gives is refused, and the container is where it was.

# shellcheck disable=SC2016 # what stands in single quotes is for the container's shell, or a fake's

load ../lib/skep
load ../lib/move

setup() {
	move_setup
	rsh=$(host_rsh) c=$(ct_name)
}
teardown() { skep_teardown; }

criu_path() {
	local p
	for p in "${SKEP_CRIU:-}" /usr/local/lib/skep/criu/bin/criu "$(command -v criu)" /usr/sbin/criu; do
		[ ! -x "$p" ] || { echo "$p" && return; }
	done
}
# A host whose dumps are not what its kernel said: $SKEP_DIR/plant holds the words for image.py. The last --action-script is the first one to be called (add_script() in
# criu/action-scripts.c puts it in front), so what is planted has good checksums.
hostile() {
	# shellcheck disable=SC2086 # one word each
	printf '%s\n' "$@" >"$SKEP_DIR/plant"
	printf '#!/bin/bash\n[ "$1" != dump ] || set -- "$@" --action-script %q\nexec %q "$@"\n' "$SKEP_DIR/planter" "$(criu_path)" >"$SKEP_DIR/criu"
	printf '#!/bin/bash\n[ "$CRTOOLS_SCRIPT_ACTION" = post-dump ] || exit 0\nmapfile -t words <%q\nexec %q "$CRTOOLS_IMAGE_DIR" "${words[@]}"\n' \
		"$SKEP_DIR/plant" "$REPO/tests/lib/image.py" >"$SKEP_DIR/planter"
	chmod +x "$SKEP_DIR/criu" "$SKEP_DIR/planter"
}
inside() { on A skepctl exec "$c" -- "$@"; }
images() { echo "$SKEP_DIR/A/lib/ct/$c/checkpoint"; }
unharmed() {
	[ "$(status_of A)" = running ] && [ -z "$(status_of B)" ] && [ ! -e "$SKEP_DIR/A/lib/ct/$c/migration.json" ] &&
		[ -z "$(ls "$SKEP_DIR/B/run")" ] && inside test -e /etc/passwd
}
# Init, and a process with an open file and a directory.
container() {
	template_busybox A
	template_busybox B
	on A skepctl -q create "$c" --template busybox --network none --start
	inside sh -c 'cat >/root/program; chmod +x /root/program' <"$PROBE"
	inside sh -c 'echo 1 >/root/open; mkdir /root/dir; cd /root/dir; setsid sh -c "exec 7</root/open; echo \$\$ >/root/pid; exec /root/program touch 1" </dev/null >/dev/null 2>&1 &'
	wait_for 30 inside pidof program
	pid=$(inside cat /root/pid)
}
# What is asked for | what is said; what criu believes (CVE-2026-53489 is of this kind). The descriptors of a process that criu restores end at 1023, as the console comes in at 700, and 1022 is the images' directory, 1017 the host's /proc (choose_service_fd_base() in
# criu/servicefd.c): by it and the container's own /proc a name leads to the host's files. $pid is the daemon's in the container.
table() {
	cat <<-EOF
		caps $pid 16 | has a capability that its definition does not give (CapBnd: CAP_SYS_MODULE)
		caps 1 17 | has a capability that its definition does not give (CapBnd: CAP_SYS_RAWIO)
		filter $pid | has no system call filter
		filter 1 | has no system call filter
		ids | not the container's
		mount /dev/zero /etc/passwd | sees /etc/passwd of a file system of the host at /dev/zero
		file /root/open /proc/self/fd/1022/inventory.img | checkpoint/inventory.img (fd/7), which is not the container's
		file /root/open /proc/self/fd/1017/meminfo | /meminfo (fd/7), which is not the container's
		file /root/dir /proc/self/fd/1017 | (cwd), which is not the container's
		file /root/open /proc/self/exe | /criu (fd/7), which is not the container's
	EOF
}
each_row() {
	local row rows=0 said
	while IFS= read -r row; do
		said=${row#* | }
		echo "# $1: ${row% | *}"
		# shellcheck disable=SC2086 # words
		hostile ${row% | *}
		"$1" "$said"
		rows=$((rows + 1))
	done < <(table)
	[ $rows = 10 ]
}

resume_is_refused() {
	on A env SKEP_CRIU="$SKEP_DIR/criu" skepctl suspend "$c"
	fails_with 17 "$1" on A skepctl resume "$c"
	[ "$(status_of A)" = suspended ] && [ ! -e "$SKEP_DIR/A/run/$c" ]
	on A skepctl stop "$c"
	on A skepctl destroy "$c"
	container
}
@test "suspend: what asks for more than the definition gives is refused, and stays suspended" {
	container
	each_row resume_is_refused
}

migration_is_refused() {
	fails_with 120 "$1" on A env SKEP_CRIU="$SKEP_DIR/criu" skepctl migrate "$c" B --mode "$mode" --rsh "$rsh"
	unharmed
}
@test "live modes: a hostile source's images are refused, and the source still runs" {
	container
	for mode in precopy postcopy; do each_row migration_is_refused; done
	for mode in hybrid content suspend; do
		hostile caps "$pid" 16
		migration_is_refused 'CAP_SYS_MODULE'
	done
	on A skepctl migrate "$c" B --mode precopy --rsh "$rsh"
	[ "$(status_of B)" = running ]
}

# What stands in the image directory after the sums were made, or came over a wire that is not what it says.
@test "suspend: a flipped bit in any image, a symbolic link, a file too many or too few is refused, and can be put right" {
	local image kept=$SKEP_DIR/kept seen=0
	container
	on A skepctl suspend "$c"
	cp -a "$(images)" "$kept"
	for image in $(cd "$kept" && ls -- *.img skep.json); do
		[ -s "$kept/$image" ] || continue
		"$REPO/tests/lib/image.py" "$(images)" flip "$image"
		fails_with 17 "image $image is not as it was written" on A skepctl resume "$c"
		cp -a "$kept/$image" "$(images)/$image"
		seen=$((seen + 1))
	done
	[ $seen -gt 30 ]
	for image in core-1.img skep.json sums.json restore.log; do
		"$REPO/tests/lib/image.py" "$(images)" link "$image" "$kept/$image"
		fails_with 17 "image $image is no regular file" on A skepctl resume "$c"
		rm "$(images)/$image"
		[ $image != restore.log ] || continue
		fails_with 17 '' on A skepctl resume "$c"
		cp -a "$kept/$image" "$(images)/$image"
	done
	"$REPO/tests/lib/image.py" "$(images)" link parent /etc
	fails_with 17 'image parent is no regular file' on A skepctl resume "$c"
	rm "$(images)/parent"
	"$REPO/tests/lib/image.py" "$(images)" add core-99.img
	fails_with 17 'image core-99.img came from elsewhere' on A skepctl resume "$c"
	rm "$(images)/core-99.img"
	[ "$(status_of A)" = suspended ] && [ ! -e "$SKEP_DIR/A/run/$c" ]
	on A skepctl resume "$c"
	inside pidof program
}

# The transport has its own sums, but not every one of them has good ones.
@test "live modes: a bit that a wire flips, in a page or in any image, is found, and the source still runs" {
	local image seen=0
	container
	on A skepctl suspend --keep-running "$c"
	# One of each kind, and large enough that it is not the length of something that is hit: that is waited for, and refused a minute later.
	images=$(find "$(images)" \( -name '*.img' -o -name skep.json \) -not -name 'pages-*' -size +99c -printf '%f\n' | sort -t- -k1,1 -u)
	for image in '{"size":' $images; do
		rm -f "$SKEP_DIR/flipped"
		[[ $image == '{'* ]] && word=$image || word="\"$image\""
		printf '#!/bin/bash\n%q %q 24 %q | %s "$@"\n' "$REPO/tests/lib/flip-wire" "$word" "$SKEP_DIR/flipped" "$rsh" >"$SKEP_DIR/fake"
		chmod +x "$SKEP_DIR/fake"
		! on A skepctl migrate "$c" B --mode precopy --rsh "$SKEP_DIR/fake" 2>"$SKEP_DIR/said" || { echo "$image: not found" && return 1; }
		[ -e "$SKEP_DIR/flipped" ] || { echo "$image: not sent" && return 1; }
		unharmed || { cat "$SKEP_DIR/said" && return 1; }
		seen=$((seen + 1))
	done
	[ $seen -gt 10 ]
}
