/* SPDX-License-Identifier: GPL-2.0-only */
/* Resource limits by name. */
#pragma once

#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

struct err;

struct ns_rlimit {
	int resource;	     /* RLIMIT_* */
	uint64_t soft, hard; /* RLIM_INFINITY is UINT64_MAX, as in OCI */
};

/* "RLIMIT_NOFILE", "nofile". -EINVAL, class CONFIG. */
int ns_rlimit_from_str(const char *name, int *resource, struct err *e);
const char *ns_rlimit_to_str(int resource);

/*
 * In two acts, as a limit holds from the moment it is set, also for what has to be done before there is a program: with RLIMIT_NOFILE 5 init could not even open the mounts it makes. The host, which
 * has the right to, raises pid's hard limit to this one where it is lower, and nothing else; the process takes the limit for its own as the last thing before its program.
 * Without CAP_SYS_RESOURCE the hard limit stays as it is, with a warning, and the soft one goes as far as that.
 */
int ns_rlimit_allow(pid_t pid, const struct ns_rlimit *limit, struct err *e);
int ns_rlimit_take(const struct ns_rlimit *limit, struct err *e);
