// SPDX-License-Identifier: GPL-2.0-only
/* Runs a command and lets exactly one of its system calls, or of those of the processes that it makes, fail; or kills who makes it. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/ptrace.h>

/*
 * inject [-o REPORT] [-p PID]... [-t TASK -s CALL -n N {-e ERRNO | -k}] -- CMD...
 *   -p   that process is looked at, too, from now on to the end of CMD
 *   -t   task 0 is CMD, 1... are the PIDs, then those that they make, in the order of their birth; one that executes a program is looked at no more, but for task 0
 *   -s   a name of the list below, or "all", which are all calls there are
 *   -n   the N-th of these calls of that task: does not happen, but fails with ERRNO (a number); -k: does not happen, but the task is killed (SIGKILL) as it is about to
 * REPORT: without -n "count TASK CALL N" for each; else "hit TASK CALL N ARGUMENT" if there was one; "crash TASK SIGNAL" in any case. Ends as CMD does (128 + signal).
 * strace(1) has one counter for each process, all of which strike in the same run: what the first one fails at is never seen in the others.
 */

#define TASKS_MOST 256
#define CALLS_MOST 512
#define TEXT_MOST  128

/* Those that can fail for want of something. Not close, nor what only asks who one is; nor brk, which has no errno, and mprotect, the C library's own beginning. */
#define C(name)                   \
	{                         \
#name, SYS_##name \
	}
static const struct {
	const char *name;
	long nr;
} calls[] = {C(accept4),
	     C(bind),
	     C(bpf),
	     C(capget),
	     C(capset),
	     C(chdir),
	     C(clone),
	     C(clone3),
	     C(close_range),
	     C(connect),
	     C(dup2),
	     C(dup3),
	     C(execve),
	     C(execveat),
	     C(faccessat),
	     C(faccessat2),
	     C(fchdir),
	     C(fchmod),
	     C(fchmodat),
	     C(fchown),
	     C(fchownat),
	     C(fcntl),
	     C(fgetxattr),
	     C(flock),
	     C(fsconfig),
	     C(fsetxattr),
	     C(fsmount),
	     C(fsopen),
	     C(fstat),
	     C(fstatfs),
	     C(fsync),
	     C(ftruncate),
	     C(getcwd),
	     C(getdents64),
	     C(getrandom),
	     C(getsockname),
	     C(getsockopt),
	     C(inotify_add_watch),
	     C(inotify_init1),
	     C(ioctl),
	     C(ioprio_set),
	     C(kcmp),
	     C(keyctl),
	     C(kill),
	     C(landlock_create_ruleset),
	     C(linkat),
	     C(listen),
	     C(lseek),
	     C(memfd_create),
	     C(mkdir),
	     C(mkdirat),
	     C(mknodat),
	     C(mmap),
	     C(mount),
	     C(mount_setattr),
	     C(move_mount),
	     C(name_to_handle_at),
	     C(newfstatat),
	     C(open),
	     C(open_tree),
	     C(openat),
	     C(openat2),
	     C(personality),
	     C(pidfd_getfd),
	     C(pidfd_open),
	     C(pidfd_send_signal),
	     C(pipe2),
	     C(pivot_root),
	     C(poll),
	     C(ppoll),
	     C(prctl),
	     C(pread64),
	     C(prlimit64),
	     C(process_vm_readv),
	     C(pwrite64),
	     C(read),
	     C(readlink),
	     C(readlinkat),
	     C(recvfrom),
	     C(recvmsg),
	     C(rename),
	     C(renameat),
	     C(renameat2),
	     C(rmdir),
	     C(sched_setaffinity),
	     C(sched_setattr),
	     C(sched_setscheduler),
	     C(seccomp),
	     C(sendfile),
	     C(sendmsg),
	     C(sendto),
	     C(setgroups),
	     C(set_mempolicy),
	     C(setdomainname),
	     C(sethostname),
	     C(setns),
	     C(setpriority),
	     C(setresgid),
	     C(setresuid),
	     C(setsid),
	     C(setsockopt),
	     C(setxattr),
	     C(shutdown),
	     C(signalfd4),
	     C(socket),
	     C(socketpair),
	     C(stat),
	     C(statfs),
	     C(statx),
	     C(symlinkat),
	     C(umount2),
	     C(unlink),
	     C(unlinkat),
	     C(unshare),
	     C(utimensat),
	     C(vfork),
	     C(wait4),
	     C(waitid),
	     C(write)};
#undef C
#define CALLS_COUNT (sizeof(calls) / sizeof(calls[0]))

struct task {
	pid_t pid; /* 0: gone, or looked at no more */
	bool failing;
	uint64_t count[CALLS_MOST], all;
};

static struct task tasks[TASKS_MOST];
static int n_tasks;
static bool begun; /* CMD has been executed: what we do ourselves before is not looked at */

static struct {
	const char *call;
	int task, no;
	uint64_t n; /* 0: count */
	bool kill, hit;
	FILE *report;
} want = {.task = -1};

_Noreturn static void fail(const char *what)
{
	fprintf(stderr, "inject: %s: %s\n", what, strerror(errno));
	exit(120);
}

static int find(pid_t pid)
{
	for (int i = 0; i < n_tasks; i++)
		if (tasks[i].pid == pid)
			return i;
	if (n_tasks == TASKS_MOST) {
		errno = E2BIG;
		fail("look at a process more");
	}
	tasks[n_tasks].pid = pid;
	return n_tasks++;
}

/* A kill without a choice of calls counts them all. */
static const char *name_of(long nr, int *index)
{
	for (size_t i = 0; i < CALLS_COUNT; i++)
		if (calls[i].nr == nr) {
			*index = (int)i;
			return calls[i].name;
		}
	*index = -1;
	return "other";
}

/* The path in the call, if it has one in its first two arguments. */
static void argument(pid_t pid, const uint64_t args[6], char text[TEXT_MOST])
{
	for (int i = 0; i < 2; i++) {
		struct iovec here = {.iov_base = text, .iov_len = TEXT_MOST - 1};
		struct iovec there = {.iov_base = (void *)(uintptr_t)args[i],
				      .iov_len = TEXT_MOST - 1};
		ssize_t n;

		memset(text, 0, TEXT_MOST);
		/* A page that ends before the text does gives what is there. */
		n = args[i] < 4096 ? -1 : process_vm_readv(pid, &here, 1, &there, 1, 0);
		text[strcspn(text, "\n\r")] = 0;
		for (char *c = text; *c; c++)
			if (*c < ' ' || *c > '~')
				n = -1;
		if (n > 0 && *text)
			return;
	}
	*text = 0;
}

static void set_registers(pid_t pid, bool entry)
{
#ifdef __x86_64__
	/* On entry no call at all is asked for, on exit there is its result. */
	long r = entry ? ptrace(PTRACE_POKEUSER, pid, offsetof(struct user_regs_struct, orig_rax),
				-1L)
		       : ptrace(PTRACE_POKEUSER, pid, offsetof(struct user_regs_struct, rax),
				(long)-want.no);

	if (r < 0)
		fail("change a system call");
#else
	(void)pid, (void)entry;
	errno = ENOSYS;
	fail("change a system call of this machine's kind");
#endif
}

static void entering(int i, const struct ptrace_syscall_info *info)
{
	struct task *t = &tasks[i];
	char text[TEXT_MOST];
	int index;
	const char *name = name_of((long)info->entry.nr, &index);
	bool of_all = want.n && !strcmp(want.call, "all");
	uint64_t n;

	if (i == 0 && !begun)
		return;
	t->all++;
	if (index >= 0)
		t->count[index]++;
	if (!want.n || want.task != i || (!of_all && strcmp(want.call, name) != 0))
		return;
	n = of_all ? t->all : t->count[index];
	if (n != want.n)
		return;
	want.hit = true;
	argument(t->pid, (const uint64_t *)info->entry.args, text);
	fprintf(want.report, "hit %d %s %" PRIu64 " %s\n", i, name, n, text);
	fflush(want.report);
	if (want.kill) {
		kill(t->pid, SIGKILL);
		return;
	}
	t->failing = true;
	set_registers(t->pid, true);
}

/* How a stopped task goes on: the signal to be given to it. */
static int stopped(int i, int status, bool *gone)
{
	struct task *t = &tasks[i];
	int sig = WSTOPSIG(status), event = status >> 16;
	struct ptrace_syscall_info info;

	if (sig == (SIGTRAP | 0x80)) {
		if (ptrace(PTRACE_GET_SYSCALL_INFO, t->pid, sizeof(info), &info) < 0)
			return 0;
		if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
			entering(i, &info);
		else if (info.op == PTRACE_SYSCALL_INFO_EXIT && t->failing) {
			t->failing = false;
			set_registers(t->pid, false);
		}
		return 0;
	}
	if (event == PTRACE_EVENT_EXEC && i > 0) {
		*gone = true;
		ptrace(PTRACE_DETACH, t->pid, 0, 0);
		t->pid = 0;
		return 0;
	}
	begun |= event == PTRACE_EVENT_EXEC;
	if (event)
		return 0;
	if (sig == SIGSEGV || sig == SIGABRT || sig == SIGBUS || sig == SIGFPE || sig == SIGILL ||
	    sig == SIGTRAP)
		fprintf(want.report, "crash %d %d\n", i, sig);
	return sig;
}

static void report(void)
{
	for (int i = 0; i < n_tasks && !want.n; i++) {
		fprintf(want.report, "count %d all %" PRIu64 "\n", i, tasks[i].all);
		for (size_t k = 0; k < CALLS_COUNT; k++)
			if (tasks[i].count[k])
				fprintf(want.report, "count %d %s %" PRIu64 "\n", i, calls[k].name,
					tasks[i].count[k]);
	}
	fclose(want.report);
}

/* Each stop costs as much as a system call does: not where nothing is to come any more. */
static int how_on(int i)
{
	return !want.n || (i == want.task && (!want.hit || tasks[i].failing)) ? PTRACE_SYSCALL
									      : PTRACE_CONT;
}

/* To the end of CMD. The others go on without us. */
static int look(void)
{
	for (;;) {
		int status, i, sig;
		bool gone = false;
		pid_t pid = waitpid(-1, &status, __WALL);

		if (pid < 0)
			fail("wait");
		i = find(pid);
		if (WIFSTOPPED(status)) {
			bool group = status >> 16 == PTRACE_EVENT_STOP &&
				     WSTOPSIG(status) != SIGTRAP;

			sig = stopped(i, status, &gone);
			/* It may have been killed meanwhile. */
			if (!gone)
				ptrace(group ? PTRACE_LISTEN : how_on(i), pid, 0, sig);
			continue;
		}
		tasks[i].pid = 0;
		if (i == 0)
			return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	}
}

static void seize(pid_t pid)
{
	long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC | PTRACE_O_TRACECLONE |
		       PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK;

	if (ptrace(PTRACE_SEIZE, pid, 0, options) < 0)
		fail("look at a process");
	find(pid);
}

/* CMD stops itself before it is executed. */
static void launch(char **cmd)
{
	int status;
	pid_t pid = fork();

	if (pid < 0)
		fail("fork");
	if (pid == 0) {
		raise(SIGSTOP);
		execvp(cmd[0], cmd);
		_exit(127);
	}
	if (waitpid(pid, &status, WUNTRACED) != pid || !WIFSTOPPED(status))
		fail("begin");
	seize(pid);
}

int main(int argc, char **argv)
{
	pid_t others[8];
	int n_others = 0, c;

	want.report = stderr;
	while ((c = getopt(argc, argv, "+o:p:t:s:n:e:k")) != -1) {
		switch (c) {
		case 'o':
			want.report = fopen(optarg, "we");
			if (!want.report)
				fail(optarg);
			break;
		case 'p':
			if (n_others == 8)
				exit(120);
			others[n_others++] = (pid_t)atoi(optarg);
			break;
		case 't':
			want.task = atoi(optarg);
			break;
		case 's':
			want.call = optarg;
			break;
		case 'n':
			want.n = strtoull(optarg, NULL, 10);
			break;
		case 'e':
			want.no = atoi(optarg);
			break;
		case 'k':
			want.kill = true;
			break;
		default:
			return 120;
		}
	}
	if (optind == argc || (want.n && (!want.call || (!want.no && !want.kill))))
		return 120;
	launch(argv + optind);
	for (int i = 0; i < n_others; i++) {
		seize(others[i]);
		ptrace(PTRACE_INTERRUPT, others[i], 0, 0);
	}
	kill(tasks[0].pid, SIGCONT);
	c = look();
	report();
	return c;
}
