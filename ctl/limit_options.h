/* SPDX-License-Identifier: GPL-2.0-only */
/* The options of create and set that limit and share, put into a definition: memory, processors, processes, disks. */
#pragma once

#include "runtime/definition.h"

struct err;

/* what: the option as it was typed, for the message. All of class VALUE. */
int ctl_limit_memory(struct ct_definition *d, const char *what, const char *value, struct err *e);
int ctl_limit_swap(struct ct_definition *d, const char *what, const char *value, struct err *e);
int ctl_limit_cpus(struct ct_definition *d, const char *what, const char *value, struct err *e);
int ctl_limit_cpulimit(struct ct_definition *d, const char *what, const char *value, struct err *e);
int ctl_limit_cpuunits(struct ct_definition *d, const char *what, const char *value, struct err *e);
int ctl_limit_cpuweight(struct ct_definition *d, const char *what, const char *value,
			struct err *e);
int ctl_limit_io_weight(struct ct_definition *d, const char *what, const char *value,
			struct err *e);
int ctl_limit_io_limit(struct ct_definition *d, const char *what, const char *value, struct err *e);
int ctl_limit_iolimit(struct ct_definition *d, const char *what, const char *value, struct err *e);
int ctl_limit_iops(struct ct_definition *d, const char *what, const char *value, struct err *e);
int ctl_limit_cpuset(struct ct_definition *d, const char *what, const char *value, struct err *e);
int ctl_limit_pids(struct ct_definition *d, const char *what, const char *value, struct err *e);
int ctl_limit_disk(struct ct_definition *d, const char *what, const char *value, struct err *e);
int ctl_limit_diskspace(struct ct_definition *d, const char *what, const char *value,
			struct err *e);

/* OpenVZ's --cpuunits as a cgroup v2 weight, and back. */
unsigned ctl_weight_from_units(unsigned units);
unsigned ctl_weight_to_units(unsigned weight);
