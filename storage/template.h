/* SPDX-License-Identifier: GPL-2.0-only */
/* Templates: read-only root file systems under ROOT/templates/NAME/{template.json,rootfs}. */
#pragma once

/*
 * Life: st_template_begin() makes a hidden directory .NAME.tmp-PID-TICKS beside the templates and takes the makers' lock; the
 * caller fills build.root; st_template_commit() measures it, writes template.json, flushes, and renames it into place;
 * st_template_abandon() removes it and may be called after commit, too (then it does nothing). A template is never changed
 * after that: overlays are mounted over it, and a lower layer that changes under an overlay serves stale files.
 * `templates` is always a descriptor of ROOT/templates.
 */

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "storage/tree.h"

struct err;

#define ST_TEMPLATE_ENV_MAX 8

struct st_template {
	char name[65];
	char distribution[64];			 /* "debian-12", "busybox" */
	char variant[32];			 /* "minbase", "systemd"; may be empty */
	char created[32];			 /* UTC, ISO 8601; set by commit */
	uint64_t size_bytes;			 /* set by commit */
	uint64_t inodes;			 /* set by commit */
	char content_id[ST_DIGEST_SIZE];	 /* set by commit */
	char init_path[256];			 /* what `start` executes; empty: /sbin/init */
	char stop_signal[32];			 /* "SIGRTMIN+3", "SIGTERM", ... ; empty: SIGTERM */
	char init_env[ST_TEMPLATE_ENV_MAX][128]; /* "NAME=value", used up to the first empty one */
};

struct st_template_build {
	int templates; /* own descriptor */
	int dir;       /* of the hidden directory */
	int root;      /* of its rootfs/: to be filled */
	int lock;
	char hidden[128];
	char name[65];
};

/* Nothing to abandon yet: what a build is initialised with. */
#define ST_TEMPLATE_BUILD_INIT                                                     \
	{                                                                          \
		.templates = -EBADF, .dir = -EBADF, .root = -EBADF, .lock = -EBADF \
	}

/*
 * The lock that removing takes, and that whoever starts to use a template (create) holds from opening it until its use is on
 * record. A build does not hold it. verb is for the message to whoever waits. Returns the fd whose closing unlocks.
 */
int st_template_lock(int templates, const char *verb, struct err *e);

/* All templates sorted by name; *list is the caller's (free). Returns how many. A broken one is left out with a log_warn. */
int st_template_list(int templates, struct st_template **list, struct err *e);

/* Metadata (info may be NULL) and an O_PATH descriptor of the rootfs. -ENOENT, class NO_TEMPLATE. */
int st_template_open(int templates, const char *name, struct st_template *info, struct err *e);

/* -EEXIST, class EXISTS, if there is one of that name. Also removes what builders that died left behind. */
int st_template_begin(int templates, const char *name, struct st_template_build *b, struct err *e);

/* Makes it visible. Fills the fields of info that say so; info->name is set, too. */
int st_template_commit(struct st_template_build *b, struct st_template *info, struct err *e);

void st_template_abandon(struct st_template_build *b);

/* Calls back for the use of a template: returns 1 if it is used (who: a name for the message), 0 if not, -errno with e filled. */
typedef int (*st_template_used)(const char *name, char *who, size_t who_size, void *arg,
				struct err *e);

/* Removes a template; -EBUSY when used() says so. used may be NULL. */
int st_template_remove(int templates, const char *name, st_template_used used, void *arg,
		       struct err *e);
