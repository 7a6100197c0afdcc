// SPDX-License-Identifier: GPL-2.0-only
/* The spec's process: program, user, capabilities, limits. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

#include "base/err.h"
#include "base/log.h"
#include "base/own.h"
#include "runtime/spec_read.h"

#define LEAST_OOM_SCORE -1000
#define MOST_OOM_SCORE	1000

static int read_id(const json_t *value, const char *path, void *into, struct err *e)
{
	if (ct_read_u32(value, path, into, e) < 0)
		return -e->no;
	/* (uid_t)-1 is "leave it as it is" to every system call that sets an id. */
	return *(uint32_t *)into == UINT32_MAX ? ct_refuse(e, path, "is not an id") : 0;
}

static int read_umask(const json_t *value, const char *path, void *into, struct err *e)
{
	uint32_t mask;

	if (ct_read_u32(value, path, &mask, e) < 0)
		return -e->no;
	if (mask > 0777)
		return ct_refuse(e, path, "%u is over 0777 (511)", mask);
	*(int *)into = (int)mask;
	return 0;
}

static int read_groups(const json_t *value, const char *path, void *into, struct err *e)
{
	struct ct_process *p = into;
	void *items = NULL;
	size_t n = 0;
	int r = ct_read_list(value, path, read_id, sizeof(gid_t), &items, &n, e);

	p->groups = items;
	p->n_groups = (int)n;
	return r;
}

/* "Windows: the user name" (runtime-spec, "Platform-specific user"). Callers set it everywhere. */
static int leave_out_name(const json_t *value, const char *path, void *into, struct err *e)
{
	(void)into;
	if (!json_is_string(value))
		return ct_refuse(e, path, "must be a string");
	if (json_string_length(value))
		log_info("%s is Windows's: left out", path);
	return 0;
}

static int read_user(const json_t *value, const char *path, void *into, struct err *e)
{
	static const struct ct_member members[] = {
		{"uid", read_id, offsetof(struct ct_process, uid)},
		{"gid", read_id, offsetof(struct ct_process, gid)},
		{"umask", read_umask, offsetof(struct ct_process, umask)},
		{"additionalGids", read_groups, 0},
		{"username", leave_out_name, 0},
	};

	return ct_read_members(value, path, members, ARRAY_SIZE(members), into, e);
}

static int read_console_size(const json_t *value, const char *path, void *into, struct err *e)
{
	static const struct ct_member members[] = {
		{"height", ct_read_u32, offsetof(struct ct_process, rows)},
		{"width", ct_read_u32, offsetof(struct ct_process, cols)},
	};
	struct ct_process *p = into;

	if (ct_read_members(value, path, members, ARRAY_SIZE(members), into, e) < 0)
		return -e->no;
	/* struct winsize has 16 bits for each. */
	return p->rows > UINT16_MAX || p->cols > UINT16_MAX
		       ? ct_refuse(e, path, "is over %d", UINT16_MAX)
		       : 0;
}

/* Any number for a name. Not one that whoever writes names could foresee: all of them in one place of the table would be as slow as none. */
static size_t scatter(const char *name, size_t len)
{
	const void *random = (const void *)getauxval(AT_RANDOM);
	uint64_t h = 0;

	if (random)
		memcpy(&h, random, sizeof(h));
	while (len--)
		h = (h ^ (unsigned char)*name++) * 0x100000001b3u;
	return h ^ h >> 32;
}

/*
 * Callers put their own behind an image's. A program may take the first of a name (getenv(3)) or the last (a shell): it gets one, the last. By a table of places: to compare each
 * with all before it took 20 s for the 65536 that there may be.
 */
static int keep_last(char **env, size_t n, struct err *e)
{
	size_t kept = 0, room = 16;
	auto_free uint32_t *table = NULL; /* place in env + 1 */

	while (room < 2 * n)
		room *= 2;
	table = calloc(room, sizeof(*table));
	if (!table)
		return ct_no_memory(e);
	for (size_t i = 0; i < n; i++) {
		size_t name = strcspn(env[i], "=") + 1, at = scatter(env[i], name) % room;

		while (table[at] && strncmp(env[table[at] - 1], env[i], name) != 0)
			at = (at + 1) % room;
		if (table[at])
			free(env[table[at] - 1]);
		else
			table[at] = (uint32_t)++kept;
		env[table[at] - 1] = env[i];
	}
	env[kept] = NULL;
	return 0;
}

int ct_read_env(const json_t *value, const char *path, void *into, struct err *e)
{
	char ***env = into;
	size_t n;

	if (ct_read_strings(value, path, env, e) < 0)
		return -e->no;
	for (n = 0; (*env)[n]; n++)
		if ((*env)[n][0] == '=' || !strchr((*env)[n], '='))
			return ct_refuse(e, path, "member %zu is not NAME=VALUE", n);
	return keep_last(*env, n, e);
}

/* runtime-spec, "Linux Process": a capability that does not exist or cannot be granted is a warning and never an error. */
static int read_cap(const json_t *value, const char *path, void *into, struct err *e)
{
	uint64_t *set = into;
	int cap;

	if (!json_is_string(value))
		return ct_refuse(e, path, "must be a string");
	if (ns_caps_from_str(json_string_value(value), &cap, e) < 0) {
		log_warn("%s: %s; going on without it", path, e->text);
		err_clear(e);
		return 0;
	}
	*set |= UINT64_C(1) << cap;
	return 0;
}

static int read_cap_set(const json_t *value, const char *path, void *into, struct err *e)
{
	uint64_t *set = into, *items = NULL;
	void *list = NULL;
	size_t n = 0;
	int r = ct_read_list(value, path, read_cap, sizeof(*items), &list, &n, e);

	items = list;
	*set = 0;
	for (size_t i = 0; i < n; i++)
		*set |= items[i];
	free(list);
	return r;
}

static void warn_of(uint64_t set, const char *kind, const char *why)
{
	char name[32];

	for (int cap = 0; cap < 64; cap++)
		if (set & UINT64_C(1) << cap)
			log_warn("can't raise %s capability %s: %s", kind,
				 ns_caps_to_str(cap, name, sizeof(name)), why);
}

static int read_caps(const json_t *value, const char *path, void *into, struct err *e)
{
	static const struct ct_member members[] = {
		{"bounding", read_cap_set, offsetof(struct ns_caps, bounding)},
		{"effective", read_cap_set, offsetof(struct ns_caps, effective)},
		{"permitted", read_cap_set, offsetof(struct ns_caps, permitted)},
		{"inheritable", read_cap_set, offsetof(struct ns_caps, inheritable)},
		{"ambient", read_cap_set, offsetof(struct ns_caps, ambient)},
	};
	struct ct_process *p = into;
	uint64_t grantable;

	p->caps = (struct ns_caps){0};
	if (ct_read_members(value, path, members, ARRAY_SIZE(members), &p->caps, e) < 0)
		return -e->no;
	/* To add what the bounding set lacks the kernel refuses with EPERM (capabilities(7), "Capability bounding set"). */
	warn_of(p->caps.inheritable & ~p->caps.bounding, "inheritable",
		"it is not in the bounding set (Operation not permitted)");
	p->caps.inheritable &= p->caps.bounding;
	/* The kernel raises only what is both (capabilities(7)); `runc spec` writes ambient ones without inheritable ones. */
	grantable = p->caps.permitted & p->caps.inheritable;
	/* What root executes has all that is permitted without any (ibid.), and loses nothing: Buildah lists them for each RUN, whose output a warning would stand in. */
	if (p->uid)
		warn_of(p->caps.ambient & ~grantable, "ambient",
			"it is not permitted and inheritable, too");
	p->caps.ambient &= grantable;
	p->has_caps = true;
	return ns_caps_check(&p->caps, e) < 0 ? ct_refuse_why(e, path) : 0;
}

static int read_rlimit_type(const json_t *value, const char *path, void *into, struct err *e)
{
	if (!json_is_string(value))
		return ct_refuse(e, path, "must be a string");
	return ns_rlimit_from_str(json_string_value(value), into, e) < 0 ? ct_refuse_why(e, path)
									 : 0;
}

/* Unsigned in OCI: ct_config_load_at() made -1 of RLIM_INFINITY. */
static int read_rlimit_value(const json_t *value, const char *path, void *into, struct err *e)
{
	int64_t n;

	if (ct_read_i64(value, path, &n, e) < 0)
		return -e->no;
	*(uint64_t *)into = (uint64_t)n;
	return 0;
}

static int read_rlimit(const json_t *value, const char *path, void *into, struct err *e)
{
	static const struct ct_member members[] = {
		{"type", read_rlimit_type, offsetof(struct ns_rlimit, resource)},
		{"soft", read_rlimit_value, offsetof(struct ns_rlimit, soft)},
		{"hard", read_rlimit_value, offsetof(struct ns_rlimit, hard)},
	};
	struct ns_rlimit *l = into;

	l->resource = -1;
	if (ct_read_members(value, path, members, ARRAY_SIZE(members), l, e) < 0)
		return -e->no;
	if (l->resource < 0 || !json_object_get(value, "soft") || !json_object_get(value, "hard"))
		return ct_refuse(e, path, "needs type, soft and hard");
	return l->soft > l->hard ? ct_refuse(e, path, "soft is over hard") : 0;
}

static int read_rlimits(const json_t *value, const char *path, void *into, struct err *e)
{
	struct ct_process *p = into;
	void *items = NULL;
	int r = ct_read_list(value, path, read_rlimit, sizeof(*p->rlimits), &items, &p->n_rlimits,
			     e);

	p->rlimits = items;
	if (r < 0)
		return r;
	for (size_t i = 0; i < p->n_rlimits; i++)
		for (size_t k = 0; k < i; k++)
			if (p->rlimits[i].resource == p->rlimits[k].resource)
				return ct_refuse(e, path, "%s is there twice",
						 ns_rlimit_to_str(p->rlimits[i].resource));
	return 0;
}

static int read_oom_score(const json_t *value, const char *path, void *into, struct err *e)
{
	struct ct_process *p = into;
	int64_t n;

	if (ct_read_i64(value, path, &n, e) < 0)
		return -e->no;
	if (n < LEAST_OOM_SCORE || n > MOST_OOM_SCORE)
		return ct_refuse(e, path, "is not from %d to %d", LEAST_OOM_SCORE, MOST_OOM_SCORE);
	p->has_oom_score_adj = true;
	p->oom_score_adj = (int)n;
	return 0;
}

/* Without the module there is nothing that could hold the program to it. */
/* The label of one of these modules; *label NULL: none is asked for. */
static int read_lsm(enum ns_lsm lsm, const json_t *value, const char *path, char **label,
		    struct err *e)
{
	if (ct_read_str(value, path, label, e) < 0)
		return -e->no;
	/* "unconfined" asks for what is the case. */
	if (!(*label)[0] || (lsm == NS_LSM_APPARMOR && !strcmp(*label, "unconfined"))) {
		free(*label);
		*label = NULL;
		return 0;
	}
	if (!ns_lsm_has(lsm))
		return ct_refuse(e, path, "this host has no %s, or does not use it",
				 lsm == NS_LSM_APPARMOR ? "AppArmor" : "SELinux");
	return 0;
}

static int read_apparmor(const json_t *value, const char *path, void *into, struct err *e)
{
	return read_lsm(NS_LSM_APPARMOR, value, path, into, e);
}

static int read_selinux(const json_t *value, const char *path, void *into, struct err *e)
{
	return read_lsm(NS_LSM_SELINUX, value, path, into, e);
}

static int check(const struct ct_process *p, const char *path, struct err *e)
{
	if (!p->args || !p->args[0] || !p->args[0][0])
		return ct_refuse(e, path, "args is missing or empty");
	if (!p->cwd || p->cwd[0] != '/')
		return ct_refuse(e, path, "cwd must be an absolute path");
	return 0;
}

int ct_read_process(const json_t *value, const char *path, void *into, struct err *e)
{
	static const struct ct_member members[] = {
		{"terminal", ct_read_bool, offsetof(struct ct_process, terminal)},
		{"consoleSize", read_console_size, 0},
		{"user", read_user, 0},
		{"args", ct_read_strings, offsetof(struct ct_process, args)},
		{"env", ct_read_env, offsetof(struct ct_process, env)},
		{"cwd", ct_read_str, offsetof(struct ct_process, cwd)},
		{"capabilities", read_caps, 0},
		{"rlimits", read_rlimits, 0},
		{"noNewPrivileges", ct_read_bool, offsetof(struct ct_process, no_new_privs)},
		{"oomScoreAdj", read_oom_score, 0},
		{"apparmorProfile", read_apparmor, offsetof(struct ct_process, apparmor)},
		{"selinuxLabel", read_selinux, offsetof(struct ct_process, selinux)},
		{"scheduler", ct_read_scheduler, 0},
		{"ioPriority", ct_read_ioprio, 0},
		{"execCPUAffinity", ct_read_exec_affinity, 0},
		{"commandLine", NULL, 0},
	};
	struct ct_process *p = into;

	p->umask = -1;
	if (ct_read_members(value, path, members, ARRAY_SIZE(members), p, e) < 0 ||
	    check(p, path, e) < 0)
		return -e->no;
	if (!p->env)
		p->env = calloc(1, sizeof(*p->env));
	return p->env ? 0 : ct_no_memory(e);
}

int ct_process_from_json(const json_t *process, struct ct_process *p, struct err *e)
{
	*p = (struct ct_process){0};
	if (ct_read_process(process, "process", p, e) < 0)
		ct_process_done(p);
	return -e->no;
}

static void free_strings(char **list)
{
	for (char **s = list; s && *s; s++)
		free(*s);
	free(list);
}

void ct_process_done(struct ct_process *p)
{
	free_strings(p->args);
	free_strings(p->env);
	free(p->cwd);
	free(p->groups);
	free(p->rlimits);
	free(p->exec_cpus_first);
	free(p->exec_cpus);
	free(p->apparmor);
	free(p->selinux);
	*p = (struct ct_process){.umask = -1};
}
