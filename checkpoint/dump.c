// SPDX-License-Identifier: GPL-2.0-only
/* criu dump of a system container: what it is told about the container, and what happens at its stages. */
#include "checkpoint/dump.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/log.h"
#include "base/own.h"
#include "base/proc.h"
#include "cgroups/freezer.h"
#include "cgroups/group.h"
#include "cgroups/kill.h"
#include "checkpoint/criu.h"
#include "checkpoint/criu_tools.h"
#include "checkpoint/ctty.h"
#include "checkpoint/exe_flags.h"
#include "checkpoint/family.h"
#include "checkpoint/held.h"
#include "checkpoint/ghosts.h"
#include "checkpoint/hook.h"
#include "checkpoint/kerndat.h"
#include "checkpoint/paused.h"
#include "checkpoint/pidfds.h"
#include "checkpoint/preflight.h"
#include "checkpoint/record.h"
#include "checkpoint/repair.h"
#include "checkpoint/strangers.h"
#include "checkpoint/sums.h"
#include "checkpoint/timers.h"
#include "checkpoint/traits.h"
#include "checkpoint/unseen.h"
#include "checkpoint/watches.h"
#include "checkpoint/yard.h"
#include "net/lock.h"
#include "runtime/network.h"

/* How long a group may take to thaw again, and to freeze when all in it are stopped already. */
#define THAW_MS	  5000
#define FREEZE_MS 5000

/* 10, 20, ... 640 ms between the tries. */
#define TRIES	       8
#define FIRST_PAUSE_MS 10

/* The host's ends of its links, and the lock on them (net_lock_prepare()). */
struct traffic {
	char names[CT_NETS_MAX][IFNAMSIZ];
	const char *list[CT_NETS_MAX];
	size_t count;
	int lock;
};

struct dump {
	const struct cr_dump *how;
	struct traffic traffic;
	const struct cg *cg;
	const struct cr_criu *criu;
	struct cr_unseen *unseen; /* of a live migration */
	struct cr_paused paused;
	int kerndat; /* what criu knows of the kernel (cr_kerndat_open()) */
	uint64_t stopped_ns;
	bool frozen; /* they are, from the hook's last stage on; what is paused is criu's to freeze again */
	bool killed;   /* they were given away: that criu did not end well is no matter */
	bool last;     /* what fails now is not what criu could not take along: no other try */
	char ctty[64]; /* cr_ctty_find(); what criu was told */
};

/* What criu would refuse after it has stopped all tasks is told before, and by name. What passes in a moment is left to run_again(). */
static int refuse(const struct ct_system *s, const struct ct *ct, struct err *e)
{
	auto_preflight struct cr_preflight found = {0};
	int r = cr_preflight(ct, &s->d, CR_PREFLIGHT_DUMP, &found, e);

	return r < 0 ? r : cr_preflight_judge(&found, e);
}

static int engage(struct dump *d, enum net_lock_way way, struct err *e)
{
	const struct net_hold *frames = d->how->frames;
	int r = net_lock_engage(d->traffic.lock, d->traffic.list, d->traffic.count, way,
				frames ? frames->index : 0, e);

	if (r > 0)
		log_info("this kernel cannot hold frames, and drops them");
	return r < 0 ? r : 0;
}

/* criu is about to stop the tasks. They still accept and answer what has reached them: a connection in their queue would be left out of the images. */
static int hook_stopping(pid_t init, void *arg, struct err *e)
{
	struct dump *d = arg;
	int r = d->how->stopping ? d->how->stopping(d->how->arg, e) : 0;

	(void)init;
	d->last = r < 0;
	return r < 0 ? r : engage(d, NET_LOCK_TO, e);
}

static int hook_stopped(pid_t init, void *arg, struct err *e)
{
	struct dump *d = arg;
	char ctty[sizeof(d->ctty)];

	(void)init;
	if (engage(d, NET_LOCK_FROM, e) < 0)
		return -e->no;
	/* They ran since criu was told that there are none. The next try is told what is true. */
	if (d->criu->no_iptables && !cr_tools_no_tables(d->cg, d->how->ct->s.pid))
		return err_set(e, EAGAIN, "it has just made its first rules of iptables");
	if (cr_ctty_find(&d->how->ct->s, d->cg, ctty, e) < 0)
		return -e->no;
	if (strcmp(ctty, d->ctty) != 0)
		return err_set(e, EAGAIN, "it has just opened or closed its /dev/tty");
	d->stopped_ns = log_now_ns();
	if (d->how->frozen_ns)
		*d->how->frozen_ns = d->stopped_ns;
	cr_unseen_stopped(d->unseen);
	return fault_at("suspend.stopped", e);
}

/*
 * When they have been given away nothing of them may go on: they have their SIGKILL before criu, in whose stop they are, gets its own. (criu left alone would let them go: its server of lazy pages has no address that it
 * could listen at, and a failed dump ends with its tasks alive.)
 */
static int give_away(struct dump *d, struct err *e)
{
	int r = d->how->commit(d->how->arg, e);

	if (r < 0)
		return r;
	d->killed = true;
	r = cg_kill(d->cg, e);
	if (r < 0)
		log_warn("container %s: %s", d->how->ct->s.id, e->text);
	kill(-d->criu->pid, SIGKILL); /* not reaped yet, so the number is its own */
	return err_set(e, ECANCELED, "given away");
}

static int hook_complete(pid_t init, void *arg, struct err *e)
{
	struct dump *d = arg;
	auto_record struct cr_record record = {0};
	int r = fault_at("suspend.images", e);

	(void)init;
	d->last = true;
	/*
	 * criu's ptrace, which has stopped the tasks, ends with criu: from here on they are stopped without it, too, and a criu that is killed does not let them use connections
	 * that it has not given back (repair.h). Not earlier: it runs code of its own in them.
	 */
	if (r >= 0 && d->frozen)
		r = cg_freeze(d->cg, FREEZE_MS, e);
	if (r >= 0)
		r = cr_record_take(d->how->ct, d->how->s ? &d->how->s->d : NULL, &record, e);
	snprintf(record.ctty, sizeof(record.ctty), "%s", d->ctty);
	if (r >= 0)
		r = cr_record_save(d->how->images, &record, e);
	if (r >= 0)
		r = cr_exe_flags_mend(d->how->images, e);
	if (r >= 0)
		r = cr_ghosts_give_way(d->how->images, d->cg, e);
	/* A live one brings memory by userfaultfd(2), into one address space at a time. */
	if (r >= 0 && !d->how->journal)
		r = cr_family_align(d->how->images, e);
	if (r >= 0 && cr_unseen_save(d->unseen, d->how->images, e) < 0)
		r = -e->no;
	if (r >= 0)
		r = cr_traits_save(d->how->images, d->cg, e);
	if (r >= 0)
		r = cr_timers_save(d->how->images, d->cg, d->how->ct->s.pid, e);
	if (r >= 0)
		r = cr_pidfds_save(d->how->images, d->cg, e);
	if (r >= 0 && d->how->s)
		r = cr_sums_write(d->how->images, e);
	if (r < 0)
		return r;
	if (d->how->journal)
		return give_away(d, e);
	return d->how->commit ? d->how->commit(d->how->arg, e) : 0;
}

/* Connections that nobody has accepted yet are left out instead of failing the dump; their clients are refused and try again. */
static void add_system_words(struct cr_criu *c)
{
	static const char *const always[] = {"--manage-cgroups=soft",
					     "--tcp-established",
					     "--skip-in-flight",
					     "--ext-unix-sk",
					     "--file-locks",
					     "--link-remap",
					     "--network-lock",
					     "skip",
					     "--external",
					     "mnt[]:sm",
					     "--enable-external-sharing",
					     "--enable-external-masters",
					     NULL};

	cr_criu_add_all(c, always);
	cr_criu_add(c, "--ghost-limit");
	cr_criu_add(c, "%dM", CR_DUMP_GHOST_MIB);
}

static void add_words(struct cr_criu *c, const struct cr_dump *how, const char *ctty)
{
	/* No address at all: who is to serve the memory is not criu, see give_away(). */
	static const char *const live[] = {"--lazy-pages", "--address", "none",
					   "--port",	   "1",		NULL};
	const struct ct_state *s = &how->ct->s;

	cr_criu_add(c, "--tree");
	cr_criu_add(c, "%d", s->pid);
	if (how->s)
		add_system_words(c);
	if (s->terminal[0]) {
		cr_criu_add(c, "--external");
		cr_criu_add(c, "tty[%s]", s->terminal);
		cr_criu_add(c, "--external");
		cr_criu_add(c, "mnt[/dev/console]:console");
	}
	if (ctty[0]) {
		cr_criu_add(c, "--external");
		cr_criu_add(c, "tty[%s]", ctty);
	}
	if (how->leave_running && !how->journal)
		cr_criu_add(c, "--leave-running");
	if (how->journal)
		cr_criu_add_all(c, live);
	if (how->add)
		how->add(c, how->add_arg);
}

static void add_watched(const char *path, void *arg)
{
	struct cr_criu *c = arg;

	cr_criu_add(c, "--irmap-scan-path");
	cr_criu_add(c, "%s", path);
}

/* Without one it takes longer. */
static void add_yard(struct cr_criu *c, int dir, const char *state)
{
	struct err why = {0};

	if (cr_yard_make(dir, &why) > 0) {
		cr_criu_add(c, "--cgroup-yard");
		cr_criu_add(c, "%s/" CR_YARD_DIR, state);
	}
	if (why.no)
		log_info("criu mounts the control groups itself: %s", why.text);
}

/* From the stages that stop it on, no packet reaches the container until criu has ended, even if we have by then. */
static int prepare_traffic(struct dump *d, struct err *e)
{
	struct traffic *t = &d->traffic;
	int n = ct_network_links(d->how->ct, t->names, e);

	if (n < 0)
		return n;
	for (int i = 0; i < n; i++)
		t->list[i] = t->names[i];
	t->count = (size_t)n;
	t->lock = net_lock_prepare(t->list, t->count, e);
	return t->lock;
}

/* A hook whose command is dead thaws by one write. A suspend does without, where there is no such file: then it is empty. */
static int freezer_path(const struct dump *d, char path[PATH_MAX], struct err *e)
{
	int r = (d->how->leave_running && !d->how->journal) || cr_paused_is(&d->paused)
			? -EOPNOTSUPP
			: cg_freeze_path(d->cg, path, PATH_MAX, e);

	if (r >= 0 || e->no)
		return r;
	path[0] = 0;
	if (!d->how->journal)
		return 0;
	err_set(e, EOPNOTSUPP, "a live migration needs cgroup2's freezer, and this host has none");
	err_hint(e, "mount cgroup2, or migrate with --mode suspend");
	return err_class(e, ERR_UNSUPPORTED);
}

/* I am criu's process. */
static int enter(void *arg, struct err *e)
{
	const struct dump *d = arg;
	struct err why = {0};

	if (cr_unseen_attach(d->unseen, e) < 0)
		return -e->no;
	if (d->kerndat < 0 || cr_kerndat_would_spread())
		return 0;
	if (!d->unseen->count && unshare(CLONE_NEWNS) < 0)
		return err_sys(e, "make a mount namespace for criu");
	if (cr_kerndat_attach(d->kerndat, &why) < 0)
		log_info("criu looks at the kernel once more: %s", why.text);
	return 0;
}

/* Before the hook's heir is sent away: a SIGKILL that comes for us earlier leaves it to him. */
static void let_go_on(const struct dump *d, struct cr_hook *hook)
{
	const struct cr_dump *how = d->how;
	struct err why = {0};

	if (hook->refused < 0)
		return;
	if (d->frozen && !d->killed && !(how->stays && how->stays(how->arg)) &&
	    cr_dump_recover(how->ct, &why) < 0) {
		log_warn("container %s: after a refused dump: %s", how->ct->s.id, why.text);
		/* The heir takes this for our death, and tries it, too: he has the group open already. */
		own_close_fd(&hook->refused);
		return;
	}
	cr_hook_dismiss(hook);
}

static int run(struct dump *d, struct err *e)
{
	const struct cr_dump *how = d->how;
	auto_criu struct cr_criu c = CR_CRIU_INIT;
	auto_hook struct cr_hook hook = CR_HOOK_INIT;
	auto_unseen struct cr_unseen unseen = {0};
	auto_fd int hold = -EBADF, kerndat = -EBADF;
	char state[PATH_MAX], freezer[PATH_MAX];
	struct err without = {0};
	int r;

	snprintf(state, sizeof(state), "%s/%s", how->ct->state_root, how->ct->s.id);
	r = cr_hook_open(&hook, how->ct->dir, state, e);
	if (r >= 0)
		r = cr_criu_init(&c, "dump", ERR_CHECKPOINT, how->images, e);
	if (r < 0)
		return r;
	hook.arg = d;
	hook.decided = how->journal ? NULL : how->decided;
	hook.journal = how->journal;
	r = freezer_path(d, freezer, e);
	if (r < 0)
		return r;
	hook.freezer = freezer;
	d->frozen = freezer[0];
	d->criu = &c;
	d->unseen = &unseen;
	if (how->journal)
		cr_unseen_open(&unseen, d->cg);
	kerndat = how->s ? cr_kerndat_open(how->s->host, &without) : -EBADF;
	d->kerndat = kerndat;
	c.prepare = enter;
	c.prepare_arg = d;
	c.unseen = &unseen;
	c.no_iptables = cr_tools_no_tables(d->cg, how->ct->s.pid);
	hook.fn[CR_STAGE_PRE_DUMP] = hook_stopping;
	hook.fn[CR_STAGE_NETWORK_LOCK] = hook_stopped;
	hook.fn[CR_STAGE_POST_DUMP] = hook_complete;
	cr_hook_ready(&hook);
	if (cr_ctty_find(&how->ct->s, d->cg, d->ctty, e) < 0)
		return -e->no;
	add_words(&c, how, d->ctty);
	cr_paused_add(&c, &d->paused);
	r = cr_strangers_add(&c, how->ct->s.pid, how->ct->s.cgroup, e);
	if (r < 0)
		return r;
	r = cr_watches_find(d->cg, how->ct->s.pid, add_watched, &c, e);
	if (r < 0)
		return r;
	cr_criu_add(&c, "--action-script");
	cr_criu_add(&c, "%s", hook.program);
	r = fault_at("suspend.traffic", e);
	if (r >= 0)
		r = hold = prepare_traffic(d, e);
	if (r < 0)
		return r;
	add_yard(&c, how->ct->dir, state);
	/* Held by criu, too: nobody else gets at the container, and no packet, before it has undone or finished. */
	cr_criu_pass(&c, hold);
	if (how->s)
		cr_criu_pass(&c, how->s->lock);
	cr_criu_pass(&c, how->ct->lock);
	r = cr_criu_run(&c, &hook, e);
	let_go_on(d, &hook);
	if (r < 0 || how->leave_running)
		cr_paused_keep(&d->paused);
	cr_yard_remove(how->ct->dir);
	if (d->killed) {
		err_clear(e);
		r = 0;
	}
	if (r >= 0 && how->hold)
		*how->hold = take_fd(&hold);
	return r;
}

/* A system container that is paused is not suspended: it would be resumed as one that runs. */
static enum ct_event event_of(const struct cr_dump *how)
{
	return how->s ? CT_EVENT_SUSPEND : CT_EVENT_CHECKPOINT;
}

/* What a failed try wrote; its log is written anew. */
static int clear_images(int images, struct err *e)
{
	auto_dir DIR *d = NULL;
	const struct dirent *entry;
	int copy = openat(images, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	d = copy < 0 ? NULL : fdopendir(copy);
	if (!d)
		return err_sys(e, "list the images");
	while ((entry = readdir(d)))
		if (entry->d_type == DT_REG && strstr(entry->d_name, ".img") &&
		    unlinkat(images, entry->d_name, 0) < 0)
			return err_sys(e, "remove image %s", entry->d_name);
	return 0;
}

/*
 * What criu cannot take along may be gone in a moment: an answer of the kernel that nobody has read yet, memory that vfork(2) shares, a connection that is just being made, a watch of what was
 * just removed. Those are EAGAIN in explain.c, and criu says of none of them when it would end, so it is tried again. tests/native/preflight.bats plants them and sees criu refuse;
 * suspend.bats sees one pass. The container goes on between the tries. What our caller refused, which may be another host's
 * EAGAIN, or what fails behind the freeze is no such thing.
 */
static int run_again(struct dump *d, struct err *e)
{
	const struct ct *ct = d->how->ct;
	auto_fd int init = ct_init_open(ct, e);
	struct pollfd ended = {.fd = init, .events = POLLIN};
	int ms = FIRST_PAUSE_MS;
	int r = run(d, e);

	for (int tries = 1; r == -EAGAIN && !d->last && !cr_paused_is(&d->paused) && tries < TRIES;
	     tries++, ms *= 2) {
		log_info("container %s: %s; once more", ct->s.id, e->text);
		cr_held_return(d->how->s, ct, d->how->frames);
		/* Nothing tells when the program has done that, but it may end. */
		(void)poll(&ended, 1, ms);
		err_clear(e);
		r = ct_may(ct, event_of(d->how), NULL, e);
		if (r >= 0)
			r = clear_images(d->how->images, e);
		if (r >= 0)
			r = run(d, e);
	}
	return r;
}

int cr_dump(const struct cr_dump *how, struct err *e)
{
	auto_cg struct cg cg = CG_INIT;
	struct dump d = {.how = how, .cg = &cg};
	int r = ct_may(how->ct, event_of(how), NULL, e);

	if (r >= 0)
		r = cg_open(how->ct->s.cgroup, &cg, e);
	if (r >= 0)
		r = cr_paused_find(&d.paused, &cg, e);
	if (r >= 0 && !how->unchecked)
		r = refuse(how->s, how->ct, e);
	if (r >= 0)
		r = run_again(&d, e);
	return r < 0 ? err_class(e, ERR_CHECKPOINT) : 0;
}

static int mend(const struct ct *ct, struct cg *cg, struct err *e)
{
	int r = cg_open(ct->s.cgroup, cg, e);

	if (r >= 0)
		r = cr_repair_off(cg, e);
	if (r > 0)
		log_info("container %s: %d connections were still held by a dump", ct->s.id, r);
	return r < 0 ? r : 0;
}

int cr_dump_mend(const struct ct *ct, struct err *e)
{
	auto_cg struct cg cg = CG_INIT;

	return mend(ct, &cg, e);
}

/*
 * criu stops tasks by ptrace, whose end with criu lets them go on, and the traffic by a lock that ends with it. What can be left is a frozen group, and, of a criu that was killed,
 * connections that nobody can use.
 */
int cr_dump_recover(struct ct *ct, struct err *e)
{
	auto_cg struct cg cg = CG_INIT;
	int r = mend(ct, &cg, e);

	return r < 0 ? r : cg_thaw(&cg, THAW_MS, e);
}
