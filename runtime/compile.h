/* SPDX-License-Identifier: GPL-2.0-only */
/* Intent to bundle: a definition becomes the OCI config.json that the engine executes. */
#pragma once

/*
 * Pure: nothing on the host is touched, so the same definition gives the same bundle. The limits are in linux.resources in OCI terms (what
 * only cgroup v2 has: "unified"); what OCI has no words for is an annotation:
 *
 *   skep.rootfs.lower   paths of the template layers, separated by colons, topmost first
 *   skep.rootfs.upper, skep.rootfs.work   absolute; "upper" and "work" of the image's root when there is a
 *   skep.disk           path of a disk image
 *   skep.seccomp        "default": our own profile
 *   skep.nesting        "true": containers inside; then nothing of /proc and /sys is masked
 *   skep.netfilter      "disabled": our own profile refuses it, which "full" and none does not
 *   skep.stop.signal    "SIGTERM", ...
 *   skep.stop.timeout   seconds
 */

#include "base/json.h"
#include "runtime/definition.h"

struct err;

struct ct_compile {
	const char *root;	  /* ROOT, absolute: "/var/lib/skep" */
	const char *state;	  /* state directory: names the cgroup when it is not /run/skep */
	const char *const *lower; /* template rootfs paths, topmost first, NULL-terminated */
	const char *init_path;	  /* of the template; empty or NULL: /sbin/init */
	const char *stop_signal;  /* of the template; empty or NULL: SIGTERM */
	const char *const *init_env; /* of the template, NULL-terminated; may be NULL */
	const struct cg_limits
		*limits; /* with the numbers of this host's disks; NULL: the definition's */
};

/* Returns the config in *out, which is the caller's. d is complete (ct_definition_check_complete). */
int ct_compile(const struct ct_definition *d, const struct ct_compile *how, json_t **out,
	       struct err *e);

/* The most capabilities that a process of the container may have: bit N is capability N. */
uint64_t ct_compile_capabilities(const struct ct_definition *d);

/*
 * The group that holds all system containers. Where systemd manages the hierarchy this is its slice (systemd/skep.slice), with what `systemctl
 * set-property skep.slice` gives it; elsewhere only a name.
 */
#define CT_CGROUP_TOP "skep.slice"

/* "skep.slice/NAME", or "skep.slice/HASH8-NAME" when the state directory is not the default one. */
void ct_compile_cgroup(const char *name, const char *state, char *out, size_t size);
