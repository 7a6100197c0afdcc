// SPDX-License-Identifier: GPL-2.0-only
/* Rules that libseccomp may never come to an end with are tried by a child. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/own.h"
#include "base/sys.h"
#include "ns/seccomp_build.h"

/* A rule takes microseconds, a whole profile 20 ms. */
#define MOST_CPU_S 2

/*
 * 64-bit tests that order (and "not equal") are two nodes which lead to one and the same next test. A second rule that begins as one that is there has its next test put into the
 * one's place twice, and the list of that level is a ring: _db_tree_add() of libseccomp 2.5.4 walks it for ever ({A0 >= 16, A1 < 9}, then {A0 >= 16, A2 < 9}).
 */
static bool is_risky(const struct scmp_arg_cmp *args, size_t n)
{
	unsigned last = 0;

	for (size_t i = 0; i < n; i++)
		last = args[i].arg > last ? args[i].arg : last;
	for (size_t i = 0; i < n; i++)
		if (args[i].arg < last && args[i].op != SCMP_CMP_EQ &&
		    args[i].op != SCMP_CMP_MASKED_EQ)
			return true;
	return false;
}

/* I am a copy of a process that may have a container's locks and sockets: I touch none, and end by myself. The limit is over the kernel's grain, so it is never met by one that is merely slow. */
_Noreturn static void try_it(scmp_filter_ctx ctx, uint32_t action, int nr,
			     const struct scmp_arg_cmp *args, size_t n)
{
	const struct rlimit cpu = {MOST_CPU_S, MOST_CPU_S};
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	if (null < 0 || setrlimit(RLIMIT_CPU, &cpu) < 0)
		_exit(1);
	if (seccomp_rule_add_array(ctx, action, nr, (unsigned)n, args) == 0)
		(void)seccomp_export_bpf(ctx, null);
	_exit(0);
}

int ns_seccomp_try(scmp_filter_ctx ctx, uint32_t action, int nr, const struct scmp_arg_cmp *args,
		   size_t n, const char *name, struct err *e)
{
	/* No exit signal: the caller's caller may have told the kernel to forget its children (SIG_IGN), and then nobody would know how it ended. */
	struct clone_args how = {0};
	int status;
	pid_t pid;

	if (!is_risky(args, n))
		return 0;
	pid = sys_clone3(&how);
	if (pid == 0)
		try_it(ctx, action, nr, args, n);
	if (pid < 0)
		return err_sys(e, "make a process that tries a filter");
	while (waitpid(pid, &status, __WALL) < 0)
		if (errno != EINTR)
			return err_sys(e, "wait for the process that tries a filter");
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	err_set(e, ELOOP, "linux.seccomp: libseccomp does not come to an end with the rules for %s",
		name);
	err_hint(e, "write a rule with several arguments as several, or test for equality first");
	return err_class(e, ERR_CONFIG);
}
