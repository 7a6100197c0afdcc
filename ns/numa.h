/* SPDX-License-Identifier: GPL-2.0-only */
/* From which memory nodes a process gets its memory. */
#pragma once

#include <sched.h>
#include <stdbool.h>

struct err;

/* set_mempolicy(2). */
struct ns_numa {
	bool given; /* else it stays as it is, and the rest means nothing */
	int mode;   /* MPOL_* | MPOL_F_* */
	bool has_nodes;
	cpu_set_t
		nodes; /* a set of 1024 numbers, which is what the kernel has nodes for at most (MAX_NUMNODES) */
};

/* runtime-spec's words, "MPOL_BIND" and "MPOL_F_STATIC_NODES", to the kernel's numbers. -EINVAL: it is none. */
int ns_numa_mode(const char *word, int *mode);
int ns_numa_flag(const char *word, int *flag);

/* In the process itself: what it executes keeps it. Whether mode, flags and nodes fit together, and the host has these nodes, is the kernel's to judge: -EINVAL, class CONFIG. */
int ns_numa_apply(const struct ns_numa *numa, struct err *e);
