// SPDX-License-Identifier: GPL-2.0-only
/* prlimit(2). */
#include "ns/rlimit.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/err.h"
#include "base/log.h"
#include "base/own.h"

static const struct {
	const char *name;
	int resource;
} names[] = {
	{"RLIMIT_AS", RLIMIT_AS},
	{"RLIMIT_CORE", RLIMIT_CORE},
	{"RLIMIT_CPU", RLIMIT_CPU},
	{"RLIMIT_DATA", RLIMIT_DATA},
	{"RLIMIT_FSIZE", RLIMIT_FSIZE},
	{"RLIMIT_LOCKS", RLIMIT_LOCKS},
	{"RLIMIT_MEMLOCK", RLIMIT_MEMLOCK},
	{"RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE},
	{"RLIMIT_NICE", RLIMIT_NICE},
	{"RLIMIT_NOFILE", RLIMIT_NOFILE},
	{"RLIMIT_NPROC", RLIMIT_NPROC},
	{"RLIMIT_RSS", RLIMIT_RSS},
	{"RLIMIT_RTPRIO", RLIMIT_RTPRIO},
	{"RLIMIT_RTTIME", RLIMIT_RTTIME},
	{"RLIMIT_SIGPENDING", RLIMIT_SIGPENDING},
	{"RLIMIT_STACK", RLIMIT_STACK},
};

int ns_rlimit_from_str(const char *name, int *resource, struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcasecmp(name, names[i].name) || !strcasecmp(name, names[i].name + 7)) {
			*resource = names[i].resource;
			return 0;
		}
	err_set(e, EINVAL, "unknown resource limit '%.40s'", name);
	return err_class(e, ERR_CONFIG);
}

const char *ns_rlimit_to_str(int resource)
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (names[i].resource == resource)
			return names[i].name;
	return "RLIMIT_?";
}

int ns_rlimit_allow(pid_t pid, const struct ns_rlimit *limit, struct err *e)
{
	const char *name = ns_rlimit_to_str(limit->resource);
	struct rlimit now;

	if (prlimit(pid, (unsigned)limit->resource, NULL, &now) < 0)
		return err_sys(e, "read %s", name);
	if (limit->hard <= now.rlim_max)
		return 0;
	now.rlim_max = limit->hard;
	if (prlimit(pid, (unsigned)limit->resource, &now, &now) == 0)
		return 0;
	if (errno != EPERM)
		return err_sys(e, "set %s", name);
	if (prlimit(pid, (unsigned)limit->resource, NULL, &now) < 0)
		return err_sys(e, "read %s", name);
	log_warn("%s: cannot raise the hard limit without CAP_SYS_RESOURCE; it stays at %llu", name,
		 (unsigned long long)now.rlim_max);
	return 0;
}

int ns_rlimit_take(const struct ns_rlimit *limit, struct err *e)
{
	const char *name = ns_rlimit_to_str(limit->resource);
	struct rlimit now, want = {.rlim_cur = limit->soft, .rlim_max = limit->hard};

	if (limit->soft > limit->hard) {
		err_set(e, EINVAL, "%s: soft limit %llu is above the hard limit %llu", name,
			(unsigned long long)limit->soft, (unsigned long long)limit->hard);
		return err_class(e, ERR_CONFIG);
	}
	if (getrlimit((__rlimit_resource_t)limit->resource, &now) < 0)
		return err_sys(e, "read %s", name);
	if (want.rlim_max > now.rlim_max)
		want.rlim_max = now.rlim_max;
	if (want.rlim_cur > want.rlim_max)
		want.rlim_cur = want.rlim_max;
	return setrlimit((__rlimit_resource_t)limit->resource, &want) < 0
		       ? err_sys(e, "set %s", name)
		       : 0;
}
