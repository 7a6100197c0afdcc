/* SPDX-License-Identifier: GPL-2.0-only */
/* A system container's own name and name servers: /etc/hostname, /etc/hosts, /etc/resolv.conf. */
#pragma once

#include "runtime/conf.h"
#include "runtime/definition.h"

struct err;

/*
 * Before the program runs; root: a descriptor of the container's root file system, of which every name is hostile. /etc/hostname always says what the
 * definition says. hosts and resolv.conf are ours while they are missing, empty, as in the template (template_root), or as we wrote
 * them; a file that somebody in the container changed, or a symbolic link (systemd-resolved's), is left alone. So is resolv.conf of a
 * container without a network. What is right already is not written again. Files belong to the container's root.
 */
int ct_etc_write(const struct ct_definition *d, const struct ct_conf *conf, int template_root,
		 int root, struct err *e);
