// SPDX-License-Identifier: GPL-2.0-only
/* criu's questions about pages, answered, and the list of those that it was not told of. */
#include "checkpoint/unseen.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/own.h"
#include "cgroups/kill.h"
#include "checkpoint/fuse_file.h"
#include "checkpoint/pagemap.h"
#include "checkpoint/pagemap_scan.h"
#include "checkpoint/track_memory.h"
#include "checkpoint/uffd.h"

#define STATUS_MOST  65536u
#define REGIONS_MOST 65536u /* that a question may have room for; criu's have 32768 */
#define SCAN_REGIONS 1024

/* --- which processes --- */

/* "\nNAME:\t  123 kB" of proc_pid_status(5), in bytes; 0 where there is none. */
static uint64_t status_bytes(const char *status, const char *name)
{
	const char *at = strstr(status, name);

	return at ? strtoull(at + strlen(name), NULL, 10) * 1024 : 0;
}

/* The pid in its innermost namespace. */
static uint32_t status_id(const char *status)
{
	const char *at = strstr(status, "\nNSpid:\t");
	uint32_t id = 0;

	for (at = at ? at + 7 : ""; *at == '\t';) {
		char *end;

		id = (uint32_t)strtoul(at + 1, &end, 10);
		at = end;
	}
	return id;
}

static char *read_status(pid_t pid)
{
	struct err gone = {0};
	char path[48], *text = NULL;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	return file_try_read_at(AT_FDCWD, path, STATUS_MOST, &text, &gone) < 0 ? NULL : text;
}

static void open_smaps(struct cr_unseen *u)
{
	struct err why = {0};

	if (u->count && cr_smaps_open(&u->smaps, &why) >= 0)
		for (size_t i = 0; i < u->count; i++)
			u->task[i].fuse_smaps = cr_fuse_open(&why);
	if (why.no)
		log_info("criu has the kernel list all mappings: %s", why.text);
}

void cr_unseen_open(struct cr_unseen *u, const struct cg *cg)
{
	auto_free pid_t *pids = NULL;
	struct err why = {0};
	int count = cg_pids(cg, &pids, &why);

	*u = (struct cr_unseen){.smaps = CR_SMAPS_INIT};
	for (int i = 0; i < count && u->count < CR_UNSEEN_MOST; i++) {
		auto_free char *status = read_status(pids[i]);
		struct cr_unseen_task *t = &u->task[u->count];

		if (!status || status_bytes(status, "\nRssAnon:") < CR_UNSEEN_PROCESS)
			continue;
		*t = (struct cr_unseen_task){.pid = pids[i],
					     .fuse = cr_fuse_open(&why),
					     .fuse_smaps = -EBADF,
					     .kernel_smaps = -EBADF};
		if (t->fuse < 0)
			break;
		u->count++;
	}
	if (why.no)
		log_info("criu looks at all memory itself: %s", why.text);
	open_smaps(u);
}

void cr_unseen_close(struct cr_unseen *u)
{
	for (size_t i = 0; i < u->count; i++) {
		own_close_fd(&u->task[i].fuse);
		own_close_fd(&u->task[i].fuse_smaps);
		own_close_fd(&u->task[i].kernel_smaps);
		free(u->task[i].smaps);
		free(u->task[i].maps);
		free(u->task[i].stacks);
		free(u->task[i].runs);
	}
	if (u->count)
		cr_smaps_close(&u->smaps);
	u->count = 0;
}

int cr_unseen_attach(void *arg, struct err *e)
{
	const struct cr_unseen *u = arg;

	/* Of this namespace's mounts only that of /proc is cut off: criu compares how mounts are shared with those of the container. */
	if (u->count &&
	    (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/proc", NULL, MS_PRIVATE, NULL) < 0))
		return err_sys(e, "make a mount namespace for criu");
	for (size_t i = 0; i < u->count; i++) {
		struct err why = {0};
		char path[48];

		/* It may have ended by now, and its number be another's: that one has a /proc/PID of its own, without our file. */
		snprintf(path, sizeof(path), "/proc/%d/pagemap", u->task[i].pid);
		if (cr_fuse_mount(u->task[i].fuse, path, &why) < 0)
			log_info("criu looks at the memory of process %d itself: %s",
				 u->task[i].pid, why.text);
		err_clear(&why);
		snprintf(path, sizeof(path), "/proc/%d/smaps", u->task[i].pid);
		if (u->task[i].fuse_smaps >= 0 &&
		    cr_fuse_mount(u->task[i].fuse_smaps, path, &why) < 0)
			log_info("criu reads the mappings of process %d itself: %s", u->task[i].pid,
				 why.text);
	}
	return 0;
}

/* --- what it has, now that it is stopped --- */

/* The page that the stack pointer is in: the last but one word of proc_pid_syscall(5). */
static bool read_stack(int threads, const char *thread, uint64_t *page)
{
	auto_free char *text = NULL;
	struct err gone = {0};
	char name[40], *last, *sp;

	snprintf(name, sizeof(name), "%.16s/syscall", thread);
	if (file_try_read_at(threads, name, 4096, &text, &gone) < 0)
		return false;
	last = strrchr(text, ' ');
	if (!last) /* "running" */
		return false;
	*last = 0;
	sp = strrchr(text, ' ');
	*page = sp ? strtoull(sp, NULL, 16) & ~(uint64_t)(CR_PAGE_BYTES - 1) : 0;
	return *page != 0;
}

static int by_address(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static bool read_stacks(struct cr_unseen_task *t)
{
	auto_dir DIR *d = NULL;
	const struct dirent *entry;
	char path[48];

	snprintf(path, sizeof(path), "/proc/%d/task", t->pid);
	d = opendir(path);
	while (d && (entry = readdir(d))) {
		uint64_t *more;

		if (entry->d_name[0] == '.')
			continue;
		more = reallocarray(t->stacks, t->stack_count + 1, sizeof(*more));
		if (more)
			t->stacks = more;
		if (!more || !read_stack(dirfd(d), entry->d_name, &t->stacks[t->stack_count]))
			return false;
		t->stack_count++;
	}
	if (t->stack_count)
		qsort(t->stacks, t->stack_count, sizeof(*t->stacks), by_address);
	return t->stack_count > 0;
}

/*
 * criu takes locked mappings into its images, and which those are is told by smaps only; a process with any is shown all of its memory. Others that it does not leave to lazy
 * pages (of huge pages, vdso) are none of cr_mappings_read()'s.
 */
static bool read_task(struct cr_unseen_task *t)
{
	auto_free char *status = read_status(t->pid);
	struct err why = {0};
	bool aio;
	int n;

	if (!status || status_bytes(status, "\nVmLck:") || !read_stacks(t))
		return false;
	t->id = status_id(status);
	n = cr_mappings_read(t->pid, &t->maps, &aio, &why);
	for (int i = 0; i < n; i++)
		if (t->maps[i].npages >= CR_UNSEEN_MAPPING / CR_PAGE_BYTES)
			t->maps[t->map_count++] = t->maps[i];
	return true;
}

/* Or the kernel's own, of any length: who reads on where the last read of the same descriptor ended costs no new walk (seq_read_iter() in fs/seq_file.c). */
static void read_smaps(const struct cr_smaps *s, struct cr_unseen_task *t)
{
	struct err why = {0};
	int64_t n = t->fuse_smaps < 0 ? 0 : cr_smaps_make(s, t->pid, &t->smaps, &why);
	char path[48];

	t->smaps_len = n < 0 ? 0 : (size_t)n;
	if (n >= 0)
		return;
	log_info("the kernel lists all mappings of process %d: %s", t->pid, why.text);
	snprintf(path, sizeof(path), "/proc/%d/smaps", t->pid);
	t->kernel_smaps = open(path, O_RDONLY | O_CLOEXEC);
	if (t->kernel_smaps < 0)
		log_warn("the mappings of process %d: %s", t->pid, strerror(errno));
}

void cr_unseen_stopped(struct cr_unseen *u)
{
	for (size_t i = 0; i < u->count; i++) {
		if (!read_task(&u->task[i]))
			u->task[i].map_count = 0;
		read_smaps(&u->smaps, &u->task[i]);
	}
}

/* --- the answers --- */

static void add_run(struct cr_unseen_task *t, uint64_t start, uint64_t end)
{
	if (start >= end || t->failed)
		return;
	if (t->run_count == t->run_room) {
		size_t room = 2 * t->run_room + 64;
		struct cr_run *more = reallocarray(t->runs, room, sizeof(*more));

		t->failed = !more;
		if (!more)
			return;
		t->runs = more;
		t->run_room = room;
	}
	t->runs[t->run_count++] = (struct cr_run){start, (end - start) / CR_PAGE_BYTES};
}

/* Pages that are there: those of stacks are shown, all others noted. Returns how many are in `shown`, which has room for all stacks. */
static size_t sort_out(struct cr_unseen_task *t, const struct cr_region *there,
		       struct cr_region *shown)
{
	uint64_t at = there->start;
	size_t count = 0;

	for (size_t i = 0; i < t->stack_count; i++) {
		uint64_t page = t->stacks[i];

		if (page < at || page >= there->end)
			continue;
		add_run(t, at, page);
		at = page + CR_PAGE_BYTES;
		shown[count++] = (struct cr_region){page, at, CR_IS_PRESENT};
	}
	add_run(t, at, there->end);
	return count;
}

/* Should criu ask twice, it is noted once. */
static void forget_runs(struct cr_unseen_task *t, uint64_t start, uint64_t end)
{
	size_t kept = 0;

	for (size_t i = 0; i < t->run_count; i++)
		if (t->runs[i].vaddr < start || t->runs[i].vaddr >= end)
			t->runs[kept++] = t->runs[i];
	t->run_count = kept;
}

/* What is to be shown of one mapping. -errno: it could not be read. */
static int withhold(struct cr_unseen_task *t, int pagemap, uint64_t start, uint64_t end,
		    struct cr_region *shown)
{
	auto_free struct cr_region *v = malloc(SCAN_REGIONS * sizeof(*v));
	size_t count = 0;
	int r = v ? 0 : -ENOMEM;

	forget_runs(t, start, end);
	for (uint64_t at = start, last; r >= 0 && at < end;) {
		last = at;
		r = cr_uffd_scan(pagemap, CR_SCAN_PRESENT, &at, end, 0, v, SCAN_REGIONS);
		for (int i = 0; i < r; i++)
			count += sort_out(t, &v[i], &shown[count]);
		if (r >= 0 && at <= last)
			r = -EIO;
	}
	if (r < 0)
		forget_runs(t, start, end);
	return r < 0 ? r : (int)count;
}

/* Whether criu wants to know which pages there are, and of all of a mapping that is ours. */
static bool is_about_ours(const struct cr_unseen_task *t, const struct cr_scan_arg *a)
{
	if (a->flags || !(a->category_anyof_mask & CR_IS_PRESENT))
		return false;
	for (size_t i = 0; i < t->map_count; i++)
		if (a->start == t->maps[i].vaddr &&
		    a->end == a->start + t->maps[i].npages * CR_PAGE_BYTES)
			return true;
	return false;
}

static int pass_on(int pagemap, struct cr_scan_arg *a, struct cr_region *v)
{
	struct cr_scan_arg ours = *a;
	int n;

	ours.vec = (uint64_t)(uintptr_t)v;
	n = ioctl(pagemap, CR_PAGEMAP_SCAN, &ours);
	a->walk_end = ours.walk_end;
	return n < 0 ? -errno : n;
}

static int open_pagemap(pid_t pid)
{
	char path[48];

	snprintf(path, sizeof(path), "/proc/%d/pagemap", pid);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static int give(pid_t client, uint64_t to, const struct cr_region *v, int n)
{
	struct iovec here = {(void *)(uintptr_t)v, (size_t)n * sizeof(*v)};
	struct iovec there = {(void *)(uintptr_t)to, here.iov_len};

	if (n <= 0 || process_vm_writev(client, &here, 1, &there, 1, 0) == (ssize_t)here.iov_len)
		return n;
	return -EFAULT;
}

static int answer_scan(pid_t client, uint32_t cmd, void *data, size_t len, void *arg)
{
	struct cr_unseen_task *t = arg;
	auto_fd int pagemap = open_pagemap(t->pid);
	auto_free struct cr_region *v = NULL;
	struct cr_scan_arg a;
	int n = -EAGAIN;

	if (cmd != CR_PAGEMAP_SCAN || len < sizeof(a))
		return -ENOTTY;
	memcpy(&a, data, sizeof(a));
	/* Through here nothing is protected, and nobody gets all memory. */
	if (a.flags || a.vec_len > REGIONS_MOST)
		return -EINVAL;
	v = calloc(a.vec_len + t->stack_count + 1, sizeof(*v));
	if (!v || pagemap < 0)
		return v ? -ESRCH : -ENOMEM;
	if (is_about_ours(t, &a) && a.vec_len >= t->stack_count) {
		n = withhold(t, pagemap, a.start, a.end, v);
		a.walk_end = a.end;
	}
	if (n < 0)
		n = pass_on(pagemap, &a, v);
	memcpy(data, &a, sizeof(a));
	return give(client, a.vec, v, n);
}

/* For a criu that reads pagemaps as they were read before there was that ioctl. */
static ssize_t answer_read(void *data, size_t len, uint64_t offset, void *arg)
{
	const struct cr_unseen_task *t = arg;
	auto_fd int pagemap = open_pagemap(t->pid);
	ssize_t n = pread(pagemap, data, len, (off_t)offset);

	return n < 0 ? -errno : n;
}

static int answer_nothing(pid_t client, uint32_t cmd, void *data, size_t len, void *arg)
{
	(void)client, (void)cmd, (void)data, (void)len, (void)arg;
	return -ENOTTY;
}

/* Before it is stopped there is none: nobody asks then. */
static ssize_t answer_smaps(void *data, size_t len, uint64_t offset, void *arg)
{
	const struct cr_unseen_task *t = arg;

	if (t->kernel_smaps >= 0) {
		ssize_t n = pread(t->kernel_smaps, data, len, (off_t)offset);

		return n < 0 ? -errno : n;
	}
	if (!t->smaps)
		return -EAGAIN;
	if (offset >= t->smaps_len)
		return 0;
	len = len < t->smaps_len - offset ? len : t->smaps_len - offset;
	memcpy(data, t->smaps + offset, len);
	return (ssize_t)len;
}

size_t cr_unseen_poll(const struct cr_unseen *u, struct pollfd *p)
{
	for (size_t i = 0; i < u->count; i++) {
		p[2 * i] = (struct pollfd){.fd = u->task[i].fuse, .events = POLLIN};
		p[2 * i + 1] = (struct pollfd){.fd = u->task[i].fuse_smaps, .events = POLLIN};
	}
	return 2 * u->count;
}

/* It ends with the process, or with criu; a broken one is closed, and criu's next question fails. */
static void serve(int *fuse, const struct cr_fuse_file *file, pid_t pid)
{
	struct err why = {0};

	if (cr_fuse_serve(*fuse, file, &why) < 0)
		own_close_fd(fuse);
	if (why.no)
		log_warn("the memory of process %d: %s", pid, why.text);
}

void cr_unseen_serve(struct cr_unseen *u, const struct pollfd *p, size_t count)
{
	for (size_t i = 0; i < count / 2 && i < u->count; i++) {
		struct cr_unseen_task *t = &u->task[i];

		if (p[2 * i].revents)
			serve(&t->fuse, &(struct cr_fuse_file){answer_scan, answer_read, t},
			      t->pid);
		if (p[2 * i + 1].revents)
			serve(&t->fuse_smaps,
			      &(struct cr_fuse_file){answer_nothing, answer_smaps, t}, t->pid);
	}
}

int64_t cr_unseen_save(const struct cr_unseen *u, int images, struct err *e)
{
	int64_t pages = 0;

	for (size_t i = 0; i < u->count; i++) {
		const struct cr_unseen_task *t = &u->task[i];

		if (t->failed)
			return err_set(e, ENOMEM, "no memory for the list of pages");
		if (t->run_count &&
		    cr_pagemap_save_unseen(images, t->id, t->runs, t->run_count, e) < 0)
			return -e->no;
		for (size_t k = 0; k < t->run_count; k++)
			pages += (int64_t)t->runs[k].npages;
	}
	return pages;
}
