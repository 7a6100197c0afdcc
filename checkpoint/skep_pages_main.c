// SPDX-License-Identifier: GPL-2.0-only
/* skep-pages: brings the missing pages of a restored container (pages_lazy.h), and its keeper, who kills the container if that fails. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/sys.h"
#include "checkpoint/pages_lazy.h"

/* Not in musl's headers of Debian 12. */
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

/* Between the daemon and its keeper. */
struct shared {
	bool done;	/* nothing is missing any more, or nothing ever came */
	struct err why; /* else */
};

/*
 * Our work is long, and in pieces of less than 0.1 ms, behind which we give way (pages_lazy.c). Who gives way gives up a slice, which is 2.8 ms on two processors: with one of 0.1 ms, the least
 * there is, our share on a busy host stays what it should be. sched_runtime counts for SCHED_OTHER since Linux 6.12; before, it is ignored.
 */
static void take_short_turns(void)
{
	struct sys_sched_attr a = {.size = sizeof(a), .runtime = 100000}, now = {0};

	/* Whoever gave us another policy, or is nicer than others, knows why. */
	if (syscall(SYS_sched_getattr, 0, &now, sizeof(now), 0) == 0 && !now.policy) {
		a.nice = now.nice;
		(void)syscall(SYS_sched_setattr, 0, &a, 0);
	}
}

static void set_up_process(void)
{
	struct rlimit files;
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	struct err ignored = {0};
	sigset_t none;

	/* Only SIGKILL ends us early. */
	for (int sig = 1; sig < 32; sig++)
		if (sig != SIGCHLD)
			(void)sigaction(sig, &ignore, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	(void)chdir("/");
	take_short_turns();
	/* A descriptor for each process. */
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	/* Who may not do this (it takes CAP_SYS_RESOURCE) is as killable as others. */
	(void)file_write_at(AT_FDCWD, "/proc/self/oom_score_adj", "-1000", &ignored);
}

static bool is_populated(void)
{
	char text[256];
	ssize_t n = pread(CR_PAGES_FD_EVENTS, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = 0;
	return strstr(text, "populated 1") != NULL;
}

static void tell(const char *name, const struct err *why)
{
	struct err ignored = {0};
	char line[1024];
	int n = snprintf(line, sizeof(line),
			 "skep: container %s was killed, its memory could not be completed: %s\n",
			 name, why->no ? why->text : "skep-pages was killed");

	n = n < (int)sizeof(line) ? n : (int)sizeof(line) - 1;
	(void)file_write_all(CR_PAGES_FD_LOG, line, (size_t)n, &ignored);
	(void)file_replace_volatile_at(CR_PAGES_FD_STATE, CR_PAGES_LOST_FILE, line, (size_t)n, 0600,
				       &ignored);
}

/*
 * I am the keeper, a copy of skep-pages that shares its descriptor table: as long as I live no userfaultfd is closed, so no missing page reads as zeroes.
 * The processes wait in the kernel, and SIGKILL reaches them there.
 */
static _Noreturn void keep(int daemon, const volatile struct shared *shared, char *name_place,
			   const char *name)
{
	struct pollfd p = {.fd = daemon, .events = POLLIN};

	/* Another name: who kills by name is not to kill both at once. */
	(void)prctl(PR_SET_NAME, "skep-keeper");
	snprintf(name_place, sizeof("skep-pages"), "skep-keep");
	while (poll(&p, 1, -1) < 0 && errno == EINTR)
		;
	if (!shared->done && is_populated()) {
		struct err why = *(const struct err *)&shared->why;

		tell(name, &why);
		while (write(CR_PAGES_FD_KILL, "1", 1) < 0 && errno == EINTR)
			;
	}
	_exit(0);
}

static int start_keeper(struct shared *shared, char *const argv[], struct err *e)
{
	int self = (int)syscall(SYS_pidfd_open, getpid(), 0);
	long pid;

	if (self < 0)
		return err_sys(e, "open a pidfd");
	pid = syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, NULL);
	if (pid < 0)
		return err_sys(e, "start the keeper");
	if (pid == 0)
		keep(self, shared, argv[0], argv[1]);
	return 0;
}

static int place(int fd)
{
	return fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ? -EBADF : fd;
}

int main(int argc, char *argv[])
{
	struct shared *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct cr_lazy l = {0};
	int r;

	if (argc != 2 || shared == MAP_FAILED) {
		fputs("skep-pages is started by skepctl\n", stderr);
		return 2;
	}
	set_up_process();
	l.store = place(CR_PAGES_FD_STORE);
	l.images = place(CR_PAGES_FD_IMAGES);
	l.criu_listener = place(CR_PAGES_FD_CRIU);
	l.ask_listener = place(CR_PAGES_FD_ASK);
	l.control = place(CR_PAGES_FD_CONTROL);
	l.events = place(CR_PAGES_FD_EVENTS);
	l.source.in = place(CR_PAGES_FD_IN);
	l.source.out = place(CR_PAGES_FD_OUT);
	r = start_keeper(shared, argv, &shared->why);
	if (r >= 0)
		r = cr_lazy_run(&l, &shared->why);
	shared->done = r >= 0;
	return r < 0 ? 1 : 0;
}
