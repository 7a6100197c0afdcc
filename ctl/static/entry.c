// SPDX-License-Identifier: GPL-2.0-only
/* Where the statically linked skep begins: a verb that enters a container begins the program again from a read-only mount, before libc has begun. */
/*
 * The same as ns_self_shield(), which finds its work done then, and which does it, or says why it cannot be done, whenever anything here fails. Only sooner: libc's own
 * beginning (CPUID leaves, relocations, 40 page faults) is an eighth of a container's start, and would come twice.
 *
 * The mount's descriptor lives on: closing it is a wait that execve would be held by (ns_self_mount_find()).
 *
 * Nothing of libc's works here yet, and nothing is relocated: system calls, the stack, and constants by relative addresses.
 */
#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__)
#include <fcntl.h>
#include <linux/mount.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

/* As statfs(2) has it; libc's name for it is ST_RDONLY. */
#define RDONLY 1

#ifndef OPEN_TREE_CLONE
#define OPEN_TREE_CLONE 1
#endif

#define BARE __attribute__((no_stack_protector, noinline))

BARE static long call(long nr, long a, long b, long c, long d, long e)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	long r;

	__asm__ volatile("syscall"
			 : "=a"(r)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
			 : "rcx", "r11", "memory");
	return r;
}

BARE static bool same(const char *a, const char *b)
{
	for (; *a && *a == *b; a++)
		b++;
	return *a == *b;
}

BARE static bool enters_container(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (same(argv[i], "run") || same(argv[i], "create") || same(argv[i], "exec"))
			return true;
	return false;
}

__attribute__((used, visibility("hidden"))) void skep_before_libc(long *stack);

/* stack: as the kernel leaves it (argc, argv, NULL, environ). Returns unless the program begins again. */
BARE void skep_before_libc(long *stack)
{
	const char exe[] = "/proc/self/exe", none[] = "";
	int argc = (int)stack[0];
	char **argv = (char **)(stack + 1);
	struct mount_attr attr;
	struct statfs fs;
	long fd;

	attr.attr_set = MOUNT_ATTR_RDONLY;
	attr.attr_clr = 0;
	attr.propagation = 0;
	attr.userns_fd = 0;
	fs.f_flags = 0;
	if (!enters_container(argc, argv) || call(SYS_statfs, (long)exe, (long)&fs, 0, 0, 0) < 0 ||
	    (fs.f_flags & RDONLY))
		return;
	fd = call(SYS_open_tree, AT_FDCWD, (long)exe, OPEN_TREE_CLONE | O_CLOEXEC, 0, 0);
	if (fd < 0)
		return;
	if (call(SYS_mount_setattr, fd, (long)none, AT_EMPTY_PATH, (long)&attr, sizeof(attr)) >=
	    0) {
		/* Not as one of the standard three: that would be the container's. */
		if (fd > STDERR_FILENO)
			call(SYS_fcntl, fd, F_SETFD, 0, 0, 0);
		call(SYS_execveat, fd, (long)none, (long)argv, (long)(argv + argc + 1),
		     AT_EMPTY_PATH);
	}
	call(SYS_close, fd, 0, 0, 0, 0);
}

/* rdx has what libc is to call at the end; the stack is aligned to 16 as its first function wants it. */
__asm__(".globl skep_entry\n"
	".type skep_entry, @function\n"
	"skep_entry:\n"
	"	xorl %ebp, %ebp\n"
	"	movq %rsp, %rdi\n"
	"	pushq %rdx\n"
	"	pushq %rdx\n"
	"	call skep_before_libc\n"
	"	popq %rdx\n"
	"	popq %rdx\n"
	"	jmp _start\n");
#else
/* Elsewhere libc's own. */
__asm__(".globl skep_entry\n"
	".set skep_entry, _start\n");
#endif
