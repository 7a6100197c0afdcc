/* SPDX-License-Identifier: GPL-2.0-only */
/* Running nftables commands in this process: one transaction a call, the complaint turned into an err. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct err;

/* Runs the commands atomically in the namespace we are in. what: for the error ("set the guard of sk0"). -errno. */
int net_nft_run(const char *commands, const char *what, struct err *e);

/* Runs one list command; *out is the caller's. -ENOENT leaves e untouched. */
int net_nft_list(const char *command, char **out, struct err *e);

/*
 * Makes or replaces a table of ours with this body (chains and rules), in one transaction either way. A table that is not
 * there yet is made without a "delete" in the transaction: closing the socket after one that deletes anything waits for an
 * RCU grace period (nft_rcv_nl_event), 7 ms against 1 ms seen.
 */
int net_nft_set_table(const char *family, const char *table, const char *body, const char *what,
		      struct err *e);

/* What "list tables FAMILY" prints; *list is the caller's, and NULL where there is no such family. Whether a table is in it. */
int net_nft_tables(const char *family, char **list, struct err *e);
bool net_nft_has_table(const char *list, const char *family, const char *table);

/* Removes a table of ours ("netdev", "skep_lock_sk0"); gone already is success. */
int net_nft_drop_table(const char *family, const char *table, struct err *e);

/* Removes several in one transaction (one grace period); those that are gone already are skipped. At most 8. */
int net_nft_drop_tables(const char *family, const char *const *tables, size_t count, struct err *e);
int net_nft_drop_listed(const char *list, const char *family, const char *const *tables,
			size_t count, struct err *e);
