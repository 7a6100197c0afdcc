// SPDX-License-Identifier: GPL-2.0-only
/* Reading and setting the options of cgroup2. */
#include "checkpoint/group_flags.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/own.h"
#include "checkpoint/hierarchy.h"
#include "ns/mountinfo.h"

#define LOCK_FILE "/run/skep-cgroup2.lock" /* one for the kernel, whatever --state says */
#define MOST	  256

/* All that a kernel may show; a word that it does not know it has not shown. */
static const char *const known[] = {"nsdelegate",
				    "favordynmods",
				    "memory_localevents",
				    "memory_recursiveprot",
				    "memory_hugetlb_accounting",
				    "pids_localevents"};

struct hierarchy {
	char at[MOST], options[MOST];
};

/* False: cgroup2 is not mounted from its root on, where we see it. */
static bool find(struct hierarchy *h)
{
	auto_free struct ns_mountinfo *all = NULL;
	auto_free char *text = NULL;
	const struct ns_mountinfo *m;
	struct err none = {0};
	ssize_t n;

	if (file_try_read_at(AT_FDCWD, "/proc/self/mountinfo", NS_MOUNTINFO_MOST, &text, &none) < 0)
		return false;
	n = ns_mountinfo_list(text, &all, &none);
	m = n < 0 ? NULL : cr_hierarchy_find(all, (size_t)n, "");
	if (!m || strlen(m->at) >= MOST || strlen(m->options) >= MOST)
		return false;
	snprintf(h->at, MOST, "%s", m->at);
	snprintf(h->options, MOST, "%s", m->options);
	return true;
}

static bool has(const char *options, const char *word)
{
	size_t n = strlen(word);

	for (const char *at = options; *at; at += *at == ',') {
		size_t len = strcspn(at, ",");

		if (len == n && !strncmp(at, word, n))
			return true;
		at += len;
	}
	return false;
}

static int set(const char *at, const char *options)
{
	auto_fd int fs = fspick(AT_FDCWD, at, FSPICK_CLOEXEC);
	int r = fs;

	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(known); i++)
		if (has(options, known[i]))
			r = fsconfig(fs, FSCONFIG_SET_FLAG, known[i], NULL, 0);
	return r < 0 ? r : fsconfig(fs, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0);
}

static bool same(const char *a, const char *b)
{
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (has(a, known[i]) != has(b, known[i]))
			return false;
	return true;
}

void cr_group_flags_mend(int fd)
{
	struct hierarchy h = {0};
	char were[MOST] = "";
	ssize_t n = fd < 0 ? 0 : pread(fd, were, sizeof(were) - 1, 0);

	if (n <= 0 || !find(&h) || same(h.options, were))
		return;
	if (set(h.at, were) < 0)
		log_warn("cgroup2 at %s was mounted with %s, and criu has undone that: %s", h.at,
			 were, strerror(errno));
}

/*
 * The file has the options as long as somebody runs criu, and all of them share its lock; who has it alone is the first one, or the last. A note that the first one finds is of somebody
 * who was killed.
 */
int cr_group_flags_keep(struct err *e)
{
	struct hierarchy h = {0};
	auto_fd int fd = -EBADF;

	if (!find(&h))
		return -EBADF;
	fd = open(LOCK_FILE, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_sys(e, "open " LOCK_FILE);
	if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
		cr_group_flags_mend(fd);
		if (!find(&h) || ftruncate(fd, 0) < 0 ||
		    pwrite(fd, h.options, strlen(h.options), 0) < 0)
			return err_sys(e, "write " LOCK_FILE);
	}
	/* From alone to shared the kernel lets go for a moment; who gets it alone then finds the same options. */
	if (flock(fd, LOCK_SH) < 0)
		return err_sys(e, "lock " LOCK_FILE);
	return take_fd(&fd);
}

void cr_group_flags_let(int *fd)
{
	if (*fd < 0)
		return;
	cr_group_flags_mend(*fd);
	if (flock(*fd, LOCK_EX | LOCK_NB) == 0 && ftruncate(*fd, 0) < 0)
		log_warn("empty " LOCK_FILE ": %s", strerror(errno));
	own_close_fd(fd);
}
