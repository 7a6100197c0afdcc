// SPDX-License-Identifier: GPL-2.0-only
/* unshare(CLONE_NEWTIME) and its offsets, see time_namespaces(7). */
#include "ns/timens.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/err.h"
#include "base/own.h"
#include "base/sys.h"

int ns_time_unshare(const struct ns_time_offset *monotonic, const struct ns_time_offset *boottime,
		    struct err *e)
{
	auto_fd int fd = -EBADF;
	char text[128];
	int len = 0;

	if (unshare(CLONE_NEWTIME) < 0) {
		err_sys(e, "make a time namespace");
		return err_hint(e, "the kernel needs CONFIG_TIME_NS");
	}
	/* Both lines in one write: the kernel applies them together or not at all. */
	if (monotonic)
		len += snprintf(text + len, sizeof(text) - (size_t)len, "1 %" PRId64 " %u\n",
				monotonic->secs, monotonic->nanosecs);
	if (boottime)
		len += snprintf(text + len, sizeof(text) - (size_t)len, "7 %" PRId64 " %u\n",
				boottime->secs, boottime->nanosecs);
	if (!len)
		return 0;
	fd = open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "open /proc/self/timens_offsets");
	if (write(fd, text, (size_t)len) != len)
		return err_sys(e, "set clock offsets");
	return 0;
}
