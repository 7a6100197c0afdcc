// SPDX-License-Identifier: GPL-2.0-only
/* Any bytes as a tree stream into a directory: what is beside that directory stays as it is. */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "storage/stream.h"
#include "storage/tree.h"
#include "tests/fuzz/place.h"

#define ID_BASE 231072

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int dir = place_dir(), tree, fd;
	struct err e = {0};
	struct stat st;

	if (mkdirat(dir, "tree", 0700) < 0 || mkdirat(dir, "beside", 0700) < 0)
		abort();
	tree = openat(dir, "tree", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fd = place_socket(data, size);
	if (st_stream_receive(tree, ID_BASE, fd, NULL, &e) < 0 && !e.text[0])
		abort();
	close(fd);
	close(tree);
	/* It is empty, and there is nothing else. */
	if (unlinkat(dir, "beside", AT_REMOVEDIR) < 0 || fstat(dir, &st) < 0 || st.st_nlink != 3)
		abort();
	e = (struct err){0};
	if (st_tree_remove(dir, "tree", &e) < 0)
		abort();
	return 0;
}
