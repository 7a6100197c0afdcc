// SPDX-License-Identifier: GPL-2.0-only
/* What criu restores onto: the container's state and groups, its root file system, its links' names, a new console. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/fault.h"
#include "checkpoint/image.h"
#include "checkpoint/image_groups.h"
#include "checkpoint/restore_parts.h"
#include "runtime/hook.h"
#include "runtime/network.h"
#include "runtime/streams.h"

static int check_nets(const struct cr_restoring *r, struct err *e)
{
	const struct ct_definition *d = &r->how->s->d;
	unsigned n = d->network == CT_NETWORK_PRIVATE ? d->net_count : 0;
	bool same = n == r->record.net_count;

	for (unsigned i = 0; same && i < n; i++)
		same = !strcmp(d->nets[i].name, r->record.nets[i]);
	if (same)
		return 0;
	err_set(e, ESTALE, "its network interfaces are others than when it was suspended");
	return err_hint(e, "set them as they were, or drop its memory with `skepctl stop`");
}

static int prepare_network(struct cr_restoring *r, struct err *e)
{
	struct ct_system *s = r->how->s;
	int n = check_nets(r, e);

	if (n >= 0)
		n = ct_system_network_ground(s, r->ct, e);
	for (unsigned i = 0; n >= 0 && i < r->record.net_count; i++)
		n = ct_network_note(r->ct, &s->d, i, &r->nets[i], e);
	if (n >= 0)
		n = fault_at("resume.network", e);
	return n;
}

/* Images of a host with other hierarchies (image_groups.h). Groups below the container's own are lost so: who has some is left to criu. */
static int choose_groups(struct cr_restoring *r, struct err *e)
{
	bool inner = json_array_size(r->record.groups) > 1 || r->equip_groups;
	int fits = 1;

	if (!inner && !r->how->bundle->plain_groups)
		fits = cr_image_groups_fit(r->how->images, &r->ground.cg, e);
	r->plain_groups = r->how->bundle->plain_groups || !fits;
	return fits < 0 ? fits : 0;
}

int cr_restore_prepare(struct cr_restoring *r, struct err *e)
{
	const struct ct_system *s = r->how->s;
	int n = fault_at("resume.ground", e);

	ct_ground_describe(r->ct, r->spec, r->id, s != NULL);
	if (n >= 0 && !s && !r->spec->process.terminal)
		n = ct_streams_note(r->how->bundle->stdio, &r->ct->s.streams, e);
	/* Before anything is made: whoever deletes what we leave, killed, runs the hooks of the end. */
	if (n >= 0)
		n = ct_hooks_keep(r->ct, &r->spec->hooks, e);
	if (n >= 0)
		n = ct_state_save(r->ct, e);
	if (n >= 0)
		n = ct_ground_make(r->ct, r->spec, s && s->host->best_effort, &r->ground, e);
	if (n >= 0 && r->record.id_base != r->ct->s.id_base) {
		err_set(e, ESTALE, "its ids began at %u when it was suspended, and now at %u",
			r->record.id_base, r->ct->s.id_base);
		return err_hint(e, "its memory cannot be used with other ids");
	}
	if (n >= 0 && (s || r->spec->own[CT_NS_USER]))
		n = cr_image_open_all(r->how->images, e);
	if (n >= 0)
		n = cr_record_make_groups(&r->record, &r->ground.cg, e);
	r->equip_groups = n > 0;
	if (n >= 0 && !s)
		n = choose_groups(r, e);
	if (n >= 0 && s)
		n = prepare_network(r, e);
	if (n >= 0)
		n = cr_console_make(&r->console, &r->record, &r->ct->s, &r->out->console, e);
	if (n >= 0)
		n = ct_state_save(r->ct, e);
	if (n >= 0 && mkdirat(r->ct->dir, CR_RESTORE_ROOT, 0700) < 0 && errno != EEXIST)
		return err_sys(e, "make a place for the root file system");
	return n;
}
