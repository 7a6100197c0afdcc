/* SPDX-License-Identifier: GPL-2.0-only */
/* Injected failures: SKEP_FAULT=<step> makes that step fail, <step>:kill kills the process there, <step>:pause=FILE stops it there. */
#pragma once

struct err;

/*
 * Stands at the start of each named step ("create.cgroup", "init.mounts", "suspend.dump", "migrate.commit"). Returns 0, or -EIO with e
 * filled when the environment asks for a failure here. A pause is the first time only: the process makes FILE, with its pid in it, and stops itself until
 * somebody sends it SIGCONT; whoever finds FILE there goes on. A step whose work is undone by others when it fails is tested by
 * exactly this. The list of all points is fault_list[] (base/fault.c), which the tests walk.
 */
int fault_at(const char *point, struct err *e);

/* All points in the order of the commands, NULL-terminated. */
extern const char *const fault_list[];
