/* SPDX-License-Identifier: GPL-2.0-only */
/* A throw-away root file system, and a child in namespaces of its own to try things in. */
#pragma once

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/own.h"
#include "base/sys.h"
#include "ns/idmap.h"
#include "ns/self.h"
#include "ns/user.h"

#define LAB_BASE 0x51230000u

/* What the child found out; shared memory, so that it survives any end of the child. */
struct lab_shared {
	struct err err;
	int result; /* of the function; 12345: it never returned */
	char failed[200];
};

struct lab {
	char dir[64];  /* a temporary directory of ours */
	char root[80]; /* dir/root, the container's root file system */
	struct lab_shared *shared;
};

/* Notes the first thing that is not as it should be, and leaves the child's function. */
#define LAB_CHECK(lab, what)                                                                \
	do {                                                                                \
		if (!(what)) {                                                              \
			snprintf((lab)->shared->failed, sizeof((lab)->shared->failed),      \
				 "%s:%d: %s (errno %d)", __func__, __LINE__, #what, errno); \
			return -ECANCELED;                                                  \
		}                                                                           \
	} while (0)

static inline void lab_make(struct lab *lab)
{
	static const char *const dirs[] = {"etc", "proc", "sys", "dev", "tmp", "usr", "data"};

	memset(lab, 0, sizeof(*lab));
	snprintf(lab->dir, sizeof(lab->dir), "/tmp/skep-ns-test-XXXXXX");
	assert_non_null(mkdtemp(lab->dir));
	assert_int_equal(chmod(lab->dir, 0755), 0);
	snprintf(lab->root, sizeof(lab->root), "%s/root", lab->dir);
	assert_int_equal(mkdir(lab->root, 0755), 0);
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		char path[128];

		snprintf(path, sizeof(path), "%s/%s", lab->root, dirs[i]);
		assert_int_equal(mkdir(path, 0755), 0);
	}
	lab->shared = mmap(NULL, sizeof(*lab->shared), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(lab->shared != MAP_FAILED);
}

static inline int lab_remove(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st, (void)kind, (void)ftw;
	return remove(path);
}

static inline void lab_drop(struct lab *lab)
{
	munmap(lab->shared, sizeof(*lab->shared));
	assert_int_equal(nftw(lab->dir, lab_remove, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT), 0);
}

/* Makes a file below the root from the outside. */
static inline void lab_file(const struct lab *lab, const char *name, const char *text)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", lab->root, name);
	f = fopen(path, "we");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

/* Replaces root/name by a symbolic link. */
static inline void lab_link(const struct lab *lab, const char *name, const char *to)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", lab->root, name);
	(void)remove(path);
	assert_int_equal(symlink(to, path), 0);
}

typedef int (*lab_fn)(struct lab *lab, struct err *e);

/*
 * Runs fn in a child made with these CLONE_ flags. With CLONE_NEWUSER it gets 65536 ids from
 * LAB_BASE and is root there. Returns what fn returned; lab->shared tells more.
 */
static inline int lab_run(struct lab *lab, uint64_t flags, lab_fn fn)
{
	const struct ns_idmap map = {0, LAB_BASE, 65536};
	struct clone_args args = {.flags = flags, .exit_signal = SIGCHLD};
	struct err e = {0};
	int go[2], status;
	pid_t pid;

	memset(lab->shared, 0, sizeof(*lab->shared));
	lab->shared->result = 12345;
	assert_int_equal(pipe2(go, O_CLOEXEC), 0);
	fflush(NULL);
	pid = sys_clone3(&args);
	assert_true(pid >= 0);
	if (pid == 0) {
		char c;

		alarm(60); /* a hang is a failure, not a wait for ever */
		close(go[1]);
		if (read(go[0], &c, 1) != 1)
			_exit(1);
		if (flags & CLONE_NEWUSER && ns_user_become_root(false, &lab->shared->err) < 0)
			_exit(1);
		lab->shared->result = fn(lab, &lab->shared->err);
		_exit(0);
	}
	close(go[0]);
	if (flags & CLONE_NEWUSER && ns_idmap_write(pid, &map, 1, &map, 1, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(write(go[1], "g", 1), 1);
	close(go[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (lab->shared->failed[0])
		print_error("in the child: %s\n", lab->shared->failed);
	if (lab->shared->err.no)
		print_message("child's err: %s\n", lab->shared->err.text);
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		print_message("child's status 0x%x\n", status);
	return lab->shared->result;
}
