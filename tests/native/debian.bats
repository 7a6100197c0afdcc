# SPDX-License-Identifier: GPL-2.0-only
# A real Debian 12 with real servers of its packages: one connection to each lives through suspend, resume and migration.

load ../lib/skep
load ../lib/debian

setup_file() { debian_build servers debian-12 --include redis-server,nginx-light; }
setup() {
	skep_setup
	host_new A
	host_new B
	client_new client
	debian_template A servers
	debian_template B servers
	c=$(ct_name) address=10.77.1.2
}
teardown() { skep_teardown; }

serves() { # KIND OUT: the client still runs and has got answers since
	local before
	kill -0 "${client[$1]}" || { cat "$SKEP_DIR/$1"; return 1; }
	before=$(wchar "${client[$1]}")
	wait_for 30 more_than "$before" "${client[$1]}"
}
wchar() { awk '/^wchar:/ { print $2 }' "/proc/$1/io"; }
more_than() { (($(wchar "$2") > $1 + 100)); }
both_serve() { serves redis && serves http; }

connect() { # KIND PORT
	wait_for 30 in_net client bash -c "exec 3<>/dev/tcp/$address/$2"
	spawn client "$SKEP_DIR/$1" "$REPO/tests/lib/keepalive" "$1" "$address" "$2"
	client[$1]=$SPAWNED
	wait_for 30 grep -q connected "$SKEP_DIR/$1"
	serves "$1"
}

# shellcheck disable=SC2016 # the inner shell expands it
nginx_workers() { on A skepctl exec "$c" -- sh -c 'p=$(cat /run/nginx.pid) && cat "/proc/$p/task/$p/children"'; }
has_others() { # PIDS: and none of those
	local now pid
	now=" $(nginx_workers) "
	[ -n "${now// /}" ] || return 1
	for pid in $1; do [[ $now != *" $pid "* ]] || return 1; done
}

@test "redis and nginx serve the same connections through suspend, resume and migration" {
	declare -A client
	rsh=$(host_rsh)
	on A skepctl create "$c" --ostemplate servers --bridge br0 --ip "$address/16" --memory 512M --start
	[ "$(on A skepctl exec "$c" -- sed -n 's/^VERSION_ID=//p' /etc/os-release)" = '"12"' ]
	on A skepctl exec "$c" -- redis-server --daemonize yes --port 7001 --bind 0.0.0.0 --protected-mode no --save '' --dir /tmp
	# nginx was started by its package. It closes a connection after 1000 answers unless it is told otherwise.
	wait_for 30 on A skepctl exec "$c" -- test -s /run/nginx.pid
	workers=$(nginx_workers)
	on A skepctl exec "$c" -- sh -c 'echo "keepalive_requests 1000000;" >/etc/nginx/conf.d/keepalive.conf && nginx -s reload'
	# Those who serve by the old words go, and end the connections that they have.
	wait_for 30 has_others "$workers"
	connect redis 7001
	connect http 80
	on A skepctl suspend "$c"
	on A skepctl resume "$c"
	both_serve
	on A skepctl migrate "$c" B --mode suspend --rsh "$rsh"
	both_serve
	on B skepctl migrate "$c" A --mode suspend --rsh "$rsh"
	both_serve
	for kind in redis http; do
		stop_spawned "${client[$kind]}"
		cat "$SKEP_DIR/$kind"
		grep -q answers= "$SKEP_DIR/$kind"
	done
	on A skepctl stop "$c"
	[ "$(on A skepctl list -H -o status "$c")" = stopped ]
}
