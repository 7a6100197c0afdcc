# SPDX-License-Identifier: GPL-2.0-only
# The runtime-spec's MUSTs in features.md and features-linux.md, each test named by its section. Mount options, hooks, and what is seccomp's: oci_life.bats, "what features names is taken".

bats_require_minimum_version 1.5.0
load ../lib/oci

setup() { oci_setup; }
teardown() { oci_teardown; }

@test "features.md, Specification version: the least and the most are accepted as ociVersion, and in this order" {
	local version
	for version in $(oci features | jq -r '.ociVersionMin, .ociVersionMax'); do
		bundle ".process.args = [\"true\"] | .ociVersion = \"$version\""
		oci run --bundle "$BUNDLE" "$ID"
	done
	oci features | jq -e '(.ociVersionMin | split(".") | map(tonumber)) <= (.ociVersionMax | split(".") | map(tonumber))'
}

@test "features.md, Specification version: no property that this version has not" {
	oci features | jq -e '
		(keys - ["annotations", "hooks", "linux", "mountOptions", "ociVersionMax", "ociVersionMin", "potentiallyUnsafeConfigAnnotations"]) == []
		and (.linux | keys - ["apparmor", "capabilities", "cgroup", "intelRdt", "memoryPolicy", "mountExtensions", "namespaces", "netDevices", "seccomp", "selinux"]) == []
		and (.linux.cgroup | keys - ["rdma", "systemd", "systemdUser", "v1", "v2"]) == []
		and (.linux.seccomp | keys - ["actions", "archs", "enabled", "knownFlags", "operators", "supportedFlags"]) == []
		and (.linux.intelRdt | keys - ["enabled", "monitoring", "schemata"]) == []
		and (.linux.memoryPolicy | keys - ["flags", "modes"]) == []'
	# memoryPolicy, netDevices, schemata and monitoring are of 1.3.
	oci features | jq -e '.ociVersionMax == "1.3.0"'
}

@test "features.md, Annotations: a map of strings; the unsafe ones are those that change what skep does" {
	oci features | jq -e '([.annotations | to_entries[] | .key != "" and (.value | type) == "string"] | all) and ([.potentiallyUnsafeConfigAnnotations[] | type == "string"] | all)'
	bundle '.process.args = ["grep", "Seccomp:", "/proc/self/status"] | .annotations = {"skep.seccomp": "default"}'
	[[ $(oci run --bundle "$BUNDLE" "$ID") == *2 ]]
	oci features | jq -e '.potentiallyUnsafeConfigAnnotations | index("skep.")'
}

@test "features-linux.md, Namespaces, Capabilities: each one that is named is taken, without a warning" {
	bundle '.process.args = ["true"]'
	oci features | jq '.linux | {namespaces, capabilities}' >"$SKEP_DIR/features"
	jq --slurpfile f "$SKEP_DIR/features" '.linux.namespaces = ($f[0].namespaces - ["user"] | map({type: .})) | .process.capabilities = {bounding: $f[0].capabilities, permitted: $f[0].capabilities, effective: $f[0].capabilities}' \
		"$BUNDLE/config.json" >"$BUNDLE/new"
	mv "$BUNDLE/new" "$BUNDLE/config.json"
	run -0 oci run --bundle "$BUNDLE" "$ID"
	[ -z "$output" ]
	jq -e '.namespaces | index("user")' "$SKEP_DIR/features"
}

@test "features-linux.md, MemoryPolicy: each mode and flag is known" {
	local word
	oci features | jq -e '.linux.memoryPolicy | (.modes | length) == 7 and (.flags | length) == 3'
	for word in $(oci features | jq -r '.linux.memoryPolicy.modes[]'); do
		bundle ".process.args = [\"true\"] | .linux.memoryPolicy = {mode: \"$word\", nodes: \"x\"}"
		fails_with 1 "linux.memoryPolicy.nodes: 'x'" oci run --bundle "$BUNDLE" "$ID"
	done
	for word in $(oci features | jq -r '.linux.memoryPolicy.flags[]'); do
		bundle ".process.args = [\"true\"] | .linux.memoryPolicy = {mode: \"MPOL_BIND\", flags: [\"$word\", \"no\"]}"
		fails_with 1 "linux.memoryPolicy.flags[1]: requested linux NUMA mempolicy flag 'no' is unknown" oci run --bundle "$BUNDLE" "$ID"
	done
}

@test "features-linux.md, MountExtensions: idmap is told, since uidMappings and gidMappings are taken" {
	oci features | jq -e '.linux.mountExtensions.idmap.enabled and .linux.netDevices.enabled and .linux.intelRdt.enabled'
}
