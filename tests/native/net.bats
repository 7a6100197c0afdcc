# SPDX-License-Identifier: GPL-2.0-only
# What a container's network is and what it is not, through skepctl, on a test host of its own with a neighbour on the wire.

bats_require_minimum_version 1.5.0
load ../lib/skep

# The neighbour is at 10.77.0.2 and fd77::2 on the wire, the host at 10.77.0.1 and fd77::1 of its link "wire".
setup() {
	skep_setup
	template_busybox here
	cat >"$SKEP_DIR/here/skep.conf" <<-'EOF'
		{"pool6": "fd00:5ce9::/64", "dns": ["192.0.2.53", "2001:db8::53"], "search": "example.org"}
	EOF
	c=$(ct_name) d=$(ct_name)
}
teardown() { skep_teardown; }

neighbour() {
	wire_port here
	in_net here ip addr add 10.77.0.1/24 dev wire
	in_net here ip addr add fd77::1/64 dev wire nodad
	client_new client
	in_net client ip addr add fd77::2/64 dev wire nodad
	net_things here >"$SKEP_DIR/net/here"
}
inside() { skepctl exec "$1" -- "${@:2}"; }
# The first packet may wait for a neighbour's address, and a busy machine for its turn.
pings() { inside "$1" ping -c 1 -W 30 "$2"; }
answers() { in_net "$1" ping -c 1 -W 30 "$2"; }
mute() { not in_net "$1" ping -c 1 -W 3 "$2"; }
not() { ! "$@"; }
silent() { not inside "$1" ping -c 1 -W 1 "$2"; }
host_link() { in_net here ip -o link show type veth | sed 's/^[0-9]*: //; s/@.*//' | grep ^sk; }

@test "a bridged container has its addresses, routes, name servers and neighbours" {
	skepctl create "$c" --template busybox --ip auto --ip fd00:5ce9::10 --hostname web.example.org --start
	skepctl create "$d" --template busybox --ip 10.209.7.7 --ip fd00:5ce9::11 --start
	inside "$c" ip -o addr show dev eth0 | grep -F 'inet 10.209.0.2/16'
	inside "$c" ip -o addr show dev eth0 | grep -F 'inet6 fd00:5ce9::10/64'
	inside "$c" ip route | grep -F 'default via 10.209.0.1'
	inside "$c" ip -6 route | grep -F 'default via fd00:5ce9::1'
	[ "$(inside "$c" cat /etc/resolv.conf | grep -v '^#')" = $'nameserver 192.0.2.53\nnameserver 2001:db8::53\nsearch example.org' ]
	[ "$(inside "$c" hostname)" = web.example.org ]
	[ "$(inside "$c" cat /etc/hostname)" = web.example.org ]
	inside "$c" grep -w web.example.org /etc/hosts
	[ "$(inside "$c" stat -c %u:%g /etc/hosts /etc/hostname /etc/resolv.conf | sort -u)" = 0:0 ]
	pings "$c" 127.0.0.1
	pings "$c" 10.209.7.7
	pings "$c" fd00:5ce9::11
	pings "$d" 10.209.0.2
	pings "$c" 10.209.0.1
	answers here 10.209.7.7
	answers here fd00:5ce9::10
}

# bats test_tags=host_all
@test "with the last container go bridge, links, rules and forwarding" {
	skepctl create "$c" --template busybox --ip auto --start
	skepctl create "$d" --template busybox --ip auto --start
	skepctl stop "$c"
	in_net here ip link show skep0
	pings "$d" 10.209.0.1
	skepctl stop "$d"
	# Stopped, not destroyed: the network is that of a host without containers.
	net_is_as_new here
	skepctl start "$c"
	in_net here ip link show skep0
	skepctl destroy --force "$c"
	net_is_as_new here
}

@test "what leaves the host has the host's address, IPv6 too" {
	neighbour
	skepctl create "$c" --template busybox --ip auto --ip fd00:5ce9::10 --start
	pings "$c" 10.77.0.2
	pings "$c" fd77::2
	spawn client "$SKEP_DIR/seen" ncat -v -l -k 7000
	wait_for 30 listens 7000
	inside "$c" sh -c 'echo hello | nc -w 30 10.77.0.2 7000'
	wait_for 30 grep -E 'Connection from 10\.77\.0\.1[.:]' "$SKEP_DIR/seen"
	inside "$c" sh -c 'echo hello6 | nc -w 30 fd77::2 7000'
	wait_for 30 grep -E 'Connection from \[?fd77::1[].:]' "$SKEP_DIR/seen"
}
listens() { in_net client ss -Hltn "sport = :$1" | grep -q .; }

@test "a routed container is reached at its own address, from the wire and from its neighbours" {
	neighbour
	skepctl create "$c" --template busybox --network routed --uplink wire --ip 10.77.0.50 --ip fd77::50 --start
	skepctl create "$d" --template busybox --network routed --uplink wire --ip 10.77.0.51 --start
	inside "$c" ip -o addr show dev eth0 | grep -F 'inet 10.77.0.50/32'
	answers client 10.77.0.50
	answers client fd77::50
	answers here 10.77.0.51
	pings "$c" 10.77.0.51
	pings "$c" 10.77.0.2
	spawn client "$SKEP_DIR/seen" ncat -v -l -k 7000
	wait_for 30 listens 7000
	inside "$c" sh -c 'echo hello | nc -w 30 10.77.0.2 7000'
	wait_for 30 grep -E 'Connection from 10\.77\.0\.50[.:]' "$SKEP_DIR/seen"
	# The host answers for these addresses, not for others.
	mute client 10.77.0.52
	skepctl stop "$c"
	wait_for 30 no_answer 10.77.0.50
	skepctl destroy --force "$d"
	skepctl destroy "$c"
	net_is_as_new here
}
no_answer() { ! in_net client ping -c 1 -W 1 "$1"; }

@test "MAC, MTU and rate are as asked" {
	skepctl create "$c" --template busybox --ip auto --mac 02:00:00:00:00:05 --mtu 1400 --rate 8mbit --start
	[ "$(inside "$c" cat /sys/class/net/eth0/address)" = 02:00:00:00:00:05 ]
	[ "$(inside "$c" cat /sys/class/net/eth0/mtu)" = 1400 ]
	in_net here ip -o link show "$(host_link)" | grep -w 'mtu 1400'
	# 4 MB at 8 Mbit/s are 4 s, less what a bucket lets through at once: nftables' has a second's worth.
	spawn here /dev/null skepctl exec "$c" -- nc -l -p 7001 -e head -c 4000000 /dev/zero
	wait_for 30 inside "$c" sh -c 'netstat -ltn | grep -q :7001'
	before=$(date +%s%N)
	[ "$(in_net here bash -c "exec 3<>/dev/tcp/$(address_of "$c")/7001; timeout 120 cat <&3 | wc -c")" = 4000000 ]
	took_in_range out
	spawn here "$SKEP_DIR/got" skepctl exec "$c" -- nc -l -p 7002
	wait_for 30 inside "$c" sh -c 'netstat -ltn | grep -q :7002'
	before=$(date +%s%N)
	in_net here bash -c "exec 3<>/dev/tcp/$(address_of "$c")/7002; head -c 4000000 /dev/zero >&3"
	wait_for 30 got_bytes 4000000
	took_in_range in
	fails_with 21 "mac" skepctl create "$d" --template busybox --ip auto --mac ff:ff:ff:ff:ff:ff
	fails_with 21 "mtu" skepctl create "$d" --template busybox --ip auto --mtu 99999
	fails_with 21 "rate" skepctl create "$d" --template busybox --ip auto --rate fast
}

got_bytes() { [ "$(stat -c %s "$SKEP_DIR/got")" = "$1" ]; }
address_of() { skepctl list -H -o ip "$1" | tr -d ' '; }
took_in_range() {
	local took=$((($(date +%s%N) - before) / 1000000))
	echo "$1: $took ms"
	((took > 2500 && took < 30000))
}

# bats test_tags=host
@test "a container cannot speak with another MAC or address than its own" {
	skepctl create "$c" --template busybox --ip 10.209.0.10 --ip fd00:5ce9::10 --start
	skepctl create "$d" --template busybox --ip 10.209.0.11 --ip fd00:5ce9::11 --start
	pings "$c" 10.209.0.11
	pings "$c" fd00:5ce9::11
	# Another IPv4 address: of nobody, of its neighbour, of the gateway.
	for address in 10.209.9.9 10.209.0.1; do
		inside "$c" ip addr add $address/16 dev eth0
		not inside "$c" ping -c 1 -W 1 -I $address 10.209.0.11
		inside "$c" ip addr del $address/16 dev eth0
	done
	inside "$c" ip addr add fd00:5ce9::99/64 dev eth0
	not inside "$c" ping -6 -c 1 -W 1 -I fd00:5ce9::99 fd00:5ce9::11
	inside "$c" ip addr del fd00:5ce9::99/64 dev eth0
	# A claim to be the gateway reaches nobody.
	mac=$(in_net here ip -o link show skep0 | sed 's/.*ether //; s/ .*//')
	inside "$c" ip addr add 10.209.0.1/16 dev eth0
	inside "$c" arping -U -c 2 -s 10.209.0.1 -I eth0 10.209.0.1 || true
	inside "$c" ip addr del 10.209.0.1/16 dev eth0
	pings "$d" 10.209.0.1
	inside "$d" ip neigh show 10.209.0.1 | grep -iF "$mac"
	# Another MAC.
	inside "$c" ip link set eth0 down
	inside "$c" ip link set eth0 address 02:00:00:00:00:99
	inside "$c" ip link set eth0 up
	inside "$c" ip route add default via 10.209.0.1 || true
	silent "$c" 10.209.0.11
	# And none of it has spoiled the others.
	answers here 10.209.0.11
}

@test "addresses and rate change while it runs" {
	neighbour
	skepctl create "$c" --template busybox --ip 10.209.0.10 --start
	skepctl set "$c" --ip 10.209.0.20 --ip fd00:5ce9::20
	answers here 10.209.0.20
	answers here fd00:5ce9::20
	inside "$c" ping -c 1 -W 30 -I 10.209.0.20 10.209.0.1
	inside "$c" ip route | grep -F 'default via 10.209.0.1'
	skepctl set "$c" --ipdel 10.209.0.10
	answers here 10.209.0.20
	mute here 10.209.0.10
	# The one that was taken away is nobody's now: the guard drops it, too.
	inside "$c" ip addr add 10.209.0.10/16 dev eth0
	mute here 10.209.0.10
	skepctl set "$c" --rate 8mbit
	in_net here tc qdisc show dev "$(host_link)" | grep -F 'rate 8Mbit'
	skepctl set "$c" --rate unlimited
	in_net here tc qdisc show dev "$(host_link)" | not grep -F tbf
	fails_with 32 "" skepctl set "$c" --network routed
	skepctl restart "$c"
	answers here 10.209.0.20
	inside "$c" ip -o addr show dev eth0 | not grep -F 10.209.0.10
	skepctl create "$d" --template busybox --network routed --uplink wire --ip 10.77.0.50 --start
	skepctl set "$d" --ip 10.77.0.51 --ipdel 10.77.0.50
	answers client 10.77.0.51
	mute client 10.77.0.50
	skepctl destroy --force "$d"
	wait_for 30 no_answer 10.77.0.51
}

@test "an address is given once" {
	skepctl create "$c" --template busybox --ip 10.209.0.10
	fails_with 78 10.209.0.10 skepctl create "$d" --template busybox --ip 10.209.0.10
	fails_with 14 "$d" skepctl info "$d"
	fails_with 78 10.209.0.1 skepctl create "$d" --template busybox --ip 10.209.0.1 || fails_with 21 10.209.0.1 skepctl create "$d" --template busybox --ip 10.209.0.1
	skepctl create "$d" --template busybox --ip auto
	[ "$(skepctl list -H -o ip "$d" | tr -d ' ')" = 10.209.0.2 ]
	fails_with 21 "" skepctl create nobody --template busybox --ip 10.209.0.300
	fails_with 21 "" skepctl create nobody --template busybox --ip 192.0.2.1
	skepctl destroy "$d"
	skepctl create "$d" --template busybox --ip auto6 --ip auto
	[ "$(skepctl list -H -o ip "$d" | tr -d ' ')" = fd00:5ce9::2,10.209.0.2 ]
}

@test "an address that somebody on the wire has is refused" {
	host_new A
	client_new client
	template_busybox A
	fails_with 78 10.77.0.2 on A skepctl create "$c" --template busybox --bridge br0 --ip 10.77.0.2/16
	fails_with 78 10.77.0.1 on A skepctl create "$c" --template busybox --bridge br0 --ip 10.77.0.1/16
	on A skepctl create "$c" --template busybox --bridge br0 --ip 10.77.0.9/16 --gateway 10.77.0.2 --start
	answers client 10.77.0.9
	on A skepctl exec "$c" -- ip route | grep -F 'default via 10.77.0.2'
	on A skepctl destroy --force "$c"
	# The operator's bridge stays as it was.
	in_net A ip link show br0
}

@test "this host's own address is refused as that, and a bridge that was not there is told" {
	neighbour
	fails_with 78 "this host itself has the address 10.77.0.1" skepctl create "$c" --template busybox --network routed --uplink wire --ip 10.77.0.1/32
	skepctl create "$c" --template busybox --bridge br77 --ip 10.79.0.1/16 --start 2>&1 | tee "$SKEP_DIR/said"
	grep -F "bridge br77 was not there" "$SKEP_DIR/said"
	skepctl create "$d" --template busybox --bridge br77 --ip 10.79.0.2/16 --start 2>&1 | tee "$SKEP_DIR/said"
	not grep -F "was not there" "$SKEP_DIR/said"
}

@test "none, host, and what does not fit together" {
	skepctl create "$c" --template busybox --network none --start
	[ "$(inside "$c" ls /sys/class/net)" = lo ]
	pings "$c" 127.0.0.1
	net_is_as_new here
	skepctl create "$d" --template busybox --network host --start
	[ "$(readlink "/proc/$(skepctl list -H -o pid "$d" | tr -d ' ')/ns/net")" = "$(in_net here readlink /proc/self/ns/net)" ]
	fails_with 21 "" skepctl create nobody --template busybox --network none --ip 10.209.0.20
	fails_with 21 "" skepctl create nobody --template busybox --network token-ring
	fails_with 21 "" skepctl create nobody --template busybox --network routed --bridge skep0
	[ "$(skepctl list -1 | wc -l)" = 2 ]
}

@test "a link that is no bridge, or an uplink that is not there, fails the start and leaves nothing" {
	in_net here ip link add skep0 type veth peer name other
	net_things here >"$SKEP_DIR/net/here"
	skepctl create "$c" --template busybox --ip auto
	fails_with 34 skep0 skepctl start "$c"
	[ "$(skepctl list -H -o status "$c" | tr -d ' ')" = stopped ]
	net_is_as_new here
	in_net here ip link del skep0
	net_things here >"$SKEP_DIR/net/here"
	skepctl create "$d" --template busybox --network routed --uplink nowhere --ip 10.209.0.30
	fails_with 34 nowhere skepctl start "$d"
	net_is_as_new here
	skepctl start "$c"
}

@test "files of /etc that the container has changed are its own" {
	skepctl create "$c" --template busybox --ip auto --start
	inside "$c" sh -c 'echo nameserver 203.0.113.1 >/etc/resolv.conf; echo 192.0.2.7 friend >>/etc/hosts; rm /etc/hostname; ln -s /proc/1/root/etc/shadow /etc/hostname'
	skepctl restart "$c"
	[ "$(inside "$c" cat /etc/resolv.conf)" = 'nameserver 203.0.113.1' ]
	[ "$(inside "$c" readlink /etc/hostname)" = /proc/1/root/etc/shadow ]
	inside "$c" hostname | grep -x "$c"
	inside "$c" sed -i 1d /etc/hosts
	skepctl restart "$c"
	inside "$c" grep friend /etc/hosts
}

of_another() { on here "$BUILD/skepctl" --root "$SKEP_DIR/another/lib" --state "$SKEP_DIR/another/run" "$@"; }
stopped() { [[ $(cat "/proc/$1/stat" 2>/dev/null) == *') T '* ]]; }

@test "of two state directories on one bridge, the last end in one does not take it from a start in the other" {
	local start
	mkdir -p "$SKEP_DIR/another/lib"
	cp -a "$SKEP_DIR/here/lib/templates" "$SKEP_DIR/another/lib/"
	skepctl create "$c" --template busybox --ip 10.209.7.7
	of_another create "$d" --template busybox --ip 10.209.7.8 --start
	# It has the bridge, and no port yet.
	spawn here "$SKEP_DIR/said" "SKEP_FAULT=start.link:pause=$SKEP_DIR/paused" skepctl start "$c"
	start=$SPAWNED
	wait_for 30 test -s "$SKEP_DIR/paused"
	wait_for 30 stopped "$(cat "$SKEP_DIR/paused")"
	of_another destroy --force "$d"
	kill -CONT "$(cat "$SKEP_DIR/paused")"
	wait "$start"
	pings "$c" 10.209.0.1
	skepctl destroy --force "$c"
	in_net here ip link show skep0 && return 1
	return 0
}
