// SPDX-License-Identifier: GPL-2.0-only
/* criu restore of a system container: the ground it stands on, what criu is told, and the moment before it runs. */
#include "checkpoint/restore.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/log.h"
#include "base/own.h"
#include "base/proc.h"
#include "cgroups/freezer.h"
#include "checkpoint/criu.h"
#include "checkpoint/criu_tools.h"
#include "checkpoint/file_locks.h"
#include "checkpoint/held.h"
#include "checkpoint/hook.h"
#include "checkpoint/image.h"
#include "checkpoint/kerndat.h"
#include "checkpoint/pages_daemon.h"
#include "checkpoint/pidfds.h"
#include "checkpoint/record.h"
#include "checkpoint/sums.h"
#include "checkpoint/timers.h"
#include "checkpoint/traits.h"
#include "checkpoint/uffd_allow.h"
#include "checkpoint/verify.h"
#include "net/netns.h"
#include "net/veth.h"
#include "ns/console.h"
#include "ns/mount.h"
#include "runtime/container.h"
#include "runtime/ground.h"
#include "runtime/network.h"

/* Where criu's process, and nobody else, has the root file system mounted: an empty directory in STATE/ID. */
#define ROOT_DIR "root"

struct restore {
	const struct cr_restore *how;
	const struct ct_spec *spec;
	struct ct *ct;
	struct ct_created *out;
	struct ct_ground ground;
	struct cr_record record;
	struct net_if nets[CT_NETS_MAX];
	int slave;	   /* of the new console */
	int console_mount; /* the same as a detached mount */
	int kerndat; /* what criu knows of the kernel, as a detached mount; -EBADF: it finds that out */
	char old_path[64];    /* where the old one was */
	char state[PATH_MAX]; /* STATE/ID */
	struct cr_pages_daemon pages;
	int uffd; /* allowed as long as it is open */
	pid_t init;
	bool equip_groups; /* the control groups inside get their controllers when init is in its own */
	bool decided;	   /* its tasks may run */
};

/* "8805:1a", the number and the file system of a terminal's slave (Documentation/admin-guide/devices.txt: majors 136 to 143). */
static int old_console_path(const char *terminal, char path[64], struct err *e)
{
	unsigned long long rdev;

	if (sscanf(terminal, "%llx:", &rdev) != 1 || major(rdev) < 136 || major(rdev) > 143) {
		err_set(e, EINVAL, CR_RECORD_FILE ": '%s' is no console", terminal);
		return err_class(e, ERR_RESTORE);
	}
	snprintf(path, 64, "/dev/pts/%u", (major(rdev) - 136) * 256 + minor(rdev));
	return 0;
}

/* The new console: another terminal of the host's, on which criu puts what was on the old one. */
static int make_console(struct restore *r, struct err *e)
{
	struct ct_state *s = &r->ct->s;
	struct stat st;
	char path[64];
	int n;

	if (!r->record.terminal[0])
		return 0;
	n = ns_console_new_host(&r->out->console, &r->slave, e);
	if (n >= 0)
		n = ns_console_chown(r->slave, s->id_base, s->id_base, e);
	if (n < 0)
		return n;
	if (fstat(r->slave, &st) < 0)
		return err_sys(e, "stat the console");
	snprintf(s->terminal, sizeof(s->terminal), "%llx:%llx", (unsigned long long)st.st_rdev,
		 (unsigned long long)st.st_dev);
	if (old_console_path(r->record.terminal, r->old_path, e) < 0)
		return -e->no;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", r->slave);
	r->console_mount = ns_mount_clone(AT_FDCWD, path, 0, e);
	return r->console_mount < 0 ? r->console_mount : 0;
}

static int check_nets(const struct restore *r, struct err *e)
{
	const struct ct_definition *d = &r->how->s->d;
	unsigned n = d->network == CT_NETWORK_PRIVATE ? d->net_count : 0;
	bool same = n == r->record.net_count;

	for (unsigned i = 0; same && i < n; i++)
		same = !strcmp(d->nets[i].name, r->record.nets[i]);
	if (same)
		return 0;
	err_set(e, ESTALE, "its network interfaces are others than when it was suspended");
	return err_hint(e, "set them as they were, or drop its memory with `skepctl stop`");
}

static int prepare_network(struct restore *r, struct err *e)
{
	struct ct_system *s = r->how->s;
	int n = check_nets(r, e);

	if (n >= 0)
		n = ct_system_network_ground(s, r->ct, e);
	for (unsigned i = 0; n >= 0 && i < r->record.net_count; i++)
		n = ct_network_note(r->ct, &s->d, i, &r->nets[i], e);
	if (n >= 0)
		n = fault_at("resume.network", e);
	return n;
}

static int prepare(struct restore *r, const struct ct_spec *spec, struct err *e)
{
	int n = fault_at("resume.ground", e);

	ct_ground_describe(r->ct, spec, r->how->s->d.name, true);
	if (n >= 0)
		n = ct_state_save(r->ct, e);
	if (n >= 0)
		n = ct_ground_make(r->ct, spec, r->how->s->host->best_effort, &r->ground, e);
	if (n >= 0 && r->record.id_base != r->ct->s.id_base) {
		err_set(e, ESTALE, "its ids began at %u when it was suspended, and now at %u",
			r->record.id_base, r->ct->s.id_base);
		return err_hint(e, "its memory cannot be used with other ids");
	}
	if (n >= 0)
		n = cr_image_open_all(r->how->images, e);
	if (n >= 0)
		n = cr_record_make_groups(&r->record, &r->ground.cg, e);
	r->equip_groups = n > 0;
	if (n >= 0)
		n = prepare_network(r, e);
	if (n >= 0)
		n = make_console(r, e);
	if (n >= 0)
		n = ct_state_save(r->ct, e);
	if (n >= 0 && mkdirat(r->ct->dir, ROOT_DIR, 0700) < 0 && errno != EEXIST)
		return err_sys(e, "make a place for the root file system");
	return n;
}

/*
 * criu makes the mounts of the console in the container's main mount namespace from where we say, but those in the namespaces of its services from where the
 * old one was on the host. So both is the same place: a file of that name in front of the host's terminals, which criu needs for nothing else.
 */
static int attach_console(const struct restore *r, struct err *e)
{
	auto_fd int at = -EBADF;

	if (r->console_mount < 0)
		return 0;
	if (mount("skep", "/dev/pts", "tmpfs", MS_NOSUID | MS_NOEXEC, "mode=755,size=16k") < 0)
		return err_sys(e, "make a place for the console");
	at = open(r->old_path, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	own_close_fd(&at);
	at = open(r->old_path, O_PATH | O_CLOEXEC | O_NOFOLLOW);
	if (at < 0)
		return err_sys(e, "make %s for criu", r->old_path);
	return ns_mount_attach(r->console_mount, at, "the console", e);
}

/* I am criu's process, before its execve. The root file system is mounted in a mount namespace that ends with me. */
static int attach_root(void *arg, struct err *e)
{
	struct restore *r = arg;
	auto_fd int at = -EBADF;
	struct err without = {0};

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return err_sys(e, "make a mount namespace for criu");
	/* By its path: the descriptor of STATE/ID is of the namespace that I have just left. */
	at = open(r->state, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (at >= 0) {
		int dir = openat(at, ROOT_DIR, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

		close(at);
		at = dir;
	}
	if (at < 0)
		return err_sys(e, "open the place of the root file system");
	if (ns_mount_attach(r->ground.rootfs, at, "the root file system", e) < 0)
		return -e->no;
	/* Any other criu takes the file that we mount on, which is empty elsewhere, for a stale one and removes it (kerndat_try_load_cache() in criu/kerndat.c). */
	if (r->kerndat >= 0 && cr_kerndat_attach(r->kerndat, &without) < 0)
		log_info("criu looks at the kernel once more: %s", without.text);
	return attach_console(r, e);
}

static int adopt_links(struct restore *r, struct err *e)
{
	for (unsigned i = 0; i < r->record.net_count; i++) {
		int n = net_if_adopt(&r->nets[i], e);

		if (n < 0)
			return err_class(e, ERR_NETWORK);
	}
	return 0;
}

/* The decision has fallen: from here on nothing may fail it. A container without a network runs, and can be mended. */
static void open_links(struct restore *r)
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

static int decide(struct restore *r, struct err *e)
{
	const struct cr_verify v = {.init = r->init,
				    .cg = &r->ground.cg,
				    .spec = r->spec,
				    .terminal = r->ct->s.terminal};
	int n = fault_at("resume.restored", e);

	cr_uffd_disallow(&r->uffd);
	if (n >= 0)
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
	r->ct->s.monitor = getpid();
	if (n >= 0)
		n = proc_start_time(getpid(), &r->ct->s.monitor_start, e);
	if (n >= 0)
		n = ct_record_init(r->ct, r->init, e);
	return n >= 0 && r->how->ready ? r->how->ready(r->ct, r->how->arg, e) : n;
}

/*
 * What stops the tasks is criu's tracing, which ends with criu: a criu that is killed while the decision is awaited would let them run, here and at the source. From here on
 * they stay even so; who decides in our place, the hook, lets them go.
 */
static int hold(struct restore *r, struct err *e)
{
	int n = cg_hold(&r->ground.cg, true, e);

	return n == -EOPNOTSUPP && !e->no ? 0 : n;
}

/* A write to the kernel's own file: it fails when the group is gone, and then so are they. */
static void let_go(struct restore *r)
{
	struct err why = {0};

	if (cg_hold(&r->ground.cg, false, &why) < 0 && why.no)
		log_warn("container %s: %s", r->ct->s.id, why.text);
}

/* All tasks have all they had, and none has run. Not 0: the hook kills init, and we do, for a hook that was killed itself. */
static int hook_pre_resume(pid_t init, void *arg, struct err *e)
{
	struct restore *r = arg;

	if (init <= 1)
		return err_set(e, EPROTO, "criu does not tell the restored init");
	r->init = init;
	if (hold(r, e) < 0 || decide(r, e) < 0) {
		kill(init, SIGKILL); /* our child, not reaped yet: the number is its own */
		return -e->no;
	}
	r->decided = true;
	let_go(r);
	open_links(r);
	return 0;
}

/* Init has its cgroup namespace and is in its group; all others come later. */
static int hook_post_setup_namespaces(pid_t init, void *arg, struct err *e)
{
	struct restore *r = arg;

	(void)init;
	return cr_record_equip_groups(&r->record, &r->ground.cg, e);
}

/* All tasks have their files and their memory, and are not traced yet; criu undoes all if this fails. */
static int hook_post_restore(pid_t init, void *arg, struct err *e)
{
	const struct restore *r = arg;
	int n = cr_file_locks_take(r->how->images, &r->ground.cg, init, e);

	if (n > 0)
		log_info("container %s: %d file locks were taken again", r->ct->s.id, n);
	return n < 0 ? n : 0;
}

static void add_words(struct cr_criu *c, const struct restore *r, const char *hook)
{
	static const char *const always[] = {"--restore-detached",
					     "--restore-sibling",
					     "--manage-cgroups=none",
					     "--tcp-established",
					     "--ext-unix-sk",
					     "--file-locks",
					     "--link-remap",
					     "--external",
					     "mnt[]:sm",
					     "--enable-external-sharing",
					     "--enable-external-masters",
					     NULL};

	cr_criu_add_all(c, always);
	cr_criu_add(c, "--action-script");
	cr_criu_add(c, "%s", hook);
	cr_criu_add(c, "--root");
	cr_criu_add(c, "%s/" ROOT_DIR, r->state);
	/* The last one counts for a hierarchy that has its own: the unified one, in which the container is one level deeper. */
	cr_criu_add(c, "--cgroup-root");
	cr_criu_add(c, "/%s", r->ct->s.cgroup);
	cr_criu_add(c, "--cgroup-root");
	cr_criu_add(c, ":/%s/ct", r->ct->s.cgroup);
	if (r->slave >= 0) {
		cr_criu_add(c, "--inherit-fd");
		cr_criu_add(c, "fd[%d]:tty[%s]", cr_criu_pass(c, r->slave), r->record.terminal);
		cr_criu_add(c, "--external");
		cr_criu_add(c, "mnt[console]:%s", r->old_path);
	}
	/* Without "@BRIDGE": the host's end stays down until the decision. A packet that found no socket yet would reset its connection. */
	for (unsigned i = 0; i < r->record.net_count; i++) {
		cr_criu_add(c, "--external");
		cr_criu_add(c, "veth[%s]:%s", r->record.nets[i], r->nets[i].host_name);
	}
	if (r->how->pages)
		cr_criu_add(c, "--lazy-pages");
	cr_criu_add_all(c, r->how->words);
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
static int start_pages(struct restore *r, struct err *e)
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

	if (!r->how->pages)
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

static int run(struct restore *r, struct err *e)
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
	hook.fn[CR_STAGE_POST_RESTORE] = hook_post_restore;
	hook.fn[CR_STAGE_PRE_RESUME] = hook_pre_resume;
	cr_hook_ready(&hook);
	c.no_iptables = cr_tools_no_rules(r->how->images);
	c.prepare = attach_root;
	c.prepare_arg = r;
	add_words(&c, r, hook.program);
	cr_criu_pass(&c, r->how->s->lock);
	cr_criu_pass(&c, r->ct->lock);
	/*
	 * If we die, criu goes on to where its hook refuses. The console must not be hung up meanwhile: SIGHUP and SIGCONT would stop init, which criu has
	 * seized; its SIGCHLD handler eats that stop, attach_to_tasks() in criu/cr-restore.c waits for it for ever, and so do all for our locks.
	 */
	if (r->out->console >= 0)
		cr_criu_pass(&c, r->out->console);
	n = fault_at("resume.criu", e);
	r->kerndat = n >= 0 ? cr_kerndat_open(r->how->s->host, &without) : -EBADF;
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

static void undo(struct restore *r)
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
	struct restore r = {.how = how,
			    .spec = &spec,
			    .ct = ct,
			    .out = out,
			    .ground = CT_GROUND_INIT,
			    .pages = CR_PAGES_DAEMON_INIT,
			    .uffd = -EBADF,
			    .kerndat = -EBADF,
			    .slave = -EBADF};
	int n = cr_sums_check(how->images, e);

	*out = (struct ct_created){
		.pidfd = -EBADF, .console = -EBADF, .netns = -EBADF, .init = -EBADF};
	if (n >= 0)
		n = cr_record_load(how->images, &r.record, e);
	if (n >= 0)
		n = ct_system_spec(how->s, &spec, e);
	if (n >= 0)
		n = ct_state_new(how->s->host->state, how->s->d.name, "resume", ct, e);
	if (n >= 0) {
		snprintf(r.state, sizeof(r.state), "%s/%s", ct->state_root, how->s->d.name);
		n = prepare(&r, &spec, e);
		if (n >= 0)
			n = run(&r, e);
		if (n < 0)
			undo(&r);
	}
	own_close_fd(&r.slave);
	own_close_fd(&r.console_mount);
	own_close_fd(&r.kerndat);
	cr_uffd_disallow(&r.uffd);
	cr_pages_daemon_done(&r.pages);
	ct_ground_done(&r.ground);
	cr_record_done(&r.record);
	return n < 0 ? err_class(e, ERR_RESTORE) : 0;
}
