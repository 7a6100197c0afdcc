/* SPDX-License-Identifier: GPL-2.0-only */
/* A running container into a directory of images. */
#pragma once

/*
 * One call: preflight, criu dump, `commit` at criu's post-dump stage, and its consequence. At that stage the images are complete, all tasks are stopped
 * and the network is locked: towards the container just before the tasks are stopped, so that they still answer what reached them, from it when they are. commit returning 0: criu kills the tasks (or lets them go on: leave_running). Not 0, or any failure before: criu unlocks the network and lets
 * them go on (cr_dump_finish() in criu/cr-dump.c: `if (ret || post_dump_ret || …) { network_unlock(); … } pstree_switch_state(ret || post_dump_ret ? TASK_ALIVE : …)`).
 * If we die, criu goes on to that stage by itself and asks the file `decided`.
 *
 * Unless they are to go on after it (leave_running) the control group is frozen at that stage before anything else is done. So whoever dies from then on - we, the hook, criu - the
 * tasks are where they were, and do not run: when we are dead, and they are still ours, the hook sees to it that they are thawed behind criu's end (heir.h); after the
 * death of all of them, cr_dump_recover().
 *
 * A SIGKILL of criu alone before that stage, while it reads the tasks, is what nobody can make good: the registers of a task in which it just executes something (infect.c of compel) are known to
 * criu only, and the task goes on with a code that is not its own and dies. Of 50 such kills, 10 to 40 ms behind the stop, 6 ended the container so (all of them behind the line "Parasite
 * syscall_ip" of criu's log), 3 cost a connection (repair.h), 41 nothing. So criu does not hear what only asks it to end, as a service manager asks all of a unit, and is not chosen
 * when memory runs out (shield() in criu.c).
 *
 * With `journal` (a live migration) the tasks are not criu's to kill. Its images hold no private memory, and after commit has said 0 we kill the tasks, and criu with them;
 * the journal says whether they were given away.
 */

#include <stdbool.h>
#include <stdint.h>

#include "runtime/state.h"
#include "runtime/system.h"

struct cr_criu;
struct err;
struct net_hold;

/* The largest deleted file that is still open and goes into the images, in MiB on disk (--ghost-limit). */
#define CR_DUMP_GHOST_MIB 100

struct cr_dump {
	struct ct_system *
		s; /* locked; NULL: an OCI container, of which only `add` knows what criu is to be told */
	struct ct *
		ct; /* locked, running; an OCI container may be paused, and then stays so unless it ends */
	int images;	    /* directory, empty but for parent images; borrowed */
	bool leave_running; /* after commit has said 0 */
	bool unchecked;	    /* without the preflight: criu says itself what it cannot do */
	int (*commit)(void *arg, struct err *e); /* in our process; NULL: 0 */
	/* Criu is about to stop the tasks, which run still, a millisecond or two later. Not 0: it does not. NULL: 0. With tries (the next one after a failed dump) each time. */
	int (*stopping)(void *arg, struct err *e);
	void *arg;
	const char *
		decided; /* absolute path of a file whose existence means: committed. NULL: after our death nothing was */
	const char *
		journal; /* absolute path of CT_JOURNAL_FILE, for a live migration; decided and leave_running do not count then */
	/* Asked when commit has said no and criu has ended: whether the tasks stay frozen all the same. NULL: they go on. */
	bool (*stays)(void *arg);
	void (*add)(struct cr_criu *c, void *arg); /* adds further words for criu; or NULL */
	void *add_arg;
	int *hold; /* out, may be NULL, when 0 is returned: no packet reaches its network before this is closed; the caller's */
	/*
	 * What arrives for the container is held here and not dropped; or NULL. The caller's. What is in it when 0 is returned, or when the container does not go on, is for
	 * whoever runs it then.
	 */
	struct net_hold *frames;
	uint64_t *frozen_ns; /* out, may be NULL: log_now_ns() when the tasks had been stopped */
};

/* Class CHECKPOINT (the container goes on), NOT_RUNNING, UNSUPPORTED. With journal 0 means that the tasks have been killed, not that all have ended. */
int cr_dump(const struct cr_dump *how, struct err *e);

/*
 * What a dump that was killed (criu itself, not only we) can have left: a frozen group, which is thawed. Tasks that criu had stopped go on by themselves when it
 * dies, and the traffic's lock ends with the last process that holds it. Nothing there is success.
 */
int cr_dump_recover(struct ct *ct, struct err *e);

/* The first half of it, for who thaws them himself: what is paused may be what such a dump has left. */
int cr_dump_mend(const struct ct *ct, struct err *e);
