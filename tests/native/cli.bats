# SPDX-License-Identifier: GPL-2.0-only
# skepctl's words: what is wrong gets one line and one hint with a documented exit code, and makes nothing; help and output.

bats_require_minimum_version 1.5.0
load ../lib/skep

setup() {
	skep_setup
	template_probe here
}
teardown() { skep_teardown; }

# wrong CODE TEXT HINT WORDS: the words (as a shell reads them) after skepctl give exactly that.
wrong() {
	local code=$1 text=$2 hint=$3 rc=0 said
	eval "set -- $4"
	said=$(skepctl "$@" 2>&1 </dev/null) || rc=$?
	if [ "$rc" != "$code" ] || [[ $(sed -n 1p <<<"$said") != "skepctl: "*"$text"* ]] ||
		[[ $(sed -n 2p <<<"$said") != *"$hint"* ]] || [ "$(wc -l <<<"$said")" -gt 2 ]; then
		printf 'skepctl %s\nwanted exit %s, "%s", hint "%s"\ngot exit %s: %s\n' "$*" "$code" "$text" "$hint" "$rc" "$said"
		return 1
	fi
}

# Lines CODE|TEXT|HINT|WORDS on standard input; all that fail are told.
all_wrong() {
	local code text hint words failed=0
	while IFS='|' read -r code text hint words; do
		wrong "$code" "$text" "$hint" "$words" || failed=1
	done
	return $failed
}

@test "words that are not there, or too many" {
	all_wrong <<-'END'
		20|a command is missing|skepctl --help|
		20|there is no command strat|did you mean skepctl start|strat web
		20|there is no command destory|did you mean skepctl destroy|destory web
		20|there is no command frobnicate|skepctl --help|frobnicate
		20|skepctl create has no option --memroy|did you mean --memory|create web --memroy 5M
		20|skepctl migrate has no option --offline|skepctl migrate --help|migrate web host --offline
		14|no container web||migrate web host --online --live
		20|skepctl has no option --rooot|did you mean --root|--rooot /x list
		20|a value is missing after --memory|skepctl create --help|create web --memory
		20|a flag takes no value: --json=yes||list --json=yes
		20|there is no such option: -Z||list -Z
		20|create needs: NAME|examples|create
		20|one word too many: more||create web more --template probe
		20|exec needs: NAME COMMAND|examples|exec web
		20|start needs the name of a container, or --all|skepctl list|start
		20|which is it|skepctl list|stop --all web
		20|there is no column 'stauts'|did you mean status|list -o name,stauts
		20|there is no column 'memry'|did you mean memory|list -s -memry
		20|there is no column ''||list -o name,
		20|which template|--template NAME|create web
		20|template: there is no 'lst'|skepctl template list|template lst
		20|template import takes: NAME FILE-OR-DIRECTORY|examples|template import x
		20|template remove takes: NAME|examples|template remove
	END
}

@test "names that are no names, and names of nothing" {
	skepctl create web --template probe --network none
	all_wrong <<-'END'
		21|'../evil'||create ../evil --template probe
		21|container||create '' --template probe
		21|container||create "$(printf 'x%.0s' {1..80})" --template probe
		21|container||create $'a\nb' --template probe
		21|container||start ../web
		21|template||template import ../x /tmp
		21|there is no recipe for 'gentoo'|debian-12|template build gentoo
		14|wbe|did you mean web|start wbe
		14|nothing-like-it|skepctl list|destroy nothing-like-it
		14|x|skepctl list shows what there is|start x
		14|xyb|skepctl list shows what there is|start xyb
		14|wbe|did you mean web|info wbe
		14|wbe|did you mean web|list wbe
		91|prove|did you mean probe|create db --template prove
		91|nothing-like-it|skepctl template list|create db --template nothing-like-it
		91|prove|did you mean probe|template remove prove
		44|web||create web --template probe
		44|probe||template import probe /tmp
	END
	[ "$(skepctl list -1)" = web ]
}

@test "values out of range, of the wrong form, without effect" {
	all_wrong <<-'END'
		21|--memory||create web --template probe --memory lots
		21|--memory||create web --template probe --memory -5
		21|--ram: '12'|12M|create web --template probe --ram 12
		21|--swap||create web --template probe --swap 1X
		21|--cpus||create web --template probe --cpus -1
		21|--cpus||create web --template probe --cpus 2000
		21|--cpulimit|percentage|create web --template probe --cpulimit much
		21|--cpuunits||create web --template probe --cpuunits 7
		21|--cpuweight||create web --template probe --cpuweight 0
		21|--cpuset||create web --template probe --cpuset all,but,one
		21|--pids||create web --template probe --pids 0
		21|disk||create web --template probe --disk 1K
		21|--network: 'wifi' is not one of bridge, routed, none, host||create web --template probe --network wifi
		21|--ip||create web --template probe --ip 10.77.300.1/24
		21|--ip: '192.0.2.7' needs the length|192.0.2.7/24|create web --template probe --ip 192.0.2.7
		21|10.77.0.0 cannot be||create web --template probe --bridge br0 --ip 10.77.0.0/24
		21|10.77.0.255 cannot be||create web --template probe --bridge br0 --ip 10.77.0.255/24
		21|0.1.2.3 cannot be||create web --template probe --bridge br0 --ip 0.1.2.3/8
		21|--ip needs an interface|--network bridge|create web --template probe --network none --ip 10.77.0.1/24
		21|--mac||create web --template probe --mac 01:00:5e:00:00:01
		21|--mtu||create web --template probe --mtu 12
		21|--rate||create web --template probe --rate fast
		21|--bridge||create web --template probe --bridge a/b
		21|--uplink: 'eth0' has no use||create web --template probe --uplink eth0
		21|--gateway||create web --template probe --network routed --ip 192.0.2.7 --gateway 192.0.2.1
		21|host||create web --template probe --hostname 'two words'
		21|--env||create web --template probe --env NOVALUE
		21|--cap-add|capabilities|create web --template probe --cap-add everything
		21|--autostart: 'maybe' is not yes or no||create web --template probe --autostart maybe
		21|signal||create web --template probe --stop-signal SIGNOTHING
		21|--stop-timeout||create web --template probe --stop-timeout -1
		21|has a quote that does not end||create web --template probe --init "/bin/sh 'x"
	END
	[ -z "$(skepctl list -1)" ]
	[ -z "$(ls -A "$SKEP_DIR/here/lib/ct" 2>/dev/null)" ]
}

@test "a container that is not running, and one that is" {
	skepctl create web --template probe --network none
	all_wrong <<-'END'
		31|web|skepctl start web|exec web ls
		31|web|skepctl start web|enter web
		31|web|skepctl start web|console web
		31|web|skepctl start web|stat web
		31|web||stop web
		31|web||pause web
		20|--continue and --abort at once||migrate --continue --abort web
		20|migrate needs the host to go to|skepctl migrate web HOST|migrate web
		21|--progress: 'loud'||migrate --progress loud web host
		21|liev|suspend, restart|migrate --mode liev web host
		21|--rsh||migrate --rsh '' web host
		31|nothing to resume|skepctl start web|resume web
		31|web||suspend web
		20|what is to be changed|--memory|set web
		21|--env-del||set web --env-del NONE
		21|interface|--network bridge|set web --ipadd 10.77.0.1/24
	END
	skepctl start web
	all_wrong <<-'END'
		32|web||start web
		32|web|--force|destroy web
		32|nothing to resume||resume web
		127|/nosuch|interpreter|exec web /nosuch
		21|nobody-like-it||exec --user nobody-like-it web /probe true
		21|--env||exec --env X web /probe true
		21|--timeout||stop --timeout soon web
	END
	[ "$(skepctl list -H -o status web)" = running ]
}

@test "several containers: each has its turn, the first failure is the exit code" {
	skepctl create a --template probe --network none
	skepctl create b --template probe --network none
	run -14 skepctl start a nosuch b
	[ "$(skepctl list --running -1 | tr '\n' ' ')" = "a b " ]
	run -0 skepctl stop --kill --all
	[ "$(skepctl list -H -o status | sort -u)" = stopped ]
	skepctl destroy a b
	[ -z "$(skepctl list -1)" ]
}

@test "those that start with the host do so in their order; what has nothing to do is no failure" {
	skepctl create last --template probe --network none --autostart yes --order 5
	skepctl create first --template probe --network none --autostart yes --order -5
	skepctl create never --template probe --network none
	[ "$(skepctl start --boot | sed 's/CT \(.*\): started/\1/' | tr '\n' ' ')" = "first last " ]
	[ "$(skepctl list --running -1 | tr '\n' ' ')" = "first last " ]
	[ -z "$(skepctl start --boot 2>&1)" ]
	[ "$(skepctl start --all 2>&1)" = 'CT never: started' ]
	skepctl pause never
	[ "$(skepctl resume --all 2>&1)" = 'CT never: resumed' ]
	skepctl suspend never
	skepctl stop --all --kill
	skepctl restart --all
	[ "$(skepctl list -H -o status never)" = suspended ]
	skepctl stop never
	[ -z "$(skepctl stop --all 2>&1)$(skepctl restart --all 2>&1)" ]
}

@test "a host file that is wrong is named with its member" {
	echo '{"brigde": "br0"}' >"$SKEP_DIR/here/skep.conf"
	wrong 85 brigde '' list
	echo '{}' >"$SKEP_DIR/here/skep.conf"
	fails_with 3 /proc skepctl --root /proc/nothing list
}

@test "a list that cannot be written is a failure" {
	skepctl create web --template probe --network none
	rc=0
	skepctl list >/dev/full 2>"$SKEP_DIR/said" || rc=$?
	[ "$rc" != 0 ]
	grep -q 'No space left' "$SKEP_DIR/said"
}

@test "help of each verb has its usage, its options and examples" {
	run -0 skepctl --help
	[[ $output == *'exit codes:'*'  14  no such container'* ]]
	[[ $output != *migrate-receive* && $output != *' reap '* ]]
	mapfile -t verbs < <(sed -n 's/^  \([a-z][a-z-]*\)  .*/\1/p' <<<"$output")
	[ "${#verbs[@]}" -gt 15 ]
	for verb in "${verbs[@]}"; do
		run -0 skepctl "$verb" --help
		[[ $output == "usage: skepctl $verb"* ]]
		[[ $output == *'examples:'*"skepctl $verb"* ]]
		[ "$output" = "$(skepctl help "$verb")" ]
	done
	[[ $(skepctl --version) == skepctl\ [0-9]* ]]
}

@test "--debug shows the steps of a start, on standard error only" {
	skepctl create web --template probe --network none
	skepctl --debug start web >"$SKEP_DIR/out" 2>"$SKEP_DIR/said"
	[ "$(cat "$SKEP_DIR/out")" = 'CT web: started' ]
	for step in start.cgroup start.clone start.ready start.go start.monitor; do
		grep -q "^skepctl: $step  *[0-9]* us$" "$SKEP_DIR/said"
	done
}

@test "an empty list is friendly to people and empty to programs" {
	[[ $(skepctl list 2>&1) == 'There are no containers yet.'* ]]
	[ -z "$(skepctl list 2>/dev/null)" ]
	[ -z "$(skepctl list -H 2>&1)" ]
	[ "$(skepctl list --json | jq -c .)" = '{"version":1,"containers":[]}' ]
	[ "$(skepctl stat --json | jq -c .)" = '{"version":1,"containers":[]}' ]
}

@test "what was set is what is shown" {
	skepctl create 101 --ostemplate probe --network none --ram 64M --swap 1G --cpuunits 2000 --cpulimit 50 --numproc 30 \
		--hostname web1 --description 'the first' --onboot yes
	[ "$(skepctl list -H -o name,memory,swap,weight,cpus,pids,hostname,autostart,description | tr -s ' ')" = \
		'101 64M 1G 200 0.5 30 web1 yes the first' ]
	[[ $(skepctl set 101 --ram 128M --cpus unlimited) == 'CT 101: set: memory 64M -> 128M, cpus 0.5 -> -'* ]]
	[ "$(skepctl info --json 101 | jq -r '.name, .status, .definition.template')" = $'101\nstopped\nprobe' ]
	[[ $(skepctl info 101) == *$'\nmemory      128M'* ]]
	[ "$(skepctl set 101 --ram 128M)" = 'CT 101: is so already' ]
	[ -z "$(skepctl -q set 101 --ram 64M)" ]
}
