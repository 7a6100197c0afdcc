/* SPDX-License-Identifier: GPL-2.0-only */
/* How often a container may reboot itself. */
#pragma once

#include <stdint.h>

struct err;

/* So many in so many seconds, and it is one whose init ends at once: started again, it would only burn the host's CPU. */
#define CT_REBOOTS_MOST	   10
#define CT_REBOOTS_SECONDS 60

#define CT_REBOOTS_FILE \
	"reboots" /* in ROOT/ct/NAME: the times of the last ones, in seconds of CLOCK_BOOTTIME */

/* Notes a reboot in dir. -EAGAIN: it was one too many; the count then begins anew. Whatever else fails is no reason to refuse one. */
int ct_reboot_allowed(int dir, struct err *e);

/* The same at a given time. */
int ct_reboot_allowed_at(int dir, uint64_t now, struct err *e);
