/* SPDX-License-Identifier: GPL-2.0-only */
/* Bandwidth of a container: token bucket towards it, policing from it, both at the host end of its veth. */
#pragma once

#include <stdint.h>

struct err;

/* Sets or changes the rate of both ways, live. bits a second, at least 8000; 0 removes the limit. */
int net_shape_set(const char *host_name, uint64_t rate_bits, struct err *e);

/* By name alone; gone already is success. */
int net_shape_remove(const char *host_name, struct err *e);
