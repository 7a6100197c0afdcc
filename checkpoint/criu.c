// SPDX-License-Identifier: GPL-2.0-only
/* Running the criu program: found, given words and descriptors, watched until its end. */
#include "checkpoint/criu.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/own.h"
#include "base/proc.h"
#include "base/sync.h"
#include "base/sys.h"
#include "checkpoint/criu_tools.h"
#include "checkpoint/explain.h"
#include "checkpoint/group_flags.h"
#include "checkpoint/hook.h"
#include "checkpoint/unseen.h"
#include "ns/fds.h"
#include "runtime/libexec.h"

#define LOOK_MS	     1000
#define PRIVATE_CRIU "/usr/local/lib/skep/criu/bin/criu"

static bool runnable(const char *path, char *out)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0 &&
	       snprintf(out, 256, "%s", path) < 256;
}

static bool find_in_path(char *out)
{
	const char *path = getenv("PATH");
	auto_free char *list = strdup(path ? path : "/usr/sbin:/usr/bin:/sbin:/bin");
	char *save = NULL, file[256];

	for (char *dir = list ? strtok_r(list, ":", &save) : NULL; dir;
	     dir = strtok_r(NULL, ":", &save))
		if (dir[0] == '/' && snprintf(file, sizeof(file), "%s/criu", dir) < 256 &&
		    runnable(file, out))
			return true;
	/* Not in a user's PATH, but where distributions put it. */
	return runnable("/usr/sbin/criu", out);
}

int cr_criu_find(char *out, struct err *e)
{
	const char *own = getenv("SKEP_CRIU");

	if (own && own[0]) {
		if (runnable(own, out))
			return 0;
		err_set(e, ENOENT, "SKEP_CRIU=%s is no program", own);
		return err_class(e, ERR_UNSUPPORTED);
	}
	if (runnable(PRIVATE_CRIU, out) || find_in_path(out))
		return 0;
	err_set(e, ENOENT, "the program criu is not installed");
	err_hint(e,
		 "install criu (4.1 or newer for kernels from 6.13 on), or name it in $SKEP_CRIU");
	return err_class(e, ERR_UNSUPPORTED);
}

void cr_criu_add(struct cr_criu *c, const char *fmt, ...)
{
	va_list ap;
	char *word = NULL;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&word, fmt, ap);
	va_end(ap);
	if (n < 0 || c->word_count >= CR_WORDS_MAX - 1) {
		if (n >= 0)
			free(word);
		c->failed = true;
		return;
	}
	c->words[c->word_count++] = word;
}

void cr_criu_add_all(struct cr_criu *c, const char *const *words)
{
	for (; words && *words; words++)
		cr_criu_add(c, "%s", *words);
}

int cr_criu_init(struct cr_criu *c, const char *verb, enum err_class class, int images,
		 struct err *e)
{
	struct err without = {0};
	int r = cr_criu_find(c->program, e);

	if (r < 0)
		return r;
	if (ct_libexec_find(CR_TOOLS_DIR, c->tools, sizeof(c->tools), &without) < 0) {
		log_info("criu has only the host's tools: %s", without.text);
		c->tools[0] = 0;
	}
	c->verb = verb;
	c->class = class;
	c->images = images;
	snprintf(c->log, sizeof(c->log), "%s.log", verb);
	cr_criu_add(c, "%s", c->program);
	cr_criu_add(c, "%s", verb);
	/* Its working directory is the images' (become()): no path of ours can be too long or renamed meanwhile. */
	cr_criu_add(c, "--images-dir");
	cr_criu_add(c, ".");
	cr_criu_add(c, "--log-file");
	cr_criu_add(c, "%s", c->log);
	cr_criu_add(c, log_wants(LOG_LEVEL_DEBUG) ? "-v4" : "-v2");
	return 0;
}

void cr_criu_done(struct cr_criu *c)
{
	for (unsigned i = 0; i < c->word_count; i++)
		free(c->words[i]);
	cr_group_flags_let(&c->group_flags);
	*c = (struct cr_criu)CR_CRIU_INIT;
}

int cr_criu_pass(struct cr_criu *c, int fd)
{
	if (c->pass_count >= CR_PASS_MAX) {
		c->failed = true;
		return CR_PASS_FIRST;
	}
	c->pass[c->pass_count] = fd;
	return CR_PASS_FIRST + (int)c->pass_count++;
}

void cr_criu_set_logs(struct cr_criu *c, int logs, const char *path)
{
	c->logs = logs;
	cr_criu_add(c, "--work-dir");
	cr_criu_add(c, "%s", path);
}

void cr_criu_set_log_name(struct cr_criu *c, const char *name)
{
	if (snprintf(c->log, sizeof(c->log), "%s", name) >= (int)sizeof(c->log))
		c->failed = true;
	/* The last one counts. */
	cr_criu_add(c, "--log-file");
	cr_criu_add(c, "%s", name);
}

static int place_descriptors(const struct cr_criu *c, int report, struct err *e)
{
	int keep[CR_PASS_MAX + 1];
	int null;

	/* First: they may be our own 0, 1, 2. */
	for (unsigned i = 0; i < c->pass_count; i++) {
		keep[i] = CR_PASS_FIRST + (int)i;
		if (dup2(c->pass[i], keep[i]) < 0)
			return err_sys(e, "pass descriptor %d to criu", c->pass[i]);
	}
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0)
		return err_sys(e, "open /dev/null");
	keep[c->pass_count] = report;
	return ns_fds_close_others(keep, c->pass_count + 1, e);
}

/*
 * A dump that is killed halfway can cost the container its connections, or its life (dump.h). So what only asks programs to end, as a service manager asks all of a unit, is for our caller,
 * and when memory runs out it is taken from others; who may not say so (it takes CAP_SYS_RESOURCE) is as killable as they are.
 */
static void shield(void)
{
	static const int requests[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};
	struct err ignored = {0};

	for (size_t i = 0; i < ARRAY_SIZE(requests); i++)
		signal(requests[i], SIG_IGN);
	(void)file_write_at(AT_FDCWD, "/proc/self/oom_score_adj", "-1000", &ignored);
}

/*
 * I am a child of the caller and become criu: a session of my own, so that the terminal's signals miss me; not tied to the caller's life; in the
 * directory of the images; with the descriptors that I was given and no other.
 */
static _Noreturn void become(struct cr_criu *c, const struct cr_hook *hook, int report)
{
	struct err e = {0};
	sigset_t none;
	char kept[12];
	int r;

	snprintf(kept, sizeof(kept), "%u", c->pass_count);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	setsid();
	if (!strcmp(c->verb, "dump"))
		shield();
	umask(022);
	/* Before a new mount namespace is made: the working directory is taken along into it, a descriptor is not. */
	if (fchdir(c->images) < 0)
		r = err_sys(&e, "enter the images' directory");
	else if (hook &&
		 (setenv(CR_HOOK_ENV_SOCKET, hook->socket_path, 1) < 0 ||
		  setenv(CR_HOOK_ENV_STAGES, hook->stages, 1) < 0 ||
		  setenv(CR_HOOK_ENV_DECIDED, hook->decided ? hook->decided : "", 1) < 0 ||
		  setenv(CR_HOOK_ENV_UNDECIDED, hook->undecided ? hook->undecided : "", 1) < 0 ||
		  setenv(CR_HOOK_ENV_FREEZER, hook->freezer ? hook->freezer : "", 1) < 0 ||
		  setenv(CR_HOOK_ENV_KEPT, kept, 1) < 0 ||
		  setenv(CR_HOOK_ENV_JOURNAL, hook->journal ? hook->journal : "", 1) < 0))
		r = err_sys(&e, "tell criu's hook where we are");
	else
		r = c->prepare ? c->prepare(c->prepare_arg, &e) : 0;
	if (r >= 0 && c->tools[0])
		r = cr_tools_enter(c->tools, c->no_iptables, &e);
	if (r >= 0)
		r = place_descriptors(c, report, &e);
	if (r >= 0) {
		fcntl(report, F_SETFD, FD_CLOEXEC);
		execv(c->program, c->words);
		err_sys(&e, "execute %s", c->program);
	}
	if (write(report, &e, sizeof(e)) < 0)
		_exit(126);
	_exit(127);
}

int cr_criu_start(struct cr_criu *c, const struct cr_hook *hook, pid_t *pid, struct err *e)
{
	int report[2], pidfd = -EBADF;
	struct clone_args args = {
		.flags = CLONE_PIDFD, .exit_signal = SIGCHLD, .pidfd = (uint64_t)(uintptr_t)&pidfd};
	struct err why = {0};
	ssize_t n;

	if (c->failed)
		return err_set(e, E2BIG, "criu %s: too many words or no memory", c->verb);
	if (pipe2(report, O_CLOEXEC) < 0)
		return err_sys(e, "make a pipe");
	c->group_flags = cr_group_flags_keep(e);
	if (c->group_flags < 0 && e->no) {
		close(report[0]);
		close(report[1]);
		return -e->no;
	}
	fflush(NULL);
	*pid = sys_clone3(&args);
	if (*pid == 0)
		become(c, hook, report[1]);
	c->pid = *pid;
	close(report[1]);
	if (*pid < 0) {
		close(report[0]);
		return err_sys(e, "start criu");
	}
	do
		n = read(report[0], &why, sizeof(why));
	while (n < 0 && errno == EINTR);
	close(report[0]);
	if (n == 0)
		return pidfd;
	/* It has not become criu. */
	if (proc_wait(pidfd, -1, e) >= 0 && n == (ssize_t)sizeof(why) && !e->no)
		*e = why;
	close(pidfd);
	return e->no ? -e->no : err_set(e, EIO, "criu cannot be started");
}

/* Whether it has let go of its memory, and so is dead or about to be. A zombie of a process of ours keeps the number from being another's. */
static bool dying(pid_t pid)
{
	char path[32], exe[2];

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	return readlink(path, exe, sizeof(exe)) < 0 && errno == ENOENT;
}

static bool dead_child(pid_t but)
{
	auto_free char *list = NULL;
	struct err ignored = {0};
	char path[64], *save = NULL;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
	if (file_try_read_at(AT_FDCWD, path, 4096, &list, &ignored) < 0)
		return false;
	for (char *w = strtok_r(list, " \n", &save); w; w = strtok_r(NULL, " \n", &save))
		if (atoi(w) != but && dying(atoi(w)))
			return true;
	return false;
}

/*
 * A restored init is our child, by --restore-sibling. When it is killed before criu has seized it, criu is told by nobody, and waits for it on a futex for ever (seen; so do
 * all for our locks). Killed later it does not even become a zombie: it reaps all of its pid namespace first (zap_pid_ns_processes), which criu, their tracer, has not done
 * and never will, as it waits for init (seen: cr-restore.c at "Killing processes because of failure on restore"). When a dead child of ours is there at two looks, and criu too,
 * criu is ended, and its tracing with it.
 */
static void look_for_dead(const struct cr_criu *c, unsigned *looks)
{
	if (!dead_child(c->pid))
		*looks = 0;
	else if (++*looks == 2)
		kill(-c->pid, SIGKILL);
}

/* While it runs, its hook is answered; and once more after its end, for one that asked last. */
static int watch(const struct cr_criu *c, struct cr_hook *hook, int pidfd, struct err *e)
{
	bool restores = c->class == ERR_RESTORE;
	unsigned looks = 0;

	for (;;) {
		struct pollfd p[2 + CR_UNSEEN_FILES] = {
			{.fd = pidfd, .events = POLLIN},
			{.fd = hook ? hook->listener : -1, .events = POLLIN}};
		size_t n = c->unseen ? cr_unseen_poll(c->unseen, p + 2) : 0;
		int r = poll(p, 2 + n, restores ? LOOK_MS : -1);

		if (r < 0 && errno != EINTR)
			return err_sys(e, "wait for criu");
		if (r == 0)
			look_for_dead(c, &looks);
		if (r > 0)
			cr_unseen_serve(c->unseen, p + 2, n);
		if (r > 0 && hook && p[1].revents & POLLIN) {
			cr_group_flags_mend(c->group_flags);
			struct err why = {0};

			r = cr_hook_serve(hook, &why);
			if (r < 0)
				log_warn("criu's hook: %s", why.text);
			else if (r > 0 && hook->failed && !hook->failed->no)
				*hook->failed = why;
		} else if (r > 0 && p[0].revents) {
			return 0;
		}
	}
}

/*
 * Its helpers (it forks some to try out the kernel, one of which stops itself under ptrace) outlive a criu that is killed, and with them the locks that they
 * inherited. All are of its process group, whose number is its own as long as it is not reaped. Restored tasks have groups of their own.
 */
static void end_helpers(const struct cr_criu *c, int pidfd)
{
	siginfo_t info = {0};

	if (waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOWAIT) < 0)
		return;
	if (info.si_code != CLD_EXITED || info.si_status)
		kill(-c->pid, SIGKILL);
}

/* Behind the cause, in the same line. */
static void name_log(int dir, const char *log, struct err *e)
{
	size_t n = strlen(e->text);
	char self[48], path[PATH_MAX];
	ssize_t len;

	if (faccessat(dir, log, F_OK, 0) < 0)
		return;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", dir);
	len = readlink(self, path, sizeof(path));
	if (*log == '/')
		snprintf(e->text + n, sizeof(e->text) - n, "; log: %s", log);
	else if (len > 0 && len < (ssize_t)sizeof(path))
		snprintf(e->text + n, sizeof(e->text) - n, "; log: %.*s/%s", (int)len, path, log);
}

int cr_criu_wait(struct cr_criu *c, struct cr_hook *hook, int pidfd, struct err *e)
{
	struct err callback = {0};
	int logs = c->logs >= 0 ? c->logs : c->images;
	int status, r;

	if (hook)
		hook->failed = &callback;
	r = watch(c, hook, pidfd, e);
	if (hook)
		hook->failed = NULL;
	if (r >= 0)
		end_helpers(c, pidfd);
	status = r < 0 ? r : proc_wait(pidfd, -1, e);
	cr_group_flags_let(&c->group_flags);
	if (status < 0)
		return status;
	if (callback.no) {
		*e = callback;
		return -e->no;
	}
	if (status == 0)
		return 0;
	if (WIFSIGNALED(status))
		err_set(e, EIO, "criu %s was ended by signal %d", c->verb, WTERMSIG(status));
	else
		cr_explain_at(logs, c->log, c->class == ERR_RESTORE ? "restore" : "checkpoint", e);
	if (c->tell_log)
		name_log(logs, c->log, e);
	return err_class(e, c->class);
}

int cr_criu_run(struct cr_criu *c, struct cr_hook *hook, struct err *e)
{
	pid_t pid;
	auto_fd int pidfd = cr_criu_start(c, hook, &pid, e);

	if (pidfd < 0) {
		err_class(e, c->class);
		return pidfd;
	}
	return cr_criu_wait(c, hook, pidfd, e);
}

int cr_criu_version(struct err *e)
{
	char program[256], said[1024] = "";
	const char *const argv[] = {program, "--version", NULL};
	int out[2], major = 0, minor = 0, patch = 0, r = cr_criu_find(program, e);
	struct proc_run run = {.argv = argv, .deadline_ms = 10000};
	const char *at;
	ssize_t n;

	if (r < 0)
		return r;
	if (pipe2(out, O_CLOEXEC) < 0)
		return err_sys(e, "make a pipe");
	run.out = out[1];
	r = proc_run(&run, e);
	close(out[1]);
	n = r < 0 ? 0 : read(out[0], said, sizeof(said) - 1);
	close(out[0]);
	said[n > 0 ? n : 0] = 0;
	at = strstr(said, "Version: ");
	if (r >= 0 && (!at || sscanf(at + 9, "%d.%d.%d", &major, &minor, &patch) < 1))
		return err_set(e, EPROTO, "%s does not tell its version", program);
	return r < 0 ? r : major * 10000 + minor * 100 + patch;
}
