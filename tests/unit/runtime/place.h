/* SPDX-License-Identifier: GPL-2.0-only */
/* A state directory a test, and a process that stands for a container's init. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/own.h"
#include "base/proc.h"
#include "base/sys.h"
#include "cgroups/group.h"
#include "runtime/container.h"
#include "runtime/ledger.h"
#include "runtime/state.h"

#define PLACE_UNUSED __attribute__((unused))

/* Wants success, and says why not. */
#define ok(expr)                                           \
	({                                                 \
		struct err e = {0};                        \
		int _r = (expr);                           \
		if (_r < 0)                                \
			fail_msg("%s: %s", #expr, e.text); \
		_r;                                        \
	})

/* Wants this class of error. */
#define refused(expr, kind)                                                                     \
	({                                                                                      \
		struct err e = {0};                                                             \
		assert_true((expr) < 0);                                                        \
		if (e.class != (kind))                                                          \
			fail_msg("%s: class %s: %s", #expr, err_class_to_str(e.class), e.text); \
	})

struct place {
	char state[64];
};

PLACE_UNUSED static int place_setup(void **state)
{
	struct place *p = calloc(1, sizeof(*p));
	const char *tmp = getenv("TMPDIR");

	*state = p;
	snprintf(p->state, sizeof(p->state), "%.40s/skep-ct-XXXXXX", tmp ? tmp : "/tmp");
	return mkdtemp(p->state) ? 0 : -1;
}

PLACE_UNUSED static int place_teardown(void **state)
{
	struct place *p = *state;
	struct err e = {0};
	int r = file_remove_tree_at(AT_FDCWD, p->state, &e);

	free(p);
	return r;
}

/* Everything below the state directory. */
PLACE_UNUSED static int place_count(const struct place *p)
{
	DIR *d = opendir(p->state);
	struct dirent *entry;
	int n = 0;

	assert_non_null(d);
	while ((entry = readdir(d)))
		n += strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..");
	closedir(d);
	return n;
}

PLACE_UNUSED static void place_path(const struct place *p, const char *rest, char out[256])
{
	snprintf(out, 256, "%s/%s", p->state, rest);
}

/* A child that waits for a signal, as init of ct: recorded with status. deaf: ignores SIGTERM. */
PLACE_UNUSED static pid_t place_init(struct ct *ct, enum ct_status status, bool deaf)
{
	int ready[2];
	pid_t pid;
	char c;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (deaf)
			signal(SIGTERM, SIG_IGN);
		ct_close(ct); /* as init does: a copy of the lock would keep it */
		close(ready[1]);
		while (pause())
			;
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &c, 1), 0);
	close(ready[0]);
	ct->s.pid = pid;
	ct->s.status = status;
	ok(proc_start_time(pid, &ct->s.pid_start, &e));
	ok(ct_state_save(ct, &e));
	return pid;
}

PLACE_UNUSED static int place_reap(pid_t pid)
{
	int status = -1;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

PLACE_UNUSED static enum ct_status place_status(const struct ct *ct)
{
	enum ct_status status;

	ok(ct_status(ct, &status, &e));
	return status;
}
