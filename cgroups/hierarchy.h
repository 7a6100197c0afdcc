/* SPDX-License-Identifier: GPL-2.0-only */
/* Which controller is mounted where. */
#pragma once

/*
 * struct cg_host is found at the first cg_host() of a process and never changes. A hybrid host has v1 controllers and a unified
 * hierarchy for the core (events, freeze, kill, pressure); a stock host only the unified one.
 */

struct err;

/* X(name, v1 controller, v2 controller ("" none needed there: the kernel's core or BPF does it)) */
#define CG_CONTROLLERS(X)             \
	X(CPU, "cpu", "cpu")          \
	X(CPUACCT, "cpuacct", "cpu")  \
	X(CPUSET, "cpuset", "cpuset") \
	X(MEMORY, "memory", "memory") \
	X(PIDS, "pids", "pids")       \
	X(IO, "blkio", "io")          \
	X(DEVICES, "devices", "")     \
	X(FREEZER, "freezer", "")     \
	X(NET_CLS, "net_cls", "")     \
	X(NET_PRIO, "net_prio", "")   \
	X(SYSTEMD, "name=systemd", "")

enum cg_controller {
#define X(name, v1, v2) CG_##name,
	CG_CONTROLLERS(X)
#undef X
		CG_CONTROLLER_COUNT
};

struct cg_host {
	char unified[128]; /* mount point of cgroup2; "" if there is none */
	struct {
		int version;	 /* 0 absent, 1, 2 */
		char mount[128]; /* of the hierarchy that has it; "" if absent */
	} ctl[CG_CONTROLLER_COUNT];
};

/* The hierarchies of this host, found once a process. NULL with e filled if there is none at all. */
const struct cg_host *cg_host(struct err *e);

/* "memory", as the user knows it (the v2 name where there is one). */
const char *cg_controller_to_str(enum cg_controller c);

/* As a v1 hierarchy has it: "blkio". */
const char *cg_controller_v1(enum cg_controller c);
