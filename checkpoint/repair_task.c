// SPDX-License-Identifier: GPL-2.0-only
/* TCP_REPAIR, taken back on the sockets of a process. */
#include <dirent.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/own.h"
#include "checkpoint/repair.h"

/* 1: it was on, and is not any more. */
static int mend(int process, int number)
{
	auto_fd int sock = (int)syscall(SYS_pidfd_getfd, process, number, 0);
	int value = 0, off = 0;
	socklen_t len = sizeof(value);

	if (sock < 0 || getsockopt(sock, SOL_SOCKET, SO_PROTOCOL, &value, &len) < 0 ||
	    value != IPPROTO_TCP)
		return 0;
	len = sizeof(value);
	/* A listener has no such state: the setting fails, as for who may not. */
	return getsockopt(sock, IPPROTO_TCP, TCP_REPAIR, &value, &len) == 0 && value != 0 &&
	       setsockopt(sock, IPPROTO_TCP, TCP_REPAIR, &off, sizeof(off)) == 0;
}

int cr_repair_off_task(pid_t pid)
{
	auto_fd int process = (int)syscall(SYS_pidfd_open, pid, 0);
	auto_dir DIR *fds = NULL;
	const struct dirent *entry;
	char path[48];
	int n = 0;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	fds = process < 0 ? NULL : opendir(path);
	while (fds && (entry = readdir(fds))) {
		struct stat st;

		if (entry->d_name[0] != '.' && fstatat(dirfd(fds), entry->d_name, &st, 0) == 0 &&
		    S_ISSOCK(st.st_mode))
			n += mend(process, atoi(entry->d_name));
	}
	return n;
}
