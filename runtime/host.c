// SPDX-License-Identifier: GPL-2.0-only
/* Where things are on this host: the two roots, the directories in them, the host's lock. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/lock.h"
#include "base/own.h"
#include "runtime/system.h"

/* Who has it only reads definitions and writes one: a minute is many turns. */
#define HOST_LOCK_WAIT_MS 60000

/*
 * Makes the directory and finds its real name: the control groups of a state directory are named after it (ct_compile_cgroup), and one directory
 * must not have two names.
 */
static int place(const char *what, const char *path, char out[256], struct err *e)
{
	auto_free char *real = NULL;
	auto_fd int dir = file_mkdirs_at(AT_FDCWD, path, 0700, e);

	if (dir < 0)
		return err_wrap(e, "%s", what);
	real = realpath(path, NULL);
	if (!real)
		return err_sys(e, "find the real name of %s %s", what, path);
	if (strlen(real) >= 256) {
		err_set(e, ENAMETOOLONG, "%s: the path is longer than 255 bytes", what);
		return err_class(e, ERR_VALUE);
	}
	snprintf(out, 256, "%s", real);
	return 0;
}

int ct_host_init(struct ct_host *h, const char *root, const char *state, struct err *e)
{
	memset(h, 0, sizeof(*h));
	if (ct_conf_load(&h->conf, e) < 0)
		return -e->no;
	if (place("root directory", root && root[0] ? root : h->conf.root, h->root, e) < 0)
		return -e->no;
	return place("state directory", state && state[0] ? state : h->conf.state, h->state, e);
}

static int open_below(const char *root, const char *name, struct err *e)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", root, name);
	return file_mkdirs_at(AT_FDCWD, path, 0700, e);
}

int ct_host_templates(const struct ct_host *h, struct err *e)
{
	return open_below(h->root, "templates", e);
}

int ct_host_cache(const struct ct_host *h, struct err *e)
{
	return open_below(h->state, ".cache", e);
}

int ct_host_containers(const struct ct_host *h, struct err *e)
{
	return open_below(h->root, "ct", e);
}

int ct_host_lock(const struct ct_host *h, const char *verb, struct err *e)
{
	auto_fd int root = open_below(h->root, ".", e);
	int r;

	if (root < 0)
		return root;
	r = lock_take_at(root, "lock", verb, HOST_LOCK_WAIT_MS, e);
	return r < 0 ? err_wrap(e, "%s", h->root) : r;
}
