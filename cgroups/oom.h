/* SPDX-License-Identifier: GPL-2.0-only */
/* Word from the kernel that a container's processes were killed for lack of memory. */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

struct cg;
struct err;

/*
 * Life: cg_oom_watch() → poll fd for POLLIN → cg_oom_read() → … → cg_oom_done(). v2: inotify on memory.events; v1: an eventfd that the kernel counts
 * up. fd is -EBADF where no memory controller is: then nothing is ever to be heard. A group that is removed is no news.
 */
struct cg_oom {
	int fd;
	int dir; /* of memory.events, or memory.oom_control; borrowed from the cg */
	bool v1;
	uint64_t kills;
};
#define CG_OOM_INIT                          \
	{                                    \
		.fd = -EBADF, .dir = -EBADF, \
	}
#define auto_oom __attribute__((cleanup(cg_oom_done)))

/* cg must stay open as long. */
int cg_oom_watch(const struct cg *cg, struct cg_oom *oom, struct err *e);

/* How often it happened since; 0 when fd spoke of something else, or of nothing. */
int cg_oom_read(struct cg_oom *oom, struct err *e);
void cg_oom_done(struct cg_oom *oom);
