/* SPDX-License-Identifier: GPL-2.0-only */
/* Moving a system container to another host, and finishing a move that was interrupted. */
#pragma once

/*
 * Life of a migration: the source starts one child `RSH HOST skepctl migrate-receive` and talks to it (protocol.h) over the child's
 * standard input and output; no port, no daemon. OFFER → the target checks and reserves → first pass of the root file system while
 * the container runs → frozen (suspend) or stopped (restart) → second pass, images → the target holds everything, restored but not
 * running: READY → the source's processes are dead → source writes "committed" durably → COMMIT → the target writes its record
 * durably → runs → DONE → the source writes "moved" and deletes.
 *
 * Two facts decide who owns the container, each one atomic, durable write:
 *   source: "committed" in ROOT/ct/NAME/migration.json. From then on it never runs here by itself.
 *   target: the file ROOT/taken/TOKEN. From then on it is the target's, whatever happens to either.
 * In the modes suspend and restart COMMIT is sent only after the source's processes have ended, so no instruction of a peer, a link, or a hook that dies can let two run.
 *
 * Who owns it when something dies, and what puts it right (abort = `migrate --abort`, continue = `migrate --continue`, on the source). Where abort stands, continue does the same: it asks the
 * target to run it, hears that it never took it, makes sure that it never will, and lets it go on here. So continue is the one command that the messages name:
 *   stage                    source dies                     target dies               link dies
 *   offer, first pass        source, still running; the      source, still running     as target dies; the target
 *                            next command clears (life.h)                              removes what it reserved
 *   frozen: delta, images,   source: CRIU's hook sees it     source, thawed at once    as target dies
 *     restore, READY         and lets it go on; is the
 *                            hook dead, too: abort, or the
 *                            next migrate, thaws
 *   killed, not committed    source: abort resumes it from   source, resumed at once   as target dies
 *                            the images that lie there       from its images
 *   committed, no record     source: abort resumes it        source: abort resumes it  source: abort
 *   record, not running      target: continue on the source  target, as a suspended    target: goes on, runs; continue
 *                            deletes                         one; continue resumes it  on the source deletes
 *   running, DONE not seen   target; continue                target; continue          target; continue
 *   moved, not deleted       target; continue                target                    target
 *   Neither table knows a SIGKILL for criu alone while it reads the tasks: that can end the container (dump.h).
 * In mode restart "frozen", "killed" and "resumed" read "stopped" and "started".
 *   target's disk is full    until there is a record: as an ERROR of the target, which gives back all it received. From the record on nothing is written that needs
 *                            room: the definition, its processes and its monitor are on disk, or in the state, before, and what follows is renamed or removed.
 *   target loses power       between its record and the end of its flush: it has the record and perhaps not the files. The record knows of which boot it is, and whether the files are on disk;
 *                            continue hears that, and deletes nothing: the operator destroys one of the two copies.
 *   link frozen              goes on when it thaws, unless the remote shell gives up first (ssh: 40 s): then as link dies. A target that waits on a dead link for its source keeps
 *                            the lock until its time is over (CR_SILENCE_MS, and from READY on CR_ANSWER_MS; each longer by what the source has asked for); a question or a new offer from the source ends it at once, as it has no record.
 *   source loses power       the target hears nothing, and no end: it gives up as behind a dead link, 60 s behind the last byte of the first pass (CR_SENDING_MS), later 300 s
 *                            (CR_SILENCE_MS: the source may be silent itself, and nothing that ssh or TCP could ask tells the one from the other sooner without asking all the
 *                            time). Nobody has to wait for that: what the source asks or offers when it is back ends it at once.
 * Restored tasks are held by the freezer of their control group from before READY until the record and the marker say that they may run: what stops them otherwise is criu, whose
 * death would let them go. So are those at the source while the target decides, and they go on with their connections mended (heir.h, repair.h).
 *
 * The live modes (precopy, content) send the memory while it runs, and kill nothing before RUNS: the tasks are frozen by their control group, which nobody's death thaws,
 * before anything is decided; the links are cut by a table of nftables without an owner between "committed" and COMMIT, so that the frozen one's kernel acknowledges nothing
 * that the running one should hear. The target's images hold no memory, so a record alone makes it not the target's: the second fact there is that the marker beside the images
 * is gone, which happens while the restored tasks are stopped, right before they run. The memory is whole at the target before it says READY: after COMMIT
 * the source is not needed for anything. So when the target has said RUNS the frozen tasks are killed here, and what they had on this host is removed, while the target
 * flushes the files; the container's files and the journal stay until DONE. The target's own skep-pages puts the memory in place meanwhile and, if the files are on disk before it has done, for some ms more:
 * nobody else could, and what the source has kept until then, files, would help nobody.
 *   stage                    source dies                     target dies               link dies
 *   offer, files, rounds     source, still running, its      source, still running     as target dies; the target
 *                            tracking ends with the command                            removes what it reserved
 *   frozen: pages, delta,    source: CRIU's hook reads the   source, thawed at once    as target dies
 *     images, READY          journal and lets it go on; is
 *                            the hook dead, too: abort, or
 *                            the next migrate, thaws
 *   committed, no record     source, frozen: abort thaws     source: abort thaws       source: abort thaws
 *   record, marker there     (the target goes on) target;    source: abort thaws; the  target: goes on, runs; continue
 *                            continue deletes                target forgets it         on the source deletes
 *   runs, memory on the way, target; continue                target: what is lost is   target; continue
 *     source's tasks killed                                  lost with that host, and
 *                                                            its keeper kills the rest
 *   moved, not deleted       target; continue                target                    target
 * In the lazy ones (postcopy, hybrid) the source is needed until DONE: while memory is on the way the container runs at the target, its processes that need a missing page
 * wait, and the source's frozen tasks are the only ones that have it. Then
 *   runs, memory on the way  target, which waits; continue   lost with that host       target, which waits;
 *                            lends the rest (the host dead:                            continue lends the rest
 *                            lost with it)
 * That is the price of those modes, and why auto does not choose them.
 * tests/native/migrate_faults.bats walks every stage of both sides, failing and killed; migrate_chaos.bats walks them with all of a side's commands killed at once, the link cut or
 * frozen, and the target's disk full, under a client that counts; migrate.bats kills command, hook and CRIU at once.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"
#include "base/squeeze.h"
#include "checkpoint/progress.h"
#include "runtime/system.h"

struct err;

/* X(name, word). AUTO and LIVE (the best of the live ones, or none) are wishes, and never what a journal or an offer says. */
#define CR_MODES(X)             \
	X(RESTART, "restart")   \
	X(SUSPEND, "suspend")   \
	X(AUTO, "auto")         \
	X(LIVE, "live")         \
	X(PRECOPY, "precopy")   \
	X(CONTENT, "content")   \
	X(POSTCOPY, "postcopy") \
	X(HYBRID, "hybrid")

enum cr_mode {
#define X(name, word) CR_MODE_##name,
	CR_MODES(X)
#undef X
};

/* Whether its memory goes while it runs, so that it stays frozen here, and is not killed, until the target has it. */
static inline bool cr_mode_is_live(enum cr_mode mode)
{
	return mode == CR_MODE_PRECOPY || mode == CR_MODE_CONTENT || mode == CR_MODE_POSTCOPY ||
	       mode == CR_MODE_HYBRID;
}

/* Whether it runs at the target before its memory is there: the rest of it is asked from the frozen one. */
static inline bool cr_mode_is_lazy(enum cr_mode mode)
{
	return mode == CR_MODE_POSTCOPY || mode == CR_MODE_HYBRID;
}

const char *cr_mode_to_str(enum cr_mode mode);
/* -EINVAL, class VALUE, naming the modes there are. */
int cr_mode_from_str(const char *word, enum cr_mode *mode, struct err *e);

/* How the other host is reached: words are NULL-terminated and borrowed. */
struct cr_remote {
	const char *host;	/* as the rsh command understands it; required */
	const char *const *rsh; /* NULL: {"ssh"} */
	const char *const *
		skepctl; /* NULL: {"skepctl"}; options of the remote skepctl go here: {"skepctl", "--root", "/srv/skep"} */
	enum cr_progress_kind progress; /* none, a bar, or JSON lines, written to progress_fd */
	int progress_fd;		/* e.g. 2; borrowed */
};

struct cr_migrate {
	struct cr_remote remote;
	enum cr_mode mode;
	uint64_t max_downtime_ms; /* the goal of the rounds in the live modes; 0: 300 */
	bool bound; /* it is a bound: when it cannot be kept the container stays here, running */
	uint64_t bytes_per_s;	    /* of files and memory together, while it runs; 0: no limit */
	enum squeeze_when compress; /* ZSTD: class UNSUPPORTED when the target cannot */
	bool dry_run;		    /* the target checks all it can and lets go; nothing is sent */
	int stop_timeout_s; /* mode restart: as ct_system_stop() has it; < 0: the container's own */
	bool keep; /* leave it on the source, stopped and unable to start (status "moved") until abort finds that the target has it no more */
};

/*
 * Moves s, which the caller opened with verb "migrate". Returns 0 when the target has it: then s has been closed and the container deleted here
 * (not with dry_run; with keep it is closed only). A stopped container is copied and stays stopped, whatever the mode. On failure: class MIGRATE
 * (or a more telling one from either side), the container runs here as before; class IN_DOUBT: the target may have it, the hint names the command that
 * finishes. report is filled as far as it came. SIGPIPE must be ignored by the caller. Single-threaded: forks.
 */
int cr_migrate(struct ct_system *s, const struct cr_migrate *how, struct cr_report *report,
	       struct err *e);

/* What `skepctl migrate-receive` does: one conversation over in and out (both borrowed), to its end. Failures are told to the source and returned. */
int cr_migrate_receive(const struct ct_host *h, int in, int out, struct err *e);

/*
 * Finish an interrupted one, on the source; s opened with verb "migrate". remote->host NULL: the host in the journal; another than that is class VALUE, as it
 * cannot know. continue: makes the target
 * run it and deletes here; class IN_DOUBT when the target cannot be asked; when the target never took it, and now never will, it is here again as it was, and that is class
 * MIGRATE. abort:
 * makes the target forget it and lets it run here again as it did; refused when the target took it. No journal: class VALUE. Both close s
 * when the container was deleted. On the target, a container that it took is brought back to what it was (continue); cr_settle_here() (settle.h) is
 * for one that is not yet a container there.
 */
int cr_migrate_continue(struct ct_system *s, const struct cr_remote *remote,
			struct cr_report *report, struct err *e);
int cr_migrate_abort(struct ct_system *s, const struct cr_remote *remote, struct err *e);
