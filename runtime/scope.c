// SPDX-License-Identifier: GPL-2.0-only
/* The helper program skep-systemd: its words, and its answers. */
#include "runtime/scope.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "base/own.h"
#include "runtime/libexec.h"
#include "runtime/spec.h"

#define HELPER	      "skep-systemd"
#define SUBGROUP      "run.oci.systemd.subgroup"
#define SUBGROUP_MOST 100

/* The helper gives up on a job of systemd's before. */
#define ANSWER_S 60

#define WORDS_MOST 24
#define WORD_MOST  320

/* An argument vector in the making. */
struct words {
	char *argv[WORDS_MOST + 1];
	char text[WORDS_MOST][WORD_MOST];
	int n;
};

static void add(struct words *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void add(struct words *w, const char *fmt, ...)
{
	va_list args;

	if (w->n == WORDS_MOST)
		abort(); /* six words and 13 properties are all there are */
	va_start(args, fmt);
	vsnprintf(w->text[w->n], WORD_MOST, fmt, args);
	va_end(args);
	w->argv[w->n] = w->text[w->n];
	w->n++;
}

static void add_size(struct words *w, const char *property, uint64_t value)
{
	if (value == CG_UNLIMITED)
		add(w, "%s=infinity", property);
	else
		add(w, "%s=%" PRIu64, property, value);
}

/* systemd.resource-control(5). On v1 hosts, too, systemd has these words and translates them. Bandwidth of disks has none that fit: it is written to the group alone. */
static void add_limits(struct words *w, const struct cg_limits *l)
{
	static const char *const properties[CG_LIMIT_COUNT] = {
		[CG_LIMIT_CPU_WEIGHT] = "CPUWeight",   [CG_LIMIT_CPU_PERIOD] = "CPUQuotaPeriodUSec",
		[CG_LIMIT_MEM_MAX] = "MemoryMax",      [CG_LIMIT_MEM_HIGH] = "MemoryHigh",
		[CG_LIMIT_MEM_LOW] = "MemoryLow",      [CG_LIMIT_MEM_MIN] = "MemoryMin",
		[CG_LIMIT_SWAP_MAX] = "MemorySwapMax", [CG_LIMIT_PIDS_MAX] = "TasksMax",
		[CG_LIMIT_IO_WEIGHT] = "IOWeight",
	};

	for (int i = 0; i < CG_LIMIT_COUNT; i++)
		if (l->set[i] && properties[i])
			add_size(w, properties[i], l->value[i]);
	/* Of a second of CPU time: ours is in thousandths of a CPU. */
	if (l->set[CG_LIMIT_CPU_QUOTA])
		add_size(w, "CPUQuotaPerSecUSec",
			 l->value[CG_LIMIT_CPU_QUOTA] == CG_UNLIMITED
				 ? CG_UNLIMITED
				 : l->value[CG_LIMIT_CPU_QUOTA] * 1000);
	if (l->cpus[0])
		add(w, "AllowedCPUs=%s", l->cpus);
	if (l->mems[0])
		add(w, "AllowedMemoryNodes=%s", l->mems);
}

/* "system:UNIT" as two words. */
static int add_name(struct words *w, const char *verb, const char *name, struct err *e)
{
	const char *unit = strchr(name, ':');

	if (!unit || strlen(name) >= CT_SCOPE_MOST)
		return err_set(e, EINVAL, "'%.64s' names no scope", name);
	add(w, "%s", HELPER);
	add(w, "%s", verb);
	add(w, "%.*s", (int)(unit - name), name);
	add(w, "%s", unit + 1);
	return 0;
}

/* I am the child: the socket is my input and output. What I have to say before I can speak on it goes to the caller's standard error. */
static _Noreturn void run_helper(const char *path, char *const argv[], int sock, pid_t parent)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent || dup2(sock, 0) < 0 ||
	    dup2(sock, 1) < 0 || close_range(3, ~0u, 0) < 0)
		_exit(127);
	execv(path, argv);
	_exit(127);
}

static int start_helper(char *const argv[], struct ct_scope *scope, struct err *e)
{
	const struct timeval most = {.tv_sec = ANSWER_S};
	auto_fd int ours = -EBADF;
	auto_fd int theirs = -EBADF;
	char path[PATH_MAX];
	pid_t parent = getpid();
	int pair[2];

	if (ct_libexec_find(HELPER, path, sizeof(path), e) < 0)
		return -e->no;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, "make a socket");
	ours = pair[0];
	theirs = pair[1];
	/* On both ends no number below 3: dup2() of a number onto itself would leave it to close at execve. */
	if (theirs < 3) {
		int up = fcntl(theirs, F_DUPFD_CLOEXEC, 3);

		if (up < 0)
			return err_sys(e, "make a socket");
		close(theirs);
		theirs = up;
	}
	if (setsockopt(ours, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof(most)) < 0)
		return err_sys(e, "bound the wait for systemd");
	scope->pid = fork();
	if (scope->pid == 0)
		run_helper(path, argv, theirs, parent);
	if (scope->pid < 0) {
		scope->pid = 0;
		return err_sys(e, "start " HELPER);
	}
	scope->hold = take_fd(&ours);
	return 0;
}

void ct_scope_release(struct ct_scope *scope)
{
	own_close_fd(&scope->hold);
	if (scope->pid <= 0)
		return;
	kill(scope->pid, SIGKILL); /* our child, not reaped yet: the number is its own */
	while (waitpid(scope->pid, NULL, 0) < 0 && errno == EINTR)
		;
	scope->pid = 0;
}

/* Its line, without the "ok ". -ENOTCONN: systemd is not to be reached. */
static int hear(const struct ct_scope *scope, char *line, size_t size, struct err *e)
{
	size_t len = 0;
	ssize_t n;

	do {
		n = read(scope->hold, line + len, size - 1 - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return err_set(e, ETIMEDOUT, "systemd has not answered in %d s", ANSWER_S);
		if (n < 0)
			return err_sys(e, "hear " HELPER);
		len += n > 0 ? (size_t)n : 0;
		line[len] = 0;
	} while (n != 0 && len < size - 1 && !strchr(line, '\n'));
	line[strcspn(line, "\n")] = 0;
	if (!strncmp(line, "ok", 2)) {
		memmove(line, line + 2 + (line[2] == ' '), strlen(line) - 1 - (line[2] == ' '));
		return 0;
	}
	if (!strncmp(line, "error ", 6))
		return err_set(e, EIO, "%s", line + 6);
	if (!strncmp(line, "exists ", 7)) {
		err_set(e, EEXIST, "%s", line + 7);
		return err_class(e, ERR_EXISTS);
	}
	if (!strncmp(line, "nobus ", 6)) {
		err_set(e, ENOTCONN, "%s", line + 6);
		err_hint(e, "is systemd this host's init? Else use cgroupfs (--cgroup-manager)");
		return err_class(e, ERR_UNSUPPORTED);
	}
	err_set(e, EIO, "the helper program " HELPER " ended without an answer");
	return err_hint(e, "it needs libsystemd.so.0");
}

static int ask(struct words *w, struct err *e)
{
	struct ct_scope scope = CT_SCOPE_INIT;
	char line[512];
	int r = start_helper(w->argv, &scope, e);

	if (r >= 0)
		r = hear(&scope, line, sizeof(line), e);
	ct_scope_release(&scope);
	return r;
}

/* Where the parts of "SLICE:PREFIX:NAME" begin. Of "SLICE:NAME", which crun takes, too, prefix is the colon: none. */
static bool split(const char *path, const char **prefix, const char **name)
{
	const char *first = path ? strchr(path, ':') : NULL;
	const char *second = first ? strchr(first + 1, ':') : NULL;

	if (!first || strchr(path, '/'))
		return false;
	*prefix = second ? first + 1 : first;
	*name = (second ? second : first) + 1;
	return **name && !strchr(*name, ':');
}

const char *ct_scope_subgroup(const struct ct_spec *spec)
{
	const char *name = json_string_value(json_object_get(spec->annotations, SUBGROUP));

	return name && *name ? name : NULL;
}

static int judge_subgroup(const struct ct_spec *spec, struct err *e)
{
	const char *name = ct_scope_subgroup(spec);

	if (!name || (!strchr(name, '/') && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
		      strlen(name) <= SUBGROUP_MOST))
		return 0;
	err_set(e, EINVAL, "annotations: " SUBGROUP ": '%.64s' cannot name a control group", name);
	return err_class(e, ERR_CONFIG);
}

int ct_scope_judge(const struct ct_spec *spec, struct err *e)
{
	const char *prefix, *name, *path = spec->cgroup;
	bool fits = split(path, &prefix, &name);

	if (spec->manager == CT_MANAGER_SYSTEMD) {
		if (!path || fits)
			return judge_subgroup(spec, e);
		err_set(e, EINVAL,
			"linux.cgroupsPath: '%s' must be \"SLICE:PREFIX:NAME\" for systemd", path);
		return err_class(e, ERR_CONFIG);
	}
	if (!path || !strchr(path, ':'))
		return 0;
	err_set(e, EINVAL, "linux.cgroupsPath: '%s' is for systemd as the maker of cgroups", path);
	err_hint(e, "give --systemd-cgroup, or use the caller's cgroupfs manager (podman "
		    "--cgroup-manager=cgroupfs)");
	return err_class(e, ERR_CONFIG);
}

static bool ends_with(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);

	return n >= m && !strcmp(text + n - m, end);
}

int ct_scope_name(const struct ct_spec *spec, const char *id, char out[CT_SCOPE_MOST],
		  struct err *e)
{
	const char *prefix = "skep:", *name = id;
	const char *whose = spec->rootless ? "user" : "system";
	int n;

	if (spec->cgroup)
		split(spec->cgroup, &prefix, &name);
	n = snprintf(out, CT_SCOPE_MOST, "%s:%.*s%s%s%s", whose, (int)strcspn(prefix, ":"), prefix,
		     prefix[0] == ':' ? "" : "-", name, ends_with(name, ".scope") ? "" : ".scope");
	if (n < CT_SCOPE_MOST)
		return 0;
	err_set(e, ENAMETOOLONG, "linux.cgroupsPath is too long for a unit of systemd's");
	return err_class(e, ERR_CONFIG);
}

int ct_scope_start(const char *name, const struct ct_spec *spec, const char *id,
		   struct ct_scope *scope, char *group, size_t size, struct err *e)
{
	const char *slice = spec->rootless ? "user.slice" : "system.slice";
	size_t len = spec->cgroup ? strcspn(spec->cgroup, ":") : 0;
	struct words w = {.n = 0};
	char line[512];
	int r = add_name(&w, "start", name, e);

	if (r < 0)
		return r;
	if (len)
		add(&w, "%.*s", (int)len, spec->cgroup);
	else
		add(&w, "%s", slice);
	add(&w, "skep container %s", id);
	add_limits(&w, &spec->limits);
	r = start_helper(w.argv, scope, e);
	if (r >= 0)
		r = hear(scope, line, sizeof(line), e);
	if (r < 0)
		return err_wrap(e, "systemd's %s", strchr(name, ':') + 1);
	if (line[0] != '/' || strlen(line) > size)
		return err_set(e, EIO, "systemd's %s has no control group that can be used: '%s'",
			       name, line);
	snprintf(group, size, "%s", line + 1);
	return 0;
}

int ct_scope_attach(const char *name, int group, pid_t pid, struct err *e)
{
	struct words w = {.n = 0};
	char link[32], path[512];
	const char *unit, *below;
	ssize_t n;

	if (add_name(&w, "attach", name, e) < 0)
		return -e->no;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", group);
	n = readlink(link, path, sizeof(path) - 1);
	if (n < 0)
		return err_sys(e, "read %s", link);
	path[n] = 0;
	unit = strchr(name, ':') + 1;
	below = strstr(path, unit);
	if (!below)
		return err_set(e, EINVAL, "%s is not below %s", path, unit);
	add(&w, "%s", below + strlen(unit));
	add(&w, "%d", pid);
	return ask(&w, e);
}

int ct_scope_set(const char *name, const struct cg_limits *limits, struct err *e)
{
	struct words w = {.n = 0};
	int r = add_name(&w, "set", name, e);
	int before = w.n;

	if (r < 0)
		return r;
	add_limits(&w, limits);
	return w.n == before ? 0 : ask(&w, e);
}

int ct_scope_stop(const char *name, struct err *e)
{
	struct words w = {.n = 0};
	struct err why = {0};
	int r = add_name(&w, "stop", name, e);

	if (r < 0)
		return r;
	r = ask(&w, &why);
	if (r == -ENOTCONN) {
		log_warn("systemd's %s: %s", name, why.text);
		return 0;
	}
	if (r < 0)
		*e = why;
	return r;
}
