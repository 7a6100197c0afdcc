// SPDX-License-Identifier: GPL-2.0-only
/* Sockets with names that say who is going to need a bridge. */
#include "runtime/bridge_claim.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/err.h"
#include "base/file.h"
#include "base/own.h"

/* Below it the bridge, which has no slash, and who has claimed it. The kernel shows the first zero of an abstract name as '@' (unix_seq_show()). */
#define PREFIX "skep/bridge/"

/* Ours: a process number means nothing in another's pid namespace. 0: we have claimed nothing yet. */
static uint64_t self;

int ct_bridge_claim(const char *name, struct err *e)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	auto_fd int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int n;

	while (!self)
		if (getrandom(&self, sizeof(self), 0) != sizeof(self) && errno != EINTR)
			return err_sys(e, "claim bridge %s", name);
	n = snprintf(sa.sun_path + 1, sizeof(sa.sun_path) - 1, PREFIX "%.15s/%016llx", name,
		     (unsigned long long)self);
	if (fd < 0)
		return err_sys(e, "claim bridge %s", name);
	if (bind(fd, (struct sockaddr *)&sa,
		 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n)) < 0)
		return errno == EADDRINUSE ? 0 : err_sys(e, "claim bridge %s", name);
	(void)take_fd(&fd); /* the process's, to its end */
	return 0;
}

int ct_bridge_claimed(const char *name, struct err *e)
{
	auto_file FILE *f = fopen("/proc/self/net/unix", "re");
	char line[512], prefix[64], own[17];

	if (!f)
		return err_sys(e, "look for who needs bridge %s", name);
	snprintf(prefix, sizeof(prefix), " @" PREFIX "%.15s/", name);
	snprintf(own, sizeof(own), "%016llx", (unsigned long long)self);
	while (fgets(line, sizeof(line), f)) {
		const char *at = strstr(line, prefix);

		if (at && (!self || strncmp(at + strlen(prefix), own, 16) != 0))
			return 1;
	}
	return ferror(f) ? err_sys(e, "look for who needs bridge %s", name) : 0;
}
