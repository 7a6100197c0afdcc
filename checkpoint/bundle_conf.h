/* SPDX-License-Identifier: GPL-2.0-only */
/* A file of criu's words beside those of skep's options: what an administrator wants of every checkpoint, or the annotation org.criu.config of one container's. */
#pragma once

/*
 * Life: cr_bundle_conf_load() reads the file before anything is done, cr_bundle_conf_add() gives its words to criu, cr_bundle_conf_done(). The file is that of the annotation (empty: none), else
 * /etc/criu/crun.conf, else /etc/criu/runc.conf, as for crun and runc: neither need be there. criu(8), "Configuration files", has its form.
 *
 * criu is not told of the file itself (--config), as it would take any word from there, and some undo what a checkpoint is: with `leave-running` the container that was just given away goes on,
 * with `images-dir` its images are elsewhere. So words are known by name, and others refused. What skep has an option of its own for is as if that were given: it has a bearing on more than criu.
 */

#include "base/err.h"

struct cr_bundle;
struct cr_criu;
struct ct_spec;

#define CR_BUNDLE_CONF_WORDS 64

struct cr_bundle_conf {
	char *words[CR_BUNDLE_CONF_WORDS]; /* owned: "--word", "--word=value" */
	unsigned n;
	char *log;    /* owned; NULL: criu's log is where it always is */
	char *groups; /* owned; how->groups is this one then */
};
#define auto_bundle_conf __attribute__((cleanup(cr_bundle_conf_done)))

/* how: gets what its options could have said. -ENOENT if the annotation's is not there; class CONFIG for what is in it. */
int cr_bundle_conf_load(const struct ct_spec *spec, struct cr_bundle *how,
			struct cr_bundle_conf *conf, struct err *e);

/* The same of this text; name: for messages. */
int cr_bundle_conf_parse(const char *text, const char *name, struct cr_bundle *how,
			 struct cr_bundle_conf *conf, struct err *e);
void cr_bundle_conf_add(struct cr_criu *c, const struct cr_bundle_conf *conf);
void cr_bundle_conf_done(struct cr_bundle_conf *conf);
