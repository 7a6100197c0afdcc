/* SPDX-License-Identifier: GPL-2.0-only */
/* Shares of a CPU's caches and memory bandwidth: groups of the resctrl file system. */
#pragma once

/*
 * Life: cg_rdt_open(), cg_rdt_make() before there is a process, cg_rdt_add() for each process from outside (its children stay with it), cg_rdt_remove() at the end. A group is
 * named by closID, or else by the container; the root of the file system is one, too ("/"). Host side. Kernel: Documentation/filesystems/resctrl.rst; rules: runtime-spec,
 * config-linux.md, "IntelRdt".
 */

#include <stdbool.h>
#include <sys/types.h>

struct err;

#define CG_RDT_MOUNT "/sys/fs/resctrl"

/* Strings are the owner's; NULL: not given. */
struct cg_rdt {
	bool given;		/* else there is nothing to be done */
	char *clos;		/* "/" or a name without slashes */
	char *l3, *mb;		/* lines of schemata */
	char **schemata;	/* NULL-terminated */
	bool monitor, cmt, mbm; /* any of them: a monitoring group of its own */
};

/* CG_RDT_MOUNT, if a resctrl is mounted there: else -EOPNOTSUPP, class UNSUPPORTED. Returns its fd. */
int cg_rdt_open(struct err *e);

/* Whether that can be the name of a group of ours. */
bool cg_rdt_name_ok(const char *name);

/* Called before a directory below the root is made that must be removed some day, by cg_rdt_remove(path); taken back when it was there. */
struct cg_rdt_notes {
	int (*note)(void *arg, const char *path, struct err *e);
	int (*drop)(void *arg, const char *path, struct err *e);
	void *arg;
};

/*
 * Makes the groups of the container id. One of a closID that is there must have the l3 and mb that are given (class CONFIG), and must be there if no schemata are given at all.
 */
int cg_rdt_make(int root, const struct cg_rdt *rdt, const char *id,
		const struct cg_rdt_notes *notes, struct err *e);

/* Writes l3, mb, schemata, in this order, those that are given. What the kernel has to say about a line is in e. */
int cg_rdt_write(int root, const struct cg_rdt *rdt, const char *id, struct err *e);

/* Puts a process, with one thread, into the groups. */
int cg_rdt_add(int root, const struct cg_rdt *rdt, const char *id, pid_t pid, struct err *e);

/* Gone already is success, and so is that there is no resctrl any more. */
int cg_rdt_remove(const char *path, struct err *e);
