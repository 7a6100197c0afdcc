// SPDX-License-Identifier: GPL-2.0-only
/* The kernel's features, its settings, and the ids that containers get. */
#include "ctl/doctor.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/feat.h"
#include "base/file.h"
#include "base/own.h"
#include "ns/idrange.h"

#define PART "kernel"

/* How many containers' namespaces should fit. */
#define NAMESPACES_LEAST 1000
/* CRIU's page server wants a pipe of this size and does not notice when it gets less. */
#define PIPE_LEAST (4u << 20)

static void features(struct ctl_doctor *d)
{
	struct utsname host;
	unsigned untried = 0;

	if (uname(&host) == 0)
		ctl_doctor_find(d, PART, CTL_VERDICT_OK, host.sysname, NULL, "%s %s", host.release,
				host.machine);
	for (int i = 0; i < FEAT_COUNT; i++) {
		enum feat f = (enum feat)i;

		if (feat_has(f))
			ctl_doctor_find(d, PART, CTL_VERDICT_OK, feat_to_str(f), NULL, "%s", "");
		else if (!feat_has(FEAT_ROOT) && f != FEAT_ROOT)
			untried++;
		else if (f == FEAT_OVERLAY_FD)
			continue; /* the staging place does as well: nothing to be mended */
		else
			ctl_doctor_find(d, PART,
					feat_level(f) == FEAT_OPTIONAL ? CTL_VERDICT_WARNING
								       : CTL_VERDICT_MISSING,
					feat_to_str(f), feat_remedy(f), "needed for %s (%s)",
					feat_purpose(f), feat_why_not(f));
	}
	if (untried)
		ctl_doctor_find(d, PART, CTL_VERDICT_WARNING, "features", feat_remedy(FEAT_ROOT),
				"%u more can be tried by root only", untried);
}

/* A kernel without the setting (-ENOENT) has no limit there. */
static bool setting(const char *name, uint64_t *value)
{
	struct err e = {0};
	auto_fd int dir = open("/proc/sys", O_PATH | O_DIRECTORY | O_CLOEXEC);

	return dir >= 0 && file_read_u64_at(dir, name, value, &e) >= 0;
}

static void settings(struct ctl_doctor *d)
{
	static const struct {
		const char *file, *name;
	} most[] = {{"user/max_user_namespaces", "user.max_user_namespaces"},
		    {"user/max_net_namespaces", "user.max_net_namespaces"},
		    {"user/max_mnt_namespaces", "user.max_mnt_namespaces"}};
	char remedy[128];
	uint64_t v;

	for (size_t i = 0; i < ARRAY_SIZE(most); i++)
		if (setting(most[i].file, &v) && v < NAMESPACES_LEAST) {
			snprintf(remedy, sizeof(remedy), "sysctl -w %s=15000", most[i].name);
			ctl_doctor_find(d, PART, CTL_VERDICT_WARNING, most[i].name, remedy,
					"only %llu containers fit", (unsigned long long)v);
		}
	if (!feat_has(FEAT_CAP_RESOURCE) && setting("fs/pipe-max-size", &v) && v < PIPE_LEAST)
		ctl_doctor_find(d, PART, CTL_VERDICT_WARNING, "fs.pipe-max-size",
				"sysctl -w fs.pipe-max-size=4194304",
				"%llu: copying memory after a migration fails",
				(unsigned long long)v);
	if (setting("kernel/pid_max", &v) && v < 65536)
		ctl_doctor_find(d, PART, CTL_VERDICT_WARNING, "kernel.pid_max",
				"sysctl -w kernel.pid_max=4194304",
				"%llu processes for all containers together",
				(unsigned long long)v);
}

/* Another user's line "NAME:FIRST:COUNT" that shares ids with our pool. */
static bool overlaps(const char *line, size_t len, const struct ns_idrange_pool *pool, char *who,
		     size_t size)
{
	char copy[256];
	unsigned long long first, count;
	char name[128];

	if (len >= sizeof(copy))
		return false;
	memcpy(copy, line, len);
	copy[len] = '\0';
	if (sscanf(copy, "%127[^:]:%llu:%llu", name, &first, &count) != 3 ||
	    strcmp(name, "skep") == 0 || first >= pool->last || first + count <= pool->first)
		return false;
	snprintf(who, size, "%s", name);
	return true;
}

static void ids(struct ctl_doctor *d)
{
	static const char *const files[] = {"subuid", "subgid"};
	auto_fd int etc = open("/etc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct ns_idrange_pool pool;
	struct err e = {0};
	char who[128];

	if (ns_idrange_pool_load(&pool, &e) < 0) {
		ctl_doctor_find_err(d, PART, CTL_VERDICT_MISSING, "ids",
				    "mend the line of user skep in /etc/subuid", &e);
		return;
	}
	ctl_doctor_find(d, PART, CTL_VERDICT_OK, "ids", NULL, "%u-%u", pool.first, pool.last - 1);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		auto_free char *text = NULL;

		if (file_try_read_at(etc, files[i], 1 << 20, &text, &e) < 0)
			continue;
		for (const char *line = text; *line;) {
			size_t len = strcspn(line, "\n");

			if (overlaps(line, len, &pool, who, sizeof(who)))
				ctl_doctor_find(
					d, PART, CTL_VERDICT_WARNING, "ids",
					"give skep a range of its own in /etc/subuid "
					"(skep:FIRST:COUNT), before the first container",
					"/etc/%s gives user %s ids that containers get, too",
					files[i], who);
			line += len + (line[len] == '\n');
		}
	}
}

void ctl_doctor_kernel(struct ctl_doctor *d)
{
	features(d);
	settings(d);
	ids(d);
}
