// SPDX-License-Identifier: GPL-2.0-only
/* The mounts of a container, in all its mount namespaces: which criu cannot make again, and which hide files. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/own.h"
#include "base/path.h"
#include "checkpoint/preflight_look.h"
#include "ns/mountinfo.h"

/* Those that criu knows (filesystems.c); fuse is among them only to be refused. */
static const char *const known[] = {"proc",	  "sysfs",   "devtmpfs", "binfmt_misc", "tmpfs",
				    "devpts",	  "simfs",   "btrfs",	 "pstore",	"mqueue",
				    "securityfs", "fusectl", "debugfs",	 "tracefs",	"cgroup",
				    "cgroup2",	  "aufs",    "overlay",	 "autofs"};

static bool is_known(const char *type)
{
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (!strcmp(type, known[i]))
			return true;
	return false;
}

static int add_mount(struct cr_look *l, const struct cr_look_mount *m)
{
	if (l->mount_count == l->mount_room) {
		size_t room = l->mount_room ? l->mount_room * 2 : 64;
		struct cr_look_mount *more = realloc(l->mounts, room * sizeof(*more));

		if (!more)
			return -1;
		l->mounts = more;
		l->mount_room = room;
	}
	l->mounts[l->mount_count++] = *m;
	return 0;
}

static int read_list(struct cr_look *l, const struct cr_look_process *p, struct err *e)
{
	char *text = cr_look_read(p, "mountinfo", NS_MOUNTINFO_MOST);
	char **more = realloc(l->texts, (l->text_count + 1) * sizeof(*more));
	struct ns_mountinfo i;
	int r;

	if (more)
		l->texts = more;
	if (!text || !more) {
		free(text);
		return more ? 0 : err_set(e, ENOMEM, "read the mounts: no memory");
	}
	l->texts[l->text_count++] = text;
	while ((r = ns_mountinfo_next(&text, &i))) {
		struct cr_look_mount m = {.id = (int)i.id,
					  .parent = (int)i.parent,
					  .dev = i.dev,
					  .ns = p->ns[CR_LOOK_NS_MNT],
					  .root = i.root,
					  .at = i.at,
					  .type = i.type};

		if (r > 0 && add_mount(l, &m) < 0)
			return err_set(e, ENOMEM, "read the mounts: no memory");
	}
	return 0;
}

static bool is_below(const char *path, const char *top)
{
	size_t n = strlen(top);

	if (!strcmp(top, "/"))
		return true;
	return !strncmp(path, top, n) && (path[n] == 0 || path[n] == '/');
}

/* As criu's mnt_is_overmounted(): something is mounted over it, over what it is in, or beside it at a place above. list: of its namespace. */
static bool is_hidden(const struct cr_look_mount *list, size_t n, const struct cr_look_mount *m)
{
	const struct cr_look_mount *up = m;

	for (size_t i = 0; i < n; i++)
		if (list[i].parent == m->id && &list[i] != m && !strcmp(list[i].at, m->at))
			return true;
	for (int depth = 0; up && depth < 100; depth++) {
		const struct cr_look_mount *parent = NULL;

		for (size_t i = 0; i < n; i++) {
			const struct cr_look_mount *o = &list[i];

			if (o == up)
				continue;
			if (o->id == up->parent)
				parent = o;
			else if (o->parent == up->parent && is_below(up->at, o->at))
				return true;
		}
		up = parent;
	}
	return false;
}

static int read_namespace(struct cr_look *l, const struct cr_look_process *p, struct err *e)
{
	size_t from = l->mount_count;
	int r = read_list(l, p, e);

	for (size_t i = from; r >= 0 && i < l->mount_count; i++)
		l->mounts[i].hidden =
			is_hidden(l->mounts + from, l->mount_count - from, &l->mounts[i]);
	return r;
}

int cr_look_read_mounts(struct cr_look *l, struct err *e)
{
	const struct cr_look_process *init = cr_look_init(l);
	int r = read_namespace(l, init, e);

	for (size_t i = 0; r >= 0 && i < l->process_count; i++) {
		const struct cr_look_process *p = &l->processes[i];
		bool have = p->state == 'Z' || p->state == 'X' || !p->ns[CR_LOOK_NS_MNT];

		for (size_t k = 0; !have && k < i; k++)
			have = l->processes[k].ns[CR_LOOK_NS_MNT] == p->ns[CR_LOOK_NS_MNT];
		if (!have && p->ns[CR_LOOK_NS_MNT] != init->ns[CR_LOOK_NS_MNT])
			r = read_namespace(l, p, e);
	}
	return r;
}

/* What the host has mounted, too, is found there again ("mnt[]:sm"): the root of one of its mounts is that path or above it. */
static bool host_has(const struct ns_mountinfo *host, size_t n, const struct cr_look_mount *m)
{
	for (size_t i = 0; i < n; i++)
		if (host[i].dev == m->dev && is_below(m->root, host[i].root))
			return true;
	return false;
}

/* A bind of something whose own mount is not in the container, nor on the host: of a namespace file, most of all. */
static bool has_source(const struct cr_look *l, const struct cr_look_mount *m)
{
	for (size_t i = 0; i < l->mount_count; i++)
		if (l->mounts[i].dev == m->dev && !strcmp(l->mounts[i].root, "/"))
			return true;
	return false;
}

static const struct cr_look_process *whose(const struct cr_look *l, uint64_t ns)
{
	for (size_t i = 0; i < l->process_count; i++)
		if (l->processes[i].ns[CR_LOOK_NS_MNT] == ns)
			return &l->processes[i];
	return NULL;
}

int cr_look_open_mount(const struct cr_look *l, const struct cr_look_mount *m)
{
	auto_free char *at = strdup(m->at);
	struct err ignored = {0};

	if (!at)
		return -ENOMEM;
	return path_try_open_in(l->root, ns_mountinfo_unescape(at), O_RDONLY | O_DIRECTORY,
				&ignored);
}

static bool has_files(const struct cr_look *l, const struct cr_look_mount *m)
{
	int fd = cr_look_open_mount(l, m);
	auto_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	while (d && (entry = readdir(d)))
		if (entry->d_name[0] != '.')
			return true;
	return false;
}

void cr_look_mounts(struct cr_look *l)
{
	const struct cr_look_process *init = cr_look_init(l);
	auto_free struct ns_mountinfo *host = NULL;
	auto_free char *text = NULL;
	struct err ignored = {0};
	ssize_t n = -1;

	if (file_read_at(AT_FDCWD, "/proc/self/mountinfo", NS_MOUNTINFO_MOST, &text, &ignored) >= 0)
		n = ns_mountinfo_list(text, &host, &ignored);
	for (size_t i = 0; n >= 0 && i < l->mount_count; i++) {
		const struct cr_look_mount *m = &l->mounts[i];
		const struct cr_look_process *p =
			m->ns == init->ns[CR_LOOK_NS_MNT] ? NULL : whose(l, m->ns);

		if (!strcmp(m->type, "mqueue") && !m->hidden && !p && has_files(l, m))
			cr_look_add(
				l, NULL, "queue", false,
				"remove them, or end the program whose they are",
				"has POSIX message queues (in %.120s), which cannot be taken along",
				m->at);
		/* Control groups look rooted elsewhere from outside of their namespace. */
		if (is_known(m->type) && (!strcmp(m->root, "/") || !strncmp(m->type, "cgroup", 6)))
			continue;
		if (host_has(host, (size_t)n, m))
			continue;
		if (!strcmp(m->type, "nsfs"))
			cr_look_add(
				l, p, "mount", false, "unmount it (`ip netns delete`, for one)",
				"has a namespace mounted at %.120s, which cannot be taken along",
				m->at);
		else if (!is_known(m->type) && !strcmp(m->root, "/"))
			cr_look_add(l, p, "mount", false, "unmount it first",
				    "has a file system mounted at %.120s whose kind (%.32s) cannot "
				    "be taken along",
				    m->at, m->type);
		else if (!has_source(l, m))
			cr_look_add(l, p, "mount", false, "unmount it first",
				    "has something mounted at %.120s (%.32s) whose source is on no "
				    "mount of it",
				    m->at, m->type);
	}
}
