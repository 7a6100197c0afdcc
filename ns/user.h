/* SPDX-License-Identifier: GPL-2.0-only */
/* Who a process in the container is: user, groups, home, from numbers or the container's own files.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

#define NS_USER_GROUPS_MOST 256

struct ns_user {
	uid_t uid;
	gid_t gid;
	gid_t groups[NS_USER_GROUPS_MOST]; /* supplementary */
	int n_groups;
	char name[64];	 /* empty when the user has no line in passwd */
	char home[256];	 /* "/" when unknown */
	char shell[256]; /* "/bin/sh" when unknown */
};

/*
 * Parses "user[:group]", each a name or a whole decimal number ("1" is uid 1 and nothing else,
 * CVE-2026-30892), with the container's etc/passwd and etc/group below root: opened inside root,
 * regular files only, at most 1 MiB of each is read, lines of any length survive. A number without
 * a line is accepted. -ENOENT, class VALUE: no such user.
 */
int ns_user_lookup(int root, const char *spec, struct ns_user *user, struct err *e);

/* Becomes root of our user namespace (after its maps are written): gid 0, uid 0, no supplementary
 * groups where allowed. */
int ns_user_become_root(bool keep_groups, struct err *e);
