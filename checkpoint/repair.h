/* SPDX-License-Identifier: GPL-2.0-only */
/* Connections that a dump left in the state in which it reads them. */
#pragma once

#include <sys/types.h>

struct cg;
struct err;

/*
 * criu sets TCP_REPAIR on each connection of what it dumps, and takes it back at its end, whatever that is; but for a SIGKILL, which leaves it on. Who then reads from such a
 * connection gets EPERM (tcp_recvmsg_locked() in net/ipv4/tcp.c), takes it for dead, and its close tells the other side nothing. So before the tasks of a group go on after
 * a dump that nobody ended: takes it back on every TCP socket that one of them has. What cannot be looked into (a task that ends) is left out. Returns how many
 * there were.
 */
int cr_repair_off(const struct cg *cg, struct err *e);

/* The same of one process, without the library: for heir.h. */
int cr_repair_off_task(pid_t pid);
