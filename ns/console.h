/* SPDX-License-Identifier: GPL-2.0-only */
/* Terminals: a pty of the container's own devpts, its place as /dev/console, controlling terminal.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct err;

/*
 * Makes a pty in the devpts at /dev/pts below root ("/" after the pivot: any fd of it). The slave
 * comes from the master by TIOCGPTPEER, never by a path (CVE-2025-52565). Both are the caller's,
 * CLOEXEC, O_NOCTTY.
 */
int ns_console_new(int root, int *master, int *slave, struct err *e);

/* The same from the host's /dev/pts, for exec from a host side. */
int ns_console_new_host(int *master, int *slave, struct err *e);

/* Binds the slave on /dev/console below root; the mount point is made without following links
 * (CVE-2026-88264). Before the pivot, and only when /dev is fresh. */
int ns_console_bind(int root, int slave, struct err *e);

/* Gives the slave to the container's user. gid (gid_t)-1: the group stays what the devpts gives. */
int ns_console_chown(int slave, uint32_t uid, uint32_t gid, struct err *e);

int ns_console_resize(int fd, unsigned rows, unsigned cols, struct err *e);

/* Makes slave our controlling terminal (we must be a session leader: ns_console_session()) and 0,
 * 1, 2. */
int ns_console_take(int slave, struct err *e);

/* setsid(2); to be one already is success. */
int ns_console_session(struct err *e);

/* No carriage return before each newline: for one whose output is read from a pipe or a file. */
int ns_console_plain_lines(int slave, struct err *e);

/*
 * Pipes and files among 0, 1, 2 become the user's, who else could not open /dev/stdout again (runc and crun do so). Terminals and other devices stay whose they are: they are the host's.
 * As whoever may do that, before ids change.
 */
void ns_console_give(uint32_t uid, uint32_t gid);

/* Inside the container: makes fds[0..2] our 0, 1, 2, whichever numbers they have (also when they
 * overlap); what is the host's null device becomes the container's. They stay open otherwise. */
int ns_console_stdio(const int fds[3], struct err *e);
