// SPDX-License-Identifier: GPL-2.0-only
/* Any bytes as the archive of a tmpfs: what is beside its directory stays as it is. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "checkpoint/tmpfs_tar.h"
#include "storage/tree.h"
#include "tests/fuzz/place.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The frame and the sums are put right, so that the entries are what is tried: of each 512 bytes the header's own. */
static int frame(int dir, const uint8_t *data, size_t size)
{
	uint8_t head[5] = {1, size & 255, size >> 8 & 255, ~size & 255, ~size >> 8 & 255},
		*copy = malloc(size + !size);
	uint32_t tail[2] = {0, (uint32_t)size};
	int fd = openat(dir, "archive", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	struct err e = {0};

	if (fd < 0 || !copy)
		abort();
	memcpy(copy, data, size);
	for (size_t at = 0; at + CR_TAR_BLOCK <= size; at += CR_TAR_BLOCK) {
		struct cr_tar_header h;

		memcpy(&h, copy + at, sizeof(h));
		if (memcmp(h.magic, "ustar", 6) != 0)
			continue;
		snprintf(h.sum, sizeof(h.sum), "%06o", cr_tar_sum(&h));
		memcpy(copy + at, &h, sizeof(h));
	}
	tail[0] = cr_gzip_crc(0, copy, size);
	if (file_write_all(fd, CR_GZIP_HEAD, CR_GZIP_HEAD_LEN, &e) < 0 ||
	    file_write_all(fd, head, sizeof(head), &e) < 0 ||
	    file_write_all(fd, copy, size, &e) < 0 ||
	    file_write_all(fd, tail, sizeof(tail), &e) < 0 || lseek(fd, 0, SEEK_SET) < 0)
		abort();
	free(copy);
	return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int dir = place_dir(), tree, fd;
	struct err e = {0};
	struct stat st;

	if (size > CR_TAR_STORED)
		return 0;
	if (mkdirat(dir, "tree", 0700) < 0 || mkdirat(dir, "beside", 0700) < 0)
		abort();
	tree = openat(dir, "tree", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fd = frame(dir, data, size);
	if (cr_tmpfs_unpack(fd, tree, &e) < 0 && !e.text[0])
		abort();
	close(fd);
	close(tree);
	/* It is empty, and there is nothing else. */
	if (unlinkat(dir, "archive", 0) < 0 || unlinkat(dir, "beside", AT_REMOVEDIR) < 0 ||
	    fstat(dir, &st) < 0 || st.st_nlink != 3)
		abort();
	e = (struct err){0};
	if (st_tree_remove(dir, "tree", &e) < 0)
		abort();
	return 0;
}
