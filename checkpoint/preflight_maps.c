// SPDX-License-Identifier: GPL-2.0-only
/* The memory of a container's processes: mappings that criu cannot make again. */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/own.h"
#include "checkpoint/dump.h"
#include "checkpoint/preflight_look.h"

#ifndef STATX_MNT_ID
#define STATX_MNT_ID 0x00001000U
#endif

#define MAPS_MOST (64u << 20)
#define INFO_MOST (1u << 20)

/* One file of a process is often mapped in several pieces, one after the other. */
struct last {
	unsigned long inode;
	char dev[24];
};

static bool begins(const char *text, const char *with)
{
	return !strncmp(text, with, strlen(with));
}

/* Memory without a file, and what criu knows of that kind. */
static bool is_plain(const char *name)
{
	return !name[0] || name[0] == '[' || begins(name, "/memfd:") || begins(name, "/SYSV") ||
	       begins(name, "/anon_hugepage") || begins(name, "/[aio]") ||
	       begins(name, "socket:[") || begins(name, "/dev/zero");
}

static const char *anon_to_str(const char *name)
{
	if (strstr(name, "io_uring"))
		return "an io_uring";
	if (strstr(name, "perf_event"))
		return "a performance counter's";
	if (begins(name, "/secretmem"))
		return "secret (memfd_secret)";
	return "of a kind that is no file";
}

/* The descriptor of what is mapped told it already. */
static bool is_named(const struct cr_look *l, const struct cr_look_process *p, const char *kind)
{
	for (size_t i = 0; i < l->found->count; i++)
		if (l->found->list[i].pid == p->inner && !strcmp(l->found->list[i].kind, kind))
			return true;
	return false;
}

static void look_at_file(struct cr_look *l, const struct cr_look_process *p, const char *range,
			 const char *name)
{
	const struct cr_look_mount *m;
	char file[64];
	struct statx st;

	snprintf(file, sizeof(file), "map_files/%.40s", range);
	if (statx(p->proc, file, AT_STATX_DONT_SYNC, STATX_BASIC_STATS | STATX_MNT_ID, &st) < 0)
		return;
	m = cr_look_mount(l, (int)st.stx_mnt_id);
	if (!S_ISREG(st.stx_mode))
		cr_look_add(l, p, "device", false, "stop it first",
			    "has a device in its memory, which cannot be taken along: %.100s",
			    name);
	else if (st.stx_mask & STATX_MNT_ID && !m)
		cr_look_add(l, p, "no-mount", false, "restart that program",
			    "has a file in its memory that is on no mount of the container: %.100s",
			    name);
	else if (m && m->hidden)
		cr_look_add(l, p, "hidden-file", false, "restart that program",
			    "has a file in its memory that another mount hides: %.100s", name);
	else if (st.stx_nlink == 0 && st.stx_blocks / 2048 >= CR_DUMP_GHOST_MIB)
		cr_look_add(
			l, p, "deleted", false, "restart that program",
			"has a deleted file of %llu MiB in its memory, more than the %llu MiB that "
			"can be taken along: %.80s",
			(unsigned long long)st.stx_blocks / 2048,
			(unsigned long long)CR_DUMP_GHOST_MIB, name);
}

/* "7f..-7f.. rw-s 00000000 00:0f 1068   anon_inode:[io_uring]" */
static void look_at_line(struct cr_look *l, const struct cr_look_process *p, const char *line,
			 struct last *last)
{
	char range[48], dev[24];
	unsigned long inode;
	const char *name;
	int at = 0;

	if (sscanf(line, "%40s %*s %*s %20s %lu %n", range, dev, &inode, &at) != 3 || !at)
		return;
	name = line + at;
	if (!strcmp(name, "[uprobes]"))
		cr_look_add(
			l, p, "uprobes", false, "end what traces it (perf, bpftrace) first",
			"has a place that is traced by the host (uprobes), which cannot be taken "
			"along");
	if (is_plain(name) || (inode == last->inode && !strcmp(dev, last->dev)))
		return;
	last->inode = inode;
	memcpy(last->dev, dev, sizeof(dev));
	if (begins(name, "anon_inode:") || begins(name, "/secretmem")) {
		const char *kind = strstr(name, "io_uring")	? "io_uring"
				   : strstr(name, "perf_event") ? "perf"
				   : name[0] == '/'		? "secret-memory"
								: "mapping";

		if (!is_named(l, p, kind))
			cr_look_add(l, p, kind, false, "stop it first",
				    "has memory that is %s, which cannot be taken along",
				    anon_to_str(name));
	} else
		look_at_file(l, p, range, name);
}

/* A file that p has mapped, the same one as st. */
static bool is_mapped(const struct cr_look_process *p, const struct stat *st)
{
	int fd = openat(p->proc, "map_files", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	while (d && (entry = readdir(d))) {
		struct statx m;

		if (entry->d_name[0] != '.' &&
		    statx(dirfd(d), entry->d_name, AT_STATX_DONT_SYNC, STATX_INO, &m) == 0 &&
		    m.stx_ino == st->st_ino &&
		    makedev(m.stx_dev_major, m.stx_dev_minor) == st->st_dev)
			return true;
	}
	return false;
}

/* Closing what it maps, criu's init loses its locks on that. All others take theirs again (file_locks.h). */
static void look_at_locks(struct cr_look *l, const struct cr_look_process *p)
{
	int fd = openat(p->proc, "fdinfo", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	while (d && (entry = readdir(d))) {
		auto_free char *text = NULL;
		char name[48], link[PATH_MAX];
		struct stat st;
		ssize_t n;

		snprintf(name, sizeof(name), "fdinfo/%.16s", entry->d_name);
		text = entry->d_name[0] == '.' ? NULL : cr_look_read(p, name, INFO_MOST);
		if (!text || !strstr(text, ": POSIX"))
			continue;
		snprintf(name, sizeof(name), "fd/%.16s", entry->d_name);
		n = readlinkat(p->proc, name, link, sizeof(link) - 1);
		link[n > 0 ? n : 0] = 0;
		if (n > 0 && fstatat(p->proc, name, &st, 0) == 0 && is_mapped(p, &st))
			cr_look_add(
				l, p, "lock", false,
				"let it give up the lock, or run it below another init",
				"is the container's init and has locked a file that it has in its "
				"memory, too: it would lose the lock on %.100s (descriptor %.16s)",
				link, entry->d_name);
	}
}

void cr_look_maps(struct cr_look *l)
{
	look_at_locks(l, cr_look_init(l));
	for (size_t i = 0; i < l->process_count; i++) {
		const struct cr_look_process *p = &l->processes[i];
		auto_free char *text = NULL;
		struct last last = {0};
		char *save = NULL;

		if (p->state == 'Z' || p->state == 'X')
			continue;
		text = cr_look_read(p, "maps", MAPS_MOST);
		for (char *line = text ? strtok_r(text, "\n", &save) : NULL; line;
		     line = strtok_r(NULL, "\n", &save))
			look_at_line(l, p, line, &last);
	}
}
