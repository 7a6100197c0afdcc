# SPDX-License-Identifier: GPL-2.0-only
# Commands on different containers at once, that share the state root, the bridge and its rules, the slice, the ids, a template: none fails, or says a
# word, because of the others; and the last one leaves nothing.

load ../lib/skep

setup() {
	skep_setup
	template_probe here
}
teardown() { skep_teardown; }

# script NAME: its text from the standard input; run by bash there, with a name for containers of its own and the number of turns.
script() { { echo "set -eu -o pipefail; name=\$1 turns=\$2"; cat; } >"$SKEP_DIR/$1"; }
# crowd TURNS SCRIPT...: all at once; then what they said, and which failed.
crowd() {
	local turns=$1 pids=() said=() i rc=0
	shift
	for i in $(seq $#); do
		said+=("$SKEP_DIR/said$i")
		spawn here "$SKEP_DIR/said$i" bash "$SKEP_DIR/${!i}" "$(ct_name)" "$turns"
		pids+=("$SPAWNED")
	done
	for i in $(seq $#); do
		wait "${pids[i - 1]}" || { rc=1 && echo "${!i} failed"; }
		[ ! -s "${said[i - 1]}" ] || { rc=1 && sed "s/^/${!i}: /" "${said[i - 1]}"; }
	done
	return $rc
}
empty() { [ -z "$(ls -A "$SKEP_DIR/here/lib/ct")" ] && [ -z "$(find "$SKEP_DIR/here/run" -mindepth 1 -maxdepth 1 ! -name '.*')" ]; }

# bats test_tags=host_all
@test "containers come and go beside each other, and are listed meanwhile" {
	script lives <<-'SCRIPT'
		for ((i = 0; i < turns; i++)); do
			skepctl -q create "$name" --template probe --ip auto --memory 32M --start
			skepctl -q exec "$name" -- /probe true
			((i % 2)) || skepctl -q stop "$name"
			skepctl -q destroy --force "$name"
		done
	SCRIPT
	script looks <<-'SCRIPT'
		for ((i = 0; i < 4 * turns; i++)); do
			skepctl list --json | jq -e '.containers | all(.status != "broken")' >/dev/null
			skepctl list -H >/dev/null
			skepctl stat --json >/dev/null
			skepctl template list -H >/dev/null
		done
	SCRIPT
	crowd 6 lives lives lives lives lives looks
	empty
	[ -z "$(in_net here nft list tables)" ]
	[ "$(in_net here ip -o link | wc -l)" = 1 ]
}

@test "one name that all make and destroy: one at a time has it, and nobody is told anything else" {
	script fights <<-'SCRIPT'
		try() { # WHAT RC...: no other exit code
			local rc=0 said
			said=$(skepctl -q "${@:2}" 2>&1) || rc=$?
			[[ " $1 " == *" $rc "* ]] || { echo "$*: $rc: $said"; exit 1; }
		}
		for ((i = 0; i < turns; i++)); do
			# there is one already; somebody works on it; there is none; it runs, it does not
			try '0 44 9' create one --template probe --ip auto
			try '0 14 9 32' start one
			try '0 14 9 31' stop --kill one
			try '0 14 9' destroy --force one
		done
	SCRIPT
	crowd 7 fights fights fights fights
	skepctl destroy --force one || [ $? = 14 ]
	empty
}

@test "a template comes and goes while containers are made of it: each create has it whole, or is told that it is not there" {
	mkdir -p "$SKEP_DIR/tree"/{sbin,etc,dev,proc,sys,tmp,run}
	cp "$PROBE" "$SKEP_DIR/tree/probe"
	ln -s /probe "$SKEP_DIR/tree/sbin/init"
	# Turns without others about would show nothing: each goes on as long as the other does.
	script comes <<-SCRIPT
		trap 'touch "$SKEP_DIR/over"' EXIT
		for ((i = 0; i < turns; i++)); do
			skepctl -q template import fleeting "$SKEP_DIR/tree"
			until said=\$(skepctl -q template remove fleeting 2>&1); do
				[[ \$said == *"is used by container"* ]]
			done
		done
	SCRIPT
	script uses <<-'SCRIPT'
		made=0
		for ((i = 0; i < 5 * turns; i++)); do
			[ ! -e "${0%/*}/over" ] || break
			rc=0
			said=$(skepctl -q create "$name" --template fleeting --network none --start 2>&1) || rc=$?
			[ $rc = 0 ] || [ $rc = 91 ] || { echo "$said"; exit 1; }
			[ $rc != 0 ] || { skepctl -q exec "$name" -- /probe true; skepctl -q destroy --force "$name"; made=$((made + 1)); }
		done
		echo $made >"${0%/*}/made$name"
	SCRIPT
	crowd 5 comes uses uses uses
	cat "$SKEP_DIR"/made* | awk '{ n += $1 } END { exit !n }'
	empty
	[ "$(ls "$SKEP_DIR/here/lib/templates")" = probe ]
	[ -z "$(find "$SKEP_DIR/here/lib/templates" -maxdepth 1 -name '.*tmp*')" ]
}

@test "doctor says the same while containers come and go" {
	verdicts() { skepctl doctor --json | jq -c '.findings[] | [.what, .verdict]' | sort; }
	verdicts >"$SKEP_DIR/before" || true
	script lives <<-'SCRIPT'
		for ((i = 0; i < turns; i++)); do
			skepctl -q create "$name" --template probe --ip auto --start
			skepctl -q destroy --force "$name"
		done
	SCRIPT
	script asks <<-'SCRIPT'
		for ((i = 0; i < turns; i++)); do
			{ skepctl doctor --json || true; } | jq -c '.findings[] | [.what, .verdict]' | sort | diff "${0%/*}/before" -
		done
	SCRIPT
	crowd 3 lives lives asks asks
	empty
}
