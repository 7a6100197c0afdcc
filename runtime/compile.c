// SPDX-License-Identifier: GPL-2.0-only
/* Definition to OCI config.json: the identity, namespaces and limits of a system container. */
#include "runtime/compile.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/own.h"
#include "ns/caps.h"
#include "runtime/preset.h"
#include "runtime/state.h"

#define DEFAULT_PERIOD_US 100000 /* the kernel's, and OCI's for a quota without a period */

static const char *const namespaces[] = {"user", "pid", "mount",  "network",
					 "ipc",	 "uts", "cgroup", "time"};

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
				     "/sys/module",
				     NULL};

static const char *const readonly[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sysrq-trigger",
				       NULL};

static const struct {
	const char *where, *type, *source;
	const char *options[8];
} mounts[] = {
	{"/proc", "proc", "proc", {"nosuid", "noexec", "nodev"}},
	{"/sys", "sysfs", "sysfs", {"ro", "nosuid", "noexec", "nodev"}},
	{"/sys/fs/cgroup", "cgroup2", "cgroup2", {"nosuid", "noexec", "nodev"}},
	{"/dev/pts",
	 "devpts",
	 "devpts",
	 {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}},
	{"/dev/shm", "tmpfs", "shm", {"nosuid", "noexec", "nodev", "mode=1777"}},
	{"/dev/mqueue", "mqueue", "mqueue", {"nosuid", "noexec", "nodev"}},
	{"/run", "tmpfs", "tmpfs", {"nosuid", "nodev", "mode=0755"}},
	{"/tmp", "tmpfs", "tmpfs", {"nosuid", "nodev", "mode=1777"}},
};

/* FNV-1a: two state directories on one machine must not share cgroups; nobody attacks this name. */
void ct_compile_cgroup(const char *name, const char *state, char *out, size_t size)
{
	uint32_t h = 2166136261U;

	if (!state || strcmp(state, CT_STATE_DIR) == 0) {
		snprintf(out, size, CT_CGROUP_TOP "/%s", name);
		return;
	}
	for (const char *p = state; *p; p++)
		h = (h ^ (unsigned char)*p) * 16777619U;
	snprintf(out, size, CT_CGROUP_TOP "/%08x-%s", h, name);
}

/*
 * The two ways anything gets into the config. Both take v; a NULL from jansson (no memory, a string that is not UTF-8) is remembered in *bad,
 * which is asked once at the end: a bundle that lacks something must not be executed.
 */
static void push(json_t *array, json_t *v, bool *bad)
{
	*bad |= json_array_append_new(array, v) < 0;
}

static void set(json_t *object, const char *key, json_t *v, bool *bad)
{
	*bad |= json_object_set_new(object, key, v) < 0;
}

static json_t *strings(const char *const *list, bool *bad)
{
	json_t *a = json_array();

	for (; *list; list++)
		push(a, json_string(*list), bad);
	return a;
}

static json_t *mount_entry(const char *where, const char *type, const char *source,
			   const char *const *options, bool *bad)
{
	json_t *m = json_object();

	set(m, "destination", json_string(where), bad);
	set(m, "type", json_string(type), bad);
	set(m, "source", json_string(source), bad);
	set(m, "options", strings(options, bad), bad);
	return m;
}

/*
 * Only who owns the network namespace may mount its sysfs (sysfs_init_fs_context() in the kernel's fs/sysfs/mount.c), and the host's is not the
 * container's: there the host's own mount is shown, recursively, as mounts below one of another user namespace cannot be taken off, and nothing of it
 * can be written.
 */
static json_t *mount_list(enum ct_network network, bool *bad)
{
	static const char *const bind[] = {"rbind", "rro", "nosuid", "noexec", "nodev", NULL};
	json_t *a = json_array();

	for (size_t i = 0; i < ARRAY_SIZE(mounts); i++)
		if (network == CT_NETWORK_HOST && !strcmp(mounts[i].type, "sysfs"))
			push(a, mount_entry(mounts[i].where, "bind", "/sys", bind, bad), bad);
		else
			push(a,
			     mount_entry(mounts[i].where, mounts[i].type, mounts[i].source,
					 mounts[i].options, bad),
			     bad);
	return a;
}

/* 0 for a name that is none: ct_definition_check has refused it, or the capability is newer than this kernel. */
static uint64_t bits(const char list[][32])
{
	uint64_t set = 0;

	for (int i = 0; i < CT_WORDS_MAX && list[i][0]; i++) {
		struct err why = {0};
		int cap;

		if (ns_caps_from_str(list[i], &cap, &why) == 0)
			set |= UINT64_C(1) << cap;
	}
	return set;
}

/* Dropping wins over adding. */
uint64_t ct_compile_capabilities(const struct ct_definition *d)
{
	struct ns_caps caps;

	ns_caps_system(&caps);
	return (caps.bounding | bits(d->cap_add)) & ~bits(d->cap_drop);
}

/*
 * No inheritable and no ambient ones: a program of the container gets its rights from its own user id alone. A set has each one once, whatever was added twice.
 */
static json_t *capabilities(const struct ct_definition *d, bool *bad)
{
	json_t *all = json_object(), *list = json_array();
	uint64_t bounding = ct_compile_capabilities(d);
	char name[32];

	for (int cap = 0; cap < 64; cap++)
		if (bounding & (UINT64_C(1) << cap))
			push(list, json_string(ns_caps_to_str(cap, name, sizeof(name))), bad);
	set(all, "bounding", json_incref(list), bad);
	set(all, "effective", json_incref(list), bad);
	set(all, "permitted", list, bad);
	return all;
}

/* A later setting of the same variable replaces an earlier one: execve(2) takes both, and programs then differ in which they see. */
static void push_env(json_t *env, const char *word, bool *bad)
{
	size_t name = strcspn(word, "=") + 1, i;
	json_t *old;

	json_array_foreach (env, i, old)
		if (!strncmp(json_string_value(old), word, name)) {
			*bad |= json_array_set_new(env, i, json_string(word)) < 0;
			return;
		}
	push(env, json_string(word), bad);
}

static json_t *process(const struct ct_definition *d, const struct ct_compile *how, bool *bad)
{
	json_t *p = json_object(), *args = json_array(), *env = json_array();
	const struct ct_preset *preset = ct_preset_find(d->preset);
	const char *init = how->init_path && how->init_path[0] ? how->init_path : "/sbin/init";

	for (int i = 0; i < CT_WORDS_MAX && d->init[i][0]; i++)
		push(args, json_string(d->init[i]), bad);
	if (!d->init[0][0])
		push(args, json_string(init), bad);
	push_env(env, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", bad);
	push_env(env, "container=skep", bad);
	push_env(env, "TERM=linux", bad);
	for (const char *const *v = how->init_env; v && *v; v++)
		push_env(env, *v, bad);
	for (const char *const *v = preset ? preset->env : NULL; v && *v; v++)
		push_env(env, *v, bad);
	for (int i = 0; i < CT_WORDS_MAX && d->env[i][0]; i++)
		push_env(env, d->env[i], bad);
	set(p, "terminal", json_true(), bad);
	set(p, "user", json_pack("{sisi}", "uid", 0, "gid", 0), bad);
	set(p, "cwd", json_string("/"), bad);
	set(p, "args", args, bad);
	set(p, "env", env, bad);
	set(p, "capabilities", capabilities(d, bad), bad);
	return p;
}

/* OCI writes "no limit" as -1. */
static json_t *amount(uint64_t v)
{
	return json_integer(v == CG_UNLIMITED ? -1 : (json_int_t)v);
}

/* The period only when it was asked for: cgroups/limits.c stretches its own one for very small quotas. */
static json_t *cpu(const struct cg_limits *l, bool *bad)
{
	json_t *o = json_object();
	uint64_t quota = l->value[CG_LIMIT_CPU_QUOTA];
	uint64_t period = l->set[CG_LIMIT_CPU_PERIOD] ? l->value[CG_LIMIT_CPU_PERIOD]
						      : DEFAULT_PERIOD_US;

	if (l->set[CG_LIMIT_CPU_QUOTA])
		set(o, "quota", amount(quota == CG_UNLIMITED ? quota : quota * period / 1000), bad);
	if (l->set[CG_LIMIT_CPU_PERIOD])
		set(o, "period", amount(period), bad);
	if (l->cpus[0])
		set(o, "cpus", json_string(l->cpus), bad);
	if (l->mems[0])
		set(o, "mems", json_string(l->mems), bad);
	return o;
}

/* What OCI has no v2 words for goes by the name of the kernel's file. */
static json_t *unified(const struct cg_limits *l, bool *bad)
{
	static const struct {
		enum cg_limit which;
		const char *file;
	} v2[] = {{CG_LIMIT_CPU_WEIGHT, "cpu.weight"},	  {CG_LIMIT_MEM_HIGH, "memory.high"},
		  {CG_LIMIT_MEM_LOW, "memory.low"},	  {CG_LIMIT_MEM_MIN, "memory.min"},
		  {CG_LIMIT_SWAP_MAX, "memory.swap.max"}, {CG_LIMIT_IO_WEIGHT, "io.weight"}};
	json_t *o = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(v2); i++) {
		uint64_t v = l->value[v2[i].which];

		if (l->set[v2[i].which])
			set(o, v2[i].file,
			    v == CG_UNLIMITED ? json_string("max") : json_sprintf("%" PRIu64, v),
			    bad);
	}
	return o;
}

/* An unlimited rate is what a new control group has, and OCI has no word for it: it is left out. */
static json_t *throttle(const struct cg_limits *l, size_t offset, bool *bad)
{
	json_t *a = json_array();

	for (size_t i = 0; i < l->io_count; i++) {
		uint64_t v = *(const uint64_t *)((const char *)&l->io[i] + offset);
		json_t *device;

		if (!v || v == CG_UNLIMITED)
			continue;
		device = json_object();
		set(device, "major", json_integer(l->io[i].major), bad);
		set(device, "minor", json_integer(l->io[i].minor), bad);
		set(device, "rate", json_integer((json_int_t)v), bad);
		push(a, device, bad);
	}
	return a;
}

static json_t *block_io(const struct cg_limits *l, bool *bad)
{
	static const struct {
		const char *key;
		size_t offset;
	} rates[] = {{"throttleReadBpsDevice", offsetof(struct cg_io_limit, rbps)},
		     {"throttleWriteBpsDevice", offsetof(struct cg_io_limit, wbps)},
		     {"throttleReadIOPSDevice", offsetof(struct cg_io_limit, riops)},
		     {"throttleWriteIOPSDevice", offsetof(struct cg_io_limit, wiops)}};
	json_t *o = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(rates); i++) {
		json_t *a = throttle(l, rates[i].offset, bad);

		if (json_array_size(a))
			set(o, rates[i].key, a, bad);
		else
			json_decref(a);
	}
	return o;
}

static json_t *resources(const struct cg_limits *l, bool *bad)
{
	json_t *r = json_object(), *memory = json_object(), *pids = json_object();

	if (l->set[CG_LIMIT_MEM_MAX])
		set(memory, "limit", amount(l->value[CG_LIMIT_MEM_MAX]), bad);
	if (l->set[CG_LIMIT_PIDS_MAX])
		set(pids, "limit", amount(l->value[CG_LIMIT_PIDS_MAX]), bad);
	set(r, "cpu", cpu(l, bad), bad);
	set(r, "memory", memory, bad);
	/* OCI requires pids.limit where there is a pids. */
	if (json_object_size(pids))
		set(r, "pids", json_incref(pids), bad);
	json_decref(pids);
	if (l->io_count)
		set(r, "blockIO", block_io(l, bad), bad);
	set(r, "unified", unified(l, bad), bad);
	return r;
}

/* The same for users and groups. */
static json_t *id_map(const struct ct_definition *d)
{
	return json_pack("[{sisIsi}]", "containerID", 0, "hostID", (json_int_t)d->id_base, "size",
			 CT_ID_COUNT);
}

static json_t *linux_part(const struct ct_definition *d, const struct ct_compile *how, bool *bad)
{
	static const char *const nothing[] = {NULL};
	json_t *l = json_object(), *spaces = json_array();
	char cgroup[128];

	for (size_t i = 0; i < ARRAY_SIZE(namespaces); i++)
		if (d->network != CT_NETWORK_HOST || strcmp(namespaces[i], "network") != 0)
			push(spaces, json_pack("{ss}", "type", namespaces[i]), bad);
	ct_compile_cgroup(d->name, how->state, cgroup, sizeof(cgroup));
	set(l, "namespaces", spaces, bad);
	set(l, "uidMappings", id_map(d), bad);
	set(l, "gidMappings", id_map(d), bad);
	set(l, "cgroupsPath", json_string(cgroup), bad);
	set(l, "resources", resources(how->limits ?: &d->limits, bad), bad);
	/*
	 * A container inside may mount a proc of its own only while ours is fully visible (mount_too_revealing() in the kernel's fs/namespace.c). The masks
	 * are hygiene in a user namespace, not its wall.
	 */
	set(l, "maskedPaths", strings(d->nesting ? nothing : masked, bad), bad);
	set(l, "readonlyPaths", strings(d->nesting ? nothing : readonly, bad), bad);
	return l;
}

static json_t *layer_list(const char *const *lower)
{
	json_t *text = json_string(*lower);

	while (text && *++lower) {
		json_t *longer = json_sprintf("%s:%s", json_string_value(text), *lower);

		json_decref(text);
		text = longer;
	}
	return text;
}

static json_t *annotations(const struct ct_definition *d, const struct ct_compile *how, bool *bad)
{
	const char *stop = d->stop_signal[0] ? d->stop_signal : how->stop_signal;
	json_t *a = json_object();

	set(a, "skep.rootfs.lower", layer_list(how->lower), bad);
	if (d->disk_bytes) {
		set(a, "skep.disk", json_sprintf("%s/ct/%s/disk.img", how->root, d->name), bad);
		set(a, "skep.rootfs.upper", json_string("upper"), bad);
		set(a, "skep.rootfs.work", json_string("work"), bad);
	} else {
		set(a, "skep.rootfs.upper", json_sprintf("%s/ct/%s/upper", how->root, d->name),
		    bad);
		set(a, "skep.rootfs.work", json_sprintf("%s/ct/%s/work", how->root, d->name), bad);
	}
	set(a, "skep.seccomp", json_string("default"), bad);
	if (d->nesting)
		set(a, "skep.nesting", json_string("true"), bad);
	if (d->netfilter == CT_NETFILTER_DISABLED)
		set(a, "skep.netfilter", json_string("disabled"), bad);
	set(a, "skep.stop.signal", json_string(stop && stop[0] ? stop : "SIGTERM"), bad);
	set(a, "skep.stop.timeout", json_sprintf("%d", d->stop_timeout_s), bad);
	return a;
}

static int check_layers(const struct ct_definition *d, const struct ct_compile *how, struct err *e)
{
	if (!d->id_base || !how->lower || !how->lower[0]) {
		err_set(e, EINVAL, "compile container %s: no %s", d->name,
			d->id_base ? "template layer" : "id range");
		return err_class(e, ERR_CONFIG);
	}
	for (const char *const *l = how->lower; *l; l++)
		if (strchr(*l, ':')) {
			err_set(e, EINVAL, "layer %s: a path with a colon cannot be in a list", *l);
			return err_class(e, ERR_CONFIG);
		}
	return 0;
}

int ct_compile(const struct ct_definition *d, const struct ct_compile *how, json_t **out,
	       struct err *e)
{
	auto_json json_t *c = NULL;
	bool bad = false;

	if (check_layers(d, how, e) < 0)
		return -e->no;
	c = json_object();
	set(c, "ociVersion", json_string("1.2.0"), &bad);
	set(c, "hostname", json_string(d->hostname[0] ? d->hostname : d->name), &bad);
	set(c, "root", json_pack("{sssb}", "path", "rootfs", "readonly", 0), &bad);
	set(c, "process", process(d, how, &bad), &bad);
	set(c, "mounts", mount_list(d->network, &bad), &bad);
	set(c, "linux", linux_part(d, how, &bad), &bad);
	set(c, "annotations", annotations(d, how, &bad), &bad);
	if (bad)
		return err_set(e, ENOMEM, "compile container %s: out of memory, or not UTF-8",
			       d->name);
	*out = take_ptr(&c);
	return 0;
}
