// SPDX-License-Identifier: GPL-2.0-only
/* The annotations skep.*: what the engine needs and OCI has no words for. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/own.h"
#include "base/size.h"
#include "runtime/signal_name.h"
#include "runtime/spec_read.h"

#define LAYERS_MOST \
	512 /* of overlayfs: OVL_MAX_STACK 500, and a few for the message to come from the kernel */
#define LONGEST_TIMEOUT 86400

static int read_lower(const json_t *value, const char *path, void *into, struct err *e)
{
	struct ct_spec *spec = into;
	auto_free char *text = NULL;
	char *rest, *word;

	if (ct_read_str(value, path, &text, e) < 0)
		return -e->no;
	spec->lower = calloc(LAYERS_MOST + 1, sizeof(*spec->lower));
	if (!spec->lower)
		return ct_no_memory(e);
	for (rest = text; (word = strsep(&rest, ":"));) {
		if (word[0] != '/')
			return ct_refuse(e, path, "'%s' is not an absolute path", word);
		if (spec->n_lower == LAYERS_MOST)
			return ct_refuse(e, path, "has more than %d layers", LAYERS_MOST);
		spec->lower[spec->n_lower] = strdup(word);
		if (!spec->lower[spec->n_lower++])
			return ct_no_memory(e);
	}
	return 0;
}

static int read_disk(const json_t *value, const char *path, void *into, struct err *e)
{
	struct ct_spec *spec = into;

	if (ct_read_str(value, path, &spec->disk, e) < 0)
		return -e->no;
	return spec->disk[0] == '/' ? 0 : ct_refuse(e, path, "must be an absolute path");
}

static int read_profile(const json_t *value, const char *path, void *into, struct err *e)
{
	auto_free char *word = NULL;

	if (ct_read_str(value, path, &word, e) < 0)
		return -e->no;
	if (strcmp(word, "default") != 0)
		return ct_refuse(e, path, "'%s' is not a profile; there is 'default'", word);
	*(bool *)into = true;
	return 0;
}

static int read_truth(const json_t *value, const char *path, void *into, struct err *e)
{
	auto_free char *word = NULL;

	if (ct_read_str(value, path, &word, e) < 0)
		return -e->no;
	if (strcmp(word, "true") != 0 && strcmp(word, "false") != 0)
		return ct_refuse(e, path, "must be 'true' or 'false'");
	*(bool *)into = word[0] == 't';
	return 0;
}

static int read_netfilter(const json_t *value, const char *path, void *into, struct err *e)
{
	auto_free char *word = NULL;

	if (ct_read_str(value, path, &word, e) < 0)
		return -e->no;
	if (strcmp(word, "disabled") != 0 && strcmp(word, "full") != 0)
		return ct_refuse(e, path, "must be 'disabled' or 'full'");
	*(bool *)into = word[0] == 'd';
	return 0;
}

static int read_signal(const json_t *value, const char *path, void *into, struct err *e)
{
	auto_free char *word = NULL;
	int signal;

	if (ct_read_str(value, path, &word, e) < 0)
		return -e->no;
	signal = ct_signal_from_str(path, word, e);
	if (signal < 0) {
		e->class = ERR_CONFIG;
		return signal;
	}
	*(int *)into = signal;
	return 0;
}

static int read_timeout(const json_t *value, const char *path, void *into, struct err *e)
{
	auto_free char *word = NULL;
	int64_t seconds;

	if (ct_read_str(value, path, &word, e) < 0)
		return -e->no;
	if (size_parse_number(path, word, 0, LONGEST_TIMEOUT, &seconds, e) < 0) {
		e->class = ERR_CONFIG;
		return -e->no;
	}
	*(int *)into = (int)seconds;
	return 0;
}

static const struct ct_member ours[] = {
	{"skep.rootfs.lower", read_lower, 0},
	{"skep.rootfs.upper", ct_read_str, offsetof(struct ct_spec, upper)},
	{"skep.rootfs.work", ct_read_str, offsetof(struct ct_spec, work)},
	{"skep.disk", read_disk, 0},
	{"skep.seccomp", read_profile, offsetof(struct ct_spec, seccomp_profile)},
	{"skep.nesting", read_truth, offsetof(struct ct_spec, nesting)},
	{"skep.netfilter", read_netfilter, offsetof(struct ct_spec, no_netfilter)},
	{"skep.stop.signal", read_signal, offsetof(struct ct_spec, stop_signal)},
	{"skep.stop.timeout", read_timeout, offsetof(struct ct_spec, stop_timeout_s)},
};

/* Others' annotations are none of our business, but a misspelt one of ours must not leave a container without its filter. */
static int refuse_strangers(const json_t *annotations, const char *path, struct err *e)
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)annotations, key, value) {
		bool known = strncmp(key, "skep.", 5) != 0;

		if (!key[0])
			return ct_refuse(e, path, "has an empty key");
		if (!json_is_string(value))
			return ct_refuse(e, path, "'%s' must be a string", key);
		for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
			known |= !strcmp(key, ours[i].key);
		if (!known)
			return ct_refuse(e, path, "'%s' is not an annotation of skep", key);
	}
	return 0;
}

static bool is_inner(const char *path)
{
	for (const char *p = path; *p; p += strcspn(p, "/"), p += strspn(p, "/"))
		if (!strncmp(p, "..", 2) && (p[2] == '/' || !p[2]))
			return false;
	return path[0] && path[0] != '/';
}

static int judge(const struct ct_spec *spec, const char *path, struct err *e)
{
	const char *const dirs[] = {spec->upper, spec->work};

	if (spec->n_lower && (!spec->upper || !spec->work))
		return ct_refuse(e, path, "skep.rootfs.lower needs skep.rootfs.upper and .work");
	if (!spec->n_lower && (spec->upper || spec->work || spec->disk))
		return ct_refuse(e, path, "skep.rootfs.upper, .work, skep.disk need .lower");
	if (spec->no_netfilter && !spec->seccomp_profile)
		return ct_refuse(e, path,
				 "skep.netfilter needs skep.seccomp, which is what keeps it");
	for (size_t i = 0; spec->n_lower && i < ARRAY_SIZE(dirs); i++) {
		if (spec->disk && !is_inner(dirs[i]))
			return ct_refuse(e, path, "'%s' must be relative to the disk's root",
					 dirs[i]);
		if (!spec->disk && dirs[i][0] != '/')
			return ct_refuse(e, path, "'%s' must be an absolute path", dirs[i]);
	}
	return 0;
}

int ct_read_annotations(const json_t *value, const char *path, void *into, struct err *e)
{
	struct ct_spec *spec = into;

	if (!json_is_object(value))
		return ct_refuse(e, path, "must be an object");
	if (refuse_strangers(value, path, e) < 0 ||
	    ct_read_members(value, path, ours, ARRAY_SIZE(ours), spec, e) < 0 ||
	    judge(spec, path, e) < 0)
		return -e->no;
	spec->annotations = json_deep_copy(value);
	return spec->annotations ? 0 : ct_no_memory(e);
}
