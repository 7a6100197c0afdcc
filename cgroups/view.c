// SPDX-License-Identifier: GPL-2.0-only
/* What a container finds of its limits in its own control group. */
#include "cgroups/view.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "cgroups/enable.h"
#include "cgroups/group.h"

static bool has(int dir, const char *file)
{
	return faccessat(dir, file, F_OK, 0) == 0;
}

void cg_view_set(const struct cg *cg, const char *file, const char *value)
{
	struct err why = {0};

	if (!cg_has_inner(cg))
		return;
	/* One that is not of the usual ones. Nobody is in PATH, so it may have controllers for what is below. */
	if (!has(cg->ct, file))
		cg_enable_below(cg->v2, file, strcspn(file, "."));
	if (has(cg->ct, file) && file_write_at(cg->ct, file, value, &why) < 0)
		log_warn("control group %s: the container does not see its limit: %s", cg->path,
			 why.text);
}
