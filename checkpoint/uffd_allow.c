// SPDX-License-Identifier: GPL-2.0-only
/* vm.unprivileged_userfaultfd, set as long as somebody needs it. */
#include "checkpoint/uffd_allow.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/own.h"

#define SETTING	  "/proc/sys/vm/unprivileged_userfaultfd"
#define LOCK_FILE "/run/skep-uffd.lock" /* one for the kernel, whatever --state says */

/*
 * The file holds the former value while the setting may be ours, and is empty else. Two locks on two bytes of it, of the open file description (F_OFD_SETLK): the first
 * byte makes changes one at a time; the second is shared by all who have it allowed, so whoever gets it alone is the last one.
 */
enum { CHANGE, USERS };

static int lock_byte(int fd, off_t byte, short type, bool wait)
{
	struct flock l = {.l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
	int r;

	do
		r = fcntl(fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, &l);
	while (r < 0 && errno == EINTR);
	return r;
}

/* The setting goes back if nobody else needs it: 1, it did. Under CHANGE. */
static int restore(int fd, struct err *e)
{
	char value[16] = "";
	ssize_t n = pread(fd, value, sizeof(value) - 1, 0);

	if (n <= 0)
		return n < 0 ? err_sys(e, "read " LOCK_FILE) : 0;
	if (lock_byte(fd, USERS, F_WRLCK, false) < 0)
		return errno == EAGAIN || errno == EACCES ? 0 : err_sys(e, "lock " LOCK_FILE);
	if (file_write_at(AT_FDCWD, SETTING, value, e) < 0)
		return -e->no;
	return ftruncate(fd, 0) < 0 ? err_sys(e, "empty " LOCK_FILE) : 1;
}

/* Writes down what it was, then sets it. Under CHANGE. */
static int allow(int fd, struct err *e)
{
	auto_free char *now = NULL;
	char noted;

	if (file_read_at(AT_FDCWD, SETTING, 64, &now, e) < 0)
		return -e->no;
	if (now[0] == '1')
		return 0;
	if (pread(fd, &noted, 1, 0) == 0 && pwrite(fd, now, strlen(now), 0) < 0)
		return err_sys(e, "write " LOCK_FILE);
	return file_write_at(AT_FDCWD, SETTING, "1", e);
}

static int open_lock(int flags, struct err *e)
{
	auto_fd int fd = open(LOCK_FILE, O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, 0600);

	if (fd < 0)
		return errno == ENOENT ? -ENOENT : err_sys(e, "open " LOCK_FILE);
	if (lock_byte(fd, CHANGE, F_WRLCK, true) < 0)
		return err_sys(e, "lock " LOCK_FILE);
	return take_fd(&fd);
}

int cr_uffd_allow(struct err *e)
{
	auto_fd int fd = open_lock(O_CREAT, e);

	if (fd < 0)
		return e->no ? -e->no : err_set(e, ENOENT, "open " LOCK_FILE);
	if (lock_byte(fd, USERS, F_RDLCK, true) < 0)
		return err_sys(e, "lock " LOCK_FILE);
	if (allow(fd, e) < 0) {
		err_hint(e, "sysctl vm.unprivileged_userfaultfd=1, or use another --mode");
		return err_class(e, ERR_UNSUPPORTED);
	}
	if (lock_byte(fd, CHANGE, F_UNLCK, true) < 0)
		return err_sys(e, "unlock " LOCK_FILE);
	return take_fd(&fd);
}

void cr_uffd_disallow(int *fd)
{
	struct err why = {0};

	if (*fd < 0)
		return;
	if (lock_byte(*fd, CHANGE, F_WRLCK, true) < 0 || lock_byte(*fd, USERS, F_UNLCK, true) < 0 ||
	    restore(*fd, &why) < 0)
		log_warn("vm.unprivileged_userfaultfd stays 1: %s",
			 why.no ? why.text : strerror(errno));
	own_close_fd(fd);
}

int cr_uffd_mend(struct err *e)
{
	auto_fd int fd = open_lock(0, e);

	if (fd < 0)
		return e->no ? -e->no : 0;
	return restore(fd, e);
}
