// SPDX-License-Identifier: GPL-2.0-only
/* Any bytes as config.json: our readers take what jansson takes for the same, and the spec is refused or whole. */
// words of: runtime/spec*.c runtime/spec*.h ns/mount_option.c ns/caps.c ns/rlimit.c ns/schedule.c ns/sysctl.c ns/numa.c cgroups/limits.h runtime/hook.h
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "runtime/spec.h"
#include "runtime/spec_plain.h"
#include "runtime/spec_text.h"
#include "tests/fuzz/judge.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The value that is not parsed when its filter is known must be the one that the parser has for it, and nothing else may change without it. */
static void judge_span(char *text, const json_t *whole)
{
	size_t len = 0;
	char *at = ct_text_object(text, "linux", "seccomp", &len);
	json_t *linux_ = json_object_get(whole, "linux");
	auto_json json_t *value = NULL, *rest = NULL, *wanted = NULL;

	if (!at)
		return;
	if (at < text || len > strlen(at))
		abort();
	if (!whole)
		return;
	value = json_loadb(at, len, JSON_REJECT_DUPLICATES, NULL);
	if (!value || !json_equal(value, json_object_get(linux_, "seccomp")))
		abort();
	rest = ct_plain_parse(text, at, len);
	if (!rest)
		return;
	wanted = json_deep_copy(whole);
	json_object_set_new(json_object_get(wanted, "linux"), "seccomp", json_null());
	if (!json_equal(rest, wanted))
		abort();
}

static json_t *parse(char *text, size_t len)
{
	bool needed;
	auto_free char *folded = NULL;
	auto_json json_t *plain = ct_plain_parse(text, NULL, 0);
	json_t *j = json_loads(text, JSON_REJECT_DUPLICATES, NULL);

	if (plain && (!j || !json_equal(plain, j)))
		abort();
	judge_span(text, j);
	folded = ct_text_fold(text, len, &needed);
	if (!j && folded)
		j = json_loads(folded, JSON_REJECT_DUPLICATES, NULL);
	return j;
}

static void judge_spec(const struct ct_spec *s)
{
	if (!s->bundle || (s->process.args && !s->process.args[0]) || !s->process.env ||
	    !s->process.cwd || s->process.cwd[0] != '/' || !s->masked || !s->readonly ||
	    !s->lower || !s->annotations || (!s->root_path && !s->n_lower))
		abort();
	for (size_t i = 0; i < s->n_mounts; i++)
		if (!s->mounts[i].target)
			abort();
	for (size_t i = 0; i < s->n_sysctls; i++)
		if (!s->sysctls[i].key || !s->sysctls[i].value)
			abort();
	for (size_t i = 0; i < s->n_raw_limits; i++)
		if (strchr(s->raw_limits[i].file, '/') ||
		    !strncmp(s->raw_limits[i].file, "cgroup.", 7))
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_free char *text = malloc(size + 1);
	auto_json json_t *j = NULL;
	auto_spec struct ct_spec spec = {0};
	struct err e = {0};

	memcpy(text, data, size);
	text[size] = 0;
	if (strlen(text) != size)
		return 0;
	j = parse(text, size);
	if (!j)
		return 0;
	if (ct_spec_from_json(j, "/bundle", &spec, &e) < 0)
		judge_error(&e);
	else
		judge_spec(&spec);
	return 0;
}
