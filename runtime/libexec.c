// SPDX-License-Identifier: GPL-2.0-only
/* Beside us, or where `make install` put them. */
#include "runtime/libexec.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"

static bool usable(char *path, size_t size, const char *dir, const char *name)
{
	return snprintf(path, size, "%s/%s", dir, name) < (int)size && access(path, X_OK) == 0;
}

int ct_libexec_find(const char *name, char *path, size_t size, struct err *e)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	if (n < 0)
		return err_sys(e, "read /proc/self/exe");
	self[n] = 0;
	slash = strrchr(self, '/');
	if (slash) {
		*slash = 0;
		if (usable(path, size, self, name))
			return 0;
	}
	if (usable(path, size, SKEP_LIBEXECDIR, name))
		return 0;
	/* A program that shields itself (ns_self_shield()) has no directory; its first word is then where it was. */
	snprintf(self, sizeof(self), "%s", program_invocation_name);
	slash = strrchr(self, '/');
	if (self[0] == '/' && slash) {
		*slash = 0;
		if (usable(path, size, self, name))
			return 0;
	}
	err_set(e, ENOENT, "the helper program %s is neither in %s nor in %s", name, self,
		SKEP_LIBEXECDIR);
	return err_hint(e, "install skep completely: `make install`");
}
