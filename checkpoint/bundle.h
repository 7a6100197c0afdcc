/* SPDX-License-Identifier: GPL-2.0-only */
/* Checkpoint and restore of an OCI container, as runc does them: what its caller asked for becomes criu's words. */
#pragma once

/*
 * The directory of images is the caller's, and as runc leaves it: criu's images, and descriptors.json, which names what 0, 1 and 2 of init were. What is others' stays others': a network or pid
 * namespace that the bundle has by its path is not in the images and is joined again; bind mounts show what the bundle says at the restore. An own network namespace is made anew and empty
 * but for its loopback; hooks fill it.
 */

#include <stdbool.h>

#include "runtime/container.h"

struct err;

struct cr_bundle {
	const char *images;	 /* path, made when missing */
	const char *work;	 /* of log and statistics, made when missing; NULL: images */
	const char *parent;	 /* images of a pre-dump, relative to images; or NULL */
	const char *page_server; /* ADDRESS:PORT that pages go to, or are asked from; or NULL */
	const char *groups;	 /* soft, full, strict, ignore; NULL: soft */
	const char *lsm_profile, *lsm_mount_context; /* of a restore; or NULL */
	int status_fd; /* criu writes a 0 there when its server of lazy pages listens; -1: none */
	bool leave_running, tcp_established, tcp_skip_in_flight, link_remap, ext_unix_sk, shell_job,
		file_locks, lazy_pages, pre_dump, auto_dedup;
};

/* Whether it fits together and can be done here: class VALUE, UNSUPPORTED. */
int cr_bundle_judge(const struct cr_bundle *how, struct err *e);

/* Whether what it shares with others by namespaces[].path can be left out of its images, and whether what it has of the host by its config.json can be in them: class UNSUPPORTED. */
int cr_bundle_judge_joined(const struct ct_spec *spec, struct err *e);

/* ct: locked, running or paused. When it returns 0 its tasks are dead (unless leave_running, pre_dump) and ct is the caller's to ct_delete(). Class CHECKPOINT, NOT_RUNNING. */
int cr_bundle_checkpoint(struct ct *ct, const struct ct_spec *spec, const struct cr_bundle *how,
			 struct err *e);

/*
 * start: state_root, id, spec, stdio (those that were pipes become these; a terminal is new: out->console) count. As ct_create() and ct_start(): init is our child, and runs. Class
 * RESTORE; on failure nothing remains.
 */
int cr_bundle_restore(const struct ct_create *start, const struct cr_bundle *how, struct ct *ct,
		      struct ct_created *out, struct err *e);
