// SPDX-License-Identifier: GPL-2.0-only
/* Any bytes as definition.json, which comes from another host, too: refused, or written it says the same again. */
// words of: runtime/definition*.c runtime/definition*.h net/iface.h cgroups/limits.h
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/definition.h"
#include "tests/fuzz/judge.h"
#include "tests/fuzz/place.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct ct_definition d, again;
	auto_json json_t *first = NULL, *second = NULL;
	struct err e = {0};
	int dir = place_dir();

	place_file(dir, CT_DEFINITION_FILE, data, size);
	if (ct_definition_load(dir, &d, &e) < 0) {
		judge_error(&e);
		return 0;
	}
	if (ct_definition_to_json(&d, &first, &e) < 0 ||
	    ct_definition_from_json(first, &again, &e) < 0 ||
	    ct_definition_to_json(&again, &second, &e) < 0 || !json_equal(first, second))
		abort();
	return 0;
}
