/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel's flags of each mapping of a process, without a look at its pages. */
#pragma once

/*
 * Only /proc/PID/smaps tells them (its VmFlags), and for its other lines the kernel walks over the page table and looks at the struct of each page: 8 to 12 ms of 1 GB. An iterator of BPF over
 * the mappings of a task reads the same field of the same struct, in 10 us: "iter/task_vma", for one task since Linux 6.1, where the kernel tells its types (btf.h) and lets
 * root read its memory (not in lockdown's confidentiality mode).
 *
 * Life: cr_vma_flags_open() loads the program, 3 ms with what it has to read; cr_vma_flags_read() as often as wanted; close(2).
 */

#include <stdint.h>
#include <sys/types.h>

struct err;

struct cr_vma {
	uint64_t start, end;
	uint64_t flags; /* vm_flags of struct vm_area_struct */
};

/* Returns the program's descriptor, CLOEXEC. Class UNSUPPORTED where the kernel does not do that. */
int cr_vma_flags_open(struct err *e);

/*
 * Of the process pid, as we number it, in the order of their addresses; those that are the same for all ([vsyscall]) are none of its. Returns how many; *v is the caller's. What it maps
 * meanwhile may be in it or not.
 */
int cr_vma_flags_read(int program, pid_t pid, struct cr_vma **v, struct err *e);
