/* SPDX-License-Identifier: GPL-2.0-only */
/* Kernel settings of the container's own namespaces; no other can be named. */
#pragma once

#include <stdbool.h>

struct err;

/* Which own namespaces the container has. */
struct ns_sysctl_scope {
	bool net, ipc, uts, user;
};

/*
 * Whether key ("net.ipv4.ip_forward", or with slashes) is namespaced and the container has that
 * namespace, and value is one clean line. -EINVAL or -EPERM, class CONFIG, with the reason
 * (CVE-2022-0811).
 */
int ns_sysctl_check(const char *key, const char *value, const struct ns_sysctl_scope *scope,
		    struct err *e);

/* A private, detached procfs of our pid namespace, which no mount of the container's can cover
 * (CVE-2025-52881). */
int ns_sysctl_procfs(struct err *e);

/* Init side, before seccomp: writes one checked setting through the private procfs. */
int ns_sysctl_write(int procfs, const char *key, const char *value, struct err *e);
