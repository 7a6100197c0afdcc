# SPDX-License-Identifier: GPL-2.0-only
# What people read and type: completion and the manual pages say what the commands know.

bats_require_minimum_version 1.5.0
load ../lib/skep

setup() {
	skep_setup
	template_busybox here
}
teardown() { skep_teardown; }

# complete WORDS...: what bash would offer for the last one.
complete() {
	# shellcheck disable=SC2016 # the inner shell expands it
	on here bash --norc -c '
		PATH=$1:$PATH; source "$2/skep"; shift 2
		COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
		"$(complete -p "$1" | sed "s/.*-F \([^ ]*\) .*/\1/")"
		printf "%s\n" "${COMPREPLY[@]}"' - "$SKEP_DIR/here/bin" "$REPO/ctl/completion" "$@"
}
offers() { # "WANTED..." WORDS...
	local got
	got=$(complete "${@:2}" | sort | tr '\n' ' ')
	[ "${got% }" = "$1" ] || { printf '%s: wanted "%s", got "%s"\n' "${*:2}" "$1" "${got% }"; return 1; }
}
verbs_of() { "$1" --help | sed -n 's/^  \([a-z][a-z-]*\)  .*/\1/p'; }
options_of() { "$@" --help | sed -n 's/^  \(-.,\|   \) \(--[a-z0-9-]*\).*/\2/p'; }

@test "verbs, options, values, containers and templates are completed" {
	offers 'start stat' skepctl sta
	offers 'create' skepctl cr
	offers '--ip --ipadd --ipdel' skepctl create --ip
	offers '--state' skepctl --sta
	offers 'bridge' skepctl create x --network b
	offers 'no yes' skepctl create x --autostart ''
	offers 'busybox' skepctl create x --template ''
	offers 'busybox' skepctl create x --template = ''
	offers 'busybox' skepctl template remove ''
	offers 'build export import list remove' skepctl template ''
	offers 'postcopy precopy' skepctl migrate x --mode p
	offers 'postcopy precopy' skepctl migrate x --fallback p
	offers 'live,postcopy live,precopy' skepctl migrate x --fallback live,p
	offers 'suspend,restart,live' skepctl migrate x --fallback suspend,restart,l
	offers '' skepctl migrate x --fallback suspend,restart,s
	offers 'bar json none' skepctl migrate x --progress ''
	offers 'checkpointable none' skepctl create x --preset ''
	offers 'disabled full' skepctl create x --netfilter ''
	offers 'debian-12 debian-13' skepctl template build deb
	offers '' skepctl create ''
	skepctl create alpha --template busybox --network none --start
	skepctl create beta --template busybox --network none
	offers 'alpha beta' skepctl info ''
	offers 'alpha' skepctl stop ''
	offers 'beta' skepctl start ''
	offers 'alpha' skepctl exec ''
	offers '' skepctl exec alpha ''
	offers 'alpha beta' skepctl --debug destroy --force ''
	offers 'alpha' skepctl --debug destroy al
	offers 'name' skepctl list --output nam
	offers 'name' skepctl list -o nam
	offers 'alpha beta' skepctl list -o name ''
	# The OCI front has its own verbs, and no container.
	offers 'spec start state' skep s
	offers '' skep start ''
	offers '--bundle' skep create --bu
	# Other roots are asked where the line names them.
	offers '' skepctl --root "$SKEP_DIR/elsewhere" --state "$SKEP_DIR/elsewhere" info ''
	skepctl destroy --force alpha beta
}

@test "completion knows each verb and each option of --help" {
	for verb in $(verbs_of skepctl); do
		complete skepctl "$verb" | grep -qx -- "$verb"
		[ "$(complete skepctl "$verb" -- | sort)" = "$({ options_of skepctl "$verb"; options_of skepctl; } | sort)" ] || {
			echo "$verb"
			return 1
		}
	done
}

@test "the manual pages have each verb and each option, and nothing else" {
	for front in skepctl skep; do
		page=$BUILD/man/$front.8
		plain=$(sed 's/\\-/-/g; s/\\f[BIR]//g; s/\\&//g' "$page")
		[ "$(sed -n 's/^\.SS "\([a-z-]*\)"$/\1/p' <<<"$plain")" = "$(verbs_of $front)" ]
		for verb in $(verbs_of $front); do
			here=$(awk -v head=".SS \"$verb\"" '$0 == head { on = 1; next } /^\.S[SH]/ { on = 0 } on' <<<"$plain")
			[ "$(grep -oE '^(-., )?--[a-z0-9-]+' <<<"$here" | sed 's/.* //' | sort)" = "$(options_of $front "$verb" | sort)" ] || {
				echo "$front $verb"
				return 1
			}
		done
		for option in $(options_of $front); do grep -q -- "$option" <<<"$plain"; done
	done
	# What is typed stands there as it is typed.
	for typed in 'none, bar or json, on standard error.' 'bridge, routed, none or host.' 'build: a Debian that'; do
		grep -q "^$typed" "$BUILD/man/skepctl.8"
	done
	grep -q '^Move a container to another host, running.$' "$BUILD/man/skepctl.8"
	[ "$(grep -h '@' "$BUILD/man/skepctl.8" "$BUILD/man/skep.8" | grep -vc '^\.\\"')" = 0 ]
}

@test "doctor: all that is needed is there, as JSON too; another user is told, not refused" {
	skepctl doctor >"$SKEP_DIR/doctor"
	[ "$(skepctl doctor --json | jq -r '[.findings[] | select(.verdict == "missing")] | length')" = 0 ]
	# Each gap has its remedy.
	[ "$(skepctl doctor --json | jq -r '[.findings[] | select(.verdict != "ok" and .remedy == "")] | length')" = 0 ]
	[ "$(wc -L <"$SKEP_DIR/doctor")" -le 100 ] || grep -v '^ *->' "$SKEP_DIR/doctor" | awk 'length > 100 { exit 1 }'
	[ "$(skepctl doctor --json | jq -r '.findings[] | select(.what == "templates") | .text')" = 1 ]
	chmod 755 "$SKEP_DIR" 2>/dev/null || true
	cp "$BUILD/skepctl" "$SKEP_DIR/skepctl"
	run -5 in_net here setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all "$SKEP_DIR/skepctl" doctor
	[[ $output == *"run as root"* ]]
	[[ $output != *"CONFIG_PID_NS"* ]]
}
