// SPDX-License-Identifier: GPL-2.0-only
/* skep spec, features: a first config.json, and what of the runtime-spec there is. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/own.h"
#include "ctl/oci.h"
#include "ctl/report.h"
#include "ctl/skepctl.h"
#include "ns/caps.h"

/* clang-format off */
static const char config[] =
	"{\n"
	"  \"ociVersion\": \"1.2.0\",\n"
	"  \"process\": {\n"
	"    \"terminal\": true,\n"
	"    \"user\": {\"uid\": 0, \"gid\": 0},\n"
	"    \"args\": [\"sh\"],\n"
	"    \"env\": [\n"
	"      \"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\",\n"
	"      \"TERM=xterm\"\n"
	"    ],\n"
	"    \"cwd\": \"/\",\n"
	"    \"capabilities\": {\n"
	"      \"bounding\": [\"CAP_AUDIT_WRITE\", \"CAP_KILL\", \"CAP_NET_BIND_SERVICE\"],\n"
	"      \"effective\": [\"CAP_AUDIT_WRITE\", \"CAP_KILL\", \"CAP_NET_BIND_SERVICE\"],\n"
	"      \"permitted\": [\"CAP_AUDIT_WRITE\", \"CAP_KILL\", \"CAP_NET_BIND_SERVICE\"]\n"
	"    },\n"
	"    \"rlimits\": [{\"type\": \"RLIMIT_NOFILE\", \"hard\": 1024, \"soft\": 1024}],\n"
	"    \"noNewPrivileges\": true\n"
	"  },\n"
	"  \"root\": {\n"
	"    \"path\": \"rootfs\",\n"
	"    \"readonly\": true\n"
	"  },\n"
	"  \"hostname\": \"skep\",\n"
	"  \"mounts\": [\n"
	"    {\"destination\": \"/proc\", \"type\": \"proc\", \"source\": \"proc\"},\n"
	"    {\n"
	"      \"destination\": \"/dev\",\n"
	"      \"type\": \"tmpfs\",\n"
	"      \"source\": \"tmpfs\",\n"
	"      \"options\": [\"nosuid\", \"strictatime\", \"mode=755\", \"size=65536k\"]\n"
	"    },\n"
	"    {\n"
	"      \"destination\": \"/dev/pts\",\n"
	"      \"type\": \"devpts\",\n"
	"      \"source\": \"devpts\",\n"
	"      \"options\": [\n"
	"        \"nosuid\", \"noexec\", \"newinstance\", \"ptmxmode=0666\", \"mode=0620\", \"gid=5\"\n"
	"      ]\n"
	"    },\n"
	"    {\n"
	"      \"destination\": \"/dev/shm\",\n"
	"      \"type\": \"tmpfs\",\n"
	"      \"source\": \"shm\",\n"
	"      \"options\": [\"nosuid\", \"noexec\", \"nodev\", \"mode=1777\", \"size=65536k\"]\n"
	"    },\n"
	"    {\n"
	"      \"destination\": \"/dev/mqueue\",\n"
	"      \"type\": \"mqueue\",\n"
	"      \"source\": \"mqueue\",\n"
	"      \"options\": [\"nosuid\", \"noexec\", \"nodev\"]\n"
	"    },\n"
	"    {\n"
	"      \"destination\": \"/sys\",\n"
	"      \"type\": \"sysfs\",\n"
	"      \"source\": \"sysfs\",\n"
	"      \"options\": [\"nosuid\", \"noexec\", \"nodev\", \"ro\"]\n"
	"    },\n"
	"    {\n"
	"      \"destination\": \"/sys/fs/cgroup\",\n"
	"      \"type\": \"cgroup\",\n"
	"      \"source\": \"cgroup\",\n"
	"      \"options\": [\"nosuid\", \"noexec\", \"nodev\", \"relatime\", \"ro\"]\n"
	"    }\n"
	"  ],\n"
	"  \"linux\": {\n"
	"    \"resources\": {\"devices\": [{\"allow\": false, \"access\": \"rwm\"}]},\n"
	"    \"namespaces\": [\n"
	"      {\"type\": \"pid\"},\n"
	"      {\"type\": \"network\"},\n"
	"      {\"type\": \"ipc\"},\n"
	"      {\"type\": \"uts\"},\n"
	"      {\"type\": \"mount\"},\n"
	"      {\"type\": \"cgroup\"}\n"
	"    ],\n"
	"    \"maskedPaths\": [\n"
	"      \"/proc/acpi\", \"/proc/asound\", \"/proc/kcore\", \"/proc/keys\",\n"
	"      \"/proc/latency_stats\", \"/proc/timer_list\", \"/proc/timer_stats\",\n"
	"      \"/proc/sched_debug\", \"/sys/firmware\", \"/proc/scsi\"\n"
	"    ],\n"
	"    \"readonlyPaths\": [\n"
	"      \"/proc/bus\", \"/proc/fs\", \"/proc/irq\", \"/proc/sys\", \"/proc/sysrq-trigger\"\n"
	"    ]\n"
	"  }\n"
	"}\n";
/* clang-format on */

static int no_memory(struct err *e)
{
	return err_set(e, ENOMEM, "out of memory for JSON");
}

/* What a user namespace without those ids does not take. */
static void drop_ids(json_t *mount)
{
	json_t *options = json_object_get(mount, "options");

	for (size_t i = json_array_size(options); i-- > 0;) {
		const char *word = json_string_value(json_array_get(options, i));

		if (!strncmp(word, "gid=", 4) || !strncmp(word, "uid=", 4))
			json_array_remove(options, i);
	}
}

/* A sysfs of its own goes with a network namespace of its own. */
static void bind_sys(json_t *mounts)
{
	for (size_t i = json_array_size(mounts); i-- > 0;) {
		json_t *mount = json_array_get(mounts, i);

		drop_ids(mount);
		if (!strncmp(json_string_value(json_object_get(mount, "destination")), "/sys", 4))
			json_array_remove(mounts, i);
	}
	json_array_append_new(mounts, json_pack("{s:s, s:s, s:s, s:[s, s, s, s, s]}", "destination",
						"/sys", "type", "none", "source", "/sys", "options",
						"rbind", "nosuid", "noexec", "nodev", "ro"));
}

/* For a user who is not root, as runc's: a map of the user's own id, the host's network, no limits. */
static char *for_user(void)
{
	auto_json json_t *j = json_loads(config, 0, NULL);
	json_t *linux_part = json_object_get(j, "linux");
	json_t *kinds = json_object_get(linux_part, "namespaces");

	if (!j)
		return NULL;
	for (size_t i = json_array_size(kinds); i-- > 0;)
		if (!strcmp(json_string_value(json_object_get(json_array_get(kinds, i), "type")),
			    "network"))
			json_array_remove(kinds, i);
	json_array_append_new(kinds, json_pack("{s:s}", "type", "user"));
	json_object_set_new(linux_part, "uidMappings",
			    json_pack("[{s:i, s:I, s:i}]", "containerID", 0, "hostID",
				      (json_int_t)geteuid(), "size", 1));
	json_object_set_new(linux_part, "gidMappings",
			    json_pack("[{s:i, s:I, s:i}]", "containerID", 0, "hostID",
				      (json_int_t)getegid(), "size", 1));
	json_object_del(linux_part, "resources");
	bind_sys(json_object_get(j, "mounts"));
	return json_dumps(j, JSON_INDENT(2));
}

static int run_spec(struct ctl_line *line, struct err *e)
{
	auto_free char *users = NULL;
	const char *bundle = ctl_value(line, "bundle"), *text = config;
	const char *rootless = ctl_value(line, "rootless");
	auto_fd int dir = open(bundle ? bundle : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_fd int fd = -EBADF;

	if (dir < 0)
		return err_sys(e, "open %s", bundle ? bundle : ".");
	/* A value is the global option's. */
	if (rootless && !*rootless) {
		text = users = for_user();
		if (!users)
			return no_memory(e);
	}
	fd = openat(dir, "config.json", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd < 0) {
		err_sys(e, "make config.json");
		return e->no == EEXIST ? err_hint(e, "remove it first") : -e->no;
	}
	return file_write_all(fd, text, strlen(text), e);
}

static const char *const namespaces[] = {
#define X(name, word, flag, file) word,
	CT_NAMESPACES(X)
#undef X
		NULL};

static const char *const mount_options[] = {
	"async",       "atime",		 "bind",       "defaults",     "dev",
	"diratime",    "dirsync",	 "exec",       "idmap",	       "iversion",
	"lazytime",    "loud",		 "noatime",    "nodev",	       "nodiratime",
	"noexec",      "noiversion",	 "nolazytime", "norelatime",   "nostrictatime",
	"nosuid",      "nosymfollow",	 "private",    "ratime",       "rbind",
	"rdev",	       "rdiratime",	 "relatime",   "remount",      "rexec",
	"ridmap",      "rnoatime",	 "rnodev",     "rnodiratime",  "rnoexec",
	"rnorelatime", "rnostrictatime", "rnosuid",    "rnosymfollow", "ro",
	"rprivate",    "rrelatime",	 "rro",	       "rrw",	       "rshared",
	"rslave",      "rstrictatime",	 "rsuid",      "rsymfollow",   "runbindable",
	"rw",	       "shared",	 "silent",     "slave",	       "strictatime",
	"suid",	       "symfollow",	 "sync",       "tmpcopyup",    "unbindable",
	NULL};

static const char *const seccomp_actions[] = {"SCMP_ACT_ALLOW",	      "SCMP_ACT_ERRNO",
					      "SCMP_ACT_KILL",	      "SCMP_ACT_KILL_PROCESS",
					      "SCMP_ACT_KILL_THREAD", "SCMP_ACT_LOG",
					      "SCMP_ACT_NOTIFY",      "SCMP_ACT_TRACE",
					      "SCMP_ACT_TRAP",	      NULL};

/* Those of our byte order: libseccomp makes no filter for both. */
static const char *const seccomp_archs[] = {
	"SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM", "SCMP_ARCH_PPC64LE", "SCMP_ARCH_RISCV64",

	"SCMP_ARCH_X32",     "SCMP_ARCH_X86", "SCMP_ARCH_X86_64",  NULL};

static const char *const seccomp_flags[] = {
	"SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_TSYNC",
	"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", NULL};

static const char *const hooks[] = {
#define X(name, word) word,
	CT_HOOKS(X)
#undef X
		NULL};

static const char *const seccomp_operators[] = {"SCMP_CMP_EQ", "SCMP_CMP_GE", "SCMP_CMP_GT",
						"SCMP_CMP_LE", "SCMP_CMP_LT", "SCMP_CMP_MASKED_EQ",
						"SCMP_CMP_NE", NULL};

static const char *const memory_modes[] = {
	"MPOL_BIND",	  "MPOL_DEFAULT",	 "MPOL_INTERLEAVE",	     "MPOL_LOCAL",
	"MPOL_PREFERRED", "MPOL_PREFERRED_MANY", "MPOL_WEIGHTED_INTERLEAVE", NULL};
static const char *const memory_flags[] = {"MPOL_F_NUMA_BALANCING", "MPOL_F_RELATIVE_NODES",
					   "MPOL_F_STATIC_NODES", NULL};

/* What in an image's labels could change what a container may do, if somebody made annotations of them. */
static const char *const unsafe_annotations[] = {"org.criu.config", "run.oci.", "skep.", NULL};

static json_t *strings(const char *const list[])
{
	json_t *j = json_array();

	for (; *list; list++)
		json_array_append_new(j, json_string(*list));
	return j;
}

static json_t *capabilities(void)
{
	json_t *j = json_array();
	char name[32];

	for (int cap = 0; cap < 64 && ns_caps_all() >> cap & 1; cap++)
		json_array_append_new(j, json_string(ns_caps_to_str(cap, name, sizeof(name))));
	return j;
}

/* runtime-spec, features-linux.md. */
static json_t *linux_features(void)
{
	json_t *seccomp = json_pack(
		"{s:b, s:o, s:o, s:o, s:o, s:o}", "enabled", 1, "actions", strings(seccomp_actions),
		"operators", strings(seccomp_operators), "archs", strings(seccomp_archs),
		"knownFlags", strings(seccomp_flags), "supportedFlags", strings(seccomp_flags));
	json_t *cgroup = json_pack("{s:b, s:b, s:b, s:b, s:b}", "v1", 1, "v2", 1, "systemd", 1,
				   "systemdUser", 1, "rdma", 1);
	json_t *memory = json_pack("{s:o, s:o}", "modes", strings(memory_modes), "flags",
				   strings(memory_flags));
	json_t *rdt = json_pack("{s:b, s:b, s:b}", "enabled", 1, "schemata", 1, "monitoring", 1);

	return json_pack("{s:o, s:o, s:o, s:o, s:{s:b}, s:{s:b}, s:o, s:o, s:{s:{s:b}}, s:{s:b}}",
			 "namespaces", strings(namespaces), "capabilities", capabilities(),
			 "cgroup", cgroup, "seccomp", seccomp, "apparmor", "enabled", 1, "selinux",
			 "enabled", 1, "memoryPolicy", memory, "intelRdt", rdt, "mountExtensions",
			 "idmap", "enabled", 1, "netDevices", "enabled", 1);
}

/* runtime-spec, features.md. */
static int run_features(struct ctl_line *line, struct err *e)
{
	auto_json json_t *j =
		json_pack("{s:s, s:s, s:o, s:o, s:o, s:{s:s, s:s}, s:o}", "ociVersionMin", "1.0.0",
			  "ociVersionMax", CTL_OCI_VERSION, "hooks", strings(hooks), "mountOptions",
			  strings(mount_options), "linux", linux_features(), "annotations",
			  "skep.version", SKEP_VERSION, "skep.checkpoint.enabled", "true",
			  "potentiallyUnsafeConfigAnnotations", strings(unsafe_annotations));
	auto_free char *text = j ? json_dumps(j, JSON_INDENT(2)) : NULL;

	(void)line;
	if (!text)
		return err_set(e, ENOMEM, "out of memory for JSON");
	puts(text);
	return ctl_flush(e);
}

static const struct ctl_option spec_options[] = {
	{.name = "bundle", .letter = 'b', .arg = "DIR", .help = "write it there, not here"},
	{.name = "rootless",
	 .help = "one for a user who is not root: a user namespace with the user's own id"},
	{0},
};
static const struct ctl_option *const spec_tables[] = {spec_options, NULL};

const struct ctl_command ctl_oci_spec = {
	.name = "spec",
	.words = "",
	.summary = "write a first config.json, to be changed by hand",
	.examples = {"skep spec --bundle /srv/web"},
	.tables = spec_tables,
	.run = run_spec,
};

const struct ctl_command ctl_oci_features = {
	.name = "features",
	.words = "",
	.summary = "print what of the runtime-spec there is, as JSON",
	.examples = {"skep features | jq .linux.namespaces"},
	.run = run_features,
};
