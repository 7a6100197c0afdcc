/* SPDX-License-Identifier: GPL-2.0-only */
/* The label that a program gets at its execve: an AppArmor profile, an SELinux context. */
#pragma once

#include <stdbool.h>

struct err;

enum ns_lsm { NS_LSM_APPARMOR, NS_LSM_SELINUX };

/* Whether this host has it, and uses it. Host side. */
bool ns_lsm_has(enum ns_lsm lsm);

/*
 * Inside, before no_new_privs and before ids change: what this process executes next runs with that label, or the execve fails. Written by way of the container's /proc, which must be a proc: one of its
 * own making could swallow the word (CVE-2019-16884).
 */
int ns_lsm_exec(enum ns_lsm lsm, const char *label, struct err *e);
