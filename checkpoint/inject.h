/* SPDX-License-Identifier: GPL-2.0-only */
/* System calls made by another process, in its own name, which does not notice. */
#pragma once

/*
 * Life: cr_inject_begin() stops one thread group leader (its other threads go on), cr_inject_syscall() as often as wanted, cr_inject_end() puts every register, the signal
 * mask and an interrupted system call back and lets it go. The process sees: nothing. A sleep goes on to its old end, a stopped process stays
 * stopped, a blocked call is restarted by the kernel's own rules, and those few that the kernel would let fail with EINTR (epoll_wait, semop, sigtimedwait, a socket with a
 * timeout: signal(7), "Interruption of system calls ... by stop signals") are made to restart; a finite timeout of these begins anew.
 *
 * The calling process is the tracer: it must not have another child that ends meanwhile and whose SIGCHLD somebody awaits. When a process does not stop in time (-ETIMEDOUT) the
 * request to stop can only be withdrawn by the end of the caller: so call this from a child made for it. Should the caller be
 * killed between begin and end, the process would go on with the wrong registers and die: so let nobody kill it. Nothing can mend that: a thread whose tracer dies goes on as it
 * is, or is killed (exit_ptrace() and PTRACE_O_EXITKILL in kernel/ptrace.c). A frame for rt_sigreturn(2) on its own stack would need no tracer, but below a stack pointer may
 * be anybody's memory: Go's small stacks lie in its heap, for which it takes signals on another one. A call of its own, changed at its entry, returns into its code with
 * another call's result and arguments, which is worse. So it is a child of its own (uffd.c), which blocks every signal, and whom only a SIGKILL for itself, within some microseconds, can hurt.
 *
 * Nothing is written into the process: the calls are made by a syscall instruction that it has, in its vdso or any other executable mapping. Calls and returns are not
 * executed, so shadow stacks do not notice. x86-64 only; elsewhere -EOPNOTSUPP.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/user.h>

struct err;

struct cr_inject {
	pid_t pid;
	struct user_regs_struct regs; /* as they are to be when it goes on */
	uint64_t mask;		      /* its signal mask */
	uint64_t code;		      /* address of a syscall instruction */
	uint64_t rseq_cs_at, rseq_cs; /* 0: not in a restartable sequence */
	uint64_t since_ns;	      /* when it was stopped */
	bool looked, masked;	      /* regs, mask are known */
	bool running;		      /* not in a stop of ours: caught in the middle of a call */
};

/*
 * Stops process pid, which began at `ticks` (proc_start_time()), waiting at most wait_ms. Then nothing remains of it on failure, but see above. -ESRCH: gone, or another one
 * by now; -EPERM: traced by another, or a zombie; -ETIMEDOUT: in an uninterruptible sleep or frozen; -EOPNOTSUPP: 32-bit code, calls caught by
 * syscall user dispatch, no syscall instruction.
 */
int cr_inject_begin(struct cr_inject *in, pid_t pid, uint64_t ticks, int wait_ms, struct err *e);

/*
 * Makes one call; *result is what the kernel returned (-errno). It must be one that does not block nor use restart_syscall(2). On failure (the process died: -ESRCH)
 * nothing but cr_inject_end() makes sense.
 */
int cr_inject_syscall(struct cr_inject *in, long nr, const uint64_t args[6], long *result,
		      struct err *e);

/* Lets it go as it was. *stop_ns (may be NULL): how long it was stopped. -ESRCH, e filled, when it died meanwhile. */
int cr_inject_end(struct cr_inject *in, uint64_t *stop_ns, struct err *e);
