/* SPDX-License-Identifier: GPL-2.0-only */
/* A system container, as the operator knows it: definition, layers, network, monitor around the engine's verbs. */
#pragma once

/*
 * struct ct_host says where things are (--root, --state). ROOT/ct/NAME/ holds definition.json, upper/ work/ or disk.img, console.log, checkpoint/.
 * Lock order: host lock (ROOT/lock: names, addresses, id ranges, bridges) inside the container's (ROOT/ct/NAME/lock), never the other way.
 * The lock of an operator's verb is ROOT/ct/NAME/lock; the engine's own, STATE/NAME/lock, is taken below it.
 */

#include <stdbool.h>
#include <stddef.h>

#include "runtime/conf.h"
#include "runtime/definition.h"
#include "runtime/spec.h"
#include "runtime/state.h"

struct err;

#define CT_ROOT_DIR "/var/lib/skep"

struct ct_host {
	char root[256]; /* absolute, made when missing */
	char state[256];
	bool best_effort;
	struct ct_conf conf;
};

/* Reads skep.conf; makes both paths absolute and their directories (0700). NULL or "": as skep.conf says, else the default. */
int ct_host_init(struct ct_host *h, const char *root, const char *state, struct err *e);

int ct_host_templates(const struct ct_host *h,
		      struct err *e); /* fd of ROOT/templates, made when missing */
int ct_host_cache(const struct ct_host *h,
		  struct err *e); /* fd of STATE/.cache for compiled filters */
int ct_host_containers(const struct ct_host *h,
		       struct err *e); /* fd of ROOT/ct, made when missing */

/* The host lock, waiting for its turn. Its closing unlocks. Whoever makes or releases a bridge, NAT, forwarding, takes it, too. */
int ct_host_lock(const struct ct_host *h, const char *verb, struct err *e);

/* An open system container: its data directory, locked (verb) or not (NULL), and its definition. */
struct ct_system {
	int dir; /* ROOT/ct/NAME */
	int lock;
	const struct ct_host *host;
	struct ct_definition d;
};
#define CT_SYSTEM_INIT                        \
	{                                     \
		.dir = -EBADF, .lock = -EBADF \
	}
#define auto_system __attribute__((cleanup(ct_system_close)))

/*
 * verb NULL: without the lock, for reading. -ENOENT, class NO_SUCH_CT (ctl adds the nearest name as a hint); -EWOULDBLOCK, class LOCKED; an
 * unfinished incoming migration is class IN_DOUBT.
 */
int ct_system_open(const struct ct_host *h, const char *name, const char *verb, struct ct_system *s,
		   struct err *e);

/* The same for an end, which needs no definition: of a damaged one s->d has the name alone, and a stop takes the time that its start has noted. */
int ct_system_open_to_end(const struct ct_host *h, const char *name, const char *verb,
			  struct ct_system *s, struct err *e);
void ct_system_close(struct ct_system *s);

/*
 * Makes ROOT/ct/NAME from a definition: id range, addresses and MACs that are not given are picked and checked against all others (under
 * the host lock), layers or disk image made, definition saved last: a directory without one is a remnant, removed by the next create or destroy.
 * What is not given: id_base 0; uuid ""; an address 0.0.0.0 or :: (of any prefix: one of the host's pool); a zero MAC; an empty bridge or uplink
 * (skep.conf's); a gateway of family 0 (the pool's, if an address is in the pool). d has all of it on return. Classes EXISTS, LOCKED, NO_TEMPLATE,
 * ADDR_IN_USE, VALUE.
 */
int ct_system_create(const struct ct_host *h, struct ct_definition *d, struct err *e);

/*
 * For an incoming migration: as create, with the definition under the name definition.incoming, so that no other command takes it for a container.
 * Id range and addresses are reserved. id_base stays as it was when it is free here, else another is picked: compare. Nobody is asked on the
 * wire, since the source still has the addresses; they are checked against the other containers here. Layers (empty) or disk image are made. s is locked.
 */
int ct_system_receive(const struct ct_host *h, struct ct_definition *d, struct ct_system *s,
		      struct err *e);

/* Opens (locked) what a receive made, after a crash, for --continue and --abort. -ENOENT, class NO_SUCH_CT. */
int ct_system_receive_open(const struct ct_host *h, const char *name, struct ct_system *s,
			   struct err *e);

/* Makes it a container: saves s->d as definition.json. Idempotent. */
int ct_system_receive_commit(struct ct_system *s, struct err *e);

/* Removes the directory with all in it; nothing of it runs any more. s is closed. */
int ct_system_receive_abort(struct ct_system *s, struct err *e);

/* Compiles the definition into a bundle (STATE/NAME/bundle is not needed by us: kept at ROOT/ct/NAME/config.json) and loads it as a spec. */
int ct_system_spec(struct ct_system *s, struct ct_spec *spec, struct err *e);

/*
 * Starts it: forks the process that will be the monitor, which creates, attaches the network, starts, and tells us how it went. Returns when the
 * program runs (wait: and its first words are on the console). Refused when running, or when a checkpoint lies there (resume it or drop it).
 */
int ct_system_start(struct ct_system *s, struct err *e);

/* Networks of the definition into netns, each written to the ledger before. Also used by restore with CRIU making the link (only_host). */
int ct_system_network_up(struct ct_system *s, struct ct *ct, int netns, struct err *e);
/* Sends the announcements; after the container runs. */
int ct_system_announce(struct ct_system *s, struct ct *ct, int netns, struct err *e);
/* Its two halves: the second one waits for RCU grace periods, and has to be called even after a failure. */
int ct_system_announce_open(const struct ct_system *s, int netns, int socks[CT_NETS_MAX],
			    struct err *e);
void ct_system_announce_close(int socks[CT_NETS_MAX]);
/* Bridge and NAT for the definition's interfaces, noted in the ledger, and claimed until this process ends (bridge_claim.h): before a restore. */
int ct_system_network_ground(struct ct_system *s, struct ct *ct, struct err *e);

/* Stop by signal and time (timeout_s < 0: the definition's), and clean what was made. Not running: class NOT_RUNNING. */
int ct_system_stop(struct ct_system *s, int timeout_s, bool force, struct err *e);

/*
 * For an end by force, before its lock is asked for: when a stop waits for the container to end by itself, kills init, whereupon that stop ends. True:
 * it was killed.
 */
bool ct_system_hasten(const struct ct_host *h, const char *name);

/*
 * Cleans up after a container that ended, if it did; starts it again when it rebooted, unless it does nothing else (reboot.h). What the monitor
 * execs.
 */
int ct_system_reap(struct ct_system *s, struct err *e);

/* Its init has ended, by a reboot(2) from inside, and nobody has cleaned up after it: reap would start it again. */
bool ct_system_rebooted(const struct ct_system *s);

/*
 * Removes all; running, or a migration in doubt: refused unless force. Also removes remnants: of a create that died (no definition), of a destroy
 * that died (the name is free again from its first step on). Killed at any instruction, it is finished by the next destroy or create of any name.
 */
int ct_system_destroy(const struct ct_host *h, const char *name, bool force, struct err *e);

/* The same by force, of one that is open and locked: nobody finds it between the deeds of its holder and its end. s is closed, also on failure. */
int ct_system_remove(struct ct_system *s, struct err *e);

/*
 * Applies changed limits, addresses, rate, disk size of s->d to the running container, then saves. old: as it was before. On failure nothing is
 * saved and the kernel has the old values again. What cannot change while it runs (network kind, interfaces, disk size, id range) is refused then,
 * class RUNNING; what takes effect at the next start only is saved, and 1 returned (of a suspended one: always); else 0.
 */
int ct_system_set(struct ct_system *s, const struct ct_definition *old, struct err *e);

/* What of that is for the next start of a running one, as options: "netfilter, env"; "" when nothing. names takes all in 96 bytes. */
void ct_system_waits(const struct ct_definition *old, const struct ct_definition *new, char *names,
		     size_t size);

/* X(name, word): what the operator sees in `list`. */
#define CT_SYSTEM_STATUSES(X)     \
	X(STOPPED, "stopped")     \
	X(STARTING, "starting")   \
	X(RUNNING, "running")     \
	X(PAUSED, "paused")       \
	X(SUSPENDED, "suspended") \
	X(MIGRATING, "migrating") \
	X(MOVED, "moved")         \
	X(BROKEN, "broken")

enum ct_system_status {
#define X(name, word) CT_SYSTEM_##name,
	CT_SYSTEM_STATUSES(X)
#undef X
};
int ct_system_status(const struct ct_system *s, enum ct_system_status *status, struct err *e);
const char *ct_system_status_to_str(enum ct_system_status s);

/* For each directory of ROOT/ct in the order of names (numbers as numbers); a broken one has s->d.name set and `broken` filled. */
int ct_system_each(const struct ct_host *h,
		   int (*fn)(struct ct_system *s, const struct err *broken, void *arg,
			     struct err *e),
		   void *arg, struct err *e);

/* Removes what creates and destroys that died have left; the next create would do it, too. What cannot be removed is a log_warn. */
int ct_system_sweep(const struct ct_host *h, struct err *e);

/* Whether a template is used by some container: for st_template_remove. arg: const struct ct_host *. */
int ct_system_template_used(const char *name, char *who, size_t who_size, void *arg, struct err *e);

/* Files of a suspended container: ROOT/ct/NAME/checkpoint/ with this marker in it, written last. */
#define CT_CHECKPOINT_DIR    "checkpoint"
#define CT_CHECKPOINT_MARKER "complete"
#define CT_JOURNAL_FILE	     "migration.json"
