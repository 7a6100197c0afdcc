// SPDX-License-Identifier: GPL-2.0-only
/* The host's side of a start: prepares, clones init, grants it what only the host can give, and later tells it to go. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/log.h"
#include "base/own.h"
#include "base/proc.h"
#include "base/sync.h"
#include "base/sys.h"
#include "cgroups/entry.h"
#include "cgroups/group.h"
#include "ns/console.h"
#include "ns/idmap.h"
#include "ns/mount.h"
#include "ns/seccomp.h"
#include "ns/self.h"
#include "runtime/container.h"
#include "runtime/ground.h"
#include "runtime/listener.h"
#include "runtime/notify.h"
#include "runtime/patience.h"
#include "runtime/program.h"
#include "runtime/rdt.h"
#include "runtime/start_clone.h"
#include "runtime/start_go.h"
#include "runtime/start_init.h"
#include "runtime/start_network.h"
#include "runtime/start_sources.h"
#include "runtime/steps.h"
#include "runtime/streams.h"

#define END_MS 2000 /* as long as a process has for its end that nothing holds */

/* What exists between the beginning of a create and its end. */
struct making {
	const struct ct_create *how;
	struct ct *ct;
	struct cg cg;
	struct ct_scope scope; /* holds a scope of systemd's open until init is in it */
	struct ns_filter filter;
	struct ct_init init;
	struct sync sync; /* to init */
	int theirs;	  /* init's end, until it is cloned */
	int console_master;
	struct ct_devices devices;
	int netns;
	int rootfs; /* with the id map of init's user namespace; without one init is born with it */
	pid_t pid;
	int pidfd;
};

static int prepare_filter(struct making *m, struct err *e)
{
	const struct ct_spec *spec = m->how->spec;
	const struct ns_seccomp_options opt = ct_spec_filter_options(spec);
	int r = fault_at("start.seccomp", e);

	m->init.filter = &spec->filter;
	if (r < 0 || spec->filter.prog || !ct_spec_filters(spec))
		return r;
	m->init.filter = &m->filter;
	return ns_seccomp_get(m->how->cache_dir, spec->seccomp, spec->seccomp_text, &opt,
			      &m->filter, e);
}

/* A system container's console: a terminal of the host's, its slave given to the container's root and cloned as a mount for /dev/console. */
static int prepare_console(struct making *m, struct err *e)
{
	struct ct_state *s = &m->ct->s;
	char path[64];
	struct stat st;
	int r;

	if (!m->how->system || !m->how->spec->process.terminal)
		return 0;
	r = ns_console_new_host(&m->console_master, &m->init.console_slave, e);
	if (r >= 0)
		r = ns_console_chown(m->init.console_slave, s->id_base, s->id_base, e);
	if (r < 0)
		return r;
	if (fstat(m->init.console_slave, &st) < 0)
		return err_sys(e, "stat the console");
	snprintf(s->terminal, sizeof(s->terminal), "%llx:%llx", (unsigned long long)st.st_rdev,
		 (unsigned long long)st.st_dev);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", m->init.console_slave);
	m->init.console_mount = ns_mount_clone(AT_FDCWD, path, 0, e);
	return m->init.console_mount < 0 ? m->init.console_mount : 0;
}

/* A user may not clone into a group of the user's own systemd's from one of a login session: from the one to the other processes go by a group that is root's (cgroups(7), "Delegation Containment"). */
static bool is_born_inside(const struct making *m)
{
	return cg_v2_fd(&m->cg) >= 0 && !(m->how->spec->rootless && m->ct->s.scope[0]);
}

/* Init is where its scope is: from here on it is what keeps that. */
static int enter_scope(struct making *m, struct err *e)
{
	int r = 0;

	if (m->how->spec->manager != CT_MANAGER_SYSTEMD)
		return 0;
	if (!is_born_inside(m))
		r = ct_scope_attach(m->ct->s.scope, cg_v2_fd(&m->cg), m->pid, e);
	ct_scope_release(&m->scope);
	return r;
}

static int clone_init(struct making *m, struct err *e)
{
	int r = fault_at("start.clone", e);

	if (r >= 0)
		r = ct_clone_init(&m->init, is_born_inside(m) ? cg_v2_fd(&m->cg) : -EBADF, &m->pid,
				  &m->pidfd, e);
	if (r >= 0)
		own_close_fd(&m->theirs);
	return r;
}

/* Not a ns_self_ call: in a user namespace init may not lower its own any more. */
static int set_oom_score(struct making *m, struct err *e)
{
	const struct ct_process *p = &m->how->spec->process;
	char name[48], text[16];
	struct err why = {0};

	if (!p->has_oom_score_adj)
		return 0;
	snprintf(name, sizeof(name), "/proc/%d/oom_score_adj", m->pid);
	snprintf(text, sizeof(text), "%d", p->oom_score_adj);
	if (file_write_at(AT_FDCWD, name, text, &why) >= 0)
		return 0;
	if (why.no != EACCES && why.no != EPERM) {
		*e = why;
		return -e->no;
	}
	log_warn("oomScoreAdj %d needs CAP_SYS_RESOURCE; left as it is", p->oom_score_adj);
	return 0;
}

static int grant_idmap(struct making *m, struct err *e)
{
	const struct ct_spec *spec = m->how->spec;
	int r = fault_at("start.idmap", e);

	for (size_t i = 0; r >= 0 && i < spec->process.n_rlimits; i++)
		r = ns_rlimit_allow(m->pid, &spec->process.rlimits[i], e);
	if (r >= 0)
		r = set_oom_score(m, e);
	if (r >= 0 && spec->own[CT_NS_USER])
		r = ns_idmap_write(m->pid, spec->uids, spec->n_uids, spec->gids, spec->n_gids, e);
	/* Else init does not wait for it. */
	return r < 0 || !ct_spec_userns(spec)
		       ? r
		       : sync_send(&m->sync, CT_STEP_IDMAP, SYNC_OK, 0, -EBADF, e);
}

/* Init's own user namespace, now that its maps are written, is the one that layers are mapped into. */
static int mapped_rootfs(struct making *m, struct err *e)
{
	auto_fd int userns = -EBADF;
	char path[48];

	snprintf(path, sizeof(path), "/proc/%d/ns/user", m->pid);
	userns = open(path, O_RDONLY | O_CLOEXEC);
	if (userns < 0)
		return err_sys(e, "open %s", path);
	return ct_ground_rootfs(m->how->spec, userns, e);
}

static int grant_rootfs(struct making *m, struct err *e)
{
	if (m->init.late)
		return sync_send(&m->sync, CT_STEP_ROOTFS, SYNC_OK, 0, -EBADF, e);
	if (!ct_spec_userns(m->how->spec))
		return 0;
	m->rootfs = mapped_rootfs(m, e);
	if (m->rootfs < 0)
		return m->rootfs;
	return sync_send(&m->sync, CT_STEP_ROOTFS, SYNC_FD, 0, m->rootfs, e);
}

/* prestart, createRuntime: in our own namespaces, while init waits before its pivot. */
static int run_create_hooks(struct making *m, struct err *e)
{
	const struct ct_hooks *hooks = &m->how->spec->hooks;
	const char *bundle = m->how->spec->bundle;
	auto_json json_t *state = NULL;
	int r = fault_at("start.hooks", e);

	if (r < 0 || !ct_has_create_hooks(m->how->spec))
		return r;
	r = sync_expect(&m->sync, CT_STEP_HOOKS, SYNC_ASK, NULL, NULL, e);
	/* A hook that asks for the state, or sends a signal, finds what its own input says. */
	m->ct->s.hooked = true;
	if (r >= 0)
		r = ct_state_save(m->ct, e);
	if (r >= 0)
		/* What step 2 of the lifecycle makes is there (runtime-spec, "Lifecycle", "State"). */
		r = ct_state_to_hook(m->ct, CT_CREATED, m->pid, &state, e);
	if (r >= 0)
		r = ct_hooks_run(hooks, CT_HOOK_PRESTART, state, bundle, e);
	if (r >= 0)
		r = ct_hooks_run(hooks, CT_HOOK_CREATE_RUNTIME, state, bundle, e);
	return r < 0 ? r : sync_send(&m->sync, CT_STEP_HOOKS, SYNC_OK, 0, -EBADF, e);
}

static int receive_console(struct making *m, struct err *e)
{
	if (m->how->system || !m->how->spec->process.terminal)
		return 0;
	return sync_expect(&m->sync, CT_STEP_CONSOLE, SYNC_FD, NULL, &m->console_master, e);
}

/* Writes down that there is a container before init is allowed to outlive us. */
static int grant_ready(struct making *m, struct err *e)
{
	struct ct_state *s = &m->ct->s;
	int r = 0;

	if (!m->init.ahead)
		r = sync_expect(&m->sync, CT_STEP_READY, SYNC_ASK, NULL, NULL, e);
	/* After the createContainer hooks: who has SCHED_DEADLINE must not fork (sched_fork()). And while there are host rights to do so, so before any startContainer hook. */
	if (r >= 0)
		r = ct_process_schedule(&m->how->spec->process, m->pid, e);
	if (r >= 0)
		r = fault_at("start.ready", e);
	if (r >= 0 && m->init.ahead)
		return ct_start_say(m->ct, m->sync.fd, true, e);
	/* Else it waits for our OK, and ct_start_waiting() gives it. */
	if (r < 0 || m->how->at_once)
		return r;
	s->status = CT_CREATED;
	s->hooked = false;
	r = ct_state_save(m->ct, e);
	if (r < 0)
		return r;
	ct_state_show(m->ct);
	r = sync_send(&m->sync, CT_STEP_READY, SYNC_OK, 0, -EBADF, e);
	return r < 0 ? r : sync_expect(&m->sync, CT_STEP_READY, SYNC_OK, NULL, NULL, e);
}

/* Who cleans up after us finds init by its control group: only where it is not born there it must be written down at once. */
static int note_pid(struct making *m, struct err *e)
{
	struct ct_state *s = &m->ct->s;
	int r;

	s->pid = m->pid;
	r = proc_start_time(m->pid, &s->pid_start, e);
	return r < 0 || is_born_inside(m) ? r : ct_state_save(m->ct, e);
}

/* Before anything is made: whoever deletes what we leave, killed, runs the hooks of the end. */
static int prepare_hooks(struct making *m, struct err *e)
{
	const struct ct_hooks *hooks = &m->how->spec->hooks;
	int r = ct_hooks_keep(m->ct, hooks, e);

	if (r < 0 || (!hooks->n[CT_HOOK_CREATE_CONTAINER] && !hooks->n[CT_HOOK_START_CONTAINER]))
		return r;
	return ct_state_to_hook(m->ct, CT_CREATING, 0, &m->init.hook_state, e);
}

/* Nothing is to be done, and nothing can fail for long, between READY and the start: then the word is there before init is. */
static bool may_say_ahead(const struct ct_create *how)
{
	int hooks = 0;

	for (int i = 0; i < CT_HOOK_POINTS; i++)
		hooks += how->spec->hooks.n[i] > 0;
	return how->ahead && how->at_once && !hooks && !how->spec->process.terminal;
}

/* Whoever is not root may mount, make devices and set up a network only as the root of a user namespace. */
static int judge_rights(struct making *m, struct err *e)
{
	m->init.late = getauxval(AT_EUID) != 0;
	if (!m->init.late || m->how->spec->own[CT_NS_USER])
		return 0;
	err_set(e, EPERM, "linux.namespaces: who is not root needs a user namespace");
	err_hint(e, "`skep spec --rootless` writes a config.json with one");
	return err_class(e, ERR_CONFIG);
}

/* Over which the network namespace comes, which takes the longest: so it is the first of all. */
static int open_sync(struct making *m, struct err *e)
{
	const struct ct_hooks *hooks = &m->how->spec->hooks;
	int r = sync_pair(&m->sync.fd, &m->theirs, e);

	if (r >= 0)
		r = ct_patience_set(m->sync.fd,
				    ct_patience_with_hooks_ms(hooks, CT_HOOK_CREATE_CONTAINER), e);
	m->init.sync =
		(struct sync){.fd = m->theirs, .peer = "host", .step_to_str = ct_step_to_str};
	if (r >= 0)
		ct_network_begin(&m->init, m->sync.fd);
	return r;
}

static int prepare(struct making *m, struct err *e)
{
	int r = ct_spec_join_maps(m->how->spec, e);

	if (r < 0)
		return r;
	ct_ground_describe(m->ct, m->how->spec, m->how->id, m->how->system);
	r = ct_listener_new(m->how->spec, &m->ct->s.listener, e);
	if (r >= 0 && !m->how->system && !m->how->spec->process.terminal)
		r = ct_streams_note(m->how->stdio, &m->ct->s.streams, e);
	if (r >= 0)
		r = ct_state_save(m->ct, e);
	if (r >= 0)
		r = prepare_hooks(m, e);
	if (r >= 0)
		r = ct_ground_cgroup(m->ct, m->how->spec, m->how->best_effort, &m->cg, &m->scope,
				     e);
	if (r >= 0)
		r = ct_rdt_make(m->ct, m->how->spec, e);
	if (r >= 0)
		r = cg_doors_open(&m->cg, &m->init.doors, e);
	if (r >= 0)
		r = prepare_filter(m, e);
	if (r >= 0)
		r = ct_notify_make(m->ct, m->how->spec, e);
	if (r >= 0)
		r = m->init.late ? ct_sources_late(m->how->spec, e)
				 : ct_sources_open(m->ct, m->how->spec, &m->cg, e);
	if (r >= 0)
		r = prepare_console(m, e);
	if (r < 0)
		return r;
	if (!ct_spec_userns(m->how->spec))
		m->init.rootfs = ct_ground_rootfs(m->how->spec, -EBADF, e);
	if (!ct_spec_userns(m->how->spec) && m->init.rootfs < 0)
		return m->init.rootfs;
	if (ct_ground_note_root(m->ct, m->how->spec, m->init.rootfs, e) < 0)
		return -e->no;
	m->init.ahead = may_say_ahead(m->how);
	if (!m->how->at_once)
		m->init.listen = ct_start_listen(m->ct, e);
	if (!m->how->at_once && m->init.listen < 0)
		return m->init.listen;
	return r;
}

static int walk_steps(struct making *m, struct err *e)
{
	bool born_inside = is_born_inside(m);
	int r = clone_init(m, e);

	/* What init waits for comes first. */
	if (r >= 0 && !born_inside)
		r = note_pid(m, e);
	if (r >= 0)
		r = enter_scope(m, e);
	if (r >= 0)
		r = ct_rdt_add(m->ct, m->how->spec, m->pid, e);
	if (r >= 0)
		r = grant_idmap(m, e);
	if (r >= 0)
		r = grant_rootfs(m, e);
	/* While init mounts. First what may have to be waited for: where there are two processors, the one that makes it has the other, and init should have ours. */
	if (r >= 0)
		r = ct_network_open(&m->init, m->pid, m->how->system, &m->netns, &m->devices, e);
	if (r >= 0)
		r = ct_spec_keep(m->ct, m->how->spec, e);
	/* Until the program runs there is nobody whom it would hold: the kernel's verifier works while init mounts. */
	if (r >= 0)
		r = ct_ground_devices(&m->cg, m->how->spec, e);
	if (r >= 0 && born_inside)
		r = note_pid(m, e);
	if (r >= 0)
		r = run_create_hooks(m, e);
	if (r >= 0)
		r = receive_console(m, e);
	return r < 0 ? r : grant_ready(m, e);
}

static void making_done(struct making *m)
{
	ct_network_end(&m->init);
	own_close_fd(&m->sync.fd);
	own_close_fd(&m->theirs);
	own_close_fd(&m->init.listen);
	own_close_fd(&m->init.console_mount);
	own_close_fd(&m->init.console_slave);
	own_close_fd(&m->console_master);
	own_close_fd(&m->netns);
	own_close_fd(&m->rootfs);
	own_close_fd(&m->init.rootfs);
	own_close_fd(&m->pidfd);
	ct_sources_close(m->how->spec);
	json_decref(m->init.hook_state);
	ct_devices_done(&m->devices);
	ns_seccomp_done(&m->filter);
	cg_doors_close(&m->init.doors);
	ct_scope_release(&m->scope);
	cg_close(&m->cg);
}

int ct_create(const struct ct_create *how, struct ct *ct, struct ct_created *out, struct err *e)
{
	struct making m = {
		.how = how,
		.ct = ct,
		.cg = CG_INIT,
		.scope = CT_SCOPE_INIT,
		.sync = {.fd = -EBADF, .peer = "init", .step_to_str = ct_step_to_str},
		.theirs = -EBADF,
		.console_master = -EBADF,
		.netns = -EBADF,
		.rootfs = -EBADF,
		.pidfd = -EBADF,
		.init = {.spec = how->spec,
			 .doors = CG_DOORS_INIT,
			 .listen = -EBADF,
			 .rootfs = -EBADF,
			 .console_mount = -EBADF,
			 .console_slave = -EBADF,
			 .stdio = {how->stdio[0], how->stdio[1], how->stdio[2]},
			 .no_pivot = how->no_pivot,
			 .preserve_fds = how->preserve_fds},
	};
	struct err ignored = {0};
	int r = how->at_once ? ct_spec_need_process(how->spec, e) : 0;

	if (r >= 0)
		r = judge_rights(&m, e);
	*ct = (struct ct)CT_INIT;
	if (r >= 0)
		r = open_sync(&m, e);
	if (r >= 0)
		r = ct_state_new(how->state_root, how->id, "create", ct, e);
	if (r < 0) {
		making_done(&m);
		return r;
	}
	r = prepare(&m, e);
	if (r >= 0)
		r = walk_steps(&m, e);
	if (r < 0) {
		ct_prefer_words_of_init(&m.sync, e);
		ct_blame_memory(ct, e);
		ct_devices_take_back(m.netns, &m.devices);
		/* One that somebody has frozen meanwhile (a hook may) ends when ct_delete() thaws it. */
		proc_end(m.pid, m.pidfd, END_MS);
		making_done(&m);
		if (ct_delete(ct, true, &ignored) < 0)
			log_warn("clean up after a failed start: %s", ignored.text);
		ct_close(ct);
		return -e->no;
	}
	if (how->at_once)
		out->init = take_fd(&m.sync.fd);
	out->told = m.init.ahead;
	out->pidfd = take_fd(&m.pidfd);
	out->console = take_fd(&m.console_master);
	out->netns = take_fd(&m.netns);
	out->devices = m.devices;
	m.devices = (struct ct_devices){0};
	making_done(&m);
	return 0;
}

int ct_record_init(struct ct *ct, pid_t pid, struct err *e)
{
	int r = proc_start_time(pid, &ct->s.pid_start, e);

	if (r < 0)
		return r;
	ct->s.pid = pid;
	ct->s.status = CT_RUNNING;
	ct->s.hooked = false;
	return ct_state_save(ct, e);
}
