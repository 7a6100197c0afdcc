/* SPDX-License-Identifier: GPL-2.0-only */
/* Inside of runtime/spec*.c: linux.resources.unified, cgroup v2's own files. */
#pragma once

#include "runtime/spec_read.h"

/*
 * A file that is one of our limits, with a value that our limits can hold exactly, is marked there (so it works on v1 hosts, too); the
 * rest becomes raw files for cg_set_raw(). Names that are no limits (cgroup.*) are refused. raw is the caller's also on failure.
 */
int ct_read_unified(const json_t *value, const char *path, struct cg_limits *limits,
		    struct ct_raw_limit **raw, size_t *n_raw, struct err *e);

/* One more raw file; the strings are copied. */
int ct_add_raw(struct ct_raw_limit **raw, size_t *n_raw, const char *file, const char *value,
	       struct err *e);

/* "0-3,6" into a member of struct cg_limits. */
int ct_set_cpu_list(char to[128], const char *list, const char *path, struct err *e);

/* The limits of one block device, new or there already. NULL with e filled when there are too many. */
struct cg_io_limit *ct_io_limit(struct cg_limits *l, unsigned major, unsigned minor,
				const char *path, struct err *e);

/* linux.resources.blockIO: limits, and what of it they have no member for. */
int ct_read_block_io(const json_t *value, const char *path, struct cg_limits *limits,
		     struct ct_raw_limit **raw, size_t *n_raw, struct err *e);

/* linux.resources.hugepageLimits, rdma, network: lines of hugetlb.SIZE.max (and hugetlb.SIZE.rsvd.max, where there is one), rdma.max, net_cls.classid, net_prio.ifpriomap. */
int ct_read_hugepages(const json_t *value, const char *path, struct ct_raw_limit **raw,
		      size_t *n_raw, struct err *e);
int ct_read_rdma(const json_t *value, const char *path, struct ct_raw_limit **raw, size_t *n_raw,
		 struct err *e);
int ct_read_network(const json_t *value, const char *path, struct ct_raw_limit **raw, size_t *n_raw,
		    struct err *e);
