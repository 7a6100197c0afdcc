/* SPDX-License-Identifier: GPL-2.0-only */
/* One restore under way, as its parts share it. */
#pragma once

/*
 * Life: cr_restore() fills how, spec, id, ct, out and state; cr_restore_prepare() makes what criu restores onto; cr_restore_attach() gives criu's process its mounts; then criu's stages. cr_restore()
 * releases all of it.
 */

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#include "checkpoint/console.h"
#include "checkpoint/pages_daemon.h"
#include "checkpoint/record.h"
#include "checkpoint/restore.h"
#include "net/veth.h"
#include "runtime/ground.h"

struct err;

/* Where criu's process, and nobody else, has the root file system mounted: an empty directory in STATE/ID. */
#define CR_RESTORE_ROOT "root"

struct cr_restoring {
	const struct cr_restore *how;
	const struct ct_spec *spec;
	const char *id;
	struct ct *ct;
	struct ct_created *out;
	struct ct_ground ground;
	struct cr_record record;
	struct net_if nets[CT_NETS_MAX];
	struct cr_console console;
	int kerndat; /* what criu knows of the kernel, as a detached mount; -EBADF: it finds that out */
	char state[PATH_MAX];	 /* STATE/ID */
	const char *hook, *criu; /* programs; borrowed */
	struct cr_pages_daemon pages;
	int uffd; /* allowed as long as it is open */
	pid_t init;
	bool equip_groups; /* the control groups inside get their controllers when init is in its own */
	bool plain_groups; /* criu does not look at control groups: all tasks are in the container's own, where criu is put */
	bool decided; /* its tasks may run */
};

/* restore_ground.c: state, control groups, root file system, network, console. */
int cr_restore_prepare(struct cr_restoring *r, struct err *e);

/* restore_mounts.c: I am criu's process, before its execve. arg: the struct cr_restoring. */
int cr_restore_attach(void *arg, struct err *e);
