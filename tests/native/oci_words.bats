# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2016 # what is in single quotes is for the shell in the container
# skep's words: what is not one fails as with runc; flags of create and run that have no test elsewhere.

bats_require_minimum_version 1.5.0
load ../lib/oci

setup() { oci_setup; }
teardown() { oci_teardown; }

@test "unknown verbs and flags, too few and too many words: runc's text and exit code" {
	fails_with 3 "No help topic for 'frobnicate'" oci frobnicate
	fails_with 1 'flag provided but not defined: -frobnicate' oci --frobnicate list
	fails_with 1 'flag provided but not defined: -frobnicate' oci run --frobnicate x
	fails_with 1 '"run" requires exactly 1 argument(s)' oci run
	fails_with 1 '"delete" requires exactly 1 argument(s)' oci delete a b
	fails_with 1 '"list" requires exactly 0 argument(s)' oci list a
	fails_with 1 '"ps" requires a minimum of 1 argument(s)' oci ps
	[[ $(oci) == *'an OCI runtime'* ]]
}

@test "one dash before a whole name, a truth behind a flag's =, a value behind a letter's: as runc reads them" {
	bundle '.process.args = ["sleep", "1000"]'
	oci -debug=false run -detach=true -bundle "$BUNDLE" "$ID" >/dev/null 3>&-
	[ "$(oci list -q)" = "$ID" ]
	[ "$(oci list -quiet)" = "$ID" ]
	[[ $(oci list -q=false) == ID*"$ID"* ]]
	[[ $(oci list -quiet --quiet=F) == ID*"$ID"* ]]
	[ "$(oci list -f=json | jq -r '.[].id')" = "$ID" ]
	[ "$(oci --systemd-cgroup --systemd-cgroup=0 list -quiet=T)" = "$ID" ]
	[ "$(oci --rootless=0 -rootless F list -q)" = "$ID" ]
	[ "$(oci exec -env A=b "$ID" sh -c 'echo $A' -env)" = b ]
	fails_with 1 'invalid boolean value "maybe": --systemd-cgroup=maybe' oci --systemd-cgroup=maybe list
	fails_with 1 'invalid boolean value "": -q=' oci list -q=
	fails_with 1 'there is no such option: -xfrob' oci list -xfrob
	oci delete -force=1 "$ID"
}

@test "the name ends the options of ps and exec" {
	bundle '.process.args = ["sleep", "1000"]'
	oci run --detach --bundle "$BUNDLE" "$ID" >/dev/null 3>&-
	wait_for 30 eval 'oci ps "$ID" | grep -q "sleep 1000"'
	[[ $(oci ps "$ID" -o pid,args) == *'PID'*"$(oci_pid "$ID")"*'sleep 1000'* ]]
	[[ $(oci ps "$ID" -- -o pid,args) == *'sleep 1000'* ]]
	[ "$(oci ps --format json "$ID")" = "[$(oci_pid "$ID")]" ]
	fails_with 1 'no column PID' oci ps "$ID" -o comm
	fails_with 1 '--format' oci ps --format yaml "$ID"
	[ "$(oci exec "$ID" echo --user x)" = '--user x' ]
	[ "$(oci exec "$ID" -- echo --user x)" = '--user x' ]
}

@test "run --no-new-keyring: the caller's session keyring" {
	bundle '.process.args = ["probe", "keyring"]'
	[ "$(oci run --no-new-keyring --bundle "$BUNDLE" "$ID")" = "$(probe keyring)" ]
}

@test "run, create --config: that file, from where skep is called, and exec and state know it later" {
	bundle '.process.args = ["echo", "of the bundle"]'
	mkdir "$SKEP_DIR/elsewhere"
	jq '.process.args = ["sleep", "1000"] | .process.env += ["FROM=elsewhere"]' "$BUNDLE/config.json" >"$SKEP_DIR/elsewhere/other.json"
	cd "$SKEP_DIR"
	oci run --config elsewhere/other.json --detach --bundle bundle "$ID" >/dev/null 3>&-
	cd /
	[ "$(oci exec "$ID" sh -c 'echo $FROM')" = elsewhere ]
	[ "$(oci state "$ID" | jq -r .bundle)" = "$BUNDLE" ]
	oci delete --force "$ID"
	fails_with 1 'nothing.json' oci create -f nothing.json --bundle "$BUNDLE" "$ID"
	# The name alone is the bundle's, wherever skep is called.
	[ "$(oci run --config config.json --bundle "$BUNDLE" "$ID")" = 'of the bundle' ]
	oci_gone "$ID"
}
