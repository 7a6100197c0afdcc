# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2016 # the other side expands it
# The Debian package: what it brings, the slice of all containers, and that nothing of it stays. (Its build has asked lintian already.)
# host: $HERE
# long: it begins first

load hosts

teardown() {
	on "$HERE" sh -c '[ "$(dpkg-query -f "\${db:Status-Status}" -W skep)" = installed ] || dpkg -i /root/skep.deb >/dev/null'
	empty "$HERE"
}

@test "it is installed whole: units that systemd takes, pages, completion" {
	[ "$(on "$HERE" systemctl is-enabled skep-autostart.service)" = enabled ]
	[ "$(on "$HERE" systemctl is-active skep-autostart.service)" = active ]
	[ "$(on "$HERE" systemctl is-active skep-containers.service)" = active ]
	on "$HERE" systemd-analyze verify --man=no /usr/lib/systemd/system/skep-autostart.service /usr/lib/systemd/system/skep-containers.service /usr/lib/systemd/system/skep.slice
	on "$HERE" dpkg -L skep | grep -qx /usr/share/man/man8/skepctl.8.gz
	on "$HERE" dpkg -L skep | grep -qx /usr/share/bash-completion/completions/skepctl
	[ "$(on "$HERE" dpkg -V skep | grep -v /usr/share/doc/)" = '' ]
}

@test "all containers are in one slice, which systemd may limit and leaves alone" {
	on "$HERE" skepctl create s --template debian-13 --network none --memory 200M --cpus 0.7 --pids 99 --start
	on "$HERE" systemctl set-property --runtime skep.slice MemoryMax=500M TasksMax=1000
	[ "$(on "$HERE" cat /sys/fs/cgroup/skep.slice/memory.max)" = 524288000 ]
	on "$HERE" systemctl daemon-reload
	on "$HERE" systemctl daemon-reexec
	[ "$(on "$HERE" cat /sys/fs/cgroup/skep.slice/s/memory.max)" = 209715200 ]
	[ "$(on "$HERE" cat /sys/fs/cgroup/skep.slice/s/pids.max)" = 99 ]
	[ "$(on "$HERE" cat /sys/fs/cgroup/skep.slice/s/cpu.max)" = '70000 100000' ]
	on "$HERE" skepctl set s --pids 98
	on "$HERE" skepctl create t --template debian-13 --network none --memory 150M --io-limit 10M --start
	[ "$(on "$HERE" cat /sys/fs/cgroup/skep.slice/t/memory.max)" = 157286400 ]
	on "$HERE" systemctl status skep.slice | grep -q 'skep.slice/s\|─s$\|─s'
}

@test "removed, it stops its containers and leaves no file, but the data" {
	on "$HERE" dpkg -L skep | while read -r f; do echo "$f"; done >"$BATS_TEST_TMPDIR/files"
	on "$HERE" skepctl create r --template debian-13 --network none --start
	on "$HERE" dpkg -P skep
	left=$(on "$HERE" sh -c 'while read -r f; do [ ! -f "$f" ] || echo "$f"; done' <"$BATS_TEST_TMPDIR/files")
	[ -z "$left" ] || { echo "$left"; return 1; }
	left=$(on "$HERE" find /etc /usr /run /lib /sys/fs/cgroup -xdev -iname '*skep*' -not -path '/usr/share/doc/*' -not -path '/run/systemd/*' -not -path '/run/udev/*')
	[ -z "$left" ] || { echo "$left"; return 1; }
	[ -z "$(on "$HERE" pgrep skep)" ]
	on "$HERE" test -d /var/lib/skep/templates/debian-13
	on "$HERE" test -d /var/lib/skep/ct/r
	on "$HERE" dpkg -i /root/skep.deb
	[ "$(on "$HERE" skepctl list -H -o status r)" = stopped ]
}

@test "removed while its units are off, it stops its containers all the same" {
	only_if_all
	on "$HERE" skepctl create r --template debian-13 --network none --start
	on "$HERE" skepctl create q --template debian-13 --bridge br0 --ip 10.77.1.9/16 --start
	on "$HERE" systemctl disable --now --quiet skep-autostart.service skep-containers.service
	on "$HERE" nft add table netdev skep_guard_skgone # of one that was lost
	[ "$(on "$HERE" skepctl list -H -o status r)" = stopped ] && on "$HERE" skepctl start r q # the unit's own end
	on "$HERE" dpkg -r skep
	[ -z "$(on "$HERE" pgrep skep)" ]
	[ ! -e "$(on "$HERE" ls -d /sys/fs/cgroup/skep.slice/r 2>/dev/null)" ]
	on "$HERE" test ! -e /run/skep
	left=$(on "$HERE" nft list tables | grep skep || true)
	[ -z "$left" ] || { echo "$left"; return 1; }
	left=$(on "$HERE" find /etc/systemd /var/lib/systemd -name '*skep*' -not -path '*/deb-systemd-helper-enabled/*')
	[ -z "$left" ] || { echo "$left"; return 1; }
	run on "$HERE" dpkg -i /root/skep.deb
	[ "$status" = 0 ]
	[[ $output != *'skep.slice is a disabled'* ]]
	[ "$(on "$HERE" systemctl is-enabled skep-autostart.service)" = disabled ] # as the operator had it
	on "$HERE" systemctl enable --now --quiet skep-autostart.service skep-containers.service
	on "$HERE" skepctl start r
	[ "$(on "$HERE" skepctl list -H -o status r)" = running ]
	on "$HERE" dpkg -r skep
	left=$(on "$HERE" find /etc/systemd -name '*skep*')
	[ -z "$left" ] || { echo "$left"; return 1; }
	on "$HERE" dpkg -i /root/skep.deb
	[ "$(on "$HERE" systemctl is-enabled skep-autostart.service)" = enabled ]
}

@test "what cannot be stopped keeps the package; a removal by force keeps what is known of it" {
	only_if_all
	on "$HERE" sh -c 'mkdir -p /run/skep/alien; sleep 1000 </dev/null >/dev/null 2>&1 &
		printf "{\n  \"id\": \"alien\",\n  \"pid\": $!,\n  \"pidStart\": 7\n}" >/run/skep/alien/state.json'
	pid=$(on "$HERE" cat /run/skep/alien/state.json | jq .pid)
	run on "$HERE" dpkg -r skep
	[ "$status" != 0 ]
	[[ $output == *'skep: still running: alien; the package stays'* ]]
	[ "$(on "$HERE" dpkg-query -f '${db:Status-Status}' -W skep)" = installed ]
	run on "$HERE" sh -c 'rm /var/lib/dpkg/info/skep.prerm; dpkg -r skep'
	[[ $output == *'still running: alien'* ]]
	on "$HERE" test -s /run/skep/alien/state.json
	on "$HERE" kill "$pid"
	on "$HERE" rm -r /run/skep/alien
}

@test "purged without containers and templates, nothing of it is left" {
	template_probe "$HERE"
	on "$HERE" skepctl create p --template probe --network none
	on "$HERE" skepctl destroy p
	on "$HERE" skepctl template remove probe
	on "$HERE" sh -c 'cd /var/lib/skep && mkdir /root/kept && mv templates/* /root/kept && [ -n "$(ls -A templates)" ]'
	on "$HERE" dpkg -P skep
	left=$(on "$HERE" find /var/lib/skep /etc/skep 2>/dev/null || true)
	on "$HERE" dpkg -i /root/skep.deb
	on "$HERE" sh -c 'mkdir -p -m 755 /var/lib/skep/templates && mv /root/kept/* /var/lib/skep/templates && rmdir /root/kept'
	[ -z "$left" ] || { echo "$left"; return 1; }
}
