/* SPDX-License-Identifier: GPL-2.0-only */
/* One look at restored tasks, as the parts of cr_verify() share it. */
#pragma once

/*
 * Life: zeroed with v set; cr_check_spaces() and cr_check_host_mounts() before the first task, cr_check_done() at the end. The mounts of every task are looked at before the first open file: a file is
 * judged by whether its mount is one of them.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "checkpoint/verify.h"

struct err;

#define CR_CHECK_INNER 8

/* A set of numbers, in the order in which they came. 0 is never in it. */
struct cr_numbers {
	uint64_t *list;
	size_t count, room;
	uint64_t *slots; /* the same, by their hash */
};

int cr_numbers_add(struct cr_numbers *n, uint64_t number, struct err *e);
bool cr_numbers_have(const struct cr_numbers *n, uint64_t number);

struct cr_check {
	const struct cr_verify *v;
	struct cr_numbers host; /* the devices of the file systems of our own mounts */
	uint64_t
		spaces[CT_NS_COUNT]; /* our own namespaces: inode numbers; 0: the kernel has none */
	uint64_t first[CT_NS_COUNT]; /* those of init */
	struct cr_numbers members;   /* of the control groups */
	struct cr_numbers tree;	     /* init and all below it */
	struct cr_numbers mount_spaces; /* whose mounts were looked at */
	struct cr_numbers net_spaces;
	struct cr_numbers mounts; /* their ids: what may be open is on one of these */
	struct cr_numbers private; /* mapped privately, and found there: a device mixed with an inode */
	dev_t inner
		[CR_CHECK_INNER]; /* file systems of the kernel that hold only what a task makes itself: pipes, sockets, ... */
	size_t inner_count;
	dev_t nsfs, pidfs; /* of which some are somebody else's */
};

void cr_check_done(struct cr_check *l);

/* EPERM, class RESTORE: "the restored process PID WHAT". */
int cr_check_refuse(pid_t pid, const char *what, struct err *e);

/* A file of /proc/PID; *text is the caller's. Its length. */
int cr_check_read(pid_t pid, const char *name, char **text, struct err *e);

/* verify_task.c: the namespaces of our own and of init. */
int cr_check_spaces(struct cr_check *l, struct err *e);
/* What a thread is; status is its /proc/PID/task/TID/status. */
int cr_check_thread(struct cr_check *l, pid_t pid, pid_t tid, const char *status, struct err *e);
/* What its process is. */
int cr_check_process(struct cr_check *l, pid_t pid, struct err *e);
/* In /proc a zombie has no namespaces any more, and it cannot do anything with its ids. */
bool cr_check_is_dead(const char *status);
/* "/skep/101" or what is in it. */
bool cr_check_below_group(const struct cr_check *l, const char *path);

/* verify_mounts.c: the mounts of our own, then those of each mount namespace once. */
int cr_check_host_mounts(struct cr_check *l, struct err *e);
int cr_check_mounts(struct cr_check *l, pid_t pid, struct err *e);

/* verify_files.c: the file systems of the kernel. */
int cr_check_prepare_files(struct cr_check *l, struct err *e);
/* What a process has open, its directories, its program, and what it has mapped. After all mounts. */
int cr_check_files(struct cr_check *l, pid_t pid, struct err *e);
