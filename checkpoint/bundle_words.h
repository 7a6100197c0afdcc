/* SPDX-License-Identifier: GPL-2.0-only */
/* What checkpoint and restore of an OCI container have in common: bundle.c, bundle_restore.c. */
#pragma once

#include <limits.h>
#include <sys/types.h>

#include "base/json.h"
#include "checkpoint/bundle.h"

struct cr_criu;

/* runc's name and form, in which only pipes count: ["", "pipe:[123]", "pipe:[123]"]. */
#define CR_BUNDLE_DESCRIPTORS "descriptors.json"

/* What was, and is again, a namespace of somebody else's; the keys are runc's. */
#define CR_BUNDLE_OUTSIDE 2
struct cr_bundle_outside {
	enum ct_namespace ns;
	const char *word; /* criu's, and the file in /proc/PID/ns */
	const char *key;
};
extern const struct cr_bundle_outside cr_bundle_outside[CR_BUNDLE_OUTSIDE];

struct cr_bundle_words {
	const struct cr_bundle *how;
	const struct cr_bundle_conf *conf;
	const struct ct_spec *spec;
	int work; /* -EBADF: images */
	char work_path[PATH_MAX];
	json_t *streams; /* criu's names for 0, 1, 2 of init; "": its own; borrowed */
	ino_t inodes[CR_BUNDLE_OUTSIDE]; /* at a checkpoint; 0: its own, or the host's */
	int fds[CT_NS_COUNT];		 /* at a restore: those to be joined */
	const int *stdio;
};

/* Makes and opens how->work. */
int cr_bundle_open_work(struct cr_bundle_words *w, struct err *e);

void cr_bundle_add_common(struct cr_criu *c, const struct cr_bundle_words *w);
void cr_bundle_add_pair(struct cr_criu *c, const char *word, const char *value);
