// SPDX-License-Identifier: GPL-2.0-only
/* The control groups that a further program is born in. */
#include "runtime/exec_group.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>

#include "base/err.h"
#include "base/own.h"
#include "cgroups/entry.h"
#include "cgroups/group.h"
#include "cgroups/sub.h"
#include "runtime/exec.h"

static bool has_words(const struct ct_exec *how)
{
	return how->cgroups && how->cgroups[0];
}

int ct_exec_group(const struct ct *ct, const struct ct_exec *how, struct cg *cg, int *leaf,
		  struct err *e)
{
	auto_cg struct cg of = CG_INIT;
	int r = ct->s.cgroup[0] || has_words(how) ? cg_open(ct->s.cgroup, cg, e) : 0;
	bool in_v2 = false;

	if (r >= 0 && has_words(how))
		r = cg_open(ct->s.cgroup, &of, e);
	for (size_t i = 0; r >= 0 && has_words(how) && how->cgroups[i]; i++) {
		r = cg_sub_open(&of, how->cgroups[i], cg, e);
		in_v2 |= r > 0;
	}
	if (r < 0)
		return r;
	*leaf = in_v2 ? fcntl(cg->ct, F_DUPFD_CLOEXEC, 3) : cg_exec_fd(cg, e);
	if (in_v2 && *leaf < 0)
		return err_sys(e, "copy the descriptor of a control group");
	return -e->no;
}

int ct_exec_group_refused(const struct ct_exec *how, struct err *e)
{
	err_sys(e, "make a process in the container's control group");
	if (e->no == EBUSY && has_words(how))
		err_hint(e, "that group has controllers for groups below it, and so no processes");
	return -e->no;
}
