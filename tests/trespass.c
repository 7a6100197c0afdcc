// SPDX-License-Identifier: GPL-2.0-only
/* What an escape needs: a racer that swaps two names, and a few forbidden deeds that tell how they went. Static: it runs on the host and inside. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef RENAME_EXCHANGE
#define RENAME_EXCHANGE (1 << 1)
#endif

/* Nobody has to end us. */
#define MOST_SECONDS 60

static int said(const char *what, long r)
{
	printf("%s: %s\n", what, r < 0 ? strerror(errno) : "done");
	fflush(stdout);
	return r < 0;
}

/* Swaps the two as fast as it can, for as long as its parent lives. */
static int cmd_exchange(char **arg)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	alarm(MOST_SECONDS);
	while (syscall(SYS_renameat2, AT_FDCWD, arg[0], AT_FDCWD, arg[1], RENAME_EXCHANGE) == 0 ||
	       errno == EBUSY)
		;
	return said("exchange", -1);
}

/* open_by_handle_at(2) of inode 2, which is the root of ext4, by a descriptor of the file system that PATH is on ("shocker"). */
static int cmd_handle(char **arg)
{
	struct {
		unsigned bytes;
		int type;
		uint32_t inode[2];
	} handle = {8, 1, {2, 0}};
	int at = open(arg[0], O_RDONLY);

	return said("handle", syscall(SYS_open_by_handle_at, at, &handle, O_RDONLY));
}

/* Types into whatever terminal our standard input is. */
static int cmd_type(char **arg)
{
	char c = arg[0][0];

	return said("type", ioctl(0, TIOCSTI, &c));
}

/* Our session, and whether somebody else's terminal is the one of it. */
static int cmd_session(char **arg)
{
	int fd = open("/dev/tty", O_RDWR | O_NOCTTY);

	(void)arg;
	printf("%s session, %s terminal\n", getsid(0) == getpid() ? "own" : "foreign",
	       fd < 0 ? "no" : "a");
	return 0;
}

/* Of a type that none has: a kernel without that family answers as a filter does, but not before it has looked at the type (__sock_create()). */
static int cmd_socket(char **arg)
{
	return said("socket", socket(atoi(arg[0]), 0xf, 0));
}

/* A socket of netlink's protocol of that number. */
static int cmd_netlink(char **arg)
{
	return said("netlink", socket(AF_NETLINK, SOCK_RAW, atoi(arg[0])));
}

/* A socket option with an empty value, set and asked for: of its level, which says the family. */
static int cmd_option(char **arg)
{
	int level = atoi(arg[0]), name = atoi(arg[1]), r;
	int fd = socket(level == IPPROTO_IPV6 ? AF_INET6 : AF_INET, SOCK_DGRAM, 0);
	socklen_t len = 0;
	char none;

	r = said("set", setsockopt(fd, level, name, &none, 0));
	return said("get", getsockopt(fd, level, name, &none, &len)) | r;
}

/* unshare(2) as the namespaces' number says. */
static int cmd_unshare(char **arg)
{
	return said("unshare", syscall(SYS_unshare, strtol(arg[0], NULL, 0)));
}

static int cmd_call(char **arg)
{
	return said("call", syscall(atol(arg[0]), arg[1] ? atol(arg[1]) : 0, 0, 0, 0, 0));
}

/* The same by the door of 32-bit programs, whose calls have other numbers. */
static int cmd_call32(char **arg)
{
	long r = -ENOSYS;

#if defined(__x86_64__)
	__asm__ volatile("int $0x80"
			 : "=a"(r)
			 : "a"(atol(arg[0])), "b"(0), "c"(0), "d"(0)
			 : "memory", "r8", "r9", "r10", "r11");
#else
	(void)arg;
#endif
	errno = r < 0 ? (int)-r : 0;
	return said("call32", r);
}

/* What of another process than ourselves and init is not what a program has that has just begun: a descriptor over 2, another root, or one that we may trace while it has one. */
static int look_into(const char *pid)
{
	char path[300], to[256];
	struct dirent *d;
	int seen = 0;
	ssize_t n;
	DIR *dir;

	/* Asks for less than the descriptors, which are only of who has the process's user: one that has entered, and is still the host's root. */
	snprintf(path, sizeof(path), "/proc/%.16s/exe", pid);
	n = readlink(path, to, sizeof(to) - 1);
	to[n > 0 ? n : 0] = 0;
	if (strstr(to, "skep") || !strcmp(to, "/")) {
		printf("saw %s -> %s\n", path, to);
		seen++;
	}
	snprintf(path, sizeof(path), "/proc/%.16s/fd", pid);
	dir = opendir(path);
	while (dir && (d = readdir(dir))) {
		if (d->d_name[0] == '.' || atoi(d->d_name) <= 2)
			continue;
		snprintf(path, sizeof(path), "/proc/%s/fd/%.16s", pid, d->d_name);
		n = readlink(path, to, sizeof(to) - 1);
		if (n <= 0)
			continue;
		to[n] = 0;
		printf("saw %s -> %s\n", path, to);
		seen++;
	}
	if (dir)
		closedir(dir);
	return seen;
}

/* Looks at all that enter, until SIGTERM, which says how often something was seen. */
static volatile sig_atomic_t over;

static void on_term(int sig)
{
	(void)sig;
	over = 1;
}

static int cmd_watch(char **arg)
{
	int seen = 0;

	(void)arg;
	signal(SIGTERM, on_term);
	alarm(MOST_SECONDS);
	printf("watching\n");
	fflush(stdout);
	while (!over) {
		DIR *proc = opendir("/proc");
		struct dirent *d;

		while (proc && (d = readdir(proc)))
			if (atoi(d->d_name) > 1 && atoi(d->d_name) != getpid())
				seen += look_into(d->d_name);
		if (proc)
			closedir(proc);
	}
	printf("seen %d\n", seen);
	return 0;
}

/* Whoever may mount in a namespace of his own may change a mount that is in an anonymous one, as what open_tree(2) has cloned is while its descriptor is open (do_mount_setattr(), fs/namespace.c). */
static bool lifts_read_only(int fd)
{
	struct mount_attr attr = {.attr_clr = MOUNT_ATTR_RDONLY};
	int status = 1;
	pid_t pid = fork();

	if (pid == 0)
		_exit(unshare(CLONE_NEWUSER | CLONE_NEWNS) ||
		      syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)));
	return pid > 0 && waitpid(pid, &status, 0) == pid && !status;
}

/* Waits for a process whose program is called NAME, holds that, and opens it for writing as soon as nobody executes it any more. */
static int cmd_grab(char **arg)
{
	int held = -1, fd;

	alarm(MOST_SECONDS);
	printf("watching\n");
	fflush(stdout);
	while (held < 0) {
		DIR *proc = opendir("/proc");
		struct dirent *d;

		while (held < 0 && proc && (d = readdir(proc))) {
			char path[300], to[256];
			ssize_t n;

			if (atoi(d->d_name) <= 0)
				continue;
			snprintf(path, sizeof(path), "/proc/%.16s/exe", d->d_name);
			n = readlink(path, to, sizeof(to) - 1);
			to[n > 0 ? n : 0] = 0;
			/* A program of a mount that is nowhere is its root. */
			if (strstr(to, arg[0]) || !strcmp(to, "/"))
				held = open(path, O_RDONLY);
		}
		if (proc)
			closedir(proc);
	}
	printf(lifts_read_only(held) ? "lifted\n" : "held\n");
	do {
		char path[64];

		snprintf(path, sizeof(path), "/proc/self/fd/%d", held);
		fd = open(path, O_WRONLY | O_APPEND);
	} while (fd < 0 && errno == ETXTBSY);
	return said("grab", fd);
}

/* Opens for writing, and says how that went; nothing is written. */
static int cmd_write(char **arg)
{
	int r = 0;

	for (; *arg; arg++) {
		int fd = open(*arg, O_WRONLY | O_APPEND);

		r |= !said(*arg, fd);
		if (fd >= 0)
			close(fd);
	}
	return r;
}

static const struct {
	const char *name;
	int args;
	int (*run)(char **arg);
	const char *usage;
} verbs[] = {
	{"exchange", 2, cmd_exchange, "PATH PATH"},
	{"handle", 1, cmd_handle, "PATH"},
	{"type", 1, cmd_type, "LETTER"},
	{"session", 0, cmd_session, ""},
	{"socket", 1, cmd_socket, "FAMILY"},
	{"netlink", 1, cmd_netlink, "PROTOCOL"},
	{"option", 2, cmd_option, "LEVEL NUMBER"},
	{"unshare", 1, cmd_unshare, "FLAGS"},
	{"call", 1, cmd_call, "NUMBER [ARG]"},
	{"call32", 1, cmd_call32, "NUMBER"},
	{"watch", 0, cmd_watch, ""},
	{"write", 1, cmd_write, "PATH..."},
	{"grab", 1, cmd_grab, "NAME"},
};

int main(int argc, char **argv)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (argc > 1 && !strcmp(argv[1], verbs[i].name) && argc - 2 >= verbs[i].args)
			return verbs[i].run(argv + 2);
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		fprintf(stderr, "trespass %s %s\n", verbs[i].name, verbs[i].usage);
	return 2;
}
