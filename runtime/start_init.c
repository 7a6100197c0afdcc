// SPDX-License-Identifier: GPL-2.0-only
/* Init's side of the steps, top to bottom: a new process becomes the container's first program. */
#include "runtime/start_init.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fault.h"
#include "base/own.h"
#include "base/sys.h"
#include "net/veth.h"
#include "ns/caps.h"
#include "ns/console.h"
#include "ns/fds.h"
#include "ns/numa.h"
#include "ns/self.h"
#include "ns/sysctl.h"
#include "ns/timens.h"
#include "ns/user.h"
#include "ns/uts.h"
#include "runtime/program.h"
#include "runtime/start_mounts.h"
#include "runtime/state.h"
#include "runtime/steps.h"

bool ct_init_buries(const struct ct_init *init)
{
	return init->spec->own[CT_NS_PID] && init->spec->own[CT_NS_MOUNT] && !init->no_pivot;
}

/*
 * I am a copy of the host side in new namespaces, with its memory and descriptors, and no id of mine is mapped yet. First acts: die with who made
 * me, and hold nothing that I was not given.
 */
static int begin(struct ct_stage *s, struct err *e)
{
	struct ct_init *in = s->in;
	size_t n = 0,
	       most = 10 + in->spec->n_mounts + in->spec->n_devices + (size_t)in->preserve_fds;
	auto_free int *keep = calloc(most, sizeof(int));
	int r = ns_self_die_with_parent(in->parent, e);

	if (r < 0)
		return r;
	if (!keep)
		return err_set(e, ENOMEM, "out of memory for descriptors");
	/* First of all, that nothing of mine is accounted to the host. */
	r = cg_doors_enter(&in->doors, e);
	if (r < 0)
		return r;
	keep[n++] = in->sync.fd;
	keep[n++] = in->listen;
	keep[n++] = in->rootfs;
	keep[n++] = in->console_mount;
	keep[n++] = in->console_slave;
	keep[n++] = ns_self_mount_fd();
	for (int i = 0; i < 3; i++)
		keep[n++] = in->stdio[i];
	for (size_t i = 0; i < in->spec->n_mounts; i++)
		keep[n++] = in->spec->mounts[i].source_fd;
	for (size_t i = 0; i < in->spec->n_devices; i++)
		keep[n++] = in->spec->devices[i].mount_fd;
	for (int i = 0; i < in->preserve_fds; i++)
		keep[n++] = 3 + i;
	r = ns_fds_close_others(keep, n, e);
	if (r < 0)
		return r;
	/*
	 * Who shares its processes with others must not be looked into while it holds host descriptors (CVE-2016-9962). A late one holds none, and its maps could
	 * not be written any more: /proc/PID of an undumpable process is root's (proc(5)).
	 */
	if (!in->spec->own[CT_NS_PID] && !in->late)
		return ns_self_undumpable(e);
	return 0;
}

/*
 * Before I take the ids of the container: a change of ids makes /proc/self root's of the host (PR_SET_DUMPABLE(2const)), whom my user namespace does not know, and the offsets could not be opened for
 * writing any more. The clocks of my user namespace are mine all the same (time_namespaces(7)).
 */
static int make_clocks(const struct ct_spec *spec, struct err *e)
{
	if (!spec->own[CT_NS_TIME])
		return 0;
	return ns_time_unshare(spec->has_time_monotonic ? &spec->time_monotonic : NULL,
			       spec->has_time_boottime ? &spec->time_boottime : NULL, e);
}

/* The host has written my maps. */
static int step_idmap(struct ct_stage *s, struct err *e)
{
	int r = ct_spec_userns(s->in->spec)
			? sync_expect(&s->in->sync, CT_STEP_IDMAP, SYNC_OK, NULL, NULL, e)
			: 0;

	if (r >= 0)
		r = make_clocks(s->in->spec, e);
	if (r < 0)
		return r;
	if (ct_spec_userns(s->in->spec)) {
		r = ns_user_become_root(s->process.n_groups < 0, e);
		if (r < 0)
			return r;
		/* A change of ids forgets the parent-death signal (PR_SET_PDEATHSIG(2const)). */
		r = ns_self_die_with_parent(s->in->parent, e);
		if (r < 0)
			return r;
	}
	/* Only now: the control groups I am in become the roots of my view. */
	if (s->in->spec->own[CT_NS_CGROUP] && unshare(CLONE_NEWCGROUP) < 0)
		return err_sys(e, "make a cgroup namespace");
	return 0;
}

/* One that is joined may belong to others, who have given it that name already. */
static bool is_named(const struct ct_spec *spec)
{
	struct utsname now;

	if (!spec->hostname && !spec->domainname)
		return true;
	return spec->join[CT_NS_UTS] && uname(&now) == 0 &&
	       (!spec->hostname || !strcmp(now.nodename, spec->hostname)) &&
	       (!spec->domainname || !strcmp(now.domainname, spec->domainname));
}

static int step_kernel(struct ct_stage *s, struct err *e)
{
	const struct ct_spec *spec = s->in->spec;
	auto_fd int procfs = -EBADF;
	int r = 0;

	if ((s->in->late || spec->rootless) && spec->own[CT_NS_NETWORK])
		r = net_loopback_up(-EBADF, e);
	if (r >= 0 && !is_named(spec))
		r = ns_uts_set(spec->hostname, spec->domainname, e);
	if (r >= 0 && spec->n_sysctls) {
		procfs = ns_sysctl_procfs(e);
		r = procfs < 0 ? procfs : 0;
	}
	for (size_t i = 0; r >= 0 && i < spec->n_sysctls; i++)
		r = ns_sysctl_write(procfs, spec->sysctls[i].key, spec->sysctls[i].value, e);
	/* In the container's control group, whose cpuset has a say in it. */
	return r < 0 ? r : ns_numa_apply(&spec->numa, e);
}

static int run_hooks(struct ct_stage *s, enum ct_hook_point point, enum ct_status status,
		     struct err *e)
{
	json_t *state = s->in->hook_state;

	if (!s->in->spec->hooks.n[point])
		return 0;
	/* As we see it ourselves: in a pid namespace of our own that is 1 (runtime-spec, "State"). */
	if (json_object_set_new(state, "pid", json_integer(getpid())) < 0 ||
	    json_object_set_new(state, "status", json_string(ct_status_to_str(status))) < 0)
		return err_set(e, ENOMEM, "out of memory for the state");
	return ct_hooks_run(&s->in->spec->hooks, point, state, NULL, e);
}

/* The host's paths are still those that a name leads to, the mounts are the container's. */
static int step_hooks(struct ct_stage *s, struct err *e)
{
	int r;

	if (!ct_has_create_hooks(s->in->spec))
		return 0;
	r = sync_send(&s->in->sync, CT_STEP_HOOKS, SYNC_ASK, 0, -EBADF, e);
	if (r >= 0)
		r = sync_expect(&s->in->sync, CT_STEP_HOOKS, SYNC_OK, NULL, NULL, e);
	/* runc's begin there (crun's in the bundle, with the others), and some rely on it: `mount --bind /lib/x ./lib/x`. */
	if (r >= 0 && fchdir(s->root) < 0)
		r = err_sys(e, "enter the root file system");
	return r < 0 ? r : run_hooks(s, CT_HOOK_CREATE_CONTAINER, CT_CREATED, e);
}

static int take_terminal(struct ct_stage *s, struct err *e)
{
	int slave = s->in->console_slave >= 0 ? s->in->console_slave : s->console_slave;
	int r = ns_console_session(e);

	if (r < 0)
		return r;
	if (slave < 0)
		return ns_console_stdio(s->in->stdio, e);
	return ns_console_take(slave, e);
}

/*
 * A terminal of its own is taken at once: one that is created and waits must not hold its caller's output. containerd's shim reads what `create` says to the end of the stream, and only then the
 * terminal.
 */
static int step_console(struct ct_stage *s, struct err *e)
{
	int r;

	if (s->console_master < 0)
		return 0;
	r = sync_send(&s->in->sync, CT_STEP_CONSOLE, SYNC_FD, 0, s->console_master, e);
	own_close_fd(&s->console_master);
	return r < 0 ? r : take_terminal(s, e);
}

/* The host has written down that we are created. From here on we live without it. */
static int await_word(struct ct_init *in, struct err *e)
{
	int r = sync_expect(&in->sync, CT_STEP_READY, SYNC_OK, NULL, NULL, e);

	if (r >= 0 && prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0) < 0)
		return err_sys(e, "outlive the host side");
	return r;
}

static int step_ready(struct ct_stage *s, struct err *e)
{
	struct ct_init *in = s->in;
	/* A program that does not exist fails the creation already, as with runc and crun: Podman's 127 depends on it. */
	int r = s->process.args ? ct_program_look(&s->process, e) : 0;

	/* Then the word is the start's, too, and waited for when there is nothing else to do. */
	if (r < 0 || in->ahead)
		return r;
	r = sync_send(&in->sync, CT_STEP_READY, SYNC_ASK, 0, -EBADF, e);
	if (r >= 0)
		r = await_word(in, e);
	/* Created and started by one command: its OK was the word, and what follows goes to it. */
	if (r < 0 || in->listen < 0)
		return r;
	r = sync_send(&in->sync, CT_STEP_READY, SYNC_OK, 0, -EBADF, e);
	own_close_fd(&in->sync.fd);
	return r;
}

/* Waits on start.sock, which only host root can reach, for as long as it takes. in->sync is the asker's from now on. */
static int step_start(struct ct_stage *s, struct err *e)
{
	struct ct_init *in = s->in;

	while (in->listen >= 0) {
		struct err gone = {0};

		/* accept4(2) takes memory and a descriptor before it waits (do_accept()): without them a container that create has called created would end while nobody asks. */
		(void)poll(&(struct pollfd){.fd = in->listen, .events = POLLIN}, 1, -1);
		do
			in->sync.fd = accept4(in->listen, NULL, NULL, SOCK_CLOEXEC);
		while (in->sync.fd < 0 && errno == EINTR);
		if (in->sync.fd < 0)
			return err_sys(e, "wait to be started");
		in->sync.peer = "start";
		if (sync_expect(&in->sync, CT_STEP_START, SYNC_ASK, NULL, NULL, &gone) == 0)
			break;
		/* Who asked was killed before it said so: the next one may. */
		own_close_fd(&in->sync.fd);
	}
	own_close_fd(&in->listen);
	if (ct_spec_need_process(in->spec, e) < 0)
		return -e->no;
	/* Here and not before the step as all others: until now nobody would have heard of it. */
	return fault_at("init.start", e);
}

/* Before the filter of system calls is loaded: behind it there is nothing but write(2), for a hook what it does, and execve(2). Old profiles know no close_range(2). */
static int keep_descriptors(const struct ct_stage *s, struct err *e)
{
	size_t n = 0;
	auto_free int *keep = calloc((size_t)s->in->preserve_fds + 1, sizeof(int));

	if (!keep)
		return err_set(e, ENOMEM, "out of memory for descriptors");
	for (int i = 0; i < s->in->preserve_fds; i++)
		keep[n++] = 3 + i;
	return ns_fds_keep_only(keep, n, e);
}

static int step_process(struct ct_stage *s, struct err *e)
{
	const struct ct_spec *spec = s->in->spec;
	int r = s->console_slave >= 0 ? 0 : take_terminal(s, e);

	if (r >= 0 && spec->personality)
		r = ns_self_personality(spec->personality, e);
	if (r >= 0)
		r = ct_program_home(&s->process, NULL, e);
	if (r >= 0)
		r = keep_descriptors(s, e);
	if (r >= 0)
		r = ct_program_prepare(&s->process, true, e);
	/* Behind the filter nothing can be received any more. */
	if (r >= 0 && s->in->ahead)
		r = await_word(s->in, e);
	s->in->sync.filtered = ct_spec_filters(spec);
	if (r >= 0)
		r = ct_program_become(&s->process, s->in->filter, &s->in->sync, CT_STEP_PROCESS, e);
	return r;
}

static int step_start_hooks(struct ct_stage *s, struct err *e)
{
	char **ours = environ;
	int r;

	/* One without an environment of its own has the program's, which it runs in front of (runc since 1.3). */
	environ = s->process.env;
	r = run_hooks(s, CT_HOOK_START_CONTAINER, CT_CREATED, e);
	environ = ours; /* until the program's begins: $SKEP_FAULT is in it */
	return r;
}

/* Returns only when the program cannot be executed. */
static int step_exec(struct ct_stage *s, struct err *e)
{
	/* "About to": the end of the stream behind this word is execve's doing, without it somebody killed us. */
	int r = sync_send(&s->in->sync, CT_STEP_EXEC, SYNC_OK, 0, -EBADF, e);
	return r < 0 ? r : ct_program_exec(&s->process, e);
}

static const struct {
	enum ct_step step;
	int (*run)(struct ct_stage *s, struct err *e);
	const char *fault;
} steps[] = {
	{CT_STEP_IDMAP, step_idmap, "init.idmap"},
	{CT_STEP_ROOTFS, ct_step_rootfs, "init.rootfs"},
	{CT_STEP_MOUNTS, ct_step_mounts, "init.mounts"},
	{CT_STEP_DEV, ct_step_dev, "init.dev"},
	{CT_STEP_MASKS, ct_step_masks, "init.masks"},
	{CT_STEP_KERNEL, step_kernel, "init.kernel"},
	{CT_STEP_HOOKS, step_hooks, "init.hooks"},
	{CT_STEP_PIVOT, ct_step_pivot, "init.pivot"},
	{CT_STEP_CONSOLE, step_console, "init.console"},
	{CT_STEP_READY, step_ready, "init.ready"},
	{CT_STEP_START, step_start, NULL},
	{CT_STEP_PROCESS, step_process, "init.process"},
	{CT_STEP_START_HOOKS, step_start_hooks, "init.starthooks"},
	{CT_STEP_EXEC, step_exec, "init.exec"},
};

_Noreturn void ct_init_run(struct ct_init *in)
{
	struct ct_stage s = {.in = in,
			     .process = in->spec->process,
			     .root = -EBADF,
			     .console_master = -EBADF,
			     .console_slave = -EBADF};
	struct err e = {0};
	int r = begin(&s, &e);

	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(steps); i++) {
		s.step = steps[i].step;
		r = steps[i].fault ? fault_at(steps[i].fault, &e) : 0;
		if (r >= 0)
			r = steps[i].run(&s, &e);
	}
	if (in->sync.fd >= 0)
		sync_send_error(&in->sync, s.step, &e);
	_exit(e.class == ERR_NOT_FOUND ? 127 : e.class == ERR_NOT_RUNNABLE ? 126 : 1);
}
