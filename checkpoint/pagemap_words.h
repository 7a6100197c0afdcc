/* SPDX-License-Identifier: GPL-2.0-only */
/* The words of /proc/PID/pagemap, one for each page: see proc_pid_pagemap(5). */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <unistd.h>

#include "checkpoint/track.h"

#define CR_WORD_FRAME	   ((1ull << 55) - 1) /* 0 for whoever lacks CAP_SYS_ADMIN */
#define CR_WORD_SOFT_DIRTY (1ull << 55)
#define CR_WORD_FILE	   (1ull << 61) /* a file's page, or shared */
#define CR_WORD_SWAPPED	   (1ull << 62)
#define CR_WORD_PRESENT	   (1ull << 63)

/* The process has a page of its own there, in memory or swapped out. */
static inline bool cr_word_exists(uint64_t word)
{
	return (word & (CR_WORD_PRESENT | CR_WORD_SWAPPED)) && !(word & CR_WORD_FILE);
}

/* Words of n pages from vaddr on. Returns how many came: 0 for a process that is gone. */
static inline unsigned cr_words_read(int pagemap, uint64_t vaddr, uint64_t n, uint64_t *words)
{
	ssize_t got = pread(pagemap, words, n * 8, (off_t)(vaddr / CR_PAGE_SIZE * 8));

	return got < 8 ? 0 : (unsigned)(got / 8);
}
