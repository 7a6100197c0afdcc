/* SPDX-License-Identifier: GPL-2.0-only */
/* Attributes of the calling process that survive execve. */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

/* -1000 … 1000. Before the pivot. Lowering without CAP_SYS_RESOURCE keeps the present value with a
 * notice. */
int ns_self_oom_score_adj(int score, struct err *e);

int ns_self_no_new_privs(struct err *e);

/* Nobody may ptrace us or read our /proc/self/fd from now on until execve: the first act of init
 * and of a join (CVE-2016-9962). */
int ns_self_undumpable(struct err *e);

/* Dies with its parent; parent_pid: who that was (read before clone), to see whether it died
 * already. 0: no check (across a pid namespace getppid() is 0). */
int ns_self_die_with_parent(pid_t parent_pid, struct err *e);

/* All signals to default, none blocked: what a fresh program expects. */
int ns_self_reset_signals(struct err *e);

/* "LINUX" or "LINUX32". */
int ns_self_personality(const char *domain, struct err *e);

/* A session keyring of our own: else the container would possess that of whoever started it (session-keyring(7)). Before seccomp. */
int ns_self_new_keyring(struct err *e);

/*
 * Host side, first act of a program that will enter a container whose root is the host's: goes on from a read-only mount of its own file, which nobody
 * else can reach; where it cannot be mounted once more, from a sealed copy in memory. Else the container could have its program be /proc/self/exe, open us by it, and write to us when we have ended (CVE-2019-5736).
 * Returns 0 when that is done; only on failure otherwise, for it executes argv anew with all that is not CLOEXEC.
 */
int ns_self_shield(char *const argv[], struct err *e);

/*
 * The mount that the program is mapped or executed from again, where its own entry did that (ctl/static/entry.c), is held by a descriptor. As long as that is open the mount is in an anonymous namespace, and whoever gets hold of the program and may mount in a
 * namespace of his own may make it writable again (do_mount_setattr(), fs/namespace.c). So it is closed before the process is where others see it, or before anything of the container's runs that could look.
 * But the last to close it unmounts it, and waits for all processors (namespace_unlock(): synchronize_rcu_expedited()), a fortieth of a start. Init makes that one wait with the one for the host's mounts, which it has to make anyway.
 * _find: first of all, whatever the command: nobody inherits it from here on. _above: its number is at least `least`, what is below is the caller's. _drop: closes it. _fd: -EBADF: there is none, and the others do nothing.
 * _bury: init, in a mount namespace of its own that nothing leaves any more, before pivot_root(2): the mount is put where it is detached with the host's, and closed.
 * ns_self_mount: what the entry leaves, CLOEXEC; 0: it has executed the program again, and the descriptor is in the name of that, or it has done nothing.
 */
extern int ns_self_mount __attribute__((visibility("hidden")));
void ns_self_mount_find(void);
void ns_self_mount_above(int least);
void ns_self_mount_drop(void);
int ns_self_mount_fd(void);
void ns_self_mount_bury(void);

/* Shown by ps; also the first 15 bytes of argv[0] of nobody. */
int ns_self_name(const char *name, struct err *e);
