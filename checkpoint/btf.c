// SPDX-License-Identifier: GPL-2.0-only
/* Walking over the kernel's list of its types. */
#include "checkpoint/btf.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/btf.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/own.h"

#define PATH	   "/sys/kernel/btf/vmlinux"
#define BYTES_MOST (64u << 20)
#define DEEP_MOST  8 /* structs without a name inside of each other */

/* How long what stands behind a type is; -1: a kind of a later kernel. */
static int64_t tail_len(const struct btf_type *t)
{
	size_t n = BTF_INFO_VLEN(t->info);

	switch (BTF_INFO_KIND(t->info)) {
	case BTF_KIND_INT:
	case BTF_KIND_VAR:
	case BTF_KIND_DECL_TAG:
		return 4;
	case BTF_KIND_ARRAY:
		return sizeof(struct btf_array);
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		return (int64_t)(n * sizeof(struct btf_member));
	case BTF_KIND_ENUM:
		return (int64_t)(n * sizeof(struct btf_enum));
	case BTF_KIND_ENUM64:
		return (int64_t)(n * sizeof(struct btf_enum64));
	case BTF_KIND_FUNC_PROTO:
		return (int64_t)(n * sizeof(struct btf_param));
	case BTF_KIND_DATASEC:
		return (int64_t)(n * sizeof(struct btf_var_secinfo));
	case BTF_KIND_PTR:
	case BTF_KIND_FWD:
	case BTF_KIND_TYPEDEF:
	case BTF_KIND_VOLATILE:
	case BTF_KIND_CONST:
	case BTF_KIND_RESTRICT:
	case BTF_KIND_FUNC:
	case BTF_KIND_FLOAT:
	case BTF_KIND_TYPE_TAG:
		return 0;
	default:
		return -1;
	}
}

static int not_understood(struct err *e)
{
	return err_set(e, EPROTO, PATH " is not understood");
}

static int list_types(struct cr_btf *b, const char *at, const char *end, struct err *e)
{
	/* The smallest type is its head alone. */
	size_t room = (size_t)(end - at) / sizeof(struct btf_type) + 1;

	b->types = calloc(room, sizeof(*b->types));
	if (!b->types)
		return err_set(e, ENOMEM, "read " PATH ": out of memory");
	b->count = 1;
	while (at < end) {
		const struct btf_type *t = (const void *)at;
		int64_t tail = end - at < (ptrdiff_t)sizeof(*t) ? -1 : tail_len(t);

		if (tail < 0 || end - at - (ptrdiff_t)sizeof(*t) < tail)
			return not_understood(e);
		b->types[b->count++] = at;
		at += sizeof(*t) + (size_t)tail;
	}
	return 0;
}

int cr_btf_load(struct cr_btf *b, struct err *e)
{
	const struct btf_header *h;
	size_t len;
	int n;

	*b = (struct cr_btf){0};
	n = file_try_read_at(AT_FDCWD, PATH, BYTES_MOST, &b->data, e);
	if (n == -ENOENT && !e->no)
		return err_set(e, ENOENT, "this kernel does not tell its types (" PATH ")");
	if (n < 0)
		return n;
	len = (size_t)n;
	h = (const void *)b->data;
	if (len < sizeof(*h) || h->magic != BTF_MAGIC || h->hdr_len < sizeof(*h) ||
	    h->hdr_len > len || h->type_off > len - h->hdr_len || h->type_off % 4 ||
	    h->hdr_len % 4 || h->type_len > len - h->hdr_len - h->type_off ||
	    h->str_off > len - h->hdr_len || h->str_len > len - h->hdr_len - h->str_off ||
	    !h->str_len)
		return not_understood(e);
	b->strings = b->data + h->hdr_len + h->str_off;
	b->strings_len = h->str_len;
	if (b->strings[b->strings_len - 1])
		return not_understood(e);
	return list_types(b, b->data + h->hdr_len + h->type_off,
			  b->data + h->hdr_len + h->type_off + h->type_len, e);
}

void cr_btf_done(struct cr_btf *b)
{
	free(b->data);
	free(b->types);
	*b = (struct cr_btf){0};
}

static const char *name_at(const struct cr_btf *b, uint32_t off)
{
	return off < b->strings_len ? b->strings + off : "";
}

static uint32_t find(const struct cr_btf *b, uint32_t kind, const char *name)
{
	for (uint32_t id = 1; id < b->count; id++) {
		const struct btf_type *t = (const void *)b->types[id];

		if (BTF_INFO_KIND(t->info) == kind && !strcmp(name_at(b, t->name_off), name))
			return id;
	}
	return 0;
}

uint32_t cr_btf_function(const struct cr_btf *b, const char *name)
{
	return find(b, BTF_KIND_FUNC, name);
}

/* In bits. */
static int64_t member_of(const struct cr_btf *b, uint32_t id, const char *name, int deep)
{
	const struct btf_type *t = id && id < b->count ? (const void *)b->types[id] : NULL;
	const struct btf_member *m;

	if (!t || deep == DEEP_MOST ||
	    (BTF_INFO_KIND(t->info) != BTF_KIND_STRUCT && BTF_INFO_KIND(t->info) != BTF_KIND_UNION))
		return -1;
	m = (const void *)(t + 1);
	for (uint32_t i = 0; i < BTF_INFO_VLEN(t->info); i++) {
		const char *its = name_at(b, m[i].name_off);
		bool mixed = BTF_INFO_KFLAG(t->info);
		int64_t at = mixed ? BTF_MEMBER_BIT_OFFSET(m[i].offset) : m[i].offset;
		int64_t inside;

		if (!strcmp(its, name))
			return mixed && BTF_MEMBER_BITFIELD_SIZE(m[i].offset) ? -1 : at;
		inside = its[0] ? -1 : member_of(b, m[i].type, name, deep + 1);
		if (inside >= 0)
			return at + inside;
	}
	return -1;
}

int64_t cr_btf_member(const struct cr_btf *b, const char *structure, const char *member)
{
	int64_t bits = member_of(b, find(b, BTF_KIND_STRUCT, structure), member, 0);

	return bits < 0 || bits % 8 ? -1 : bits / 8;
}
