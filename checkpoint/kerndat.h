/* SPDX-License-Identifier: GPL-2.0-only */
/* What criu knows about the kernel, found out before it is needed. */
#pragma once

/*
 * Each criu tries out dozens of the kernel's features before it does anything: 15 to 20 ms on an idle host, in the middle of the time for which a migrated container answers nobody. It keeps what it found in /run/criu.kdat, if
 * /run is a tmpfs and it has run since the boot. So it is run once when nobody waits for it (`criu check`); where /run is on a disk, with a tmpfs in its place, and then the file lies
 * in the host's cache, and over /run/criu.kdat in the mount namespace of a criu that dumps or restores. The same cache keeps what `criu --version` says, which takes 3 ms.
 */

#include <stdbool.h>

struct ct_host;
struct err;

/* Before the freeze of what is to be restored here; the first time since the boot it takes as long as `criu check`. */
int cr_kerndat_prepare(const struct ct_host *h, struct err *e);

/*
 * Returns a detached mount of what criu is to find, the caller's; -ENOENT with e untouched: it was not prepared, or criu finds it without us. Then, in criu's process, in a mount
 * namespace of its own: that one is seen as /run/criu.kdat (for it to be laid over, there is an empty file of that name on the host).
 */
int cr_kerndat_open(const struct ct_host *h, struct err *e);
int cr_kerndat_attach(int mount, struct err *e);

/*
 * Whether a mount on /run/criu.kdat would be seen in other mount namespaces than the caller's. A criu that dumps compares how the host's mounts are shared with those of the container, so
 * there they stay as they are, and criu looks at the kernel itself. (Where /run is on a disk and that is shared: rare.)
 */
bool cr_kerndat_would_spread(void);

/* As cr_criu_version(), out of the host's cache as long as criu is the same file. */
int cr_kerndat_version(const struct ct_host *h, struct err *e);
