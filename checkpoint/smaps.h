/* SPDX-License-Identifier: GPL-2.0-only */
/* As much of /proc/PID/smaps as criu reads, made without the kernel's walk over the pages. */
#pragma once

/*
 * criu takes two lines of each mapping from it: the first, which is that of /proc/PID/maps, and VmFlags (parse_smaps() in criu/proc_parse.c). The flags come from vma_flags.h; how the kernel calls
 * each of them there (show_smap_vma_flags() in fs/proc/task_mmu.c) stands in a table, of which only those bits are used that cr_smaps_open() has seen to be as the table says, in
 * mappings of our own. A process that has another one gets none from us.
 *
 * Life: cr_smaps_open(), some milliseconds; cr_smaps_make() as often as wanted; cr_smaps_close().
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

struct cr_smaps {
	int program;	/* vma_flags.h; -EBADF: not open */
	uint64_t known; /* flags */
};
#define CR_SMAPS_INIT              \
	{                          \
		.program = -EBADF, \
	}

/* Class UNSUPPORTED where it cannot be. */
int cr_smaps_open(struct cr_smaps *s, struct err *e);
void cr_smaps_close(struct cr_smaps *s);

/* Of a process that is stopped, and nobody who shares its memory runs. Returns the length; *text is the caller's. -EOPNOTSUPP: a mapping has a flag that we do not know. */
int64_t cr_smaps_make(const struct cr_smaps *s, pid_t pid, char **text, struct err *e);
