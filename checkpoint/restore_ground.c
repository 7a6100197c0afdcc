// SPDX-License-Identifier: GPL-2.0-only
/* What criu restores onto: the container's state and groups, its root file system, its links' names, a new console. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/err.h"
#include "base/fault.h"
#include "checkpoint/image.h"
#include "checkpoint/restore_parts.h"
#include "ns/console.h"
#include "ns/mount.h"
#include "runtime/network.h"

/* "8805:1a", the number and the file system of a terminal's slave (Documentation/admin-guide/devices.txt: majors 136 to 143). */
static int old_console_path(const char *terminal, char path[64], struct err *e)
{
	unsigned long long rdev;

	if (sscanf(terminal, "%llx:", &rdev) != 1 || major(rdev) < 136 || major(rdev) > 143) {
		err_set(e, EINVAL, CR_RECORD_FILE ": '%s' is no console", terminal);
		return err_class(e, ERR_RESTORE);
	}
	snprintf(path, 64, "/dev/pts/%u", (major(rdev) - 136) * 256 + minor(rdev));
	return 0;
}

/* The new console: another terminal of the host's, on which criu puts what was on the old one. */
static int make_console(struct cr_restoring *r, struct err *e)
{
	struct ct_state *s = &r->ct->s;
	struct stat st;
	char path[64];
	int n;

	if (!r->record.terminal[0])
		return 0;
	n = ns_console_new_host(&r->out->console, &r->slave, e);
	if (n >= 0)
		n = ns_console_chown(r->slave, s->id_base, s->id_base, e);
	if (n < 0)
		return n;
	if (fstat(r->slave, &st) < 0)
		return err_sys(e, "stat the console");
	snprintf(s->terminal, sizeof(s->terminal), "%llx:%llx", (unsigned long long)st.st_rdev,
		 (unsigned long long)st.st_dev);
	if (old_console_path(r->record.terminal, r->old_path, e) < 0)
		return -e->no;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", r->slave);
	r->console_mount = ns_mount_clone(AT_FDCWD, path, 0, e);
	return r->console_mount < 0 ? r->console_mount : 0;
}

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

int cr_restore_prepare(struct cr_restoring *r, const struct ct_spec *spec, struct err *e)
{
	int n = fault_at("resume.ground", e);

	ct_ground_describe(r->ct, spec, r->how->s->d.name, true);
	if (n >= 0)
		n = ct_state_save(r->ct, e);
	if (n >= 0)
		n = ct_ground_make(r->ct, spec, r->how->s->host->best_effort, &r->ground, e);
	if (n >= 0 && r->record.id_base != r->ct->s.id_base) {
		err_set(e, ESTALE, "its ids began at %u when it was suspended, and now at %u",
			r->record.id_base, r->ct->s.id_base);
		return err_hint(e, "its memory cannot be used with other ids");
	}
	if (n >= 0)
		n = cr_image_open_all(r->how->images, e);
	if (n >= 0)
		n = cr_record_make_groups(&r->record, &r->ground.cg, e);
	r->equip_groups = n > 0;
	if (n >= 0)
		n = prepare_network(r, e);
	if (n >= 0)
		n = make_console(r, e);
	if (n >= 0)
		n = ct_state_save(r->ct, e);
	if (n >= 0 && mkdirat(r->ct->dir, CR_RESTORE_ROOT, 0700) < 0 && errno != EEXIST)
		return err_sys(e, "make a place for the root file system");
	return n;
}
