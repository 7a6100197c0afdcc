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
 * Sets one limit on pid (0: us; the host side can set init's while it still has its rights).
 * Raising a hard limit without CAP_SYS_RESOURCE: strict gives -EPERM with a hint; else the present
 * hard limit is kept, the soft one raised as far as it goes, with a notice.
 */
int ns_rlimit_apply(pid_t pid, const struct ns_rlimit *limit, int strict, struct err *e);
