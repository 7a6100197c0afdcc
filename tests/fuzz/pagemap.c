// SPDX-License-Identifier: GPL-2.0-only
/* Any bytes as pagemap-1.img: refused, or runs as pagemap.h promises them. */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/err.h"
#include "checkpoint/pagemap.h"
#include "tests/fuzz/place.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cr_pagemap map = {0};
	struct err e = {0};
	uint64_t end = 0, pages = 0;
	int dir = place_dir();

	place_file(dir, "pagemap-1.img", data, size);
	if (cr_pagemap_load(dir, 1, &map, &e) < 0)
		return 0;
	for (size_t i = 0; i < map.count; i++) {
		const struct cr_page_run *run = &map.runs[i];

		if (run->vaddr < end || run->vaddr % CR_PAGE_BYTES || !run->npages ||
		    run->npages > ((UINT64_C(1) << CR_PAGE_VA_BITS) - run->vaddr) / CR_PAGE_BYTES ||
		    cr_pagemap_find(&map, run->vaddr) != run)
			abort();
		end = run->vaddr + run->npages * CR_PAGE_BYTES;
		pages += run->npages;
	}
	if (pages != map.pages || map.lazy > pages)
		abort();
	cr_pagemap_done(&map);
	return 0;
}
