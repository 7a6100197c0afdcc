/* SPDX-License-Identifier: GPL-2.0-only */
/* Inside of runtime/exec.c: the control groups that a further program is born in. */
#pragma once

struct cg;
struct ct;
struct ct_exec;
struct err;

/* Opens them, those below the container's own if it is to be these. *leaf: the caller's, of the unified hierarchy, for CLONE_INTO_CGROUP; stays -EBADF without one. */
int ct_exec_group(const struct ct *ct, const struct ct_exec *how, struct cg *cg, int *leaf,
		  struct err *e);

/* What clone3(2) has just said to it, in errno. */
int ct_exec_group_refused(const struct ct_exec *how, struct err *e);
