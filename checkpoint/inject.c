// SPDX-License-Identifier: GPL-2.0-only
/* One thread stopped by ptrace, its system calls, and its way back to where it was. */
#include "checkpoint/inject.h"

#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

#include "base/err.h"
#include "base/log.h"
#include "base/own.h"
#include "base/proc.h"

#ifndef PTRACE_GET_SYSCALL_USER_DISPATCH_CONFIG
#define PTRACE_GET_SYSCALL_USER_DISPATCH_CONFIG 0x4211
#endif

#if defined(__x86_64__)

/* linux/errno.h of the kernel, not for programs: only a tracer ever sees these. */
#define ERESTARTNOHAND 514

#define CS_USER64  0x33 /* __USER_CS; 0x23 is 32-bit code */
#define CODE_MOST  (8u << 20)
#define CODE_PIECE (64u << 10)
/* An injected call takes microseconds, unless a freezer caught the process, or the host is very busy. */
#define CALL_WAIT_MS 2000

/* Any two bytes 0f 05 will do, the middle of another instruction too: the processor decodes from where it is set. */
static uint64_t code_in(pid_t pid, uint64_t from, uint64_t to, size_t *budget)
{
	static uint8_t piece[CODE_PIECE];

	for (; from < to && *budget; from += sizeof(piece) - 1) {
		size_t want = to - from < sizeof(piece) ? to - from : sizeof(piece);
		struct iovec here = {piece, want}, there = {(void *)from, want};
		ssize_t n = process_vm_readv(pid, &here, 1, &there, 1, 0);
		uint8_t *hit = n > 1 ? memmem(piece, (size_t)n, "\x0f\x05", 2) : NULL;

		if (hit)
			return from + (uint64_t)(hit - piece);
		*budget -= want < *budget ? want : *budget;
		if (n < (ssize_t)want)
			break;
	}
	return 0;
}

/* The vdso has one (its calls fall back to the kernel's); a process that unmapped it has libc or its own text. */
static uint64_t find_code(pid_t pid)
{
	auto_file FILE *maps = NULL;
	char name[48], line[4400];
	uint64_t from, to, found = 0;
	size_t budget = CODE_MOST;

	snprintf(name, sizeof(name), "/proc/%d/maps", pid);
	maps = fopen(name, "re");
	while (maps && fgets(line, sizeof(line), maps)) {
		char perms[5];
		bool vdso = strstr(line, "[vdso]") != NULL;

		/* 0x7ff...: not [vsyscall], which is no memory. */
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s", &from, &to, perms) != 3 ||
		    perms[0] != 'r' || perms[2] != 'x' || from >> 63)
			continue;
		if (found && !vdso)
			continue;
		found = code_in(pid, from, to, &budget) ?: found;
		if (found && vdso)
			break;
	}
	return found;
}

/* The next report of pid. -ETIMEDOUT with e untouched; -ESRCH when it has ended. */
static int wait_stop(pid_t pid, int ms, int *status, struct err *e)
{
	uint64_t end = log_now_ns() + (uint64_t)ms * 1000000u;
	sigset_t chld, old;
	int r;

	/* Blocked first and looked after that: a SIGCHLD between the look and the wait stays pending. */
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, &old);
	while ((r = waitpid(pid, status, __WALL | WNOHANG)) == 0) {
		uint64_t now = log_now_ns();
		struct timespec left;

		if (now >= end)
			break;
		left.tv_sec = (time_t)((end - now) / 1000000000u);
		left.tv_nsec = (long)((end - now) % 1000000000u);
		sigtimedwait(&chld, NULL, &left);
	}
	r = r < 0 ? err_sys(e, "wait for process %d", pid) : r == 0 ? -ETIMEDOUT : 0;
	sigprocmask(SIG_SETMASK, &old, NULL);
	if (r == 0 && !WIFSTOPPED(*status))
		return err_set(e, ESRCH, "process %d has ended", pid);
	return r;
}

static int lost(pid_t pid, const char *what, struct err *e)
{
	return err_sys(e, "%s of process %d", what, pid);
}

/* A stop by PTRACE_INTERRUPT or by a group stop. */
static bool is_trap(int status)
{
	return status >> 16 == PTRACE_EVENT_STOP;
}

/* Waits for such a stop; signals that come first are delivered as they would have been. */
static int wait_trap(pid_t pid, int ms, struct err *e)
{
	int status, r;

	while ((r = wait_stop(pid, ms, &status, e)) == 0 && !is_trap(status)) {
		/* A system call stop (SIGTRAP | 0x80) is no signal. */
		int sig = WSTOPSIG(status) == (SIGTRAP | 0x80) ? 0 : WSTOPSIG(status);

		if (ptrace(PTRACE_CONT, pid, NULL, sig) < 0)
			return lost(pid, "the going on", e);
	}
	return r;
}

/*
 * Calls that fail with EINTR when they are only woken (signal(7)), instead of one of the kernel's ERESTART codes. Turned into the code that means:
 * EINTR if a handler runs, else once more.
 */
static void mend_eintr(struct user_regs_struct *regs)
{
	if ((long)regs->rax != -EINTR)
		return;
	switch ((long)regs->orig_rax) {
	case SYS_epoll_wait:
	case SYS_epoll_pwait:
	case SYS_epoll_pwait2:
	case SYS_semop:
	case SYS_semtimedop:
	case SYS_rt_sigtimedwait:
	case SYS_io_getevents:
	case SYS_read:
	case SYS_readv:
	case SYS_recvfrom:
	case SYS_recvmsg:
	case SYS_recvmmsg:
	case SYS_accept:
	case SYS_accept4:
	case SYS_connect:
	case SYS_sendto:
	case SYS_sendmsg:
		regs->rax = (unsigned long long)-ERESTARTNOHAND;
	}
}

/*
 * The kernel looks at the instruction pointer when the thread goes on, finds it outside of the sequence, and forgets the sequence (rseq_ip_fixup() in
 * kernel/rseq.c). So its address is put back at the end: then it aborts the sequence, as after any preemption.
 */
static void save_rseq(struct cr_inject *in)
{
	struct {
		uint64_t at;
		uint32_t size, signature, flags, pad;
	} conf = {0};

	in->rseq_cs_at = 0;
	if (ptrace(PTRACE_GET_RSEQ_CONFIGURATION, in->pid, sizeof(conf), &conf) <= 0 || !conf.at)
		return;
	errno = 0;
	in->rseq_cs = (uint64_t)ptrace(PTRACE_PEEKDATA, in->pid, conf.at + 8, NULL);
	if (errno == 0 && in->rseq_cs)
		in->rseq_cs_at = conf.at + 8;
}

/* Calls of such a process (Wine has them) end in SIGSYS, which kills where it is blocked. */
static bool dispatched(pid_t pid)
{
	struct {
		uint64_t mode, selector, offset, len;
	} conf = {0};

	return ptrace(PTRACE_GET_SYSCALL_USER_DISPATCH_CONFIG, pid, sizeof(conf), &conf) == 0 &&
	       conf.mode != 0;
}

static int look(struct cr_inject *in, struct err *e)
{
	struct iovec regs = {&in->regs, sizeof(in->regs)};
	sigset_t all;
	long word;

	if (ptrace(PTRACE_GETREGSET, in->pid, NT_PRSTATUS, &regs) < 0)
		return lost(in->pid, "the registers", e);
	if (regs.iov_len != sizeof(in->regs) || in->regs.cs != CS_USER64)
		return err_set(e, EOPNOTSUPP, "process %d executes 32-bit code", in->pid);
	mend_eintr(&in->regs);
	in->looked = true;
	if (dispatched(in->pid))
		return err_set(e, EOPNOTSUPP, "process %d catches its own system calls", in->pid);
	errno = 0;
	word = in->code ? ptrace(PTRACE_PEEKTEXT, in->pid, in->code, NULL) : 0;
	if (errno || (word & 0xffff) != 0x050f)
		return err_set(e, EOPNOTSUPP, "process %d has no syscall instruction", in->pid);
	save_rseq(in);
	/* With all blocked no handler can begin on the way. A call that sleeps with a mask of its own (ppoll) gets it again when it is restarted. */
	if (ptrace(PTRACE_GETSIGMASK, in->pid, sizeof(in->mask), &in->mask) < 0)
		return lost(in->pid, "the signal mask", e);
	memset(&all, 0xff, sizeof(all));
	if (ptrace(PTRACE_SETSIGMASK, in->pid, sizeof(in->mask), &all) < 0)
		return lost(in->pid, "the signal mask", e);
	in->masked = true;
	return 0;
}

int cr_inject_begin(struct cr_inject *in, pid_t pid, uint64_t ticks, int wait_ms, struct err *e)
{
	uint64_t now;
	int r;

	*in = (struct cr_inject){.pid = pid, .code = find_code(pid)};
	/* Kernels without seccomp or CONFIG_CHECKPOINT_RESTORE do not know the option. */
	if (ptrace(PTRACE_SEIZE, pid, NULL, PTRACE_O_SUSPEND_SECCOMP | PTRACE_O_TRACESYSGOOD) < 0 &&
	    (errno != EINVAL || ptrace(PTRACE_SEIZE, pid, NULL, PTRACE_O_TRACESYSGOOD) < 0))
		return err_sys(e, "trace process %d", pid);
	in->since_ns = log_now_ns();
	if (ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) < 0)
		return err_sys(e, "interrupt process %d", pid);
	r = wait_trap(pid, wait_ms, e);
	if (r == -ETIMEDOUT)
		return err_set(e, ETIMEDOUT, "process %d does not stop", pid);
	if (r < 0)
		return r;
	/* From here on nobody else can be given its number. */
	r = proc_start_time(pid, &now, e);
	if (r == 0 && now != ticks)
		r = err_set(e, ESRCH, "process %d is another one now", pid);
	if (r == 0)
		r = look(in, e);
	/* Nothing was changed yet but, by the stop, the result of an interrupted call: that is put right even so. */
	if (r < 0)
		(void)cr_inject_end(in, NULL, e);
	return r;
}

/* From one stop to the next system call stop. Stop signals cannot be blocked: they are passed on, and take effect when it is let go. */
static int to_call_stop(pid_t pid, struct err *e)
{
	int status, sig = 0, r;

	for (;;) {
		if (ptrace(PTRACE_SYSCALL, pid, NULL, sig) < 0)
			return lost(pid, "the going on", e);
		r = wait_stop(pid, CALL_WAIT_MS, &status, e);
		if (r < 0)
			return r;
		if (!is_trap(status) && WSTOPSIG(status) == (SIGTRAP | 0x80))
			return 0;
		sig = is_trap(status) ? 0 : WSTOPSIG(status);
	}
}

int cr_inject_syscall(struct cr_inject *in, long nr, const uint64_t args[6], long *result,
		      struct err *e)
{
	struct user_regs_struct regs = in->regs;
	struct iovec iov = {&regs, sizeof(regs)};
	int r;

	regs.rip = in->code;
	regs.rax = (unsigned long long)nr;
	/* Not in a system call: the kernel leaves the registers alone on the way out. */
	regs.orig_rax = (unsigned long long)-1;
	regs.rdi = args[0];
	regs.rsi = args[1];
	regs.rdx = args[2];
	regs.r10 = args[3];
	regs.r8 = args[4];
	regs.r9 = args[5];
	if (ptrace(PTRACE_SETREGSET, in->pid, NT_PRSTATUS, &iov) < 0)
		return lost(in->pid, "the registers", e);
	in->running = true;
	for (int stop = 0; stop < 2; stop++) {
		r = to_call_stop(in->pid, e);
		if (r == -ETIMEDOUT)
			return err_set(e, ETIMEDOUT, "process %d was frozen in a system call",
				       in->pid);
		if (r < 0)
			return r;
	}
	in->running = false;
	if (ptrace(PTRACE_GETREGSET, in->pid, NT_PRSTATUS, &iov) < 0)
		return lost(in->pid, "the registers", e);
	*result = (long)regs.rax;
	return 0;
}

/* It is under way in a call of ours that did not come to its end in time, because a freezer holds it: back to a stop, from which it can be let go. */
static int back_to_trap(struct cr_inject *in, struct err *e)
{
	int status, r;

	if (ptrace(PTRACE_INTERRUPT, in->pid, NULL, NULL) < 0)
		return lost(in->pid, "the interruption", e);
	for (;;) {
		r = wait_stop(in->pid, 1000, &status, e);
		/* However long it takes: who leaves now leaves a process with the wrong registers. */
		if (r == -ETIMEDOUT)
			continue;
		if (r < 0 || is_trap(status))
			return r;
		r = WSTOPSIG(status) == (SIGTRAP | 0x80) ? 0 : WSTOPSIG(status);
		if (ptrace(PTRACE_CONT, in->pid, NULL, r) < 0)
			return lost(in->pid, "the going on", e);
	}
}

int cr_inject_end(struct cr_inject *in, uint64_t *stop_ns, struct err *e)
{
	struct iovec regs = {&in->regs, sizeof(in->regs)};
	int r;

	if (in->running) {
		r = back_to_trap(in, e);
		if (r < 0)
			return r;
	}
	if (in->rseq_cs_at)
		ptrace(PTRACE_POKEDATA, in->pid, in->rseq_cs_at, in->rseq_cs);
	if (in->looked && ptrace(PTRACE_SETREGSET, in->pid, NT_PRSTATUS, &regs) < 0)
		return lost(in->pid, "the registers", e);
	/*
	 * Registers of an interrupted call (rax -ERESTART..., orig_rax the call) mean something only to get_signal() and what follows it. Every detaching sends the thread
	 * there: __ptrace_unlink() in kernel/ptrace.c sets TIF_SIGPENDING.
	 */
	if (in->masked)
		ptrace(PTRACE_SETSIGMASK, in->pid, sizeof(in->mask), &in->mask);
	if (ptrace(PTRACE_DETACH, in->pid, NULL, 0) < 0)
		return lost(in->pid, "the letting go", e);
	if (stop_ns)
		*stop_ns = log_now_ns() - in->since_ns;
	return 0;
}

#else

int cr_inject_begin(struct cr_inject *in, pid_t pid, uint64_t ticks, int wait_ms, struct err *e)
{
	(void)in, (void)ticks, (void)wait_ms;
	return err_set(e, EOPNOTSUPP, "process %d: only x86-64 is known", pid);
}

int cr_inject_syscall(struct cr_inject *in, long nr, const uint64_t args[6], long *result,
		      struct err *e)
{
	(void)in, (void)nr, (void)args, (void)result;
	return err_set(e, EOPNOTSUPP, "only x86-64 is known");
}

int cr_inject_end(struct cr_inject *in, uint64_t *stop_ns, struct err *e)
{
	(void)in, (void)stop_ns;
	return err_set(e, EOPNOTSUPP, "only x86-64 is known");
}

#endif
