# SPDX-License-Identifier: GPL-2.0-only
# shellcheck disable=SC2016 # the other side expands it
# skep where systemd is the maker of control groups: by itself, for Podman, and for a user who is not root.
# host: $HERE

load hosts

setup_file() {
	on "$HERE" sh -ec 'mkdir -p /root/oci/rootfs/bin /root/oci/rootfs/dev /root/oci/rootfs/proc /root/oci/rootfs/sys
		cp /usr/bin/busybox /root/oci/rootfs/bin && for a in sh sleep cat id; do ln -sf busybox /root/oci/rootfs/bin/$a; done
		printf "[engine]\nruntime=\"skep\"\nevents_logger=\"file\"\n[engine.runtimes]\nskep=[\"/usr/bin/skep\"]\n" >/root/oci/containers.conf
		id joe >/dev/null 2>&1 || { useradd -m joe; echo joe:100000:65536 >/etc/subuid; echo joe:100000:65536 >/etc/subgid; }'
}
teardown() {
	on "$HERE" sh -c 'for c in $(skep list -q); do skep delete --force $c; done; rm -f /root/oci/config.json; loginctl disable-linger joe
		! [ -e /home/joe/oci ] || rm -r /home/joe/oci'
}

# script CMDS: in the bundle's directory, with `cfg JQ`, which changes its config.json.
script() {
	on "$HERE" sh -ec 'cd "$HOME/oci"; cfg() { jq "$1" config.json >new && mv new config.json; }
		rm -f config.json; skep spec; cfg ".process.terminal = false | .process.args = [\"sleep\", \"1000\"]"; '"$1"
}

@test "a scope: the unit has the limits, a reload keeps them, update changes both, at the end it is gone" {
	script 'cfg ".linux.cgroupsPath = \"machine.slice:box:one\" | .linux.resources = {memory: {limit: 104857600}, pids: {limit: 77}, cpu: {shares: 512, quota: 50000, period: 100000, cpus: \"0\"}}"
		skep --systemd-cgroup run --detach one </dev/null >/dev/null 2>&1
		group=/sys/fs/cgroup/machine.slice/box-one.scope
		[ "$(cat /proc/$(skep state one | jq .pid)/cgroup)" = 0::/machine.slice/box-one.scope ]
		[ "$(skep state one | jq -r ".\"systemd-scope\"")" = box-one.scope ]
		[ "$(systemctl show box-one.scope -p MemoryMax,TasksMax,CPUQuotaPerSecUSec,AllowedCPUs,Delegate,Slice --value | sort | xargs)" = "0 104857600 500ms 77 machine.slice yes" ]
		[ "$(cat $group/memory.max $group/pids.max $group/cpu.max $group/cpuset.cpus | xargs)" = "104857600 77 50000 100000 0" ]
		[ "$(skep exec one cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/cpu.max | xargs)" = "104857600 50000 100000" ]
		skep update --memory 200M --pids-limit 55 one
		[ "$(skep exec one cat /sys/fs/cgroup/memory.max)" = 209715200 ]
		[ "$(systemctl show box-one.scope -p MemoryMax,TasksMax --value | sort -n | xargs)" = "55 209715200" ]
		systemctl daemon-reload
		[ "$(cat $group/memory.max $group/pids.max | xargs)" = "209715200 55" ]
		[ "$(skep exec one cat /proc/self/cgroup)" = "$(skep exec one cat /proc/1/cgroup)" ]
		skep pause one; [ "$(skep state one | jq -r .status)" = paused ]; skep resume one
		skep delete --force one
		[ ! -e $group ]
		[ "$(systemctl show box-one.scope -p LoadState --value)" = not-found ]'
}

@test "a scope by two words; a group of the container's own below a scope" {
	script 'cfg ".linux.cgroupsPath = \"machine.slice:two\" | .annotations[\"run.oci.systemd.subgroup\"] = \"inside\" | .linux.resources = {memory: {limit: 104857600}}"
		skep --systemd-cgroup run --detach two </dev/null >/dev/null 2>&1
		group=/sys/fs/cgroup/machine.slice/two.scope
		[ "$(cat /proc/$(skep state two | jq .pid)/cgroup)" = 0::/machine.slice/two.scope/inside ]
		[ "$(cat $group/memory.max $group/inside/memory.max | xargs)" = "104857600 104857600" ]
		[ "$(skep exec two cat /proc/self/cgroup)" = "$(skep exec two cat /proc/1/cgroup)" ]
		skep update --memory 200M two
		[ "$(cat $group/memory.max $group/inside/memory.max | xargs)" = "209715200 209715200" ]
		systemctl daemon-reload
		skep pause two; [ "$(skep state two | jq -r .status)" = paused ]; skep resume two
		skep delete --force two
		[ ! -e $group ]
		cfg ".linux.resources = {memory: {swap: 0}}"
		skep --systemd-cgroup run --detach two </dev/null >/dev/null 2>&1
		[ "$(cat $group/inside/memory.swap.max)" = 0 ]
		skep delete --force two
		[ "$(systemctl show two.scope -p LoadState --value)" = not-found ]
		cfg ".annotations[\"run.oci.systemd.subgroup\"] = \"../up\""
		! skep --systemd-cgroup run two 2>said
		grep "cannot name a control group" said'
}

@test "a scope's end: what ended by itself, what could not be made, what is there already" {
	script 'cfg ".process.args = [\"true\"]"; cp /usr/bin/busybox rootfs/bin/true
		skep --systemd-cgroup run two
		[ "$(systemctl show skep-two.scope -p LoadState --value)" = not-found ]
		cfg ".process.args = [\"/none\"]"
		! skep --systemd-cgroup run two 2>/dev/null
		[ "$(systemctl show skep-two.scope -p LoadState --value)" = not-found ]
		systemd-run --quiet --scope --unit=skep-two sleep 1000 </dev/null >/dev/null 2>&1 &
		until systemctl is-active --quiet skep-two.scope; do sleep 0.2; done
		! skep --systemd-cgroup run two 2>said
		grep "skep-two.scope" said
		systemctl is-active --quiet skep-two.scope
		systemctl stop skep-two.scope'
}

@test "Podman with its default, systemd: a container's scope, its limit, exec, stop and start" {
	on "$HERE" sh -ec 'export CONTAINERS_CONF=/root/oci/containers.conf
		tar -C /root/oci/rootfs -c . | podman import -q - localhost/box >/dev/null
		[ "$(podman info --format "{{.Host.CgroupManager}} {{.Host.OCIRuntime.Path}}")" = "systemd /usr/bin/skep" ]
		podman run -d --name c --network none --memory 100m localhost/box sleep 1000 >/dev/null
		unit=libpod-$(podman inspect --format "{{.Id}}" c).scope
		[ "$(systemctl show $unit -p MemoryMax,Slice,ActiveState --value | sort | xargs)" = "104857600 active machine.slice" ]
		[ "$(podman exec c id -u)" = 0 ]
		[ "$(podman exec c cat /sys/fs/cgroup/memory.max)" = 104857600 ]
		[ "$(podman run --rm --privileged --network none --memory 100m --pids-limit 77 localhost/box cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/pids.max | xargs)" = "104857600 77" ]
		podman stop -t 0 c >/dev/null
		[ "$(systemctl show $unit -p LoadState --value)" = not-found ]
		podman start c >/dev/null
		[ "$(systemctl is-active $unit)" = active ]
		podman rm -f -t 0 c >/dev/null
		[ "$(systemctl show $unit -p LoadState --value)" = not-found ]
		[ -z "$(skep list -q)" ]'
}

@test "a user: a scope of the user's own systemd with limits, exec into it, ids of /etc/subuid" {
	on "$HERE" sh -ec 'loginctl enable-linger joe; uid=$(id -u joe)
		until [ -S /run/user/$uid/bus ]; do sleep 0.2; done
		cp -a /root/oci /home/joe/oci; rm -f /home/joe/oci/config.json; chown -hR joe: /home/joe/oci'
	on "$HERE" sh -c 'cat >/home/joe/oci/all' <<-'END'
		set -e
		cd ~/oci; cfg() { jq "$1" config.json >new && mv new config.json; }
		skep spec --rootless
		cfg '.process.terminal = false | .process.args = ["sleep", "1000"] | .linux.resources = {memory: {limit: 104857600}, pids: {limit: 77}}'
		! skep run u 2>said
		grep 'memory limit cannot be set' said
		skep --systemd-cgroup run --detach u </dev/null >/dev/null 2>&1
		group=/sys/fs/cgroup$(systemctl --user show skep-u.scope -p ControlGroup --value)
		[ "$(cat $group/memory.max $group/pids.max | xargs)" = '104857600 77' ]
		[ "$(cat $group/ct/cgroup.procs)" = "$(skep state u | jq .pid)" ]
		[ "$(skep exec u cat /proc/self/cgroup)" = "$(skep exec u cat /proc/1/cgroup)" ]
		skep update --memory 200M u
		[ "$(cat $group/memory.max)" = 209715200 ]
		skep delete --force u
		[ ! -e $group ]
		[ -z "$(ls $XDG_RUNTIME_DIR/skep)" ]
		cfg 'del(.linux.resources) | .process.args = ["cat", "/proc/self/uid_map", "/proc/self/setgroups"]
			| .linux.uidMappings += [{containerID: 1, hostID: 100000, size: 65536}] | .linux.gidMappings = .linux.uidMappings'
		[ "$(skep run u | xargs)" = "0 $(id -u) 1 1 100000 65536 allow" ]
	END
	on "$HERE" sh -c 'exec setpriv --reuid joe --regid joe --init-groups env -i HOME=/home/joe USER=joe PATH=/usr/bin XDG_RUNTIME_DIR=/run/user/$(id -u joe) bash -x /home/joe/oci/all'
}
