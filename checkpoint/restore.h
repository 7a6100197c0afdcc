/* SPDX-License-Identifier: GPL-2.0-only */
/* A directory of images into a running container. */
#pragma once

/*
 * Called in the process that is to be init's parent (the later monitor): single-threaded, nothing of the container exists. Makes STATE/ID, cgroups,
 * limits, root file system, bridge, console; runs criu restore, in a mount namespace of its own where the root file system is attached, with
 * --restore-sibling, which makes init our child and its pidfd a thing that can be waited for.
 *
 * `ready` is called at criu's pre-resume stage: every task has all it had and is stopped before its first instruction; the network interfaces have guard, shape and routes; ct->s has init's pid. 0: they run. Not
 * 0: init is killed, and all is undone. criu itself does not look at the status of that stage (criu/cr-restore.c: `if (ret) pr_err("Pre-resume script ret code %d\n", ret)`), so it is the
 * hook that kills; post-restore, which criu does look at, comes too early: credentials, and all that can fail with them, are restored behind it.
 * If we die, the hook kills init while the file `undecided` exists.
 */

#include "runtime/container.h"
#include "runtime/system.h"

struct cr_criu;
struct err;

/* An OCI container: its bundle says what a definition says of a system container. */
struct cr_restore_bundle {
	const char *state_root, *id;
	const struct ct_spec *spec;
	const int *stdio; /* three, borrowed: what the state says its streams are */
	/* Adds to criu's words: namespaces and mounts that are others', standard streams, what the caller asked for. May pass descriptors, which are borrowed until the end. */
	void (*add)(struct cr_criu *c, void *arg);
	/* I am criu's process, in a mount namespace of its own in which the root file system is attached and a shelf (shelf.h) is. */
	int (*prepare)(const struct ct_ground *ground, void *arg, struct err *e);
	/* Its namespaces are there, and empty; init is the first in them. */
	int (*fill)(const struct ct *ct, pid_t init, void *arg, struct err *e);
	void *arg;
	bool plain_groups; /* all tasks go into the container's own group, whatever they were in */
};

struct cr_restore {
	struct ct_system *s; /* locked; NULL: an OCI container, which has no monitor */
	const struct cr_restore_bundle *bundle; /* when s is NULL */
	int images;				/* borrowed; opened for reading and for the log */
	int (*ready)(struct ct *ct, void *arg, struct err *e); /* may be NULL */
	void *arg;
	const char *
		undecided; /* absolute path of a file that `ready` removes as its last act; NULL: without us nothing may run */
	const int *
		held; /* frames that came for it meanwhile (held.h), given to it when its links are open: a batch, after `ready`; or NULL */
	int held_sock; /* of net_hold_socket(); borrowed */
	const struct cr_pages *
		pages; /* the memory that is not in the images (pages.h): criu makes the tasks without it, and a daemon brings it, also while they run; NULL: all is in the images */
	/* Not all of it is in pages: called when the daemon is up and waits for cr_pages_daemon_feed(). NULL: all is. */
	int (*hungry)(void *arg, struct err *e);
	void *hungry_arg;
};

/* ct: filled, locked, RUNNING, the caller's to ct_close(). out: pidfd, console master (-EBADF: none), netns; the caller's. Class RESTORE; on failure nothing remains. */
int cr_restore(const struct cr_restore *how, struct ct *ct, struct ct_created *out, struct err *e);
