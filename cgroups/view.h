/* SPDX-License-Identifier: GPL-2.0-only */
/* What a container finds of its limits in its own control group. */
#pragma once

struct cg;

/*
 * A container whose processes are in PATH/ct has that as the root of its cgroup namespace, and reads "max" there of all that PATH limits: a Java or Go runtime, which sizes itself by memory.max and cpu.max,
 * would take the whole host. So what was written to a file of PATH is written to PATH/ct as well, which changes nothing of what holds: PATH is out of the container's reach. Call it after that.
 *
 * Does nothing for a container without that level, or where PATH/ct has no such file; what the kernel refuses is a log_warn.
 */
void cg_view_set(const struct cg *cg, const char *file, const char *value);
