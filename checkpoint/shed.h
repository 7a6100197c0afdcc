/* SPDX-License-Identifier: GPL-2.0-only */
/* Descriptors whose closing takes long, and links, given to another process. */
#pragma once

#include <net/if.h>

/*
 * The last close(2) of a tap, and that of a netlink socket that owns a table of nftables, wait for a grace period of RCU: 8.5 and 10.4 ms on an idle machine (`strace -T`), more on a busy one. What the source removes
 * of a container that runs elsewhere by then is done while the target puts its memory in place, and such waits, one after the other, took longer than that.
 *
 * Life: cr_shed_begin() gives a descriptor away; cr_shed_wait(), before the command ends, waits until what was behind it is gone.
 */

/* *fd: taken, and -EBADF then. Returns what cr_shed_wait() takes; -EBADF: there was nothing to close, or it was closed here. Forks; leaves no child to be waited for. */
int cr_shed_begin(int *fd);
/*
 * The host's ends of links that nobody needs any more: 14 to 20 ms each, for as many grace periods. Who destroys one of them himself meanwhile waits for the kernel to have taken it out of use, and
 * finds that it is not there (dev_close_many() and synchronize_net() are under rtnl_lock()). Returns what cr_shed_wait() takes; -EBADF: nothing is done.
 */
int cr_shed_links(const char names[][IFNAMSIZ], int count);
/* At most a second. *rest becomes -EBADF; that is fine inside, too. */
void cr_shed_wait(int *rest);
