# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
# Two test hosts, A and B, and a container, $c, that moves between them.
# shellcheck disable=SC2154 # c is the test's

# move_setup [probe|busybox]: both hosts, with that template.
move_setup() {
	skep_setup
	host_new A
	host_new B
	[ $# = 0 ] || { "template_$1" A && "template_$1" B; }
}

# status_of HOST: "running" and so on; nothing where it is not.
status_of() { on "$1" skepctl list -H -o name,status | awk -v c="$c" '$1 == c { print $2 }'; }
is_on() { [ "$(status_of "$1")" = "$2" ]; } # HOST STATUS
# has_words /proc/PID: it lives. Of one that has ended, or is about to be gone, they cannot be read any more.
has_words() { read -rd '' _ <"$1/cmdline"; } 2>/dev/null
