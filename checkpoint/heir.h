/* SPDX-License-Identifier: GPL-2.0-only */
/* Who lets the tasks of a dump go on whose command is dead. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

/*
 * In criu's hook, at post-dump: the tasks are frozen, and are to go on here. But criu still has their connections in a state in which nobody can use them (repair.h), and takes that
 * back at its end only. So a process is left behind that waits for criu's end, which a SIGKILL may be, takes it back itself where it is still to be seen, and then thaws
 * them.
 *
 * It holds what criu inherited for that long, the container's locks and the one on its traffic: the same open file descriptions, so that the next command waits for it, and cannot
 * freeze them again before it thaws. criu: our parent. kept: how many descriptors it was given (CR_PASS_FIRST...). freezer: the path of cgroup.freeze.
 * A command that has answered that it is no dump mends and thaws them itself (cr_dump_recover()), and may begin another one, whose connections an heir would mend too early. For that one he waits
 * first, by the connection on which it has answered: a byte there sends him away; its end without one means that the command died before. command: that connection, or -1: it is
 * dead. ours: asked when it is dead, whether the tasks are still to go on here.
 *
 * -1: nobody was left behind, and they stay frozen until that command.
 */
int cr_heir_leave(pid_t criu, unsigned kept, const char *freezer, int command, bool (*ours)(void));
