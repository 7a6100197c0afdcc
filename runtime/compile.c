// SPDX-License-Identifier: GPL-2.0-only
/* Definition to OCI config.json: the identity and namespaces of a system container. */
#include "runtime/compile.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"

static const char *const namespaces[] = {"user", "pid", "mount",  "network",
					 "ipc",	 "uts", "cgroup", "time"};

static const char *const caps[] = {"CAP_CHOWN",
				   "CAP_DAC_OVERRIDE",
				   "CAP_DAC_READ_SEARCH",
				   "CAP_FOWNER",
				   "CAP_FSETID",
				   "CAP_KILL",
				   "CAP_SETGID",
				   "CAP_SETUID",
				   "CAP_SETPCAP",
				   "CAP_LINUX_IMMUTABLE",
				   "CAP_NET_BIND_SERVICE",
				   "CAP_NET_BROADCAST",
				   "CAP_NET_ADMIN",
				   "CAP_NET_RAW",
				   "CAP_IPC_LOCK",
				   "CAP_IPC_OWNER",
				   "CAP_SYS_CHROOT",
				   "CAP_SYS_PTRACE",
				   "CAP_SYS_PACCT",
				   "CAP_SYS_ADMIN",
				   "CAP_SYS_BOOT",
				   "CAP_SYS_NICE",
				   "CAP_SYS_RESOURCE",
				   "CAP_SYS_TTY_CONFIG",
				   "CAP_MKNOD",
				   "CAP_LEASE",
				   "CAP_AUDIT_WRITE",
				   "CAP_SETFCAP"};

static const char *const masked[] = {"/proc/acpi",
				     "/proc/asound",
				     "/proc/kcore",
				     "/proc/keys",
				     "/proc/latency_stats",
				     "/proc/timer_list",
				     "/proc/sched_debug",
				     "/proc/scsi",
				     "/proc/kallsyms",
				     "/proc/kpagecount",
				     "/proc/kpageflags",
				     "/proc/kpagecgroup",
				     "/proc/vmallocinfo",
				     "/proc/slabinfo",
				     "/proc/interrupts",
				     "/sys/firmware",
				     "/sys/devices/virtual/powercap",
				     "/sys/kernel/debug",
				     "/sys/kernel/tracing",
				     "/sys/kernel/security",
				     "/sys/kernel/livepatch",
				     "/sys/kernel/vmcoreinfo",
				     "/sys/module"};

static const char *const readonly[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sysrq-trigger"};

/* FNV-1a: two state directories on one machine must not share cgroups; nobody attacks this name. */
void ct_compile_cgroup(const char *name, const char *state, char *out, size_t size)
{
	uint32_t h = 2166136261U;

	if (!state || strcmp(state, "/run/skep") == 0) {
		snprintf(out, size, "skep/%s", name);
		return;
	}
	for (const char *p = state; *p; p++)
		h = (h ^ (unsigned char)*p) * 16777619U;
	snprintf(out, size, "skep/%08x-%s", h, name);
}

static json_t *strings(const char *const *list, size_t n)
{
	json_t *a = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(a, json_string(list[i]));
	return a;
}

static json_t *mounts(void)
{
	return json_pack(
		"[{ssssss} {ssssss s[ssss]} {ssssss s[sss]} {ssssss s[sssss]} {ssssss s[ssss]} {ssssss s[sss]}"
		" {ssssss s[sss]} {ssssss s[sss]}]",
		"destination", "/proc", "type", "proc", "source", "proc", "destination", "/sys",
		"type", "sysfs", "source", "sysfs", "options", "ro", "nosuid", "noexec", "nodev",
		"destination", "/sys/fs/cgroup", "type", "cgroup2", "source", "cgroup2", "options",
		"nosuid", "noexec", "nodev", "destination", "/dev/pts", "type", "devpts", "source",
		"devpts", "options", "nosuid", "noexec", "newinstance", "ptmxmode=0666",
		"mode=0620", "destination", "/dev/shm", "type", "tmpfs", "source", "shm", "options",
		"nosuid", "noexec", "nodev", "mode=1777", "destination", "/dev/mqueue", "type",
		"mqueue", "source", "mqueue", "options", "nosuid", "noexec", "nodev", "destination",
		"/run", "type", "tmpfs", "source", "tmpfs", "options", "nosuid", "nodev",
		"mode=0755", "destination", "/tmp", "type", "tmpfs", "source", "tmpfs", "options",
		"nosuid", "nodev", "mode=1777");
}

static bool dropped(const struct ct_definition *d, const char *cap)
{
	for (int i = 0; i < CT_WORDS_MAX && d->cap_drop[i][0]; i++)
		if (strcmp(d->cap_drop[i], cap) == 0)
			return true;
	return false;
}

/* No inheritable and no ambient ones: a program of the container gets its rights from its own user id alone. */
static json_t *capabilities(const struct ct_definition *d)
{
	json_t *set = json_array(), *all = json_object();

	for (size_t i = 0; i < sizeof(caps) / sizeof(caps[0]); i++)
		if (!dropped(d, caps[i]))
			json_array_append_new(set, json_string(caps[i]));
	for (int i = 0; i < CT_WORDS_MAX && d->cap_add[i][0]; i++)
		json_array_append_new(set, json_string(d->cap_add[i]));
	json_object_set(all, "bounding", set);
	json_object_set(all, "effective", set);
	json_object_set_new(all, "permitted", set);
	return all;
}

static json_t *process(const struct ct_definition *d, const struct ct_compile *how)
{
	json_t *args = json_array(), *env = json_array();

	for (int i = 0; i < CT_WORDS_MAX && d->init[i][0]; i++)
		json_array_append_new(args, json_string(d->init[i]));
	if (!json_array_size(args))
		json_array_append_new(args, json_string(how->init_path && how->init_path[0]
								? how->init_path
								: "/sbin/init"));
	json_array_append_new(
		env,
		json_string("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"));
	json_array_append_new(env, json_string("container=skep"));
	for (const char *const *v = how->init_env; v && *v; v++)
		json_array_append_new(env, json_string(*v));
	for (int i = 0; i < CT_WORDS_MAX && d->env[i][0]; i++)
		json_array_append_new(env, json_string(d->env[i]));
	return json_pack("{sb s{sisi} ss so so so}", "terminal", 1, "user", "uid", 0, "gid", 0,
			 "cwd", "/", "args", args, "env", env, "capabilities", capabilities(d));
}

/* Thousandths of a CPU become quota and period; swap becomes OCI's memory + swap. */
static json_t *resources(const struct cg_limits *l)
{
	json_t *cpu = json_object(), *memory = json_object(), *pids = json_object(),
	       *unified = json_object();
	uint64_t period = l->set[CG_LIMIT_CPU_PERIOD] ? l->value[CG_LIMIT_CPU_PERIOD] : 100000;
	static const struct {
		enum cg_limit which;
		const char *file;
	} v2[] = {{CG_LIMIT_CPU_WEIGHT, "cpu.weight"},	  {CG_LIMIT_MEM_HIGH, "memory.high"},
		  {CG_LIMIT_MEM_LOW, "memory.low"},	  {CG_LIMIT_MEM_MIN, "memory.min"},
		  {CG_LIMIT_SWAP_MAX, "memory.swap.max"}, {CG_LIMIT_IO_WEIGHT, "io.weight"}};

	if (l->set[CG_LIMIT_CPU_QUOTA] && l->value[CG_LIMIT_CPU_QUOTA] != CG_UNLIMITED) {
		json_object_set_new(cpu, "period", json_integer((json_int_t)period));
		json_object_set_new(
			cpu, "quota",
			json_integer((json_int_t)(l->value[CG_LIMIT_CPU_QUOTA] * period / 1000)));
	}
	if (l->cpus[0])
		json_object_set_new(cpu, "cpus", json_string(l->cpus));
	if (l->mems[0])
		json_object_set_new(cpu, "mems", json_string(l->mems));
	if (l->set[CG_LIMIT_MEM_MAX])
		json_object_set_new(memory, "limit",
				    json_integer((json_int_t)l->value[CG_LIMIT_MEM_MAX]));
	if (l->set[CG_LIMIT_PIDS_MAX])
		json_object_set_new(pids, "limit",
				    json_integer((json_int_t)l->value[CG_LIMIT_PIDS_MAX]));
	for (size_t i = 0; i < sizeof(v2) / sizeof(v2[0]); i++) {
		char text[24] = "max";

		if (!l->set[v2[i].which])
			continue;
		if (l->value[v2[i].which] != CG_UNLIMITED)
			snprintf(text, sizeof(text), "%llu",
				 (unsigned long long)l->value[v2[i].which]);
		json_object_set_new(unified, v2[i].file, json_string(text));
	}
	return json_pack("{so so so so}", "cpu", cpu, "memory", memory, "pids", pids, "unified",
			 unified);
}

static json_t *linux_part(const struct ct_definition *d, const struct ct_compile *how)
{
	char cgroup[128];
	json_t *spaces = json_array();

	for (size_t i = 0; i < sizeof(namespaces) / sizeof(namespaces[0]); i++)
		if (d->network != CT_NETWORK_HOST || strcmp(namespaces[i], "network") != 0)
			json_array_append_new(spaces, json_pack("{ss}", "type", namespaces[i]));
	ct_compile_cgroup(d->name, how->state, cgroup, sizeof(cgroup));
	return json_pack("{so s[{sisIsi}] s[{sisIsi}] ss so so so}", "namespaces", spaces,
			 "uidMappings", "containerID", 0, "hostID", (json_int_t)d->id_base, "size",
			 CT_ID_COUNT, "gidMappings", "containerID", 0, "hostID",
			 (json_int_t)d->id_base, "size", CT_ID_COUNT, "cgroupsPath", cgroup,
			 "resources", resources(&d->limits), "maskedPaths",
			 strings(masked, sizeof(masked) / sizeof(masked[0])), "readonlyPaths",
			 strings(readonly, sizeof(readonly) / sizeof(readonly[0])));
}

static void annotate(json_t *a, const char *key, const char *root, const char *name,
		     const char *leaf)
{
	json_object_set_new(a, key, json_sprintf("%s/ct/%s/%s", root, name, leaf));
}

static json_t *annotations(const struct ct_definition *d, const struct ct_compile *how)
{
	const char *stop = d->stop_signal[0] ? d->stop_signal : how->stop_signal;
	json_t *a = json_object();
	char *lower = NULL;

	for (const char *const *l = how->lower; *l; l++) {
		char *longer = NULL;

		if (asprintf(&longer, "%s%s%s", lower ? lower : "", lower ? ":" : "", *l) < 0)
			longer = NULL;
		free(lower);
		lower = longer;
	}
	json_object_set_new(a, "skep.rootfs.lower", json_string(lower ? lower : ""));
	free(lower);
	annotate(a, "skep.rootfs.upper", how->root, d->name, "upper");
	annotate(a, "skep.rootfs.work", how->root, d->name, "work");
	if (d->disk_bytes)
		annotate(a, "skep.disk", how->root, d->name, "disk.img");
	json_object_set_new(a, "skep.seccomp", json_string("default"));
	json_object_set_new(a, "skep.stop.signal", json_string(stop && stop[0] ? stop : "SIGTERM"));
	json_object_set_new(a, "skep.stop.timeout", json_sprintf("%d", d->stop_timeout_s));
	return a;
}

int ct_compile(const struct ct_definition *d, const struct ct_compile *how, json_t **out,
	       struct err *e)
{
	if (!how->lower || !how->lower[0] || d->id_base == 0) {
		err_set(e, EINVAL, "compile container %s: no %s", d->name,
			d->id_base ? "template layer" : "id range");
		return err_class(e, ERR_CONFIG);
	}
	*out = json_pack("{ss ss s{sssb} so so so so}", "ociVersion", "1.2.0", "hostname",
			 d->hostname[0] ? d->hostname : d->name, "root", "path", "rootfs",
			 "readonly", 0, "process", process(d, how), "mounts", mounts(), "linux",
			 linux_part(d, how), "annotations", annotations(d, how));
	return *out ? 0 : err_set(e, ENOMEM, "compile container %s: out of memory", d->name);
}
