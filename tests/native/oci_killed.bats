# SPDX-License-Identifier: GPL-2.0-only
# SIGKILL at any moment of create, start, run and delete, to skep or to the first process it makes: `delete --force` cleans, nothing is left.
# By default some moments of each; KILLS=all takes each system call there is, KILLS=1000 as many of them, or moments, for each test (TEST_SECONDS=3000).

bats_require_minimum_version 1.5.0
load ../lib/oci

setup() {
	oci_setup
	bundle '.process.args = ["sh", "-c", "echo it works; exec sleep 1000"]'
	with_userns
	with_everything
	with_others
}
teardown() { oci_teardown; }

killed() { # HOW VERB COUNT
	nsenter --net="$(host_net here)" -- env BUILD="$BUILD" FAULT_ROOT="$SKEP_DIR/here/oci" BUNDLE="$BUNDLE" PICK="${KILLS:-$3}" "$REPO/tests/lib/oci-faults" "$1" "$2" "$ID" 3>&-
}
moments() { ([ "${KILLS:-}" != all ] || KILLS=1000; killed time "$@"); }

@test "create killed at its system calls" { killed kill create 80; }
@test "delete killed at its system calls" { killed kill delete 60; }
@test "start killed at its system calls, and the waiting process at its own" { killed kill start 40; }
@test "create killed at moments spread over it" { moments create 50; }
@test "delete killed at moments spread over it" { moments delete 50; }
