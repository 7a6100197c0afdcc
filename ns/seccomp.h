/* SPDX-License-Identifier: GPL-2.0-only */
/* System call filters: from OCI JSON or our own profile, compiled once, cached as a file, loaded by
 * seccomp(2). */
#pragma once

/*
 * Life: host side, before clone: ns_seccomp_get() fills a struct ns_filter (from the cache or by
 * libseccomp). Init side: ns_seccomp_load(), last but for exec when no_new_privs is set, else
 * before ns_caps_apply(). ns_seccomp_done().
 */

#include <jansson.h>
#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

struct ns_filter {
	struct sock_filter *prog; /* owned; NULL: no filter */
	uint16_t len;		  /* instructions */
	uint32_t flags;		  /* SECCOMP_FILTER_FLAG_* */
	bool notify;		  /* SCMP_ACT_NOTIFY or a listenerPath: load returns a listener */
};

/* Knobs of our own profile. */
struct ns_seccomp_options {
	bool userns;   /* the container may make user namespaces (nesting) */
	bool keyring;  /* keyctl, add_key, request_key work */
	bool io_uring; /* (checkpoint then refuses) */
	bool bpf;
	bool x86_32;	   /* 32-bit programs run, unfiltered by argument */
	bool no_netfilter; /* no nftables, ipset, conntrack, old xtables; not together with x86_32 */
};

/*
 * Compiles an OCI linux.seccomp object. Names that libseccomp does not know are skipped, as the
 * other runtimes do; an unknown action, operator or architecture is -EINVAL, class CONFIG. Where
 * the default action is ERRNO, a call newer than our library gets ENOSYS.
 */
int ns_seccomp_from_oci(const json_t *seccomp, struct ns_filter *out, struct err *e);

/* The first name in its rules that libseccomp does not know; NULL: it knows all. */
const char *ns_seccomp_stranger(const json_t *seccomp);

/* Compiles the system container profile (ns/seccomp_profile.c). opt may be NULL: all off. */
int ns_seccomp_from_profile(const struct ns_seccomp_options *opt, struct ns_filter *out,
			    struct err *e);

/*
 * The same through a cache: cache_dir < 0: none. oci NULL: our profile; text: oci as it was written, or NULL. A cached file carries its
 * whole source text and the library's version and is used only when both are equal; a damaged one
 * is made again. Failure to write the cache is a notice.
 */
int ns_seccomp_get(int cache_dir, const json_t *oci, const char *text,
		   const struct ns_seccomp_options *opt, struct ns_filter *out, struct err *e);

/* Whether the cache has a filter of exactly this text, and without a listener; then out is filled. */
bool ns_seccomp_known(int cache_dir, const char *text, size_t len, struct ns_filter *out);

/* Installs the filter on this (single) thread. 0, or the listener's fd (the caller's, CLOEXEC) when
 * f->notify. */
int ns_seccomp_load(const struct ns_filter *f, struct err *e);

void ns_seccomp_done(struct ns_filter *f);
