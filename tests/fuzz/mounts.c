// SPDX-License-Identifier: GPL-2.0-only
/* Any bytes as the mountinfo of a process in a container, which names its mount points as it likes. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoint/preflight.h"
#include "checkpoint/preflight_look.h"
#include "tests/fuzz/judge.h"
#include "tests/fuzz/place.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ct ct = CT_INIT;
	struct cr_look_process init = {.pid = 1, .inner = 1, .proc = place_dir()};
	struct cr_preflight found = {.list = calloc(CR_BLOCKERS_MOST, sizeof(*found.list))};
	struct cr_look l = {.ct = &ct,
			    .processes = &init,
			    .process_count = 1,
			    .found = &found,
			    .root = init.proc};
	struct err e = {0};

	init.ns[CR_LOOK_NS_MNT] = 7;
	ct.s.pid = 1;
	place_file(init.proc, "mountinfo", data, size);
	if (cr_look_read_mounts(&l, &e) < 0)
		judge_error(&e);
	else
		cr_look_mounts(&l);
	for (size_t i = 0; i < l.text_count; i++)
		free(l.texts[i]);
	free(l.texts);
	free(l.mounts);
	cr_preflight_done(&found);
	return 0;
}
