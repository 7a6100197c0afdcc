// SPDX-License-Identifier: GPL-2.0-only
/* Takes memory, writes to it, and gives it back: the next who takes memory finds it there. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

/*
 * warm MB. Where we are a virtual machine its host may have taken back what is free here (virtio-balloon's free page reporting: blocks of 2 MiB, 2 s after they were
 * freed, and its share of the rest every 2 s). Then the first write to each page is a page fault of the host: 180 MB of huge pages took 7 to 10 ms at once, and 88 to 330 ms after 4 s of rest.
 * That is nothing that a migration does, and none of two ways that are compared should have it.
 */
#define STEP 4096

int main(int argc, char **argv)
{
	size_t n = argc == 2 ? strtoull(argv[1], NULL, 10) << 20 : 0;
	char *p = n ? mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
		    : MAP_FAILED;

	if (p == MAP_FAILED) {
		fprintf(stderr, "usage: warm MB, of which there is so much\n");
		return 2;
	}
	/* In whole blocks, as the host has taken them. */
	(void)madvise(p, n, MADV_HUGEPAGE);
	for (size_t i = 0; i < n; i += STEP)
		((volatile char *)p)[i] = 1;
	return 0;
}
