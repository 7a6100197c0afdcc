// SPDX-License-Identifier: GPL-2.0-only
/* /run/skep-net/INODE: one made, those of others swept. */
#include "runtime/net_place.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/lock.h"
#include "base/own.h"

#define LOCK_FILE "lock"

static int open_dir(int at, const char *name)
{
	return openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* Takes away the files, one by one, that nobody holds; the lock last, for whoever waits for it. */
static bool empty(int dir)
{
	auto_dir DIR *d = NULL;
	struct dirent *entry;
	int copy = open_dir(dir, ".");
	bool all = true;

	d = copy < 0 ? NULL : fdopendir(copy);
	if (!d && copy >= 0)
		close(copy);
	while (d && (entry = readdir(d))) {
		auto_fd int fd = -EBADF;

		if (entry->d_name[0] == '.' || !strcmp(entry->d_name, LOCK_FILE))
			continue;
		fd = openat(dir, entry->d_name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
		all &= fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 &&
		       unlinkat(dir, entry->d_name, 0) == 0;
	}
	return d && all;
}

/* Under its lock, which we do not wait for. Who has opened that before us finds it unlinked. */
static void sweep_one(int place, const char *name)
{
	auto_fd int dir = open_dir(place, name);
	auto_fd int lock = -EBADF;

	if (dir < 0)
		return;
	lock = openat(dir, LOCK_FILE, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	/* Without a lock it has been swept, or is being made: then it is not empty when we come to it, or made again. */
	if (lock >= 0 &&
	    (flock(lock, LOCK_EX | LOCK_NB) < 0 || !empty(dir) || unlinkat(dir, LOCK_FILE, 0) < 0))
		return;
	(void)unlinkat(place, name, AT_REMOVEDIR);
}

static void sweep_others(int place, const char *own)
{
	auto_dir DIR *d = NULL;
	struct dirent *entry;
	int copy = open_dir(place, ".");

	d = copy < 0 ? NULL : fdopendir(copy);
	if (!d && copy >= 0)
		close(copy);
	while (d && (entry = readdir(d)))
		if (entry->d_name[0] != '.' && strcmp(entry->d_name, own) != 0)
			sweep_one(place, entry->d_name);
}

int ct_net_place_open(struct err *e)
{
	auto_fd int place = -EBADF;
	auto_fd int dir = -EBADF;
	struct stat st;
	char name[24];
	bool made;

	if (stat("/proc/self/ns/net", &st) < 0)
		return err_sys(e, "look at the network namespace");
	snprintf(name, sizeof(name), "%" PRIu64, (uint64_t)st.st_ino);
	if (mkdir(CT_NET_PLACE, 0700) < 0 && errno != EEXIST)
		return err_sys(e, "make " CT_NET_PLACE);
	place = open_dir(AT_FDCWD, CT_NET_PLACE);
	if (place < 0)
		return err_sys(e, "open " CT_NET_PLACE);
	for (struct lock_tries t = {0}; dir < 0 && lock_try_again(&t, 0);) {
		made = mkdirat(place, name, 0700) == 0;
		if (!made && errno != EEXIST)
			return err_sys(e, "make " CT_NET_PLACE "/%s", name);
		if (made)
			sweep_others(place, name);
		dir = open_dir(place, name);
		/* One of another namespace may have swept it in between. */
		if (dir < 0 && errno != ENOENT)
			break;
	}
	return dir < 0 ? err_sys(e, "open " CT_NET_PLACE "/%s", name) : take_fd(&dir);
}

int ct_net_place_lock(int wait_ms, struct err *e)
{
	for (struct lock_tries t = {0}; lock_try_again(&t, wait_ms);) {
		auto_fd int dir = ct_net_place_open(e);
		auto_fd int fd = -EBADF;
		struct stat st;

		if (dir < 0)
			return dir;
		fd = openat(dir, LOCK_FILE, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (fd < 0 && errno == ENOENT)
			continue;
		if (fd < 0)
			return err_sys(e, "open the lock on the network");
		if (lock_take_open(fd, "the host's network", wait_ms, e) < 0)
			return -e->no;
		if (fstat(fd, &st) == 0 && st.st_nlink)
			return take_fd(&fd);
	}
	return err_set(e, EAGAIN, CT_NET_PLACE " is swept all the time");
}
