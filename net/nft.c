// SPDX-License-Identifier: GPL-2.0-only
// Running nftables commands in this process: one transaction a call, the complaint turned into an err.
#include "net/nft.h"

#include <errno.h>
#include <nftables/libnftables.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/own.h"

static void drop_ctx(struct nft_ctx **ctx)
{
	if (*ctx)
		nft_ctx_free(*ctx);
	*ctx = NULL;
}

#define auto_nft __attribute__((cleanup(drop_ctx)))

/* The library's complaint has a marked copy of the command below it: the first line says it all. */
static int complain(struct nft_ctx *ctx, const char *what, struct err *e)
{
	const char *text = nft_ctx_get_error_buffer(ctx);
	const char *message = text ? strstr(text, "Error: ") : NULL;
	int no = EIO;

	message = message ? message + 7 : "nftables refused";
	if (strstr(message, "No such file or directory") || strstr(message, "does not exist"))
		no = ENOENT;
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

static struct nft_ctx *open_ctx(void)
{
	struct nft_ctx *ctx = nft_ctx_new(NFT_CTX_DEFAULT);

	if (!ctx)
		return NULL;
	nft_ctx_buffer_error(ctx);
	nft_ctx_buffer_output(ctx);
	return ctx;
}

int net_nft_run(const char *commands, const char *what, struct err *e)
{
	auto_nft struct nft_ctx *ctx = open_ctx();

	if (!ctx)
		return err_set(e, ENOMEM, "%s: start nftables", what);
	if (nft_run_cmd_from_buffer(ctx, commands))
		return complain(ctx, what, e);
	return 0;
}

int net_nft_list(const char *command, char **out, struct err *e)
{
	auto_nft struct nft_ctx *ctx = open_ctx();
	struct err why = {0};
	const char *text;

	if (!ctx)
		return err_set(e, ENOMEM, "start nftables");
	if (nft_run_cmd_from_buffer(ctx, command)) {
		int r = complain(ctx, command, &why);

		if (r != -ENOENT)
			*e = why;
		return r;
	}
	text = nft_ctx_get_output_buffer(ctx);
	*out = strdup(text ? text : "");
	return *out ? 0 : err_set(e, ENOMEM, "keep the answer of nftables");
}

int net_nft_drop_table(const char *family, const char *table, struct err *e)
{
	char text[256], what[160];

	/* "add" first: deleting what is not there would be an error, and asking first would be a race. */
	snprintf(text, sizeof(text), "add table %s %s\ndelete table %s %s\n", family, table, family,
		 table);
	snprintf(what, sizeof(what), "remove nftables table %s %s", family, table);
	return net_nft_run(text, what, e);
}
