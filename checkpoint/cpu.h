/* SPDX-License-Identifier: GPL-2.0-only */
/* What a processor offers to programs: whether those that began on one can go on on another. */
#pragma once

/*
 * A program asks its processor once, at its start, what it has (the C library's memcpy does), and goes on using it after a restore: an instruction that is missing
 * there ends it with SIGILL. So the target has to have all flags of the source that name instructions or registers of programs. Those that only the kernel uses
 * (speculation, virtualization, names of errata) may differ.
 */

#include <stddef.h>

struct err;

#define CR_CPU_FLAGS_SIZE 2048

/* This host's flags that matter, in the order of /proc/cpuinfo, one blank between two; "" on an architecture that is not known here. */
int cr_cpu_flags(char flags[CR_CPU_FLAGS_SIZE], struct err *e);

/* The same from the text of a cpuinfo. */
void cr_cpu_flags_in(const char *cpuinfo, char flags[CR_CPU_FLAGS_SIZE]);

/* Those of `needed` that `there` lacks, one blank between two, as many as fit; returns how many there are. Both may come from another host. */
size_t cr_cpu_missing(const char *needed, const char *there, char *missing, size_t size);
