// SPDX-License-Identifier: GPL-2.0-only
/* The processes of a container, and what of a process as a whole stands in the way of a checkpoint. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/kcmp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/own.h"
#include "cgroups/hierarchy.h"
#include "cgroups/kill.h"
#include "cgroups/member.h"
#include "checkpoint/preflight_look.h"
#include "ns/caps.h"

#define STATUS_MOST 65536

static const struct {
	const char *file, *name;
	bool nested;
} namespaces[CR_LOOK_NS_COUNT] = {
#define X(name, file, nested) [CR_LOOK_NS_##name] = {"ns/" file, file, nested},
	CR_LOOK_NAMESPACES(X)
#undef X
};

/* The word of "Word:\tvalue" in a status file; NULL: there is none. */
static const char *field(const char *status, const char *word)
{
	size_t n = strlen(word);

	for (const char *line = status; line; line = strchr(line, '\n')) {
		line += line != status;
		if (!strncmp(line, word, n) && line[n] == ':')
			return line + n + 1 + strspn(line + n + 1, "\t ");
	}
	return NULL;
}

static long number(const char *status, const char *word)
{
	const char *at = field(status, word);

	return at ? strtol(at, NULL, 10) : 0;
}

/* NSpid and NSsid have a number for each pid namespace, the outermost first: the one at that depth, 0 if it is not that deep. */
static long number_at(const char *status, const char *word, unsigned depth)
{
	const char *at = field(status, word);
	char *end;
	long n = 0;

	for (unsigned i = 0; at && i <= depth; i++) {
		n = strtol(at, &end, 10);
		if (end == at)
			return 0;
		at = end;
		if (*at == '\n' && i < depth)
			return 0;
	}
	return n;
}

/* How many pid namespaces init is below ours. */
static unsigned depth_of(const char *status)
{
	const char *at = field(status, "NSpid");
	unsigned n = 0;

	for (; at && *at && *at != '\n'; at++)
		n += *at == '\t';
	return n;
}

static void read_name(const char *status, char name[64])
{
	const char *at = field(status, "Name");

	snprintf(name, 64, "%.*s", at ? (int)strcspn(at, "\n") : 0, at ? at : "");
}

static uint64_t read_caps(const char *status)
{
	static const char *const sets[] = {"CapBnd", "CapPrm", "CapEff", "CapInh", "CapAmb"};
	uint64_t all = 0;

	for (size_t i = 0; i < ARRAY_SIZE(sets); i++) {
		const char *at = field(status, sets[i]);

		all |= at ? strtoull(at, NULL, 16) : 0;
	}
	return all;
}

/* 0: it has gone. */
static int read_process(struct cr_look_process *p, pid_t pid, unsigned depth)
{
	auto_free char *status = NULL;
	char link[64];

	snprintf(link, sizeof(link), "/proc/%d", pid);
	*p = (struct cr_look_process){.pid = pid,
				      .proc = open(link, O_PATH | O_DIRECTORY | O_CLOEXEC)};
	status = p->proc < 0 ? NULL : cr_look_read(p, "status", STATUS_MOST);
	if (!status || !field(status, "State")) {
		own_close_fd(&p->proc);
		return 0;
	}
	read_name(status, p->name);
	p->state = *field(status, "State");
	p->parent = (pid_t)number(status, "PPid");
	p->tracer = (pid_t)number(status, "TracerPid");
	p->threads = (unsigned)number(status, "Threads");
	p->seccomp = (unsigned)number(status, "Seccomp");
	p->caps = read_caps(status);
	p->inner = (pid_t)number_at(status, "NSpid", depth);
	p->session = (pid_t)number_at(status, "NSsid", depth);
	for (int k = 0; k < CR_LOOK_NS_COUNT; k++) {
		ssize_t n = readlinkat(p->proc, namespaces[k].file, link, sizeof(link) - 1);

		link[n > 0 ? n : 0] = 0;
		p->ns[k] = strchr(link, '[') ? strtoull(strchr(link, '[') + 1, NULL, 10) : 0;
	}
	return 1;
}

static int by_pid(const void *a, const void *b)
{
	const struct cr_look_process *x = a, *y = b;

	return x->pid < y->pid ? -1 : x->pid > y->pid;
}

int cr_look_read_processes(struct cr_look *l, struct err *e)
{
	struct cr_look_process init = {.pid = l->ct->s.pid, .proc = -EBADF};
	auto_free char *status = NULL;
	auto_free pid_t *pids = NULL;
	auto_fd int proc = -EBADF;
	char path[32];
	unsigned depth;
	int n = cg_pids(l->cg, &pids, e);

	if (n < 0)
		return n;
	snprintf(path, sizeof(path), "/proc/%d", init.pid);
	proc = init.proc = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	status = proc < 0 ? NULL : cr_look_read(&init, "status", STATUS_MOST);
	l->root = proc < 0 ? -1 : openat(proc, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	l->processes = calloc((size_t)n + 1, sizeof(*l->processes));
	if (!status || l->root < 0 || !l->processes) {
		err_set(e, ESRCH, "container %s has just ended", l->ct->s.id);
		return err_class(e, ERR_NOT_RUNNING);
	}
	depth = depth_of(status);
	for (int i = 0; i < n; i++)
		l->process_count +=
			(size_t)read_process(&l->processes[l->process_count], pids[i], depth);
	qsort(l->processes, l->process_count, sizeof(*l->processes), by_pid);
	if (cr_look_init(l))
		return 0;
	err_set(e, ESRCH, "container %s has just ended", l->ct->s.id);
	return err_class(e, ERR_NOT_RUNNING);
}

/* criu takes init and its descendants. Whoever was brought in has a parent outside, would be left behind, and die with init's namespace. */
static bool is_guest(const struct cr_look *l, const struct cr_look_process *p)
{
	for (int depth = 0; p && depth < 10000; depth++) {
		if (p->pid == l->ct->s.pid)
			return false;
		p = cr_look_process(l, p->parent);
	}
	return true;
}

/* What one writes into a service's drop-in so that systemd does not make that namespace. */
static const char *setting(enum cr_look_ns kind)
{
	switch (kind) {
	case CR_LOOK_NS_UTS:
		return "ProtectHostname=no";
	case CR_LOOK_NS_IPC:
		return "PrivateIPC=no";
	case CR_LOOK_NS_USER:
		return "PrivateUsers=no";
	case CR_LOOK_NS_PID:
	case CR_LOOK_NS_PID_FOR_CHILDREN:
		return "PrivatePIDs=no";
	case CR_LOOK_NS_CGROUP:
		return "ProtectControlGroups=no";
	case CR_LOOK_NS_MNT:
	case CR_LOOK_NS_NET:
	case CR_LOOK_NS_TIME:
	case CR_LOOK_NS_TIME_FOR_CHILDREN:
	case CR_LOOK_NS_COUNT:
		break;
	}
	return "";
}

static void append(char *text, size_t size, const char *separator, const char *word)
{
	size_t n = strlen(text);

	if (word[0])
		snprintf(text + n, size - n, "%s%s", n ? separator : "", word);
}

static void look_at_namespaces(struct cr_look *l, const struct cr_look_process *p)
{
	const struct cr_look_process *init = cr_look_init(l);
	char kinds[96] = "", settings[96] = "", fix[sizeof(l->found->list->fix)];
	size_t n = l->found->count;

	for (int k = 0; k < CR_LOOK_NS_COUNT; k++) {
		/* The children's clock is the process's own, or criu refuses. */
		uint64_t want = init->ns[k == CR_LOOK_NS_TIME_FOR_CHILDREN ? CR_LOOK_NS_TIME : k];

		if (namespaces[k].nested || !p->ns[k] || p->ns[k] == want)
			continue;
		/* Then `time` differs, too, or its children's does. */
		if (k == CR_LOOK_NS_TIME_FOR_CHILDREN && p->ns[CR_LOOK_NS_TIME] == p->ns[k])
			continue;
		append(kinds, sizeof(kinds), ", ",
		       k == CR_LOOK_NS_TIME_FOR_CHILDREN ? "time" : namespaces[k].name);
		append(settings, sizeof(settings), ", ", setting((enum cr_look_ns)k));
	}
	if (!kinds[0])
		return;
	cr_look_add(l, p, "namespace", false, "stop it first",
		    "has namespaces of its own (%s), which cannot be taken along", kinds);
	if (n == l->found->count || !l->found->list[n].unit[0] || !settings[0])
		return;
	/* runtime/preset.c has all of them but those. */
	snprintf(
		fix, sizeof(fix), "stop it first, or put %s into a drop-in of its unit%s", settings,
		strstr(settings, "PrivatePIDs") || strstr(settings, "ProtectControlGroups")
			? ""
			: ": `skepctl set NAME --preset checkpointable` does so at the next start");
	memcpy(l->found->list[n].fix, fix, sizeof(fix));
}

static void name_of(pid_t pid, char name[64])
{
	struct cr_look_process p = {.pid = pid, .proc = -EBADF};

	name[0] = 0;
	if (!read_process(&p, pid, 0))
		return;
	snprintf(name, 64, "%s", p.name);
	own_close_fd(&p.proc);
}

/* A thread can be traced alone. */
static pid_t find_tracer(const struct cr_look_process *p)
{
	int fd = openat(p->proc, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_dir DIR *tasks = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (p->tracer || p->threads < 2 || !tasks)
		return p->tracer;
	while ((entry = readdir(tasks))) {
		auto_free char *status = NULL;
		char file[64];
		long tracer;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(file, sizeof(file), "task/%.32s/status", entry->d_name);
		status = cr_look_read(p, file, STATUS_MOST);
		tracer = status ? number(status, "TracerPid") : 0;
		if (tracer)
			return (pid_t)tracer;
	}
	return 0;
}

static void look_at_tracing(struct cr_look *l, const struct cr_look_process *p)
{
	pid_t tracer = find_tracer(p);
	const struct cr_look_process *inside = tracer ? cr_look_process(l, tracer) : NULL;
	char name[64];

	if (!tracer)
		return;
	name_of(tracer, name);
	if (inside)
		cr_look_add(l, p, "traced", false, "end that one first",
			    "is being traced by process %d (%s)", inside->inner, name);
	else
		cr_look_add(l, p, "traced", false, "end that one first",
			    "is being traced from outside by process %d (%s) of the host", tracer,
			    name);
}

/* kcmp(2) orders by a kernel address: the same processes, the same order; -1 when one has gone. */
static int order(pid_t a, pid_t b, int what)
{
	return (int)syscall(SYS_kcmp, a, b, what, 0, 0);
}

static int by_order(const void *a, const void *b, int what)
{
	pid_t x = *(const pid_t *)a, y = *(const pid_t *)b;
	int o = order(x, y, what);

	return o == 1 ? -1 : o == 2 ? 1 : o == 0 ? 0 : x < y ? -1 : 1;
}

static int by_memory(const void *a, const void *b)
{
	return by_order(a, b, KCMP_VM);
}

static int by_directory(const void *a, const void *b)
{
	return by_order(a, b, KCMP_FS);
}

static void say_shared(struct cr_look *l, pid_t pid, pid_t other, const char *what)
{
	const struct cr_look_process *p = cr_look_process(l, pid), *o = cr_look_process(l, other);

	/* The later one has it from the earlier one, most of all. */
	if (p->inner < o->inner) {
		const struct cr_look_process *first = p;

		p = o;
		o = first;
	}
	cr_look_add(l, p, "shared", true, "stop it first",
		    "shares its %s with process %d (%s), which cannot be taken along", what,
		    o->inner, o->name);
}

/* Two processes with one memory (clone(2), CLONE_VM without CLONE_THREAD) or one working directory: vfork(2) has the first for a moment, so it may pass. */
static void look_at_sharing(struct cr_look *l)
{
	static const struct {
		int (*by)(const void *, const void *);
		int what;
		const char *words;
	} kinds[] = {{by_memory, KCMP_VM, "memory"}, {by_directory, KCMP_FS, "working directory"}};
	auto_free pid_t *live = calloc(l->process_count + 1, sizeof(*live));
	size_t n = 0;

	for (size_t i = 0; live && i < l->process_count; i++)
		if (l->processes[i].state != 'Z' && l->processes[i].state != 'X')
			live[n++] = l->processes[i].pid;
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		size_t found = l->found->count;

		if (n > 1)
			qsort(live, n, sizeof(*live), kinds[k].by);
		for (size_t i = 1; i < n && found == l->found->count; i++)
			if (order(live[i - 1], live[i], kinds[k].what) == 0)
				say_shared(l, live[i], live[i - 1], kinds[k].words);
		/* One memory tells it all: such processes often share the rest, too. */
		if (found != l->found->count)
			return;
	}
}

/* The container may freeze groups of its own (systemctl freeze). criu would wait for a task in one of them to stop, for ever and with all locks. */
static bool is_frozen(const struct cr_look_process *p, const char *unified)
{
	auto_free char *groups = cr_look_read(p, "cgroup", 64 << 10), *events = NULL;
	const char *group = groups ? cg_member_path(groups, "") : NULL;
	char file[PATH_MAX];
	struct err gone = {0};

	if (!group ||
	    snprintf(file, sizeof(file), "%s%s/cgroup.events", unified, group) >= (int)sizeof(file))
		return false;
	return file_try_read_at(AT_FDCWD, file, 4096, &events, &gone) >= 0 &&
	       strstr(events, "frozen 1");
}

/* At the target no process may have more than the definition gives (verify.h), and that may have changed since init was started. */
static void look_at_caps(struct cr_look *l, const struct cr_look_process *p)
{
	const struct cr_look_process *init = cr_look_init(l);
	uint64_t more = p->caps & ~l->caps;
	char name[32];

	if (p != init)
		more &= ~init->caps; /* that was told of init, and of all */
	/* In a namespace of its own it has all, but over that namespace; and that is told. */
	if (p->ns[CR_LOOK_NS_USER] != init->ns[CR_LOOK_NS_USER])
		return;
	if (!more)
		return;
	ns_caps_to_str(__builtin_ctzll(more), name, sizeof(name));
	if (p == init)
		cr_look_add(l, NULL, "capability", false,
			    "stop and start it, so that it is as its definition",
			    "runs with the capability %s, which its definition does not give it "
			    "any more",
			    name);
	else
		cr_look_add(l, p, "capability", false, "start it inside: skepctl exec",
			    "has the capability %s, which no process of the container may have: it "
			    "was brought in from outside",
			    name);
}

void cr_look_processes(struct cr_look *l)
{
	struct err ignored = {0};
	const struct cg_host *host = cg_host(&ignored);

	for (size_t i = 0; i < l->process_count; i++) {
		const struct cr_look_process *p = &l->processes[i];

		if (p->state == 'X')
			continue;
		if (is_guest(l, p)) {
			cr_look_add(l, p, "guest", false,
				    "end that `skepctl enter` or `exec` first",
				    "was brought into the container from outside");
			continue;
		}
		if (p->state == 'Z') {
			if (p->threads > 1)
				cr_look_add(
					l, p, "leader", false, "restart that program",
					"has ended its first thread and goes on in others, which "
					"cannot be taken along");
			continue;
		}
		if (!p->session)
			cr_look_add(
				l, p, "session", false,
				"end it, or start it with setsid, or by skepctl exec",
				"belongs to a session outside, as what nsenter(1) left behind does");
		if (host && host->unified[0] && is_frozen(p, host->unified))
			cr_look_add(l, p, "frozen", false,
				    "thaw it inside: systemctl thaw, or cgroup.freeze of its group",
				    "is frozen by the container itself");
		if (!p->seccomp && cr_look_init(l)->seccomp)
			cr_look_add(
				l, p, "seccomp", false, "start it inside: skepctl exec",
				"has no system call filter, as all of the container must have: it "
				"was brought in from outside");
		look_at_caps(l, p);
		look_at_namespaces(l, p);
		look_at_tracing(l, p);
	}
	look_at_sharing(l);
}
