// SPDX-License-Identifier: GPL-2.0-only
/* Any bytes behind a frame PAGES: the first says whether they are packed, the next three what is said of their size. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/own.h"
#include "checkpoint/memory.h"
#include "checkpoint/pages.h"
#include "tests/fuzz/place.h"

#define LIMIT (8 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_json json_t *j = json_object();
	auto_pages struct cr_pages *store = NULL;
	struct cr_link l = {.peer = "the source"};
	struct err e = {0};
	uint32_t said = 0;

	if (size < 4)
		return 0;
	memcpy(&said, data + 1, 3);
	if (data[0] & 1)
		json_object_set_new(j, "packed", json_integer((json_int_t)size - 4));
	json_object_set_new(j, "size",
			    json_integer(data[0] & 2 ? (json_int_t)said : (json_int_t)size - 4));
	if (cr_pages_new(LIMIT, &store, &e) < 0)
		abort();
	l.in = l.out = place_socket(data + 4, size - 4);
	if (cr_memory_in(&l, j, store, &e) < 0 && !e.text[0])
		abort();
	if (cr_pages_bytes(store) > LIMIT)
		abort();
	close(l.in);
	return 0;
}
