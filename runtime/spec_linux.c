// SPDX-License-Identifier: GPL-2.0-only
/* The spec's "linux" object: namespaces, id maps, devices, settings, paths. */
#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "base/own.h"
#include "ns/lsm.h"
#include "ns/sysctl.h"
#include "runtime/spec_read.h"

static const struct {
	const char *word, *file;
} namespaces[] = {
#define X(name, word, flag, file) [CT_NS_##name] = {word, file},
	CT_NAMESPACES(X)
#undef X
};

const char *ct_namespace_to_str(enum ct_namespace n)
{
	return namespaces[n].word;
}

static int read_namespace(struct ct_spec *spec, const json_t *value, const char *path,
			  struct err *e)
{
	struct names {
		char *type, *path;
	} names = {NULL, NULL};
	static const struct ct_member members[] = {
		{"type", ct_read_str, offsetof(struct names, type)},
		{"path", ct_read_str, offsetof(struct names, path)},
	};
	auto_free char *type = NULL, *where = NULL;
	int r = ct_read_members(value, path, members, ARRAY_SIZE(members), &names, e);

	type = names.type;
	where = names.path;
	if (r < 0 || ct_need(type, path, e) < 0)
		return -e->no;
	for (int n = 0; n < CT_NS_COUNT; n++) {
		if (strcmp(type, namespaces[n].word) != 0)
			continue;
		if (spec->own[n] || spec->join[n])
			return ct_refuse(e, path, "namespace '%s' is there twice", type);
		if (!where || !where[0])
			spec->own[n] = true;
		else if (where[0] == '/')
			spec->join[n] = take_ptr(&where);
		else
			return ct_refuse(e, path, "path of '%s' must be absolute", type);
		return 0;
	}
	return ct_refuse(e, path, "there is no namespace '%s'", type);
}

static int read_namespaces(const json_t *value, const char *path, void *into, struct err *e)
{
	if (!json_is_array(value))
		return ct_refuse(e, path, "must be an array");
	for (size_t i = 0; i < json_array_size(value); i++) {
		char below[CT_PATH_MOST];

		snprintf(below, sizeof(below), "%s[%zu]", path, i);
		if (read_namespace(into, json_array_get(value, i), below, e) < 0)
			return -e->no;
	}
	return 0;
}

static int read_map_line(const json_t *value, const char *path, void *into, struct err *e)
{
	static const struct ct_member members[] = {
		{"containerID", ct_read_u32, offsetof(struct ns_idmap, inside)},
		{"hostID", ct_read_u32, offsetof(struct ns_idmap, outside)},
		{"size", ct_read_u32, offsetof(struct ns_idmap, count)},
	};

	if (ct_read_members(value, path, members, ARRAY_SIZE(members), into, e) < 0)
		return -e->no;
	for (size_t i = 0; i < ARRAY_SIZE(members); i++)
		if (!json_object_get(value, members[i].key))
			return ct_refuse(e, path, "%s is missing", members[i].key);
	return 0;
}

int ct_read_idmap(const json_t *value, const char *path, struct ns_idmap **map, size_t *n,
		  struct err *e)
{
	void *items = NULL;
	int r = ct_read_list(value, path, read_map_line, sizeof(**map), &items, n, e);

	*map = items;
	if (r >= 0 && *n && ns_idmap_check_lines(*map, *n, path, e) < 0)
		e->class = ERR_CONFIG;
	return -e->no;
}

static int read_map(const json_t *value, const char *path, struct ns_idmap **map, size_t *n,
		    struct err *e)
{
	if (ct_read_idmap(value, path, map, n, e) < 0)
		return -e->no;
	if (*n && ns_idmap_check(*map, *n, path, e) < 0)
		e->class = ERR_CONFIG;
	return -e->no;
}

static int read_uids(const json_t *value, const char *path, void *into, struct err *e)
{
	struct ct_spec *spec = into;

	return read_map(value, path, &spec->uids, &spec->n_uids, e);
}

static int read_gids(const json_t *value, const char *path, void *into, struct err *e)
{
	struct ct_spec *spec = into;

	return read_map(value, path, &spec->gids, &spec->n_gids, e);
}

static int read_offset(const json_t *value, const char *path, void *into, struct err *e)
{
	static const struct ct_member members[] = {
		{"secs", ct_read_i64, offsetof(struct ns_time_offset, secs)},
		{"nanosecs", ct_read_u32, offsetof(struct ns_time_offset, nanosecs)},
	};
	struct ns_time_offset *o = into;

	if (ct_read_members(value, path, members, ARRAY_SIZE(members), o, e) < 0)
		return -e->no;
	return o->nanosecs > 999999999 ? ct_refuse(e, path, "nanosecs is over 999999999") : 0;
}

static int read_offsets(const json_t *value, const char *path, void *into, struct err *e)
{
	static const struct ct_member members[] = {
		{"monotonic", read_offset, offsetof(struct ct_spec, time_monotonic)},
		{"boottime", read_offset, offsetof(struct ct_spec, time_boottime)},
	};
	struct ct_spec *spec = into;

	if (ct_read_members(value, path, members, ARRAY_SIZE(members), spec, e) < 0)
		return -e->no;
	spec->has_time_monotonic = json_object_get(value, "monotonic") != NULL;
	spec->has_time_boottime = json_object_get(value, "boottime") != NULL;
	return 0;
}

struct device {
	char *path, *type;
	int64_t major, minor;
	uint32_t mode, uid, gid;
};

static int judge_device(const struct device *d, const char *path, struct err *e)
{
	if (!d->path || d->path[0] != '/')
		return ct_refuse(e, path, "path must be absolute");
	for (size_t n = strlen(d->path); n > 1 && d->path[n - 1] == '/'; n--)
		d->path[n - 1] = 0;
	if (!d->type || strlen(d->type) != 1 || !strchr("cubp", d->type[0]))
		return ct_refuse(e, path, "type must be c, u, b or p");
	/* dev_t: 12 bits major, 20 bits minor (MINORBITS, include/linux/kdev_t.h). */
	if (d->type[0] != 'p' &&
	    (d->major < 0 || d->major > 0xfff || d->minor < 0 || d->minor > 0xfffff))
		return ct_refuse(e, path, "major and minor are missing or out of range");
	return 0;
}

static int read_device(const json_t *value, const char *path, void *into, struct err *e)
{
	static const struct ct_member members[] = {
		{"path", ct_read_str, offsetof(struct device, path)},
		{"type", ct_read_str, offsetof(struct device, type)},
		{"major", ct_read_i64, offsetof(struct device, major)},
		{"minor", ct_read_i64, offsetof(struct device, minor)},
		{"fileMode", ct_read_u32, offsetof(struct device, mode)},
		{"uid", ct_read_u32, offsetof(struct device, uid)},
		{"gid", ct_read_u32, offsetof(struct device, gid)},
	};
	struct device d = {.major = -1, .minor = -1, .mode = 0666};
	struct ns_device *to = into;
	int r = ct_read_members(value, path, members, ARRAY_SIZE(members), &d, e);

	if (r >= 0)
		r = judge_device(&d, path, e);
	if (r >= 0)
		*to = (struct ns_device){.type = d.type[0] == 'u' ? 'c' : d.type[0],
					 .major = d.type[0] == 'p' ? 0 : d.major,
					 .minor = d.type[0] == 'p' ? 0 : d.minor,
					 .mode = d.mode & 07777, /* podman writes S_IFCHR, too */
					 .uid = d.uid,
					 .gid = d.gid,
					 .mount_fd = -EBADF};
	to->path = d.path;
	free(d.type);
	return r;
}

static int read_devices(const json_t *value, const char *path, void *into, struct err *e)
{
	struct ct_spec *spec = into;
	void *items = NULL;
	int r = ct_read_list(value, path, read_device, sizeof(*spec->devices), &items,
			     &spec->n_devices, e);

	spec->devices = items;
	return r;
}

/* Judged by ct_judge_linux(), when the namespaces are known. */
static int read_sysctls(const json_t *value, const char *path, void *into, struct err *e)
{
	struct ct_spec *spec = into;
	const char *key;
	json_t *v;

	if (!json_is_object(value))
		return ct_refuse(e, path, "must be an object");
	spec->sysctls = calloc(json_object_size(value) + 1, sizeof(*spec->sysctls));
	if (!spec->sysctls)
		return ct_no_memory(e);
	json_object_foreach ((json_t *)value, key, v) {
		struct ct_sysctl *s = &spec->sysctls[spec->n_sysctls++];

		s->key = strdup(key);
		if (!s->key)
			return ct_no_memory(e);
		if (ct_read_str(v, path, &s->value, e) < 0)
			return -e->no;
	}
	return 0;
}

/* An absolute path is relative to the mount point of cgroups, as runtime-spec has it; ours always are. */
static int read_cgroup(const json_t *value, const char *path, void *into, struct err *e)
{
	struct ct_spec *spec = into;
	char *p;

	if (ct_read_str(value, path, &spec->cgroup, e) < 0)
		return -e->no;
	p = spec->cgroup;
	/* For systemd, when that is to make it: ct_scope_judge(). */
	if (strchr(p, ':'))
		return strlen(p) > 240 ? ct_refuse(e, path, "is longer than 240 bytes") : 0;
	memmove(p, p + strspn(p, "/"), strlen(p + strspn(p, "/")) + 1);
	while (p[0] && p[strlen(p) - 1] == '/')
		p[strlen(p) - 1] = 0;
	if (strlen(p) > 200)
		return ct_refuse(e, path, "is longer than 200 bytes");
	for (const char *c = p; *c; c += strcspn(c, "/"), c += strspn(c, "/")) {
		size_t n = strcspn(c, "/");

		if ((n == 1 && c[0] == '.') || (n == 2 && c[0] == '.' && c[1] == '.'))
			return ct_refuse(e, path, "'%s' has a '.' or '..' in it", p);
	}
	if (!p[0]) {
		free(spec->cgroup);
		spec->cgroup = NULL;
	}
	return 0;
}

static int read_propagation(const json_t *value, const char *path, void *into, struct err *e)
{
	struct ns_mount word;
	int r;

	if (!json_is_string(value))
		return ct_refuse(e, path, "must be a string");
	if (!json_string_length(value))
		return 0;
	ns_mount_init(&word);
	r = ns_mount_parse_option(&word, json_string_value(value), e);
	*(unsigned long *)into = word.propagation;
	if (r >= 0 && !word.propagation) {
		ct_refuse(e, path, "'%s' is not a propagation", json_string_value(value));
		r = err_hint(
			e,
			"it is shared, slave, private or unbindable, or one of them with r in front");
	}
	ns_mount_done(&word);
	return r;
}

static int read_paths(const json_t *value, const char *path, char ***paths, size_t *n,
		      struct err *e)
{
	if (ct_read_strings(value, path, paths, e) < 0)
		return -e->no;
	for (*n = 0; (*paths)[*n]; (*n)++)
		if ((*paths)[*n][0] != '/')
			return ct_refuse(e, path, "'%s' is not absolute", (*paths)[*n]);
	return 0;
}

static int read_masked(const json_t *value, const char *path, void *into, struct err *e)
{
	struct ct_spec *spec = into;

	return read_paths(value, path, &spec->masked, &spec->n_masked, e);
}

static int read_readonly(const json_t *value, const char *path, void *into, struct err *e)
{
	struct ct_spec *spec = into;

	return read_paths(value, path, &spec->readonly, &spec->n_readonly, e);
}

static int read_personality(const json_t *value, const char *path, void *into, struct err *e)
{
	static const struct ct_member members[] = {
		{"domain", ct_read_str, offsetof(struct ct_spec, personality)},
		{"flags", NULL, 0},
	};
	struct ct_spec *spec = into;

	if (ct_read_members(value, path, members, ARRAY_SIZE(members), spec, e) < 0)
		return -e->no;
	if (!spec->personality)
		return ct_refuse(e, path, "domain is missing");
	if (strcmp(spec->personality, "LINUX") != 0 && strcmp(spec->personality, "LINUX32") != 0)
		return ct_refuse(e, path, "domain must be LINUX or LINUX32");
	return 0;
}

/* Whether the container has that namespace for itself: made for it, or one that it joins and that is not ours. */
static bool has_other(const struct ct_spec *spec, enum ct_namespace n)
{
	char ours[48];
	struct stat a, b;

	if (!spec->join[n])
		return spec->own[n];
	snprintf(ours, sizeof(ours), "/proc/self/ns/%s", namespaces[n].file);
	return stat(ours, &a) || stat(spec->join[n], &b) || a.st_ino != b.st_ino ||
	       a.st_dev != b.st_dev;
}

static int judge_sysctls(const struct ct_spec *spec, struct err *e)
{
	struct ns_sysctl_scope scope;

	if (!spec->n_sysctls)
		return 0;
	scope = (struct ns_sysctl_scope){.net = has_other(spec, CT_NS_NETWORK),
					 .ipc = has_other(spec, CT_NS_IPC),
					 .uts = has_other(spec, CT_NS_UTS),
					 .user = has_other(spec, CT_NS_USER)};
	for (size_t i = 0; i < spec->n_sysctls; i++)
		if (ns_sysctl_check(spec->sysctls[i].key, spec->sysctls[i].value, &scope, e) < 0)
			return ct_refuse_why(e, "linux.sysctl");
	return 0;
}

/* Both maps are OPTIONAL (config-linux.md, "User namespace mappings"). What everyone may map without being asked is his own id (user_namespaces(7)), and root is
 * needed inside; so does crun where /etc/subuid gives nothing. runc refuses. */
static int map_caller(uint32_t id, struct ns_idmap **map, size_t *n, struct err *e)
{
	if (*n)
		return 0;
	free(*map);
	*map = malloc(sizeof(**map));
	if (!*map)
		return ct_no_memory(e);
	**map = (struct ns_idmap){.outside = id, .count = 1};
	*n = 1;
	return 0;
}

static int judge_maps(struct ct_spec *spec, struct err *e)
{
	if (spec->own[CT_NS_USER] && (map_caller(geteuid(), &spec->uids, &spec->n_uids, e) < 0 ||
				      map_caller(getegid(), &spec->gids, &spec->n_gids, e) < 0))
		return -e->no;
	if (!ct_spec_userns(spec) && (spec->n_uids || spec->n_gids))
		return ct_refuse(e, "linux.uidMappings", "there is no user namespace to map");
	if ((spec->has_time_monotonic || spec->has_time_boottime) && !spec->own[CT_NS_TIME])
		return ct_refuse(e, "linux.timeOffsets", "there is no new time namespace");
	return 0;
}

static int judge(struct ct_spec *spec, struct err *e)
{
	static const enum ct_namespace inherited[] = {CT_NS_USER, CT_NS_UTS, CT_NS_MOUNT};

	/* Ours by its path is as if it were not listed. To join the user namespace that one is in is an error to the kernel (setns(2)), and a host name would be the host's. */
	for (size_t i = 0; i < ARRAY_SIZE(inherited); i++)
		if (spec->join[inherited[i]] && !has_other(spec, inherited[i])) {
			free(spec->join[inherited[i]]);
			spec->join[inherited[i]] = NULL;
		}
	/* Nobody mounts in a namespace that another user namespace owns (mount_namespaces(7)). */
	if (!spec->own[CT_NS_MOUNT] && !spec->join[CT_NS_MOUNT] && ct_spec_userns(spec))
		return ct_refuse(
			e, "linux.namespaces",
			"in a user namespace of its own a container needs a mount namespace");
	if (judge_maps(spec, e) < 0)
		return -e->no;
	/* runc's words. */
	if (spec->n_net_devices && !has_other(spec, CT_NS_NETWORK))
		return ct_refuse(e, "linux.netDevices",
				 "unable to move network devices without a private NET namespace");
	return judge_sysctls(spec, e);
}

/* Of what is mounted, not of who may do what, which process.selinuxLabel says: without SELinux nobody reads it, and crun goes on, too. */
static int read_label(const json_t *value, const char *path, void *into, struct err *e)
{
	char **label = into;

	if (ct_read_str(value, path, label, e) < 0)
		return -e->no;
	if (!(*label)[0] || !ns_lsm_has(NS_LSM_SELINUX)) {
		if ((*label)[0])
			log_warn(
				"%s: this host has no SELinux, or does not use it; going on without it",
				path);
		free(*label);
		*label = NULL;
	}
	return 0;
}

int ct_read_linux(const json_t *value, const char *path, void *into, struct err *e)
{
	static const struct ct_member members[] = {
		{"namespaces", read_namespaces, 0},
		{"uidMappings", read_uids, 0},
		{"gidMappings", read_gids, 0},
		{"timeOffsets", read_offsets, 0},
		{"devices", read_devices, 0},
		{"cgroupsPath", read_cgroup, 0},
		{"resources", ct_read_spec_resources, 0},
		{"sysctl", read_sysctls, 0},
		{"rootfsPropagation", read_propagation, offsetof(struct ct_spec, propagation)},
		{"maskedPaths", read_masked, 0},
		{"readonlyPaths", read_readonly, 0},
		{"seccomp", ct_read_seccomp, 0},
		{"personality", read_personality, 0},
		{"mountLabel", read_label, offsetof(struct ct_spec, mount_label)},
		{"intelRdt", ct_read_rdt, offsetof(struct ct_spec, rdt)},
		{"netDevices", ct_read_net_devices, 0},
		{"memoryPolicy", ct_read_memory_policy, offsetof(struct ct_spec, numa)},
	};

	if (ct_read_members(value, path, members, ARRAY_SIZE(members), into, e) < 0)
		return -e->no;
	return judge(into, e);
}
