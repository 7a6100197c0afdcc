// SPDX-License-Identifier: GPL-2.0-only
/* Every thread and every mount of a restored container, against its spec. */
#include "checkpoint/verify.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/own.h"
#include "cgroups/group.h"
#include "cgroups/kill.h"

#define FILE_MOST (16u << 20) /* of a file in /proc whose length the container decides */

struct look {
	const struct cr_verify *v;
	dev_t *host; /* the file systems of our own mounts */
	size_t host_count;
	pid_t *members; /* of the control groups */
	int member_count;
	pid_t *tree; /* init and all below it, each before its children */
	size_t count, room;
	ino_t seen[64]; /* mount namespaces whose mounts were looked at */
	size_t seen_count;
};

static void look_done(struct look *l)
{
	free(l->host);
	free(l->members);
	free(l->tree);
}

static int refuse(pid_t pid, const char *what, struct err *e)
{
	err_set(e, EPERM, "the restored process %d %s", pid, what);
	err_hint(e, "the images are not of this container, or were changed: do not use them");
	return err_class(e, ERR_RESTORE);
}

static int read_proc(pid_t pid, const char *name, char **text, struct err *e)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	return file_read_at(AT_FDCWD, path, FILE_MOST, text, e);
}

/* --- who there is --- */

static int add_task(struct look *l, pid_t pid, struct err *e)
{
	if (l->count == l->room) {
		size_t room = l->room ? 2 * l->room : 64;
		pid_t *more = reallocarray(l->tree, room, sizeof(*more));

		if (!more)
			return err_set(e, ENOMEM, "look at the restored processes: out of memory");
		l->tree = more;
		l->room = room;
	}
	l->tree[l->count++] = pid;
	return 0;
}

/* Calls fn for each thread. */
static int each_thread(struct look *l, pid_t pid,
		       int (*fn)(struct look *l, pid_t pid, pid_t tid, struct err *e),
		       struct err *e)
{
	auto_dir DIR *d = NULL;
	const struct dirent *entry;
	char path[64];
	int r = 0;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	d = opendir(path);
	if (!d)
		return err_sys(e, "open %s", path);
	while (r >= 0 && (entry = readdir(d)))
		if (entry->d_name[0] != '.')
			r = fn(l, pid, (pid_t)atoi(entry->d_name), e);
	return r;
}

static int add_children(struct look *l, pid_t pid, pid_t tid, struct err *e)
{
	auto_free char *list = NULL;
	char name[48], *save = NULL;
	int r;

	snprintf(name, sizeof(name), "task/%d/children", tid);
	r = read_proc(pid, name, &list, e);
	if (r < 0)
		return r;
	for (char *w = strtok_r(list, " \n", &save); w && r >= 0; w = strtok_r(NULL, " \n", &save))
		r = add_task(l, (pid_t)atoi(w), e);
	return r;
}

/* Nobody runs, so nobody is born or adopted while we look. */
static int find_tree(struct look *l, struct err *e)
{
	int r = add_task(l, l->v->init, e);

	for (size_t i = 0; r >= 0 && i < l->count; i++)
		r = each_thread(l, l->tree[i], add_children, e);
	return r;
}

/* --- what each one is --- */

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

/* In /proc a zombie has no namespaces any more, and it cannot do anything with its ids. */
static bool is_dead(const char *status)
{
	const char *state = field(status, "State");

	return state && strchr("ZX", state[strspn(state, " \t")]);
}

static int check_status(const struct look *l, pid_t tid, const char *status, struct err *e)
{
	const struct ct_spec *spec = l->v->spec;
	const char *seccomp = field(status, "Seccomp");

	if (spec->own[CT_NS_USER] && (!all_ours(field(status, "Uid"), spec->uids, spec->n_uids) ||
				      !all_ours(field(status, "Gid"), spec->gids, spec->n_gids) ||
				      !all_ours(field(status, "Groups"), spec->gids, spec->n_gids)))
		return refuse(tid, "has ids that are not the container's", e);
	if ((spec->seccomp || spec->seccomp_profile) && (!seccomp || atoi(seccomp) != 2))
		return refuse(tid, "has no system call filter", e);
	return 0;
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

static int check_maps(const struct look *l, pid_t pid, struct err *e)
{
	const struct ct_spec *spec = l->v->spec;
	auto_free char *uids = NULL, *gids = NULL;

	if (!spec->own[CT_NS_USER])
		return 0;
	if (read_proc(pid, "uid_map", &uids, e) < 0 || read_proc(pid, "gid_map", &gids, e) < 0)
		return -e->no;
	if (!map_is_ours(uids, spec->uids, spec->n_uids) ||
	    !map_is_ours(gids, spec->gids, spec->n_gids))
		return refuse(pid, "is in a user namespace with other ids than the container's", e);
	return 0;
}

static int check_namespaces(const struct look *l, pid_t pid, pid_t tid, struct err *e)
{
	static const char *const files[CT_NS_COUNT] = {
#define X(name, word, flag, file) [CT_NS_##name] = file,
		CT_NAMESPACES(X)
#undef X
	};

	for (int i = 0; i < CT_NS_COUNT; i++) {
		char theirs[80], ours[40], what[80];
		struct stat a, b;

		if (!l->v->spec->own[i])
			continue;
		snprintf(theirs, sizeof(theirs), "/proc/%d/task/%d/ns/%s", pid, tid, files[i]);
		snprintf(ours, sizeof(ours), "/proc/self/ns/%s", files[i]);
		if (stat(theirs, &a) < 0 || stat(ours, &b) < 0)
			return err_sys(e, "look at %s", theirs);
		if (a.st_dev != b.st_dev || a.st_ino != b.st_ino)
			continue;
		snprintf(what, sizeof(what), "is in the host's %s namespace",
			 ct_namespace_to_str((enum ct_namespace)i));
		return refuse(tid, what, e);
	}
	return 0;
}

static int by_number(const void *a, const void *b)
{
	pid_t x = *(const pid_t *)a, y = *(const pid_t *)b;

	return x < y ? -1 : x > y;
}

/* Whether the container has a group in the hierarchy of these controllers ("cpu,cpuacct"; "" for the unified one): a host may have more of them. */
static bool is_managed(const struct cg *cg, char *kinds)
{
	static const char *const v1[CG_CONTROLLER_COUNT] = {
#define X(name, word, word2) [CG_##name] = word,
		CG_CONTROLLERS(X)
#undef X
	};
	char *save = NULL;

	if (!kinds[0])
		return cg->v2 >= 0;
	for (char *k = strtok_r(kinds, ",", &save); k; k = strtok_r(NULL, ",", &save))
		for (int c = 0; c < CG_CONTROLLER_COUNT; c++)
			if (!strcmp(k, v1[c]) && cg->v1[c] >= 0)
				return true;
	return false;
}

/* "/skep/101" or what is in it. */
static bool below_group(const struct look *l, const char *path)
{
	size_t n = strlen(l->v->cg->path);

	return path[0] == '/' && !strncmp(path + 1, l->v->cg->path, n) &&
	       (!path[1 + n] || path[1 + n] == '/');
}

/* "4:memory:/skep/101" */
static int check_groups(const struct look *l, pid_t pid, pid_t tid, struct err *e)
{
	auto_free char *text = NULL;
	char name[48], *save = NULL;
	int r;

	if (!bsearch(&pid, l->members, (size_t)l->member_count, sizeof(pid), by_number))
		return refuse(pid, "is not in the container's control group", e);
	snprintf(name, sizeof(name), "task/%d/cgroup", tid);
	r = read_proc(pid, name, &text, e);
	if (r < 0)
		return r;
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *kinds = strchr(line, ':'), *path = kinds ? strchr(kinds + 1, ':') : NULL;

		if (!path)
			continue;
		*path++ = 0;
		if (is_managed(l->v->cg, kinds + 1) && !below_group(l, path))
			return refuse(tid, "is not in the container's control groups", e);
	}
	return 0;
}

/* --- what it sees --- */

/* A line of proc_pid_mountinfo(5), taken apart in place. */
struct mount {
	dev_t dev;
	const char *root, *at, *type;
};

/* 36 35 98:0 /root /at options shared:1 ... - type source options */
static bool read_mount(char *line, struct mount *m)
{
	unsigned ma, mi;
	char *word[5], *rest = strstr(line, " - ");

	if (!rest)
		return false;
	*rest = 0;
	rest += 3;
	m->type = strsep(&rest, " ");
	for (size_t i = 0; i < ARRAY_SIZE(word); i++) {
		word[i] = strsep(&line, " ");
		if (!word[i])
			return false;
	}
	m->root = word[3];
	m->at = word[4];
	if (sscanf(word[2], "%u:%u", &ma, &mi) != 2)
		return false;
	m->dev = makedev(ma, mi);
	return true;
}

static int note_host_mounts(struct look *l, struct err *e)
{
	auto_free char *text = NULL;
	char *rest, *line;
	struct mount m;
	int r = read_proc(getpid(), "mountinfo", &text, e);

	if (r < 0)
		return r;
	/* A line has more than 16 bytes. */
	l->host = calloc((size_t)r / 16 + 1, sizeof(*l->host));
	if (!l->host)
		return err_set(e, ENOMEM, "look at the host's mounts: out of memory");
	for (rest = text; (line = strsep(&rest, "\n"));)
		if (read_mount(line, &m))
			l->host[l->host_count++] = m.dev;
	return 0;
}

static bool on_host(const struct look *l, const struct mount *m)
{
	for (size_t i = 0; i < l->host_count; i++)
		if (l->host[i] == m->dev)
			return true;
	return false;
}

/* A node of the host's /dev, bound as a file. */
static bool is_node(const struct mount *m, const char *path)
{
	const char *name = strrchr(path, '/'), *shown = strrchr(m->root, '/');
	struct stat st;

	return name && shown && !strcmp(name, shown) && stat(path, &st) == 0 &&
	       (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)) && st.st_dev == m->dev;
}

static bool is_device(const struct look *l, const struct mount *m)
{
	static const char *const always[] = {"/dev/null",   "/dev/zero",    "/dev/full",
					     "/dev/random", "/dev/urandom", "/dev/tty"};

	for (size_t i = 0; i < ARRAY_SIZE(always); i++)
		if (is_node(m, always[i]))
			return true;
	for (size_t i = 0; i < l->v->spec->n_devices; i++)
		if (is_node(m, l->v->spec->devices[i].path))
			return true;
	return false;
}

/* A terminal of the host's devpts, which is named by its number. */
static bool is_console(const struct look *l, const struct mount *m)
{
	unsigned long long rdev, dev;
	char name[24];

	if (sscanf(l->v->terminal, "%llx:%llx", &rdev, &dev) != 2 || dev != m->dev)
		return false;
	snprintf(name, sizeof(name), "/%u", (major(rdev) - 136) * 256 + minor(rdev));
	return !strcmp(m->root, name);
}

static bool may_show(const struct look *l, const struct mount *m)
{
	if (!on_host(l, m) || is_device(l, m) || is_console(l, m))
		return true;
	/* All control groups of a kind are one file system: of it the container's own subtree. */
	if (!strncmp(m->type, "cgroup", 6))
		return below_group(l, m->root);
	/* Namespaces, which open to those only who have rights in them. */
	if (!strcmp(m->type, "nsfs"))
		return true;
	/* compile.c shows who shares the host's network the host's /sys, not to be written to. */
	return !l->v->spec->own[CT_NS_NETWORK] && !strncmp(m->at, "/sys", 4) &&
	       (!m->at[4] || m->at[4] == '/');
}

static int check_mounts(struct look *l, pid_t pid, struct err *e)
{
	auto_free char *text = NULL;
	char path[48], *rest, *line;
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", pid);
	if (stat(path, &st) < 0)
		return err_sys(e, "look at %s", path);
	for (size_t i = 0; i < l->seen_count; i++)
		if (l->seen[i] == st.st_ino)
			return 0;
	if (l->seen_count < ARRAY_SIZE(l->seen)) /* else it is looked at once more */
		l->seen[l->seen_count++] = st.st_ino;
	if (read_proc(pid, "mountinfo", &text, e) < 0)
		return -e->no;
	rest = text;
	while ((line = strsep(&rest, "\n")) && *line) {
		struct mount m;
		char what[160];

		if (!read_mount(line, &m))
			return refuse(pid, "has a mount that cannot be read", e);
		if (may_show(l, &m))
			continue;
		snprintf(what, sizeof(what), "sees %.60s of a file system of the host at %.60s",
			 m.root, m.at);
		return refuse(pid, what, e);
	}
	return 0;
}

static int check_thread(struct look *l, pid_t pid, pid_t tid, struct err *e)
{
	auto_free char *status = NULL;
	char name[48];
	int r;

	snprintf(name, sizeof(name), "task/%d/status", tid);
	r = read_proc(pid, name, &status, e);
	if (r < 0 || is_dead(status))
		return r;
	r = check_namespaces(l, pid, tid, e);
	if (r >= 0)
		r = check_status(l, tid, status, e);
	return r < 0 ? r : check_groups(l, pid, tid, e);
}

static int check_process(struct look *l, pid_t pid, struct err *e)
{
	auto_free char *status = NULL;
	int r = read_proc(pid, "status", &status, e);

	if (r < 0 || (is_dead(status) && pid != l->v->init))
		return r;
	r = each_thread(l, pid, check_thread, e);
	if (r >= 0)
		r = check_maps(l, pid, e);
	return r < 0 ? r : check_mounts(l, pid, e);
}

int cr_verify(const struct cr_verify *v, struct err *e)
{
	__attribute__((cleanup(look_done))) struct look l = {.v = v};
	int r = note_host_mounts(&l, e);

	if (r >= 0)
		r = l.member_count = cg_pids(v->cg, &l.members, e);
	if (r > 0)
		qsort(l.members, (size_t)r, sizeof(*l.members), by_number);
	if (r >= 0)
		r = find_tree(&l, e);
	for (size_t i = 0; r >= 0 && i < l.count; i++)
		r = check_process(&l, l.tree[i], e);
	return r < 0 ? r : 0;
}
