// SPDX-License-Identifier: GPL-2.0-only
/* Signals as people write them. */
#include "runtime/signal_name.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

/* "", "+3", "-1" behind RTMIN or RTMAX. -1: malformed. */
static int realtime(int base, const char *offset)
{
	char *end;
	long n = strtol(offset, &end, 10);

	if (*end || (*offset && *offset != '+' && *offset != '-') || n < -SIGRTMAX || n > SIGRTMAX)
		return -1;
	n += base;
	return n >= SIGRTMIN && n <= SIGRTMAX ? (int)n : -1;
}

static int from_str(const char *text)
{
	char *end;
	long n;

	if (*text >= '0' && *text <= '9') {
		n = strtol(text, &end, 10);
		return *end || n < 1 || n > SIGRTMAX ? -1 : (int)n;
	}
	if (!strncasecmp(text, "SIG", 3))
		text += 3;
	if (!strncasecmp(text, "RTMIN", 5))
		return realtime(SIGRTMIN, text + 5);
	if (!strncasecmp(text, "RTMAX", 5))
		return realtime(SIGRTMAX, text + 5);
	for (int s = 1; s < SIGRTMIN; s++) {
		const char *name = sigabbrev_np(s);

		if (name && !strcasecmp(name, text))
			return s;
	}
	return -1;
}

int ct_signal_from_str(const char *what, const char *text, struct err *e)
{
	int s = from_str(text);

	if (s > 0)
		return s;
	err_set(e, EINVAL, "%s: '%s' is not a signal", what, text);
	err_hint(e, "a name like SIGTERM, SIGRTMIN+3, or a number");
	return err_class(e, ERR_VALUE);
}
