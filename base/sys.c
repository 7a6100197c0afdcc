// SPDX-License-Identifier: GPL-2.0-only
/* The one system call here that does not come back without success. */
#include "base/sys.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void sys_setns_home(int ns, int flags)
{
	if (setns(ns, flags) == 0)
		return;
	dprintf(STDERR_FILENO, "%s: return to the host's namespace: %s\n",
		program_invocation_short_name, strerror(errno));
	_exit(1);
}
