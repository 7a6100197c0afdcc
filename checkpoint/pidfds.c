// SPDX-License-Identifier: GPL-2.0-only
/* Finding and renewing what processes keep of their pidfds. */
#include "checkpoint/pidfds.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/own.h"
#include "base/proc.h"
#include "cgroups/kill.h"
#include "checkpoint/pagemap_words.h"

/* linux/magic.h, which Debian 12 has without it */
#define PIDFS 0x50494446

/* Of a process that holds pidfds, so much of its heap is searched while it stands still: systemd has 1 to 4 MiB; 64 take 30 ms. */
#define HEAP_MOST (64u << 20)
#define AT_ONCE	  (256u << 10)

struct record {
	int32_t pid, fd;
	uint64_t ino;
};
_Static_assert(sizeof(struct record) == 16, "it is compared with memory of another program");

struct records {
	struct record *v;
	size_t count;
	uint64_t least, most; /* of all their inode numbers */
};

/* The process that the descriptor is for, as its holder knows it, and its inode number. False: no pidfd, or of a process that has ended, or the kernel's have no numbers. */
static bool look(pid_t holder, int fd, struct record *out)
{
	auto_free char *text = NULL;
	struct err gone = {0};
	struct statfs fs;
	struct stat st;
	char path[64], *at;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", holder, fd);
	if (statfs(path, &fs) < 0 || fs.f_type != PIDFS || stat(path, &st) < 0)
		return false;
	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", holder, fd);
	if (file_try_read_at(AT_FDCWD, path, 4096, &text, &gone) < 0)
		return false;
	/* Its number in each namespace, the innermost last. */
	at = strstr(text, "\nNSpid:");
	*out = (struct record){.fd = fd, .ino = st.st_ino};
	for (at = at ? at + 7 : NULL; at && (*at == '\t' || *at == ' ');)
		out->pid = (int32_t)strtol(at, &at, 10);
	return out->pid > 0;
}

/* A descriptor of an anonymous inode that is not a pidfd (an epoll, a timer) is not worth a statfs(2). */
static bool may_be_pidfd(int dir, const char *name)
{
	char link[32];
	ssize_t n = readlinkat(dir, name, link, sizeof(link) - 1);

	link[n > 0 ? n : 0] = 0;
	return !strcmp(link, "anon_inode:[pidfd]") || !strncmp(link, "pidfd:", 6);
}

/* --- noting --- */

static int list_pidfds(pid_t pid, struct records *all, struct err *e)
{
	auto_dir DIR *d = NULL;
	const struct dirent *entry;
	size_t room = 0;
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	d = opendir(path);
	while (d && (entry = readdir(d))) {
		struct record one;

		if (!may_be_pidfd(dirfd(d), entry->d_name) || !look(pid, atoi(entry->d_name), &one))
			continue;
		if (all->count == room) {
			struct record *more = realloc(all->v, (room = room * 2 + 32) * sizeof(one));

			if (!more)
				return err_set(e, ENOMEM, "note pidfds: out of memory");
			all->v = more;
		}
		if (!all->count || one.ino < all->least)
			all->least = one.ino;
		if (!all->count || one.ino > all->most)
			all->most = one.ino;
		all->v[all->count++] = one;
	}
	return 0;
}

static bool is_one(const struct records *all, const uint64_t words[2])
{
	if (words[1] < all->least || words[1] > all->most)
		return false;
	for (size_t i = 0; i < all->count; i++)
		if (!memcmp(&all->v[i], words, sizeof(all->v[i])))
			return true;
	return false;
}

/* Reads [at, end) of pid and appends what is found. Less can be read than there is: then the rest is not searched. */
static int search(pid_t pid, uint64_t at, uint64_t end, const struct records *all, json_t *found,
		  struct err *e)
{
	auto_free uint64_t *words = malloc(AT_ONCE);

	while (words && end - at >= sizeof(struct record)) {
		struct iovec here = {words, end - at < AT_ONCE ? end - at : AT_ONCE};
		struct iovec there = {(void *)(uintptr_t)at, here.iov_len};
		ssize_t got = process_vm_readv(pid, &here, 1, &there, 1, 0);

		if (got < (ssize_t)sizeof(struct record))
			return 0;
		for (size_t i = 0; i + 1 < (size_t)got / 8; i++) {
			const struct record *r = (const struct record *)(words + i);
			json_int_t where = (json_int_t)at + (json_int_t)i * 8;

			if (is_one(all, words + i) &&
			    json_array_append_new(found, json_pack("[I, i, i, I]", where, r->pid,
								   r->fd, (json_int_t)r->ino)) < 0)
				return err_set(e, ENOMEM, "note pidfds: out of memory");
		}
		/* One may begin with the last word. */
		at += ((uint64_t)got & ~UINT64_C(7)) - 8;
	}
	return words ? 0 : err_set(e, ENOMEM, "note pidfds: out of memory");
}

/* It may be several mappings, one behind the other: what was forked cannot be joined with what came later. */
static int search_heap(pid_t pid, const struct records *all, json_t *found, struct err *e)
{
	uint64_t begin = 0, end = 0, from, to;
	auto_file FILE *maps = NULL;
	char line[512];

	snprintf(line, sizeof(line), "/proc/%d/maps", pid);
	maps = fopen(line, "re");
	while (maps && fgets(line, sizeof(line), maps)) {
		if (!strstr(line, " [heap]") ||
		    sscanf(line, "%" SCNx64 "-%" SCNx64, &from, &to) != 2)
			continue;
		begin = begin ? begin : from;
		end = to;
	}
	return search(pid, begin, end - begin > HEAP_MOST ? begin + HEAP_MOST : end, all, found, e);
}

static int note_process(json_t *all, pid_t pid, struct err *e)
{
	auto_json json_t *found = json_array();
	struct records held = {0};
	char name[16];
	int r = found ? list_pidfds(pid, &held, e)
		      : err_set(e, ENOMEM, "note pidfds: out of memory");

	if (r >= 0 && held.count)
		r = search_heap(pid, &held, found, e);
	free(held.v);
	snprintf(name, sizeof(name), "%d", proc_inner_pid(pid, pid));
	if (r >= 0 && json_array_size(found) && json_object_set(all, name, found) < 0)
		return err_set(e, ENOMEM, "note pidfds: out of memory");
	return r;
}

int cr_pidfds_save(int images, const struct cg *cg, struct err *e)
{
	auto_json json_t *all = json_object();
	auto_free char *text = NULL;
	auto_free pid_t *pids = NULL;
	int n = cg_pids(cg, &pids, e), r = n;

	for (int i = 0; all && r >= 0 && i < n; i++)
		r = note_process(all, pids[i], e);
	if (r < 0 || (all && !json_object_size(all)))
		return r < 0 ? r : 0;
	text = all ? json_dumps(all, JSON_COMPACT) : NULL;
	if (!text)
		return err_set(e, ENOMEM, "note pidfds: out of memory");
	return file_replace_volatile_at(images, CR_PIDFDS_FILE, text, strlen(text), 0600, e);
}

/* --- renewing --- */

static bool in_place(pid_t pid, uint64_t vaddr)
{
	auto_fd int pagemap = -EBADF;
	uint64_t word = 0;
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/pagemap", pid);
	pagemap = open(path, O_RDONLY | O_CLOEXEC);
	return pagemap >= 0 && cr_words_read(pagemap, vaddr, 1, &word) && cr_word_exists(word);
}

/* False: it is not in place, and may not come. What is no such record is left alone: the process had freed it, or the file was lying. */
static bool renew(pid_t pid, uint64_t at, const struct record *then, bool all_there)
{
	struct record now, here;
	struct iovec to = {&here, sizeof(here)}, from = {(void *)(uintptr_t)at, sizeof(here)};

	if (!look(pid, then->fd, &now) || now.pid != then->pid || now.ino == then->ino)
		return true;
	if (!all_there && !(in_place(pid, at) && in_place(pid, at + sizeof(here) - 1)))
		return false;
	if (process_vm_readv(pid, &to, 1, &from, 1, 0) == sizeof(here) &&
	    !memcmp(&here, then, sizeof(here))) {
		to.iov_base = &now;
		if (process_vm_writev(pid, &to, 1, &from, 1, 0) != sizeof(now))
			log_info("process %d: what it knows of process %d cannot be renewed: %s",
				 pid, now.pid, strerror(errno));
	}
	return true;
}

static int renew_process(const json_t *all, pid_t pid, bool all_there, struct err *e)
{
	const json_t *records, *value;
	unsigned left = 0;
	char number[16];
	size_t i;

	snprintf(number, sizeof(number), "%d", proc_inner_pid(pid, pid));
	records = json_object_get(all, number);
	if (records && !json_is_array(records))
		return err_set(e, EPROTO, CR_PIDFDS_FILE ": not a list of records");
	json_array_foreach (records, i, value) {
		json_int_t at, ino;
		struct record then;

		if (json_unpack((json_t *)value, "[I, i, i, I!]", &at, &then.pid, &then.fd, &ino) <
			    0 ||
		    at <= 0 || at % 8 || then.pid <= 0 || then.fd < 0 || ino <= 0)
			return err_set(e, EPROTO, CR_PIDFDS_FILE ": a record cannot be so");
		then.ino = (uint64_t)ino;
		left += !renew(pid, (uint64_t)at, &then, all_there);
	}
	if (left)
		log_info(
			"process %s of the container may not know %u others again: its memory comes later",
			number, left);
	return 0;
}

int cr_pidfds_restore(int images, const struct cg *cg, bool all_there, struct err *e)
{
	auto_json json_t *all = NULL;
	auto_free pid_t *pids = NULL;
	int n, r = json_load_at(images, CR_PIDFDS_FILE, &all, e);

	if (r == -ENOENT) {
		err_clear(e);
		return 0;
	}
	n = r < 0 ? r : cg_pids(cg, &pids, e);
	for (int i = 0; n >= 0 && i < n; i++)
		if (renew_process(all, pids[i], all_there, e) < 0)
			n = -e->no;
	return n < 0 ? err_class(e, ERR_RESTORE) : 0;
}
