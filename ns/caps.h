/* SPDX-License-Identifier: GPL-2.0-only */
/* Capability sets: names and bits, and the order in which they are put on. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

/* Bit N is capability N. */
struct ns_caps {
	uint64_t bounding;
	uint64_t effective;
	uint64_t permitted;
	uint64_t inheritable;
	uint64_t ambient;
};

/* All capabilities this kernel knows. */
uint64_t ns_caps_all(void);

/*
 * "CAP_NET_ADMIN", "net_admin" (any case). 0 and the bit number in *cap; a name the library or the
 * kernel does not know is -EINVAL with e filled: OCI wants a notice, not an error, so the caller
 * may err_clear() it.
 */
int ns_caps_from_str(const char *name, int *cap, struct err *e);
/* "CAP_NET_ADMIN". buf of at least 32 bytes. Returns buf. */
const char *ns_caps_to_str(int cap, char *buf, size_t len);

/* System container: all but those that reach beyond it (see caps.c); to be used with a user
 * namespace only. */
void ns_caps_system(struct ns_caps *caps);
/* What podman gives an application container. */
void ns_caps_oci(struct ns_caps *caps);

/* An empty struct is checked, too: ambient is within permitted and inheritable, effective within
 * permitted. */
int ns_caps_check(const struct ns_caps *caps, struct err *e);

/*
 * Init or exec side, last but for exec: drops the bounding set, changes the ids (keeping
 * capabilities over the change), sets the three sets, then ambient. For root without ambient the
 * inheritable set is what was asked for, default empty (CVE-2022-29162). A seccomp filter that
 * needs CAP_SYS_ADMIN to load must be loaded before. A capability that we do not have ourselves is
 * left out of permitted/effective with a notice, as runc does. gids: supplementary groups, n_gids <
 * 0: leave them as they are.
 */
int ns_caps_apply(const struct ns_caps *caps, uid_t uid, gid_t gid, const gid_t *gids, int n_gids,
		  struct err *e);
