/* SPDX-License-Identifier: GPL-2.0-only */
/* The options of the host's cgroup2 hierarchy, which criu loses. */
#pragma once

/*
 * criu mounts the hierarchies for itself, and cgroup2 without options. But its options (nsdelegate, memory_recursiveprot, ...) are the hierarchy's, not the mount's, and every mount that a process in the first cgroup
 * namespace makes sets or clears all of them (apply_cgroup_root_flags() in the kernel's kernel/cgroup/cgroup.c): after one restore nothing on the host is a delegation boundary any more (seen on Debian 13). So
 * they are noted before criu is started, and put back at each of its stages and at its end. What a killed command could not put back the next one does.
 */

struct err;

/* The lock, for cr_group_flags_let(); -EBADF with e untouched: there is no cgroup2 that it could do harm to. */
int cr_group_flags_keep(struct err *e);

/* Puts them back, if they are not what they were. fd: of cr_group_flags_keep(). */
void cr_group_flags_mend(int fd);
void cr_group_flags_let(int *fd);
#define auto_group_flags __attribute__((cleanup(cr_group_flags_let)))
