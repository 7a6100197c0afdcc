// SPDX-License-Identifier: GPL-2.0-only
/* What plant can hold: files, mounts, watches and locks. */

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/fanotify.h>
#include <linux/filter.h>
#include <linux/perf_event.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/plant.h"

#ifndef PIDFD_THREAD
#define PIDFD_THREAD O_EXCL
#endif
int plant_deleted(void)
{
	char path[128], place[64] = "/root";
	long mb = 1;
	int fd;

	sscanf(word, "%ld,%63[^,]", &mb, place);
	snprintf(path, sizeof(path), "%s/plant.deleted", place);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || ftruncate(fd, mb << 20) < 0)
		return -1;
	/* Only what it takes on disk counts. */
	if (!strstr(word, "sparse") && posix_fallocate(fd, 0, mb << 20) != 0)
		return -1;
	if (strstr(word, "mapped")) {
		if (mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED)
			return -1;
		close(fd);
	}
	return unlink(path);
}

int plant_open(void)
{
	return open(word, O_RDONLY) < 0 && open(word, O_WRONLY) < 0 ? -1 : 0;
}

int plant_open_rdwr(void)
{
	return open(word, O_RDWR) < 0 ? -1 : 0;
}

/* A file on a mount that is gone. */
/* "session": the FIFO of a login, as logind opens it. */
int plant_unmounted(void)
{
	const char *file = "/root/plant.dir/c2.ref";
	bool session = !strcmp(word, "session");

	mkdir("/root/plant.dir", 0700);
	if (mount("plant", "/root/plant.dir", "tmpfs", 0, NULL) < 0 ||
	    (session && mkfifo(file, 0600) < 0) ||
	    open(file, O_RDWR | (session ? 0 : O_CREAT), 0600) < 0)
		return -1;
	return umount2("/root/plant.dir", MNT_DETACH);
}

/* A file on a mount that another one hides. */
int plant_hidden(void)
{
	mkdir("/root/plant.dir", 0700);
	if (mount("plant", "/root/plant.dir", "tmpfs", 0, NULL) < 0 ||
	    open("/root/plant.dir/f", O_RDWR | O_CREAT, 0600) < 0)
		return -1;
	return mount("plant2", "/root/plant.dir", "tmpfs", 0, NULL);
}

/* A file on the root file system, below a directory that something else is mounted over. */
int plant_covered(void)
{
	mkdir("/root/plant.dir", 0700);
	if (open("/root/plant.dir/f", O_RDWR | O_CREAT, 0600) < 0 ||
	    mount("plant", "/root/plant.dir", "tmpfs", 0, NULL) < 0)
		return -1;
	if (strcmp(word, "taken") != 0)
		return 0;
	return close(open("/root/plant.dir/f", O_RDWR | O_CREAT, 0600));
}

int plant_mount(void)
{
	char type[32] = "", source[64] = "none";

	sscanf(word, "%31[^,],%63s", type, source);
	mkdir("/root/plant.dir", 0700);
	return mount(source, "/root/plant.dir", type, 0, NULL);
}

int plant_bind(void)
{
	int fd = open("/root/plant.file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	return fd < 0 || mount(word, "/root/plant.file", NULL, MS_BIND, NULL) < 0 ? -1 : close(fd);
}

/* A detached mount, as new-style mount tools hold for a moment. */
int plant_tree(void)
{
	return syscall(428 /* open_tree */, AT_FDCWD, "/root", 1 /* OPEN_TREE_CLONE */) < 0 ? -1
											    : 0;
}

int plant_fscontext(void)
{
	return syscall(430 /* fsopen */, "tmpfs", 0) < 0 ? -1 : 0;
}

int plant_inotify(void)
{
	char path[] = "/root/plant.watched", dir[] = "/run/plant.watched";
	const char *it = !strcmp(word, "deleted")	  ? path
			 : !strcmp(word, "deleted-tmpfs") ? dir
							  : word;
	int fd = inotify_init(), made;

	made = it == word ? -1 : open(it, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || inotify_add_watch(fd, it, IN_MODIFY | IN_DELETE_SELF) < 0)
		return -1;
	/* Its inode lives on by the descriptor, and so does the watch. */
	return it == word || made < 0 ? 0 : unlink(it);
}

int plant_fanotify(void)
{
	unsigned flags = FAN_CLASS_NOTIF | (strstr(word, "fid") ? FAN_REPORT_FID : 0);
	unsigned mark = FAN_MARK_ADD | (strstr(word, "mount")	 ? FAN_MARK_MOUNT
					: strstr(word, "system") ? FAN_MARK_FILESYSTEM
								 : 0);
	int fd = (int)syscall(SYS_fanotify_init, flags, O_RDONLY);

	if (fd < 0)
		return -1;
	return !strncmp(word, "none", 4)
		       ? 0
		       : (int)syscall(SYS_fanotify_mark, fd, mark, (uint64_t)FAN_MODIFY, AT_FDCWD,
				      strstr(word, "run") ? "/run" : "/root");
}

int plant_lease(void)
{
	int fd = open("/root/plant.lease", O_RDONLY | O_CREAT, 0600);

	return fd < 0 ? -1 : fcntl(fd, F_SETLEASE, F_RDLCK);
}

/* "mapped", "private": the file is mapped, too; "twice": and is open twice. */
int plant_lock(void)
{
	struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 10};
	int fd = open("/root/plant.lock", O_RDWR | O_CREAT, 0600);

	if (fd < 0 || ftruncate(fd, 4096) < 0)
		return -1;
	if (!strcmp(word, "flock"))
		return flock(fd, LOCK_EX);
	if (!strcmp(word, "twice") && open("/root/plant.lock", O_RDONLY) < 0)
		return -1;
	if ((!strcmp(word, "mapped") || !strcmp(word, "private")) &&
	    mmap(NULL, 4096, PROT_READ, *word == 'm' ? MAP_SHARED : MAP_PRIVATE, fd, 0) ==
		    MAP_FAILED)
		return -1;
	return fcntl(fd, !strcmp(word, "ofd") ? F_OFD_SETLK : F_SETLK, &l);
}

/* A watch of epoll for a file whose descriptor here is closed; a child has it. */
int plant_epoll(void)
{
	struct epoll_event ev = {.events = EPOLLIN};
	int ends[2], ep = epoll_create1(0);

	if (ep < 0 || pipe(ends) < 0 || epoll_ctl(ep, EPOLL_CTL_ADD, ends[0], &ev) < 0)
		return -1;
	if (!strcmp(word, "dup") && dup2(ends[0], 99) < 0)
		return -1;
	if (!strcmp(word, "child") && plant_child() < 0)
		return -1;
	return close(ends[0]);
}

int plant_perf(void)
{
	struct perf_event_attr a = {.type = PERF_TYPE_SOFTWARE,
				    .size = sizeof(a),
				    .config = PERF_COUNT_SW_TASK_CLOCK,
				    .exclude_kernel = 1,
				    .exclude_hv = 1};

	return syscall(SYS_perf_event_open, &a, 0, -1, -1, 0) < 0 ? -1 : 0;
}

int plant_bpf(void)
{
	union bpf_attr a = {
		.map_type = BPF_MAP_TYPE_HASH, .key_size = 4, .value_size = 8, .max_entries = 4};
	struct bpf_insn code[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0},
				  {.code = BPF_JMP | BPF_EXIT}};

	if (!strcmp(word, "prog")) {
		memset(&a, 0, sizeof(a));
		a.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
		a.insns = (uint64_t)(uintptr_t)code;
		a.insn_cnt = 2;
		a.license = (uint64_t)(uintptr_t) "GPL";
		return syscall(SYS_bpf, BPF_PROG_LOAD, &a, sizeof(a)) < 0 ? -1 : 0;
	}
	if (!strcmp(word, "array"))
		a.map_type = BPF_MAP_TYPE_ARRAY;
	if (!strcmp(word, "percpu"))
		a.map_type = BPF_MAP_TYPE_PERCPU_HASH;
	return syscall(SYS_bpf, BPF_MAP_CREATE, &a, sizeof(a)) < 0 ? -1 : 0;
}

int plant_pidfd(void)
{
	pid_t pid = !strcmp(word, "self") ? getpid() : plant_child();
	unsigned flags = !strcmp(word, "thread") ? PIDFD_THREAD : 0;

	if (syscall(SYS_pidfd_open, pid, flags) < 0)
		return -1;
	if (!strcmp(word, "dead") || !strcmp(word, "zombie"))
		kill(pid, SIGKILL);
	if (!strcmp(word, "dead"))
		waitpid(pid, NULL, 0);
	return 0;
}

int plant_seccomp_notify(void)
{
	struct sock_filter code[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
	struct sock_fprog prog = {.len = 1, .filter = code};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
		       strcmp(word, "plain") ? SECCOMP_FILTER_FLAG_NEW_LISTENER : 0, &prog) < 0
		       ? -1
		       : 0;
}

int plant_landlock(void)
{
	uint64_t handled = 1;

	return syscall(444 /* landlock_create_ruleset */, &handled, sizeof(handled), 0) < 0 ? -1
											    : 0;
}

int plant_mqueue(void)
{
	return syscall(SYS_mq_open, "plant", O_RDWR | O_CREAT, 0600, NULL) < 0 ? -1 : 0;
}
