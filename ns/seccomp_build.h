/* SPDX-License-Identifier: GPL-2.0-only */
/* Inside of ns/seccomp*.c: from a libseccomp context to a program, with a hand-made prologue before
 * it. */
#pragma once

#include <linux/filter.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdio.h>

struct err;
struct ns_filter;
struct ns_seccomp_options;

/*
 * Exports ctx as BPF behind `prologue` (n instructions, falling through at its end; may be 0) into
 * out->prog and out->len. Jumps are relative in classic BPF, so the two are simply put one behind
 * the other.
 */
int ns_seccomp_export(scmp_filter_ctx ctx, const struct sock_filter *prologue, size_t n,
		      struct ns_filter *out, struct err *e);

/* A fresh context with the settings that all our filters share. NULL with e filled. */
scmp_filter_ctx ns_seccomp_context(uint32_t default_action, struct err *e);

#define auto_seccomp __attribute__((cleanup(ns_seccomp_context_done)))
void ns_seccomp_context_done(scmp_filter_ctx *ctx);

/*
 * Before a rule is added: whether libseccomp would come to an end with it. -ELOOP, class CONFIG, when not. name: of the call, for the message. Costs a process for rules of a rare shape
 * only.
 */
int ns_seccomp_try(scmp_filter_ctx ctx, uint32_t action, int nr, const struct scmp_arg_cmp *args,
		   size_t n, const char *name, struct err *e);

/* Writes all that decides what the profile becomes, as the cache's key. */
void ns_seccomp_profile_text(const struct ns_seccomp_options *opt, FILE *to);
