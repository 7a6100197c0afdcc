// SPDX-License-Identifier: GPL-2.0-only
/* What of a program is executed: touched PROGRAM ARG... steps through PROGRAM and every process it makes, and prints each address of it once, in the order of their first use. */
/*
 * A line is "FIRST ADDRESS WHO": its place in that order, the address as the linker knows it, and by whom it was executed: 1 PROGRAM's own process, 2 its children, 3 both.
 * A child that executes another program is left alone from there on.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define SPAN  (64u << 20)
#define TASKS 64

static uint8_t *who;
static uint32_t *order, count;
static struct stat program;
static uint64_t entry;

static struct task {
	pid_t pid;
	uint64_t base;
} tasks[TASKS];

static void must(long result, const char *what)
{
	if (result != -1)
		return;
	fprintf(stderr, "touched: %s: %s\n", what, strerror(errno));
	exit(1);
}

static struct task *find(pid_t pid)
{
	for (int i = 0; i < TASKS; i++)
		if (tasks[i].pid == pid)
			return &tasks[i];
	return NULL;
}

/* Where it is loaded; 0: it is another program. */
static uint64_t find_base(pid_t pid)
{
	uint64_t aux[64] = {0};
	struct stat st;
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	if (stat(path, &st) || st.st_ino != program.st_ino || st.st_dev != program.st_dev)
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/auxv", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	must(fd, path);
	must(read(fd, aux, sizeof(aux) - 16), path);
	close(fd);
	for (int i = 0; aux[i]; i += 2)
		if (aux[i] == AT_ENTRY)
			return aux[i + 1] - entry;
	return 0;
}

static void note(const struct task *t)
{
	long rip = ptrace(PTRACE_PEEKUSER, t->pid, offsetof(struct user, regs.rip), NULL);
	uint64_t at = (uint64_t)rip - t->base;

	if (at >= SPAN)
		return;
	if (!who[at])
		order[at] = ++count;
	who[at] |= t == tasks ? 1 : 2;
}

static void stopped(struct task *t, int status)
{
	int signal = WSTOPSIG(status), event = status >> 16;
	unsigned long child = 0;

	if (event == PTRACE_EVENT_EXEC) {
		t->base = find_base(t->pid);
	} else if (event) {
		struct task *new = find(0);

		ptrace(PTRACE_GETEVENTMSG, t->pid, NULL, &child);
		if (new && !find((pid_t)child))
			*new = (struct task){.pid = (pid_t)child, .base = t->base};
	}
	if (event || signal == SIGTRAP || signal == SIGSTOP)
		signal = 0;
	if (t->base)
		note(t);
	ptrace(t->base ? PTRACE_SINGLESTEP : PTRACE_CONT, t->pid, NULL, (long)signal);
}

static void read_entry(const char *path)
{
	Elf64_Ehdr head;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	must(fd, path);
	must(fstat(fd, &program), path);
	if (read(fd, &head, sizeof(head)) != sizeof(head))
		must(-1, path);
	entry = head.e_entry;
	close(fd);
}

int main(int argc, char **argv)
{
	int status;
	pid_t pid;

	if (argc < 2) {
		fprintf(stderr, "use: touched PROGRAM ARG...\n");
		return 2;
	}
	who = calloc(SPAN, 1);
	order = calloc(SPAN, sizeof(*order));
	must(who && order ? 0 : -1, "memory");
	read_entry(argv[1]);
	pid = fork();
	must(pid, "fork");
	if (pid == 0) {
		must(ptrace(PTRACE_TRACEME, 0, NULL, NULL), "be traced");
		raise(SIGSTOP);
		execv(argv[1], argv + 1);
		must(-1, argv[1]);
	}
	tasks[0].pid = pid;
	must(waitpid(pid, &status, 0), "wait");
	must(ptrace(PTRACE_SETOPTIONS, pid, NULL,
		    PTRACE_O_EXITKILL | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
			    PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC),
	     "trace");
	must(ptrace(PTRACE_CONT, pid, NULL, NULL), "continue");
	while ((pid = waitpid(-1, &status, __WALL)) > 0) {
		struct task *t = find(pid);

		if (WIFSTOPPED(status)) {
			/* A child may be there before its parent's event. */
			if (!t && (t = find(0)))
				*t = (struct task){.pid = pid, .base = find_base(pid)};
			if (t)
				stopped(t, status);
		} else if (t) {
			if (t == tasks && (!WIFEXITED(status) || WEXITSTATUS(status)))
				fprintf(stderr, "touched: it ended with status %#x\n",
					(unsigned)status);
			if (t != tasks)
				t->pid = 0;
		}
	}
	for (uint32_t at = 0; at < SPAN; at++)
		if (who[at])
			printf("%u %x %d\n", order[at], at, who[at]);
	return 0;
}
