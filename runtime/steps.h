/* SPDX-License-Identifier: GPL-2.0-only */
/* The steps of a start, in their order, as both sides read them. */
#pragma once

#include "runtime/spec.h"

/*
 * Host side: start_host.c, one function a step, named host_STEP. Init side: start_init.c, init_STEP. Before the first: cgroup made and
 * limited, root file system mounted (detached), clone3 into the cgroup. A step is asked by init (SYNC_ASK) and granted by the host (SYNC_OK or
 * SYNC_FD) where the host has a part in it, else it is init's alone and named only in errors and in SKEP_FAULT.
 *
 * X(NAME, "name", who has a part: BOTH or INIT)
 */
#define CT_STEPS(X)                                                                                                                                                                 \
	X(JOIN, "join",                                                                                                                                                             \
	  BOTH) /* only with a user, mount, cgroup or time namespace by its path: init is cloned there (start_clone.h) */                                                           \
	X(IDMAP, "idmap",                                                                                                                                                           \
	  BOTH) /* host: limits of init; with a user namespace, id maps, for which init waits. After: it may become root inside */                                                  \
	X(ROOTFS, "rootfs",                                                                                                                                                         \
	  BOTH) /* with a user namespace the host sends the root file system's mount, else init is born with it. After: it is attached in init's mount namespace */                 \
	X(NETWORK, "network",                                                                                                                                                       \
	  BOTH) /* only where it is made ahead of init (start_network.h): the host sends the network namespace, and init enters it, once a mount wants it or all others are made */ \
	X(MOUNTS, "mounts", INIT) /* cgroup namespace, then the spec's mounts in order */                                                                                           \
	X(DEV, "dev", INIT)	  /* nodes, pts, shm; the console */                                                                                                                \
	X(MASKS, "masks", INIT)	  /* masked and read-only paths */                                                                                                                  \
	X(KERNEL, "kernel", INIT) /* host name, sysctls, time offsets */                                                                                                            \
	X(HOOKS, "hooks",                                                                                                                                                           \
	  BOTH) /* only with hooks of these points: the host runs prestart and createRuntime, then init createContainer */                                                          \
	X(PIVOT, "pivot", INIT)	    /* the host's tree is gone: point of no return */                                                                                               \
	X(CONSOLE, "console", BOTH) /* OCI terminal: init sends the pty's master */                                                                                                 \
	X(READY, "ready",                                                                                                                                                           \
	  BOTH)			    /* all is made; init listens on start.sock and no longer dies with its parent once asked to start */                                            \
	X(START, "start", BOTH)	    /* over start.sock: execute */                                                                                                                  \
	X(PROCESS, "process", INIT) /* user, working directory, capabilities, seccomp */                                                                                            \
	X(START_HOOKS, "start hooks",                                                                                                                                               \
	  INIT) /* startContainer, with no more rights than the program: it is a file of the container's */                                                                         \
	X(EXEC, "exec",                                                                                                                                                             \
	  INIT) /* "about to"; then execve: failed is an ERROR, its success is the socket's closing */

enum ct_step {
#define X(name, word, who) CT_STEP_##name,
	CT_STEPS(X)
#undef X
		CT_STEP_COUNT
};

const char *ct_step_to_str(unsigned step);

/* Whether HOOKS is taken by both sides. */
static inline bool ct_has_create_hooks(const struct ct_spec *spec)
{
	const struct ct_hooks *h = &spec->hooks;

	return h->n[CT_HOOK_PRESTART] || h->n[CT_HOOK_CREATE_RUNTIME] ||
	       h->n[CT_HOOK_CREATE_CONTAINER];
}
