// SPDX-License-Identifier: GPL-2.0-only
#include "checkpoint/ctty.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/err.h"
#include "base/own.h"
#include "cgroups/kill.h"
#include "runtime/state.h"

#define TTY_RDEV makedev(5, 0) /* Documentation/admin-guide/devices.txt */

struct holders {
	dev_t console; /* its number */
	dev_t dev;     /* the file system that /dev/tty is on; 0: nobody yet */
	bool others;
};

/* tty_nr of proc_pid_stat(5), which has the minor number's upper bits above the major number; 0: none. */
static dev_t controlling(int proc)
{
	char text[512];
	auto_fd int fd = openat(proc, "stat", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	const char *name_end;
	int nr = 0;

	text[n > 0 ? n : 0] = 0;
	name_end = strrchr(text, ')');
	if (!name_end || sscanf(name_end + 1, " %*c %*d %*d %*d %d", &nr) != 1)
		return 0;
	return makedev(((unsigned)nr >> 8) & 0xfff, (nr & 0xff) | (((unsigned)nr >> 12) & 0xfff00));
}

static void look_at(struct holders *h, pid_t pid)
{
	char path[32];
	auto_fd int proc = -EBADF;
	auto_dir DIR *d = NULL;
	const struct dirent *entry;
	struct stat st;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d", pid);
	proc = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fd = proc < 0 ? -1 : openat(proc, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	d = fd < 0 ? NULL : fdopendir(fd);
	while (d && !h->others && (entry = readdir(d))) {
		if (entry->d_name[0] == '.' || fstatat(dirfd(d), entry->d_name, &st, 0) < 0 ||
		    !S_ISCHR(st.st_mode) || st.st_rdev != TTY_RDEV)
			continue;
		h->others = controlling(proc) != h->console || (h->dev && h->dev != st.st_dev);
		h->dev = st.st_dev;
	}
}

int cr_ctty_find(const struct ct_state *s, const struct cg *cg, char name[64], struct err *e)
{
	struct holders h = {0};
	unsigned long long console = 0;
	auto_free pid_t *pids = NULL;
	int n;

	name[0] = 0;
	if (s->system || sscanf(s->terminal, "%llx:", &console) != 1)
		return 0;
	h.console = (dev_t)console;
	n = cg_pids(cg, &pids, e);
	for (int i = 0; i < n && !h.others; i++)
		look_at(&h, pids[i]);
	if (n > 0 && h.dev && !h.others)
		snprintf(name, 64, "%llx:%llx", (unsigned long long)TTY_RDEV,
			 (unsigned long long)h.dev);
	return n < 0 ? n : 0;
}
