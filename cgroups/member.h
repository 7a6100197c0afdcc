/* SPDX-License-Identifier: GPL-2.0-only */
/* Which groups a process is in: the lines of /proc/PID/cgroup. */
#pragma once

/*
 * cgroups(7), "/proc/pid/cgroup": "4:cpu,cpuacct:/a/group" for each hierarchy. Neither controllers nor names of hierarchies have a colon or a newline in them; a group's name may have colons.
 * Each call cuts the text that it is given, which what it returns points into.
 */

#include <stdbool.h>

struct cg;

struct cg_member {
	char *controllers; /* "cpu,cpuacct", "name=systemd"; "" of cgroup2 */
	char *path;	   /* "/a/group"; as the reader's cgroup namespace shows it */
};

/* The next line of *rest, which ends up NULL. Lines of another form are passed over. False: there is no more. */
bool cg_member_next(char **rest, struct cg_member *member);

/* The group in the hierarchy of just these controllers; NULL: there is no such hierarchy. */
const char *cg_member_path(char *text, const char *controllers);

/* A bit for each enum cg_controller among them ("cpu,cpuacct"), CG_MEMBER_V2 for cgroup2 (""); of those that skep has no word for, none. */
unsigned cg_member_bits(const char *controllers);
#define CG_MEMBER_V2 (1u << 31)

/* The same for the hierarchies in which that group is ours. */
unsigned cg_member_bits_of(const struct cg *cg);
