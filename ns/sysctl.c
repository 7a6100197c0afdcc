// SPDX-License-Identifier: GPL-2.0-only
/* The allow-list of namespaced settings, and a write that nothing can redirect. */
#include "ns/sysctl.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/own.h"
#include "base/sys.h"
#include "ns/mount.h"

#define KEY_MOST 200

enum owner { OWNER_NET, OWNER_IPC, OWNER_UTS, OWNER_USER };

/* A trailing '/' is a whole subtree. Each is kept by the kernel per namespace. */
static const struct {
	const char *key;
	enum owner owner;
} allowed[] = {
	{"net/", OWNER_NET},
	{"fs/mqueue/", OWNER_IPC},
	{"kernel/msgmax", OWNER_IPC},
	{"kernel/msgmnb", OWNER_IPC},
	{"kernel/msgmni", OWNER_IPC},
	{"kernel/sem", OWNER_IPC},
	{"kernel/shmall", OWNER_IPC},
	{"kernel/shmmax", OWNER_IPC},
	{"kernel/shmmni", OWNER_IPC},
	{"kernel/shm_rmid_forced", OWNER_IPC},
	{"kernel/hostname", OWNER_UTS},
	{"kernel/domainname", OWNER_UTS},
	{"user/", OWNER_USER},
};

static const char *const owner_names[] = {"network", "IPC", "UTS", "user"};

static int refuse(struct err *e, int no, const char *key, const char *why)
{
	err_set(e, no, "sysctl '%.100s': %s", key, why);
	return err_class(e, ERR_CONFIG);
}

/*
 * To the path form. As sysctl(8): if the first separator is a slash, dots are part of the names
 * ("net/ipv4/conf/eth0.1/forwarding").
 */
static int to_path(const char *key, char path[KEY_MOST + 1], struct err *e)
{
	size_t n = strlen(key), first = strcspn(key, "./");
	bool dots = key[first] == '.';

	if (n == 0 || n > KEY_MOST)
		return refuse(e, EINVAL, key, "empty or too long");
	for (size_t i = 0; i <= n; i++) {
		if (key[i] && !isalnum((unsigned char)key[i]) && !strchr("_-./:@", key[i]))
			return refuse(e, EINVAL, key, "a character that no setting has");
		path[i] = dots && key[i] == '.' ? '/' : dots && key[i] == '/' ? '.' : key[i];
	}
	if (path[0] == '/' || path[n - 1] == '/' || strstr(path, "//") || strstr(path, "/.") ||
	    path[0] == '.')
		return refuse(e, EINVAL, key, "not the name of a setting");
	return 0;
}

static bool has(const struct ns_sysctl_scope *scope, enum owner owner)
{
	switch (owner) {
	case OWNER_NET:
		return scope->net;
	case OWNER_IPC:
		return scope->ipc;
	case OWNER_UTS:
		return scope->uts;
	case OWNER_USER:
		return scope->user;
	}
	return false;
}

int ns_sysctl_check(const char *key, const char *value, const struct ns_sysctl_scope *scope,
		    struct err *e)
{
	char path[KEY_MOST + 1];
	int r = to_path(key, path, e);

	if (r < 0)
		return r;
	for (const char *p = value; *p; p++)
		if (((unsigned char)*p < ' ' && *p != '\t') || *p == 127)
			return refuse(e, EINVAL, key, "control character in the value");
	if (strlen(value) > 4000)
		return refuse(e, EINVAL, key, "value too long");
	for (size_t i = 0; i < ARRAY_SIZE(allowed); i++) {
		const char *a = allowed[i].key;
		size_t n = strlen(a);
		bool match = a[n - 1] == '/' ? !strncmp(path, a, n) : !strcmp(path, a);
		char why[80];

		if (!match)
			continue;
		if (has(scope, allowed[i].owner))
			return 0;
		snprintf(why, sizeof(why), "the container has no %s namespace of its own",
			 owner_names[allowed[i].owner]);
		return refuse(e, EPERM, key, why);
	}
	refuse(e, EPERM, key, "not a setting of a namespace");
	return err_hint(e, "it would change the whole host; set it there");
}

int ns_sysctl_procfs(struct err *e)
{
	/* Not subset=pid: that one has no sys directory. */
	return ns_mount_new("proc", "proc", NULL,
			    MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, e);
}

int ns_sysctl_write(int procfs, const char *key, const char *value, struct err *e)
{
	struct open_how how = {
		.flags = O_WRONLY | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS |
			   RESOLVE_NO_SYMLINKS,
	};
	char path[KEY_MOST + 1], full[KEY_MOST + 8];
	auto_fd int fd = -EBADF;
	size_t len = strlen(value);
	int r = to_path(key, path, e);

	if (r < 0)
		return r;
	snprintf(full, sizeof(full), "sys/%s", path);
	fd = sys_openat2(procfs, full, &how);
	if (fd < 0)
		return err_sys(e, "open sysctl %s", key);
	/* An empty value: a write of nothing sets nothing, a newline empties. */
	if (write(fd, len ? value : "\n", len ? len : 1) < 0)
		return err_sys(e, "set sysctl %s to '%.80s'", key, value);
	return 0;
}
