/* SPDX-License-Identifier: GPL-2.0-only */
/* For the tests of skep-pages: images, a state directory and a control group of their own; processes with a userfaultfd; what is to be in their pages. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/own.h"
#include "cgroups/group.h"
#include "cgroups/kill.h"
#include "checkpoint/pages.h"
#include "checkpoint/pages_daemon.h"
#include "tests/unit/checkpoint/pages_fill.h"

#define DEADLINE_MS 20000
#define must(call)  lab_must((call) >= 0, &e, #call, __LINE__)

static inline void lab_must(bool ok, const struct err *e, const char *what, int line)
{
	if (!ok)
		fail_msg("line %d: %s: %s", line, what, e->no ? e->text : strerror(errno));
}

struct lab {
	char dir[64], group[64];
	int images, state, log;
	struct cg cg;
	struct cr_pages *store;
	struct cr_pages_daemon d;
	int source[2]; /* in, out of the daemon */
};

/* A file beside the running one, which for a test is build/unit/FOLDER. */
static inline void lab_beside(const char *name, char *path, size_t size)
{
	char *slash;
	ssize_t n = readlink("/proc/self/exe", path, size - 40);

	assert_true(n > 0);
	path[n] = 0;
	slash = strrchr(path, '/');
	snprintf(slash, size - (size_t)(slash - path), "/%s", name);
}

/* The programs are found beside the running one. */
static inline void lab_link_program(const char *name)
{
	char path[PATH_MAX], to[64];

	lab_beside(name, path, sizeof(path));
	snprintf(to, sizeof(to), "../../%s", name);
	if (symlink(to, path) < 0)
		assert_int_equal(errno, EEXIST);
}

static inline int lab_dir(const struct lab *l, const char *name)
{
	char path[100];

	snprintf(path, sizeof(path), "%s/%s", l->dir, name);
	assert_int_equal(mkdir(path, 0700), 0);
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static inline int lab_set_up(void **state)
{
	struct lab *l = calloc(1, sizeof(*l));
	const char *tmp = getenv("TMPDIR");
	static unsigned number;
	struct err e = {0};

	lab_link_program("skep-pages");
	snprintf(l->dir, sizeof(l->dir), "%.40s/skep-pages-XXXXXX", tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(l->dir));
	l->images = lab_dir(l, "images");
	l->state = lab_dir(l, "state");
	l->log = openat(l->state, "console.log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	snprintf(l->group, sizeof(l->group), "skep-test-pages-%d-%u", getpid(), number++);
	l->cg = (struct cg)CG_INIT;
	must(cg_create(l->group, &l->cg, &e));
	must(cr_pages_new(1ul << 30, &l->store, &e));
	l->d = (struct cr_pages_daemon)CR_PAGES_DAEMON_INIT;
	l->source[0] = l->source[1] = -EBADF;
	*state = l;
	return 0;
}

static inline int lab_tear_down(void **state)
{
	struct lab *l = *state;
	struct err e = {0};

	cr_pages_free(l->store);
	(void)cg_kill(&l->cg, &e);
	cr_pages_daemon_done(&l->d);
	if (cr_pages_wait(l->state, DEADLINE_MS, &e) == -ETIMEDOUT)
		print_error("skep-pages does not end\n");
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		;
	cg_close(&l->cg);
	e = (struct err){0};
	if (cg_destroy(l->group, DEADLINE_MS, &e) < 0)
		print_error("%s\n", e.text);
	close(l->log);
	close(l->images);
	close(l->state);
	file_remove_tree_at(AT_FDCWD, l->dir, &e);
	free(l);
	return 0;
}

/* --- images --- */

static inline size_t lab_varint(uint8_t *to, uint64_t value)
{
	size_t n = 0;

	for (; value >= 0x80; value >>= 7)
		to[n++] = (uint8_t)(value | 0x80);
	to[n++] = (uint8_t)value;
	return n;
}

/* One entry of a pagemap image; returns its length. */
static inline size_t lab_entry(uint8_t *to, struct cr_page_run run)
{
	uint8_t *at = to + 4;
	uint32_t len;

	*at++ = 1 << 3;
	at += lab_varint(at, run.vaddr);
	*at++ = 2 << 3;
	at += lab_varint(at, run.npages);
	*at++ = 4 << 3;
	at += lab_varint(at, run.flags);
	*at++ = 5 << 3;
	at += lab_varint(at, run.npages);
	len = (uint32_t)(at - to - 4);
	memcpy(to, &len, 4);
	return len + 4;
}

static inline void lab_pagemap(const struct lab *l, uint32_t id, const struct cr_page_run *runs,
			       size_t count)
{
	uint8_t image[4096] = "magicmag", *at = image + 8;
	struct err e = {0};
	char name[40];

	memcpy(at, "\2\0\0\0\10\1", 6); /* the head: pages_id 1 */
	at += 6;
	for (size_t i = 0; i < count; i++)
		at += lab_entry(at, runs[i]);
	assert_true(at < image + sizeof(image));
	snprintf(name, sizeof(name), "pagemap-%u.img", id);
	must(file_replace_volatile_at(l->images, name, (char *)image, (size_t)(at - image), 0600,
				      &e));
}

/* --- pages --- */

static inline void lab_store(struct lab *l, uint32_t id, uint64_t vaddr, uint64_t npages)
{
	uint8_t page[PAGE];
	struct err e = {0};

	for (uint64_t i = 0; i < npages; i++) {
		lab_fill(id, vaddr + i * PAGE, page);
		must(cr_pages_put(l->store, id, vaddr + i * PAGE, 1, page, &e));
	}
}

/* --- the daemon --- */

static inline int lab_try_start(struct lab *l, struct err *e)
{
	const struct cr_pages_daemon_start how = {.store = l->store,
						  .images = l->images,
						  .state_dir = l->state,
						  .cgroup = l->cg.v2,
						  .log_fd = l->log,
						  .source_in = l->source[0],
						  .source_out = l->source[1],
						  .name = "test"};

	return cr_pages_daemon_start(&how, &l->d, e);
}

/* A link whose end pair[1] the daemon will have; pair[0] is the source's. */
static inline void lab_source(struct lab *l, int pair[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	l->source[0] = l->source[1] = pair[1];
}

static inline void lab_start(struct lab *l)
{
	struct err e = {0};

	must(lab_try_start(l, &e));
	cr_pages_free(l->store);
	l->store = NULL;
}

/* Waits for the last word of the daemon. */
static inline struct cr_pages_report lab_report(struct lab *l)
{
	struct pollfd p = {.fd = l->d.control, .events = POLLIN};
	struct cr_pages_report report = {0};

	assert_int_equal(poll(&p, 1, DEADLINE_MS), 1);
	if (recv(l->d.control, &report, sizeof(report), 0) != (ssize_t)sizeof(report))
		fail_msg("skep-pages ended without a report");
	assert_int_equal(report.magic, CR_PAGES_REPORT_MAGIC);
	return report;
}

/* Waits for a child's end; its status. */
static inline int lab_end_of(pid_t pid)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0), status;
	struct pollfd p = {.fd = pidfd, .events = POLLIN};

	assert_int_equal(poll(&p, 1, DEADLINE_MS), 1);
	close(pidfd);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}
