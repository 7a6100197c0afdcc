// SPDX-License-Identifier: GPL-2.0-only
/* /proc/PID/maps and the reading of pages. */
#include "checkpoint/track_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "base/err.h"
#include "base/own.h"

/* "START-END PERMS OFFSET DEV INODE NAME": private, of no file, and not one of the kernel's own ([vdso], [vvar], [uprobes] and those to come). */
static bool is_ours(const char *perms, unsigned long inode, unsigned major, unsigned minor,
		    const char *name)
{
	if (perms[3] != 'p' || inode || major || minor)
		return false;
	return name[0] != '[' || !strncmp(name, "[heap]", 6) || !strncmp(name, "[stack", 6) ||
	       !strncmp(name, "[anon:", 6);
}

int cr_mappings_read(pid_t pid, struct cr_run **runs, bool *aio, struct err *e)
{
	auto_free struct cr_run *v = NULL;
	auto_file FILE *maps = NULL;
	auto_free char *line = NULL;
	size_t size = 0, count = 0, room = 0;
	char path[48];

	*runs = NULL;
	*aio = false;
	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	maps = fopen(path, "re");
	while (maps && getline(&line, &size, maps) > 0) {
		uint64_t from, to;
		unsigned long inode;
		unsigned major, minor;
		char perms[5];
		int name = 0;

		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %*x %x:%x %lu %n", &from, &to, perms,
			   &major, &minor, &inode, &name) < 6)
			continue;
		*aio |= !strncmp(line + name, "/[aio]", 6);
		if (!is_ours(perms, inode, major, minor, line + name))
			continue;
		if (count == room) {
			struct cr_run *more = realloc(v, (room = room * 2 + 64) * sizeof(*v));

			if (!more)
				return err_set(e, ENOMEM, "no memory for the mappings of %d", pid);
			v = more;
		}
		v[count++] = (struct cr_run){from, (to - from) / CR_PAGE_SIZE};
	}
	*runs = take_ptr(&v);
	return (int)count;
}

enum cr_pins cr_pins_of(pid_t pid)
{
	enum cr_pins most = CR_PINS_NONE;
	char path[48], info[256];
	auto_dir DIR *dir = NULL;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo", pid);
	dir = opendir(path);
	for (struct dirent *ent; dir && (ent = readdir(dir));) {
		auto_fd int fd = openat(dirfd(dir), ent->d_name, O_RDONLY | O_CLOEXEC);
		ssize_t n = fd < 0 || ent->d_name[0] == '.' ? 0 : read(fd, info, sizeof(info) - 1);
		char *flags;

		info[n > 0 ? n : 0] = 0;
		/* io_uring_show_fdinfo() in io_uring/fdinfo.c, since Linux 5.1; a line that only it has. */
		if (strstr(info, "\nSqMask:") || strstr(info, "\nSqThread:"))
			return CR_PINS_LASTING;
		flags = strstr(info, "flags:");
		if (flags && strtoul(flags + 6, NULL, 8) & O_DIRECT)
			most = CR_PINS_PASSING;
	}
	return most;
}

/* One page that process_vm_readv(2) refuses: PROT_NONE does not stop /proc/PID/mem. */
static bool read_by_force(pid_t pid, uint64_t vaddr, void *data)
{
	auto_fd int mem = -EBADF;
	char path[48];

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	mem = open(path, O_RDONLY | O_CLOEXEC);
	return mem >= 0 && pread(mem, data, CR_PAGE_SIZE, (off_t)vaddr) == CR_PAGE_SIZE;
}

/* Hands out `pages` pages of the batch, from page `first` of it on. */
static int hand_out(struct cr_reader *r, unsigned first, unsigned pages, struct err *e)
{
	unsigned at = 0;
	int rc = 0;

	for (unsigned i = 0; i < r->count && rc >= 0; i++) {
		unsigned n = (unsigned)r->runs[i].npages;
		unsigned from = at > first ? at : first;
		unsigned to = at + n < first + pages ? at + n : first + pages;

		if (from < to)
			rc = r->got(r->arg, r->runs[i].vaddr + (uint64_t)(from - at) * CR_PAGE_SIZE,
				    to - from, r->data + (size_t)from * CR_PAGE_SIZE, e);
		at += n;
	}
	return rc;
}

/* The address of page n of the batch. */
static uint64_t address(const struct cr_reader *r, unsigned n)
{
	unsigned i = 0;

	for (; n >= r->runs[i].npages; i++)
		n -= (unsigned)r->runs[i].npages;
	return r->runs[i].vaddr + (uint64_t)n * CR_PAGE_SIZE;
}

int cr_pages_read(pid_t pid, uint64_t vaddr, uint32_t npages, void *data)
{
	struct iovec here = {data, (size_t)npages * CR_PAGE_SIZE};
	struct iovec there = {(void *)vaddr, here.iov_len};
	ssize_t got = process_vm_readv(pid, &here, 1, &there, 1, 0);
	uint32_t n = got > 0 ? (uint32_t)((size_t)got / CR_PAGE_SIZE) : 0;

	if (got < 0 && errno == ESRCH)
		return -ESRCH;
	while (n < npages && read_by_force(pid, vaddr + (uint64_t)n * CR_PAGE_SIZE,
					   (uint8_t *)data + (size_t)n * CR_PAGE_SIZE))
		n++;
	return (int)n;
}

/* Reads from page `first` of the batch on; returns how many pages came. */
static unsigned read_pages(struct cr_reader *r, unsigned first)
{
	struct iovec here = {r->data + (size_t)first * CR_PAGE_SIZE,
			     (size_t)(r->pages - first) * CR_PAGE_SIZE};
	struct iovec there[CR_TRACK_BATCH];
	unsigned n = 0, skip = first;
	ssize_t got;

	for (unsigned i = 0; i < r->count; i++) {
		unsigned pages = (unsigned)r->runs[i].npages;
		unsigned off = skip < pages ? skip : pages;

		skip -= off;
		if (off < pages)
			there[n++] = (struct iovec){
				(void *)(r->runs[i].vaddr + (uint64_t)off * CR_PAGE_SIZE),
				(size_t)(pages - off) * CR_PAGE_SIZE};
	}
	got = process_vm_readv(r->pid, &here, 1, there, n, 0);
	r->gone = got < 0 && errno == ESRCH;
	return got < 0 ? 0 : (unsigned)((size_t)got / CR_PAGE_SIZE);
}

int cr_reader_flush(struct cr_reader *r, struct err *e)
{
	unsigned at = 0;
	int rc = 0;

	while (at < r->pages && rc >= 0 && !r->gone) {
		unsigned n = read_pages(r, at);

		if (n == 0 && !r->gone) {
			if (read_by_force(r->pid, address(r, at),
					  r->data + (size_t)at * CR_PAGE_SIZE))
				n = 1;
			else if (r->missed)
				rc = r->missed(r->arg, address(r, at), e);
		}
		if (n)
			rc = hand_out(r, at, n, e);
		at += n ? n : 1;
	}
	r->count = r->pages = 0;
	return rc < 0 ? rc : 0;
}

void cr_reader_begin(struct cr_reader *r, pid_t pid,
		     int (*got)(void *arg, uint64_t vaddr, uint32_t npages, const void *data,
				struct err *e),
		     int (*missed)(void *arg, uint64_t vaddr, struct err *e), void *arg)
{
	r->pid = pid;
	r->got = got;
	r->missed = missed;
	r->arg = arg;
	r->count = r->pages = 0;
	r->gone = false;
}

int cr_reader_add(struct cr_reader *r, uint64_t vaddr, uint64_t npages, struct err *e)
{
	while (npages && !r->gone) {
		unsigned free_pages = CR_TRACK_BATCH - r->pages;
		unsigned n = npages < free_pages ? (unsigned)npages : free_pages;
		int rc;

		r->runs[r->count++] = (struct cr_run){vaddr, n};
		r->pages += n;
		vaddr += (uint64_t)n * CR_PAGE_SIZE;
		npages -= n;
		rc = r->pages == CR_TRACK_BATCH ? cr_reader_flush(r, e) : 0;
		if (rc < 0)
			return rc;
	}
	return 0;
}
