// SPDX-License-Identifier: GPL-2.0-only
/* What a restored thread is: its ids, rights, filter, namespaces, control groups and limits. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/own.h"
#include "cgroups/group.h"
#include "cgroups/member.h"
#include "checkpoint/verify_check.h"
#include "ns/caps.h"

static const char *const space_files[CT_NS_COUNT] = {
#define X(name, word, flag, file) [CT_NS_##name] = file,
	CT_NAMESPACES(X)
#undef X
};

/* The rest of the line that begins with name and a colon; NULL: there is none. */
static const char *field(const char *text, const char *name)
{
	size_t n = strlen(name);

	for (const char *p = text; p; p = strchr(p, '\n')) {
		p += *p == '\n';
		if (!strncmp(p, name, n) && p[n] == ':')
			return p + n + 1;
	}
	return NULL;
}

static bool is_ours(const struct ns_idmap *maps, size_t n, unsigned long long id)
{
	for (size_t i = 0; i < n; i++)
		if (id >= maps[i].outside && id - maps[i].outside < maps[i].count)
			return true;
	return false;
}

/* Whether all numbers up to the end of the line are ids of the container. */
static bool all_ours(const char *line, const struct ns_idmap *maps, size_t n)
{
	while (line && *line && *line != '\n') {
		char *end;
		unsigned long long id = strtoull(line, &end, 10);

		if (end == line)
			return line[strspn(line, " \t")] == '\n';
		if (!is_ours(maps, n, id))
			return false;
		line = end;
	}
	return line != NULL;
}

bool cr_check_is_dead(const char *status)
{
	const char *state = field(status, "State");

	return state && strchr("ZX", state[strspn(state, " \t")]);
}

/* The bounding set is all that any of them can ever have: nothing in a container gives more to itself, so more came with the images. */
static int check_caps(const struct cr_check *l, pid_t tid, const char *status, struct err *e)
{
	static const char *const sets[] = {"CapBnd", "CapPrm", "CapEff", "CapInh", "CapAmb"};
	const struct ct_process *p = &l->v->spec->process;

	for (size_t i = 0; p->has_caps && i < ARRAY_SIZE(sets); i++) {
		const char *line = field(status, sets[i]);
		uint64_t more = line ? strtoull(line, NULL, 16) & ~p->caps.bounding : UINT64_MAX;
		char what[120], name[32];

		if (!more)
			continue;
		snprintf(what, sizeof(what),
			 "has a capability that its definition does not give (%s: %s)", sets[i],
			 ns_caps_to_str(__builtin_ctzll(more), name, sizeof(name)));
		return cr_check_refuse(tid, what, e);
	}
	return 0;
}

static int check_status(const struct cr_check *l, pid_t tid, const char *status, struct err *e)
{
	const struct ct_spec *spec = l->v->spec;
	const char *seccomp = field(status, "Seccomp"), *nnp = field(status, "NoNewPrivs");

	if (spec->own[CT_NS_USER] && (!all_ours(field(status, "Uid"), spec->uids, spec->n_uids) ||
				      !all_ours(field(status, "Gid"), spec->gids, spec->n_gids) ||
				      !all_ours(field(status, "Groups"), spec->gids, spec->n_gids)))
		return cr_check_refuse(tid, "has ids that are not the container's", e);
	if ((spec->seccomp || spec->seccomp_profile) && (!seccomp || atoi(seccomp) != 2))
		return cr_check_refuse(tid, "has no system call filter", e);
	if (spec->process.no_new_privs && (!nnp || atoi(nnp) != 1))
		return cr_check_refuse(tid, "may get new rights by executing a program", e);
	return check_caps(l, tid, status, e);
}

/* Lines of inside, outside, count; the outside as we see it, however deep the namespace is nested. */
static bool map_is_ours(const char *text, const struct ns_idmap *maps, size_t n)
{
	unsigned long long first, count;
	bool any = false;

	for (const char *p = text; p && *p; p = strchr(p, '\n'), p = p ? p + 1 : NULL) {
		if (sscanf(p, "%*u %llu %llu", &first, &count) != 2 || !count ||
		    !is_ours(maps, n, first) || !is_ours(maps, n, first + count - 1))
			return false;
		any = true;
	}
	return any;
}

static int check_maps(const struct cr_check *l, pid_t pid, struct err *e)
{
	const struct ct_spec *spec = l->v->spec;
	auto_free char *uids = NULL, *gids = NULL;

	if (!spec->own[CT_NS_USER])
		return 0;
	if (cr_check_read(pid, "uid_map", &uids, e) < 0 ||
	    cr_check_read(pid, "gid_map", &gids, e) < 0)
		return -e->no;
	if (!map_is_ours(uids, spec->uids, spec->n_uids) ||
	    !map_is_ours(gids, spec->gids, spec->n_gids))
		return cr_check_refuse(
			pid, "is in a user namespace with other ids than the container's", e);
	return 0;
}

/* Inode numbers; 0 for a kind that this kernel has not. */
static int find_spaces(const char *dir, uint64_t out[CT_NS_COUNT], dev_t *nsfs, struct err *e)
{
	auto_fd int ns = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	if (ns < 0)
		return err_sys(e, "open %s", dir);
	for (int i = 0; i < CT_NS_COUNT; i++) {
		out[i] = 0;
		if (fstatat(ns, space_files[i], &st, 0) == 0) {
			out[i] = st.st_ino;
			*nsfs = st.st_dev;
		} else if (errno != ENOENT) {
			return err_sys(e, "look at %s/%s", dir, space_files[i]);
		}
	}
	return 0;
}

int cr_check_spaces(struct cr_check *l, struct err *e)
{
	char dir[40];

	snprintf(dir, sizeof(dir), "/proc/%d/ns", l->v->init);
	if (find_spaces(dir, l->first, &l->nsfs, e) < 0)
		return -e->no;
	return find_spaces("/proc/self/ns", l->spaces, &l->nsfs, e);
}

/* What criu can make of one kind only once is the same for all: a task with another one has it from elsewhere. */
static int check_namespaces(struct cr_check *l, pid_t pid, pid_t tid, struct err *e)
{
	uint64_t theirs[CT_NS_COUNT];
	char dir[60], what[80];
	dev_t nsfs;

	snprintf(dir, sizeof(dir), "/proc/%d/task/%d/ns", pid, tid);
	if (find_spaces(dir, theirs, &nsfs, e) < 0)
		return -e->no;
	for (int i = 0; i < CT_NS_COUNT; i++) {
		bool own = l->v->spec->own[i], many = i == CT_NS_MOUNT || i == CT_NS_NETWORK;

		if ((!own || theirs[i] != l->spaces[i]) && (many || theirs[i] == l->first[i]))
			continue;
		snprintf(what, sizeof(what), "is in %s %s namespace",
			 theirs[i] == l->spaces[i] ? "the host's" : "another",
			 ct_namespace_to_str((enum ct_namespace)i));
		return cr_check_refuse(tid, what, e);
	}
	return cr_numbers_add(&l->net_spaces, theirs[CT_NS_NETWORK], e);
}

bool cr_check_below_group(const struct cr_check *l, const char *path)
{
	size_t n = strlen(l->v->cg->path);

	return path[0] == '/' && !strncmp(path + 1, l->v->cg->path, n) &&
	       (!path[1 + n] || path[1 + n] == '/');
}

static int check_groups(const struct cr_check *l, pid_t pid, pid_t tid, struct err *e)
{
	auto_free char *text = NULL;
	struct cg_member m;
	char name[48], *rest;
	int r;

	if (!cr_numbers_have(&l->members, (uint64_t)pid))
		return cr_check_refuse(pid, "is not in the container's control group", e);
	snprintf(name, sizeof(name), "task/%d/cgroup", tid);
	r = cr_check_read(pid, name, &text, e);
	if (r < 0)
		return r;
	/* A host may have more hierarchies than those in which the container has a group. */
	for (rest = text; cg_member_next(&rest, &m);)
		if ((cg_member_bits(m.controllers) & cg_member_bits_of(l->v->cg)) &&
		    !cr_check_below_group(l, m.path))
			return cr_check_refuse(tid, "is not in the container's control groups", e);
	return 0;
}

/* Only who has CAP_SYS_RESOURCE outside of any user namespace raises a hard limit, and that is not the container. */
static int check_rlimits(const struct cr_check *l, pid_t pid, struct err *e)
{
	const struct ct_process *p = &l->v->spec->process;

	for (size_t i = 0; l->v->spec->own[CT_NS_USER] && i < p->n_rlimits; i++) {
		struct rlimit has;
		char what[100];

		if (prlimit(pid, p->rlimits[i].resource, NULL, &has) < 0)
			return err_sys(e, "look at the limits of process %d", pid);
		if (has.rlim_max <= p->rlimits[i].hard && has.rlim_cur <= p->rlimits[i].hard)
			continue;
		snprintf(what, sizeof(what), "has a higher limit %s than its definition",
			 ns_rlimit_to_str(p->rlimits[i].resource));
		return cr_check_refuse(pid, what, e);
	}
	return 0;
}

int cr_check_thread(struct cr_check *l, pid_t pid, pid_t tid, const char *status, struct err *e)
{
	int r = check_namespaces(l, pid, tid, e);

	if (r >= 0)
		r = check_status(l, tid, status, e);
	return r < 0 ? r : check_groups(l, pid, tid, e);
}

int cr_check_process(struct cr_check *l, pid_t pid, struct err *e)
{
	int r = check_maps(l, pid, e);

	return r < 0 ? r : check_rlimits(l, pid, e);
}
