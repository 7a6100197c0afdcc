// SPDX-License-Identifier: GPL-2.0-only
/* A container's own copy of the config.json that it was made from. */
#include <errno.h>
#include <fcntl.h>

#include "base/err.h"
#include "base/file.h"
#include "base/own.h"
#include "runtime/container.h"

int ct_spec_keep(const struct ct *ct, const struct ct_spec *spec, struct err *e)
{
	auto_fd int fd = -EBADF;

	if (!spec->text)
		return 0;
	/* As it is: who dies in the middle of it leaves a container that was never made. */
	fd = openat(ct->dir, CT_CONFIG_FILE, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC | O_NOFOLLOW,
		    0600);
	if (fd < 0)
		return err_sys(e, "container %s: keep its config.json", ct->s.id);
	if (file_write_all(fd, spec->text, spec->text_len, e) < 0)
		return err_wrap(e, "container %s: keep its config.json", ct->s.id);
	return 0;
}

int ct_spec_of(const struct ct *ct, int cache, struct ct_spec *spec, struct err *e)
{
	struct err why = {0};
	int r = ct_spec_load_at(ct->dir, CT_CONFIG_FILE, ct->s.bundle, cache, spec, &why);

	if (r == -ENOENT)
		return ct_spec_load_cached(ct->s.bundle, NULL, cache, spec, e);
	if (r >= 0)
		return 0;
	*e = why;
	return err_wrap(e, "container %s", ct->s.id);
}
