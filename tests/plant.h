/* SPDX-License-Identifier: GPL-2.0-only */
/* The kinds of things that the program plant can hold, and what its files share. */
#pragma once

#include <sys/types.h>

extern const char *word; /* the second word, or "" */

/* In a child that is there until we are not. */
pid_t plant_child(void);

/* Each takes its kind and returns 0, or -1 and errno; what it has is held until the process ends. */
int plant_ns(void);
int plant_nsfd(void);
int plant_uring(void);
int plant_hugetlb(void);
int plant_memfd(void);
int plant_secret(void);
int plant_userfaultfd(void);
int plant_device_map(void);
int plant_locked(void);
int plant_aio(void);
int plant_socket(void);
int plant_packet(void);
int plant_netlink(void);
int plant_netlink_data(void);
int plant_cork(void);
int plant_unix(void);
int plant_unix_dgram(void);
int plant_unix_waiting(void);
int plant_scm(void);
int plant_tls(void);
int plant_link_local(void);
int plant_socket_elsewhere(void);
int plant_deleted(void);
int plant_open(void);
int plant_open_rdwr(void);
int plant_unmounted(void);
int plant_hidden(void);
int plant_covered(void);
int plant_mount(void);
int plant_bind(void);
int plant_tree(void);
int plant_fscontext(void);
int plant_inotify(void);
int plant_fanotify(void);
int plant_lease(void);
int plant_lock(void);
int plant_epoll(void);
int plant_perf(void);
int plant_bpf(void);
int plant_pidfd(void);
int plant_seccomp_notify(void);
int plant_landlock(void);
int plant_mqueue(void);
int plant_traced(void);
int plant_stopped(void);
int plant_zombie(void);
int plant_leader(void);
int plant_thread_files(void);
int plant_shared_vm(void);
int plant_shared_fs(void);
int plant_sem_undo(void);
int plant_tty(void);
int plant_nothing(void);
