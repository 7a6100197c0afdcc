/* SPDX-License-Identifier: GPL-2.0-only */
/* Locks of fcntl(2) that a restored process has lost on the way are taken again. */
#pragma once

/*
 * A POSIX lock ends when its process closes any descriptor of that file (fcntl(2), F_SETLK). criu's restored task takes its locks (prepare_file_locks() in criu/cr-restore.c) and after that opens
 * each file that it maps, and closes it behind the mmap(2) (restore_mapping() in criu/pie/restorer.c): of a file that is locked and mapped, as that of SQLite's and LMDB's shared memory always is, the
 * lock is gone, and nobody says so. So at criu's post-restore stage, when every task has all its files and its memory and waits in criu's own code, those that miss one take it once
 * more, by a system call that is put into them (inject.h).
 *
 * Init cannot: criu traces it all the time, since it is not criu's child. So preflight names such a lock of its.
 */

#include <sys/types.h>

struct cg;
struct err;

/*
 * init: as we see it. Returns how many were taken. The images may come from another host. -EPROTO: damaged; else class RESTORE: one cannot be taken. Forks a child, and waits for it.
 */
int cr_file_locks_take(int images, const struct cg *cg, pid_t init, struct err *e);
