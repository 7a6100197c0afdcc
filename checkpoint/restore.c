// SPDX-License-Identifier: GPL-2.0-only
/* criu restore: what criu is told, its stages, and the moment before it runs. */
#include "checkpoint/restore.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/own.h"
#include "base/proc.h"
#include "cgroups/freezer.h"
#include "checkpoint/criu.h"
#include "checkpoint/criu_tools.h"
#include "checkpoint/file_locks.h"
#include "checkpoint/held.h"
#include "checkpoint/hook.h"
#include "checkpoint/kerndat.h"
#include "checkpoint/pidfds.h"
#include "checkpoint/restore_parts.h"
#include "checkpoint/sums.h"
#include "checkpoint/timers.h"
#include "checkpoint/traits.h"
#include "checkpoint/uffd_allow.h"
#include "checkpoint/verify.h"
#include "net/netns.h"
#include "runtime/container.h"

static int adopt_links(struct cr_restoring *r, struct err *e)
{
	for (unsigned i = 0; i < r->record.net_count; i++) {
		int n = net_if_adopt(&r->nets[i], e);

		if (n < 0)
			return err_class(e, ERR_NETWORK);
	}
	return 0;
}

/* The decision has fallen: from here on nothing may fail it. A container without a network runs, and can be mended. */
static void open_links(struct cr_restoring *r)
{
	for (unsigned i = 0; i < r->record.net_count; i++) {
		struct err why = {0};

		if (net_if_open(&r->nets[i], r->out->netns, &why) < 0)
			log_warn("container %s: %s stays down: %s", r->ct->s.id, r->nets[i].name,
				 why.text);
	}
	if (r->how->held)
		cr_held_give(r->how->held_sock, r->nets, r->record.net_count, *r->how->held);
}

static int decide(struct cr_restoring *r, struct err *e)
{
	const struct cr_verify v = {.init = r->init,
				    .cg = &r->ground.cg,
				    .spec = r->spec,
				    .terminal = r->ct->s.terminal};
	int n = fault_at("resume.restored", e);

	cr_uffd_disallow(&r->uffd);
	/* The images of an OCI container are its caller's word, as its bundle is. */
	if (n >= 0 && r->how->s)
		n = cr_verify(&v, e);
	if (n >= 0)
		n = cr_traits_restore(r->how->images, &r->ground.cg, e);
	if (n >= 0)
		n = cr_timers_restore(r->how->images, &r->ground.cg, r->init, e);
	if (n >= 0)
		n = cr_pidfds_restore(r->how->images, &r->ground.cg, !r->how->hungry, e);
	r->out->pidfd = n < 0 ? -EBADF : pidfd_open(r->init, 0);
	if (n >= 0 && r->out->pidfd < 0)
		return err_sys(e, "open the restored init");
	if (n >= 0)
		n = r->out->netns = net_netns_open(r->init, e);
	if (n >= 0)
		n = adopt_links(r, e);
	/* We will be its monitor: once it is decided, no full disk may stop us from saying so. */
	if (n >= 0 && r->how->s) {
		r->ct->s.monitor = getpid();
		n = proc_start_time(getpid(), &r->ct->s.monitor_start, e);
	}
	if (n >= 0)
		n = ct_record_init(r->ct, r->init, e);
	return n >= 0 && r->how->ready ? r->how->ready(r->ct, r->how->arg, e) : n;
}

/*
 * What stops the tasks is criu's tracing, which ends with criu: a criu that is killed while the decision is awaited would let them run, here and at the source. From here on
 * they stay even so; who decides in our place, the hook, lets them go.
 */
static int hold(struct cr_restoring *r, struct err *e)
{
	int n = cg_hold(&r->ground.cg, true, e);

	return n == -EOPNOTSUPP && !e->no ? 0 : n;
}

/* A write to the kernel's own file: it fails when the group is gone, and then so are they. Of a system it is decided that it runs here, and that cannot be taken back. */
static int let_go(struct cr_restoring *r, struct err *e)
{
	struct err why = {0};

	if (cg_hold(&r->ground.cg, false, &why) >= 0 || !why.no)
		return 0;
	if (!r->how->s) {
		*e = why;
		return -why.no;
	}
	log_warn("container %s: %s", r->ct->s.id, why.text);
	return 0;
}

/* All tasks have all they had, and none has run. Not 0: the hook kills init, and we do, for a hook that was killed itself. */
static int hook_pre_resume(pid_t init, void *arg, struct err *e)
{
	struct cr_restoring *r = arg;

	if (init <= 1)
		return err_set(e, EPROTO, "criu does not tell the restored init");
	r->init = init;
	if (hold(r, e) < 0 || decide(r, e) < 0 || let_go(r, e) < 0) {
		kill(init, SIGKILL); /* our child, not reaped yet: the number is its own */
		return -e->no;
	}
	r->decided = true;
	open_links(r);
	return 0;
}

/* Init has its cgroup namespace and is in its group; all others come later. */
static int hook_post_setup_namespaces(pid_t init, void *arg, struct err *e)
{
	struct cr_restoring *r = arg;

	(void)init;
	return cr_record_equip_groups(&r->record, &r->ground.cg, e);
}

/* All tasks have their files and their memory, and are not traced yet; criu undoes all if this fails. */
static int hook_post_restore(pid_t init, void *arg, struct err *e)
{
	const struct cr_restoring *r = arg;
	int n = fault_at("resume.made", e);

	if (n >= 0)
		n = cr_file_locks_take(r->how->images, &r->ground.cg, init, e);
	if (n > 0)
		log_info("container %s: %d file locks were taken again", r->ct->s.id, n);
	return n < 0 ? n : 0;
}

static int hook_setup_namespaces(pid_t init, void *arg, struct err *e)
{
	struct cr_restoring *r = arg;
	const struct ct_hooks *hooks = &r->spec->hooks;
	int n = 0;

	/* As at a creation: a hook that asks for the state finds what its own input says, and who waits for a creator does not wait for hooks. */
	if (hooks->n[CT_HOOK_PRESTART] || hooks->n[CT_HOOK_CREATE_RUNTIME]) {
		r->ct->s.hooked = true;
		r->ct->s.pid = init;
		n = proc_start_time(init, &r->ct->s.pid_start, e);
		if (n >= 0)
			n = ct_state_save(r->ct, e);
	}
	return n < 0 ? n : r->how->bundle->fill(r->ct, init, r->how->bundle->arg, e);
}

static void add_system_words(struct cr_criu *c, const struct cr_restoring *r)
{
	static const char *const always[] = {"--tcp-established",
					     "--ext-unix-sk",
					     "--file-locks",
					     "--link-remap",
					     "--external",
					     "mnt[]:sm",
					     "--enable-external-sharing",
					     "--enable-external-masters",
					     NULL};

	cr_criu_add_all(c, always);
	/* Without "@BRIDGE": the host's end stays down until the decision. A packet that found no socket yet would reset its connection. */
	for (unsigned i = 0; i < r->record.net_count; i++) {
		cr_criu_add(c, "--external");
		cr_criu_add(c, "veth[%s]:%s", r->record.nets[i], r->nets[i].host_name);
	}
	if (r->how->pages)
		cr_criu_add(c, "--lazy-pages");
	cr_criu_pass(c, r->how->s->lock);
}

static void add_words(struct cr_criu *c, const struct cr_restoring *r, const char *hook)
{
	const struct cr_restore_bundle *b = r->how->bundle;

	cr_criu_add(c, "--restore-detached");
	cr_criu_add(c, "--restore-sibling");
	cr_criu_add(c, "--manage-cgroups=%s", r->plain_groups ? "ignore" : "none");
	cr_criu_add(c, "--action-script");
	cr_criu_add(c, "%s", hook);
	cr_criu_add(c, "--root");
	cr_criu_add(c, "%s/" CR_RESTORE_ROOT, r->state);
	cr_criu_add(c, "--cgroup-root");
	cr_criu_add(c, "/%s", r->ct->s.cgroup);
	/* The last one counts for a hierarchy that has its own: the unified one, in which a container that has control groups of its own is one level deeper. */
	if (cg_has_inner(&r->ground.cg)) {
		cr_criu_add(c, "--cgroup-root");
		cr_criu_add(c, ":/%s/ct", r->ct->s.cgroup);
	}
	cr_console_add(&r->console, c);
	if (r->how->s)
		add_system_words(c, r);
	if (b)
		b->add(c, b->arg);
}

static int broken_stream(int *fd, struct err *e)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, "make a socket pair");
	close(pair[1]);
	*fd = pair[0];
	return 0;
}

/*
 * Who brings the memory: criu connects to it before it makes the first task. And criu may make userfaultfds inside, from now until its tasks are restored.
 */
static int start_pages(struct cr_restoring *r, struct err *e)
{
	auto_fd int log = -EBADF, source = -EBADF;
	struct cr_pages_daemon_start how = {.store = r->how->pages,
					    .images = r->how->images,
					    .state_dir = r->ct->dir,
					    .cgroup = r->ground.cg.v2,
					    .source_in = -EBADF,
					    .source_out = -EBADF,
					    .name = r->ct->s.id};
	int n;

	/* Only system containers have some. */
	if (!r->how->pages || !r->how->s)
		return 0;
	log = openat(r->how->s->dir, "console.log",
		     O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	how.log_fd = log;
	if (r->how->hungry) {
		/* A stream that has broken already: it waits for a better one. */
		n = broken_stream(&source, e);
		if (n < 0)
			return n;
		how.source_in = how.source_out = source;
	}
	n = cr_pages_daemon_start(&how, &r->pages, e);
	if (n >= 0 && r->how->hungry)
		n = r->how->hungry(r->how->hungry_arg, e);
	if (n >= 0)
		n = r->uffd = cr_uffd_allow(e);
	return n < 0 ? n : 0;
}

static bool alive(int pidfd)
{
	struct pollfd p = {.fd = pidfd, .events = POLLIN};

	return pidfd >= 0 && poll(&p, 1, 0) == 0;
}

static int run(struct cr_restoring *r, struct err *e)
{
	auto_criu struct cr_criu c = CR_CRIU_INIT;
	auto_hook struct cr_hook hook = CR_HOOK_INIT;
	struct err without = {0};
	char freezer[PATH_MAX];
	int n = cr_hook_open(&hook, r->ct->dir, r->state, e);

	if (n >= 0)
		n = cr_criu_init(&c, "restore", ERR_RESTORE, r->how->images, e);
	if (n < 0)
		return n;
	hook.arg = r;
	hook.undecided = r->how->undecided;
	n = cg_freeze_path(&r->ground.cg, freezer, sizeof(freezer), e);
	if (n < 0 && e->no)
		return n;
	hook.freezer = n < 0 ? NULL : freezer;
	if (r->equip_groups)
		hook.fn[CR_STAGE_POST_SETUP_NAMESPACES] = hook_post_setup_namespaces;
	if (r->how->bundle)
		hook.fn[CR_STAGE_SETUP_NAMESPACES] = hook_setup_namespaces;
	hook.fn[CR_STAGE_POST_RESTORE] = hook_post_restore;
	hook.fn[CR_STAGE_PRE_RESUME] = hook_pre_resume;
	cr_hook_ready(&hook);
	c.no_iptables = cr_tools_no_rules(r->how->images);
	c.prepare = cr_restore_attach;
	c.prepare_arg = r;
	r->hook = hook.program;
	r->criu = c.program;
	add_words(&c, r, hook.program);
	cr_criu_pass(&c, r->ct->lock);
	/*
	 * If we die, criu goes on to where its hook refuses. The console must not be hung up meanwhile: SIGHUP and SIGCONT would stop init, which criu has
	 * seized; its SIGCHLD handler eats that stop, attach_to_tasks() in criu/cr-restore.c waits for it for ever, and so do all for our locks.
	 */
	if (r->out->console >= 0)
		cr_criu_pass(&c, r->out->console);
	n = fault_at("resume.criu", e);
	r->kerndat = n >= 0 && r->how->s ? cr_kerndat_open(r->how->s->host, &without) : -EBADF;
	if (without.no)
		log_info("criu looks at the kernel once more: %s", without.text);
	if (n >= 0)
		n = start_pages(r, e);
	if (n >= 0)
		n = cr_criu_run(&c, &hook, e);
	/* All that criu does after the decision is to let go of the tasks, and its death does that, too. */
	if (n < 0 && r->decided && alive(r->out->pidfd)) {
		log_warn("container %s runs, although: %s", r->ct->s.id, e->text);
		err_clear(e);
		n = 0;
	}
	if (n >= 0 && r->out->pidfd < 0)
		return err_set(e, EPROTO, "criu ended without asking whether its tasks may run");
	return n;
}

static void undo(struct cr_restoring *r)
{
	struct err ignored = {0};

	/* What criu made and could not kill (it may have been killed itself) is our child, by --restore-sibling: the only ones we have. */
	proc_end_children();
	own_close_fd(&r->out->pidfd);
	own_close_fd(&r->out->console);
	own_close_fd(&r->out->netns);
	if (ct_delete(r->ct, true, &ignored) < 0)
		log_warn("clean up after a failed resume: %s", ignored.text);
	ct_close(r->ct);
}

int cr_restore(const struct cr_restore *how, struct ct *ct, struct ct_created *out, struct err *e)
{
	auto_spec struct ct_spec spec = {0};
	const struct cr_restore_bundle *b = how->bundle;
	struct cr_restoring r = {.how = how,
				 .spec = b ? b->spec : &spec,
				 .id = b ? b->id : how->s->d.name,
				 .ct = ct,
				 .out = out,
				 .ground = CT_GROUND_INIT,
				 .pages = CR_PAGES_DAEMON_INIT,
				 .uffd = -EBADF,
				 .kerndat = -EBADF,
				 .console = CR_CONSOLE_INIT};
	int n = b ? 0 : cr_sums_check(how->images, e);

	*out = (struct ct_created){
		.pidfd = -EBADF, .console = -EBADF, .netns = -EBADF, .init = -EBADF};
	if (n >= 0)
		n = cr_record_load(how->images, &r.record, e);
	if (n >= 0 && !b)
		n = ct_system_spec(how->s, &spec, e);
	if (n >= 0)
		n = ct_state_new(b ? b->state_root : how->s->host->state, r.id, "resume", ct, e);
	if (n >= 0) {
		snprintf(r.state, sizeof(r.state), "%s/%s", ct->state_root, r.id);
		n = cr_restore_prepare(&r, e);
		if (n >= 0)
			n = run(&r, e);
		if (n < 0)
			undo(&r);
	}
	cr_console_done(&r.console);
	own_close_fd(&r.kerndat);
	cr_uffd_disallow(&r.uffd);
	cr_pages_daemon_done(&r.pages);
	ct_ground_done(&r.ground);
	cr_record_done(&r.record);
	return n < 0 ? err_class(e, ERR_RESTORE) : 0;
}
