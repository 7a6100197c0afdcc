// SPDX-License-Identifier: GPL-2.0-only
/* From a directory to the disk that it is on. */
#include "runtime/own_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/own.h"

static int no_disk(struct err *e)
{
	err_set(e, EOPNOTSUPP,
		"io limits: the files of its containers are on no disk of this host");
	err_hint(e, "a tmpfs, btrfs or network file system has none; use --root on another one");
	return err_class(e, ERR_LIMIT);
}

/* "254:1" and, of a partition, that of the disk it is a part of. */
static int find(int dir, unsigned *major_out, unsigned *minor_out, struct err *e)
{
	struct stat st;
	char path[80];
	auto_fd int sys = -EBADF;
	auto_free char *text = NULL;

	if (fstat(dir, &st) < 0)
		return err_sys(e, "io limits: look at the container's directory");
	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u", major(st.st_dev), minor(st.st_dev));
	sys = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (sys < 0)
		return no_disk(e);
	if (file_read_at(sys, faccessat(sys, "partition", F_OK, 0) ? "dev" : "../dev", 64, &text,
			 e) < 0)
		return -e->no;
	return sscanf(text, "%u:%u", major_out, minor_out) == 2 ? 0 : no_disk(e);
}

int ct_own_disk(int dir, struct cg_limits *l, struct err *e)
{
	for (size_t i = 0; i < l->io_count; i++)
		if (ct_is_own_disk(&l->io[i]) && find(dir, &l->io[i].major, &l->io[i].minor, e) < 0)
			return -e->no;
	return 0;
}
