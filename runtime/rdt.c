// SPDX-License-Identifier: GPL-2.0-only
/* A container's groups of resctrl. */
#include "runtime/rdt.h"

#include <errno.h>

#include "base/err.h"
#include "base/own.h"
#include "cgroups/rdt.h"
#include "runtime/ledger.h"
#include "runtime/spec.h"
#include "runtime/state.h"

static int note(void *arg, const char *path, struct err *e)
{
	const struct ct *ct = arg;

	return ct_ledger_add(ct->dir, CT_LEDGER_RDT, path, e);
}

static int drop(void *arg, const char *path, struct err *e)
{
	const struct ct *ct = arg;

	return ct_ledger_drop(ct->dir, CT_LEDGER_RDT, path, e);
}

int ct_rdt_make(const struct ct *ct, const struct ct_spec *spec, struct err *e)
{
	const struct cg_rdt_notes notes = {.note = note, .drop = drop, .arg = (void *)ct};
	auto_fd int root = -EBADF;
	int r;

	if (!spec->rdt.given)
		return 0;
	root = cg_rdt_open(e);
	r = root < 0 ? root : cg_rdt_make(root, &spec->rdt, ct->s.id, &notes, e);
	if (r >= 0)
		r = cg_rdt_write(root, &spec->rdt, ct->s.id, e);
	return r < 0 ? err_wrap(e, "linux.intelRdt") : r;
}

int ct_rdt_add(const struct ct *ct, const struct ct_spec *spec, pid_t pid, struct err *e)
{
	auto_fd int root = -EBADF;
	int r;

	if (!spec->rdt.given)
		return 0;
	root = cg_rdt_open(e);
	r = root < 0 ? root : cg_rdt_add(root, &spec->rdt, ct->s.id, pid, e);
	return r < 0 ? err_wrap(e, "linux.intelRdt") : r;
}

int ct_rdt_update(const struct ct *ct, const struct ct_spec *spec, const char *l3, const char *mb,
		  struct err *e)
{
	struct cg_rdt lines = {.clos = spec->rdt.clos, .l3 = (char *)l3, .mb = (char *)mb};
	auto_fd int root = cg_rdt_open(e);

	if (root < 0)
		return root;
	if (!spec->rdt.given) {
		err_set(e, EINVAL, "container %s was made without linux.intelRdt", ct->s.id);
		return err_class(e, ERR_CONFIG);
	}
	return cg_rdt_write(root, &lines, ct->s.id, e);
}
