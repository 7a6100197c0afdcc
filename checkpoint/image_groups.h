/* SPDX-License-Identifier: GPL-2.0-only */
/* The control groups that the images' tasks were in. */
#pragma once

/*
 * criu puts a task into its group of each hierarchy that was there at the dump, and makes no difference for a host that has others: from cgroup v1 beside cgroup2 to cgroup2 alone, or back; one of them is hidden from us. Where
 * skep has made no group, "Cgroup dir pids//GROUP doesn't exist"; where there was none at the dump, the task stays in criu's own.
 */

struct cg;
struct err;

/* 0: the hierarchies are others than those in which cg is, and all tasks were in the group that their cgroup namespace begins at; else 1. */
int cr_image_groups_fit(int images, const struct cg *cg, struct err *e);
