// SPDX-License-Identifier: GPL-2.0-only
/* Locks on files whose names say which bridge is going to be needed. */
#include "runtime/bridge_claim.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/own.h"
#include "runtime/net_place.h"

/* What this process, or the one that it was forked from, has claimed: theirs to their end. */
struct claim {
	int fd;
	struct claim *next;
};
static struct claim *ours;

static int open_file(const char *name, int flags, struct err *e)
{
	auto_fd int place = ct_net_place_open(e);
	char file[32];
	int fd;

	if (place < 0)
		return place;
	snprintf(file, sizeof(file), "bridge.%.15s", name);
	fd = openat(place, file, O_RDWR | O_NOFOLLOW | O_CLOEXEC | flags, 0600);
	if (fd < 0 && errno == ENOENT && !(flags & O_CREAT))
		return -ENOENT;
	return fd < 0 ? err_sys(e, "look at who needs bridge %s", name) : fd;
}

/* Another open file of the same inode: what it is to us is on the one by which we hold it. */
static const struct claim *find_ours(int fd)
{
	struct stat st, mine;

	if (fstat(fd, &st) < 0)
		return NULL;
	for (const struct claim *c = ours; c; c = c->next)
		if (fstat(c->fd, &mine) == 0 && mine.st_dev == st.st_dev &&
		    mine.st_ino == st.st_ino)
			return c;
	return NULL;
}

int ct_bridge_claim(const char *name, struct err *e)
{
	auto_fd int fd = open_file(name, O_CREAT, e);
	struct claim *c;

	if (fd < 0)
		return fd;
	if (find_ours(fd))
		return 0;
	c = malloc(sizeof(*c));
	if (!c)
		return err_set(e, ENOMEM, "claim bridge %s: no memory", name);
	if (flock(fd, LOCK_SH | LOCK_NB) < 0) {
		free(c);
		return err_sys(e, "claim bridge %s", name);
	}
	*c = (struct claim){.fd = take_fd(&fd), .next = ours};
	ours = c;
	return 0;
}

int ct_bridge_claimed(const char *name, struct err *e)
{
	auto_fd int fd = open_file(name, 0, e);
	const struct claim *own = fd < 0 ? NULL : find_ours(fd);
	int held = own ? own->fd : fd, r;

	if (fd < 0)
		return e->no ? -e->no : 0;
	r = flock(held, LOCK_EX | LOCK_NB);
	if (r < 0 && errno != EWOULDBLOCK)
		return err_sys(e, "look at who needs bridge %s", name);
	/* Got or not, our shared one has gone for it (flock(2)). Nobody takes the other kind while we have the network's lock. */
	if (own && flock(held, LOCK_SH | LOCK_NB) < 0)
		return err_sys(e, "claim bridge %s again", name);
	return r < 0;
}
