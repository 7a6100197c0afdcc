/* SPDX-License-Identifier: GPL-2.0-only */
/* The init side of a start: all that runs between clone3 and execve, in the child. */
#pragma once

#include "base/sync.h"
#include "cgroups/entry.h"
#include "cgroups/group.h"
#include "ns/seccomp.h"
#include "runtime/spec.h"

/* What the host side prepared; the child's copy of our memory and its inherited descriptors. */
struct ct_init {
	const struct ct_spec *spec;
	struct cg_doors doors;
	struct sync sync; /* to the host side, until READY */
	int listen;	  /* start.sock; -EBADF: started at once */
	bool ahead; /* the host's OK to READY comes unasked, and perhaps before we are there */
	int rootfs; /* the root file system's mount; -EBADF: it comes with the step of that name */
	int console_mount; /* system container: its console's slave as a detached mount, else -EBADF */
	int console_slave; /* the same as a descriptor */
	int stdio[3];	   /* without a terminal */
	bool no_pivot;	   /* chroot instead */
	bool netns_comes; /* its network namespace is made beside us, and comes with the step of that name */
	bool late; /* the host side may neither mount nor enter namespaces: init, root in its own user namespace, opens what is mounted */
	int preserve_fds;		/* 3 .. 3 + n - 1 stay */
	const struct ns_filter *filter; /* prog NULL: none */
	pid_t parent;			/* 0 in a new pid namespace */
	json_t *hook_state; /* of the hooks that init runs, but for their pid and status; NULL without any */
};

/* Whether init takes the mount that we run from out of the world, with the host's (ns_self_mount_bury()), and not we before it is there: who lives in its process namespace already sees it from its first moment. */
bool ct_init_buries(const struct ct_init *init);

/*
 * Runs steps.h's init side and executes the program. Never returns: a failure is told to the host side, or to who asked to
 * start, and the process ends (127: no such program, 126: not executable, 1: all else).
 */
_Noreturn void ct_init_run(struct ct_init *init);
