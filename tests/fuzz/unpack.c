// SPDX-License-Identifier: GPL-2.0-only
/* Any bytes as a packed chunk: refused, or exactly as long as was said. */
#include <stdint.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/squeeze.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t len = size < 2 ? 0 : data[0] | (size_t)data[1] << 8;
	uint8_t *out = malloc(len + !len);
	struct err e = {0};

	if (size >= 2 && squeeze_unpack(data + 2, size - 2, out, len, &e) < 0 && !e.text[0])
		abort();
	free(out);
	return 0;
}
