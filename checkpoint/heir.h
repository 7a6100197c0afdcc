/* SPDX-License-Identifier: GPL-2.0-only */
/* Who lets the tasks of a dump go on whose command is dead. */
#pragma once

#include <sys/types.h>

/*
 * In criu's hook, at post-dump: the tasks are frozen, and are to go on here. But criu still has their connections in a state in which nobody can use them (repair.h), and takes that
 * back at its end only. So a process is left behind that waits for criu's end, which a SIGKILL may be, takes it back itself where it is still to be seen, and then thaws
 * them.
 *
 * It holds what criu inherited for that long, the container's locks and the one on its traffic: the same open file descriptions, so that the next command waits for it, and cannot
 * freeze them again before it thaws. criu: our parent. kept: how many descriptors it was given (CR_PASS_FIRST...). freezer: the path of cgroup.freeze.
 * Not when the command has answered that it is no dump: it mends and thaws them itself (cr_dump_recover()), and may begin another one, whose connections an heir would mend too early. One that
 * is killed between that answer and its thaw leaves them frozen: paused, until `resume`, or what ends a migration.
 *
 * -1: nobody was left behind, and they stay frozen until that command.
 */
int cr_heir_leave(pid_t criu, unsigned kept, const char *freezer);
