// SPDX-License-Identifier: GPL-2.0-only
/* Other processes. */
#include "base/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/own.h"

extern char **environ;

int proc_start_time(pid_t pid, uint64_t *ticks, struct err *e)
{
	auto_free char *text = NULL;
	char name[48];
	char *p;
	int r;

	snprintf(name, sizeof(name), "/proc/%d/stat", pid);
	r = file_try_read_at(AT_FDCWD, name, 65536, &text, e);
	if (r == -ENOENT)
		return err_set(e, ESRCH, "process %d is gone", pid);
	if (r < 0)
		return r;
	/* The second field is the name in parentheses and may hold anything, ")" too: fields count from the last one. */
	p = strrchr(text, ')');
	for (int field = 2; p && field < 22; field++)
		p = strchr(p + 1, ' ');
	if (!p)
		return err_set(e, EPROTO, "%s has fewer fields than proc_pid_stat(5)", name);
	*ticks = strtoull(p + 1, NULL, 10);
	return 0;
}

int proc_open(pid_t pid, uint64_t ticks, struct err *e)
{
	auto_fd int fd = pidfd_open(pid, 0);
	struct err gone = {0};
	uint64_t now;
	int r;

	if (fd < 0 && (errno == ESRCH || errno == EINVAL))
		return -ESRCH;
	if (fd < 0)
		return err_sys(e, "open process %d", pid);
	/* After the open: from here on the descriptor is that process, so equal times prove who it is. */
	r = proc_start_time(pid, &now, &gone);
	/* Not being able to look is no death: a container that lives would be taken for one that can be deleted. */
	if (r < 0 && r != -ESRCH) {
		*e = gone;
		return r;
	}
	return r < 0 || now != ticks ? -ESRCH : take_fd(&fd);
}

pid_t proc_inner_pid(pid_t pid, pid_t tid)
{
	auto_free char *text = NULL;
	struct err gone = {0};
	char path[64], *at, *end;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/status", pid, tid);
	if (file_try_read_at(AT_FDCWD, path, 64 << 10, &text, &gone) < 0)
		return 0;
	at = strstr(text, "\nNSpid:");
	end = at ? strchr(at + 1, '\n') : NULL;
	if (!end)
		return 0;
	*end = 0;
	at = strrchr(at, '\t');
	return at ? (pid_t)atoi(at + 1) : 0;
}

int proc_wait(int pidfd, int ms, struct err *e)
{
	uint64_t end_ns = log_now_ns() + (uint64_t)(ms > 0 ? ms : 0) * 1000000u;
	siginfo_t info = {0};
	struct pollfd p = {.fd = pidfd, .events = POLLIN};
	int left = ms;
	int r;

	while ((r = poll(&p, 1, left)) < 0 && errno == EINTR)
		if (ms >= 0) {
			uint64_t now = log_now_ns();

			left = now < end_ns ? (int)((end_ns - now) / 1000000u) : 0;
		}
	if (r == 0)
		return -ETIMEDOUT;
	if (r < 0)
		return err_sys(e, "wait for a process");
	if (waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED) < 0)
		return err_sys(e, "reap a process");
	return info.si_code == CLD_EXITED ? (info.si_status & 0xff) << 8 : info.si_status & 0x7f;
}

/* By its number alone: of a child that nobody has waited for it is nobody else's. */
static void end_by_number(pid_t pid)
{
	siginfo_t info;

	(void)kill(pid, SIGKILL);
	(void)waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG);
}

void proc_end(pid_t pid, int pidfd, int ms)
{
	auto_fd int own = pid > 0 && pidfd < 0 ? pidfd_open(pid, 0) : -EBADF;
	int fd = pidfd < 0 ? own : pidfd;
	struct pollfd ended = {.fd = fd, .events = POLLIN};
	siginfo_t info;

	if (pid <= 0)
		return;
	if (fd < 0) {
		end_by_number(pid);
		return;
	}
	(void)pidfd_send_signal(fd, SIGKILL, NULL, 0);
	while (poll(&ended, 1, ms) < 0 && errno == EINTR)
		;
	(void)waitid(P_PIDFD, (id_t)fd, &info, WEXITED | WNOHANG);
}

/* I am the child: descriptors 0, 1, 2, then the program. errno goes back through `report` when it cannot be executed. */
static void __attribute__((noreturn))
run_child(const struct proc_run *run, int said, int report, pid_t parent)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int from[3] = {run->in > 0 ? run->in : null, run->out > 0 ? run->out : null,
		       run->err > 0 ? run->err : (said >= 0 ? said : null)};
	sigset_t none;
	int no;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
		_exit(127);
	/* Above 2 first, so that a source which is itself 0, 1 or 2 is not overwritten before its turn. */
	for (int i = 0; i < 3; i++)
		from[i] = fcntl(from[i], F_DUPFD_CLOEXEC, 10);
	for (int i = 0; i < 3; i++)
		if (from[i] < 0 || dup2(from[i], i) < 0)
			goto fail;
	if (close_range(3, ~0u, CLOSE_RANGE_CLOEXEC) < 0)
		goto fail;
	execvpe(run->argv[0], (char *const *)(uintptr_t)run->argv,
		run->env ? (char *const *)(uintptr_t)run->env : environ);
fail:
	no = errno;
	if (write(report, &no, sizeof(no)) < 0)
		_exit(126);
	_exit(127);
}

/* Keeps the end of what the program says until it closes the pipe. -ETIMEDOUT at the deadline. */
static int collect(int from, char *buf, size_t size, uint64_t end_ns)
{
	size_t len = 0;
	char chunk[1024];

	for (;;) {
		uint64_t now = log_now_ns();
		struct pollfd p = {.fd = from, .events = POLLIN};
		ssize_t n;
		int r;

		if (end_ns && now >= end_ns)
			return -ETIMEDOUT;
		r = poll(&p, 1, end_ns ? (int)((end_ns - now) / 1000000u) + 1 : -1);
		if (r <= 0)
			continue;
		n = read(from, chunk, sizeof(chunk));
		if (n <= 0)
			return 0;
		if (size < 2)
			continue;
		for (ssize_t i = 0; i < n; i++) {
			if (len == size - 1) {
				memmove(buf, buf + size / 2, len - size / 2);
				len -= size / 2;
			}
			buf[len++] = chunk[i];
		}
		buf[len] = 0;
	}
}

int proc_run(const struct proc_run *run, struct err *e)
{
	uint64_t end_ns =
		run->deadline_ms > 0 ? log_now_ns() + (uint64_t)run->deadline_ms * 1000000u : 0;
	int said[2];
	int report[2];
	auto_fd int pidfd = -EBADF;
	pid_t parent = getpid();
	pid_t pid;
	int status, no = 0, r;

	if (run->said && run->said_size)
		run->said[0] = 0;
	if (pipe2(said, O_CLOEXEC) < 0)
		return err_sys(e, "make a pipe");
	if (pipe2(report, O_CLOEXEC) < 0) {
		close(said[0]);
		close(said[1]);
		return err_sys(e, "make a pipe");
	}
	pid = fork();
	if (pid == 0)
		run_child(run, said[1], report[1], parent);
	close(said[1]);
	close(report[1]);
	if (pid < 0) {
		close(said[0]);
		close(report[0]);
		return err_sys(e, "start %s", run->argv[0]);
	}
	pidfd = pidfd_open(pid, 0);
	if (pidfd < 0) {
		/* poll(2) passes over a descriptor that is none: its end would be waited for without end. */
		err_sys(e, "start %s", run->argv[0]);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		close(said[0]);
		close(report[0]);
		return -e->no;
	}
	if (read(report[0], &no, sizeof(no)) != (ssize_t)sizeof(no))
		no = 0;
	close(report[0]);
	r = collect(said[0], run->said, run->said ? run->said_size : 0, end_ns);
	close(said[0]);
	if (r == 0 && end_ns) {
		uint64_t now = log_now_ns();

		r = proc_wait(pidfd, now < end_ns ? (int)((end_ns - now) / 1000000u) : 0, e);
	} else if (r == 0) {
		r = proc_wait(pidfd, -1, e);
	}
	if (r == -ETIMEDOUT) {
		kill(pid, SIGKILL);
		proc_wait(pidfd, -1, e);
		return err_set(e, ETIMEDOUT, "%s did not end within %d ms", run->argv[0],
			       run->deadline_ms);
	}
	if (r < 0)
		return r;
	status = r;
	if (no)
		return err_set(e, no, "start %s: %s", run->argv[0], strerror(no));
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int proc_run_ok(const char *const argv[], struct err *e)
{
	char said[2048];
	const struct proc_run run = {.argv = argv, .said = said, .said_size = sizeof(said)};
	char *last;
	size_t n;
	int r = proc_run(&run, e);

	if (r <= 0)
		return r;
	for (n = strlen(said); n > 0 && said[n - 1] == '\n'; n--)
		said[n - 1] = 0;
	last = strrchr(said, '\n');
	err_set(e, strstr(said, strerror(ENOSPC)) ? ENOSPC : EIO, "%s ended with %d: %.300s",
		argv[0], r, last ? last + 1 : said);
	return -e->no;
}

void proc_end_children(void)
{
	auto_free char *list = NULL;
	struct err ignored = {0};
	char path[64], *save = NULL;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
	if (file_try_read_at(AT_FDCWD, path, 4096, &list, &ignored) < 0)
		return;
	for (char *w = strtok_r(list, " \n", &save); w; w = strtok_r(NULL, " \n", &save)) {
		pid_t pid = (pid_t)atoi(w);

		kill(pid, SIGKILL);
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
}
