# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2016 # the other side expands it
# The Debian package: what it brings, the slice of all containers, and that nothing of it stays. (Its build has asked lintian already.)

load hosts

teardown() {
	on a sh -c 'dpkg -s skep >/dev/null 2>&1 || dpkg -i /root/skep.deb >/dev/null'
	empty a
}

@test "it is installed whole: units that systemd takes, pages, completion" {
	[ "$(on a systemctl is-enabled skep-autostart.service)" = enabled ]
	[ "$(on a systemctl is-active skep-autostart.service)" = active ]
	[ "$(on a systemctl is-active skep-containers.service)" = active ]
	on a systemd-analyze verify --man=no /usr/lib/systemd/system/skep-autostart.service /usr/lib/systemd/system/skep-containers.service /usr/lib/systemd/system/skep.slice
	on a dpkg -L skep | grep -qx /usr/share/man/man8/skepctl.8.gz
	on a dpkg -L skep | grep -qx /usr/share/bash-completion/completions/skepctl
	[ "$(on a dpkg -V skep | grep -v /usr/share/doc/)" = '' ]
}

@test "all containers are in one slice, which systemd may limit and leaves alone" {
	on a skepctl create s --template debian-13 --network none --memory 200M --cpus 0.7 --pids 99 --start
	on a systemctl set-property --runtime skep.slice MemoryMax=500M TasksMax=1000
	[ "$(on a cat /sys/fs/cgroup/skep.slice/memory.max)" = 524288000 ]
	on a systemctl daemon-reload
	on a systemctl daemon-reexec
	[ "$(on a cat /sys/fs/cgroup/skep.slice/s/memory.max)" = 209715200 ]
	[ "$(on a cat /sys/fs/cgroup/skep.slice/s/pids.max)" = 99 ]
	[ "$(on a cat /sys/fs/cgroup/skep.slice/s/cpu.max)" = '70000 100000' ]
	on a skepctl set s --pids 98
	on a skepctl create t --template debian-13 --network none --memory 150M --io-limit 10M --start
	[ "$(on a cat /sys/fs/cgroup/skep.slice/t/memory.max)" = 157286400 ]
	on a systemctl status skep.slice | grep -q 'skep.slice/s\|─s$\|─s'
}

@test "removed, it stops its containers and leaves no file, but the data" {
	on a dpkg -L skep | while read -r f; do echo "$f"; done >"$BATS_TEST_TMPDIR/files"
	on a skepctl create r --template debian-13 --network none --start
	on a dpkg -P skep
	left=$(on a sh -c 'while read -r f; do [ ! -f "$f" ] || echo "$f"; done' <"$BATS_TEST_TMPDIR/files")
	[ -z "$left" ] || { echo "$left"; return 1; }
	left=$(on a find /etc /usr /run /lib /sys/fs/cgroup -xdev -iname '*skep*' -not -path '/usr/share/doc/*' -not -path '/run/systemd/*' -not -path '/run/udev/*')
	[ -z "$left" ] || { echo "$left"; return 1; }
	[ -z "$(on a pgrep skep)" ]
	on a test -d /var/lib/skep/templates/debian-13
	on a test -d /var/lib/skep/ct/r
	on a dpkg -i /root/skep.deb
	[ "$(on a skepctl list -H -o status r)" = stopped ]
}
