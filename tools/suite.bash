# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# shellcheck disable=SC2154 # the caller sets them
# Packages of another Debian suite than this machine's, by its own apt and its own mirror, unpacked where nobody else looks: for tools/deps and
# tests/hosts. The caller sets tmp, a directory of its own that apt's user can read, and keyring.
#
#   mirrors                   Debian's address, as this machine has it
#   open_suite SUITE URI      "$tmp/SUITE/conf" is then for apt -c: that suite alone, no package installed
#   newer_keyring [-c CONF]   sets keyring to a younger one
#   unpack_suite SUITE DIR PACKAGE...   unpacks them with all they need, libc and the loader, below DIR
#   own_loader DIR PROGRAM    makes PROGRAM use the loader and the libraries below DIR
#   run CMD...; cause         runs it quietly; then what it said of why it failed

# shellcheck disable=SC2154
run() { "$@" >"$tmp/log" 2>&1 </dev/null; }
cause() { grep -m1 -E '^(E:|Error)' "$tmp/log" || grep -m1 -E '^(W:|Err:|dpkg)' "$tmp/log" || tail -n1 "$tmp/log"; }

mirrors() { # Debian's address as this machine has it, except that a dated snapshot is too old for newer suites
	# shellcheck disable=SC2016 # apt expands it
	apt-get indextargets --format '$(REPO_URI)' 'Origin: Debian' 'Label: Debian' | sort -u |
		sed -E "h; s,/[0-9]{8}T[0-9]{6}Z(/|\$),/$(date -u +%Y%m%dT000000Z)\\1,p; g; s,/[0-9]{8}T[0-9]{6}Z,,p; g" |
		awk '!seen[$0]++'
}

open_suite() { # SUITE URI: apt on that suite alone; this machine's lists, packages and hooks stay as they are
	local d=$tmp/$1
	rm -rf "$d" && mkdir -p "$d"/{lists,archives}/partial && : >"$d/status"
	echo "deb [arch=$(dpkg --print-architecture) signed-by=$keyring] $2 $1 main" >"$d/sources.list"
	cat >"$d/conf" <<-CONF
		#clear APT::Update;
		Dir::Etc { SourceList "$d/sources.list"; SourceParts "/dev/null"; Preferences "/dev/null"; PreferencesParts "/dev/null"; };
		Dir::State "$d"; Dir::State::Lists "$d/lists"; Dir::State::status "$d/status"; Dir::Cache "$d"; Dir::Cache::archives "$d/archives";
		Acquire::Languages "none"; Acquire::Retries "2"; APT::Update::Error-Mode "any";
	CONF
	run apt-get -c "$d/conf" update
}
newer_keyring() { # [-c CONF]: from the suite already verified, or else from this machine's own sources
	local d=$tmp/keys
	rm -rf "$d" && mkdir -p "$d/archives/partial"
	run apt-get "$@" -o Dir::Cache::archives="$d/archives" -y -d --reinstall install debian-archive-keyring &&
		dpkg -x "$d"/archives/debian-archive-keyring_*.deb "$d/root" &&
		keyring=$d/root/usr/share/keyrings/debian-archive-keyring.gpg && [ -e "$keyring" ]
}

unpack_suite() {
	local d=$tmp/$1 to=$2 deb
	shift 2
	# The status file is empty, so apt names, fetches and verifies everything down to libc.
	run apt-get -c "$d/conf" -y -d --no-install-recommends install "$@" || return 1
	rm -rf "$to" && mkdir -p "$to"
	for deb in "$d"/archives/*.deb; do dpkg -x "$deb" "$to"; done
}

own_loader() {
	local loader libs
	loader=$(find "$1" -name "$(basename "$(patchelf --print-interpreter "$2")")" -type f -print -quit)
	libs=$(find "$1" -name '*.so.*' -printf '%h\n' | sort -u | paste -sd:)
	run patchelf --set-interpreter "$loader" --force-rpath --set-rpath "$libs" "$2"
}
