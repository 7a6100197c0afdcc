/* SPDX-License-Identifier: GPL-2.0-only */
/* Descriptors whose closing takes long, closed by another process. */
#pragma once

/*
 * The last close(2) of a tap, and that of a netlink socket that owns a table of nftables, wait for a grace period of RCU: 8.5 and 10.4 ms on an idle machine (`strace -T`), more on a busy one. What the source removes
 * of a container that runs elsewhere by then is done while the target puts its memory in place, and such waits, one after the other, took longer than that.
 *
 * Life: cr_shed_begin() gives a descriptor away; cr_shed_wait(), before the command ends, waits until what was behind it is gone.
 */

/* *fd: taken, and -EBADF then. Returns what cr_shed_wait() takes; -EBADF: there was nothing to close, or it was closed here. Forks; leaves no child to be waited for. */
int cr_shed_begin(int *fd);
/* At most a second. *rest becomes -EBADF; that is fine inside, too. */
void cr_shed_wait(int *rest);
