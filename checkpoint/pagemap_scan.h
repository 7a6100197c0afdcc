/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel's PAGEMAP_SCAN (linux/fs.h, Linux 6.7), which the headers of Debian 12 lack. */
#pragma once

#include <stdint.h>
#include <sys/ioctl.h>

#define CR_IS_WRITTEN (1u << 1)
#define CR_IS_FILE    (1u << 2) /* asks the struct of each page: 50 ns that nothing else here takes */
#define CR_IS_PRESENT (1u << 3)
#define CR_IS_SWAPPED (1u << 4)
#define CR_IS_PFNZERO (1u << 5)
#define CR_IS_GUARD   (1u << 8) /* Linux 6.15 */

#define CR_SCAN_PROTECTS (1u << 0) /* PM_SCAN_WP_MATCHING */
#define CR_SCAN_CHECKS	 (1u << 1) /* PM_SCAN_CHECK_WPASYNC */

/* struct page_region */
struct cr_region {
	uint64_t start, end, categories;
};

/* struct pm_scan_arg */
struct cr_scan_arg {
	uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
	uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};

#define CR_PAGEMAP_SCAN _IOWR('f', 16, struct cr_scan_arg)
