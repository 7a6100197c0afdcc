/* SPDX-License-Identifier: GPL-2.0-only */
/* What a restore needs to know and criu's images do not say: skep.json beside them. */
#pragma once

/*
 * Life: cr_record_take() and cr_record_save() while the tasks are stopped; cr_record_load() at the restore, maybe on another host; cr_record_done(). criu
 * makes again only those control groups that hold tasks, without controllers and limits; programs such as systemd watch empty ones, too. So the
 * groups below the container's own are noted with owner, controllers and limits, and made before criu runs, which then finds them (--manage-cgroups=none).
 */

#include <net/if.h>

#include "base/json.h"
#include "runtime/definition.h"
#include "runtime/state.h"

struct cg;
struct err;

#define CR_RECORD_FILE	  "skep.json"
#define CR_RECORD_VERSION 1

struct cr_record {
	char terminal[64]; /* as in struct ct_state; empty: none */
	char ctty[64];	   /* /dev/tty, of the same form (ctty.h); empty: nobody holds it */
	char nets[CT_NETS_MAX][IFNAMSIZ]; /* names inside, in the order of the definition */
	unsigned net_count;
	uint32_t id_base;
	json_t *groups; /* [{path, uid, gid, controllers, limits: {file: text}}], parents first; owned */
};

void cr_record_done(struct cr_record *r);
#define auto_record __attribute__((cleanup(cr_record_done)))

/* d NULL: none of its interfaces is ours to make again. */
int cr_record_take(const struct ct *ct, const struct ct_definition *d, struct cr_record *r,
		   struct err *e);
int cr_record_save(int images, const struct cr_record *r, struct err *e);
/* Class RESTORE. Everything is checked: it may come from another host. */
int cr_record_load(int images, struct cr_record *r, struct err *e);

/*
 * Makes the groups below cg's delegated one, which is empty, without controllers: criu puts init into the delegated one for a moment, to make the cgroup
 * namespace there, and a group that gives its children controllers takes no process (EBUSY: Documentation/admin-guide/cgroup-v2.rst, "No Internal
 * Process Constraint"). 1: they have controllers or limits, so cr_record_equip_groups() is to be called when init is in its own group
 * (criu's stage post-setup-namespaces). There, a limit that this kernel does not take is a notice.
 */
int cr_record_make_groups(const struct cr_record *r, const struct cg *cg, struct err *e);
int cr_record_equip_groups(const struct cr_record *r, const struct cg *cg, struct err *e);
