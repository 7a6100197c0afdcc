/* SPDX-License-Identifier: GPL-2.0-only */
/* The engine's verbs: a bundle in, a container out, and what can be done with it. */
#pragma once

/*
 * Life: ct_create() → created (init waits, its program does not run yet) → ct_start() → running → ct_stop()/ct_kill() or its own end → stopped
 * → ct_delete(). The caller holds a struct ct (state.h), locked for whatever changes something. See steps.h for what happens between.
 */

#include <stdbool.h>
#include <sys/types.h>

#include "cgroups/group.h"
#include "runtime/net_devices.h"
#include "runtime/scope.h"
#include "runtime/spec.h"
#include "runtime/state.h"

struct err;

struct ct_create {
	const char *state_root; /* CT_STATE_DIR */
	const char *id;
	struct ct_spec *spec; /* its id maps are filled in where it joins a user namespace */
	bool system;	      /* for skepctl: console on the host's devpts, delegated cgroup */
	bool best_effort;     /* limits that the host lacks are notices */
	bool no_pivot;	  /* chroot instead: the initial ramdisk cannot be left by pivot_root(2) */
	int preserve_fds; /* that many from 3 on stay open in init (OCI) */
	int stdio[3];	  /* without a terminal: init's 0, 1, 2; all borrowed */
	bool at_once;	  /* ct_start_waiting() follows; no other process can start it */
	bool ahead; /* with at_once: and what comes between creation and start is nothing but ct_exec_signals() */
	int cache_dir; /* of compiled seccomp filters; -EBADF: none */
};

struct ct_created {
	int pidfd;   /* of init; the caller's */
	int console; /* pty master when the process wants a terminal, else -EBADF; the caller's */
	int netns;   /* init's network namespace; the caller's */
	bool told;   /* ahead: init has the word already */
	int init; /* at_once: the socket to init, which waits for the word; the caller's; else as it was */
	struct ct_devices devices; /* what its network namespace has been given; the caller's */
};

/*
 * Makes everything up to the point where only execve is missing. init is our child, and dies with us until ct_start(). ct is filled, locked, and the
 * caller's to ct_close(). On failure nothing remains. Host side, single-threaded.
 */
int ct_create(const struct ct_create *how, struct ct *ct, struct ct_created *out, struct err *e);

/*
 * Lets init execute its program, and waits until it has, or why not: class NOT_FOUND, NOT_RUNNABLE; class HOOK: one failed, before the
 * program or after, and what is to follow is the end, ct_delete() with force (runtime-spec, "Lifecycle").
 */
int ct_start(struct ct *ct, struct err *e);

/* The same right after a ct_create() with at_once, which left init waiting for us: without start.sock, and without a look at what became of it meanwhile. */
int ct_start_waiting(struct ct *ct, struct ct_created *made, struct err *e);

/* Sends sig to init, or to every process (all). -ESRCH class NOT_RUNNING. SIGKILL reaches a paused one too. */
int ct_kill(struct ct *ct, int sig, bool all, struct err *e);

/*
 * Asks init to end by its stop signal, waits timeout_s (< 0: as the spec says), then kills all. Returns 0: ended by itself, 1: killed. Its things
 * stay until ct_delete().
 */
int ct_stop(struct ct *ct, int timeout_s, struct err *e);

/* Kills all processes and waits until they are gone. Not running is success. */
int ct_destroy_processes(struct ct *ct, struct err *e);

int ct_pause(struct ct *ct, struct err *e);
int ct_resume(struct ct *ct, struct err *e);

/*
 * Waits, as long as it takes, until the container is not frozen, or has ended. Whoever resumes it wants its lock, so not with that; what holds is to be asked anew with it.
 */
int ct_await_resumed(const struct ct *ct, struct err *e);

/* Undoes the ledger and removes the state. Running: refused unless force, which kills first. */
int ct_delete(struct ct *ct, bool force, struct err *e);

/* What start and restore have in common, for checkpoint/: state directory, cgroup with limits, root file system as a detached mount. */
struct ct_ground {
	int rootfs; /* mount fd */
	int userns; /* of the id maps (for id-mapped layers), or -EBADF */
	struct cg cg;
	struct ct_scope scope; /* holds a scope of systemd's open until the tasks are in it */
};
#define CT_GROUND_INIT                                                                    \
	{                                                                                 \
		.rootfs = -EBADF, .userns = -EBADF, .cg = CG_INIT, .scope = CT_SCOPE_INIT \
	}
int ct_ground_make(struct ct *ct, const struct ct_spec *spec, bool best_effort,
		   struct ct_ground *ground, struct err *e);
void ct_ground_done(struct ct_ground *ground);

/*
 * A container keeps the config.json that it was made from: who changes or removes the bundle afterwards changes nothing of it. ct_spec_of() reads that, or the bundle's where there is no copy (system
 * containers, whose bundle is ours).
 */
int ct_spec_keep(const struct ct *ct, const struct ct_spec *spec, struct err *e);
int ct_spec_of(const struct ct *ct, int cache, struct ct_spec *spec, struct err *e);

/* Records a restored init (pid in our namespace) as RUNNING. */
int ct_record_init(struct ct *ct, pid_t pid, struct err *e);
