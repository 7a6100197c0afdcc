/* SPDX-License-Identifier: GPL-2.0-only */
/* A container's runtime state: STATE/ID/{state.json,ledger,lock,…}, and what may happen to it when. */
#pragma once

/*
 * Life: ct_state_new() makes STATE/ID before anything else; intents are appended to the ledger (ledger.h) before each deed; state.json is replaced
 * by rename at each change; ct_delete() removes the directory last. All of it dies with a reboot, so nothing is flushed to disk: rename and
 * O_APPEND are enough against a kill at any instruction. A state.json of another boot (boot id) means: stopped, and nothing on its ledger exists.
 *
 * What is written is what was *done*; what is *true now* is ct_status(), which asks the kernel: a process is (pid, start time), frozen is
 * the freezer's word.
 */

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/json.h"

struct err;

#define CT_STATE_DIR	"/run/skep"
#define CT_CONFIG_FILE	"config.json" /* as the container was made from it: ct_spec_keep() */
#define CT_STATE_FILE	"state.json"
#define CT_STATUS_LINK	"status" /* to CT_STATE_FILE: crun's name for it */
#define CT_LOCK_FILE	"lock"
#define CT_EXIT_FILE	"exit"
#define CT_LEDGER_FILE	"ledger"
#define CT_START_SOCKET "start.sock" /* start_go.h */

/* How long a verb waits for another one's lock. */
#define CT_LOCK_WAIT_MS 5000

/* X(name, OCI word) */
#define CT_STATUSES(X)          \
	X(CREATING, "creating") \
	X(CREATED, "created")   \
	X(RUNNING, "running")   \
	X(PAUSED, "paused")     \
	X(STOPPED, "stopped")

enum ct_status {
#define X(name, word) CT_##name,
	CT_STATUSES(X)
#undef X
};

/* X(name, word): what a command wants to do. */
#define CT_EVENTS(X)                \
	X(START, "start")           \
	X(EXEC, "exec")             \
	X(KILL, "kill")             \
	X(STOP, "stop")             \
	X(PAUSE, "pause")           \
	X(RESUME, "resume")         \
	X(SUSPEND, "suspend")       \
	X(CHECKPOINT, "checkpoint") \
	X(UPDATE, "update")         \
	X(DELETE, "delete")

enum ct_event {
#define X(name, word) CT_EVENT_##name,
	CT_EVENTS(X)
#undef X
};

struct ct_state {
	char id[65];
	char bundle[PATH_MAX];
	char rootfs[PATH_MAX]; /* absolute; empty: skepctl's, or noted by an earlier skep */
	char cgroup[256];      /* empty: it has none */
	char scope
		[256]; /* the unit of systemd's that the cgroup is of (scope.h); empty: it is ours */
	enum ct_status status; /* what was done last: CREATING, CREATED or RUNNING */
	pid_t pid;	       /* of init in our pid namespace; 0: none yet */
	uint64_t pid_start;    /* its start time in ticks */
	pid_t monitor;	       /* 0: none */
	uint64_t monitor_start;
	char created[40]; /* RFC 3339, UTC */
	uint32_t id_base; /* host id of the container's root; 0 without a user namespace */
	int stop_signal;
	int stop_timeout_s;
	bool system; /* made by skepctl: has a definition and a monitor */
	bool stale;  /* read, not written: of another boot, so nothing of it exists */
	bool hooked; /* with CREATING: it is made but for what its hooks do, which have their turn */
	char terminal
		[64]; /* "rdev:dev" in hex of the console's slave, for checkpoint; empty: none */
	json_t *annotations; /* owned */
	json_t *listener;    /* owned; as ct_listener_new() made it; NULL: the filter asks nobody */
	json_t *streams; /* owned; as ct_streams_note() made it; NULL: a terminal's, or skepctl's */
};

/* An open container: borrowed by the engine's calls. */
struct ct {
	int dir;    /* STATE/ID */
	int lock;   /* -EBADF: opened without */
	bool found; /* by ct_open(): with the lock, whoever was creating it is dead */
	char state_root[256];
	struct ct_state s;
};

#define CT_INIT                               \
	{                                     \
		.dir = -EBADF, .lock = -EBADF \
	}
#define auto_ct __attribute__((cleanup(ct_close)))

/*
 * Makes STATE/ID (0700) with an empty ledger, locked; the state is CREATING, and the caller's to write down before its first deed. -EEXIST, class EXISTS, if there is one that has a life or a
 * state; the remains of a creation that died before its first intent are taken over.
 */
int ct_state_new(const char *state_root, const char *id, const char *verb, struct ct *ct,
		 struct err *e);

/*
 * Opens an existing one; verb NULL: without the lock, for reading. -ENOENT, class NO_SUCH_CT. One whose creator died before it wrote a state
 * opens as CREATING (ct_status() then says stopped), so that it can be deleted.
 */
int ct_open(const char *state_root, const char *id, const char *verb, struct ct *ct, struct err *e);

/* Gives the state crun's name, too, which crun gives its own when all is made: who waits for one of its containers waits for that. After the state that is to be found is saved. */
void ct_state_show(const struct ct *ct);

/* Lets go of what it owns. */
void ct_state_drop(struct ct_state *s);

/*
 * For an end by force. As ct_open with a verb, but one whose state.json is damaged opens, too, as CREATING, with a warning: its ledger, which names its
 * control groups, is enough for ct_delete().
 */
int ct_open_to_end(const char *state_root, const char *id, const char *verb, struct ct *ct,
		   struct err *e);
void ct_close(struct ct *ct);

/* Writes ct->s. Reads it again (after taking the lock late). */
int ct_state_save(struct ct *ct, struct err *e);
int ct_state_reload(struct ct *ct, struct err *e);

/*
 * Whether a command on system containers may clean up this one, which it has opened with the lock: it is one, or its creator died before it
 * wrote down which kind it was to be.
 */
bool ct_state_is_system(const struct ct *ct);

/*
 * Takes STATE/ID out of sight by one rename (.gone-ID), runs the poststop hooks, and then removes it: whoever waits for its lock sees that it is no longer the one named
 * ID. ct_delete()'s last act.
 */
int ct_state_remove(struct ct *ct, struct err *e);

/* What is true now. CREATED as soon as the hooks of its creation have their turn; when its creator dies in these, STOPPED, and as if it had never been created for the next of its name. */
int ct_status(const struct ct *ct, enum ct_status *status, struct err *e);

/*
 * As long as nobody but its creator works at it, and at most CT_LOCK_WAIT_MS: waits for it to be created, or not to be. 1: waited, so that the caller opens it again; 0: there is nothing to wait for.
 * Without it who asks for a state between two steps of ours hears of one ("creating") in which nobody can do anything with it.
 */
int ct_await_creator(struct ct *ct, struct err *e);
const char *ct_status_to_str(enum ct_status status);

/* pidfd of init; -ESRCH with e untouched if it is gone. */
int ct_init_open(const struct ct *ct, struct err *e);

/* The table state × event: 0, or an error in the user's words, class RUNNING or NOT_RUNNING. *status (may be NULL) is what was found. */
int ct_may(const struct ct *ct, enum ct_event event, enum ct_status *status, struct err *e);

/* The OCI state document (runtime-spec "State"). The caller owns *out. ct_state_to_hook(): for a hook, which has its turn at a known status; pid 0: none. */
int ct_state_to_hook(const struct ct *ct, enum ct_status status, pid_t pid, json_t **out,
		     struct err *e);
int ct_state_to_oci(const struct ct *ct, json_t **out, struct err *e);

/* Calls fn for each container below state_root, in the order of names; a broken one is skipped with a log_warn. fn < 0 ends the walk. */
int ct_each(const char *state_root, int (*fn)(struct ct *ct, void *arg, struct err *e), void *arg,
	    struct err *e);

/* How init ended, as the monitor wrote it to STATE/ID/exit: a wait status. -ENOENT with e untouched when nobody knows. */
int ct_exit_read(const struct ct *ct, int *wait_status, struct err *e);
