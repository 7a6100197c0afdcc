/* SPDX-License-Identifier: GPL-2.0-only */
/* Debian templates, built by mmdebstrap from the archive that this host's apt uses. */
#pragma once

#include <stdbool.h>

struct err;

struct st_debian {
	const char *release; /* "12", "13", or a code name: "bookworm", "trixie" */
	bool systemd; /* variant systemd: boots its own init; else minbase, with a small init: the packages' services of runlevel 2, /etc/rc.local */
	const char *include; /* further packages, comma separated; may be NULL */
	int deadline_ms;     /* 0: 15 minutes */
};

/*
 * Makes template `name`. The archive's address and keyring are those of `apt-get indextargets`; none of ours. What cannot work in a container
 * is masked; no machine-id and no ssh host keys. That systemd's units can be suspended is the matter of runtime/preset.h.
 */
int st_build_debian(int templates, const char *name, const struct st_debian *spec, struct err *e);
