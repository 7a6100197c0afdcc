// SPDX-License-Identifier: GPL-2.0-only
/* config.json: what is honoured, and that each thing that is not is refused by its name. */
#include "tests/unit/runtime/spec_config.h"

#include <sys/mount.h>
#include <sys/resource.h>

static void the_least(void **state)
{
	auto_spec struct ct_spec s = {0};

	(void)state;
	wanted("{}", &s);
	assert_string_equal(s.bundle, "/bundle");
	assert_string_equal(s.root_path, "/bundle/rootfs");
	assert_string_equal(s.process.args[0], "true");
	assert_null(s.process.args[1]);
	assert_null(s.process.env[0]);
	assert_int_equal(s.process.umask, -1);
	assert_false(s.process.has_caps);
	assert_true(s.own[CT_NS_MOUNT] && s.own[CT_NS_PID] && !s.own[CT_NS_USER]);
	assert_int_equal(s.stop_signal, SIGTERM);
	assert_int_equal(s.stop_timeout_s, 10);
	assert_null(s.masked[0]);
	assert_null(s.cgroup);
	assert_null(s.seccomp);
}

static void a_process(void **state)
{
	auto_spec struct ct_spec s = {0};
	const struct ct_process *p = &s.process;

	(void)state;
	wanted("{'process': {'terminal': true, 'consoleSize': {'height': 25, 'width': 80}, 'args': ['a', 'b'],"
	       "'env': ['A=b', 'C='], 'cwd': '/x', 'noNewPrivileges': true, 'oomScoreAdj': -5,"
	       "'user': {'uid': 1, 'gid': 2, 'umask': 63, 'additionalGids': [3, 4]},"
	       "'rlimits': [{'type': 'RLIMIT_NOFILE', 'soft': 10, 'hard': 20}],"
	       "'capabilities': {'bounding': ['CAP_KILL', 'CAP_CHOWN', 'CAP_NO_SUCH'], 'permitted': ['CAP_KILL'],"
	       "'effective': ['CAP_KILL'], 'inheritable': [], 'ambient': ['CAP_KILL']}}}",
	       &s);
	assert_true(p->terminal && p->no_new_privs && p->has_oom_score_adj && p->has_caps);
	assert_int_equal(p->rows, 25);
	assert_int_equal(p->cols, 80);
	assert_string_equal(p->args[1], "b");
	assert_string_equal(p->env[1], "C=");
	assert_string_equal(p->cwd, "/x");
	assert_int_equal(p->uid, 1);
	assert_int_equal(p->gid, 2);
	assert_int_equal(p->umask, 077);
	assert_int_equal(p->n_groups, 2);
	assert_int_equal(p->groups[1], 4);
	assert_int_equal(p->oom_score_adj, -5);
	assert_int_equal(p->n_rlimits, 1);
	assert_int_equal(p->rlimits[0].resource, RLIMIT_NOFILE);
	assert_int_equal(p->rlimits[0].hard, 20);
	assert_int_equal(p->caps.bounding, 1 << 0 | 1 << 5);
	assert_int_equal(p->caps.effective, 1 << 5);
	/* Not inheritable, so the kernel would refuse it. */
	assert_int_equal(p->caps.ambient, 0);
}

static void namespaces_and_maps(void **state)
{
	auto_spec struct ct_spec s = {0};

	(void)state;
	wanted("{'hostname': 'h', 'domainname': 'd', 'linux': {'namespaces': [{'type': 'user'}, {'type': 'mount'},"
	       "{'type': 'network', 'path': '/proc/1/ns/net'}, {'type': 'uts'}, {'type': 'time'}, {'type': 'cgroup'}],"
	       "'uidMappings': [{'containerID': 0, 'hostID': 1000, 'size': 10}, {'containerID': 10, 'hostID': 5, 'size': 1}],"
	       "'gidMappings': [{'containerID': 0, 'hostID': 2000, 'size': 10}],"
	       "'timeOffsets': {'monotonic': {'secs': -7, 'nanosecs': 5}}}}",
	       &s);
	assert_true(s.own[CT_NS_USER] && s.own[CT_NS_TIME] && s.own[CT_NS_CGROUP]);
	assert_true(!s.own[CT_NS_NETWORK] && !s.own[CT_NS_PID] && !s.join[CT_NS_PID]);
	assert_string_equal(s.join[CT_NS_NETWORK], "/proc/1/ns/net");
	assert_int_equal(s.n_uids, 2);
	assert_int_equal(s.uids[1].outside, 5);
	assert_int_equal(s.gids[0].count, 10);
	assert_true(s.has_time_monotonic && !s.has_time_boottime);
	assert_int_equal(s.time_monotonic.secs, -7);
	assert_string_equal(s.hostname, "h");
	assert_string_equal(s.domainname, "d");
	ct_spec_done(&s);
	wanted("{'linux': {'namespaces': [{'type': 'mount'}, {'type': 'user'}]}}", &s);
	assert_int_equal(s.n_uids, 1);
	assert_int_equal(s.uids[0].outside, geteuid());
	assert_int_equal(s.uids[0].count, 1);
	assert_int_equal(s.n_gids, 1);
	assert_int_equal(s.gids[0].outside, getegid());
}

static void mounts(void **state)
{
	auto_spec struct ct_spec s = {0};

	(void)state;
	wanted("{'mounts': [{'destination': '/proc', 'type': 'proc', 'source': 'proc'},"
	       "{'destination': 'rel', 'type': 'bind', 'source': 'data', 'options': ['rbind', 'ro', 'rshared']},"
	       "{'destination': '/t', 'type': 'tmpfs', 'source': 'x', 'options': ['size=1k', 'nosuid', 'mode=700']}]}",
	       &s);
	assert_int_equal(s.n_mounts, 3);
	assert_string_equal(s.mounts[0].fstype, "proc");
	assert_string_equal(s.mounts[1].target, "/rel");
	assert_string_equal(s.mounts[1].source, "/bundle/data");
	assert_true(s.mounts[1].bind && s.mounts[1].recursive);
	assert_int_equal(s.mounts[1].propagation, MS_SHARED | MS_REC);
	assert_string_equal(s.mounts[2].data, "size=1k,mode=700");
}

static void paths_devices_and_settings(void **state)
{
	auto_spec struct ct_spec s = {0};

	(void)state;
	wanted("{'root': {'path': '/r', 'readonly': true}, 'linux': {'maskedPaths': ['/m'], 'readonlyPaths': ['/ro', '/ro2'],"
	       "'rootfsPropagation': 'slave', 'sysctl': {'net.ipv4.ip_forward': '1'}, 'personality': {'domain': 'LINUX32'},"
	       "'devices': [{'path': '/dev/fuse', 'type': 'u', 'major': 10, 'minor': 229, 'fileMode': 432, 'uid': 1, 'gid': 2}],"
	       "'seccomp': {'defaultAction': 'SCMP_ACT_ALLOW'}}}",
	       &s);
	assert_string_equal(s.root_path, "/r");
	assert_true(s.root_readonly);
	assert_int_equal(s.n_masked, 1);
	assert_int_equal(s.n_readonly, 2);
	assert_int_equal(s.propagation, MS_SLAVE);
	assert_string_equal(s.sysctls[0].key, "net.ipv4.ip_forward");
	assert_string_equal(s.personality, "LINUX32");
	assert_int_equal(s.devices[0].type, 'c');
	assert_int_equal(s.devices[0].mode, 0660);
	assert_non_null(s.seccomp);
}

static void annotations(void **state)
{
	auto_spec struct ct_spec s = {0};

	(void)state;
	wanted("{'root': {}, 'annotations': {'other': 'x', 'skep.rootfs.lower': '/a:/b', 'skep.rootfs.upper': '/u',"
	       "'skep.rootfs.work': '/w', 'skep.seccomp': 'default', 'skep.nesting': 'true', 'skep.stop.signal': 'SIGINT',"
	       "'skep.stop.timeout': '3', 'skep.netfilter': 'disabled'}}",
	       &s);
	assert_int_equal(s.n_lower, 2);
	assert_string_equal(s.lower[1], "/b");
	assert_string_equal(s.upper, "/u");
	assert_true(s.seccomp_profile && s.nesting && s.no_netfilter);
	assert_int_equal(s.stop_signal, SIGINT);
	assert_int_equal(s.stop_timeout_s, 3);
	assert_int_equal(json_object_size(s.annotations), 9);
}

/* runtime-spec, "Extensibility": "Runtimes MUST ignore unknown properties". */
static void unknown_members_are_ignored(void **state)
{
	auto_spec struct ct_spec s = {0};

	(void)state;
	wanted("{'x': 1, 'process': {'x': {}}, 'linux': {'x': [1]}, 'root': {'x': true}}", &s);
}

#define MAPS                                                               \
	"'uidMappings': [{'containerID': 0, 'hostID': 1000, 'size': 10}]," \
	"'gidMappings': [{'containerID': 0, 'hostID': 1000, 'size': 10}]"
#define USERNS	   "'namespaces': [{'type': 'mount'}, {'type': 'user'}], " MAPS
#define LINUX(x)   "{'linux': {" x "}}"
#define PROCESS(x) "{'process': {" x "}}"
#define LIMITS(x)  "{'linux': {'resources': {" x "}}}"

static const struct bad {
	const char *patch, *names; /* what the message must say */
} bads[] = {
	{"{'ociVersion': '2.0.0'}", "ociVersion: "},
	{"{'ociVersion': 1}", "ociVersion: must be a string"},
	{"{'ociVersion': null}", "ociVersion: is missing"},
	{"{'root': null}", "root.path: is missing"},
	{"{'root': {'path': ''}}", "root.path: "},
	{"{'root': {'readonly': 1}}", "root.readonly: "},
	{"{'root': []}", "root: must be an object"},
	{"{'hostname': 'a b'}", "hostname: "},
	{"{'hostname': 'x', 'linux': {'namespaces': [{'type': 'mount'}]}}", "hostname: "},
	{"{'domainname': 'a/b'}", "domainname: "},
	{"{'hooks': []}", "hooks: must be an object"},
	{"{'hooks': {'prestart': {}}}", "hooks.prestart: must be an array"},
	{"{'hooks': {'prestart': [{'path': 'x'}]}}", "hooks.prestart[0]: path must be absolute"},
	{"{'hooks': {'poststop': [{'path': '/x'}, {}]}}", "hooks.poststop[1]: path must be"},
	{"{'hooks': {'poststart': [{'path': '/x', 'timeout': 0}]}}", "hooks.poststart[0].timeout"},
	{"{'hooks': {'poststart': [{'path': '/x', 'env': ['A']}]}}", "hooks.poststart[0].env"},
	{"{'hooks': {'createRuntime': [{'path': '/x', 'args': 'a'}]}}",
	 "hooks.createRuntime[0].args"},
	{"{'windows': {'layerFolders': ['x']}}", "windows: "},
	{"{'solaris': {'milestone': 'x'}}", "solaris: "},
	{"{'vm': {'kernel': {'path': '/x'}}}", "vm: "},
	{"{'zos': {'x': 1}}", "zos: "},
	{"{'annotations': {'a': 1}}", "annotations: 'a'"},
	{"{'annotations': {'skep.secomp': 'default'}}", "annotations: 'skep.secomp'"},
	{"{'annotations': {'skep.seccomp': 'mine'}}", "skep.seccomp: "},
	{"{'annotations': {'skep.rootfs.lower': '/a'}}", "skep.rootfs.lower"},
	{"{'annotations': {'skep.rootfs.lower': 'a'}}", "skep.rootfs.lower: "},
	{"{'annotations': {'skep.stop.signal': 'SIGX'}}", "skep.stop.signal"},
	{"{'annotations': {'skep.stop.timeout': '-1'}}", "skep.stop.timeout"},
	{"{'annotations': {'skep.nesting': '1'}}", "skep.nesting: "},
	{"{'annotations': {'skep.netfilter': 'stateful'}}", "skep.netfilter: must be 'disabled'"},
	{"{'annotations': {'skep.netfilter': 'disabled'}}", "skep.netfilter needs skep.seccomp"},

	{PROCESS("'args': []"), "process: args"},
	{PROCESS("'args': ['']"), "process: args"},
	{PROCESS("'args': [1]"), "process.args[0]: must be a string"},
	{PROCESS("'args': 'true'"), "process.args: must be an array"},
	{PROCESS("'cwd': 'x'"), "process: cwd"},
	{PROCESS("'cwd': null"), "process: cwd"},
	{PROCESS("'env': ['A']"), "process.env: "},
	{PROCESS("'env': ['=a']"), "process.env: "},
	{PROCESS("'terminal': 'yes'"), "process.terminal: "},
	{PROCESS("'consoleSize': {'height': 70000, 'width': 1}"), "process.consoleSize: "},
	{PROCESS("'user': {'uid': -1}"), "process.user.uid: "},
	{PROCESS("'user': {'uid': 4294967295}"), "process.user.uid: "},
	{PROCESS("'user': {'gid': 'x'}"), "process.user.gid: "},
	{PROCESS("'user': {'umask': 512}"), "process.user.umask: "},
	{PROCESS("'user': {'additionalGids': [1, -1]}"), "process.user.additionalGids[1]: "},
	{PROCESS("'oomScoreAdj': 1001"), "process.oomScoreAdj: "},
	{PROCESS("'rlimits': [{'type': 'RLIMIT_X', 'soft': 1, 'hard': 1}]"),
	 "process.rlimits[0].type"},
	{PROCESS("'rlimits': [{'type': 'RLIMIT_CPU', 'soft': 2, 'hard': 1}]"),
	 "process.rlimits[0]: "},
	{PROCESS("'rlimits': [{'type': 'RLIMIT_CPU', 'soft': 2}]"), "process.rlimits[0]: "},
	{PROCESS("'rlimits': [{'type': 'RLIMIT_CPU', 'soft': 1, 'hard': 1},"
		 "{'type': 'RLIMIT_CPU', 'soft': 1, 'hard': 1}]"),
	 "process.rlimits: "},
	{PROCESS("'capabilities': {'bounding': [1]}"), "process.capabilities.bounding[0]: "},
	{PROCESS("'capabilities': {'effective': ['CAP_KILL']}"), "process.capabilities"},
	{PROCESS("'apparmorProfile': 'x'"), "process.apparmorProfile: this host has no AppArmor"},
	{PROCESS("'selinuxLabel': 'x'"), "process.selinuxLabel: this host has no SELinux"},
	{PROCESS("'scheduler': {'policy': 'SCHED_ISO'}"), "process.scheduler.policy: 'SCHED_ISO'"},
	{PROCESS("'scheduler': {'nice': 5}"), "process.scheduler: policy is missing"},
	{PROCESS("'scheduler': {'policy': 'SCHED_OTHER', 'nice': 20}"), "process.scheduler: nice"},
	{PROCESS("'scheduler': {'policy': 'SCHED_FIFO'}"), "process.scheduler: priority"},
	{PROCESS("'scheduler': {'policy': 'SCHED_OTHER', 'priority': 5}"), "process.scheduler: "},
	{PROCESS("'scheduler': {'policy': 'SCHED_RR', 'priority': 5, 'runtime': 5}"),
	 "process.scheduler: runtime"},
	{PROCESS("'scheduler': {'policy': 'SCHED_OTHER', 'flags': ['SCHED_FLAG_UTIL_CLAMP_MIN']}"),
	 "process.scheduler.flags[0]: "},
	{PROCESS("'ioPriority': {'class': 'IOPRIO_CLASS_NONE'}"), "process.ioPriority.class: "},
	{PROCESS("'ioPriority': {'class': 'IOPRIO_CLASS_BE', 'priority': 8}"),
	 "process.ioPriority: priority"},
	{PROCESS("'execCPUAffinity': {'initial': '3-1'}"), "process.execCPUAffinity.initial: "},
	{PROCESS("'execCPUAffinity': {'final': '0-'}"), "process.execCPUAffinity.final: "},
	{PROCESS("'execCPUAffinity': {'final': '0 1'}"), "process.execCPUAffinity.final: "},
	{PROCESS("'execCPUAffinity': {'final': ' ,'}"), "process.execCPUAffinity.final: "},
	{PROCESS("'execCPUAffinity': {'final': '4096'}"), "process.execCPUAffinity.final: "},
	{PROCESS("'commandLine': 'x'"), "process.commandLine: is not implemented"},

	{"{'mounts': [{'destination': '/x'}]}", "mounts[0]: type"},
	{"{'mounts': [{'destination': '/x', 'type': 'bind'}]}", "mounts[0]: "},
	{"{'mounts': [{'destination': '/x', 'type': 'tmpfs', 'options': [1]}]}",
	 "mounts[0].options"},
	{"{'mounts': [{'destination': '/x', 'type': 'tmpfs', 'options': ['idmap']}]}",
	 "mounts[0]: "},
	{"{'mounts': [{'destination': '/x', 'type': 'proc', 'options': ['tmpcopyup']}]}",
	 "mounts[0]: "},
	{"{'mounts': [{'destination': '/x', 'type': 'bind', 'source': '/y', 'uidMappings': [{'containerID': 0,"
	 "'hostID': 1, 'size': 1}]}]}",
	 "mounts[0]: uidMappings and gidMappings must be"},
	{"{'mounts': [{'destination': '/x', 'type': 'bind', 'source': '/y', 'options': ['idmap']}]}",
	 "mounts: /x is to be id-mapped"},
	{"{'mounts': [{'destination': '/x', 'type': 'bind', 'source': '/y', 'options': ['idmap=uids=0-1-1']}]}",
	 "mounts[0]: uidMappings and gidMappings must be"},
	{"{'mounts': [{'destination': '/x', 'type': 'tmpfs', " MAPS "}]}",
	 "mounts[0]: only a bind mount"},
	{"{'mounts': [{'destination': '/x', 'options': ['remount', 'idmap'], " MAPS "}]}",
	 "mounts[0]: what is mounted already"},

	{LINUX("'namespaces': [{'type': 'user'}]," MAPS),
	 "linux.namespaces: in a user namespace of its own"},
	{LINUX("'namespaces': [{'type': 'mount'}, {'type': 'mount'}]"), "linux.namespaces[1]: "},
	{LINUX("'namespaces': [{'type': 'mount'}, {'type': 'nope'}]"), "linux.namespaces[1]: "},
	{LINUX("'namespaces': [{'type': 'mount'}, {'path': '/x'}]"), "linux.namespaces[1]: "},
	{LINUX("'namespaces': [{'type': 'mount'}, {'type': 'pid', 'path': 'x'}]"),
	 "linux.namespaces[1]: "},
	{"{'hostname': 'x', 'linux': {'namespaces': [{'type': 'mount'}, {'type': 'uts', 'path': '/proc/self/ns/uts'}]}}",
	 "hostname"},
	{LINUX("'namespaces': [{'type': 'mount'}, {'type': 'user', 'path': '/proc/self/ns/user'}]," MAPS),
	 "linux.uidMappings: "},
	{LINUX(MAPS), "linux.uidMappings: "},
	{LINUX(USERNS ", 'uidMappings': [{'containerID': 1, 'hostID': 1, 'size': 5}]"),
	 "linux.uidMappings"},
	{LINUX(USERNS ", 'gidMappings': [{'containerID': 0, 'hostID': 1, 'size': 4294967296}]"),
	 "linux.gidMappings[0].size: "},
	{"{'process': {'user': {'uid': 10}}, 'linux': {" USERNS "}}", "process.user.uid: "},
	{"{'process': {'user': {'gid': 10}}, 'linux': {" USERNS "}}", "process.user.gid: "},
	{"{'process': {'user': {'additionalGids': [10]}}, 'linux': {" USERNS "}}",
	 "process.user.additionalGids: "},
	{LINUX("'timeOffsets': {'boottime': {'secs': 1}}"), "linux.timeOffsets: "},
	{LINUX("'devices': [{'path': 'x', 'type': 'c', 'major': 1, 'minor': 1}]"),
	 "linux.devices[0]: "},
	{LINUX("'devices': [{'path': '/x', 'type': 'x'}]"), "linux.devices[0]: "},
	{LINUX("'devices': [{'path': '/x', 'type': 'c', 'major': 4096, 'minor': 0}]"),
	 "linux.devices[0]: "},
	{LINUX("'cgroupsPath': '/a/../b'"), "linux.cgroupsPath: "},
	{LINUX("'sysctl': {'kernel.panic': '1'}"), "linux.sysctl"},
	{LINUX("'rootfsPropagation': 'x'"), "linux.rootfsPropagation: "},
	{LINUX("'maskedPaths': ['x']"), "linux.maskedPaths: "},
	{LINUX("'seccomp': {'defaultAction': 'SCMP_ACT_NOTIFY'}"), "linux.seccomp.defaultAction: "},
	{LINUX("'seccomp': {'defaultAction': 'SCMP_ACT_ALLOW', 'listenerPath': 'x'}"),
	 "linux.seccomp.listenerPath: 'x' is not absolute"},
	{LINUX("'seccomp': {'defaultAction': 'SCMP_ACT_ALLOW', 'listenerMetadata': 'x'}"),
	 "linux.seccomp.listenerMetadata: "},
	{LINUX("'seccomp': {'syscalls': [{}, {'action': 'SCMP_ACT_NOTIFY'}]}"),
	 "linux.seccomp.listenerPath: is missing"},
	{LINUX("'seccomp': {'listenerPath': '/x', 'syscalls': [{}, {'names': ['x', 'sendmsg'], 'action': 'SCMP_ACT_NOTIFY'}]}"),
	 "linux.seccomp.syscalls[1]: "},
	{LINUX("'personality': {'domain': 'X'}"), "linux.personality: "},
	{LINUX("'personality': {'domain': 'LINUX', 'flags': ['x']}"), "linux.personality.flags: "},
	{LINUX("'intelRdt': {'closID': 'x/y'}"), "linux.intelRdt.closID: 'x/y' is not the name"},
	{LINUX("'intelRdt': {'closID': '..'}"), "linux.intelRdt.closID: '..' is not the name"},
	{LINUX("'intelRdt': {'memBwSchema': 'L3:0=1'}"),
	 "linux.intelRdt.memBwSchema: must be one line"},
	{LINUX("'intelRdt': {'memBwSchema': 'MB:0=20\\nL3:0=1'}"),
	 "linux.intelRdt.memBwSchema: must be one line"},
	{LINUX("'intelRdt': {'schemata': ['L3:0=1', 'L2:0=1\\n']}"),
	 "linux.intelRdt.schemata: each member"},
	{LINUX("'netDevices': {'eth0': {'name': 'x/y'}}"),
	 "linux.netDevices: invalid network device name 'x/y'"},
	{LINUX("'netDevices': {'eth0': {'name': 'x%s'}}"),
	 "linux.netDevices: invalid network device name 'x%s'"},
	{LINUX("'netDevices': {'e%d': {}}"), "linux.netDevices: invalid network device name 'e%d'"},
	{LINUX("'netDevices': {'abcdefghijklmnop': {}}"),
	 "linux.netDevices: invalid network device name"},
	{LINUX("'namespaces': [{'type': 'mount'}], 'netDevices': {'eth0': {}}"),
	 "linux.netDevices: unable to move"},
	{LINUX("'memoryPolicy': {'mode': 'x'}"),
	 "linux.memoryPolicy.mode: requested linux NUMA mempolicy mode 'x' is unknown"},
	{LINUX("'memoryPolicy': {'mode': 'MPOL_BIND', 'nodes': 'bad'}"),
	 "linux.memoryPolicy.nodes: "},
	{LINUX("'memoryPolicy': {'mode': 'MPOL_BIND', 'nodes': '10284838'}"),
	 "linux.memoryPolicy.nodes: "},
	{LINUX("'memoryPolicy': {'mode': 'MPOL_BIND', 'nodes': '0', 'flags': ['x']}"),
	 "linux.memoryPolicy.flags[0]: requested linux NUMA mempolicy flag 'x' is unknown"},

	{LIMITS("'memory': {'limit': -2}"), "linux.resources.memory: "},
	{LIMITS("'memory': {'swap': 5}"), "linux.resources.memory: swap"},
	{LIMITS("'memory': {'limit': 10, 'swap': 5}"), "linux.resources.memory: swap"},
	{LIMITS("'memory': {'swappiness': 101}"), "linux.resources.memory: swappiness"},
	{LIMITS("'cpu': {'quota': -2}"), "linux.resources.cpu: "},
	{LIMITS("'cpu': {'quota': 1000, 'period': 5}"), "linux.resources.cpu"},
	{LIMITS("'cpu': {'shares': -1}"), "linux.resources.cpu: shares"},
	{LIMITS("'cpu': {'cpus': 'a'}"), "linux.resources.cpu: "},
	{LIMITS("'cpu': {'idle': 2}"), "linux.resources.cpu: idle"},
	{LIMITS("'cpu': {'burst': -1}"), "linux.resources.cpu: burst"},
	{LIMITS("'pids': {'limit': 4194305}"), "linux.resources.pids"},
	{LIMITS("'blockIO': {'weight': 5}"), "linux.resources.blockIO.weight: "},
	{LIMITS("'blockIO': {'leafWeight': 5}"), "linux.resources.blockIO.leafWeight: 5 is not"},
	{LIMITS("'blockIO': {'weightDevice': [{'major': 8, 'minor': 0, 'weight': 5}]}"),
	 "linux.resources.blockIO.weightDevice[0].weight: 5 is not"},
	{LIMITS("'blockIO': {'weightDevice': [{'major': 8, 'minor': 0}]}"),
	 "linux.resources.blockIO.weightDevice[0]: needs"},
	{LIMITS("'hugepageLimits': [{'pageSize': '2 MB', 'limit': 1}]"),
	 "linux.resources.hugepageLimits[0]: "},
	{LIMITS("'hugepageLimits': [{'pageSize': '../2MB', 'limit': 1}]"),
	 "linux.resources.hugepageLimits[0]: "},
	{LIMITS("'hugepageLimits': [{'pageSize': '2', 'limit': 1}]"),
	 "linux.resources.hugepageLimits[0]: "},
	{LIMITS("'network': {'priorities': [{'name': 'eth0'}]}"),
	 "linux.resources.network.priorities[0]: needs"},
	{LIMITS("'network': {'priorities': [{'name': 'eth0\\n', 'priority': 1}]}"),
	 "linux.resources.network.priorities[0]: needs"},
	{LIMITS("'rdma': {'mlx': {}}"), "linux.resources.rdma: 'mlx' needs"},
	{LIMITS("'rdma': {'m x': {'hcaHandles': 1}}"), "linux.resources.rdma: 'm x' is not the"},
	{LIMITS("'devices': [{'allow': true, 'type': 'x'}]"), "linux.resources.devices[0]: "},
	{LIMITS("'devices': [{'allow': true, 'access': 'x'}]"), "linux.resources.devices[0]: "},
	{LIMITS("'unified': {'cgroup.kill': '1'}"), "linux.resources.unified: "},
	{LIMITS("'unified': {'../memory.max': '1'}"), "linux.resources.unified: "},
};

static void each_bad_member_is_named(void **state)
{
	int failed = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bads); i++) {
		struct ct_spec s;
		struct err e = {0};

		if (load(bads[i].patch, &s, &e) >= 0) {
			print_error("accepted: %s\n", bads[i].patch);
			ct_spec_done(&s);
			failed++;
		} else if (!strstr(e.text, bads[i].names) || e.class != ERR_CONFIG) {
			print_error("%s\n  wants '%s', says '%s' (class %s)\n", bads[i].patch,
				    bads[i].names, e.text, err_class_to_str(e.class));
			failed++;
		}
	}
	assert_int_equal(failed, 0);
}

static void put(const struct place *p, const char *text)
{
	auto_fd int dir = open(p->state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	ok(file_replace_volatile_at(dir, "config.json", text, strlen(text), 0600, &e));
}

static void a_bundle(void **state)
{
	const struct place *p = *state;
	auto_spec struct ct_spec s = {0};
	struct err why = {0};

	assert_true(ct_spec_load(p->state, &s, &why) < 0);
	assert_int_equal(why.class, ERR_CONFIG);
	assert_true(why.hint[0]);
	put(p, spec_base);
	ok(ct_spec_load(p->state, &s, &e));
	assert_int_equal(strncmp(s.root_path, p->state, strlen(p->state)), 0);
	ct_spec_done(&s);
	put(p, "[]");
	refused(ct_spec_load(p->state, &s, &e), ERR_CONFIG);
	put(p, "{\"ociVersion\": \"1.0.0\", \"ociVersion\": \"1.0.0\"}");
	refused(ct_spec_load(p->state, &s, &e), ERR_CONFIG);
	refused(ct_spec_load("/nonexistent", &s, &e), ERR_CONFIG);
}

/* RLIM_INFINITY is over INT64_MAX, and others write it as it is. */
static void numbers_of_64_bits(void **state)
{
	const struct place *p = *state;
	auto_spec struct ct_spec s = {0};
	char text[1024];
	const char *open_brace = strstr(spec_base, "\"args\"");

	snprintf(
		text, sizeof(text),
		"%.*s\"rlimits\": [{\"type\": \"RLIMIT_CORE\", \"soft\": 0, \"hard\": 18446744073709551615}], %s",
		(int)(open_brace - spec_base), spec_base, open_brace);
	put(p, text);
	ok(ct_spec_load(p->state, &s, &e));
	assert_true(s.process.rlimits[0].hard == UINT64_MAX);
}

static void a_process_alone(void **state)
{
	auto_json json_t *good =
		json_loads("{\"args\": [\"x\"], \"cwd\": \"/\", \"user\": {\"uid\": 5}}", 0, NULL);
	auto_json json_t *bad =
		json_loads("{\"args\": [\"x\"], \"cwd\": \"/\", \"env\": 1}", 0, NULL);
	struct ct_process p;

	(void)state;
	ok(ct_process_from_json(good, &p, &e));
	assert_int_equal(p.uid, 5);
	ct_process_done(&p);
	refused(ct_process_from_json(bad, &p, &e), ERR_CONFIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_least),
		cmocka_unit_test(a_process),
		cmocka_unit_test(namespaces_and_maps),
		cmocka_unit_test(mounts),
		cmocka_unit_test(paths_devices_and_settings),
		cmocka_unit_test(annotations),
		cmocka_unit_test(unknown_members_are_ignored),
		cmocka_unit_test(each_bad_member_is_named),
		cmocka_unit_test_setup_teardown(a_bundle, place_setup, place_teardown),
		cmocka_unit_test_setup_teardown(numbers_of_64_bits, place_setup, place_teardown),
		cmocka_unit_test(a_process_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
