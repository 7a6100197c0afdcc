// SPDX-License-Identifier: GPL-2.0-only
/* Users and groups out of a hostile passwd and group file. */
#include "ns/user.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/own.h"
#include "base/path.h"
#include "ns/self.h"

#define FILE_MOST (1u << 20)
#define FIELDS	  7

/* A whole decimal number below 2^32 - 1 (that one means "unchanged" to the kernel). */
static bool parse_id(const char *text, uint32_t *id)
{
	uint64_t v = 0;

	if (!*text)
		return false;
	for (const char *p = text; *p; p++) {
		if (*p < '0' || *p > '9')
			return false;
		v = v * 10 + (uint64_t)(*p - '0');
		if (v >= UINT32_MAX)
			return false;
	}
	*id = (uint32_t)v;
	return true;
}

/* At most FILE_MOST bytes of a regular file; a missing one is an empty text. A FIFO there must not
 * hang us. */
static int read_file(int root, const char *path, char **text, struct err *e)
{
	auto_fd int fd = path_try_open_in(root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, e);
	auto_free char *buf = fd == -ENOENT ? calloc(1, 1) : malloc(FILE_MOST + 1);
	struct stat st;
	size_t len = 0;
	ssize_t n = 0;

	if (fd < 0 && fd != -ENOENT)
		return fd;
	if (!buf)
		return err_set(e, ENOMEM, "out of memory for %s", path);
	if (fd >= 0 && (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)))
		return err_set(e, EINVAL, "/%s of the container is not a regular file", path);
	while (fd >= 0 && len < FILE_MOST && (n = read(fd, buf + len, FILE_MOST - len)) > 0)
		len += (size_t)n;
	if (n < 0)
		return err_sys(e, "read /%s of the container", path);
	buf[len] = 0;
	*text = take_ptr(&buf);
	return 0;
}

/* Takes the next line of *rest apart at its colons, in place. Returns the number of fields, 0 at
 * the end. */
static int next_line(char **rest, char *fields[FIELDS])
{
	char *line = strsep(rest, "\n");
	int n = 0;

	if (!line)
		return 0;
	while (n < FIELDS && line)
		fields[n++] = strsep(&line, ":");
	return n;
}

static void copy_field(char *to, size_t size, const char *from)
{
	if (strlen(from) < size)
		snprintf(to, size, "%s", from);
}

/* Fills user from its line, found by name or by number. Returns whether there was one. */
static bool find_user(char *passwd, const char *who, bool number, struct ns_user *user)
{
	char *f[FIELDS];
	uint32_t uid, gid;
	int n;

	for (char *rest = passwd; (n = next_line(&rest, f)) > 0;) {
		if (n < 4 || !*f[0] || !parse_id(f[2], &uid) || !parse_id(f[3], &gid))
			continue;
		if (number ? uid != user->uid : strcmp(f[0], who) != 0)
			continue;
		user->uid = uid;
		user->gid = gid;
		copy_field(user->name, sizeof(user->name), f[0]);
		if (n > 5 && *f[5] == '/')
			copy_field(user->home, sizeof(user->home), f[5]);
		if (n > 6 && *f[6] == '/')
			copy_field(user->shell, sizeof(user->shell), f[6]);
		return true;
	}
	return false;
}

static bool is_member(char *members, const char *name)
{
	char *m;

	while (members && (m = strsep(&members, ",")))
		if (!strcmp(m, name))
			return true;
	return false;
}

/* All groups that list the user, up to the bound; more are left out as initgroups(3) would have to.
 */
static void find_groups(char *group, struct ns_user *user)
{
	char *f[FIELDS];
	uint32_t gid;
	int n;

	for (char *rest = group; (n = next_line(&rest, f)) > 0;)
		if (n >= 4 && user->n_groups < NS_USER_GROUPS_MOST && parse_id(f[2], &gid) &&
		    is_member(f[3], user->name))
			user->groups[user->n_groups++] = gid;
}

static bool find_group(char *group, const char *name, gid_t *gid)
{
	char *f[FIELDS];
	uint32_t id;
	int n;

	for (char *rest = group; (n = next_line(&rest, f)) > 0;)
		if (n >= 3 && !strcmp(f[0], name) && parse_id(f[2], &id)) {
			*gid = id;
			return true;
		}
	return false;
}

static int no_such(const char *kind, const char *name, struct err *e)
{
	err_set(e, ENOENT, "no such %s in the container: '%.60s'", kind, name);
	return err_class(e, ERR_VALUE);
}

int ns_user_lookup(int root, const char *spec, struct ns_user *user, struct err *e)
{
	auto_free char *who = strdup(spec);
	auto_free char *passwd = NULL;
	auto_free char *group = NULL;
	char *group_name = who ? strchr(who, ':') : NULL;
	bool number;
	int r;

	*user = (struct ns_user){.home = "/", .shell = "/bin/sh"};
	if (!who)
		return err_set(e, ENOMEM, "out of memory for a user name");
	if (group_name)
		*group_name++ = 0;
	if (!*who || (group_name && !*group_name))
		return no_such("user", spec, e);
	r = read_file(root, "etc/passwd", &passwd, e);
	if (r >= 0)
		r = read_file(root, "etc/group", &group, e);
	if (r < 0)
		return r;
	number = parse_id(who, &user->uid);
	if (!find_user(passwd, who, number, user) && !number)
		return no_such("user", who, e);
	if (!group_name) {
		if (*user->name)
			find_groups(group, user);
		return 0;
	}
	/* "user:group" is exactly that group, as the other runtimes read it. */
	if (!parse_id(group_name, &user->gid) && !find_group(group, group_name, &user->gid))
		return no_such("group", group_name, e);
	return 0;
}

int ns_user_become_root(bool keep_groups, struct err *e)
{
	/* EPERM: setgroups is denied in a namespace made without CAP_SETGID; then there were none
	 * to drop. */
	if (!keep_groups && setgroups(0, NULL) < 0 && errno != EPERM)
		return err_sys(e, "drop supplementary groups");
	if (setresgid(0, 0, 0) < 0)
		return err_sys(e, "become root's group in the container");
	if (setresuid(0, 0, 0) < 0)
		return err_sys(e, "become root in the container");
	/* A change of ids sets what fs.suid_dumpable says (proc_sys_fs(5)): with 1 the container's root could look into us (CVE-2016-9962). */
	return ns_self_undumpable(e);
}
