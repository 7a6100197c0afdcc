/* SPDX-License-Identifier: GPL-2.0-only */
/* Programs of ours that criu finds in place of the host's tar and iptables. */
#pragma once

/*
 * criu runs a dozen programs while the tasks are stopped, each for 1 to 3 ms. CR_TOOLS_DIR, a directory of links to skep-criu-tool beside our other helpers, stands first in its PATH: `tar` packs and
 * unpacks what a tmpfs usually has (tmpfs_tar.h); `iptables-save` and its kin say "nf_tables" at once where there are no rules of the old kind, so that criu asks none of them for any. What they
 * cannot do they leave to the host's program of the same name. A criu that does not find them, or may not execute them (in the container's user namespace), goes on along its PATH.
 */

#include <stdbool.h>
#include <sys/types.h>

struct cg;
struct err;

#define CR_TOOLS_DIR		 "criu-tools"
#define CR_TOOLS_ENV_PATH	 "SKEP_CRIU_PATH"	 /* the host's PATH */
#define CR_TOOLS_ENV_NO_IPTABLES "SKEP_CRIU_NO_IPTABLES" /* set: nobody needs iptables */

/* Whether no network of a container's processes has a table of ip_tables or ip6_tables; those of nf_tables are criu's own business. init: one that lives. */
bool cr_tools_no_tables(const struct cg *cg, pid_t init);
/* Whether images hold no such rules. */
bool cr_tools_no_rules(int images);

/* In the process that will be criu. dir: of the tools, as ct_libexec_find() finds them. */
int cr_tools_enter(const char *dir, bool no_iptables, struct err *e);
