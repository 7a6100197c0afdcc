// SPDX-License-Identifier: GPL-2.0-only
/* A container that does nothing but reboot is stopped. */
#include "runtime/reboot.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/own.h"

#define FILE_MOST 4096

/* Those of the last CT_REBOOTS_SECONDS. One in the future is of another boot of the host. */
static int read_recent(int dir, uint64_t now, uint64_t times[CT_REBOOTS_MOST])
{
	auto_free char *text = NULL;
	struct err none = {0};
	char *p, *end;
	int count = 0;

	if (file_try_read_at(dir, CT_REBOOTS_FILE, FILE_MOST, &text, &none) < 0)
		return 0;
	for (p = text; count < CT_REBOOTS_MOST; p = end) {
		uint64_t t = strtoull(p, &end, 10);

		if (end == p)
			break;
		if (t <= now && now - t < CT_REBOOTS_SECONDS)
			times[count++] = t;
	}
	return count;
}

int ct_reboot_allowed_at(int dir, uint64_t now, struct err *e)
{
	uint64_t times[CT_REBOOTS_MOST];
	int count = read_recent(dir, now, times);
	char text[(CT_REBOOTS_MOST + 1) * 21];
	struct err why = {0};
	int n = 0;

	if (count == CT_REBOOTS_MOST) {
		unlinkat(dir, CT_REBOOTS_FILE, 0);
		return err_set(e, EAGAIN, "%d reboots in %" PRIu64 " s", count + 1, now - times[0]);
	}
	for (int i = 0; i < count; i++)
		n += snprintf(text + n, sizeof(text) - (size_t)n, "%" PRIu64 "\n", times[i]);
	n += snprintf(text + n, sizeof(text) - (size_t)n, "%" PRIu64 "\n", now);
	if (file_replace_volatile_at(dir, CT_REBOOTS_FILE, text, (size_t)n, 0600, &why) < 0)
		log_warn("count of reboots: %s", why.text);
	return 0;
}

int ct_reboot_allowed(int dir, struct err *e)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return ct_reboot_allowed_at(dir, (uint64_t)now.tv_sec, e);
}
