// SPDX-License-Identifier: GPL-2.0-only
/* A new terminal of the host's where criu's images have another one. */
#include "checkpoint/console.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/err.h"
#include "base/own.h"
#include "checkpoint/criu.h"
#include "checkpoint/record.h"
#include "checkpoint/shelf.h"
#include "ns/console.h"
#include "ns/mount.h"

/* "8805:1a", the number and the file system of a terminal's slave (Documentation/admin-guide/devices.txt: majors 136 to 143). */
static int old_console_path(const char *terminal, char path[64], struct err *e)
{
	unsigned long long rdev;

	if (sscanf(terminal, "%llx:", &rdev) != 1 || major(rdev) < 136 || major(rdev) > 143) {
		err_set(e, EINVAL, CR_RECORD_FILE ": '%s' is no console", terminal);
		return err_class(e, ERR_RESTORE);
	}
	snprintf(path, 64, CR_SHELF "/%u", (major(rdev) - 136) * 256 + minor(rdev));
	return 0;
}

/* Another terminal of the host's, on which criu puts what was on the old one. */
int cr_console_make(struct cr_console *c, const struct cr_record *record, struct ct_state *s,
		    int *master, struct err *e)
{
	const char *old = record->terminal;
	struct stat st;
	char path[64];
	int n;

	if (!old[0])
		return 0;
	snprintf(c->old, sizeof(c->old), "%s", old);
	snprintf(c->ctty, sizeof(c->ctty), "%s", record->ctty);
	n = ns_console_new_host(master, &c->slave, e);
	if (n >= 0)
		n = ns_console_chown(c->slave, s->id_base, s->id_base, e);
	if (n < 0)
		return n;
	if (fstat(c->slave, &st) < 0)
		return err_sys(e, "stat the console");
	snprintf(s->terminal, sizeof(s->terminal), "%llx:%llx", (unsigned long long)st.st_rdev,
		 (unsigned long long)st.st_dev);
	if (old_console_path(old, c->old_path, e) < 0)
		return -e->no;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", c->slave);
	c->mount = ns_mount_clone(AT_FDCWD, path, 0, e);
	return c->mount < 0 ? c->mount : 0;
}

/*
 * criu makes the mounts of the console in the container's main mount namespace from where we say, but those in the namespaces of its services from where the
 * old one was on the host. So both is the same place: a file of that name in front of the host's terminals, which criu needs for nothing else.
 */
int cr_console_attach(const struct cr_console *c, struct err *e)
{
	return c->mount < 0 ? 0 : cr_shelf_put(c->old_path, c->mount, "the console", e);
}

void cr_console_add(const struct cr_console *c, struct cr_criu *criu)
{
	if (c->slave < 0)
		return;
	cr_criu_add(criu, "--inherit-fd");
	cr_criu_add(criu, "fd[%d]:tty[%s]", cr_criu_pass(criu, c->slave), c->old);
	if (c->ctty[0]) {
		cr_criu_add(criu, "--inherit-fd");
		cr_criu_add(criu, "fd[%d]:tty[%s]", cr_criu_pass(criu, c->slave), c->ctty);
	}
	cr_criu_add(criu, "--external");
	cr_criu_add(criu, "mnt[console]:%s", c->old_path);
}

void cr_console_done(struct cr_console *c)
{
	own_close_fd(&c->slave);
	own_close_fd(&c->mount);
}
