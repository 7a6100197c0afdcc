// SPDX-License-Identifier: GPL-2.0-only
/* Watches of files (inotify, fanotify): which of them criu cannot find the file of. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/fanotify.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/err.h"
#include "base/own.h"
#include "base/path.h"
#include "checkpoint/preflight_look.h"
#include "checkpoint/watches.h"

#define FDINFO_MOST  (4u << 20)
#define HANDLE_BYTES 128

/* Of the root file system: looked for all at once. */
struct cr_look_watches {
	uint64_t inodes[CR_WATCHES_INODES];
	struct {
		const struct cr_look_process *owner;
		int fd;
	} of[CR_WATCHES_INODES];
	size_t count;
};

struct handle {
	struct file_handle h;
	unsigned char bytes[HANDLE_BYTES];
};

struct cr_look_watches *cr_look_watches_new(void)
{
	return calloc(1, sizeof(struct cr_look_watches));
}

void cr_look_watches_free(struct cr_look_watches *w)
{
	free(w);
}

/* "... fhandle-bytes:c fhandle-type:1 f_handle:4e..." */
static bool read_handle(const char *text, struct handle *h)
{
	unsigned bytes, type;
	int at = 0;

	*h = (struct handle){0};
	if (sscanf(text, "fhandle-bytes:%x fhandle-type:%x f_handle: %n", &bytes, &type, &at) !=
		    2 ||
	    !at || !bytes || bytes > HANDLE_BYTES)
		return false;
	h->h.handle_bytes = bytes;
	h->h.handle_type = (int)type;
	for (unsigned i = 0; i < bytes; i++)
		if (sscanf(text + at + 2 * (size_t)i, "%2hhx", &h->bytes[i]) != 1)
			return false;
	return true;
}

static const struct cr_look_mount *mount_of(const struct cr_look *l, dev_t dev)
{
	const struct cr_look_mount *found = NULL;

	for (size_t i = 0; i < l->mount_count; i++)
		if (l->mounts[i].dev == dev &&
		    l->mounts[i].ns == cr_look_init(l)->ns[CR_LOOK_NS_MNT] &&
		    !l->mounts[i].hidden && (!found || !strcmp(l->mounts[i].root, "/")))
			found = &l->mounts[i];
	return found;
}

/* As criu does: by the handle to the file, to its name, and back to the same file. */
static bool is_reachable(const struct cr_look *l, const struct cr_look_mount *m, struct handle *h,
			 uint64_t inode)
{
	bool forgets = !strcmp(m->type, "tmpfs") || !strcmp(m->type, "devtmpfs");
	struct err ignored = {0};
	auto_fd int mount = cr_look_open_mount(l, m);
	auto_fd int file = mount < 0 ? -EBADF : open_by_handle_at(mount, &h->h, O_PATH | O_CLOEXEC);
	auto_fd int again = -EBADF;
	char self[48], link[PATH_MAX];
	struct stat st;
	ssize_t n;

	if (mount < 0)
		return true; /* who knows: a file can be mounted, too */
	if (file < 0)
		return false;
	/* Elsewhere the handle is still good after the restore. */
	if (!forgets)
		return true;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", file);
	n = readlink(self, link, sizeof(link) - 1);
	link[n > 0 ? n : 0] = 0;
	again = link[0] == '/' ? path_try_open_in(l->root, link, O_PATH | O_NOFOLLOW, &ignored)
			       : -EBADF;
	return again >= 0 && fstat(again, &st) == 0 && st.st_ino == inode;
}

static void say(struct cr_look *l, const struct cr_look_process *p, int fd, bool passing,
		const char *where)
{
	cr_look_add(l, p, "watch", passing, "restart that program",
		    "watches a file%s that cannot be found by a name any more (descriptor %d)",
		    where, fd);
}

static void look_at(struct cr_look *l, struct cr_look_watches *w, const struct cr_look_process *p,
		    int fd, const char *line)
{
	const char *text = strstr(line, "fhandle-bytes:");
	const struct cr_look_mount *m;
	struct handle h;
	uint64_t inode;
	unsigned dev;
	struct stat root;
	const char *at = strstr(line, "ino:");
	char where[96];

	if (!text || !at || sscanf(at, "ino:%" SCNx64 " sdev:%x", &inode, &dev) != 2 ||
	    fstat(l->root, &root) < 0)
		return;
	/* sdev is the kernel's number, with 20 bits of minor. */
	if (makedev(dev >> 20, dev & 0xfffff) == root.st_dev) {
		if (w && w->count < CR_WATCHES_INODES) {
			w->of[w->count].owner = p;
			w->of[w->count].fd = fd;
			w->inodes[w->count++] = inode;
		}
		return;
	}
	m = mount_of(l, makedev(dev >> 20, dev & 0xfffff));
	if (m && read_handle(text, &h) && is_reachable(l, m, &h, inode))
		return;
	/* In one that is on no mount of init's, or has no handles at all (proc), criu finds nothing. */
	snprintf(where, sizeof(where),
		 m ? " of %.80s" : " of a file system that is not mounted%.0s", m ? m->at : "");
	/* systemd keeps the watch of a removed control group until it is its turn to look. */
	say(l, p, fd, m && !strncmp(m->type, "cgroup", 6), where);
}

void cr_look_watch(struct cr_look *l, struct cr_look_watches *w, const struct cr_look_process *p,
		   int fd)
{
	auto_free char *text = NULL;
	char file[32];
	unsigned flags, id;

	snprintf(file, sizeof(file), "fdinfo/%d", fd);
	text = cr_look_read(p, file, FDINFO_MOST);
	for (char *line = text, *end; line && *line; line = end) {
		end = line + strcspn(line, "\n");
		end += *end != 0;
		if (end[-1] == '\n')
			end[-1] = 0;
		if (!strncmp(line, "inotify wd:", 11) || !strncmp(line, "fanotify ino:", 13))
			look_at(l, w, p, fd, line);
		else if (sscanf(line, "fanotify flags:%x", &flags) == 1 && l->ct->s.id_base &&
			 !(flags & FAN_REPORT_FID))
			cr_look_add(
				l, p, "watch", false, "stop it first",
				"watches by fanotify as only the host's root may (descriptor %d), "
				"which cannot be made again",
				fd);
		else if (sscanf(line, "fanotify mnt_id:%x", &id) == 1 && !cr_look_mount(l, (int)id))
			say(l, p, fd, false, "s of a mount that is not the container's");
	}
}

void cr_look_watches(struct cr_look *l, const struct cr_look_watches *w)
{
	auto_free uint64_t *lost = malloc(sizeof(w->inodes));
	auto_fd int root = openat(l->root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	size_t n;

	if (!lost || root < 0 || !w->count || l->quickly)
		return;
	memcpy(lost, w->inodes, w->count * sizeof(*lost));
	n = cr_watches_lost(root, lost, w->count);
	for (size_t i = 0; i < w->count; i++)
		for (size_t k = 0; k < n; k++)
			if (lost[k] == w->inodes[i]) {
				say(l, w->of[i].owner, w->of[i].fd, false, "");
				break;
			}
}
