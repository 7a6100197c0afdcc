// SPDX-License-Identifier: GPL-2.0-only
/* The last verb: nothing of a container remains on the host. */
#include "runtime/container.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/own.h"
#include "base/proc.h"
#include "runtime/monitor.h"
#include "runtime/monitor_group.h"
#include "runtime/remains.h"

/* How long a monitor has for the console's last words and its note of the end: some writes to files. */
#define MONITOR_WAIT_MS 2000

/* Waits for one of these events on fd. A signal that does not end us shortens the wait. */
static bool wait_for(int fd, short events, int ms)
{
	struct pollfd p = {.fd = fd, .events = events};

	return poll(&p, 1, ms) == 1;
}

/* Its listening socket is gone once it has written all and executes the reaper: the kernel then closes what it has not accepted. */
static void wait_for_last_words(const struct ct *ct)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	auto_fd int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(sa.sun_path, sizeof(sa.sun_path), "/proc/self/fd/%d/" MONITOR_SOCKET_FILE,
		 ct->dir);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0)
		wait_for(fd, 0, MONITOR_WAIT_MS);
}

/*
 * init is gone. The monitor is writing down its end, or has become the reaper, which wants the lock that we hold: it has nothing to do any more. (We may
 * be that reaper; or the guardian that failed to become a monitor.)
 */
static int end_monitor(const struct ct *ct, struct err *e)
{
	auto_fd int pidfd = -EBADF;

	if (ct->s.monitor <= 0 || ct->s.stale || ct->s.monitor == getpid())
		return 0;
	pidfd = proc_open(ct->s.monitor, ct->s.monitor_start, e);
	if (pidfd < 0)
		return pidfd == -ESRCH ? 0 : pidfd;
	wait_for_last_words(ct);
	if (pidfd_send_signal(pidfd, SIGKILL, NULL, 0) < 0 && errno != ESRCH)
		return err_sys(e, "end the monitor of container %s", ct->s.id);
	if (!wait_for(pidfd, POLLIN, CT_KILL_WAIT_MS))
		log_warn("the monitor of container %s (process %d) does not die", ct->s.id,
			 ct->s.monitor);
	return 0;
}

/*
 * Processes, then what the ledger has, then the state by one rename, then the poststop hooks: killed anywhere before the rename, we leave a container that can be deleted again; after
 * it, a hidden directory that the next create or delete of this name sweeps, when it has run the hooks that we have not.
 */
int ct_delete(struct ct *ct, bool force, struct err *e)
{
	if (!force && ct_may(ct, CT_EVENT_DELETE, NULL, e) < 0)
		return -e->no;
	if (ct_remains_clean(ct, e) < 0 || end_monitor(ct, e) < 0)
		return err_wrap(e, "delete container %s", ct->s.id);
	if (ct_state_is_system(ct))
		ct_monitor_group_remove(ct->s.id, ct->state_root);
	if (fault_at("delete.state", e) < 0)
		return -e->no;
	return ct_state_remove(ct, e);
}
