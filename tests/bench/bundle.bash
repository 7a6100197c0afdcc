# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# The bundle that starts are measured with: runc's own default one, whose program is /true, with a cgroup namespace as other runtimes have it, and with the filter that Podman gives it by default.
# Without its ambient capabilities: they cannot be raised where none is inheritable, and each of them would be a warning of ours.
#
#   bench_bundle DIR PROGRAM   DIR/config.json and DIR/rootfs, in which PROGRAM is /true; 1: made, but there is no profile, so it has no filter

BENCH_PROFILE=/usr/share/containers/seccomp.json
# What Podman makes of its profile for a process with the capabilities of that bundle.
# shellcheck disable=SC2016
BENCH_OCI_FORM='. as $bundle | (.process.capabilities.bounding) as $caps | $profile[0] | {defaultAction, defaultErrnoRet,
	architectures: ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
	syscalls: [.syscalls[] | select(((.includes.caps // []) - $caps == []) and ((.includes.arches // ["amd64"]) | index("amd64"))
		and ((.excludes.caps // []) - ((.excludes.caps // []) - $caps) == []) and ((.excludes.arches // []) | index("amd64") | not))
		| {names, action, errnoRet, args} | with_entries(select(.value != null and .value != []))]}
	| with_entries(select(.value != null)) as $seccomp | $bundle | .linux.seccomp = $seccomp'

bench_bundle() {
	mkdir -p "$1"/rootfs/{proc,dev,sys,tmp} && cp "$2" "$1/rootfs/true" || return 2
	(cd "$1" && runc spec && jq '.process.args = ["/true"] | .process.terminal = false | .root.readonly = false
		| del(.process.capabilities.ambient)
		| .linux.namespaces |= (. + [{"type": "cgroup"}] | unique_by(.type))' config.json >new && mv new config.json) || return 2
	[ -f "$BENCH_PROFILE" ] || return 1
	jq --slurpfile profile "$BENCH_PROFILE" "$BENCH_OCI_FORM" "$1/config.json" >"$1/new" && mv "$1/new" "$1/config.json" || return 2
}
