// SPDX-License-Identifier: GPL-2.0-only
// Running nftables commands in this process: one transaction a call, the complaint turned into an err.
#include "net/nft.h"

#include <dlfcn.h>
#include <errno.h>
#include <nftables/libnftables.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/own.h"

/*
 * The library is opened by the first command that needs it, since with what it brings along (libnftnl, libxtables, libgmp) it is a third of the time that the
 * dynamic linker takes, and most starts of an OCI container have no rules. It stays open.
 */
#define NFT_LIBRARY "libnftables.so.1"
#define NFT_CALLS(X)                 \
	X(nft_ctx_new)               \
	X(nft_ctx_free)              \
	X(nft_ctx_buffer_error)      \
	X(nft_ctx_buffer_output)     \
	X(nft_ctx_get_error_buffer)  \
	X(nft_ctx_get_output_buffer) \
	X(nft_run_cmd_from_buffer)

static struct {
#define X(name) typeof(name) *name;
	NFT_CALLS(X)
#undef X
} lib;

static int load(struct err *e)
{
	void *so;

	if (lib.nft_ctx_new)
		return 0;
	so = dlopen(NFT_LIBRARY, RTLD_NOW | RTLD_LOCAL);
	if (!so) {
		err_set(e, ELIBACC, "load the nftables library: %s", dlerror());
		err_hint(e, "install libnftables1");
		return err_class(e, ERR_NETWORK);
	}
#define X(name)                                                           \
	*(void **)&lib.name = dlsym(so, #name);                           \
	if (!lib.name) {                                                  \
		lib.nft_ctx_new = NULL;                                   \
		err_set(e, ENOSYS, "this " NFT_LIBRARY " has no " #name); \
		return err_class(e, ERR_NETWORK);                         \
	}
	NFT_CALLS(X)
#undef X
	return 0;
}

static void drop_ctx(struct nft_ctx **ctx)
{
	if (*ctx)
		lib.nft_ctx_free(*ctx);
	*ctx = NULL;
}

#define auto_nft __attribute__((cleanup(drop_ctx)))

/* The library's complaint has a marked copy of the command below it: the first line says it all. */
static int complain(struct nft_ctx *ctx, const char *what, struct err *e)
{
	const char *text = lib.nft_ctx_get_error_buffer(ctx);
	const char *message = text ? strstr(text, "Error: ") : NULL;
	int no = EIO;

	message = message ? message + 7 : "nftables refused";
	if (strstr(message, "No such file or directory") || strstr(message, "does not exist"))
		no = ENOENT;
	else if (strstr(message, "File exists"))
		no = EEXIST;
	else if (strstr(message, "Operation not supported"))
		no = EOPNOTSUPP;
	else if (strstr(message, "Operation not permitted"))
		no = EPERM;
	err_set(e, no, "%s: %.*s", what, (int)strcspn(message, "\n"), message);
	err_class(e, ERR_NETWORK);
	if (no == EOPNOTSUPP)
		err_hint(e, "the kernel needs nftables with netdev, inet and nat support");
	return -no;
}

static struct nft_ctx *open_ctx(struct err *e)
{
	struct nft_ctx *ctx;

	if (load(e) < 0)
		return NULL;
	ctx = lib.nft_ctx_new(NFT_CTX_DEFAULT);
	if (!ctx) {
		err_set(e, ENOMEM, "start nftables");
		return NULL;
	}
	lib.nft_ctx_buffer_error(ctx);
	lib.nft_ctx_buffer_output(ctx);
	return ctx;
}

int net_nft_run(const char *commands, const char *what, struct err *e)
{
	auto_nft struct nft_ctx *ctx = open_ctx(e);

	if (!ctx)
		return err_wrap(e, "%s", what);
	if (lib.nft_run_cmd_from_buffer(ctx, commands))
		return complain(ctx, what, e);
	return 0;
}

int net_nft_list(const char *command, char **out, struct err *e)
{
	auto_nft struct nft_ctx *ctx = open_ctx(e);
	struct err why = {0};
	const char *text;

	if (!ctx)
		return -e->no;
	if (lib.nft_run_cmd_from_buffer(ctx, command)) {
		int r = complain(ctx, command, &why);

		if (r != -ENOENT)
			*e = why;
		return r;
	}
	text = lib.nft_ctx_get_output_buffer(ctx);
	*out = strdup(text ? text : "");
	return *out ? 0 : err_set(e, ENOMEM, "keep the answer of nftables");
}

int net_nft_set_table(const char *family, const char *table, const char *body, const char *what,
		      struct err *e)
{
	auto_free char *text = NULL;
	struct err first = {0};
	int r;

	/* Two commands: libnftables 1.0.6 takes a body behind "create table", and forgets it without a word. */
	if (asprintf(&text, "create table %s %s\ntable %s %s {\n%s}\n", family, table, family,
		     table, body) < 0)
		return err_set(e, ENOMEM, "%s", what);
	r = net_nft_run(text, what, &first);
	if (r != -EEXIST) {
		if (r < 0)
			*e = first;
		return r;
	}
	own_free(&text);
	if (asprintf(&text, "add table %s %s\ndelete table %s %s\ntable %s %s {\n%s}\n", family,
		     table, family, table, family, table, body) < 0)
		return err_set(e, ENOMEM, "%s", what);
	return net_nft_run(text, what, e);
}

int net_nft_tables(const char *family, char **list, struct err *e)
{
	char command[64];
	int r;

	snprintf(command, sizeof(command), "list tables %s\n", family);
	r = net_nft_list(command, list, e);
	return r == -ENOENT ? 0 : r;
}

bool net_nft_has_table(const char *list, const char *family, const char *table)
{
	char line[160];

	snprintf(line, sizeof(line), "table %s %s\n", family, table);
	return list && strstr(list, line);
}

int net_nft_drop_listed(const char *list, const char *family, const char *const *tables,
			size_t count, struct err *e)
{
	char text[1600];
	size_t used = 0;

	for (size_t i = 0; i < count; i++) {
		if (!net_nft_has_table(list, family, tables[i]))
			continue;
		/* "add" first: somebody else may delete it between our look and our deed. */
		used += (size_t)snprintf(text + used, sizeof(text) - used,
					 "add table %s %s\ndelete table %s %s\n", family, tables[i],
					 family, tables[i]);
		if (used >= sizeof(text))
			return err_set(e, ENOBUFS, "too many nftables tables to remove at once");
	}
	return used ? net_nft_run(text, "remove nftables rules", e) : 0;
}

int net_nft_drop_tables(const char *family, const char *const *tables, size_t count, struct err *e)
{
	auto_free char *there = NULL;
	int r = net_nft_tables(family, &there, e);

	return r < 0 ? r : net_nft_drop_listed(there, family, tables, count, e);
}

int net_nft_drop_table(const char *family, const char *table, struct err *e)
{
	return net_nft_drop_tables(family, &table, 1, e);
}
