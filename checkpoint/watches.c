// SPDX-License-Identifier: GPL-2.0-only
/* From the inotify and fanotify descriptors of a container's processes to paths in its root file system. */
#include "checkpoint/watches.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/own.h"
#include "cgroups/kill.h"

/* The container decides how much there is to look at, so it is bounded. */
#define NAMES_MOST 500000
#define DEPTH_MOST 48

struct watches {
	dev_t dev; /* of the root file system */
	uint64_t *inodes;
	size_t count, left;
	char paths[CR_WATCHES_MOST][512];
	unsigned path_count;
	char tops[32][300]; /* their first components */
	unsigned top_count;
	unsigned names; /* looked at so far */
};

static void note_inode(struct watches *w, uint64_t inode)
{
	for (size_t i = 0; i < w->count; i++)
		if (w->inodes[i] == inode)
			return;
	if (w->count < CR_WATCHES_INODES)
		w->inodes[w->count++] = inode;
}

/*
 * "inotify wd:1 ino:a7989a sdev:4b mask:80c ...", "fanotify ino:a7989a sdev:4b ...": sdev is the kernel's number, with 20 bits of minor.
 */
static void read_fdinfo(struct watches *w, const char *text)
{
	for (const char *p = text; (p = strstr(p, " ino:")); p++) {
		uint64_t inode;
		unsigned dev;

		if (sscanf(p, " ino:%" SCNx64 " sdev:%x", &inode, &dev) == 2 &&
		    makedev(dev >> 20, dev & 0xfffff) == w->dev)
			note_inode(w, inode);
	}
}

/* A process that ends meanwhile has nothing to be found. */
static void read_process(struct watches *w, pid_t pid)
{
	char path[64], link[64];
	auto_dir DIR *d = NULL;
	const struct dirent *entry;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	d = opendir(path);
	while (d && (entry = readdir(d))) {
		auto_free char *text = NULL;
		struct err ignored = {0};
		ssize_t n = readlinkat(dirfd(d), entry->d_name, link, sizeof(link) - 1);

		link[n > 0 ? n : 0] = 0;
		if (strcmp(link, "anon_inode:inotify") != 0 &&
		    strcmp(link, "anon_inode:[fanotify]") != 0)
			continue;
		snprintf(path, sizeof(path), "/proc/%d/fdinfo/%.16s", pid, entry->d_name);
		if (file_try_read_at(AT_FDCWD, path, 4 << 20, &text, &ignored) > 0)
			read_fdinfo(w, text);
	}
}

static void note_path(struct watches *w, const char *path)
{
	size_t top = 1 + strcspn(path + 1, "/");

	if (w->path_count < CR_WATCHES_MOST && strlen(path) < sizeof(w->paths[0]))
		snprintf(w->paths[w->path_count], sizeof(w->paths[0]), "%s", path);
	w->path_count++;
	for (unsigned i = 0; i < w->top_count; i++)
		if (strlen(w->tops[i]) == top && !strncmp(w->tops[i], path, top))
			return;
	if (w->top_count < ARRAY_SIZE(w->tops))
		snprintf(w->tops[w->top_count++], sizeof(w->tops[0]), "%.*s", (int)top, path);
}

static void check(struct watches *w, uint64_t inode, const char *path)
{
	for (size_t i = 0; i < w->left; i++)
		if (w->inodes[i] == inode) {
			w->inodes[i] = w->inodes[--w->left];
			note_path(w, path);
			return;
		}
}

/* Through a tree that a container may change meanwhile: by descriptors, over no link, on this file system only. Takes dir. */
static void walk(struct watches *w, int *dir, const char *path, int depth)
{
	int copy = take_fd(dir);
	auto_dir DIR *d = fdopendir(copy);
	const struct dirent *entry;

	if (!d) {
		close(copy);
		return;
	}
	while (w->left && (entry = readdir(d)) && w->names++ < NAMES_MOST) {
		char below[4096];
		auto_fd int child = -EBADF;
		struct stat st;

		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..") ||
		    snprintf(below, sizeof(below), "%s/%s", path, entry->d_name) >=
			    (int)sizeof(below) ||
		    fstatat(dirfd(d), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    st.st_dev != w->dev)
			continue;
		check(w, st.st_ino, below);
		if (!S_ISDIR(st.st_mode) || depth >= DEPTH_MOST)
			continue;
		child = openat(dirfd(d), entry->d_name,
			       O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		if (child >= 0)
			walk(w, &child, below, depth + 1);
	}
}

int cr_watches_find(const struct cg *cg, pid_t init, void (*found)(const char *path, void *arg),
		    void *arg, struct err *e)
{
	auto_free struct watches *w = calloc(1, sizeof(*w));
	auto_free uint64_t *inodes = calloc(CR_WATCHES_INODES, sizeof(*inodes));
	auto_free pid_t *pids = NULL;
	auto_fd int root = -EBADF;
	char path[48];
	struct stat st;
	int n = cg_pids(cg, &pids, e);

	if (n < 0)
		return n;
	snprintf(path, sizeof(path), "/proc/%d/root", init);
	root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (!w || !inodes)
		return err_set(e, ENOMEM, "look for watched files: no memory");
	if (root < 0 || fstat(root, &st) < 0)
		return err_sys(e, "open the root file system of process %d", init);
	w->inodes = inodes;
	w->dev = st.st_dev;
	for (int i = 0; i < n; i++)
		read_process(w, pids[i]);
	w->left = w->count;
	check(w, st.st_ino, "/");
	if (w->left)
		walk(w, &root, "", 0);
	log_debug("%zu watched files, %zu without a path, %u names seen", w->count, w->left,
		  w->names);
	if (w->path_count <= CR_WATCHES_MOST)
		for (unsigned i = 0; i < w->path_count; i++)
			found(w->paths[i], arg);
	else
		for (unsigned i = 0; i < w->top_count; i++)
			found(w->tops[i], arg);
	return 0;
}

size_t cr_watches_lost(int root, uint64_t *inodes, size_t count)
{
	auto_free struct watches *w = calloc(1, sizeof(*w));
	auto_fd int top = fcntl(root, F_DUPFD_CLOEXEC, 0);
	struct stat st;

	if (!w || top < 0 || fstat(root, &st) < 0)
		return 0;
	w->inodes = inodes;
	w->dev = st.st_dev;
	/* One that is watched twice is looked for once. */
	for (size_t i = 0; i < count; i++)
		note_inode(w, inodes[i]);
	w->left = w->count;
	check(w, st.st_ino, "/");
	if (w->left)
		walk(w, &top, "", 0);
	/* One that was not looked at may be anywhere. */
	return w->names < NAMES_MOST ? w->left : 0;
}
