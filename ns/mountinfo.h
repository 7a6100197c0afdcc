/* SPDX-License-Identifier: GPL-2.0-only */
/* Which mounts a process sees: the lines of /proc/PID/mountinfo. */
#pragma once

/*
 * proc_pid_mountinfo(5), "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue": those in the mount namespace of the process that its root directory leads to. Blanks,
 * newlines and backslashes within a field are written by three octal digits, so a field ends at a blank.
 * Each call cuts the text that it is given, which what it returns points into.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

struct ns_mountinfo {
	uint64_t id, parent; /* the same of the mount that the namespace begins with */
	dev_t dev;
	char *root, *at;   /* as written */
	char *propagation; /* "shared:2 master:1", "" */
	char *type;	   /* "fuse.sshfs" */
	char *options;	   /* of the file system: "rw,cpu,cpuacct" */
};

/* Of such a file, in bytes: 100,000 mounts (fs.mount-max) by 160. */
#define NS_MOUNTINFO_MOST (16u << 20)

/* The next line of *rest, which ends up NULL. 1; 0: there is no more; -EINVAL: a line of another form, which is passed over. */
int ns_mountinfo_next(char **rest, struct ns_mountinfo *m);

/* All of them, in *list (the caller's, to be freed). How many, or -ENOMEM. */
ssize_t ns_mountinfo_list(char *text, struct ns_mountinfo **list, struct err *e);

/* A field as it is, in place. */
char *ns_mountinfo_unescape(char *field);
