// SPDX-License-Identifier: GPL-2.0-only
/* A bundle's config.json as a whole. */
#include "runtime/spec.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/own.h"
#include "ns/uts.h"
#include "runtime/spec_read.h"
#include "runtime/spec_text.h"

#define STOP_TIMEOUT_S 10

static bool skip_number(const char **p)
{
	size_t n = strspn(*p, "0123456789");
	bool ok = n && (n == 1 || **p != '0');

	*p += n;
	return ok;
}

/* MAJOR.MINOR.PATCH[-PRERELEASE][+BUILD] (semver.org, 2.0.0). */
static bool is_semver(const char *p)
{
	static const char word[] =
		"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-.";

	if (!skip_number(&p) || *p++ != '.' || !skip_number(&p) || *p++ != '.' || !skip_number(&p))
		return false;
	for (const char *mark = "-+"; *mark; mark++)
		if (*p == *mark) {
			size_t n = strspn(p + 1, word);

			if (!n)
				return false;
			p += 1 + n;
		}
	return !*p;
}

static int read_version(const json_t *value, const char *path, void *into, struct err *e)
{
	auto_free char *version = NULL;

	(void)into;
	if (ct_read_str(value, path, &version, e) < 0)
		return -e->no;
	if (!is_semver(version))
		return ct_refuse(e, path, "'%s' is not a version like 1.2.0", version);
	if (strncmp(version, "1.", 2) != 0)
		return ct_refuse(e, path, "'%s' is not a version 1", version);
	return 0;
}

static int read_root_path(const json_t *value, const char *path, void *into, struct err *e)
{
	struct ct_spec *spec = into;
	auto_free char *given = NULL;

	if (ct_read_str(value, path, &given, e) < 0)
		return -e->no;
	if (!given[0])
		return ct_refuse(e, path, "is empty");
	/* Sources are told to be in it by its text. */
	for (size_t n = strlen(given); n > 1 && given[n - 1] == '/'; n--)
		given[n - 1] = 0;
	spec->root_path = ct_path_below(spec->bundle, given, e);
	return spec->root_path ? 0 : -e->no;
}

static int read_root(const json_t *value, const char *path, void *into, struct err *e)
{
	static const struct ct_member members[] = {
		{"path", read_root_path, 0},
		{"readonly", ct_read_bool, offsetof(struct ct_spec, root_readonly)},
	};

	return ct_read_members(value, path, members, ARRAY_SIZE(members), into, e);
}

/* An empty name is one that is not given. */
static int read_name(const json_t *value, const char *path, void *into, struct err *e)
{
	char **name = into;

	if (ct_read_str(value, path, name, e) < 0)
		return -e->no;
	if ((*name)[0])
		return ns_uts_name_ok(*name) ? 0 : ct_refuse(e, path, "'%s' is not a name", *name);
	free(*name);
	*name = NULL;
	return 0;
}

/* Both kinds of id; what is not mapped cannot be had in a user namespace. */
int ct_judge_ids(const struct ct_spec *spec, struct err *e)
{
	const struct ct_process *p = &spec->process;
	uint32_t host;

	if (!spec->n_uids || !spec->n_gids)
		return 0;
	if (!ns_idmap_to_host(spec->uids, spec->n_uids, p->uid, &host))
		return ct_refuse(e, "process.user.uid", "%u is not in linux.uidMappings", p->uid);
	if (!ns_idmap_to_host(spec->gids, spec->n_gids, p->gid, &host))
		return ct_refuse(e, "process.user.gid", "%u is not in linux.gidMappings", p->gid);
	for (int i = 0; i < p->n_groups; i++)
		if (!ns_idmap_to_host(spec->gids, spec->n_gids, p->groups[i], &host))
			return ct_refuse(e, "process.user.additionalGids",
					 "%u is not in linux.gidMappings", p->groups[i]);
	return 0;
}

/* null is what is not there (ct_read_members() passes over it). */
static bool has(const json_t *config, const char *key)
{
	const json_t *value = json_object_get(config, key);

	return value && !json_is_null(value);
}

static int both_filters(struct err *e)
{
	return ct_refuse(e, "linux.seccomp", "is there beside the annotation skep.seccomp");
}

/* Two values for one name: neither is to win in silence. runc and crun refuse the host name's sysctl altogether. */
static int judge_names(const struct ct_spec *spec, struct err *e)
{
	for (size_t i = 0; i < spec->n_sysctls; i++) {
		const struct ct_sysctl *s = &spec->sysctls[i];

		if (!strcmp(s->key, "kernel.hostname"))
			return ct_refuse(e, "linux.sysctl",
					 "kernel.hostname: the member hostname is for that");
		if (!strcmp(s->key, "kernel.domainname") && spec->domainname &&
		    strcmp(s->value, spec->domainname) != 0)
			return ct_refuse(e, "linux.sysctl",
					 "kernel.domainname '%s' is not domainname '%s'", s->value,
					 spec->domainname);
	}
	return 0;
}

static int judge(const struct ct_spec *spec, const json_t *config, struct err *e)
{
	if (ct_need(has(config, "ociVersion"), "ociVersion", e) < 0 ||
	    ct_need(has(config, "linux"), "linux", e) < 0 ||
	    ct_need(spec->root_path || spec->n_lower, "root.path", e) < 0)
		return -e->no;
	if ((spec->hostname || spec->domainname) && !spec->own[CT_NS_UTS] && !spec->join[CT_NS_UTS])
		return ct_refuse(e, "hostname", "needs a uts namespace in linux.namespaces");
	if (spec->seccomp && spec->seccomp_profile)
		return both_filters(e);
	if (judge_names(spec, e) < 0)
		return -e->no;
	for (size_t i = 0; i < spec->n_mounts; i++)
		if ((spec->mounts[i].idmap || spec->mounts[i].ridmap) && !spec->mounts[i].n_uids &&
		    !ct_spec_userns(spec))
			return ct_refuse(
				e, "mounts",
				"%s is to be id-mapped, but has no maps, and there is no user namespace to take them from",
				spec->mounts[i].target);
	/* One that joins gets the right ones at its start. */
	return spec->join[CT_NS_USER] ? 0 : ct_judge_ids(spec, e);
}

static void free_strings(char **list)
{
	for (char **s = list; s && *s; s++)
		free(*s);
	free(list);
}

/* Lists that are not given become empty ones, so that nobody has to ask. A process is needed at the start only (runtime-spec, config.md, "Process"). */
static int fill(struct ct_spec *spec, struct err *e)
{
	const char *keep;
	char ***lists[] = {&spec->masked, &spec->readonly, &spec->lower, &spec->process.env};

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		if (!*lists[i])
			*lists[i] = calloc(1, sizeof(char *));
		if (!*lists[i])
			return ct_no_memory(e);
	}
	if (!spec->process.cwd)
		spec->process.cwd = strdup("/");
	if (!spec->process.cwd)
		return ct_no_memory(e);
	/* crun's, which `podman run --group-add keep-groups` sets: the caller's own, which have no number in the container. */
	keep = json_string_value(
		json_object_get(spec->annotations, "run.oci.keep_original_groups"));
	if (keep && strcmp(keep, "0") != 0)
		spec->process.n_groups = -1;
	if (!spec->annotations)
		spec->annotations = json_object();
	return spec->annotations ? 0 : ct_no_memory(e);
}

/* It is read behind the mounts. */
static void label_mounts(struct ct_spec *spec)
{
	for (size_t i = 0; i < spec->n_mounts; i++)
		spec->mounts[i].label = spec->mount_label;
}

static int read_config(const json_t *config, struct ct_spec *spec, struct err *e)
{
	static const struct ct_member members[] = {
		{"ociVersion", read_version, 0},
		{"root", read_root, 0},
		{"process", ct_read_process, offsetof(struct ct_spec, process)},
		{"hostname", read_name, offsetof(struct ct_spec, hostname)},
		{"domainname", read_name, offsetof(struct ct_spec, domainname)},
		{"mounts", ct_read_mounts, 0},
		{"annotations", ct_read_annotations, 0},
		{"linux", ct_read_linux, 0},
		{"hooks", ct_read_hooks, offsetof(struct ct_spec, hooks)},
		{"solaris", NULL, 0},
		{"windows", NULL, 0},
		{"vm", NULL, 0},
		{"zos", NULL, 0},
		{"freebsd", NULL, 0},
	};

	if (ct_read_members(config, "", members, ARRAY_SIZE(members), spec, e) < 0 ||
	    judge(spec, config, e) < 0)
		return -e->no;
	label_mounts(spec);
	return fill(spec, e);
}

int ct_spec_need_process(const struct ct_spec *spec, struct err *e)
{
	return ct_need(spec->process.args, "process", e);
}

int ct_spec_from_json(const json_t *config, const char *bundle, struct ct_spec *spec, struct err *e)
{
	*spec = (struct ct_spec){.stop_signal = SIGTERM, .stop_timeout_s = STOP_TIMEOUT_S};
	spec->process.umask = -1;
	spec->bundle = strdup(bundle);
	if (!spec->bundle)
		ct_no_memory(e);
	else if (bundle[0] != '/')
		ct_refuse(e, "bundle", "'%s' is not an absolute path", bundle);
	else
		read_config(config, spec, e);
	if (e->no)
		ct_spec_done(spec);
	return -e->no;
}

int ct_spec_load(const char *bundle, struct ct_spec *spec, struct err *e)
{
	return ct_spec_load_cached(bundle, NULL, -EBADF, spec, e);
}

/* crun's run.oci.seccomp_fail_unknown_syscall: else a name that the library does not know is left out, for profiles are younger than libraries. */
static int refuse_strangers(const struct ct_spec *spec, const struct ct_spec *kept, struct err *e)
{
	const char *wish = json_string_value(
		json_object_get(spec->annotations, "run.oci.seccomp_fail_unknown_syscall"));
	size_t len = 0;
	/* A filter that was found by its text has not been parsed. */
	const char *text = kept->filter.prog ? ct_text_object(kept->text, "linux", "seccomp", &len)
					     : NULL;
	auto_json json_t *parsed = NULL;
	const char *name;

	if (!wish || !strcmp(wish, "0"))
		return 0;
	parsed = text ? json_loadb(text, len, 0, NULL) : json_incref(spec->seccomp);
	name = ns_seccomp_stranger(parsed);
	return name ? ct_refuse(e, "linux.seccomp", "'%s' is not a known system call", name) : 0;
}

int ct_spec_load_at(int dir, const char *name, const char *bundle, int cache, struct ct_spec *spec,
		    struct err *e)
{
	struct ct_spec kept = {0};
	auto_json json_t *config = NULL;
	int r = ct_config_load_but_filter(dir, name, cache, &kept, &config, e);

	*spec = (struct ct_spec){0};
	if (r >= 0)
		r = ct_spec_from_json(config, bundle, spec, e);
	if (r >= 0 && refuse_strangers(spec, &kept, e) < 0) {
		ct_spec_done(spec);
		r = -e->no;
	}
	if (r < 0) {
		ct_spec_done(&kept);
		return -e->no;
	}
	spec->text = kept.text;
	spec->text_len = kept.text_len;
	spec->filter = kept.filter;
	spec->seccomp_text = kept.seccomp_text;
	if (spec->filter.prog && spec->seccomp_profile)
		return both_filters(e);
	return 0;
}

int ct_spec_load_cached(const char *bundle, const char *config, int cache, struct ct_spec *spec,
			struct err *e)
{
	auto_free char *absolute = realpath(bundle, NULL);
	auto_fd int dir = -EBADF;

	*spec = (struct ct_spec){0};
	if (absolute)
		dir = open(absolute, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		err_sys(e, "open bundle %s", bundle);
	else if (ct_spec_load_at(config ? AT_FDCWD : dir, config ? config : "config.json", absolute,
				 cache, spec, e) < 0)
		err_wrap(e, "bundle %s", bundle);
	else
		return 0;
	if (e->no == ENOENT && !config)
		err_hint(
			e,
			"a bundle is a directory with a config.json in it; `skep spec` makes a first one");
	return err_class(e, ERR_CONFIG);
}

void ct_spec_done(struct ct_spec *spec)
{
	for (size_t i = 0; i < spec->n_mounts; i++)
		ns_mount_done(&spec->mounts[i]);
	for (size_t i = 0; i < spec->n_devices; i++)
		free(spec->devices[i].path);
	for (size_t i = 0; i < spec->n_sysctls; i++) {
		free(spec->sysctls[i].key);
		free(spec->sysctls[i].value);
	}
	for (int i = 0; i < CT_NS_COUNT; i++)
		free(spec->join[i]);
	ct_net_devices_done(spec);
	ct_rdt_done(&spec->rdt);
	ct_raw_limits_done(spec->raw_limits, spec->n_raw_limits);
	ct_process_done(&spec->process);
	ct_hooks_done(&spec->hooks);
	free_strings(spec->masked);
	free_strings(spec->readonly);
	free_strings(spec->lower);
	free(spec->bundle);
	free(spec->root_path);
	free(spec->hostname);
	free(spec->domainname);
	free(spec->mounts);
	free(spec->uids);
	free(spec->gids);
	free(spec->devices);
	free(spec->cgroup);
	free(spec->device_rules);
	free(spec->sysctls);
	free(spec->mount_label);
	free(spec->personality);
	free(spec->upper);
	free(spec->work);
	free(spec->disk);
	free(spec->text);
	free(spec->listener_path);
	free(spec->listener_metadata);
	json_decref(spec->seccomp);
	ns_seccomp_done(&spec->filter);
	free(spec->seccomp_text);
	json_decref(spec->annotations);
	*spec = (struct ct_spec){0};
}
