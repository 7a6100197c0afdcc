/* SPDX-License-Identifier: GPL-2.0-only */
/* Init's steps that make what the container sees of files: its root, mounts, devices, masks. */
#pragma once

/*
 * Called by start_init.c alone, in the order of steps.h, each once, in the new process. What is mounted is attached below s->root by descriptors; until ct_step_pivot() the host's paths are those that a
 * name leads to.
 */

#include "runtime/spec.h"
#include "runtime/steps.h"

struct ct_init;
struct err;

/* Where init is, and what it holds between steps. */
struct ct_stage {
	struct ct_init *in;
	struct ct_process process; /* the spec's; its env may become one with HOME */
	enum ct_step step;
	int root;	    /* the root file system's mount: root of every path before the pivot */
	int console_master; /* OCI terminal, until it is sent */
	int console_slave;
	bool in_network; /* in->netns_comes: it has come */
	bool any_sealed; /* a tmpfs among the mounts is to be read-only */
};

/* Cuts the mounts off from the host's and attaches the root file system. */
int ct_step_rootfs(struct ct_stage *s, struct err *e);

/* The spec's mounts in their order, and /dev where they have none. After: in the network namespace. */
int ct_step_mounts(struct ct_stage *s, struct err *e);

/* Nodes, links, terminals of /dev; s->console_master, s->console_slave. */
int ct_step_dev(struct ct_stage *s, struct err *e);

/* Masked and read-only paths. */
int ct_step_masks(struct ct_stage *s, struct err *e);

/* Point of no return: no host path can be opened afterwards. */
int ct_step_pivot(struct ct_stage *s, struct err *e);
