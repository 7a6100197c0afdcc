# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What a run of the tests leaves that was interrupted or killed: its containers, processes, mounts, control groups, files.

# sweep DIR: all of the run whose own directory that is.
sweep() {
	local dir=$1 host net ct p
	sweep_processes "$dir"
	for host in "$dir"/tmp/bats-run-*/test/*/*/bin; do
		host=${host%/bin} net=${host%/*}/net/${host##*/}.ns
		# In its own network: a bridge's name there may be somebody else's here.
		mountpoint -q "$net" || continue
		for ct in "$host"/lib/ct/*/; do
			[ ! -d "$ct" ] || nsenter --net="$net" -- timeout -k 5 30 "$host/bin/skepctl" -q destroy --force "$(basename "$ct")"
		done
		for ct in "$host"/oci/*/; do
			[ ! -d "$ct" ] || nsenter --net="$net" -- timeout -k 5 30 "$host/bin/skep" delete --force "$(basename "$ct")"
		done
	done
	sweep_processes "$dir"
	awk -v dir="$dir/" 'index($5, dir) == 1 { print $5 }' /proc/self/mountinfo | sort -r | while read -r p; do umount -l "$p"; done
	for p in /sys/fs/cgroup/skep-test-* /sys/fs/cgroup/*/skep-test-*; do
		if [ -d "$p" ] && [ ! -d "/proc/${p##*-}" ]; then
			[ ! -e "$p/cgroup.kill" ] || echo 1 >"$p/cgroup.kill"
			find "$p" -depth -type d -exec rmdir {} + 2>/dev/null
		fi
	done
	rm -rf --one-file-system "$dir"
} >&2

# Whoever names DIR in its command line or its environment, as all do that the run has started, but what runs inside of containers.
sweep_processes() {
	local p
	while IFS=/ read -r _ _ p _; do
		[ "$p" = $$ ] || [ "$p" = "$BASHPID" ] || kill -KILL "$p" 2>/dev/null
	done < <(grep -lszF "$1/" /proc/[0-9]*/{cmdline,environ} 2>/dev/null | sort -u)
}

# sweep_dead PARENT: those of PARENT/skep-check.* whose runner was killed. Each notes itself in a file "runner", as PID and start time, and the PID namespace: in another one nobody can tell.
sweep_dead() {
	local dir pid start space
	for dir in "$1"/skep-check.*/; do
		read -r pid start space 2>/dev/null <"$dir/runner" || continue
		[ "$space" = "$(readlink /proc/self/ns/pid)" ] || continue
		[ "$(start_of "$pid")" = "$start" ] || sweep "${dir%/}"
	done
}
start_of() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }
