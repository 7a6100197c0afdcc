// SPDX-License-Identifier: GPL-2.0-only
/* Any bytes as the file of `skep exec --process`, and as that of `skep update --resources`. */
// words of: runtime/spec_process.c runtime/spec_schedule.c runtime/spec_resources.c runtime/spec_unified.c ns/caps.c ns/rlimit.c ns/schedule.c cgroups/limits.h
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/spec.h"
#include "tests/fuzz/judge.h"
#include "tests/fuzz/place.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void as_process(const json_t *j)
{
	struct ct_process p = {.umask = -1};
	struct err e = {0};

	if (ct_process_from_json(j, &p, &e) < 0) {
		judge_error(&e);
	} else {
		if (!p.args || !p.args[0] || !p.env || !p.cwd || p.cwd[0] != '/' || p.umask < -1 ||
		    p.umask > 0777 || p.n_groups < 0 || (p.n_rlimits && !p.rlimits))
			abort();
		for (char **s = p.env; *s; s++)
			if (!strchr(*s, '='))
				abort();
	}
	ct_process_done(&p);
}

static void as_resources(const json_t *j)
{
	struct cg_limits limits = {0};
	struct ct_raw_limit *raw = NULL;
	size_t n = 0;
	struct err e = {0};

	if (ct_resources_from_json(j, &limits, &raw, &n, &e) < 0) {
		judge_error(&e);
	} else {
		if (limits.io_count > CG_IO_LIMITS)
			abort();
		for (size_t i = 0; i < n; i++)
			if (!raw[i].file[0] || strchr(raw[i].file, '/') ||
			    !strncmp(raw[i].file, "cgroup.", 7))
				abort();
	}
	ct_raw_limits_done(raw, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_json json_t *j = NULL;
	struct err e = {0};
	int dir = place_dir();

	place_file(dir, "process.json", data, size);
	if (ct_config_load_at(dir, "process.json", &j, &e) < 0) {
		judge_error(&e);
		return 0;
	}
	as_process(j);
	as_resources(j);
	return 0;
}
