// SPDX-License-Identifier: GPL-2.0-only
/* The PATH of criu. */
#include "checkpoint/criu_tools.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/own.h"
#include "cgroups/kill.h"

#define PATH_DEFAULT "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

enum list { MISSING, EMPTY, FULL };

/* Its size is no measure: it is a file of proc. */
static enum list look(pid_t pid, const char *name)
{
	char path[64], byte;
	auto_fd int fd = -EBADF;

	snprintf(path, sizeof(path), "/proc/%d/net/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? MISSING : FULL;
	return read(fd, &byte, 1) == 0 ? EMPTY : FULL;
}

static bool has_table(pid_t pid)
{
	return look(pid, "ip_tables_names") == FULL || look(pid, "ip6_tables_names") == FULL;
}

static bool is_known(const ino_t *seen, size_t count, ino_t net)
{
	for (size_t i = 0; i < count; i++)
		if (seen[i] == net)
			return true;
	return false;
}

bool cr_tools_no_tables(const struct cg *cg, pid_t init)
{
	auto_free pid_t *pids = NULL;
	auto_free ino_t *seen = NULL;
	struct err without = {0};
	size_t count = 0;
	int n;

	/* The kernel makes these files in all networks at once (xt_proto_init() in net/netfilter/x_tables.c): where the first has none, none has a table. */
	if (look(init, "ip_tables_names") == MISSING && look(init, "ip6_tables_names") == MISSING)
		return true;
	n = cg_pids(cg, &pids, &without);
	seen = n < 0 ? NULL : calloc((size_t)n + 1, sizeof(*seen));
	for (int i = 0; seen && i < n; i++) {
		struct stat st;
		char path[48];

		snprintf(path, sizeof(path), "/proc/%d/ns/net", pids[i]);
		/* One that has just ended has none. */
		if (stat(path, &st) < 0 || is_known(seen, count, st.st_ino))
			continue;
		seen[count++] = st.st_ino;
		if (has_table(pids[i]))
			return false;
	}
	return seen;
}

bool cr_tools_no_rules(int images)
{
	int copy = openat(images, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_dir DIR *d = copy < 0 ? NULL : fdopendir(copy);
	const struct dirent *entry;
	struct stat st;

	if (!d)
		return false;
	while ((entry = readdir(d)))
		if ((!strncmp(entry->d_name, "iptables-", 9) ||
		     !strncmp(entry->d_name, "ip6tables-", 10)) &&
		    (fstatat(images, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_size))
			return false;
	return true;
}

int cr_tools_enter(const char *dir, bool no_iptables, struct err *e)
{
	const char *path = getenv("PATH");
	auto_free char *longer = NULL;

	path = path && path[0] ? path : PATH_DEFAULT;
	if (setenv(CR_TOOLS_ENV_PATH, path, 1) < 0 || asprintf(&longer, "%s:%s", dir, path) < 0 ||
	    setenv("PATH", longer, 1) < 0 ||
	    (no_iptables ? setenv(CR_TOOLS_ENV_NO_IPTABLES, "1", 1)
			 : unsetenv(CR_TOOLS_ENV_NO_IPTABLES)) < 0)
		return err_sys(e, "tell criu where its tools are");
	return 0;
}
