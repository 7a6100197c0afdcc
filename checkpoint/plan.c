// SPDX-License-Identifier: GPL-2.0-only
/* Modes and what they need. */
#include "checkpoint/plan.h"

#include <errno.h>
#include <stdio.h>

#include "base/err.h"
#include "base/feat.h"
#include "base/own.h"
#include "base/size.h"
#include "cgroups/hierarchy.h"
#include "checkpoint/track.h"
#include "runtime/libexec.h"

#define BIT(can) (1U << CR_CAN_##can)

static const struct need {
	unsigned here, there;
} needs[] = {
	[CR_MODE_PRECOPY] = {BIT(LEND) | BIT(TRACK), BIT(LAZY)},
	[CR_MODE_HYBRID] = {BIT(LEND) | BIT(TRACK), BIT(LAZY)},
	[CR_MODE_POSTCOPY] = {BIT(LEND), BIT(LAZY)},
	[CR_MODE_CONTENT] = {BIT(LEND), BIT(LAZY)},
	[CR_MODE_RESTART] = {0, 0},
	[CR_MODE_SUSPEND] = {0, 0},
	[CR_MODE_AUTO] = {0, 0},
	[CR_MODE_LIVE] = {0, 0},
};

unsigned cr_can_here(void)
{
	struct err why = {0};
	const struct cg_host *host = cg_host(&why);
	enum cr_track_backend tracker;
	char path[256];
	unsigned can = BIT(ZSTD) | BIT(HASTE);

	if (host && host->unified[0])
		can |= BIT(LEND);
	if (cr_track_choose(&tracker, (char[CR_TRACK_WHY]){0}, &why) >= 0)
		can |= BIT(TRACK);
	if (feat_has(FEAT_UFFD) && ct_libexec_find("skep-pages", path, sizeof(path), &why) >= 0)
		can |= BIT(LAZY);
	return can;
}

/* What is missing first, as the end of a sentence; NULL: nothing. */
static const char *missing(enum cr_mode mode, unsigned here, unsigned there)
{
	unsigned not_here = needs[mode].here & ~here, not_there = needs[mode].there & ~there;

	if (not_here & BIT(LEND))
		return "this host has no cgroup2 hierarchy, which keeps a container frozen";
	if (not_here & BIT(TRACK))
		return "this host's kernel cannot find written memory (neither userfaultfd of Linux 6.7 nor soft-dirty)";
	if (not_there & BIT(LAZY))
		return "the other host has no userfaultfd, or no skep-pages";
	return NULL;
}

static int cannot(enum cr_mode mode, const char *host, const char *lacks, struct err *e)
{
	err_set(e, EOPNOTSUPP, "mode %s to %s cannot be: %s", cr_mode_to_str(mode), host, lacks);
	err_hint(e, "take --mode auto, or --mode suspend");
	return err_class(e, ERR_UNSUPPORTED);
}

int cr_plan(enum cr_mode wanted, unsigned here, unsigned there, const char *host,
	    enum cr_mode *mode, char why[256], struct err *e)
{
	/* The last one needs nothing, and is not for who wants a live one. */
	static const enum cr_mode best[] = {CR_MODE_PRECOPY, CR_MODE_CONTENT, CR_MODE_SUSPEND};
	const char *lacks = NULL;

	why[0] = 0;
	if (wanted != CR_MODE_AUTO && wanted != CR_MODE_LIVE) {
		lacks = missing(wanted, here, there);
		*mode = wanted;
		return lacks ? cannot(wanted, host, lacks, e) : 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(best); i++) {
		const char *now = missing(best[i], here, there);

		*mode = best[i];
		if (!now)
			break;
		if (!lacks)
			lacks = now;
	}
	if (wanted == CR_MODE_LIVE && !cr_mode_is_live(*mode))
		return cannot(wanted, host, lacks, e);
	if (lacks)
		snprintf(why, 256, "mode %s, since %s", cr_mode_to_str(*mode), lacks);
	else
		snprintf(why, 256, "mode %s: both hosts can", cr_mode_to_str(*mode));
	return 0;
}

int cr_plan_memory(enum cr_mode wanted, uint64_t apart, uint64_t limit, enum cr_mode *mode,
		   char why[256], struct err *e)
{
	char much[24], most[24];

	if (!cr_mode_is_live(*mode) || !limit || apart <= limit)
		return 0;
	size_to_str(apart, much, sizeof(much));
	size_to_str(limit, most, sizeof(most));
	if (wanted == CR_MODE_AUTO) {
		*mode = CR_MODE_SUSPEND;
		snprintf(
			why, 256,
			"mode suspend, since its processes share memory, would have %s without that, and the limit is %s",
			much, most);
		return 0;
	}
	err_set(e, EOPNOTSUPP,
		"mode %s cannot be: it ends the sharing of memory between processes, which would have %s, and the limit is %s",
		cr_mode_to_str(*mode), much, most);
	err_hint(e, "take --mode suspend, or raise the limit: skepctl set --memory");
	return err_class(e, ERR_UNSUPPORTED);
}
