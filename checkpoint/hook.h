/* SPDX-License-Identifier: GPL-2.0-only */
/* Our process's end of criu's action script: criu stops at a stage, skep-criu-hook asks us, we answer. */
#pragma once

/*
 * Life: cr_hook_open() listens on a socket in the state directory; criu runs skep-criu-hook (skep_criu_hook_main.c) at each stage, with the stage in
 * CRTOOLS_SCRIPT_ACTION, the socket and what decides without us in the environment (CR_HOOK_ENV_*); at a stage that has a callback the hook connects, sends stage and init's pid, and waits; we call the
 * stage's callback and send 0 or 1, which becomes the hook's exit status. cr_hook_close() removes the socket. criu closes all descriptors above 2
 * before it executes a script (cr_system_userns() in criu/util.c): that is why there is a name and no inherited descriptor.
 *
 * If we are dead the hook decides: post-dump is 0 when the file `decided` exists, else 1, and with `freezer` it leaves a process behind that thaws the tasks when criu has ended
 * (heir.h), unless `journal` is there and does not say "started" (or cannot be read): then they are not ours any more, and stay as they are; at pre-resume, while the file `undecided` exists, it kills
 * init, since criu does not look at that stage's status, and when it is gone it thaws them by `freezer`; all others are 0.
 */

#define CR_HOOK_ENV_SOCKET "SKEP_HOOK_SOCKET"
#define CR_HOOK_ENV_STAGES \
	"SKEP_HOOK_STAGES" /* criu's words, each with a comma before and behind */
#define CR_HOOK_ENV_DECIDED   "SKEP_HOOK_DECIDED"
#define CR_HOOK_ENV_UNDECIDED "SKEP_HOOK_UNDECIDED"
#define CR_HOOK_ENV_FREEZER   "SKEP_HOOK_FREEZER"
#define CR_HOOK_ENV_JOURNAL   "SKEP_HOOK_JOURNAL"
#define CR_HOOK_ENV_KEPT      "SKEP_HOOK_KEPT" /* how many descriptors criu was given */
#define CR_HOOK_SOCKET_FILE   "criu.sock"

#include <sys/types.h>

struct err;

/* X(NAME, criu's word) */
#define CR_STAGES(X)                                      \
	X(PRE_DUMP, "pre-dump")                           \
	X(NETWORK_LOCK, "network-lock")                   \
	X(POST_DUMP, "post-dump")                         \
	X(NETWORK_UNLOCK, "network-unlock")               \
	X(PRE_RESTORE, "pre-restore")                     \
	X(SETUP_NAMESPACES, "setup-namespaces")           \
	X(POST_SETUP_NAMESPACES, "post-setup-namespaces") \
	X(POST_RESTORE, "post-restore")                   \
	X(PRE_RESUME, "pre-resume")                       \
	X(POST_RESUME, "post-resume")

enum cr_stage {
#define X(name, word) CR_STAGE_##name,
	CR_STAGES(X)
#undef X
		CR_STAGE_COUNT
};

/* init: the pid of the container's init in our pid namespace, 0 when there is none yet. Non-zero: the stage fails, e says why. */
typedef int (*cr_hook_fn)(pid_t init, void *arg, struct err *e);

struct cr_hook {
	int listener;
	char socket_path[320];
	char program[256]; /* skep-criu-hook */
	/* Absolute paths, borrowed. decided NULL: no dump is committed without us. undecided NULL: no restore is decided without us. */
	const char *decided, *undecided;
	const char *freezer,
		*journal; /* cgroup.freeze, NULL where there is none, and CT_JOURNAL_FILE of a live migration, NULL: it is none */
	char stages[200]; /* those with a callback; filled by cr_hook_ready() */
	cr_hook_fn fn[CR_STAGE_COUNT]; /* NULL: 0 */
	void *arg;
	int refused; /* the connection to the hook to which a callback at post-dump said no: the heir that it leaves (heir.h) holds the other end; -EBADF: none */
	struct err *failed; /* where a failing callback's err goes; set by cr_criu_wait() */
};
#define CR_HOOK_INIT                                  \
	{                                             \
		.listener = -EBADF, .refused = -EBADF \
	}
#define auto_hook __attribute__((cleanup(cr_hook_close)))

/* dir: STATE/ID, path: the same as an absolute path. Fills listener, socket_path, program; the rest is the caller's. */
int cr_hook_open(struct cr_hook *h, int dir, const char *path, struct err *e);
void cr_hook_close(struct cr_hook *h);

/* After fn[] is filled, before criu is started. */
void cr_hook_ready(struct cr_hook *h);

/* One client of the listener, which is readable: asks the callback, answers. 1: a callback failed (e is filled), 0: not. -errno: the talk itself failed. */
int cr_hook_serve(struct cr_hook *h, struct err *e);

/* The tasks of a dump that was refused have been let go on, or stay as they are, and it is nobody else's matter: the heir goes. When this returns he, and what he held, is gone. */
void cr_hook_dismiss(struct cr_hook *h);

const char *cr_stage_to_str(enum cr_stage s);
