// SPDX-License-Identifier: GPL-2.0-only
/* /proc/PID/attr. */
#include "ns/lsm.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/err.h"
#include "base/own.h"
#include "base/sys.h"

#define PROC_ROOT_INODE 1 /* PROC_ROOT_INO, include/linux/proc_fs.h */

bool ns_lsm_has(enum ns_lsm lsm)
{
	auto_fd int fd = -EBADF;
	struct statfs fs;
	char word = 'N';

	if (lsm == NS_LSM_SELINUX)
		return statfs("/sys/fs/selinux", &fs) == 0 && fs.f_type == SELINUX_MAGIC;
	fd = open("/sys/module/apparmor/parameters/enabled", O_RDONLY | O_CLOEXEC);
	return fd >= 0 && read(fd, &word, 1) == 1 && word == 'Y';
}

static int open_proc(struct err *e)
{
	auto_fd int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct statfs fs;
	struct stat st;

	if (proc < 0 || fstatfs(proc, &fs) < 0 || fstat(proc, &st) < 0)
		return err_sys(e, "open /proc in the container");
	if (fs.f_type != PROC_SUPER_MAGIC || st.st_ino != PROC_ROOT_INODE) {
		err_set(e, EINVAL,
			"/proc in the container is no proc, through which a label is set");
		return err_class(e, ERR_CONFIG);
	}
	return take_fd(&proc);
}

int ns_lsm_exec(enum ns_lsm lsm, const char *label, struct err *e)
{
	struct open_how how = {.flags = O_WRONLY | O_CLOEXEC,
			       .resolve = RESOLVE_BENEATH | RESOLVE_NO_XDEV |
					  RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS};
	bool apparmor = lsm == NS_LSM_APPARMOR;
	auto_fd int proc = open_proc(e);
	auto_fd int fd = -EBADF;
	auto_free char *text = NULL;
	char path[64];
	int len = asprintf(&text, "%s%s", apparmor ? "exec " : "", label);

	if (proc < 0)
		return proc;
	if (len < 0) {
		text = NULL;
		return err_set(e, ENOMEM, "out of memory for a label");
	}
	snprintf(path, sizeof(path), "%d/attr/%s", getpid(), apparmor ? "apparmor/exec" : "exec");
	fd = sys_openat2(proc, path, &how);
	/* Kernels before 5.8, or without stacked modules, have one file for whichever there is. */
	if (fd < 0 && errno == ENOENT && apparmor) {
		snprintf(path, sizeof(path), "%d/attr/exec", getpid());
		fd = sys_openat2(proc, path, &how);
	}
	if (fd < 0)
		return err_sys(e, "open /proc/%s", path);
	if (write(fd, text, (size_t)len) != len) {
		/* Podman tells by a file in backticks, the last ones, what could not be labelled (libpod/oci_util.go, getOCIRuntimeError()). */
		err_sys(e, "write the %s '%.100s' to `/proc/%s`",
			apparmor ? "AppArmor profile" : "SELinux label", label, path);
		return e->no == ENOENT && apparmor ? err_hint(e, "the profile is not loaded")
						   : -e->no;
	}
	return 0;
}
