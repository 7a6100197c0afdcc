// SPDX-License-Identifier: GPL-2.0-only
/* A tmpfs over /dev/pts. */
#include "checkpoint/shelf.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/own.h"
#include "ns/mount.h"

int cr_shelf_make(struct err *e)
{
	if (mount("skep", CR_SHELF, "tmpfs", MS_NOSUID | MS_NOEXEC, "mode=755,size=64k") < 0)
		return err_sys(e, "make a place for mounts that criu can find");
	return 0;
}

int cr_shelf_put(const char *path, int mount, const char *what, struct err *e)
{
	auto_fd int at = -EBADF;
	struct stat st;

	if (fstatat(mount, "", &st, AT_EMPTY_PATH) < 0)
		return err_sys(e, "look at %s", what);
	if (S_ISDIR(st.st_mode)) {
		if (mkdir(path, 0700) < 0)
			return err_sys(e, "make %s for criu", path);
	} else {
		at = open(path, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		own_close_fd(&at);
	}
	at = open(path, O_PATH | O_CLOEXEC | O_NOFOLLOW);
	if (at < 0)
		return err_sys(e, "make %s for criu", path);
	return ns_mount_attach(mount, at, what, e);
}
