/* SPDX-License-Identifier: GPL-2.0-only */
/* Control groups that can be changed at once while a container stands still. */
#pragma once

/*
 * Who moves a process into a control group (and, since Linux 6.18, who mounts cgroup2) waits for a grace period of RCU first: cgroup_threadgroup_rwsem is a percpu_rw_semaphore, whose writer goes through
 * rcu_sync_enter() in kernel/rcu/sync.c. That is 8 to 24 ms on an idle machine with 250 ticks a second, and criu's restore does both with the container frozen (seen as
 * synchronize_rcu below cgroup_procs_write() and cgroup_favor_dynmods(): 22 of 87 ms). But whoever comes within a grace period of the last writer waits no more: `strace -T` of a process that moves itself to where it is,
 * each 5 ms, says 14.8 ms, 0.03, 0.02, 0.02, ... So from the moment a freeze is near until criu is done a process of ours does just that.
 *
 * Life: cr_haste_begin(); closing what it returned ends the process, and so does our death.
 */

/* Returns a descriptor, the caller's; -EBADF: there is no unified hierarchy, or no process: it takes longer. Forks; leaves no child to be waited for. */
int cr_haste_begin(void);
