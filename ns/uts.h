/* SPDX-License-Identifier: GPL-2.0-only */
/* Host and domain name of our own UTS namespace. */
#pragma once

#include <stdbool.h>

struct err;

/* 1 to 64 of letters, digits, '-', '.', '_'; no dot or hyphen at the ends. */
bool ns_uts_name_ok(const char *name);

/* Init side. NULL leaves the one as it is. */
int ns_uts_set(const char *hostname, const char *domainname, struct err *e);
