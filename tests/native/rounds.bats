# SPDX-License-Identifier: GPL-2.0-only
# What goes live from host to host and back, ROUNDS times, under clients that must not notice: see tests/lib/rounds.bash.

load ../lib/skep
load ../lib/debian
load ../lib/rounds

ROUNDS=${ROUNDS:-1}

setup_file() { rounds_builds login12 login13; }
setup() {
	skep_setup
	host_new A
	host_new B
	client_new client
	rounds_begin "$SKEP_DIR" "$(ct_name)" A B
	rsh=$(host_rsh)
}
teardown() { skep_teardown; }

client() { spawn client "$@"; }
migrate() { on "$1" skepctl migrate "$ROUNDS_CT" "$2" --rsh "$rsh" "${@:3}"; }

counter() {
	template_probe A
	template_probe B
	rounds_counter "$1"
}
@test "precopy: 180 MB under a writer, and a client that counts" { counter precopy; }
@test "content: 180 MB under a writer, and a client that counts" { counter content; }
@test "postcopy: 180 MB under a writer, and a client that counts" { counter postcopy; }
@test "hybrid: 180 MB under a writer, and a client that counts" { counter hybrid; }
@test "suspend: 180 MB under a writer, and a client that counts" { counter suspend; }

debian() {
	debian_template A "$1"
	debian_template B "$1"
	rounds_debian "$1" "$2"
}
@test "Debian 12: sessions, connections and units live through round trips" { debian login12 12; }
@test "Debian 13: sessions, connections and units live through round trips" { debian login13 13; }
