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

#define PATH_DEFAULT "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* Its size is no measure: it is a file of proc. The kernel without ip_tables has no such file. */
static bool is_empty(pid_t init, const char *name)
{
	char path[64], byte;
	auto_fd int fd = -EBADF;

	snprintf(path, sizeof(path), "/proc/%d/net/%s", init, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? errno == ENOENT : read(fd, &byte, 1) == 0;
}

bool cr_tools_no_tables(pid_t init)
{
	return is_empty(init, "ip_tables_names") && is_empty(init, "ip6_tables_names");
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
