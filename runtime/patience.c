// SPDX-License-Identifier: GPL-2.0-only
/* How long we wait for somebody who may never answer. */
#include "runtime/patience.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "base/err.h"
#include "runtime/hook.h"

#define MOST_S 86400

int ct_patience_ms(void)
{
	const char *text = getenv(CT_PATIENCE_ENV);
	char *end;
	long s = text && *text ? strtol(text, &end, 10) : CT_PATIENCE_S;

	/* Not a number: as if it were not there. Our caller's environment is no command line that could be refused. */
	if (text && *text && (*end || s < 0 || s > MOST_S))
		s = CT_PATIENCE_S;
	return s ? (int)s * 1000 : -1;
}

int ct_patience_with_hooks_ms(const struct ct_hooks *hooks, int point)
{
	int64_t ms = ct_patience_ms();

	for (size_t i = 0; hooks && ms >= 0 && i < hooks->n[point]; i++) {
		int s = hooks->list[point][i].timeout_s;

		ms = s > 0 && s <= MOST_S ? ms + s * INT64_C(1000) : -1;
	}
	return ms > INT32_MAX ? -1 : (int)ms;
}

int ct_patience_set(int sock, int ms, struct err *e)
{
	const struct timeval most = {.tv_sec = ms / 1000};

	if (ms < 0)
		return 0;
	if (setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof(most)) < 0)
		return err_sys(e, "bound the wait for a process");
	return 0;
}
