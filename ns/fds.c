// SPDX-License-Identifier: GPL-2.0-only
/* close_range(2) around the descriptors that stay. */
#include "ns/fds.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <unistd.h>

#include "base/err.h"

#define FIRST 3u /* 0, 1, 2 are always the program's */

/* The smallest member of keep[] that is >= from; UINT_MAX if none. */
static unsigned next_kept(const int keep[], size_t n, unsigned from)
{
	unsigned best = UINT_MAX;

	for (size_t i = 0; i < n; i++)
		if (keep[i] >= 0 && (unsigned)keep[i] >= from && (unsigned)keep[i] < best)
			best = (unsigned)keep[i];
	return best;
}

static int all_but(const int keep[], size_t n, int flags, struct err *e)
{
	unsigned from = FIRST;

	while (1) {
		unsigned kept = next_kept(keep, n, from);

		if (kept > from &&
		    close_range(from, kept == UINT_MAX ? UINT_MAX : kept - 1, flags) < 0)
			return err_sys(e, "close inherited descriptors");
		if (kept == UINT_MAX)
			return 0;
		from = kept + 1;
	}
}

int ns_fds_keep_only(const int keep[], size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		if (keep[i] < (int)FIRST)
			continue;
		if (fcntl(keep[i], F_SETFD, 0) < 0)
			return err_sys(e, "hand descriptor %d to the program", keep[i]);
	}
	return all_but(keep, n, CLOSE_RANGE_CLOEXEC, e);
}

int ns_fds_close_others(const int keep[], size_t n, struct err *e)
{
	return all_but(keep, n, 0, e);
}
