/* SPDX-License-Identifier: GPL-2.0-only */
/* What the kernel says of its own types: /sys/kernel/btf/vmlinux, in the format of Documentation/bpf/btf.rst. */
#pragma once

/* Life: cr_btf_load(), questions, cr_btf_done(). Reading it takes 2.5 ms, as much as its 5 MB take to be copied and walked over. */

#include <stddef.h>
#include <stdint.h>

struct err;

struct cr_btf {
	char *data;
	const char *strings;
	size_t strings_len;
	const char **types; /* by their ids; [0] is void */
	uint32_t count;
};
#define auto_btf __attribute__((cleanup(cr_btf_done)))

/* -ENOENT: this kernel has none; -EPROTO: it has one that is not understood. */
int cr_btf_load(struct cr_btf *b, struct err *e);
void cr_btf_done(struct cr_btf *b);

/* The id of a function; 0: there is none. */
uint32_t cr_btf_function(const struct cr_btf *b, const char *name);
/* Where a member of a struct is, in bytes, also of one without a name inside of it. -1: there is none, or it is a bit field. */
int64_t cr_btf_member(const struct cr_btf *b, const char *structure, const char *member);
