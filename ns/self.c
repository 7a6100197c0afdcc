// SPDX-License-Identifier: GPL-2.0-only
/* prctl(2) and friends, each with its reason. */
#include "ns/self.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/keyctl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "base/own.h"
#include "ns/mount.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U /* linux/memfd.h of 6.3 */
#endif

int ns_self_oom_score_adj(int score, struct err *e)
{
	auto_fd int fd = -EBADF;
	char text[16];
	int len;

	if (score < -1000 || score > 1000) {
		err_set(e, EINVAL, "oomScoreAdj %d is not within -1000 and 1000", score);
		return err_class(e, ERR_CONFIG);
	}
	fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "open /proc/self/oom_score_adj");
	len = snprintf(text, sizeof(text), "%d", score);
	if (write(fd, text, (size_t)len) == len)
		return 0;
	if (errno != EACCES && errno != EPERM)
		return err_sys(e, "set oomScoreAdj %d", score);
	log_warn("oomScoreAdj %d needs CAP_SYS_RESOURCE; left as it is", score);
	return 0;
}

int ns_self_no_new_privs(struct err *e)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_sys(e, "set no_new_privs");
	return 0;
}

int ns_self_undumpable(struct err *e)
{
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return err_sys(e, "become undumpable");
	return 0;
}

int ns_self_die_with_parent(pid_t parent_pid, struct err *e)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return err_sys(e, "set the parent-death signal");
	/* The parent may have died before the prctl: then no signal will ever come. */
	if (parent_pid > 0 && getppid() != parent_pid)
		return err_set(e, EPIPE, "the parent process died");
	return 0;
}

int ns_self_reset_signals(struct err *e)
{
	struct sigaction dfl = {.sa_handler = SIG_DFL};
	sigset_t none;

	for (int sig = 1; sig < NSIG; sig++)
		(void)sigaction(sig, &dfl, NULL); /* KILL, STOP and libc's own refuse, rightly */
	sigemptyset(&none);
	if (sigprocmask(SIG_SETMASK, &none, NULL) < 0)
		return err_sys(e, "unblock signals");
	return 0;
}

int ns_self_personality(const char *domain, struct err *e)
{
	unsigned long p;

	if (!strcmp(domain, "LINUX")) {
		p = PER_LINUX;
	} else if (!strcmp(domain, "LINUX32")) {
		p = PER_LINUX32;
	} else {
		err_set(e, EINVAL, "unknown personality '%.40s'", domain);
		return err_class(e, ERR_CONFIG);
	}
	if (personality(p) < 0)
		return err_sys(e, "set personality %s", domain);
	return 0;
}

/* Whether it is what sealed_copy() made. */
static bool is_sealed(const char *exe)
{
	auto_fd int fd = open(exe, O_RDONLY | O_CLOEXEC);
	int seals = fd < 0 ? -1 : fcntl(fd, F_GET_SEALS);

	return seals > 0 && seals & F_SEAL_WRITE;
}

/* In memory that nobody can write to any more (memfd_create(2), "File sealing"). */
static int sealed_copy(const char *exe, struct err *e)
{
	auto_fd int from = open(exe, O_RDONLY | O_CLOEXEC);
	auto_fd int to = memfd_create("skep", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
	ssize_t n = 1;

	/* Before Linux 6.3 all of them can be executed, and the word is not known. */
	if (to < 0 && errno == EINVAL)
		to = memfd_create("skep", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	while (from >= 0 && to >= 0 && n > 0)
		n = sendfile(to, from, NULL, 1 << 20);
	if (from < 0 || to < 0 || n < 0 ||
	    fcntl(to, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return err_sys(e, "copy our own program");
	return take_fd(&to);
}

static int read_only_mount(const char *exe, struct err *e)
{
	auto_fd int fd = ns_mount_clone(AT_FDCWD, exe, 0, e);

	if (fd < 0 || ns_mount_setattr(fd, MOUNT_ATTR_RDONLY, 0, false, e) < 0)
		return -e->no;
	return take_fd(&fd);
}

/* Of a mount without a place, which nobody can name (d_path()). One with a place may be read-only only for now, as /usr is on many hosts between two upgrades. */
static bool is_detached(const char *exe)
{
	char path[16];
	ssize_t n = readlink(exe, path, sizeof(path) - 1);

	path[n > 0 ? n : 0] = '\0';
	return !strcmp(path, "/") || !strcmp(path, "/ (deleted)");
}

/* In .bss, which neither libc's beginning nor the relocation of the program touches: 0 is none. */
int ns_self_mount;

int ns_self_shield(char *const argv[], struct err *e)
{
	static const char exe[] = "/proc/self/exe";
	auto_fd int fd = -EBADF;
	struct err why = {0};
	struct statvfs fs;

	/* Done, and just now: in our own memory, which nobody else has written to. */
	if (ns_self_mount > STDERR_FILENO)
		return 0;
	if (statvfs(exe, &fs) < 0)
		return err_sys(e, "look at our own program");
	if ((fs.f_flag & ST_RDONLY && is_detached(exe)) || is_sealed(exe))
		return 0;
	fd = read_only_mount(exe, &why);
	/* An unbindable mount has no copies, and one of another mount namespace, or of none, neither (__do_loopback(), fs/namespace.c). */
	if (fd < 0)
		fd = sealed_copy(exe, e);
	if (fd < 0)
		return err_wrap(e, "shield our own program from the container");
	execveat(fd, "", argv, environ, AT_EMPTY_PATH);
	return err_sys(e, "execute our own program from where nobody can write to it");
}

static int begun_from = -EBADF;

void ns_self_mount_find(void)
{
	static const char at[] = "/dev/fd/";
	/* execveat(2): what a program is called that was begun by a descriptor. */
	const char *name = (const char *)getauxval(AT_EXECFN);
	char *end;
	long fd;

	if (ns_self_mount > STDERR_FILENO) {
		begun_from = ns_self_mount;
		return;
	}
	if (!name || strncmp(name, at, strlen(at)) != 0)
		return;
	fd = strtol(name + strlen(at), &end, 10);
	/* Else it was closed by execve, and that number may be anybody's. A mount's descriptor is O_PATH (open_tree(2)). */
	if (*end || fd <= STDERR_FILENO || fd > INT_MAX || !(fcntl((int)fd, F_GETFL) & O_PATH) ||
	    fcntl((int)fd, F_SETFD, FD_CLOEXEC) < 0)
		return;
	begun_from = (int)fd;
}

void ns_self_mount_above(int least)
{
	int there;

	if (begun_from < 0 || begun_from >= least)
		return;
	there = fcntl(begun_from, F_DUPFD_CLOEXEC, least);
	ns_self_mount_drop();
	begun_from = there;
}

int ns_self_mount_fd(void)
{
	return begun_from;
}

void ns_self_mount_bury(void)
{
	/* On a file that every host has; nobody looks for it at its place any more. Without it closing is what waits. */
	if (begun_from >= 0)
		(void)move_mount(begun_from, "", AT_FDCWD, "/dev/null", MOVE_MOUNT_F_EMPTY_PATH);
	ns_self_mount_drop();
}

void ns_self_mount_drop(void)
{
	own_close_fd(&begun_from);
}

int ns_self_new_keyring(struct err *e)
{
	if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) >= 0)
		return 0;
	/* Where keys cannot be had at all, by the kernel or by a filter that we run under, the container has none of the host's either. */
	if (errno == ENOSYS || errno == EPERM)
		return 0;
	return err_sys(e, "make a session keyring");
}

int ns_self_name(const char *name, struct err *e)
{
	if (prctl(PR_SET_NAME, name, 0, 0, 0) < 0)
		return err_sys(e, "set the process name");
	return 0;
}
