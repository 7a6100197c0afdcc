// SPDX-License-Identifier: GPL-2.0-only
/* Where the statically linked skep begins: for a verb that enters a container the program is of a read-only mount from here on, before libc has begun. */
/*
 * The same as ns_self_shield(), which finds its work done then, and which does it, or says why it cannot be done, whenever anything here fails. Only sooner and cheaper: libc's own
 * beginning (CPUID leaves, relocations, 40 page faults) is an eighth of a container's start, and would come twice.
 *
 * The program is not executed once more either: it is mapped once more, from the mount, over itself, and prctl(2) makes that file /proc/self/exe. The kernel does so only when nothing of the one
 * before is mapped any more (replace_mm_exe_file(), kernel/fork.c). Where it may not (CAP_CHECKPOINT_RESTORE, CONFIG_CHECKPOINT_RESTORE), execveat(2) does it.
 *
 * The mount's descriptor lives on: closing it is a wait that a start would be held by (ns_self_mount_find()).
 *
 * Nothing of libc's works here yet, and nothing is relocated: system calls, the stack, and what lies at a relative address. No loop may be one that the compiler makes a call of memset or memcpy of (the Makefile looks).
 */
#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__)
#include <elf.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/prctl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ns/self.h"

/* As statfs(2) has it; libc's name for it is ST_RDONLY. */
#define RDONLY 1

#ifndef OPEN_TREE_CLONE
#define OPEN_TREE_CLONE 1
#endif

#define PAGE 4096UL

#define BARE   __attribute__((no_stack_protector, noinline))
#define HIDDEN __attribute__((visibility("hidden")))

/* The linker's: where the program is in memory. */
extern const Elf64_Ehdr HIDDEN __ehdr_start;

BARE static long call(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long r;

	__asm__ volatile("syscall"
			 : "=a"(r)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
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

/* Where the word after this one begins: execve lays them end to end. */
BARE static unsigned long behind(const char *word)
{
	while (*word)
		word++;
	return (unsigned long)word + 1;
}

/* A descriptor to map from, of one that is O_PATH. */
BARE static long open_again(long fd)
{
	static const char dir[] = "/proc/self/fd/";
	char path[sizeof(dir) + 10];
	volatile char *at = path + sizeof(path); /* volatile: see above: memcpy */

	*--at = '\0';
	do
		*--at = (char)('0' + fd % 10);
	while (fd /= 10);
	for (unsigned long n = sizeof(dir) - 1; n;)
		*--at = dir[--n];
	return call(SYS_openat, AT_FDCWD, (long)at, O_RDONLY | O_CLOEXEC, 0, 0, 0);
}

/* One segment as execve had mapped it. What its last page has behind it is the begin of .bss, which is to be zero. */
BARE static long map_segment(const Elf64_Phdr *ph, unsigned long at, long file)
{
	unsigned long head = at % PAGE, end = at + ph->p_filesz, rest = -end % PAGE;
	int prot = (ph->p_flags & PF_R ? PROT_READ : 0) | (ph->p_flags & PF_W ? PROT_WRITE : 0) |
		   (ph->p_flags & PF_X ? PROT_EXEC : 0);
	/* Of what is written to, relocation will touch each page: one call for them all instead of 17 faults. */
	int flags = MAP_PRIVATE | MAP_FIXED | (ph->p_flags & PF_W ? MAP_POPULATE : 0);
	long r = call(SYS_mmap, (long)(at - head), (long)(head + ph->p_filesz), prot, flags, file,
		      (long)(ph->p_offset - head));

	if (r >= 0 && ph->p_flags & PF_W)
		__asm__ volatile("rep stosb" : "+D"(end), "+c"(rest) : "a"(0) : "memory");
	return r;
}

/* prctl(2): PR_SET_MM_MAP. All but the file is as it was: of execve's (load_elf_binary(), fs/binfmt_elf.c), with no heap yet. file: mapped in the program's place. */
BARE static long begin_again(long *stack, long file)
{
	unsigned long base = (unsigned long)&__ehdr_start;
	const Elf64_Phdr *ph = (const Elf64_Phdr *)(base + __ehdr_start.e_phoff);
	char **argv = (char **)(stack + 1), **env = argv + *stack + 1;
	struct prctl_mm_map map;
	unsigned int n = __ehdr_start.e_phnum;

	map.start_code = UINT64_MAX;
	map.end_code = map.start_data = map.end_data = 0;
	for (; n; n--, ph++) {
		unsigned long at = base + ph->p_vaddr, end = at + ph->p_filesz;

		if (ph->p_type != PT_LOAD)
			continue;
		if (map_segment(ph, at, file) < 0)
			return -1;
		if (ph->p_flags & PF_X && at < map.start_code)
			map.start_code = at;
		if (ph->p_flags & PF_X && end > map.end_code)
			map.end_code = end;
		if (at > map.start_data)
			map.start_data = at;
		if (end > map.end_data)
			map.end_data = end;
	}
	map.start_brk = map.brk = (unsigned long)call(SYS_brk, 0, 0, 0, 0, 0, 0);
	map.start_stack = (unsigned long)stack;
	map.arg_start = (unsigned long)*argv;
	map.arg_end = map.env_start = map.env_end = behind(argv[*stack - 1]);
	for (; *env; env++)
		map.env_end = behind(*env);
	map.auxv = NULL;
	map.auxv_size = 0; /* no other */
	map.exe_fd = (unsigned int)file;
	return call(SYS_prctl, PR_SET_MM, PR_SET_MM_MAP, (long)&map, sizeof(map), 0, 0);
}

/* A program that is the root of a mount without a place, as here and in ns_self_shield(). A mount with a place is its host's, who may make it writable whenever he likes. */
BARE static bool is_shielded(const char *exe)
{
	static const char gone[] = "/ (deleted)";
	char path[sizeof(gone) + 1];
	struct statfs fs;
	long n = call(SYS_readlink, (long)exe, (long)path, sizeof(path) - 1, 0, 0, 0);

	if (n < 1)
		return false;
	path[n] = '\0';
	fs.f_flags = 0;
	return (n == 1 || same(path, gone)) &&
	       call(SYS_statfs, (long)exe, (long)&fs, 0, 0, 0, 0) >= 0 && fs.f_flags & RDONLY;
}

HIDDEN __attribute__((used)) void skep_before_libc(long *stack);

/* stack: as the kernel leaves it (argc, argv, NULL, environ). Returns unless the program is executed again. */
BARE void skep_before_libc(long *stack)
{
	static const char exe[] = "/proc/self/exe", none[] = "";
	int argc = (int)stack[0];
	char **argv = (char **)(stack + 1);
	struct mount_attr attr;
	long fd, file;
	bool again;

	attr.attr_set = MOUNT_ATTR_RDONLY;
	attr.attr_clr = 0;
	attr.propagation = 0;
	attr.userns_fd = 0;
	if (!enters_container(argc, argv) || is_shielded(exe))
		return;
	fd = call(SYS_open_tree, AT_FDCWD, (long)exe, OPEN_TREE_CLONE | O_CLOEXEC, 0, 0, 0);
	if (fd < 0)
		return;
	if (call(SYS_mount_setattr, fd, (long)none, AT_EMPTY_PATH, (long)&attr, sizeof(attr), 0) >=
	    0) {
		file = open_again(fd);
		again = file >= 0 && begin_again(stack, file) >= 0;
		if (file >= 0)
			call(SYS_close, file, 0, 0, 0, 0, 0);
		/* Not as one of the standard three: that would be the container's. */
		if (again && fd > STDERR_FILENO) {
			ns_self_mount = (int)fd;
			return;
		}
		if (!again && fd > STDERR_FILENO)
			call(SYS_fcntl, fd, F_SETFD, 0, 0, 0, 0);
		if (!again)
			call(SYS_execveat, fd, (long)none, (long)argv, (long)(argv + argc + 1),
			     AT_EMPTY_PATH, 0);
	}
	call(SYS_close, fd, 0, 0, 0, 0, 0);
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
