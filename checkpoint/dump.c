// SPDX-License-Identifier: GPL-2.0-only
/* criu dump of a system container: what it is told about the container, and what happens at its stages. */
#include "checkpoint/dump.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
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
#include "checkpoint/exe_flags.h"
#include "checkpoint/held.h"
#include "checkpoint/hook.h"
#include "checkpoint/record.h"
#include "checkpoint/watches.h"
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
	uint64_t stopped_ns;
	bool killed; /* they were given away: that criu did not end well is no matter */
};

/* The parent of a process as /proc sees it, and its name; 0: gone, or none. */
static pid_t parent_of(pid_t pid, char name[32])
{
	auto_free char *text = NULL;
	struct err ignored = {0};
	char path[48], *close_paren, *open_paren;
	int parent = 0;

	name[0] = 0;
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	if (file_try_read_at(AT_FDCWD, path, 4096, &text, &ignored) < 0)
		return 0;
	open_paren = strchr(text, '(');
	close_paren = strrchr(text, ')');
	if (!open_paren || !close_paren || sscanf(close_paren + 1, " %*c %d", &parent) != 1)
		return 0;
	*close_paren = 0;
	snprintf(name, 32, "%s", open_paren + 1);
	return parent;
}

/*
 * criu takes init and its descendants. Whoever was brought in from outside has a parent outside, would be left behind, and die with init's namespace. A
 * process that ends while we look is no matter.
 */
static int refuse_guests(const struct ct *ct, const struct cg *cg, struct err *e)
{
	auto_free pid_t *pids = NULL;
	int n = cg_pids(cg, &pids, e);

	for (int i = 0; i < n; i++) {
		char name[32], first[32];
		pid_t up = pids[i] == ct->s.pid ? pids[i] : parent_of(pids[i], first);

		for (int depth = 0; up > 1 && up != ct->s.pid && depth < 10000; depth++)
			up = parent_of(up, name);
		if (up == ct->s.pid || kill(pids[i], 0) < 0 || !first[0])
			continue;
		err_set(e, EBUSY, "process %d (%s) was brought into container %s from outside",
			pids[i], first, ct->s.id);
		err_hint(e, "end that `skepctl enter` or `exec` first");
		return err_class(e, ERR_CHECKPOINT);
	}
	return n < 0 ? n : 0;
}

/* An address in /proc/net/tcp6 is four words in the host's byte order; this is about the first two bytes, fe80::/10. */
static bool is_link_local(const char *hex)
{
	unsigned word = 0;
	unsigned char byte[4];

	if (sscanf(hex, "%8x", &word) != 1)
		return false;
	memcpy(byte, &word, sizeof(byte));
	return byte[0] == 0xfe && (byte[1] & 0xc0) == 0x80;
}

/*
 * From a global address to a neighbour's link-local one: criu forgets the interface, and the restore would fail ("Can't connect inet socket back"). Between
 * two link-local ones the socket is bound to the interface, and all is well. state 0A listens, 06 only waits.
 */
static int refuse_half_local(const struct ct *ct, const char *file, struct err *e)
{
	auto_free char *text = NULL;
	char path[48], local[40], remote[40], *save = NULL;
	unsigned state;

	snprintf(path, sizeof(path), "/proc/%d/net/%s", ct->s.pid, file);
	if (file_try_read_at(AT_FDCWD, path, 64 << 20, &text, e) < 0)
		return e->no ? -e->no : 0; /* no IPv6 here */
	for (char *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
		if (sscanf(l, " %*[^:]: %39[^:]:%*x %39[^:]:%*x %x", local, remote, &state) != 3 ||
		    state == 0x0a || state == 0x06 || is_link_local(local) ||
		    !is_link_local(remote))
			continue;
		err_set(e, EOPNOTSUPP,
			"container %s has a connection to a link-local IPv6 address (fe80::...), which "
			"cannot be restored",
			ct->s.id);
		err_hint(e, "end it, or give the other side an address of its own");
		return err_class(e, ERR_CHECKPOINT);
	}
	return 0;
}

/*
 * The container may freeze groups of its own (systemctl freeze). criu would wait for a task in one of them to stop, for ever and with all locks, and would not
 * freeze it again in a restore.
 */
static int refuse_frozen(const struct ct *ct, const struct cg *cg, struct err *e)
{
	const struct cg_host *host = cg_host(e);
	auto_free pid_t *pids = NULL;
	int n = host && host->unified[0] ? cg_pids(cg, &pids, e) : 0;

	for (int i = 0; i < n; i++) {
		auto_free char *groups = NULL, *events = NULL;
		char path[64], file[PATH_MAX];
		struct err gone = {0};
		const char *unified;

		snprintf(path, sizeof(path), "/proc/%d/cgroup", pids[i]);
		if (file_try_read_at(AT_FDCWD, path, 64 << 10, &groups, &gone) < 0)
			continue;
		unified = strstr(groups, "0::"); /* the last line: names begin with a letter */
		if (!unified ||
		    snprintf(file, sizeof(file), "%s%.*s/cgroup.events", host->unified,
			     (int)strcspn(unified + 3, "\n"), unified + 3) >= (int)sizeof(file))
			continue;
		if (file_try_read_at(AT_FDCWD, file, 4096, &events, &gone) < 0 ||
		    !strstr(events, "frozen 1"))
			continue;
		err_set(e, EBUSY, "process %d of container %s is frozen by the container itself",
			pids[i], ct->s.id);
		err_hint(e, "thaw it inside: systemctl thaw, or cgroup.freeze of its group");
		return err_class(e, ERR_CHECKPOINT);
	}
	return n < 0 || e->no ? -e->no : 0;
}

/* With the monitor the other end of the console is gone, and criu cannot restore a terminal that was hung up. */
static int refuse_without_console(const struct ct *ct, struct err *e)
{
	auto_fd int monitor = -EBADF;
	struct pollfd ended = {.events = POLLIN};
	struct err why = {0};

	if (!ct->s.terminal[0])
		return 0;
	monitor = ct->s.monitor > 0 ? proc_open(ct->s.monitor, ct->s.monitor_start, &why) : -ESRCH;
	/* One that nobody has reaped yet still has its number. */
	ended.fd = monitor;
	if (monitor >= 0 && poll(&ended, 1, 0) == 0)
		return 0;
	err_set(e, EIO, "the monitor of container %s was killed, and its console is gone",
		ct->s.id);
	err_hint(e, "stop and start the container");
	return err_class(e, ERR_CHECKPOINT);
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
	(void)init;
	return engage(arg, NET_LOCK_TO, e);
}

static int hook_stopped(pid_t init, void *arg, struct err *e)
{
	struct dump *d = arg;

	(void)init;
	if (engage(d, NET_LOCK_FROM, e) < 0)
		return -e->no;
	d->stopped_ns = log_now_ns();
	if (d->how->frozen_ns)
		*d->how->frozen_ns = d->stopped_ns;
	return fault_at("suspend.stopped", e);
}

/*
 * The tasks are stopped by criu's ptrace, which ends with criu: from the freeze on they are stopped without it, too. When they have been given away nothing of them may go on:
 * they have their SIGKILL before criu, in whose stop they are, gets its own. (criu left alone would let them go: its server of lazy pages has no address that it
 * could listen at, and a failed dump ends with its tasks alive.)
 */
static int give_away(struct dump *d, struct err *e)
{
	int r = cg_freeze(d->cg, FREEZE_MS, e);

	if (r >= 0)
		r = d->how->commit(d->how->arg, e);
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
	if (r >= 0)
		r = cr_record_take(d->how->ct, &d->how->s->d, &record, e);
	if (r >= 0)
		r = cr_record_save(d->how->images, &record, e);
	if (r >= 0)
		r = cr_exe_flags_mend(d->how->images, e);
	if (r < 0)
		return r;
	if (d->how->journal)
		return give_away(d, e);
	return d->how->commit ? d->how->commit(d->how->arg, e) : 0;
}

/* Connections that nobody has accepted yet are left out instead of failing the dump; their clients are refused and try again. */
static void add_words(struct cr_criu *c, const struct cr_dump *how)
{
	static const char *const always[] = {"--manage-cgroups=soft",
					     "--tcp-established",
					     "--skip-in-flight",
					     "--ext-unix-sk",
					     "--file-locks",
					     "--link-remap",
					     "--ghost-limit",
					     "100M",
					     "--network-lock",
					     "skip",
					     "--external",
					     "mnt[]:sm",
					     "--enable-external-sharing",
					     "--enable-external-masters",
					     NULL};
	/* No address at all: who is to serve the memory is not criu, see give_away(). */
	static const char *const live[] = {"--lazy-pages", "--address", "none",
					   "--port",	   "1",		NULL};
	const struct ct_state *s = &how->ct->s;

	cr_criu_add(c, "--tree");
	cr_criu_add(c, "%d", s->pid);
	cr_criu_add_all(c, always);
	if (s->terminal[0]) {
		cr_criu_add(c, "--external");
		cr_criu_add(c, "tty[%s]", s->terminal);
		cr_criu_add(c, "--external");
		cr_criu_add(c, "mnt[/dev/console]:console");
	}
	if (how->leave_running && !how->journal)
		cr_criu_add(c, "--leave-running");
	if (how->journal)
		cr_criu_add_all(c, live);
	cr_criu_add_all(c, how->words);
}

static void add_watched(const char *path, void *arg)
{
	struct cr_criu *c = arg;

	cr_criu_add(c, "--irmap-scan-path");
	cr_criu_add(c, "%s", path);
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

/* A hook whose command is dead thaws by one write. */
static int freezer_path(const struct dump *d, char path[PATH_MAX], struct err *e)
{
	const struct cg_host *host = cg_host(e);

	if (!host)
		return -e->no;
	if (!host->unified[0] || d->cg->v2 < 0) {
		err_set(e, EOPNOTSUPP,
			"a live migration needs cgroup2's freezer, and this host has none");
		err_hint(e, "mount cgroup2, or migrate with --mode suspend");
		return err_class(e, ERR_UNSUPPORTED);
	}
	snprintf(path, PATH_MAX, "%s/%s/cgroup.freeze", host->unified, d->cg->path);
	return 0;
}

static int run(struct dump *d, struct err *e)
{
	const struct cr_dump *how = d->how;
	auto_criu struct cr_criu c = CR_CRIU_INIT;
	auto_hook struct cr_hook hook = CR_HOOK_INIT;
	auto_fd int hold = -EBADF;
	char state[PATH_MAX], freezer[PATH_MAX];
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
	if (how->journal)
		r = freezer_path(d, freezer, e);
	if (r < 0)
		return r;
	hook.freezer = how->journal ? freezer : NULL;
	d->criu = &c;
	hook.fn[CR_STAGE_PRE_DUMP] = hook_stopping;
	hook.fn[CR_STAGE_NETWORK_LOCK] = hook_stopped;
	hook.fn[CR_STAGE_POST_DUMP] = hook_complete;
	cr_hook_ready(&hook);
	add_words(&c, how);
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
	/* Held by criu, too: nobody else gets at the container, and no packet, before it has undone or finished. */
	cr_criu_pass(&c, hold);
	cr_criu_pass(&c, how->s->lock);
	cr_criu_pass(&c, how->ct->lock);
	r = cr_criu_run(&c, &hook, e);
	if (d->killed) {
		err_clear(e);
		r = 0;
	}
	if (r >= 0 && how->hold)
		*how->hold = take_fd(&hold);
	return r;
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
 * What criu cannot take along may be gone in a moment: systemd keeps the watch of a service's removed control group until it is its turn to look. The
 * container goes on between the tries.
 */
static int run_again(struct dump *d, struct err *e)
{
	const struct ct *ct = d->how->ct;
	auto_fd int init = ct_init_open(ct, e);
	struct pollfd ended = {.fd = init, .events = POLLIN};
	int ms = FIRST_PAUSE_MS;
	int r = run(d, e);

	for (int tries = 1; r == -EAGAIN && tries < TRIES; tries++, ms *= 2) {
		log_info("container %s: %s; once more", ct->s.id, e->text);
		cr_held_return(d->how->s, ct, d->how->frames);
		/* Nothing tells when the program has done that, but it may end. */
		(void)poll(&ended, 1, ms);
		err_clear(e);
		r = ct_may(ct, CT_EVENT_CHECKPOINT, NULL, e);
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
	int r = ct_may(how->ct, CT_EVENT_CHECKPOINT, NULL, e);

	if (r >= 0)
		r = cg_open(how->ct->s.cgroup, &cg, e);
	if (r >= 0)
		r = refuse_guests(how->ct, &cg, e);
	if (r >= 0)
		r = refuse_frozen(how->ct, &cg, e);
	if (r >= 0)
		r = refuse_without_console(how->ct, e);
	if (r >= 0)
		r = refuse_half_local(how->ct, "tcp6", e);
	if (r >= 0)
		r = refuse_half_local(how->ct, "udp6", e);
	if (r >= 0)
		r = run_again(&d, e);
	return r < 0 ? err_class(e, ERR_CHECKPOINT) : 0;
}

/* criu stops tasks by ptrace, whose end with criu lets them go on, and the traffic by a lock that ends with it. What can be left is a frozen group. */
int cr_dump_recover(struct ct *ct, struct err *e)
{
	auto_cg struct cg cg = CG_INIT;
	int r = cg_open(ct->s.cgroup, &cg, e);

	if (r < 0)
		return r;
	return cg_thaw(&cg, THAW_MS, e);
}
