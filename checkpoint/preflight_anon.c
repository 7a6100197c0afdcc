// SPDX-License-Identifier: GPL-2.0-only
/* Descriptors that are no files: which kinds criu knows, and what is wrong with those it knows. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/own.h"
#include "checkpoint/preflight_look.h"

#define FDINFO_MOST (4u << 20)

#ifndef PIDFD_THREAD
#define PIDFD_THREAD O_EXCL
#endif

static char *read_fdinfo(const struct cr_look_process *p, int fd)
{
	char file[32];

	snprintf(file, sizeof(file), "fdinfo/%d", fd);
	return cr_look_read(p, file, FDINFO_MOST);
}

/* "Word:\t123"; -2: there is no such line. */
static long field(const char *text, const char *word, int base)
{
	const char *at = text ? strstr(text, word) : NULL;

	return at ? strtol(at + strlen(word), NULL, base) : -2;
}

/* Of those that have ended, criu takes along that they have; they are in no control group any more. */
static bool is_alive(pid_t pid)
{
	char path[32];
	auto_fd int proc = -EBADF;
	auto_free char *status = NULL;
	const char *state;

	snprintf(path, sizeof(path), "/proc/%d", pid);
	proc = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	status = proc < 0 ? NULL
			  : cr_look_read(&(struct cr_look_process){.proc = proc}, "status", 65536);
	state = status ? strstr(status, "\nState:\t") : NULL;
	return state && state[8] != 'Z' && state[8] != 'X';
}

static void look_at_pidfd(struct cr_look *l, const struct cr_look_process *p, int fd)
{
	auto_free char *text = read_fdinfo(p, fd);
	long pid = field(text, "\nPid:", 10), flags = field(text, "flags:", 8);

	if (pid == -2)
		return;
	if (flags > 0 && flags & PIDFD_THREAD)
		cr_look_add(
			l, p, "pidfd", false, "stop it first",
			"holds a pidfd of a thread (descriptor %d), which cannot be taken along",
			fd);
	else if (pid != -1 && !cr_look_process(l, (pid_t)pid) && is_alive((pid_t)pid))
		cr_look_add(
			l, p, "pidfd", true, "restart that program",
			"holds a pidfd of a process that is not in the container (descriptor %d)",
			fd);
}

/* Whether descriptor fd of the process is the file that its epoll epfd watches as number `watched`. */
static bool is_watched_file(pid_t pid, int epfd, int watched, unsigned nth, int fd)
{
	struct {
		uint32_t efd, tfd, toff;
	} slot = {(uint32_t)epfd, (uint32_t)watched, nth};

	return syscall(SYS_kcmp, pid, pid, KCMP_EPOLL_TFD, fd, &slot) == 0;
}

static bool has_watched_file(const struct cr_look_process *p, int epfd, int watched, unsigned nth,
			     uint64_t inode)
{
	int at = openat(p->proc, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_dir DIR *d = at < 0 ? NULL : fdopendir(at);
	const struct dirent *entry;

	if (!d || is_watched_file(p->pid, epfd, watched, nth, watched))
		return true;
	while ((entry = readdir(d))) {
		struct stat st;

		if (entry->d_name[0] != '.' && fstatat(dirfd(d), entry->d_name, &st, 0) == 0 &&
		    st.st_ino == inode &&
		    is_watched_file(p->pid, epfd, watched, nth, atoi(entry->d_name)))
			return true;
	}
	return false;
}

/* criu looks for what is watched among the descriptors of the same process; one that was closed here lives on while another process has it. */
static void look_at_epoll(struct cr_look *l, const struct cr_look_process *p, int fd)
{
	auto_free char *text = read_fdinfo(p, fd);

	for (const char *at = text; at && (at = strstr(at, "tfd:")); at++) {
		unsigned long long inode;
		unsigned nth = 0;
		int watched;

		if (sscanf(at, "tfd: %d events: %*x data: %*x pos:%*i ino:%llx", &watched,
			   &inode) != 2)
			continue;
		/* The same number may have been watched, closed and used again: they count from the first. */
		for (const char *before = text; (before = strstr(before, "tfd:")) && before < at;
		     before++)
			nth += atoi(before + 4) == watched;
		if (has_watched_file(p, fd, watched, nth, inode))
			continue;
		cr_look_add(
			l, p, "epoll", false, "restart that program",
			"watches by epoll (descriptor %d) a file that it has closed and another "
			"process has open, which cannot be taken along",
			fd);
		return;
	}
}

static const struct {
	const char *link; /* begins like that */
	const char *kind, *what, *fix;
	void (*look)(struct cr_look *l, const struct cr_look_process *p, int fd);
} kinds[] = {
	{"anon_inode:[eventfd]", NULL, NULL, NULL, NULL},
	{"anon_inode:[signalfd]", NULL, NULL, NULL, NULL},
	{"anon_inode:[timerfd]", NULL, NULL, NULL, NULL},
	{"anon_inode:[eventpoll]", NULL, NULL, NULL, look_at_epoll},
	{"anon_inode:[pidfd]", NULL, NULL, NULL, look_at_pidfd},
	{"pidfd:", NULL, NULL, NULL, look_at_pidfd},
	{"anon_inode:[io_uring]", "io_uring", "an io_uring",
	 "switch io_uring off in it, or stop it", NULL},
	{"anon_inode:[perf_event]", "perf", "a performance counter", "stop it first", NULL},
	{"anon_inode:[userfaultfd]", "userfaultfd", "a userfaultfd", "stop it first", NULL},
	{"anon_inode:seccomp notify", "seccomp", "the listener of a seccomp filter",
	 "stop it first", NULL},
	{"anon_inode:[landlock", "landlock", "a Landlock rule set", "stop it first", NULL},
	{"anon_inode:bpf", "bpf", "a BPF map, program or link", "stop it first", NULL},
	{"anon_inode:[fscontext]", "mount", "an unfinished mount", "let it finish, or stop it",
	 NULL},
	{"anon_inode:kvm", "kvm", "a virtual machine", "stop it first", NULL},
	{"anon_inode:[kvm", "kvm", "a virtual machine", "stop it first", NULL},
	{"/secretmem", "secret-memory", "secret memory (memfd_secret)", "stop it first", NULL},
};

void cr_look_anon(struct cr_look *l, const struct cr_look_process *p, int fd, const char *link)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (strncmp(link, kinds[i].link, strlen(kinds[i].link)) != 0)
			continue;
		if (kinds[i].look)
			kinds[i].look(l, p, fd);
		else if (kinds[i].kind)
			cr_look_add(l, p, kinds[i].kind, false, kinds[i].fix,
				    "has %s (descriptor %d), which cannot be taken along",
				    kinds[i].what, fd);
		return;
	}
	cr_look_add(l, p, "descriptor", false, "stop it first",
		    "has a descriptor (%d) of a kind that cannot be taken along: %.60s", fd, link);
}
